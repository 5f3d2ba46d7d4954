//! What `plan` and `check` say of coming days and of edits, on the built program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use common::Backend;
use common::program::{Place, simulator};
use rstest::rstest;
use serde_json::{Value, json};

/// Two targets with a slot that no minute of a test is.
const WATCHLIST: &str = r#"
[defaults]
schedule = "@yearly"

[[sounds]]
clip = "6703723351497508865"
regions = ["US", "LV"]
"#;

/// One of them again with another schedule, and a new one, which asks twice a day.
const EDITED: &str = r#"
[[sounds]]
clip = "6703723351497508865"
regions = ["US"]
schedule = "@daily"

[[sounds]]
clip = "7326640926458743557"
schedule = "0 6,18 * * *"
"#;

/// The new one of the edited list, as it is there.
const CLIPS_BACK: &str = r#"
[[sounds]]
clip = "7326640926458743557"
schedule = "0 6,18 * * *"
"#;

fn watching(watchlist: &str) -> Place {
    let place = Place::empty();
    place.write("watchlist.toml", watchlist);
    place
}

#[test]
fn a_plan_without_key_and_database_counts_every_target_as_due_now() {
    let place = watching(EDITED);
    let plan = place.run("plan --days 3 --json").expect_code(0).json();
    assert_eq!(plan["due_now"], 2);
    assert_eq!(plan["days"].as_array().map(Vec::len), Some(3));
    assert_eq!(plan["days"][1]["slots"], 3);
    assert_eq!(plan["days"][1]["credits"], 6);
    assert_eq!(plan["spent"], json!({"day": 0, "month": 0}));
    assert_eq!(plan["over_budget"], json!([]));
    let files: Vec<_> = place.path().read_dir().unwrap().collect();
    assert_eq!(files.len(), 1, "nothing is made");
}

#[test]
fn a_schedule_of_more_than_once_a_day_is_warned_of_where_it_stands() {
    let plan = watching(EDITED).run("plan").expect_code(0);
    assert!(
        plan.stderr
            .contains("watchlist.toml:9:12: \"0 6,18 * * *\" asks more than once a day"),
        "{plan}"
    );
    assert!(plan.stdout.contains("each retry costs as much again"), "{plan}");
}

#[rstest]
#[case::of_the_day("DAILY")]
#[case::of_the_month("MONTHLY")]
fn a_plan_over_budget_ends_with_4_and_says_what_to_set(#[case] limit: &str) {
    let setting = format!("SOUNDWATCH__BUDGET__{limit}_CREDITS");
    let place = watching(EDITED).with_setting(&setting, "4");
    let plan = place.run("plan --days 2").expect_code(4);
    let help = format!("help: set budget.{}_credits to", limit.to_lowercase());
    assert!(plan.stderr.contains(&help), "{plan}");
    assert!(plan.stdout.contains('░'), "{plan}");
    let document = place.run("plan --days 2 --json").expect_code(4).json();
    assert_eq!(
        document["over_budget"].as_array().map(Vec::len),
        Some(1),
        "{document}"
    );
}

#[test]
fn a_plan_says_everything_that_is_wrong_with_the_watchlist() {
    let place = watching(
        "[[sounds]]\nclip = \"123\"\n[[sounds]]\nclip = \"7326640926458743557\"\nschedule = \"x\"\n",
    );
    let plan = place.run("plan").expect_code(2);
    assert!(
        plan.stderr.contains("watchlist.toml:2:8: \"123\" has 3 digits"),
        "{plan}"
    );
    assert!(
        plan.stderr
            .contains("watchlist.toml:5:12: \"x\" is not a schedule"),
        "{plan}"
    );
    assert_eq!(plan.stdout, "");
}

#[test]
fn a_plan_whose_database_is_away_says_what_is_not_in_it() {
    let place =
        watching(EDITED).with_setting("SOUNDWATCH__DATABASE__URL", "postgres://nobody@127.0.0.1:1/none");
    let plan = place.run("plan").expect_code(0);
    assert!(
        plan.stderr
            .contains("what has been spent and what is due now is not in this plan"),
        "{plan}"
    );
    // Without a watchlist there is nothing to plan with.
    let other = place.with_setting("SOUNDWATCH__WATCHLIST__PATH", "");
    other.run("plan").expect_code(1);
}

#[rstest]
#[tokio::test]
async fn a_plan_goes_on_from_what_was_spent_and_check_tells_what_an_edit_changes(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let simulator = simulator("");
    let place = Place::asking(&simulator, WATCHLIST).with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    assert_eq!(place.json("plan")["due_now"], 2, "there are no tables yet");

    place.run("collect").expect_code(0);
    let plan = place.json("plan");
    assert_eq!(
        (&plan["due_now"], &plan["spent"]["month"]),
        (&json!(0), &json!(4))
    );
    let check = place.run("check").expect_code(0);
    assert!(check.stdout.contains("watchlist.toml, in force\n"), "{check}");

    place.write("watchlist.toml", EDITED);
    assert_eq!(place.json("plan")["due_now"], 1, "only the new one");
    let check = place.run("check").expect_code(0);
    assert!(
        check
            .stdout
            .contains("1 added, 1 changed, 1 removed, 0 returned, 0 as before; credits a day: 0.0 → 6.0"),
        "{check}"
    );
    let changes = &place.json("check")["summary"]["changes"];
    assert_eq!(changes["credits_per_day_after"], 6.0);

    // What comes back after its slot was settled owes nothing; the new one still does.
    place.run("collect").expect_code(0);
    place.write("watchlist.toml", &format!("{WATCHLIST}{}", CLIPS_BACK));
    assert_eq!(place.json("plan")["due_now"], 0, "it has had its slot");
    assert_eq!(place.json("check")["summary"]["changes"]["returned"], 1);
    place.run("collect").expect_code(0);
    place.write("watchlist.toml", EDITED);
    place.run("collect").expect_code(0);

    // A worker that does not own the watchlist plans with the stored targets.
    let other = place.with_setting("SOUNDWATCH__WATCHLIST__PATH", "");
    assert_eq!(other.json("plan")["targets"], 2);
    assert_eq!(other.json("check")["summary"]["changes"], Value::Null);
}

#[test]
fn advice_tells_for_each_target_what_its_credits_could_give() {
    let place = watching(
        r#"
[[sounds]]
clip = "6703723351497508865"
schedule = "15 6 * * *"

[[sounds]]
clip = "7326640926458743557"
period = "auto"
schedule = "15 6 * * 1"
"#,
    );
    let plan = place.run("plan --days 1 --advise").expect_code(0);
    for part in [
        "1 × 120 days (first)",
        "1 × 7 at \"15 6 * * *\" UTC, 60 credits each in 30 days",
        "better: auto at \"15 6 * * *\", 60 credits",
        "1 × auto at \"15 6 * * 1\" UTC, 9 credits",
        "0.35 %",
        "cheaper: 30 at",
        "cheaper, but less exact: 30 at",
    ] {
        assert!(plan.stdout.contains(part), "{part} is missing in\n{plan}");
    }
    let document = place.run("plan --days 1 --advise --json").expect_code(0).json();
    assert_eq!(document["advice"]["targets"].as_array().map(Vec::len), Some(2));
    assert_eq!(document["auto"][0]["period_days"], 120);
    assert_eq!(
        place.run("plan --json").expect_code(0).json()["advice"],
        Value::Null
    );
}
