//! The OpenAPI document of `/api/v1`, made of the same tables that answer.

use serde_json::{Map, Value, json};

use super::api::{LISTS, SOUNDS};
use crate::export::Kind;
use crate::export::view::View;

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    let filters = [
        parameter("q", "query", "Within title or author, or a whole clip ID"),
        parameter("region", "query", "The market"),
        parameter("state", "query", "A state of the view freshness, or ended"),
        parameter("tag", "query", "A tag that a target has"),
        parameter("sort", "query", "change, title, region, index, newest or state"),
        parameter("dir", "query", "up or down"),
        parameter("page", "query", "From 1; 100 rows each"),
    ];
    let list = operation("Sounds in their regions, with how they stand", &SOUNDS, &filters);
    paths.insert("/sounds".to_owned(), list);
    for (name, view, what) in LISTS {
        let Some(view) = View::named(view) else { continue };
        let mut parameters = vec![
            parameter("clip_id", "path", "The sound"),
            parameter("region", "query", "The market; all when left out"),
        ];
        if view.days.is_some() {
            parameters.push(parameter("since", "query", "The first day, as 2026-02-01"));
            parameters.push(parameter("until", "query", "The last day"));
        }
        paths.insert(
            format!("/sounds/{{clip_id}}/{name}"),
            operation(what, view, &parameters),
        );
    }
    let status = json!({ "description": "Readiness, targets, outcomes, budget, forecast, alerts, pauses, workers",
        "content": { "application/json": { "schema": { "type": "object" } } } });
    paths.insert(
        "/status".to_owned(),
        json!({ "get": { "summary": "How the collecting goes", "responses": { "200": status } } }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "soundwatch",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What soundwatch has collected. Read-only. Columns are those of the SQL views.",
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{}, { "token": [] }],
        "components": { "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } } },
        "paths": paths,
    })
}

fn parameter(name: &str, place: &str, what: &str) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "description": what, "schema": { "type": "string" } })
}

fn operation(what: &str, view: &View, parameters: &[Value]) -> Value {
    let columns: Map<String, Value> = view
        .columns
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), schema(*kind)))
        .collect();
    let rows = json!({ "type": "array", "items": { "type": "object", "properties": columns } });
    let document = json!({ "type": "object", "required": ["rows"],
        "properties": { "of_all": { "type": "integer", "description": "Rows on all pages, where there are pages" }, "rows": rows } });
    let wrong = |what: &str| {
        json!({ "description": what, "content": { "application/json": { "schema": {
            "type": "object", "properties": { "error": { "type": "string" } } } } } })
    };
    json!({ "get": {
        "summary": what,
        "parameters": parameters,
        "responses": {
            "200": { "description": "Rows", "content": {
                "application/json": { "schema": document },
                "text/csv": { "schema": { "type": "string" } },
            } },
            "400": { "description": "A parameter cannot be read" },
            "404": wrong("The sound is not known"),
            "503": wrong("The database does not answer"),
        },
    } })
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": ["string", "null"] }),
        Kind::Integer => json!({ "type": ["integer", "null"] }),
        Kind::Real => json!({ "type": ["number", "null"] }),
        Kind::Boolean => json!({ "type": ["boolean", "null"] }),
        Kind::Day => json!({ "type": ["string", "null"], "format": "date" }),
        Kind::Instant => json!({ "type": ["string", "null"], "format": "date-time" }),
    }
}
