//! Style sheet, script and icon: files of their own, since nothing inline is let through. Their names hold a
//! digest of what is in them, so that a browser keeps them until they change.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::{charts, report};

const SCRIPT: &str = include_str!("page.js");

const ICON: &str = include_str!("icon.svg");

static STYLE_TEXT: LazyLock<String> =
    LazyLock::new(|| [charts::STYLE, report::page::STYLE, include_str!("page.css")].concat());

static STYLE_NAME: LazyLock<String> = LazyLock::new(|| named(&STYLE_TEXT, "css"));

static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| named(SCRIPT, "js"));

static ICON_NAME: LazyLock<String> = LazyLock::new(|| named(ICON, "svg"));

fn named(text: &str, ending: &str) -> String {
    let digest = hex::encode(Sha256::digest(text));
    format!("page-{}.{ending}", digest.get(..12).unwrap_or_default())
}

/// Where the style sheet is.
pub(super) fn style() -> String {
    format!("/static/{}", *STYLE_NAME)
}

/// Where the script is.
pub(super) fn script() -> String {
    format!("/static/{}", *SCRIPT_NAME)
}

/// Where the icon of the pages is.
pub(super) fn icon() -> String {
    format!("/static/{}", *ICON_NAME)
}

pub(super) async fn file(Path(name): Path<String>) -> Response {
    let (kind, text) = if name == *STYLE_NAME {
        ("text/css; charset=utf-8", STYLE_TEXT.as_str())
    } else if name == *SCRIPT_NAME {
        ("text/javascript; charset=utf-8", SCRIPT)
    } else if name == *ICON_NAME {
        ("image/svg+xml", ICON)
    } else {
        return (StatusCode::NOT_FOUND, "there is nothing here\n").into_response();
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, text).into_response()
}
