use rstest::rstest;

use super::*;
use crate::config::Budget;
use crate::model::Reason;
use crate::store::budget::Spent;
use crate::store::why::Held;

/// Monday, 2026-02-02 07:00:00 UTC; the newest slot was 06:15.
const NOW: i64 = 1_770_015_600;
const SLOT: i64 = NOW - 2_700;
const DAY: i64 = 86_400;

fn target() -> SoundTarget {
    SoundTarget {
        id: 1,
        title: None,
        region: "US".to_owned(),
        period: "7".to_owned(),
        schedule: "15 6 * * *".to_owned(),
        time_zone: "UTC".to_owned(),
        slots_from: SLOT - DAY,
        added_at: SLOT - DAY,
        removed_at: None,
        last_success_at: None,
    }
}

fn slot(slot_at: i64, outcome: Option<&str>, reason: Option<&str>) -> SlotHistory {
    SlotHistory {
        slot_at,
        slots: 1,
        forced: false,
        period_days: None,
        period_reason: None,
        outcome: outcome.map(str::to_owned),
        reason: reason.map(str::to_owned),
        held: if outcome.is_some() {
            Held::Settled
        } else {
            Held::ByNobody
        },
        claimed_at: None,
        settled_at: None,
        attempts: Vec::new(),
    }
}

fn present() -> Present {
    Present {
        now: NOW,
        catch_up_from: NOW - DAY,
        collecting: false,
        pause: None,
        spent: Spent::default(),
        budget: Budget {
            credits_per_request: 2,
            daily_credits: 10,
            monthly_credits: 100,
        },
    }
}

#[rstest]
#[case::nobody_collects(
    present(),
    "nobody collects; `soundwatch run` or `soundwatch collect` asks it"
)]
#[case::someone_does(Present { collecting: true, ..present() }, "it is in the queue of whoever collects")]
#[case::budget(
    Present { spent: Spent { day: 9, month: 20 }, ..present() },
    "it waits for budget, 9 of 10 credits are spent today and 20 of 100 this month"
)]
#[case::paused(
    Present { pause: Some("paused until then (unauthorized). Mend it.".to_owned()), ..present() },
    "it waits, the key is paused until then (unauthorized). Mend it."
)]
fn a_target_that_was_never_asked_says_what_it_waits_for(#[case] present: Present, #[case] expected: &str) {
    let due = words::of_present(&target(), None, &present);
    assert_eq!(
        due,
        format!("the slot of 2026-02-02T06:15:00Z is due: {expected}")
    );
    let skipped = slot(SLOT, Some("skipped"), Some("budget"));
    let again = words::of_present(&target(), Some(&skipped), &present);
    assert_eq!(
        again,
        format!("the slot of 2026-02-02T06:15:00Z was skipped and can still be asked: {expected}")
    );
}

#[test]
fn a_target_whose_schedule_has_changed_is_not_due_yet() {
    let later = SoundTarget {
        slots_from: NOW - 60,
        ..target()
    };
    assert_eq!(
        words::of_present(&later, None, &present()),
        "nothing is due yet: its slots count from 2026-02-02T06:59:00Z"
    );
}

#[test]
fn a_slot_that_is_too_old_will_be_missed_unless_it_is_the_first_of_a_new_target() {
    let late = Present {
        catch_up_from: NOW - 60,
        ..present()
    };
    assert_eq!(
        words::of_present(&target(), None, &late),
        "the slot of 2026-02-02T06:15:00Z is older than schedule.catch_up: the next pass records it as missed"
    );
    let new = SoundTarget {
        slots_from: SLOT,
        ..target()
    };
    assert!(words::of_present(&new, None, &late).contains("is due"));
    let skipped = slot(SLOT, Some("skipped"), Some("paused"));
    assert_eq!(
        words::of_present(&target(), Some(&skipped), &late),
        "nothing is due"
    );
}

#[test]
fn a_settled_slot_leaves_nothing_due_and_an_older_one_does_not() {
    let of = |slot_at| words::of_present(&target(), Some(&slot(slot_at, Some("stored"), None)), &present());
    assert_eq!(of(SLOT), "nothing is due");
    assert!(of(SLOT - DAY).contains("is due"));
}

#[test]
fn what_was_asked_for_by_hand_in_the_minute_of_a_slot_takes_its_place() {
    let by_hand = SlotHistory {
        forced: true,
        ..slot(SLOT, Some("confirmed"), None)
    };
    let found = TargetSlots {
        slots: vec![by_hand],
        newest_scheduled: Some(slot(SLOT - DAY, Some("stored"), None)),
        of_all: 2,
    };
    assert_eq!(target_why(target(), found, &present()).now, "nothing is due");
}

#[test]
fn a_target_that_left_the_watchlist_says_since_when() {
    let removed = SoundTarget {
        removed_at: Some(NOW),
        ..target()
    };
    let told = words::of_present(&removed, None, &present());
    assert!(
        told.starts_with("not watched since 2026-02-02T07:00:00Z"),
        "{told}"
    );
    let why = target_why(removed, TargetSlots::default(), &present());
    assert_eq!(why.next_slot, None);
    let live = target_why(target(), TargetSlots::default(), &present());
    assert_eq!(live.next_slot.as_deref(), Some("2026-02-03T06:15:00Z"));
}

#[rstest]
#[case(slot(SLOT, None, None), "handed over, waits for whoever collects")]
#[case(
    SlotHistory { held: Held::ByGoneWorker, ..slot(SLOT, None, None) },
    "left by a process that has gone; the next pass takes it over"
)]
#[case(SlotHistory { held: Held::ByWorker, ..slot(SLOT, None, None) }, "under way")]
#[case(
    SlotHistory { slots: 500, ..slot(SLOT, Some("skipped"), Some("missed")) },
    "not asked in time: soundwatch did not run, or was busy; stands for 500 slots up to this one"
)]
#[case(
    slot(SLOT, Some("no_data"), None),
    "the service said success and gave no trend"
)]
#[case(
    slot(SLOT, Some("failed"), Some("budget")),
    "no credits were left for another try"
)]
fn a_slot_says_in_words_what_became_of_it(#[case] slot: SlotHistory, #[case] expected: &str) {
    assert_eq!(words::of_slot(&slot), expected);
}

#[test]
fn every_reason_has_words_of_its_own() {
    for reason in Reason::ALL {
        let words = words::of_reason(reason.as_str());
        assert_ne!(words, reason.as_str());
        assert!(words.contains(' '), "{words}");
    }
}

#[test]
fn a_region_that_is_not_watched_says_which_are() {
    let clip: ClipId = "6703723351497508865".parse().unwrap();
    let region = "LV".parse().ok();
    insta::assert_snapshot!(unknown(&clip, region, vec!["DE", "US", "US"], false), @"
    6703723351497508865 is not watched in LV
      help: it is watched in DE, US; add others to its regions in the watchlist
    ");
    insta::assert_snapshot!(unknown(&clip, None, Vec::new(), false), @"
    6703723351497508865 is not watched
      help: add it to the watchlist, then collect
    ");
    insta::assert_snapshot!(unknown(&clip, region, vec!["US"], true), @"
    nothing is known of 6703723351497508865 in LV yet: it is new in the watchlist
      help: `soundwatch collect` asks for it, and so does a daemon that runs
    ");
}

#[rstest]
#[case::fixed(Some(7), None, false, " (7 days)")]
#[case::chosen(
    Some(30),
    Some("long, 120 is weekly"),
    false,
    " (30 days: long, 120 is weekly)"
)]
#[case::chosen_by_hand(Some(120), Some("first"), true, " (120 days: first, forced)")]
#[case::nothing(None, None, false, "")]
fn a_slot_says_which_window_was_asked_and_why(
    #[case] period_days: Option<i64>,
    #[case] period_reason: Option<&str>,
    #[case] forced: bool,
    #[case] expected: &str,
) {
    let slot = SlotHistory {
        period_days,
        period_reason: period_reason.map(str::to_owned),
        forced,
        ..slot(SLOT, Some("stored"), None)
    };
    assert_eq!(text::asked(&slot), expected);
}
