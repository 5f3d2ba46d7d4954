//! The page that stands where there is no other: what is wrong, and the way back.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::layout;
use crate::store::StoreError;

/// Why there is no page.
pub(super) struct Failed {
    status: StatusCode,
    title: &'static str,
    why: String,
}

impl Failed {
    pub(super) fn not_found(why: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            title: "Not found",
            why: why.to_owned(),
        }
    }

    fn bad_address(status: StatusCode, why: String) -> Self {
        Self {
            status,
            title: "This address is not understood",
            why,
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a page could not be made");
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            title: "The database does not answer",
            why: error.to_string(),
        }
    }
}

impl From<QueryRejection> for Failed {
    fn from(rejection: QueryRejection) -> Self {
        let text = rejection.body_text();
        let why = text.strip_prefix("Failed to deserialize query string: ");
        Self::bad_address(rejection.status(), why.unwrap_or(&text).to_owned())
    }
}

impl From<PathRejection> for Failed {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_address(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let content = html! {
            h1 { (self.title) }
            p { (self.why) }
            p { a href="/" { "All sounds" } }
        };
        (self.status, layout::page(self.title, "", None, content)).into_response()
    }
}
