//! `soundwatch watch` as a person uses it: the file is edited and stays whose it is, whatever is wrong
//! is told and changes nothing, and no edit is lost beside another.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use common::program::{Place, simulator, until};
use rustix::process::Signal;
use serde_json::json;

const A: &str = "6703723351497508865";
const B: &str = "7326640926458743557";

/// A list of one sound.
fn watchlist() -> String {
    format!("# what I watch\n[[sounds]]\nclip = \"{A}\" # the first\n\n# the end\n")
}

fn place() -> Place {
    let place = Place::empty();
    place.write("watchlist.toml", &watchlist());
    place
}

#[test]
fn sounds_are_added_and_removed_with_what_it_changes_in_credits() {
    let place = place();
    let added = place
        .run(&format!(
            "watch add {B} https://www.tiktok.com/music/x-{A} --region us,LV --period 7 --tag new"
        ))
        .expect_code(0);
    assert!(
        added.stdout.contains(&format!("added  {B}  US 7, LV 7")),
        "{added}"
    );
    assert!(
        added
            .stdout
            .contains("4 targets, about 8 credits a day; before 1 target, about 2 credits a day (+6 a day, +180 in 30 days)"),
        "{added}"
    );
    let text = place.read("watchlist.toml");
    assert!(text.starts_with(watchlist().as_str()), "{text}");

    let again = place.json(&format!("watch add {B}"));
    assert_eq!(
        (&again["changed"], &again["sounds"][0]["what"]),
        (&json!(false), &json!("already_watched"))
    );
    assert_eq!(place.read("watchlist.toml"), text);

    place.run(&format!("watch remove {B} --region LV")).expect_code(0);
    assert!(
        place.read("watchlist.toml").contains("regions = [\"us\"]")
            || place.read("watchlist.toml").contains("regions = [\"US\"]")
    );
    let removed = place.json(&format!("watch remove {B}"));
    assert_eq!(removed["sounds"][0]["targets"], json!([["US", "7"]]));
}

#[test]
fn a_dry_run_tells_and_leaves_the_file_alone() {
    let place = place();
    let tried = place.json(&format!("watch add {B} --dry-run"));
    assert_eq!(
        (&tried["changed"], &tried["targets_after"]),
        (&json!(false), &json!(2))
    );
    assert_eq!(place.read("watchlist.toml"), watchlist());
    assert_eq!(
        std::fs::read_dir(place.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn the_first_sound_makes_the_file() {
    let place = Place::empty();
    place.run("watch list").expect_code(2);
    place.run(&format!("watch add {A} --dry-run")).expect_code(0);
    assert!(!place.path().join("watchlist.toml").exists());
    place.run(&format!("watch add {A}")).expect_code(0);
    assert_eq!(
        place.read("watchlist.toml"),
        format!("[[sounds]]\nclip = \"{A}\"\n")
    );
}

#[test]
fn what_is_wrong_is_told_at_once_and_changes_nothing() {
    let place = place();
    let wrong = place
        .run("watch add 12 https://vm.tiktok.com/ZM1 --region USA --period 8 --schedule noon")
        .expect_code(2);
    for part in ["\"12\"", "short link", "\"USA\"", "\"8\"", "noon"] {
        assert!(wrong.stderr.contains(part), "{part} in {wrong}");
    }
    let last = place.run(&format!("watch remove {A}")).expect_code(2);
    assert!(last.stderr.contains("the last sound"), "{last}");
    let unknown = place.run(&format!("watch remove {A} {B}")).expect_code(2);
    assert!(
        unknown.stderr.contains(&format!("{B} is not watched")),
        "{unknown}"
    );
    assert_eq!(place.read("watchlist.toml"), watchlist());

    let broken = "[[sounds]]\nclip = 6703\nregion = \"US\"\n";
    place.write("watchlist.toml", broken);
    for command in [
        format!("watch add {B}"),
        format!("watch remove {A}"),
        "watch list".to_owned(),
    ] {
        let refused = place.run(&command).expect_code(2);
        assert!(refused.stderr.contains("watchlist.toml:2:8: "), "{refused}");
        assert!(refused.stderr.contains("watchlist.toml:3:1: region"), "{refused}");
    }
    assert_eq!(place.read("watchlist.toml"), broken);
}

#[test]
fn the_file_keeps_its_permissions_and_a_link_stays_one() {
    let place = Place::empty();
    std::fs::create_dir(place.path().join("kept")).unwrap();
    place.write("kept/mine.toml", &watchlist());
    let real = place.path().join("kept/mine.toml");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = std::fs::metadata(&real).unwrap();
    let link = place.path().join("watchlist.toml");
    symlink("kept/mine.toml", &link).unwrap();
    place.run(&format!("watch add {B}")).expect_code(0);
    assert!(link.is_symlink());
    assert!(place.read("kept/mine.toml").contains(B));
    let after = std::fs::metadata(&real).unwrap();
    assert_eq!(after.permissions().mode() & 0o777, 0o640);
    assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
    assert_ne!(after.ino(), before.ino(), "it was replaced at once");
    assert_eq!(std::fs::read_dir(place.path().join("kept")).unwrap().count(), 1);
}

#[test]
fn edits_at_the_same_time_are_all_kept() {
    let place = place();
    let clips: Vec<String> = (0..12).map(|n| format!("70000000000000000{n:02}")).collect();
    let running: Vec<_> = clips
        .iter()
        .map(|clip| place.start(&format!("watch add {clip}")))
        .collect();
    for edit in running {
        edit.end().expect_code(0);
    }
    let text = place.read("watchlist.toml");
    for clip in clips {
        assert_eq!(text.matches(&clip).count(), 1, "{clip} in\n{text}");
    }
}

#[test]
fn a_list_shows_what_each_sound_costs_and_when_it_comes() {
    let place = place();
    place
        .run(&format!(
            "watch add {B} --region US,LV --period 7,120 --schedule @weekly --tag mood --note beach"
        ))
        .expect_code(0);
    let listed = place.json("watch list");
    assert_eq!(
        (&listed["targets"], &listed["sounds"][1]["tags"]),
        (&json!(5), &json!(["mood"]))
    );
    assert_eq!(listed["sounds"][0]["credits_per_day"], json!(2.0));
    assert!(
        listed["sounds"][1]["next_slot"]
            .as_str()
            .unwrap()
            .ends_with("T00:00:00Z")
    );
    let shown = place.run("watch list").expect_code(0).stdout;
    for part in [
        "US, LV",
        "7, 120",
        "@weekly",
        "mood",
        "beach",
        "2 sounds, 5 targets",
    ] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
}

#[test]
fn an_export_is_imported_whole_or_not_at_all() {
    let place = place();
    let good = format!("Link;Region;Tags\nhttps://www.tiktok.com/music/x-{A};US;\n{B};LV DE;a, b\n{B};LV;\n");
    place.write("good.csv", &good);
    let imported = place.json("watch import good.csv");
    let what: Vec<&str> = imported["sounds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["what"].as_str().unwrap())
        .collect();
    assert_eq!(what, ["already_watched", "added", "already_watched"]);

    let before = place.read("watchlist.toml");
    place.write(
        "bad.csv",
        "clip,region\n7100000000000000001,US\n12,US\n7100000000000000002,Nowhere\n",
    );
    let refused = place.run("watch import bad.csv").expect_code(2);
    assert!(
        refused.stderr.contains("bad.csv:3:1: ") && refused.stderr.contains("bad.csv:4:1: "),
        "{refused}"
    );
    assert_eq!(place.read("watchlist.toml"), before);
    let part = place.run("watch import bad.csv --skip-bad").expect_code(3);
    assert!(part.stdout.contains("added  7100000000000000001"), "{part}");

    let piped = place.run_with_input("watch import - --tag piped", "# links\n7100000000000000003\n");
    piped.expect_code(0);
    let text = place.read("watchlist.toml");
    assert!(
        text.contains("clip = \"7100000000000000003\"\ntags = [\"piped\"]\n"),
        "{text}"
    );
}

#[test]
fn a_worker_without_a_watchlist_says_where_to_edit() {
    let place = Place::empty().with_setting("SOUNDWATCH__WATCHLIST__PATH", "");
    let refused = place.run(&format!("watch add {A}")).expect_code(2);
    assert!(
        refused.stderr.contains("another worker owns the watchlist"),
        "{refused}"
    );
}

/// Whether the database says that a sound is watched; `false` while there is none.
fn is_watched(place: &Place, clip: &str) -> bool {
    place.run(&format!("why {clip}")).code == 0
}

#[test]
fn a_running_daemon_takes_an_added_sound_up() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &watchlist());
    let daemon = place.start("run");
    until("the daemon watches the first", || is_watched(&place, A));
    place.run(&format!("watch add {B}")).expect_code(0);
    until("it watches the other too", || is_watched(&place, B));
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn the_first_sounds_of_a_chart_are_watched_and_the_chart_is_kept() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &watchlist());
    let found = place.json("watch discover --region LV --pages 2 --add top:3 --tag found");
    assert_eq!(
        (&found["outcome"], &found["credits"]),
        (&json!("stored"), &json!(4))
    );
    assert_eq!(found["sounds"].as_array().unwrap().len(), 40);
    assert_eq!(found["edit"]["sounds"].as_array().unwrap().len(), 3);
    let text = place.read("watchlist.toml");
    assert!(text.starts_with(&watchlist()));
    assert_eq!(
        text.matches("regions = [\"LV\"]\ntags = [\"found\"]\nnote = ")
            .count(),
        3,
        "{text}"
    );

    let fourth = found["sounds"][3]["clip_id"].as_str().unwrap();
    let kept = place.json(&format!("watch discover --region LV --kept --add {fourth},top:1"));
    assert_eq!(kept["edit"]["targets_after"], json!(5));
    assert_eq!(kept["sounds"][0]["watched"], json!(true));
    let shown = place
        .run("watch discover --region LV --kept")
        .expect_code(0)
        .stdout;
    assert!(
        shown.contains("rank") && shown.contains("█") && shown.contains("yes"),
        "{shown}"
    );
    let absent = place
        .run(&format!("watch discover --region LV --kept --add {A}"))
        .expect_code(3);
    assert!(absent.stdout.contains(&format!("not added: {A}")), "{absent}");
    assert!(place.run("status").stdout.contains('4'));
    place.run("db check").expect_code(0);
}

#[test]
fn beside_a_running_daemon_a_chart_is_handed_over() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &watchlist());
    let daemon = place.start("run");
    until("the daemon watches", || is_watched(&place, A));
    let found = place.run("watch discover --new-to-top-100 --json").expect_code(0);
    assert!(found.stderr.contains("handing over"), "{found}");
    assert_eq!(found.json()["outcome"], json!("stored"));
    let types = found.json()["sounds"].as_array().unwrap().clone();
    assert!(
        types.iter().all(|sound| sound["rank_diff_type"] == json!(4)),
        "{types:?}"
    );
    daemon.stop(Signal::TERM).expect_code(0);
}

#[test]
fn a_chart_that_can_not_be_asked_for_costs_nothing_and_says_why() {
    let simulator = simulator("");
    let place =
        Place::asking(&simulator, &watchlist()).with_setting("SOUNDWATCH__BUDGET__DAILY_CREDITS", "1");
    let wrong = place
        .run("watch discover --region USA --period 9 --add best")
        .expect_code(2);
    for part in ["\"USA\"", "\"9\"", "\"best\""] {
        assert!(wrong.stderr.contains(part), "{part} in {wrong}");
    }
    place.write("watchlist.toml", "oops");
    place.run("watch discover --add top:1").expect_code(2);
    assert!(!place.path().join("soundwatch.db").exists(), "nothing was begun");
    place.write("watchlist.toml", &watchlist());
    let over = place.run("watch discover --add top:1").expect_code(4);
    assert!(over.stdout.contains("skipped (budget)"), "{over}");
    assert_eq!(place.read("watchlist.toml"), watchlist());
}

#[test]
fn a_daemon_discovers_by_itself() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &watchlist())
        .with_setting("SOUNDWATCH__DISCOVER__REGIONS", "US, LV")
        .with_setting("SOUNDWATCH__DISCOVER__SCHEDULE", "@hourly")
        .with_setting("SOUNDWATCH__DISCOVER__ADD_TOP", "2");
    let daemon = place.start("run");
    until("the charts are followed", || {
        place.read("watchlist.toml").matches("discovered").count() >= 2
    });
    let listed = place.json("watch list");
    let found = listed["sounds"].as_array().unwrap().last().unwrap()["clip_id"].clone();
    until("what was found is watched", || {
        is_watched(&place, found.as_str().unwrap())
    });
    daemon.stop(Signal::TERM).expect_code(0);
    assert!(place.read("watchlist.toml").starts_with(&watchlist()));
}

#[test]
fn a_file_with_nothing_but_comments_and_defaults_takes_its_first_sound() {
    let place = Place::empty();
    let beginning = "# my sounds\n[defaults]\nregions = [\"LV\"]\n";
    place.write("watchlist.toml", beginning);
    place.run(&format!("watch add {A}")).expect_code(0);
    assert_eq!(
        place.read("watchlist.toml"),
        format!("{beginning}\n[[sounds]]\nclip = \"{A}\"\n")
    );
    let one = "[sounds]\nclip = \"6703723351497508865\"\n";
    place.write("watchlist.toml", one);
    let refused = place.run(&format!("watch add {B}")).expect_code(2);
    assert!(
        refused.stderr.contains("[sounds] holds only one sound"),
        "{refused}"
    );
    assert_eq!(place.read("watchlist.toml"), one);
}

#[test]
fn what_a_weekly_sound_costs_is_told_in_tenths() {
    let place = place();
    let added = place
        .run(&format!("watch add {B} --schedule @weekly"))
        .expect_code(0);
    assert!(added.stdout.contains("(+0.3 a day, "), "{added}");
}
