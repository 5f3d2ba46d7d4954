//! `status`: one screen that says what is wrong and what to do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::program::{Ended, Place, simulator, until};
use rstest::rstest;
use rustix::process::Signal;
use unicode_width::UnicodeWidthStr;

fn watchlist(sounds: usize) -> String {
    let sound = |n: usize| format!("[[sounds]]\nclip = \"70000000000000000{n:02}\"\n");
    let sounds: String = (0..sounds).map(sound).collect();
    format!(
        "[defaults]\nschedule = \"@yearly\"\nregions = [\"US\", \"LV\"]\nperiod = [7, \"auto\"]\n{sounds}"
    )
}

/// What stands on the screen: at most 80 columns but for paths, and not more lines than there are.
#[track_caller]
fn screen(ended: Ended) -> String {
    let text = ended.expect_code(0).stdout;
    let wide: Vec<&str> = text
        .lines()
        .filter(|line| line.width() > 80 && !line.contains('/'))
        .collect();
    assert!(wide.is_empty(), "too wide: {wide:?} in\n{text}");
    assert!(text.lines().count() <= 32, "{text}");
    text
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn many_targets_are_one_screen_with_the_worst_first(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    tokio::task::block_in_place(|| {
        let simulator = simulator("--faults @3=not_json,@5=drift");
        let place = Place::asking(&simulator, &watchlist(8))
            .with_setting("SOUNDWATCH__DATABASE__URL", &database.url)
            .with_setting("SOUNDWATCH__API__REQUESTS_PER_SECOND", "1000");
        place.run("collect").expect_code(3);
        let text = screen(place.run("status"));
        for part in [
            "Collecting     nobody; `soundwatch run` starts",
            "Alerts         none",
            "watchlist.toml (32 targets)",
            "31 stored, 1 rejected (not_json)",
            "64 of 1000 credits today",
            "0 credits to come today",
            "Index          16 series; days are settled at the age of 0 days",
            "Targets        32: 1 failing, 31 fresh",
            "\n failing ",
            "… and 22 more: query the view freshness",
        ] {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        assert!(!text.contains("Spool"), "nothing waits: nothing to say");
        let status = place.json("status");
        assert_eq!(status["spool"]["answers"], 0);
        assert_eq!(status["forecast"]["due_now"], 0);
        assert_eq!(
            status["targets"]["worst_first"].as_array().map(Vec::len),
            Some(32)
        );
    });
}

#[test]
fn a_broken_watchlist_is_shown_with_its_first_problems() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &watchlist(1));
    place.run("collect").expect_code(0);
    let wrong: String = (0..9).map(|_| "[[sounds]]\nclip = 3\n").collect();
    place.write("watchlist.toml", &wrong);
    let text = screen(place.run("status"));
    for part in [
        "broken, so the old one stays in force:",
        "watchlist.toml:6:8: ",
        "and 6 more",
        "`soundwatch check`",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let status = place.json("status");
    assert_eq!(status["watchlist"]["problems"].as_array().map(Vec::len), Some(9));
    assert_eq!(status["watchlist"]["problems"][0]["line"], 2);
}

#[test]
fn a_refused_key_is_shown_with_what_to_do() {
    let simulator = simulator("");
    let place =
        Place::asking(&simulator, &watchlist(1)).with_setting("SOUNDWATCH__API__KEY", "sk_live_wrong");
    let daemon = place.start("run");
    until("the alert is raised", || {
        let status = place.run("status --json");
        status.code == 0 && status.json()["alerts"][0]["kind"] == "key_refused"
    });
    let text = screen(place.run("status"));
    for part in [
        "Collecting     process ",
        "Alerts         key_refused since 20",
        "paused until 20",
        "(unauthorized, since",
        "Put the right key in place",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    daemon.stop(Signal::TERM).expect_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_are_two_lines() {
    let database = Backend::Postgres.fresh().await;
    tokio::task::block_in_place(|| {
        let simulator = simulator("");
        let place =
            Place::asking(&simulator, &watchlist(1)).with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
        let daemons = [place.start("run"), place.start("run")];
        until("both collect", || {
            let status = place.run("status --json");
            status.code == 0 && status.json()["collecting"].as_array().map(Vec::len) == Some(2)
        });
        let text = screen(place.run("status"));
        assert_eq!(text.matches(" process ").count(), 2, "{text}");
        for daemon in daemons {
            daemon.stop(Signal::TERM).expect_code(0);
        }
    });
}

#[test]
fn answers_that_wait_in_the_spool_are_counted() {
    let simulator = simulator("");
    let place = Place::asking(&simulator, &watchlist(1));
    place.run("collect").expect_code(0);
    let spool = place.path().join("state/spool");
    std::fs::write(
        spool.join("answer-0900"),
        [b"swspool1".as_slice(), &[0; 99]].concat(),
    )
    .unwrap();
    std::fs::write(spool.join("answer-0901"), [0; 99]).unwrap();
    std::fs::write(spool.join("answer-0902.aside0"), [0; 99]).unwrap();
    let text = screen(place.run("status"));
    assert!(
        text.contains("Spool          1 answer waits for the database; 1 set aside"),
        "{text}"
    );
}
