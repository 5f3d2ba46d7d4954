//! The OpenAPI document of `/api/v1`, made of the same tables that answer.

mod status;

use serde_json::{Map, Value, json};

use super::api::{LISTS, SOUNDS};
use super::parameters::{CLIP, OF_SOUNDS, Parameter, of_list};
use crate::export::Kind;
use crate::export::view::View;

/// Every way in which there is no answer: status, name of the component, what it means.
const WRONG: [(&str, &str, &str); 7] = [
    (
        "400",
        "BadRequest",
        "A parameter is wrong: which, and what would be right",
    ),
    ("401", "Unauthorized", "The token is missing or wrong"),
    ("404", "NotFound", "There is nothing of this name"),
    ("405", "MethodNotAllowed", "This service only reads: GET and HEAD"),
    ("406", "NotAcceptable", "Accept names nothing that there is"),
    (
        "421",
        "Misdirected",
        "Without a token: Host is not a name of this machine",
    ),
    (
        "503",
        "Unavailable",
        "The database does not answer, or not in time",
    ),
];

/// The whole document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    let itself =
        json!({ "application/json": { "schema": { "type": "object", "required": ["openapi", "paths"] } } });
    let mut get = |path: &str, operation: Value| paths.insert(path.to_owned(), json!({ "get": operation }));
    get(
        "/openapi.json",
        operation("document", "This document", &[], &itself),
    );
    let status = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Status" } } });
    get(
        "/status",
        operation("status", "How the collecting goes", &[], &status),
    );
    let sounds = rows(&SOUNDS, true);
    let parameters: Vec<_> = OF_SOUNDS.iter().map(|p| shown(p, "query")).collect();
    get(
        "/sounds",
        operation(
            "sounds",
            "Sounds in their regions, with how they stand",
            &parameters,
            &sounds,
        ),
    );
    for (name, view, what) in LISTS {
        let Some(view) = View::named(view) else { continue };
        let mut parameters = vec![shown(&CLIP, "path")];
        parameters.extend(of_list(view).iter().map(|p| shown(p, "query")));
        get(
            &format!("/sounds/{{clip_id}}/{name}"),
            operation(name, what, &parameters, &rows(view, false)),
        );
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "soundwatch",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What soundwatch has collected. Read-only. Columns are those of the SQL views.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{}, { "token": [] }, { "login": [] }],
        "paths": paths,
        "components": components(),
    })
}

fn components() -> Value {
    let mut responses = Map::new();
    for (_, name, what) in WRONG {
        let error = json!({ "schema": { "$ref": "#/components/schemas/Error" } });
        let response = json!({ "description": what, "content": { "application/json": error } });
        responses.insert(name.to_owned(), response);
    }
    json!({
        "schemas": {
            "Error": {
                "type": "object",
                "required": ["error"],
                "additionalProperties": false,
                "properties": { "error": { "type": "string", "description": "What is wrong, for people" } },
            },
            "Status": status::schema(),
        },
        "responses": responses,
        "securitySchemes": {
            "token": { "type": "http", "scheme": "bearer", "description": "What http.token_file holds; none is needed without it" },
            "login": { "type": "apiKey", "in": "cookie", "name": "soundwatch", "description": "Of a browser that has given the token on /login" },
        },
    })
}

fn operation(id: &str, what: &str, parameters: &[Value], content: &Value) -> Value {
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({ "description": what, "content": content }),
    );
    for (status, name, _) in WRONG {
        let response = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.insert(status.to_owned(), response);
    }
    json!({ "operationId": id, "summary": what, "parameters": parameters, "responses": responses })
}

fn shown(parameter: &Parameter, place: &str) -> Value {
    json!({ "name": parameter.name, "in": place, "required": place == "path", "description": parameter.what,
        "schema": parameter.schema() })
}

/// Rows of a view in both formats; on pages JSON tells how many there are on all of them.
fn rows(view: &View, paged: bool) -> Value {
    let named = |(name, kind): &(&str, Kind)| ((*name).to_owned(), schema(*kind));
    let columns: Map<String, Value> = view.columns.iter().map(named).collect();
    let names: Vec<_> = view.columns.iter().map(|(name, _)| *name).collect();
    let row =
        json!({ "type": "object", "required": names, "additionalProperties": false, "properties": columns });
    let mut document = object(&["rows"], json!({ "rows": { "type": "array", "items": row } }));
    if paged {
        let of_all = json!({ "type": "integer", "minimum": 0, "description": "Rows on all pages" });
        document["properties"]["of_all"] = of_all;
        document["required"] = json!(["rows", "of_all"]);
    }
    json!({
        "application/json": { "schema": document },
        "text/csv": { "schema": { "type": "string", "description": "RFC 4180, the names of the columns first" } },
    })
}

/// An object with these properties and no others.
fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": properties })
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
