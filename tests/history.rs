//! What is known of sounds in regions, from either database, and `history`, which tells it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use common::program::Place;
use common::{Backend, TestDatabase};
use rstest::rstest;
use soundwatch::history::Audiences;
use soundwatch::model::SeriesKey;
use soundwatch::store::{Missing, Store};

const HISTORY: &str = include_str!("data/history.sql");

/// The sound that has an index in the US, and windows only in Latvia.
const NEW_SUN: &str = "6703723351497508865";

/// Day 20487 is 2026-02-03, when it was last asked.
const TODAY: i64 = 20_487;

fn key(clip: &str, region: &str) -> SeriesKey {
    SeriesKey {
        clip_id: clip.to_owned(),
        region: region.to_owned(),
    }
}

async fn filled(backend: Backend) -> (TestDatabase, Store) {
    let database = backend.fresh().await;
    let mut connection = database.migrated().await;
    connection.execute(HISTORY).await.unwrap();
    let store = Store::open(&database.url, Missing::Refuse).await.unwrap();
    (database, store)
}

/// The program with a database that it has migrated itself, filled, and some SQL more.
async fn place(backend: Backend, sql: &str) -> (TestDatabase, Place) {
    let database = backend.fresh().await;
    let place = Place::empty().with_setting("SOUNDWATCH__DATABASE__URL", &database.url);
    place.run("db migrate").expect_code(0);
    database
        .connect()
        .await
        .execute(&format!("{HISTORY};{sql}"))
        .await
        .unwrap();
    (database, place)
}

#[rstest]
#[tokio::test]
async fn index_and_windows_come_for_all_that_are_asked_for(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = filled(backend).await;
    let keys = [
        key(NEW_SUN, "US"),
        key(NEW_SUN, "LV"),
        key("7326640926458743557", "US"),
        key("1", "US"),
    ];

    let index = store.index_of(&keys, TODAY - 3).await.unwrap();
    assert_eq!(index.keys().collect::<Vec<_>>(), [&keys[0]]);
    let days: Vec<_> = index[&keys[0]]
        .iter()
        .map(|day| (day.day, day.provisional))
        .collect();
    assert_eq!(days, [(TODAY - 3, false), (TODAY - 2, false), (TODAY - 1, true)]);

    let windows = store.windows_of(&keys).await.unwrap();
    assert_eq!(windows.len(), 3);
    let of_new_sun = &windows[&keys[0]][0];
    assert_eq!(
        (of_new_sun.windows, of_new_sun.answers, of_new_sun.step_days),
        (3, 3, 1)
    );
    assert_eq!(of_new_sun.newest.last(), Some(&(TODAY - 1, 1.0)));
    let lengths: Vec<_> = windows[&keys[2]]
        .iter()
        .map(|kind| (kind.period_days, kind.step_days))
        .collect();
    assert_eq!(lengths, [(7, 1), (120, 7)]);
    store.close().await;
}

#[rstest]
#[tokio::test]
async fn an_audience_comes_with_that_of_a_week_and_a_month_before(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = filled(backend).await;
    let keys = [
        key(NEW_SUN, "US"),
        key("7326640926458743557", "US"),
        key(NEW_SUN, "LV"),
    ];
    let found = store.audiences_of(&keys).await.unwrap();
    let Audiences {
        now,
        week_ago,
        month_ago,
    } = &found[&keys[0]];
    let names = |audience: &soundwatch::history::Audience| -> Vec<String> {
        let names = audience
            .countries
            .iter()
            .map(|country| format!("{} {}", country.id, country.name));
        names.collect()
    };
    assert_eq!(
        names(now),
        ["LV Latvia", "HR Croatia", "LT Lithuania", "BG Bulgaria"]
    );
    assert_eq!(now.interests[0].name, "Scripted Drama");
    assert_eq!(
        names(week_ago.as_ref().unwrap()),
        ["LT Lithuania", "LV Latvia", "BG Bulgaria"]
    );
    assert_eq!(*month_ago, None, "nothing was asked so early");
    let ages: Vec<_> = found[&keys[1]]
        .now
        .ages
        .iter()
        .map(|age| (age.name.as_str(), age.score))
        .collect();
    assert_eq!(
        ages,
        [
            ("18–24", Some(61.0)),
            ("25–34", Some(28.0)),
            ("35 and older", Some(11.0))
        ]
    );
    assert!(!found.contains_key(&keys[2]), "nobody told");
    store.close().await;
}

#[rstest]
#[tokio::test]
async fn all_sounds_come_by_title_with_their_best_state_and_their_gaps(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = filled(backend).await;
    let removed = "UPDATE targets SET removed_at = 1 WHERE clip_id = '6912345678901234567'";
    database.connect().await.execute(removed).await.unwrap();
    let all = store.all_series().await.unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|series| {
            let title = series.title.as_deref().unwrap_or("?");
            format!(
                "{title} {} {}",
                series.key.region,
                series.state.as_deref().unwrap_or("ended")
            )
        })
        .collect();
    let expected = [
        "? US no_data",
        "? US new",
        "New Sun LV late",
        "New Sun US late",
        "Night Drive US late",
        "Paper Boats US failing",
        "Quiet Rain US ended",
    ];
    assert_eq!(told, expected);
    assert_eq!(all[3].newest_day, Some(TODAY - 1));
    assert_eq!(store.series_of(NEW_SUN).await.unwrap(), all[2..4]);

    let gaps = store.all_gaps().await.unwrap();
    let of_new_sun = &gaps[&key(NEW_SUN, "US")];
    let days: Vec<_> = of_new_sun
        .iter()
        .map(|gap| (gap.first_day, gap.last_day, gap.reason.as_str()))
        .collect();
    assert_eq!(days, [(20_459, 20_478, "missed")]);
    assert_eq!(
        store.missing_of(NEW_SUN).await.unwrap()[&key(NEW_SUN, "US")],
        *of_new_sun
    );
    store.close().await;
}

#[rstest]
#[tokio::test]
async fn history_tells_the_index_who_listens_and_what_changed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, place) = place(backend, "").await;
    let document = place.json(&format!("history {NEW_SUN} us --days 2"));
    assert_eq!(document["title"], "New Sun");
    let of_us = &document["regions"][0];
    assert_eq!(
        (of_us["region"].as_str(), of_us["peak_day"].as_str()),
        (Some("US"), Some("2026-02-02"))
    );
    let days: Vec<_> = of_us["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| day["day"].as_str().unwrap())
        .collect();
    assert_eq!(days, ["2026-02-01", "2026-02-02"]);
    assert_eq!(of_us["days"][1]["provisional"], true);
    assert_eq!(of_us["audience"]["countries"][0]["name"], "Latvia");
    assert_eq!(of_us["audience"]["since_a_week"][0]["name"], "Croatia");
    assert_eq!(of_us["window"], serde_json::Value::Null);
    assert_eq!(
        of_us["change_28_days"],
        serde_json::Value::Null,
        "days are missing"
    );

    let text = place.run(&format!("history {NEW_SUN} US")).expect_code(0).stdout;
    for expected in [
        "New Sun, by Chihei Hatakeyama",
        "index 100.0 on 2026-02-02",
        "9.8–10.3",
        "provisional",
        "Latvia 1426",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour where there is no terminal");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("came in: Croatia 10"), "{text}");
}

#[rstest]
#[tokio::test]
async fn a_missing_day_stands_in_the_table_with_its_reason(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let old = format!("INSERT INTO trend_index VALUES ('{NEW_SUN}', 'US', 20458, 50, 49, 51, 0, FALSE)");
    let (_database, place) = place(backend, &old).await;
    let document = place.json(&format!("history {NEW_SUN} US --days 40"));
    let days = document["regions"][0]["days"].as_array().unwrap();
    let missing = days.iter().filter(|day| day["missing"] == "missed").count();
    assert_eq!((days.len(), missing), (25, 20), "{document}");
    let text = place
        .run(&format!("history {NEW_SUN} US --days 40"))
        .expect_code(0)
        .stdout;
    assert!(text.contains("missing: soundwatch did not run"), "{text}");
    assert!(text.contains("┊ a new scale begins"), "{text}");
}

#[rstest]
#[tokio::test]
async fn a_sound_without_an_index_shows_its_newest_window_and_says_so(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, place) = place(backend, "").await;
    let text = place.run(&format!("history {NEW_SUN}")).expect_code(0).stdout;
    assert!(
        text.contains("There is no index yet. The newest window of 7 days"),
        "{text}"
    );
    let document = place.json(&format!("history {NEW_SUN}"));
    assert_eq!(document["regions"][0]["region"], "LV");
    assert_eq!(
        document["regions"][0]["window"]["days"].as_array().map(Vec::len),
        Some(7)
    );
    let nothing = place.run("history 7100000000000000008").expect_code(0).stdout;
    assert!(nothing.contains("Nothing has been answered yet."), "{nothing}");
}

#[rstest]
#[tokio::test]
async fn what_is_unknown_is_said_with_what_may_have_been_meant(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, place) = place(backend, "").await;
    let told = |arguments: &str, expected: &str| {
        let history = place.run(arguments).expect_code(2);
        assert!(history.stderr.contains(expected), "{expected}\n{history}");
        assert_eq!(history.stdout, "");
    };
    told(
        "history 6703723351497508856",
        "did you mean 6703723351497508865 (New Sun)?",
    );
    told(
        "history 1234567890123456789",
        "`soundwatch status` lists what is watched",
    );
    told(&format!("history {NEW_SUN} DE"), "it is known in LV, US");
    told("history 12 nowhere", "\"12\" has 2 digits");
    told("history 12 nowhere", "\"nowhere\" is not a region");
    place.run(&format!("history {NEW_SUN} --days 0")).expect_code(2);
}

#[test]
fn without_a_database_it_says_how_to_make_one() {
    let missing = Place::empty().run("history 6703723351497508865").expect_code(1);
    assert!(missing.stderr.contains("there is no database at"), "{missing}");
}
