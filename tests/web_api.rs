//! `/api/v1`: what it answers, in which format, and how it tells what is wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

mod common;

use common::Backend;
use common::site::{NEW_SUN, Site};
use rstest::rstest;
use serde_json::Value;

/// A title that a spreadsheet would compute.
const FORMULA: &str = "UPDATE sounds SET title = '=1+1' WHERE title = 'Night Drive';";

#[rstest]
#[tokio::test]
async fn sounds_are_chosen_and_sorted(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let site = Site::with_history(backend, "UPDATE targets SET removed_at = 1 WHERE id = 5").await;
    let names = |query: &str| -> Vec<String> {
        let found = site.get(&format!("/api/v1/sounds?{query}")).json();
        let rows = found["rows"].as_array().unwrap();
        assert_eq!(found["of_all"].as_u64(), Some(rows.len() as u64), "{query}");
        let name = |row: &Value| {
            row["title"]
                .as_str()
                .or(row["clip_id"].as_str())
                .unwrap()
                .to_owned()
        };
        rows.iter().map(name).collect()
    };
    let all = [
        "7100000000000000007",
        "7100000000000000008",
        "New Sun",
        "New Sun",
        "Night Drive",
        "Paper Boats",
        "Quiet Rain",
    ];
    assert_eq!(names("sort=title"), all);
    assert_eq!(
        names("sort=title&dir=down"),
        all.into_iter().rev().collect::<Vec<_>>()
    );
    assert_eq!(names("q=SUN"), ["New Sun", "New Sun"]);
    assert_eq!(names("q=hatakeyama&region=lv"), ["New Sun"]);
    assert_eq!(names("q=7100000000000000008"), ["7100000000000000008"]);
    assert_eq!(names("q=%25"), [""; 0], "a % is no pattern");
    assert_eq!(names("tag=ambient"), ["New Sun", "New Sun"]);
    assert_eq!(names("tag=ambien"), [""; 0], "a tag is whole");
    assert_eq!(names("state=ended"), ["Paper Boats"]);
    assert_eq!(names("sort=state&dir=down")[0], "Paper Boats");
    assert_eq!(names("sort=index")[0], "New Sun", "what has an index comes first");
    assert_eq!(names("sort=newest")[0], "New Sun");
    assert_eq!(names("").len(), 7);
    let behind_the_last = site.get("/api/v1/sounds?page=2").json();
    assert_eq!(behind_the_last, serde_json::json!({ "of_all": 7, "rows": [] }));
    assert_eq!(site.get("/api/v1/sounds?sort=nothing").status, 400);
}

#[rstest]
#[tokio::test]
async fn every_path_of_the_openapi_document_answers_with_its_columns(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let site = Site::with_history(backend, FORMULA).await;
    let document = site.get("/api/v1/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 10);
    for (path, operation) in paths {
        let answer = site.get(&format!("/api/v1{}", path.replace("{clip_id}", NEW_SUN)));
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let schema = &operation["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        follows(&document, schema, &answer.json(), path);
    }
}

/// Whether objects have exactly the properties of their schema, and the values their types.
fn follows(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let schema = document.pointer(name.trim_start_matches('#')).unwrap();
        return follows(document, schema, value, place);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = schema["type"].to_string();
    let fits = types.contains(kind) || kind == "integer" && types.contains("number");
    assert!(
        fits || schema["oneOf"].is_array(),
        "{place}: {value} is no {types}"
    );
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        follows(document, &schema["items"], item, &format!("{place}/{n}"));
    }
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let told: Vec<_> = value.as_object().unwrap().keys().collect();
    assert_eq!(told, properties.keys().collect::<Vec<_>>(), "{place}");
    for (name, schema) in properties {
        follows(document, schema, &value[name], &format!("{place}/{name}"));
    }
}

#[rstest]
#[tokio::test]
async fn an_answer_is_csv_where_that_is_accepted_and_only_the_days_that_are_wanted(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let site = Site::with_history(backend, FORMULA).await;
    let index = format!("/api/v1/sounds/{NEW_SUN}/index?region=us&since=2026-02-01&until=2026-02-02");
    let csv = site.get_with(&index, "accept: text/csv\r\n");
    assert!(csv.header("content-type").unwrap().starts_with("text/csv"));
    let mut lines = csv.body.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("clip_id,title,author,region,day,value,")
    );
    let days: Vec<_> = site.get(&index).json()["rows"].as_array().unwrap().clone();
    assert!(!days.is_empty() && days.len() == lines.count());
    assert!(
        days.iter()
            .all(|row| matches!(row["day"].as_str(), Some("2026-02-01" | "2026-02-02")))
    );
    let sounds = site.get_with("/api/v1/sounds", "accept: text/csv\r\n").body;
    assert!(sounds.contains(",'=1+1,"), "no formula: {sounds}");
    assert_eq!(
        site.get(&format!("/api/v1/sounds/{NEW_SUN}/index?since=yesterday"))
            .status,
        400
    );
}

#[tokio::test]
async fn a_wrong_parameter_is_named_with_what_would_be_right() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let index = format!("/api/v1/sounds/{NEW_SUN}/index");
    for (path, why) in [
        (
            "/api/v1/sounds?sort=name".to_owned(),
            "sort: write one of change, title",
        ),
        ("/api/v1/sounds?page=0".to_owned(), "page: write a number from 1"),
        (
            "/api/v1/sounds?regoin=US".to_owned(),
            "regoin: there is no such parameter here",
        ),
        ("/api/v1/sounds?q=%00".to_owned(), "q: write 1 to 200 letters"),
        ("/api/v1/sounds?tag=%20".to_owned(), "tag: write 1 to 200 letters"),
        (
            "/api/v1/sounds?state=good".to_owned(),
            "state: write one of fresh, late",
        ),
        ("/api/v1/status?x=1".to_owned(), "x: there are no parameters here"),
        (
            format!("{index}?since=yesterday"),
            "since: write a day as 2026-02-01",
        ),
        (
            format!("{index}?region=USA"),
            "region: write a market of two letters",
        ),
        (format!("{index}?region=US&region=LV"), "region: give it once"),
        ("/api/v1/sounds/123/index".to_owned(), "clip_id: write a clip ID"),
        ("/api/v1/sounds/%FF/index".to_owned(), "clip_id"),
    ] {
        let answer = site.get(&path);
        assert_eq!(answer.status, 400, "{path}");
        let told = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(told.contains(why), "{path}: {told}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_is_told_as_json() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let host = site.address;
    let ask = |method: &str, path: &str, headers: &str| {
        site.ask(&format!(
            "{method} {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n"
        ))
    };
    let ours = format!("host: {host}\r\n");
    let xml = format!("{ours}accept: application/xml\r\n");
    let csv = format!("{ours}accept: text/csv\r\n");
    for (status, method, path, headers) in [
        (404, "GET", "/api/v1/nothing", &ours),
        (404, "GET", "/api/v1", &ours),
        (404, "GET", "/api/v1/sounds/6703723351497508865/nothing", &ours),
        (404, "GET", "/api/v1/sounds/100000000000000/index", &ours),
        (405, "POST", "/api/v1/sounds", &ours),
        (405, "TRACE", "/api/v1/status", &ours),
        (406, "GET", "/api/v1/sounds", &xml),
        (406, "GET", "/api/v1/status", &csv),
        (421, "GET", "/api/v1/status", &"host: evil.example\r\n".to_owned()),
    ] {
        let answer = ask(method, path, headers);
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        assert!(
            answer.json()["error"].as_str().is_some_and(|why| why.len() > 8),
            "{path}"
        );
        assert!(answer.header("content-security-policy").is_some(), "{path}");
    }
    let written = ask("DELETE", "/api/v1/sounds", &ours);
    assert_eq!(written.header("allow"), Some("GET, HEAD"));
    let head = ask("HEAD", "/api/v1/nothing", &ours);
    assert_eq!((head.status, head.body.as_str()), (404, ""));
}

#[tokio::test]
async fn the_document_has_every_answer_of_every_path_and_only_names_what_it_holds() {
    let site = Site::with_history(Backend::Sqlite, "SELECT 1").await;
    let document = site.get("/api/v1/openapi.json").json();
    for (path, operation) in document["paths"].as_object().unwrap() {
        let operation = &operation["get"];
        for status in ["200", "400", "401", "404", "405", "406", "503"] {
            assert!(operation["responses"][status].is_object(), "{path} {status}");
        }
        for parameter in operation["parameters"].as_array().unwrap() {
            assert!(
                parameter["schema"].as_object().unwrap().len() > 1,
                "{path}: {parameter}"
            );
        }
    }
    assert!(document["components"]["securitySchemes"]["token"].is_object());
    // Every reference leads somewhere.
    for name in document.to_string().split("\"$ref\":\"#").skip(1) {
        let pointer = name.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}
