//! What is told: as a document of ours, or as a text as Slack takes it.

use serde::Serialize;

use crate::clock::rfc3339;
use crate::model::{AlertKind, News};
use crate::store::alerts::Alert;

/// What a webhook gets in the format `json`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    event: News,
    kind: AlertKind,
    subject: &'a str,
    message: String,
    targets: Option<i64>,
    /// RFC 3339, UTC.
    since: String,
    /// RFC 3339, UTC.
    recovered_at: Option<String>,
    /// Who tells it.
    host: &'a str,
}

/// What a webhook gets in the format `slack`.
#[derive(Debug, Serialize)]
pub struct Text {
    text: String,
}

/// News as a document.
pub fn document<'a>(alert: &'a Alert, news: News, host: &'a str) -> Document<'a> {
    Document {
        event: news,
        kind: alert.kind,
        subject: &alert.subject,
        message: message(alert, news),
        targets: alert.targets,
        since: rfc3339(alert.raised_at),
        recovered_at: alert.recovered_at.map(rfc3339),
        host,
    }
}

/// News as a text. Slack takes `<!channel>`, and others `@channel`, for a call to everyone: titles and
/// messages of the API must not make one.
pub fn slack(alert: &Alert, news: News, host: &str) -> Text {
    let text = format!("soundwatch on {host}: {}", message(alert, news));
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@\u{200b}");
    Text { text: escaped }
}

/// For people, on one line.
pub(super) fn message(alert: &Alert, news: News) -> String {
    let message = match news {
        News::Raised => alert.message.clone(),
        News::Grown => format!("More of it: {}", alert.message),
        News::Recovered => format!("{} It began at {}.", over(alert.kind), rfc3339(alert.raised_at)),
    };
    let one_line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.replace(char::is_control, "\u{fffd}")
}

/// What there is to say when it is over.
pub(super) fn over(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::KeyRefused => "Recovered: the API takes the key again, or another one is in use.",
        AlertKind::OutOfCredits => "Recovered: the key has credits again, or another one is in use.",
        AlertKind::Budget80 => "Recovered: less than 80 % of the budget is spent.",
        AlertKind::Budget100 => "Recovered: there is budget again.",
        AlertKind::DatabaseAway => "Recovered: the database is back.",
        AlertKind::NoRoom => "Recovered: there is room for answers again.",
        AlertKind::WatchlistBroken => "Recovered: the watchlist is good again.",
        AlertKind::Failing => "Recovered: no target is failing any more.",
        AlertKind::NoData => "Recovered: no target is without data any more.",
        AlertKind::Stale => "Recovered: no target repeats itself any more.",
    }
}
