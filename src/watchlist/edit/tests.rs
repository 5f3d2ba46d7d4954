use std::path::Path;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::watchlist::{Watchlist, parse};

const A: &str = "6703723351497508865";
const B: &str = "7326640926458743557";
const C: &str = "7100000000000000007";

fn clip(text: &str) -> ClipId {
    text.parse().unwrap()
}

fn wish(text: &str, regions: &str, periods: &str) -> Wish {
    let common = Common {
        regions: regions.split_whitespace().map(|r| r.parse().unwrap()).collect(),
        periods: periods.split_whitespace().map(|p| p.parse().unwrap()).collect(),
        ..Common::default()
    };
    common.wish(clip(text))
}

fn edited(text: &str, edit: impl Fn(&mut Editor)) -> String {
    let mut editor = Editor::open(text).unwrap();
    edit(&mut editor);
    editor.finish().unwrap_or_else(|e| panic!("{e}"))
}

fn added(text: &str, wishes: &[Wish]) -> String {
    edited(text, |editor| {
        for wish in wishes {
            editor.add(wish);
        }
    })
}

fn read(text: &str) -> Watchlist {
    parse(Path::new("w.toml"), text).unwrap_or_else(|problems| panic!("{problems}\nin\n{text}"))
}

fn targets(text: &str) -> Vec<String> {
    let of = |t: &crate::model::TargetSpec| format!("{} {} {}", t.clip_id, t.region, t.period);
    let mut targets: Vec<String> = read(text).targets.iter().map(of).collect();
    targets.sort();
    targets
}

#[test]
fn a_new_sound_stands_behind_all_others_and_before_nothing_that_was_there() {
    let text = format!("# mine\n[[sounds]] # first\nclip = \"{A}\"   # the best\n\n# the end\n");
    let new = Wish {
        schedule: Some("@weekly".to_owned()),
        tags: vec!["a b".to_owned()],
        note: Some("say \"hi\"".to_owned()),
        ..wish(B, "US LV", "7 auto")
    };
    assert_eq!(
        added(&text, &[new]),
        format!(
            "{text}\n[[sounds]]\nclip = \"{B}\"\nregions = [\"US\", \"LV\"]\nperiod = [7, \"auto\"]\n\
             schedule = \"@weekly\"\ntags = [\"a b\"]\nnote = 'say \"hi\"'\n"
        )
    );
}

#[test]
fn a_new_sound_stands_before_defaults_that_come_last() {
    let text = format!("[[sounds]]\nclip = \"{A}\"\n\n# below\n[defaults]\nperiod = 30\n# end\n");
    let expected = format!(
        "[[sounds]]\nclip = \"{A}\"\n\n[[sounds]]\nclip = \"{B}\"\n\n# below\n[defaults]\nperiod = 30\n# end\n"
    );
    assert_eq!(added(&text, &[wish(B, "", "")]), expected);
}

#[rstest]
#[case::nothing("")]
#[case::comments("# what I watch\n")]
#[case::defaults("[defaults]\nregions = [\"LV\"] # home\n")]
fn the_first_sound_finds_its_place(#[case] text: &str) {
    let with = added(text, &[wish(A, "", "")]);
    assert!(with.starts_with(text), "{with}");
    assert_eq!(read(&with).targets.len(), 1);
}

#[test]
fn a_list_of_inline_tables_goes_on_as_it_is() {
    let text = format!("sounds = [\n  # one\n  {{ clip = \"{A}\" }}, # good\n]\n");
    let with = added(&text, &[wish(B, "LV", "")]);
    let expected = format!(
        "sounds = [\n  # one\n  {{ clip = \"{A}\" }},\n  {{ clip = \"{B}\", regions = [\"LV\"] }}, # good\n]\n"
    );
    assert_eq!(with, expected);
    let without = edited(&with, |editor| {
        editor.remove(&clip(A), &[], |_| true);
    });
    assert_eq!(targets(&without), [format!("{B} LV 7")]);
    assert!(
        without.contains("# one\n") && without.contains("# good\n"),
        "{without}"
    );
}

#[test]
fn missing_regions_go_into_the_entry_that_is_the_same_but_for_them() {
    let text =
        format!("[[sounds]]\nclip = \"{A}\"\nregions = [\n    \"US\", # home\n    \"lv\",\n] # both\n");
    let expected = format!(
        "[[sounds]]\nclip = \"{A}\"\nregions = [\n    \"US\", # home\n    \"lv\",\n    \"DE\",\n] # both\n"
    );
    assert_eq!(added(&text, &[wish(A, "US DE", "")]), expected);
}

#[test]
fn a_missing_period_makes_a_list_of_the_one_that_is_there() {
    let text = format!("[[sounds]]\nclip = \"{A}\"\nperiod = 7 # a week\n");
    let expected = format!("[[sounds]]\nclip = \"{A}\"\nperiod = [7, 120] # a week\n");
    assert_eq!(added(&text, &[wish(A, "", "120")]), expected);
}

#[test]
fn regions_that_came_from_the_defaults_are_written_out_with_the_new_ones() {
    let text = format!(
        "[defaults]\nregions = [\"US\", \"LV\"]\n[[sounds]]\nclip = \"{A}\"\n[[sounds]]\nclip = \"{B}\"\n"
    );
    let with = added(&text, &[wish(A, "DE", "")]);
    assert!(
        with.contains(&format!("clip = \"{A}\"\nregions = [\"US\", \"LV\", \"DE\"]\n")),
        "{with}"
    );
    let without = edited(&with, |editor| {
        editor.remove(&clip(B), &["US".parse().unwrap()], |_| true);
    });
    assert!(
        without.contains(&format!("clip = \"{B}\"\nregions = [\"LV\"]\n")),
        "{without}"
    );
}

#[test]
fn nothing_is_asked_for_that_nobody_wished() {
    let text = format!("[[sounds]]\nclip = \"{A}\"\nregions = [\"US\"]\nperiod = 7\n");
    // Into the entry it would also be LV with 7 and US with 120.
    let with = added(&text, &[wish(A, "LV", "120")]);
    assert_eq!(targets(&with), [format!("{A} LV 120"), format!("{A} US 7")]);
    let other_schedule = Wish {
        schedule: Some("@weekly".to_owned()),
        ..wish(A, "DE", "")
    };
    let with = added(&text, &[other_schedule]);
    let schedules: Vec<String> = read(&with).targets.iter().map(|t| t.schedule.clone()).collect();
    assert_eq!(schedules, ["15 6 * * *", "@weekly"]);
}

#[test]
fn what_is_watched_already_stays_to_the_byte() {
    let text = format!("# x\n[[sounds]]\nclip = 'https://www.tiktok.com/music/x-{A}'\nregions=['us']\n");
    let mut editor = Editor::open(&text).unwrap();
    let change = editor.add(&wish(A, "US", "7"));
    assert_eq!(change.what, What::AlreadyWatched);
    assert_eq!(editor.add(&wish(A, "", "")).what, What::AlreadyWatched);
    assert_eq!(editor.finish().unwrap(), text);
}

#[test]
fn comments_before_a_sound_stay_when_it_goes() {
    let text = format!(
        "# file\n\n# first\n[[sounds]]\nclip = \"{A}\"\n\n# second\n[[sounds]]\nclip = \"{B}\"\n\n# last\n[[sounds]]\nclip = \"{C}\"\n# end\n"
    );
    for gone in [A, B, C] {
        let without = edited(&text, |editor| {
            editor.remove(&clip(gone), &[], |_| true);
        });
        for comment in ["# file\n", "# first\n", "# second\n", "# last\n", "# end\n"] {
            assert!(without.contains(comment), "{comment} without {gone}:\n{without}");
        }
        assert_eq!(read(&without).targets.len(), 2);
    }
}

#[test]
fn the_last_sound_stays() {
    let mut editor = Editor::open(&format!("[[sounds]]\nclip = \"{A}\"\n")).unwrap();
    editor.remove(&clip(A), &[], |_| true);
    let refused = editor.finish().unwrap_err().to_string();
    assert!(refused.contains("the last sound"), "{refused}");
}

#[test]
fn a_file_of_another_system_keeps_its_ends_of_line() {
    let text = format!("\u{feff}# x\r\n[[sounds]]\r\nclip = \"{A}\"\r\n");
    let with = added(&text, &[wish(B, "", "")]);
    assert_eq!(with, format!("{text}\r\n[[sounds]]\r\nclip = \"{B}\"\r\n"));
}

/// A watchlist as people write them, with comments everywhere; each comment is a different one.
fn some_text() -> impl Strategy<Value = String> {
    let sound = (
        prop::collection::vec(0..3_usize, 6),
        prop::sample::select(vec![
            "",
            "regions = [\"US\", \"LV\"]",
            "regions = [\n \"US\", #~\n \"DE\" #~\n]",
        ]),
        prop::sample::select(vec!["", "period = 30", "period = [7, 120]", "tags = ['x']"]),
    );
    let defaults = prop::sample::select(vec!["", "[defaults]\nregions = [\"LV\"] #~\n"]);
    let sounds = prop::collection::vec(sound, 1..5);
    (sounds, defaults, any::<bool>(), any::<bool>()).prop_map(|(sounds, defaults, last, inline)| {
        let mut text = String::new();
        if inline {
            text += "#~\nsounds = [ #~\n";
            for (n, (spaces, regions, period)) in sounds.iter().enumerate() {
                let regions = regions.replace("#~\n", "").replace('\n', "");
                let more: Vec<&str> = [regions.as_str(), period]
                    .into_iter()
                    .filter(|t| !t.is_empty())
                    .collect();
                let clip = 7_000_000_000_000_000_000_u64 + n as u64;
                let more: String = more.iter().map(|field| format!(", {field}")).collect();
                text += &format!("{}{{ clip = \"{clip}\"{more} }}, #~\n", " ".repeat(spaces[0]));
            }
            text += "#~\n]\n";
            text += defaults;
        } else {
            text += if last { "" } else { defaults };
            for (n, (lines, regions, period)) in sounds.iter().enumerate() {
                let clip = 7_000_000_000_000_000_000_u64 + n as u64;
                let between = ["", "\n", "#~\n"];
                text += between[lines[0]];
                text += between[lines[1]];
                text += &format!("[[sounds]]{}\n", ["", " #~", "  "][lines[2]]);
                text += between[lines[3]];
                text += &format!("clip = \"{clip}\"\n{}{regions}\n{period}\n", between[lines[4]]);
            }
            text += if last { defaults } else { "#~\n" };
        }
        let mut parts = text.split("#~");
        let first = parts.next().unwrap().to_owned();
        let numbered = parts.enumerate().map(|(n, part)| format!("# comment {n}.{part}"));
        std::iter::once(first).chain(numbered).collect()
    })
}

fn comments(text: &str) -> Vec<String> {
    let of = |line: &str| line.split_once("# comment").map(|(_, rest)| rest.to_owned());
    let mut comments: Vec<String> = text.lines().filter_map(of).collect();
    comments.sort();
    comments
}

proptest! {
    #[test]
    fn added_and_removed_the_text_means_the_same_and_keeps_its_comments(text in some_text()) {
        let before = read(&text);
        let with = added(&text, &[wish(A, "GB FR", "30"), wish(B, "", "")]);
        prop_assert_eq!(comments(&with), comments(&text));
        let both: Vec<_> = read(&with).targets;
        prop_assert_eq!(&both[..before.targets.len()], &before.targets[..]);
        let after = edited(&with, |editor| {
            editor.remove(&clip(A), &[], |_| true);
            editor.remove(&clip(B), &[], |_| true);
        });
        prop_assert_eq!(read(&after), before);
        prop_assert_eq!(comments(&after), comments(&text));
        if !text.contains("sounds = [") {
            prop_assert_eq!(after.trim_end(), text.trim_end());
        }
    }

    #[test]
    fn more_and_fewer_regions_leave_all_else_as_it_was(text in some_text(), which in 0..4_u64) {
        let before = read(&text);
        let sound = format!("{}", 7_000_000_000_000_000_000 + which);
        let with = added(&text, &[wish(&sound, "JP", "")]);
        let japan = before.targets.iter().map(|t| t.clip_id.as_str()).any(|c| c == sound);
        prop_assert!(read(&with).targets.len() > before.targets.len());
        prop_assert_eq!(comments(&with), comments(&text));
        let after = edited(&with, |editor| {
            editor.remove(&clip(&sound), &["JP".parse().unwrap()], |_| true);
        });
        prop_assert_eq!(targets(&after), targets(&text), "{} {}", japan, with);
        prop_assert_eq!(comments(&after), comments(&text));
    }

    #[test]
    fn a_sound_that_goes_takes_no_comment_of_others_along(text in some_text(), which in 0..4_u64) {
        let sound = format!("{}", 7_000_000_000_000_000_000 + which);
        let mut editor = Editor::open(&text).unwrap();
        editor.remove(&clip(&sound), &[], |_| true);
        let Ok(after) = editor.finish() else { return Ok(()) };
        let kept = comments(&after);
        let inside = comments(&text).len() - kept.len();
        prop_assert!(inside <= 5, "only those within its own table go: {after}");
        prop_assert!(!targets(&after).iter().any(|target| target.starts_with(&sound)));
    }
}
