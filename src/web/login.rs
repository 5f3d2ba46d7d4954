//! The way in for a browser where a token is needed: the token once, a cookie from then on.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use super::guard::Guard;
use super::layout;

#[derive(Deserialize)]
pub(super) struct Given {
    token: String,
}

pub(super) async fn form() -> Markup {
    page(None)
}

/// A right token brings the cookie.
pub(super) async fn enter(State(guard): State<Arc<Guard>>, Form(given): Form<Given>) -> Response {
    match guard.cookie() {
        Some(cookie) if guard.is_token(&given.token) => (
            StatusCode::SEE_OTHER,
            [(LOCATION, "/".to_owned()), (SET_COOKIE, cookie)],
        )
            .into_response(),
        _ => (StatusCode::FORBIDDEN, page(Some("That is not the token."))).into_response(),
    }
}

fn page(problem: Option<&str>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (layout::head("Log in"))
            body {
                main {
                    h1 { "soundwatch" }
                    form.login method="post" action="/login" {
                        // Who keeps passwords asks whose this is.
                        input type="text" name="username" value="soundwatch" autocomplete="username" hidden;
                        label for="token" { "Token (the content of " code { "http.token_file" } ")" }
                        input #token type="password" name="token" required autofocus autocomplete="current-password";
                        button { "Log in" }
                    }
                    @if let Some(problem) = problem { p role="alert" { (problem) } }
                }
            }
        }
    }
}
