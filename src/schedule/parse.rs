//! The texts of a schedule: the cron expression and the name of the time zone.

use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};

use super::ScheduleError;
use crate::problem::nearest;
use crate::words::counted;

/// The names that stand for an expression.
const NAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The fields of an expression, in its order.
const FIELDS: [&str; 6] = [
    "second",
    "minute",
    "hour",
    "day of the month",
    "month",
    "day of the week",
];

/// Finds a time zone by its IANA name.
pub(super) fn zone(name: &str) -> Result<Tz, ScheduleError> {
    name.parse().map_err(|_| {
        let is_its_city = |known: &&'static str| {
            let city = known.rsplit('/').next().unwrap_or(known);
            city.replace('_', " ").eq_ignore_ascii_case(name)
        };
        let names = || TZ_VARIANTS.iter().map(|tz| tz.name());
        ScheduleError::Zone {
            zone: name.to_owned(),
            nearest: names().find(is_its_city).or_else(|| nearest(name, names())),
        }
    })
}

/// Reads a cron expression or a name; the error says which part is wrong.
pub(super) fn cron(expression: &str) -> Result<Cron, String> {
    let written = expression.trim();
    if written.is_empty() {
        return Err("it is empty".to_owned());
    }
    let expanded = match NAMES.iter().find(|(name, _)| written.eq_ignore_ascii_case(name)) {
        Some((_, meaning)) => meaning,
        None if written.starts_with('@') => return Err("there is no such name".to_owned()),
        None => written,
    };
    let mut fields: Vec<&str> = expanded.split_whitespace().collect();
    match fields.len() {
        5 => fields.insert(0, "0"),
        6 => {}
        n => return Err(format!("it has {}, not five or six", counted(n, "field"))),
    }
    parser(&fields)
        .parse(&fields.join(" "))
        .map_err(|whole| blame(&fields, &whole))
        .and_then(|cron| no_empty_parts(&fields).map(|()| cron))
}

/// croner joins two restricted day fields with OR, and looks only at a bare `*`; in the classic
/// cron any field that begins with `*`, such as `*/2`, is joined with AND.
fn parser(fields: &[&str]) -> CronParser {
    let starts_with_star = |i: usize| fields.get(i).is_some_and(|f| f.starts_with('*'));
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .dom_and_dow(starts_with_star(3) || starts_with_star(5))
        .build()
}

/// croner takes `6,` for `6`, and `,` for never.
fn no_empty_parts(fields: &[&str]) -> Result<(), String> {
    let empty = fields.iter().find(|f| f.split(',').any(str::is_empty));
    empty.map_or(Ok(()), |f| Err(format!("the list \"{f}\" has an empty part")))
}

/// Says which field is wrong, which croner does not: each is tried alone.
fn blame(fields: &[&str], whole: &CronError) -> String {
    for (i, (name, field)) in FIELDS.iter().zip(fields).enumerate() {
        let mut alone = ["*"; 6];
        if let Some(place) = alone.get_mut(i) {
            *place = field;
        }
        if let Err(error) = parser(&alone).parse(&alone.join(" ")) {
            return format!("the {name} is \"{field}\": {}", plain(&error));
        }
    }
    plain(whole)
}

/// croner's message without the name of its kind.
fn plain(error: &CronError) -> String {
    match error {
        CronError::InvalidPattern(why) | CronError::ComponentError(why) if why.contains("out of bounds") => {
            "there is no such number".to_owned()
        }
        CronError::InvalidPattern(why) | CronError::ComponentError(why) => why.clone(),
        CronError::IllegalCharacters(_) => "it has a character that cannot stand there".to_owned(),
        other => other.to_string(),
    }
}
