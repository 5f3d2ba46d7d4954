//! The views that can be exported: columns, filters and order of each, in one place. A further view is
//! a further entry; a test compares them with both databases.

use super::Kind;
use super::Kind::{Boolean, Day, Instant, Integer, Real, Text};

/// A view of the SQL contract.
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    /// Its name in the database.
    pub name: &'static str,
    /// Its columns, in their order.
    pub columns: &'static [(&'static str, Kind)],
    /// The columns that `--since` and `--until` look at; `None` where rows have no day.
    pub days: Option<Days>,
    /// What rows are sorted by, NULL first: columns that tell all rows apart.
    pub order: &'static [&'static str],
}

/// The columns, of days or instants, by which rows are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// Not before the first day that is wanted.
    pub since: &'static str,
    /// Not after the last.
    pub until: &'static str,
}

impl Days {
    const fn of(column: &'static str) -> Option<Self> {
        Some(Self {
            since: column,
            until: column,
        })
    }
}

impl View {
    /// What a column holds; `None` if the view has no such column.
    pub fn kind(&self, column: &str) -> Option<Kind> {
        let found = self.columns.iter().find(|(name, _)| *name == column);
        found.map(|(_, kind)| *kind)
    }

    /// The view of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        VIEWS.iter().find(|view| view.name == name)
    }
}

/// All of them.
pub static VIEWS: [View; 10] = [
    View {
        name: "trend_history",
        columns: &[
            ("clip_id", Text),
            ("title", Text),
            ("author", Text),
            ("region", Text),
            ("period_days", Integer),
            ("day", Day),
            ("value", Real),
            ("fetched_at", Instant),
            ("last_fetched_at", Instant),
            ("is_latest", Boolean),
            ("snapshot_id", Integer),
        ],
        days: Days::of("day"),
        order: &["clip_id", "region", "period_days", "snapshot_id", "day"],
    },
    View {
        name: "country_history",
        columns: &[
            ("clip_id", Text),
            ("title", Text),
            ("author", Text),
            ("region", Text),
            ("period_days", Integer),
            ("fetched_at", Instant),
            ("country_code", Text),
            ("country", Text),
            ("position", Integer),
            ("score", Real),
            ("is_latest", Boolean),
        ],
        days: Days::of("fetched_at"),
        order: &[
            "clip_id",
            "region",
            "period_days",
            "fetched_at",
            "position",
            "country_code",
            "score",
        ],
    },
    View {
        name: "interest_history",
        columns: &[
            ("clip_id", Text),
            ("title", Text),
            ("author", Text),
            ("region", Text),
            ("period_days", Integer),
            ("fetched_at", Instant),
            ("interest_id", Text),
            ("interest", Text),
            ("position", Integer),
            ("score", Real),
            ("is_latest", Boolean),
        ],
        days: Days::of("fetched_at"),
        order: &[
            "clip_id",
            "region",
            "period_days",
            "fetched_at",
            "position",
            "interest_id",
            "score",
        ],
    },
    View {
        name: "age_history",
        columns: &[
            ("clip_id", Text),
            ("title", Text),
            ("author", Text),
            ("region", Text),
            ("period_days", Integer),
            ("fetched_at", Instant),
            ("age_level", Integer),
            ("score", Real),
            ("is_latest", Boolean),
        ],
        days: Days::of("fetched_at"),
        order: &[
            "clip_id",
            "region",
            "period_days",
            "fetched_at",
            "age_level",
            "score",
        ],
    },
    View {
        name: "sound_index",
        columns: &[
            ("clip_id", Text),
            ("title", Text),
            ("author", Text),
            ("region", Text),
            ("day", Day),
            ("value", Real),
            ("low", Real),
            ("high", Real),
            ("segment", Integer),
            ("provisional", Boolean),
            ("doubt", Text),
        ],
        days: Days::of("day"),
        order: &["clip_id", "region", "day"],
    },
    View {
        name: "fetch_log",
        columns: &[
            ("clip_id", Text),
            ("title", Text),
            ("region", Text),
            ("period_days", Integer),
            ("slot_at", Instant),
            ("outcome", Text),
            ("reason", Text),
            ("attempts", Integer),
            ("credits", Integer),
            ("http_status", Integer),
            ("api_code", Integer),
            ("settled_at", Instant),
            ("slots", Integer),
            ("period_reason", Text),
        ],
        days: Days::of("slot_at"),
        order: &[
            "clip_id",
            "region",
            "slot_at",
            "period_days",
            "settled_at",
            "attempts",
            "credits",
        ],
    },
    View {
        name: "credits_by_day",
        columns: &[("day", Day), ("attempts", Integer), ("credits", Integer)],
        days: Days::of("day"),
        order: &["day"],
    },
    View {
        name: "gaps",
        columns: &[
            ("clip_id", Text),
            ("region", Text),
            ("first_day", Day),
            ("last_day", Day),
            ("days", Integer),
            ("reason", Text),
        ],
        // A gap is chosen when any day of it is.
        days: Some(Days {
            since: "last_day",
            until: "first_day",
        }),
        order: &["clip_id", "region", "first_day"],
    },
    View {
        name: "freshness",
        columns: &[
            ("clip_id", Text),
            ("title", Text),
            ("region", Text),
            ("period", Text),
            ("newest_day", Day),
            ("last_success_at", Instant),
            ("age_hours", Real),
            ("state", Text),
        ],
        days: None,
        order: &["clip_id", "region", "period"],
    },
    View {
        name: "chart_history",
        columns: &[
            ("region", Text),
            ("period_days", Integer),
            ("seen_at", Instant),
            ("rank", Integer),
            ("rank_diff", Integer),
            ("rank_diff_type", Integer),
            ("clip_id", Text),
            ("title", Text),
            ("author", Text),
            ("new_to_top_100", Boolean),
            ("commercial", Boolean),
            ("position", Integer),
        ],
        days: Days::of("seen_at"),
        order: &[
            "region",
            "period_days",
            "new_to_top_100",
            "commercial",
            "seen_at",
            "position",
            "clip_id",
        ],
    },
];

#[cfg(test)]
pub(super) mod tests {
    use super::super::Cell;
    use super::*;

    /// A view with a column of each kind.
    pub(in super::super) static ALL_KINDS: View = View {
        name: "all_kinds",
        columns: &[
            ("text", Text),
            ("integer", Integer),
            ("real", Real),
            ("boolean", Boolean),
            ("day", Day),
            ("instant", Instant),
        ],
        days: None,
        order: &[],
    };

    /// A row of it, of 2026-02-03 06:15:01.
    pub(in super::super) fn sample(text: &str) -> [Cell<'_>; 6] {
        [
            Cell::Text(text),
            Cell::Integer(-7),
            Cell::Real(1.0),
            Cell::Boolean(true),
            Cell::Day(20_487),
            Cell::Instant(20_487 * 86_400 + 22_501),
        ]
    }

    #[test]
    fn filters_and_orders_name_columns_that_there_are() {
        for view in &VIEWS {
            let days = view.days.iter().flat_map(|days| [days.since, days.until]);
            for column in days.clone() {
                assert!(
                    matches!(view.kind(column), Some(Day | Instant)),
                    "{} {column}",
                    view.name
                );
            }
            for column in view.order {
                assert!(view.kind(column).is_some(), "{} {column}", view.name);
            }
        }
    }
}
