//! What a person may write into the watchlist, and what is said about it.

use std::fmt::Write;

use proptest::prelude::*;
use rstest::rstest;

use super::*;

const CLIP: &str = "6703723351497508865";

fn parsed(text: &str) -> Result<Watchlist, Problems> {
    parse(Path::new("watchlist.toml"), text)
}

/// Each target as "clip region period schedule zone".
fn targets(text: &str) -> Vec<String> {
    let list = parsed(text).unwrap();
    let line = |t: &TargetSpec| {
        format!(
            "{} {} {} {} {}",
            t.clip_id, t.region, t.period, t.schedule, t.time_zone
        )
    };
    list.targets.iter().map(line).collect()
}

fn problems(text: &str) -> Vec<String> {
    let problems = parsed(text).expect_err("this watchlist is wrong");
    problems.0.iter().map(ToString::to_string).collect()
}

fn warnings(text: &str) -> Vec<String> {
    let warnings = parsed(text).unwrap().warnings;
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_is_a_watchlist_without_warnings() {
    assert_eq!(
        targets(EXAMPLE),
        [
            "6703723351497508865 US 7 15 6 * * * UTC",
            "6703723351497508865 LV 7 15 6 * * * UTC",
            "7326640926458743557 US auto 15 6 * * * UTC",
        ]
    );
    let list = parsed(EXAMPLE).unwrap();
    assert_eq!(list.warnings, []);
    assert_eq!(list.targets[0].tags, ["ambient"]);
    assert_eq!(list.targets[0].note.as_deref(), Some("New Sun"));
    assert_eq!(list.targets[2].note, None);
}

#[test]
fn without_defaults_a_sound_is_asked_for_daily_in_the_us() {
    let text = format!("[[sounds]]\nclip = {CLIP}\n");
    assert_eq!(targets(&text), [format!("{CLIP} US 7 15 6 * * * UTC")]);
}

#[test]
fn a_sound_takes_from_the_defaults_what_it_does_not_say() {
    let text = format!(
        "[defaults]\nregions = [\"lv\", \"gb\"]\nperiod = [7, 120]\ntime_zone = \"Europe/Riga\"\n\
         [[sounds]]\nclip = \"{CLIP}\"\nregions = [\"de\"]\n\
         [[sounds]]\nclip = \"7326640926458743557\"\nperiod = \"30\"\nschedule = \"@weekly\"\n"
    );
    assert_eq!(
        targets(&text),
        [
            "6703723351497508865 DE 7 15 6 * * * Europe/Riga",
            "6703723351497508865 DE 120 15 6 * * * Europe/Riga",
            "7326640926458743557 LV 30 @weekly Europe/Riga",
            "7326640926458743557 GB 30 @weekly Europe/Riga",
        ]
    );
}

#[rstest]
#[case("6703723351497508865")]
#[case(" 6703723351497508865 ")]
#[case("https://www.tiktok.com/music/New-Sun-6703723351497508865")]
#[case("http://m.tiktok.com/music/New-Sun-6703723351497508865/")]
#[case("https://tiktok.com/music/6703723351497508865")]
#[case("www.tiktok.com/music/x-6703723351497508865?lang=en&_r=1#top")]
#[case("https://www.tiktok.com/music/%E3%82%AA%E3%83%AA-6703723351497508865?is_copy_url=1")]
#[case("https://www.tiktok.com/music/オリジナル楽曲-6703723351497508865")]
#[case("https://www.tiktok.com/music/a%2D6703723351497508865")]
#[case("https://WWW.TIKTOK.COM/music/a b (c)-6703723351497508865")]
fn a_sound_is_named_by_its_id_or_by_its_link(#[case] text: &str) {
    assert_eq!(clip_id(text).map(|id| id.to_string()), Ok(CLIP.to_owned()));
}

#[rstest]
#[case::short("https://vm.tiktok.com/ZMabcdef/", "copy the long link")]
#[case::short_too("https://vt.tiktok.com/ZSabcdef", "copy the long link")]
#[case::short_again("https://www.tiktok.com/t/ZTabcdef/", "copy the long link")]
#[case::a_video(
    "https://www.tiktok.com/@someone/video/7326640926458743557",
    "not a link to a sound"
)]
#[case::elsewhere(
    "https://tiktok.com.example.com/music/x-7326640926458743557",
    "not a link to a sound"
)]
#[case::no_digits("https://www.tiktok.com/music/original-sound", "does not end in a clip ID")]
#[case::few_digits("12345", "has 5 digits; a clip ID has 15 to 20")]
#[case::many_digits("123456789012345678901", "has 21 digits")]
#[case::a_name("New Sun", "neither a clip ID nor a link")]
#[case::nothing("", "neither a clip ID nor a link")]
#[case::other_digits("٦٧٠٣٧٢٣٣٥١٤٩٧٥٠٨٨٦٥", "neither a clip ID nor a link")]
fn a_wrong_clip_says_why_and_what_to_do(#[case] text: &str, #[case] says: &str) {
    let (message, help) = clip_id(text).unwrap_err();
    assert!(format!("{message}\n{help}").contains(says), "{message}\n{help}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file() {
    let text = r#"[default]
regions = ["US"]

[[sounds]]
clip = "6703723351497508865"
regions = ["USA", 7]
period = 14
schedule = "15 25 * * *"
time_zone = "Europe/Rigga"
tag = ["x"]

[[sounds]]
note = 5
"#;
    let expected = [
        "watchlist.toml:1:2: default: there is no such key\n  help: did you mean defaults?",
        "watchlist.toml:6:12: \"USA\" is not a region\n  help: write its code of two letters, such as \"US\"",
        "watchlist.toml:6:19: a region is a whole number\n  help: write its code in quotes, such as \"US\"",
        "watchlist.toml:7:10: \"14\" is not a period\n  help: write 7, 30, 120, \"auto\", or a list such as [7, 120]",
        "watchlist.toml:8:12: \"15 25 * * *\" is not a schedule: the hour is \"25\": ",
        "watchlist.toml:9:13: \"Europe/Rigga\" is not a time zone\n  help: did you mean \"Europe/Riga\"?",
        "watchlist.toml:10:1: tag: there is no such key\n  help: did you mean tags?",
        "watchlist.toml:12:1: this sound has no clip\n  help: write its ID: clip = \"6703723351497508865\"",
        "watchlist.toml:13:8: note is a whole number\n  help: write a text in quotes",
    ];
    let found = problems(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
}

#[test]
fn the_same_target_twice_names_the_line_of_the_first() {
    let text = format!(
        "[[sounds]]\nclip = \"{CLIP}\"\nregions = [\"US\", \"LV\"]\n\n\
         [[sounds]]\nclip = \"https://www.tiktok.com/music/x-{CLIP}\"\nregions = [\"lv\", \"DE\"]\n"
    );
    let expected = format!(
        "watchlist.toml:6:8: {CLIP} in LV with period 7 is asked for twice\n  \
         help: line 2 asks for it already: take one of them out"
    );
    assert_eq!(problems(&text), [expected]);
    let text = format!("[[sounds]]\nclip = \"{CLIP}\"\nregions = [\"US\", \"us\"]\n");
    assert!(problems(&text)[0].contains("name each region and each period once"));
}

#[test]
fn a_fixed_period_and_auto_are_two_targets() {
    let text = format!("[[sounds]]\nclip = \"{CLIP}\"\nperiod = [7, \"auto\"]\n");
    assert_eq!(targets(&text).len(), 2);
}

#[rstest]
#[case::empty("", "watchlist.toml:1:1: there are no sounds at all")]
#[case::an_empty_list("sounds = []\n", "watchlist.toml:1:1: there are no sounds at all")]
#[case::one_bracket(
    "[sounds]\nclip = \"6703723351497508865\"\n",
    "write [[sounds]], with two brackets"
)]
#[case::not_toml(
    "[[sounds]]\nclip = https://www.tiktok.com/music/x-1\n",
    "watchlist.toml:2:8: not valid TOML"
)]
#[case::beyond_64_bits(
    "[[sounds]]\nclip = 9703723351497508865\n",
    "put it in quotes: clip = \"9703723351497508865\""
)]
#[case::a_float("[[sounds]]\nclip = 6.7e18\n", "clip is a number")]
#[case::a_text_for_a_list(
    "[[sounds]]\nclip = \"6703723351497508865\"\nregions = \"US\"\n",
    "[\"US\", \"LV\"]"
)]
#[case::no_region(
    "[[sounds]]\nclip = \"6703723351497508865\"\nregions = []\n",
    "watchlist.toml:3:11: regions is empty"
)]
#[case::no_period(
    "[[sounds]]\nclip = \"6703723351497508865\"\nperiod = []\n",
    "period is an empty list"
)]
#[case::never(
    "[[sounds]]\nclip = \"6703723351497508865\"\nschedule = \"0 6 31 2 *\"\n",
    "never comes"
)]
#[case::in_defaults(
    "[defaults]\nschedule = \"x\"\n[[sounds]]\nclip = \"6703723351497508865\"\n",
    "watchlist.toml:2:12:"
)]
fn a_wrong_list_is_one_problem_that_says_what_to_do(#[case] text: &str, #[case] says: &str) {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains(says), "{}", found[0]);
}

#[test]
fn an_unknown_region_is_doubted_once_and_never_refused() {
    let sounds = format!(
        "[[sounds]]\nclip = \"{CLIP}\"\nregions = [\"UK\", \"XX\"]\n\
         [[sounds]]\nclip = \"7326640926458743557\"\nregions = [\"UK\"]\n"
    );
    assert_eq!(targets(&sounds).len(), 3);
    assert_eq!(
        warnings(&sounds),
        [
            "watchlist.toml:3:12: \"UK\" is not one of the 71 known regions\n  help: did you mean \"GB\"?",
            "watchlist.toml:3:18: \"XX\" is not one of the 71 known regions\n  \
             help: check that the API serves it, or requests may be wasted",
        ]
    );
}

#[test]
fn every_known_region_is_known() {
    let doubted = REGIONS
        .iter()
        .filter(|code| region_doubt(code.parse().unwrap()).is_some());
    assert_eq!(doubted.count(), 0);
}

#[test]
fn a_schedule_of_more_than_once_a_day_is_a_warning() {
    let text = format!("[[sounds]]\nclip = \"{CLIP}\"\nschedule = \"@hourly\"\n");
    let found = warnings(&text);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("watchlist.toml:3:12: \"@hourly\" asks more than once a day"));
}

#[test]
fn many_sounds_are_read_with_the_line_of_a_repetition() {
    let mut text = String::new();
    for i in 0..20_000_u64 {
        writeln!(
            text,
            "[[sounds]]\nclip = \"{}\"\nschedule = \"{} 6 * * *\"",
            6_000_000_000_000_000_000 + i,
            i % 60
        )
        .unwrap();
    }
    assert_eq!(parsed(&text).unwrap().targets.len(), 20_000);
    text.push_str("[[sounds]]\nclip = \"6000000000000010000\"\n");
    let found = problems(&text);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("watchlist.toml:60002:8:"), "{}", found[0]);
    assert!(
        found[0].contains("line 30002 asks for it already"),
        "{}",
        found[0]
    );
}

#[test]
fn a_missing_file_says_what_to_do() {
    let error = read(Path::new("/nowhere/watchlist.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nowhere/watchlist.toml: there is no such file"),
        "{error}"
    );
    assert!(error.contains("watchlist.toml.example"), "{error}");
}

proptest! {
    #[test]
    fn no_text_is_read_otherwise_than_as_a_list_or_as_problems(text in "(\\[\\[sounds\\]\\]\n)?.{0,60}", clip in ".{0,60}") {
        let _ = parsed(&text);
        let _ = clip_id(&clip);
        let _ = clip_id(&format!("https://www.tiktok.com/{clip}"));
    }

    #[test]
    fn any_slug_leads_to_the_clip(slug in "[^/?#\\\\\\p{C}]{0,20}") {
        let link = format!("https://www.tiktok.com/music/{slug}-{CLIP}");
        prop_assert_eq!(clip_id(&link).map(|id| id.to_string()), Ok(CLIP.to_owned()));
    }
}

#[test]
fn a_watchlist_of_several_pieces_reads_like_one() {
    let sound = |i: usize| format!("[[sounds]]\nclip = \"{}\"\n", 6_700_000_000_000_000_000 + i);
    let mut text = "[defaults]\nregions = [\"LV\"]\n".to_owned();
    text.extend((0..4_500).map(sound));
    let targets = parse(Path::new("w.toml"), &text).unwrap().targets;
    assert_eq!(targets.len(), 4_500);
    assert!(targets.iter().all(|target| target.region.as_str() == "LV"));
    text.push_str("regions = [\"Latvia\"]\n");
    text.push_str(&sound(3));
    let told = parse(Path::new("w.toml"), &text).unwrap_err().to_string();
    assert!(told.contains("w.toml:9003:"), "{told}");
    assert!(told.contains("line 10 asks for it already"), "{told}");
}

#[test]
fn defaults_count_also_at_the_end_of_a_long_watchlist() {
    let sound = |i: usize| format!("[[sounds]]\nclip = \"{}\"\n", 6_700_000_000_000_000_000 + i);
    let mut text: String = (0..4_500).map(sound).collect();
    text.push_str("[defaults]\nregions = [\"LV\"]\n");
    let targets = parse(Path::new("w.toml"), &text).unwrap().targets;
    assert!(targets.iter().all(|target| target.region.as_str() == "LV"));
}

#[test]
fn a_broken_line_far_down_is_told_with_its_place() {
    let sound = |i: usize| format!("[[sounds]]\nclip = \"{}\"\n", 6_700_000_000_000_000_000 + i);
    let mut text: String = (0..4_500).map(sound).collect();
    text.push_str("[[sounds]]\nclip = \n");
    let told = parse(Path::new("w.toml"), &text).unwrap_err().to_string();
    assert!(told.starts_with("w.toml:9002:"), "{told}");
}
