//! What is raised, what is over, and what is told of it.

use rstest::rstest;

use super::message::message;
use super::*;
use crate::config::Budget;
use crate::model::AlertKind;
use crate::store::budget::Spent;
use crate::store::pauses::Pause;
use crate::store::troubled::Troubled;

/// 2026-02-02 07:00:00 UTC.
const NOW: i64 = 1_770_015_600;

fn facts() -> Facts {
    Facts {
        now: NOW,
        health: Health {
            host: "here".to_owned(),
            watchlist: Some(Vec::new()),
            no_room: None,
        },
        key_fingerprint: "ours".to_owned(),
        pauses: Vec::new(),
        alone: false,
        budget: Budget {
            credits_per_request: 2,
            daily_credits: 100,
            monthly_credits: 1_000,
        },
        spent: Spent::default(),
        after_slots: 3,
        troubled: Some(Vec::new()),
    }
}

fn pause(key: &str, reason: &str, until: i64) -> (String, Pause) {
    let pause = Pause {
        reason: reason.to_owned(),
        since: NOW,
        until,
        target_id: None,
    };
    (key.to_owned(), pause)
}

fn troubled(kind: AlertKind, targets: i64, grown_at: i64) -> Troubled {
    let named = targets.clamp(0, 5);
    Troubled {
        kind,
        targets,
        grown_at,
        names: (1..=named).map(|n| format!("{n} US 7")).collect(),
    }
}

/// The one condition of these facts as an alert that was raised for it.
fn raised(facts: &Facts) -> Alert {
    let conditions = facts.conditions();
    assert_eq!(conditions.len(), 1, "{conditions:?}");
    let Condition {
        kind,
        subject,
        message,
        targets,
        grown_at,
    } = conditions[0].clone();
    Alert {
        id: 1,
        kind,
        subject,
        message,
        targets,
        raised_at: NOW - 60,
        grown_at,
        recovered_at: None,
        told_at: None,
    }
}

fn kinds(facts: &Facts) -> Vec<&'static str> {
    let conditions = facts.conditions();
    conditions.iter().map(|c| c.kind.as_str()).collect()
}

#[test]
fn when_all_is_well_there_is_nothing_to_tell() {
    assert!(changes(&facts(), Vec::new()).is_empty());
}

#[test]
fn what_begins_is_raised_once_and_recovers_when_it_is_over() {
    let mut paused = facts();
    paused.pauses = vec![pause("ours", "unauthorized", NOW + 3_600)];
    let begun = changes(&paused, Vec::new());
    assert!(
        matches!(&begun[..], [Change::Raise(c)] if c.kind == AlertKind::KeyRefused),
        "{begun:?}"
    );
    let alert = raised(&paused);
    assert!(changes(&paused, vec![alert.clone()]).is_empty());
    assert_eq!(changes(&facts(), vec![alert.clone()]), [Change::Recover(alert)]);
}

#[rstest]
#[case("unauthorized", "key_refused")]
#[case("forbidden", "key_refused")]
#[case("rate_limited", "key_refused")]
#[case("out_of_credits", "out_of_credits")]
fn a_paused_key_is_told_with_what_to_do(#[case] reason: &str, #[case] kind: &str) {
    let mut facts = facts();
    facts.pauses = vec![pause("ours", reason, NOW + 3_600)];
    assert_eq!(kinds(&facts), [kind]);
    let alert = raised(&facts);
    assert_eq!(alert.subject, "ours");
    assert!(
        alert.message.contains("2026-02-02T08:00:00Z"),
        "{}",
        alert.message
    );
    assert!(
        alert.message.contains(crate::collect::advice(reason)),
        "{}",
        alert.message
    );
}

#[test]
fn a_key_of_another_worker_is_for_that_one_to_judge() {
    let mut paused = facts();
    paused.key_fingerprint = "theirs".to_owned();
    paused.pauses = vec![pause("theirs", "unauthorized", NOW + 3_600)];
    let theirs = raised(&paused);
    let ours = Facts {
        key_fingerprint: "ours".to_owned(),
        ..paused.clone()
    };
    assert!(changes(&ours, Vec::new()).is_empty());
    assert!(changes(&ours, vec![theirs.clone()]).is_empty());
    let alone = Facts {
        alone: true,
        ..ours.clone()
    };
    assert_eq!(
        changes(&alone, vec![theirs.clone()]),
        [Change::Recover(theirs.clone())]
    );
    let long_ago = Facts {
        pauses: vec![pause("theirs", "unauthorized", NOW - 3 * DAY)],
        ..ours
    };
    assert_eq!(
        changes(&long_ago, vec![theirs.clone()]),
        [Change::Recover(theirs)]
    );
}

#[rstest]
#[case(79, 0, &[])]
#[case(80, 0, &["budget_80"])]
#[case(98, 0, &["budget_80"])]
#[case(99, 0, &["budget_80", "budget_100"])]
#[case(100, 0, &["budget_80", "budget_100"])]
#[case(0, 800, &["budget_80"])]
#[case(80, 1_000, &["budget_80", "budget_80", "budget_100"])]
fn the_budget_is_told_at_80_percent_and_when_it_pays_for_no_request(
    #[case] day: i64,
    #[case] month: i64,
    #[case] expected: &[&str],
) {
    let facts = Facts {
        spent: Spent { day, month },
        ..facts()
    };
    assert_eq!(kinds(&facts), expected);
}

#[test]
fn a_budget_of_nothing_is_meant() {
    let mut facts = facts();
    facts.budget.daily_credits = 0;
    assert!(facts.conditions().is_empty());
}

#[test]
fn the_next_day_is_another_budget() {
    let spent = Facts {
        spent: Spent { day: 85, month: 85 },
        ..facts()
    };
    let alert = raised(&spent);
    assert_eq!(alert.subject, "2026-02-02");
    let tomorrow = Facts {
        now: NOW + DAY,
        ..spent
    };
    let changes = changes(&tomorrow, vec![alert.clone()]);
    assert!(
        matches!(&changes[..], [Change::Recover(a), Change::Raise(c)]
        if *a == alert && c.subject == "2026-02-03"),
        "{changes:?}"
    );
}

#[test]
fn many_targets_are_one_alert_that_names_a_few() {
    let mut facts = facts();
    facts.troubled = Some(vec![troubled(AlertKind::NoData, 100_000, NOW)]);
    let alert = raised(&facts);
    assert_eq!(alert.targets, Some(100_000));
    let expected = "100000 targets have brought nothing for 3 slots in a row, and had no data the last time: \
                    1 US 7, 2 US 7, 3 US 7, 4 US 7, 5 US 7 and 99995 more. \
                    Take them off the watchlist if it stays so: each slot costs credits.";
    assert_eq!(alert.message, expected);
    facts.troubled = Some(vec![troubled(AlertKind::Failing, 1, NOW)]);
    let one = "1 target has brought nothing for 3 slots in a row, and failed the last time: 1 US 7. `soundwatch why CLIP_ID` tells why.";
    assert_eq!(raised(&facts).message, one);
}

#[test]
fn an_alert_grows_with_its_targets_and_shrinks_in_silence() {
    let mut facts = facts();
    facts.troubled = Some(vec![troubled(AlertKind::Failing, 2, NOW)]);
    let alert = raised(&facts);
    facts.troubled = Some(vec![troubled(AlertKind::Failing, 3, NOW + 60)]);
    let grown = changes(&facts, vec![alert.clone()]);
    assert!(
        matches!(&grown[..], [Change::Update(a, c)] if a.grown_at < c.grown_at),
        "{grown:?}"
    );
    facts.troubled = Some(vec![troubled(AlertKind::Failing, 1, 0)]);
    let less = changes(&facts, vec![alert.clone()]);
    assert!(
        matches!(&less[..], [Change::Update(a, c)] if a.grown_at > c.grown_at),
        "{less:?}"
    );
    facts.troubled = None;
    assert!(changes(&facts, vec![alert]).is_empty(), "nobody has looked");
}

#[test]
fn a_broken_watchlist_is_told_with_its_first_problems() {
    let mut broken = facts();
    let problems: Vec<String> = (1..=5)
        .map(|n| format!("w.toml:{n}:1: wrong\n  help: mend it"))
        .collect();
    broken.health.watchlist = Some(problems);
    let alert = raised(&broken);
    let told = message(&alert, News::Raised);
    assert!(
        told.contains("w.toml:3:1: wrong help: mend it; and 2 more. `soundwatch check`"),
        "{told}"
    );
    assert!(!told.contains("w.toml:4"), "{told}");
    let mut elsewhere = facts();
    elsewhere.health.watchlist = None;
    assert!(
        changes(&elsewhere, vec![alert]).is_empty(),
        "another worker owns it"
    );
}

#[test]
fn no_room_on_another_machine_is_for_that_one_to_judge() {
    let mut full = facts();
    full.health.no_room = Some("No space left on device".to_owned());
    let alert = raised(&full);
    assert_eq!(alert.subject, "here");
    let mut there = facts();
    there.health.host = "there".to_owned();
    assert!(changes(&there, vec![alert.clone()]).is_empty());
    there.alone = true;
    assert_eq!(changes(&there, vec![alert.clone()]), [Change::Recover(alert)]);
}

#[rstest]
#[case::at_once(News::Raised, None, None, true)]
#[case::an_hour_after_the_last(News::Raised, Some(3_600), None, true)]
#[case::within_the_hour(News::Raised, Some(3_599), None, false)]
#[case::growth_within_the_hour(News::Grown, Some(3_599), None, false)]
#[case::growth(News::Grown, Some(3_600), None, true)]
#[case::that_it_is_over(News::Recovered, Some(1), None, true)]
#[case::another_worker_does(News::Raised, None, Some(TELLING_TAKES - 1), false)]
#[case::another_worker_has_failed(News::Raised, None, Some(TELLING_TAKES), true)]
fn the_same_is_told_once_an_hour_at_most(
    #[case] news: News,
    #[case] told_before: Option<i64>,
    #[case] begun_before: Option<i64>,
    #[case] due: bool,
) {
    let untold = untold(news, told_before, begun_before);
    assert_eq!(is_due(&untold, NOW), due);
}

fn untold(news: News, told_before: Option<i64>, begun_before: Option<i64>) -> Untold {
    let mut facts = facts();
    facts.pauses = vec![pause("ours", "unauthorized", NOW)];
    let mut alert = raised(&facts);
    alert.recovered_at = (news == News::Recovered).then_some(NOW);
    Untold {
        alert,
        news,
        last_told_at: told_before.map(|seconds| NOW - seconds),
        telling_at: begun_before.map(|seconds| NOW - seconds),
    }
}

#[test]
fn what_has_been_over_for_a_day_is_no_news() {
    let untold = untold(News::Recovered, None, None);
    assert!(is_due(&untold, NOW + DAY - 1));
    assert!(!is_due(&untold, NOW + DAY));
}

#[test]
fn a_title_can_call_nobody_in_a_chat() {
    let mut facts = facts();
    let title = "<!channel> @channel A&B </a>\n\u{1b}[2J*x* (1 US 7)".to_owned();
    facts.troubled = Some(vec![Troubled {
        names: vec![title],
        ..troubled(AlertKind::Stale, 1, NOW)
    }]);
    let text = slack(&raised(&facts), News::Raised, "here");
    let text = serde_json::to_value(text).unwrap()["text"]
        .as_str()
        .unwrap()
        .to_owned();
    let escaped = "&lt;!channel&gt; @\u{200b}channel A&amp;B &lt;/a&gt; \u{fffd}[2J*x* (1 US 7)";
    assert!(text.contains(escaped), "{text}");
    assert!(
        text.starts_with("soundwatch on here: 1 target has given"),
        "{text}"
    );
}

#[test]
fn a_document_says_what_happened_since_when_and_what_to_do() {
    let mut alert = untold(News::Raised, None, None).alert;
    let raised = serde_json::to_value(document(&alert, News::Raised, "here")).unwrap();
    let expected = serde_json::json!({
        "event": "raised",
        "kind": "key_refused",
        "subject": "ours",
        "message": alert.message,
        "targets": null,
        "since": "2026-02-02T06:59:00Z",
        "recovered_at": null,
        "host": "here",
    });
    assert_eq!(raised, expected);
    alert.recovered_at = Some(NOW);
    let over = serde_json::to_value(document(&alert, News::Recovered, "here")).unwrap();
    assert_eq!(over["recovered_at"], "2026-02-02T07:00:00Z");
    assert_eq!(
        over["message"],
        "Recovered: the API takes the key again, or another one is in use. It began at 2026-02-02T06:59:00Z."
    );
}

#[test]
fn every_kind_has_its_word_and_its_end() {
    for kind in AlertKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        assert!(super::message::over(kind).starts_with("Recovered: "));
    }
}
