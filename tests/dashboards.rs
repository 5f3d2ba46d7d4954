//! The dashboards for Grafana, as far as they can be tried without it: that they can be imported, and that every
//! query runs on its database and gives what a panel can show.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use std::collections::BTreeSet;

use common::site::HISTORY;
use common::{Backend, TestConnection};
use rstest::rstest;
use serde_json::Value;

const METRICS: &str = include_str!("../packaging/grafana/soundwatch-metrics.json");
const SQLITE: &str = include_str!("../packaging/grafana/soundwatch-sqlite.json");
const POSTGRES: &str = include_str!("../packaging/grafana/soundwatch-postgres.json");

/// A sound that breaks out: four weeks at 10, then a week at 90.
const BREAKOUT: &str = "
    INSERT INTO trend_index (clip_id, region, day, value, low, high, segment, provisional)
    SELECT '7326640926458743557', 'US', d.day, CASE WHEN d.day > 20479 THEN 90 ELSE 10 END, 9, 91, 1, FALSE
    FROM (
        WITH RECURSIVE days (day) AS (SELECT 20452 UNION ALL SELECT day + 1 FROM days WHERE day < 20486)
        SELECT day FROM days
    ) AS d;";

/// What Grafana puts into a query; of the time span these are milliseconds.
const ALL: [(&str, &str); 6] = [
    ("$__from", "1767225600000"),
    ("$__to", "1772323200000"),
    ("${region:sqlstring}", "'*'"),
    ("${tag:sqlstring}", "'*'"),
    ("${sound:sqlstring}", "'6703723351497508865'"),
    ("${market:sqlstring}", "'US'"),
];
const CHOSEN: [(&str, &str); 2] = [
    ("${region:sqlstring}", "'US','LV'"),
    ("${tag:sqlstring}", "'ambient'"),
];

fn dashboard(backend: Backend) -> Value {
    let text = match backend {
        Backend::Sqlite => SQLITE,
        Backend::Postgres => POSTGRES,
    };
    serde_json::from_str(text).unwrap()
}

fn filled(query: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(query.to_owned(), |query, (name, value)| {
        query.replace(name, value)
    })
}

/// The queries of a dashboard: title, text, and whether there is a column of time.
fn queries(dashboard: &Value, backend: Backend) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let target = &panel["targets"][0];
        let (query, timed) = match backend {
            Backend::Sqlite => (&target["rawQueryText"], target["timeColumns"][0] == "time"),
            Backend::Postgres => (&target["rawSql"], target["format"] == "time_series"),
        };
        let timed_panel = panel["type"] == "timeseries";
        assert_eq!(timed, timed_panel, "{}", panel["title"]);
        let title = panel["title"].as_str().unwrap();
        found.push((title.to_owned(), query.as_str().unwrap().to_owned(), timed));
    }
    found
}

async fn history(backend: Backend) -> (common::TestDatabase, TestConnection) {
    let database = backend.fresh().await;
    let mut connection = database.migrated().await;
    connection.execute(HISTORY).await.unwrap();
    connection.execute(BREAKOUT).await.unwrap();
    (database, connection)
}

#[rstest]
#[tokio::test]
async fn every_panel_of_the_sounds_has_rows_with_times_as_grafana_wants_them(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, mut connection) = history(backend).await;
    for (title, query, timed) in queries(&dashboard(backend), backend) {
        let query = filled(&query, &ALL);
        assert!(!query.contains('$'), "{title}: {query}");
        let rows = connection.query(&query).await;
        let rows = rows.unwrap_or_else(|error| panic!("{title}: {error}: {query}"));
        assert!(!rows.rows.is_empty(), "{title}: {query}");
        if !timed {
            continue;
        }
        assert_eq!(rows.columns[0], "time", "{title}");
        let (kind, right) = match backend {
            Backend::Sqlite => ("typeof(q.time)", "integer"),
            Backend::Postgres => ("CAST(pg_typeof(q.time) AS TEXT)", "timestamp with time zone"),
        };
        let kinds = format!("SELECT DISTINCT {kind} FROM ({query}) AS q");
        assert_eq!(connection.column(&kinds).await, [right], "{title}");
        let outside = match backend {
            Backend::Sqlite => "q.time NOT BETWEEN 1767225600 AND 1772323200",
            Backend::Postgres => "q.time NOT BETWEEN to_timestamp(1767225600) AND to_timestamp(1772323200)",
        };
        let outside = format!("SELECT count(*) FROM ({query}) AS q WHERE {outside}");
        assert_eq!(connection.column(&outside).await, ["0"], "{title}");
    }
}

#[rstest]
#[tokio::test]
async fn markets_and_tags_choose_what_the_tables_show(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, mut connection) = history(backend).await;
    let dashboard = dashboard(backend);
    let queries = queries(&dashboard, backend);
    let (_, not_fresh, _) = queries
        .iter()
        .find(|(title, ..)| title == "Targets that are not fresh")
        .unwrap();
    let sounds = async |connection: &mut TestConnection, values: &[(&str, &str)]| {
        let query = filled(&filled(not_fresh, values), &ALL);
        let rows = connection.query(&query).await.unwrap();
        let names = rows.rows.into_iter().map(|mut row| row.swap_remove(1).unwrap());
        names.collect::<BTreeSet<_>>()
    };
    assert!(sounds(&mut connection, &ALL).await.contains("Quiet Rain"));
    let ambient = sounds(&mut connection, &CHOSEN).await;
    assert_eq!(ambient, BTreeSet::from(["New Sun".to_owned()]));

    let mut offered = Vec::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if variable["type"] == "query" {
            let query = filled(variable["query"].as_str().unwrap(), &ALL);
            offered.push(connection.column(&query).await);
        }
    }
    let [regions, tags, sounds, markets] = offered.try_into().unwrap();
    assert_eq!(
        (regions, tags),
        (vec!["LV".to_owned(), "US".to_owned()], vec!["ambient".to_owned()])
    );
    // Grafana takes name and clip ID apart by the variable's regex.
    assert!(
        sounds.contains(&"New Sun · 6703723351497508865".to_owned()),
        "{sounds:?}"
    );
    assert!(
        sounds.contains(&"(no title) · 7100000000000000007".to_owned()),
        "{sounds:?}"
    );
    assert_eq!(markets, ["US"]);
}

#[rstest]
fn a_dashboard_can_be_imported_and_its_panels_stand_beside_each_other(
    #[values(METRICS, SQLITE, POSTGRES)] text: &str,
) {
    let dashboard: Value = serde_json::from_str(text).unwrap();
    let input = dashboard["__inputs"][0]["name"].as_str().unwrap();
    let kind = &dashboard["__inputs"][0]["pluginId"];
    assert!(dashboard["schemaVersion"].is_number());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!(variables[0]["name"], "datasource");
    assert_eq!(&variables[0]["query"], kind);
    assert_eq!(variables[0]["current"]["value"], format!("${{{input}}}"));

    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = &panel["title"];
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{title}: its id is another's too"
        );
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        assert_eq!(&panel["datasource"]["type"], kind, "{title}");
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(
            place("w") > 0 && place("h") > 0 && place("x") + place("w") <= 24,
            "{title}"
        );
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title} lies on another panel");
            }
        }
    }
    assert!(ids.len() >= 9);
    for variable in text.split("${").skip(1) {
        let name = variable.split(['}', ':']).next().unwrap();
        let known = name == input || variables.iter().any(|variable| variable["name"] == name);
        assert!(known, "{name} is no variable");
    }
}
