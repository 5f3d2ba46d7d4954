//! The schema by itself, before any of the program: the SQL contract, what the databases refuse, and
//! the two views that judge, `gaps` and `freshness`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests end by panicking"
)]

mod common;

use common::{Backend, TestConnection};
use rstest::rstest;

/// What the views promise, in this order. Further columns only come after these.
const CONTRACT: [(&str, &str); 10] = [
    (
        "trend_history",
        "clip_id, title, author, region, period_days, day, value, fetched_at, last_fetched_at, is_latest, \
         snapshot_id",
    ),
    (
        "country_history",
        "clip_id, title, author, region, period_days, fetched_at, country_code, country, position, score, \
         is_latest",
    ),
    (
        "interest_history",
        "clip_id, title, author, region, period_days, fetched_at, interest_id, interest, position, score, \
         is_latest",
    ),
    (
        "age_history",
        "clip_id, title, author, region, period_days, fetched_at, age_level, score, is_latest",
    ),
    (
        "sound_index",
        "clip_id, title, author, region, day, value, low, high, segment, provisional",
    ),
    (
        "fetch_log",
        "clip_id, title, region, period_days, slot_at, outcome, reason, attempts, credits, http_status, \
         api_code, settled_at",
    ),
    ("credits_by_day", "day, attempts, credits"),
    (
        "chart_history",
        "region, period_days, seen_at, rank, rank_diff, rank_diff_type, clip_id, title, author",
    ),
    ("gaps", "clip_id, region, first_day, last_day, days, reason"),
    (
        "freshness",
        "clip_id, title, region, period, newest_day, last_success_at, age_hours, state",
    ),
];

#[rstest]
#[tokio::test]
async fn views_have_the_columns_of_the_contract(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let database = backend.fresh().await;
    let mut connection = database.migrated().await;
    for (view, columns) in CONTRACT {
        let promised: Vec<_> = columns.split(", ").collect();
        let found = connection.query(&format!("SELECT * FROM {view}")).await.unwrap();
        assert_eq!(found.columns[..promised.len()], promised, "{view}");
    }
}

#[tokio::test]
async fn both_databases_have_the_same_files_tables_and_columns() {
    let file_names = Backend::BOTH.map(|backend| {
        let name = |path: std::path::PathBuf| path.file_name().unwrap().to_owned();
        backend.migrations().into_iter().map(name).collect::<Vec<_>>()
    });
    assert_eq!(file_names[0], file_names[1]);

    let (sqlite, postgres) = (Backend::Sqlite.fresh().await, Backend::Postgres.fresh().await);
    let (mut sqlite, mut postgres) = (sqlite.migrated().await, postgres.migrated().await);
    let names = common::tables_and_views(&mut sqlite).await;
    assert_eq!(names, common::tables_and_views(&mut postgres).await);
    for name in names {
        let all = format!("SELECT * FROM {name}");
        let columns = sqlite.query(&all).await.unwrap().columns;
        assert_eq!(columns, postgres.query(&all).await.unwrap().columns, "{name}");
    }
}

/// One target (id 1) with a snapshot (id 1) and a fetch (id 1), for rows to refer to.
async fn with_one_of_each(connection: &mut TestConnection) {
    let mut history = History::new(connection, 20_000);
    history.target(1, "7", 86_400).await;
    history.stored(1, 20_000, &[19_999]).await;
}

/// Each would be accepted but for the one thing that its name says.
const BAD_ROWS: &[(&str, &str)] = &[
    (
        "region",
        "INSERT INTO targets (clip_id, region, period, schedule, time_zone, interval_seconds, \
         slots_from, added_at) VALUES ('1', 'USA', '7', 'x', 'UTC', 1, 0, 0)",
    ),
    (
        "period",
        "INSERT INTO targets (clip_id, region, period, schedule, time_zone, interval_seconds, \
         slots_from, added_at) VALUES ('1', 'US', '8', 'x', 'UTC', 1, 0, 0)",
    ),
    (
        "interval",
        "INSERT INTO targets (clip_id, region, period, schedule, time_zone, interval_seconds, \
         slots_from, added_at) VALUES ('1', 'US', '7', 'x', 'UTC', 0, 0, 0)",
    ),
    (
        "tags",
        "INSERT INTO targets (clip_id, region, period, schedule, time_zone, interval_seconds, \
         slots_from, added_at, tags) VALUES ('1', 'US', '7', 'x', 'UTC', 1, 0, 0, '[oops')",
    ),
    (
        "same target",
        "INSERT INTO targets (clip_id, region, period, schedule, time_zone, interval_seconds, \
         slots_from, added_at) SELECT clip_id, region, period, schedule, time_zone, 1, 0, 0 FROM \
         targets",
    ),
    (
        "fetch of no target",
        "INSERT INTO fetches (target_id, slot_at) VALUES (99, 1)",
    ),
    (
        "same slot",
        "INSERT INTO fetches (target_id, slot_at) SELECT target_id, slot_at FROM fetches",
    ),
    (
        "outcome",
        "INSERT INTO fetches (target_id, slot_at, outcome, settled_at) VALUES (1, 1, 'fine', 1)",
    ),
    (
        "outcome without time",
        "INSERT INTO fetches (target_id, slot_at, outcome) VALUES (1, 1, 'stored')",
    ),
    (
        "time without outcome",
        "INSERT INTO fetches (target_id, slot_at, settled_at) VALUES (1, 1, 1)",
    ),
    (
        "failed without reason",
        "INSERT INTO fetches (target_id, slot_at, outcome, settled_at) VALUES (1, 1, 'failed', 1)",
    ),
    (
        "window",
        "INSERT INTO fetches (target_id, slot_at, period_days) VALUES (1, 1, 8)",
    ),
    (
        "no slots",
        "INSERT INTO fetches (target_id, slot_at, slots) VALUES (1, 1, 0)",
    ),
    (
        "fetch of no snapshot",
        "INSERT INTO fetches (target_id, slot_at, snapshot_id) VALUES (1, 1, 99)",
    ),
    (
        "attempt of no fetch",
        "INSERT INTO attempts (fetch_id, n, state, sent_at, credits) VALUES (99, 1, 'sent', 1, 2)",
    ),
    (
        "attempt zero",
        "INSERT INTO attempts (fetch_id, n, state, sent_at, credits) VALUES (1, 0, 'sent', 1, 2)",
    ),
    (
        "state",
        "INSERT INTO attempts (fetch_id, n, state, sent_at, settled_at, credits) VALUES (1, 1, \
         'lost', 1, 1, 2)",
    ),
    (
        "answered without time",
        "INSERT INTO attempts (fetch_id, n, state, sent_at, credits) VALUES (1, 1, 'answered', 1, \
         2)",
    ),
    (
        "negative credits",
        "INSERT INTO attempts (fetch_id, n, state, sent_at, credits) VALUES (1, 1, 'sent', 1, -2)",
    ),
    (
        "attempt of no payload",
        "INSERT INTO attempts (fetch_id, n, state, sent_at, credits, payload_hash) VALUES (1, 1, \
         'sent', 1, 2, unhex('ff'))",
    ),
    (
        "short hash",
        "INSERT INTO payloads (hash, body, size_bytes, received_at) VALUES (unhex('ff'), \
         unhex('ff'), 1, 1)",
    ),
    (
        "snapshot without payload",
        "INSERT INTO snapshots (target_id, period_days, content_hash, payload_hash, \
         first_fetched_at, last_fetched_at) VALUES (1, 7, \
         unhex('0000000000000000000000000000000000000000000000000000000000000000'), \
         unhex('ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff'), 1, 1)",
    ),
    ("extra", "UPDATE snapshots SET extra = '{oops'"),
    (
        "fewer than no confirmations",
        "UPDATE snapshots SET confirmations = -1",
    ),
    (
        "point of no snapshot",
        "INSERT INTO trend_points (snapshot_id, time, value) VALUES (99, 1, 0.5)",
    ),
    (
        "same point",
        "INSERT INTO trend_points (snapshot_id, time, value) SELECT snapshot_id, time, 0.5 FROM \
         trend_points",
    ),
    (
        "point without value",
        "INSERT INTO trend_points (snapshot_id, time, value) VALUES (1, 1, NULL)",
    ),
    (
        "unknown country",
        "INSERT INTO country_scores (snapshot_id, position, country_id, score) VALUES (1, 1, \
         'nowhere', 1)",
    ),
    (
        "unknown interest",
        "INSERT INTO interest_scores (snapshot_id, position, interest_id, score) VALUES (1, 1, \
         'nothing', 1)",
    ),
    (
        "position zero",
        "INSERT INTO related_items (snapshot_id, position, item_id) VALUES (1, 0, '1')",
    ),
    ("target with fetches", "DELETE FROM targets"),
    ("snapshot with points", "DELETE FROM snapshots"),
    (
        "spent less than nothing",
        "INSERT INTO credit_days (day, credits) VALUES (1, -1)",
    ),
];

#[rstest]
#[tokio::test]
async fn bad_rows_are_refused(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = backend.fresh().await;
    let mut connection = database.migrated().await;
    with_one_of_each(&mut connection).await;
    for (name, statement) in BAD_ROWS {
        let error = match connection.execute(statement).await {
            Ok(()) => panic!("{name}: accepted"),
            Err(error) => error.to_string().to_lowercase(),
        };
        let refusal = [
            "constraint",
            "malformed json",
            "invalid input syntax for type json",
        ];
        assert!(
            refusal.iter().any(|words| error.contains(words)),
            "{name}: {error}"
        );
    }
}

/// Writes a history as the program would, by plain SQL. Slots are at 06:15 of a day, counted from 1970.
struct History<'c> {
    connection: &'c mut TestConnection,
    added_day: i64,
    rows: i64,
}

const DAY: i64 = 86_400;
const SLOT: i64 = 6 * 3600 + 15 * 60;

impl<'c> History<'c> {
    fn new(connection: &'c mut TestConnection, added_day: i64) -> Self {
        Self {
            connection,
            added_day,
            rows: 0,
        }
    }

    async fn execute(&mut self, sql: String) {
        let result = self.connection.execute(&sql).await;
        result.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    async fn target(&mut self, id: i64, period: &str, interval: i64) {
        let added_at = self.added_day * DAY;
        self.execute(format!(
            "INSERT INTO targets (id, clip_id, region, period, schedule, time_zone, interval_seconds, \
             slots_from, added_at) \
             VALUES ({id}, '6703723351497508865', 'US', '{period}', '15 6 * * *', 'UTC', {interval}, 0, \
             {added_at})"
        ))
        .await;
    }

    /// A slot that stored these days.
    async fn stored(&mut self, target: i64, day: i64, days: &[i64]) {
        self.stored_at(target, day * DAY + SLOT, days).await;
    }

    async fn stored_at(&mut self, target: i64, at: i64, days: &[i64]) {
        self.rows += 1;
        let row = self.rows;
        let hash = format!("unhex('{row:064x}')");
        let step = days.windows(2).map(|pair| (pair[1] - pair[0]) * DAY).min();
        let step = step.map_or("NULL".to_owned(), |step| step.to_string());
        self.execute(format!(
            "INSERT INTO payloads (hash, body, size_bytes, received_at) VALUES ({hash}, {hash}, 1, {at}); \
             INSERT INTO snapshots (id, target_id, period_days, content_hash, payload_hash, \
             first_fetched_at, last_fetched_at, step_seconds) \
             VALUES ({row}, {target}, 7, {hash}, {hash}, {at}, {at}, {step})"
        ))
        .await;
        for day in days {
            self.execute(format!(
                "INSERT INTO trend_points (snapshot_id, time, value) VALUES ({row}, {day} * {DAY}, 0.5)"
            ))
            .await;
        }
        self.fetch(target, at, "'stored'", "NULL", &row.to_string()).await;
    }

    /// A slot that confirmed the newest snapshot.
    async fn confirmed(&mut self, target: i64, day: i64) {
        let at = day * DAY + SLOT;
        let snapshot = self.rows.to_string();
        self.execute(format!(
            "UPDATE snapshots SET last_fetched_at = {at}, confirmations = confirmations + 1 \
             WHERE id = {snapshot}"
        ))
        .await;
        self.fetch(target, at, "'confirmed'", "NULL", &snapshot).await;
    }

    /// Slots of these days that brought nothing.
    async fn without_answer(
        &mut self,
        target: i64,
        days: impl IntoIterator<Item = i64>,
        outcome: &str,
        reason: &str,
    ) {
        let reason = if reason.is_empty() {
            "NULL".to_owned()
        } else {
            format!("'{reason}'")
        };
        for day in days {
            self.fetch(target, day * DAY + SLOT, &format!("'{outcome}'"), &reason, "NULL")
                .await;
        }
    }

    async fn claimed(&mut self, target: i64, day: i64) {
        self.fetch(target, day * DAY + SLOT, "NULL", "NULL", "NULL").await;
    }

    async fn fetch(&mut self, target: i64, at: i64, outcome: &str, reason: &str, snapshot: &str) {
        let settled = if outcome == "NULL" {
            "NULL".to_owned()
        } else {
            (at + 2).to_string()
        };
        self.execute(format!(
            "INSERT INTO fetches (target_id, slot_at, period_days, outcome, reason, snapshot_id, \
             claimed_at, settled_at) \
             VALUES ({target}, {at}, 7, {outcome}, {reason}, {snapshot}, {at}, {settled})"
        ))
        .await;
    }

    /// The gaps as `first..last reason`, days counted from 1970.
    async fn gaps(&mut self) -> Vec<String> {
        let days_since_1970 = |day: &str| {
            let day: chrono::NaiveDate = day.parse().unwrap();
            (day - chrono::NaiveDate::default()).num_days()
        };
        let rows = self
            .connection
            .query("SELECT first_day, last_day, days, reason FROM gaps ORDER BY first_day")
            .await
            .unwrap();
        rows.rows
            .into_iter()
            .map(|row| {
                let row: Vec<_> = row.into_iter().map(Option::unwrap).collect();
                let (first, last) = (days_since_1970(&row[0]), days_since_1970(&row[1]));
                assert_eq!(row[2], (last - first + 1).to_string());
                format!("{first}..{last} {}", row[3])
            })
            .collect()
    }
}

fn week_before(day: i64) -> Vec<i64> {
    (day - 7..day).collect()
}

const WEEKLY: [i64; 4] = [979, 986, 993, 1000];

/// Each case begins on day 1000, when target 1 (7 days, asked daily) is added.
#[rstest]
#[case::none_when_every_slot_is_stored("stored", &[])]
#[case::in_the_middle("outage", &["1001..1008 server_error"])]
#[case::in_the_middle_while_not_running("downtime", &["1001..1008 missed"])]
#[case::at_the_end("failed now", &["1000..1000 timeout"])]
#[case::none_while_the_newest_slot_is_claimed("claimed now", &[])]
#[case::days_left_out_by_the_service("left out", &["996..996 not_in_answers", "1000..1000 timeout"])]
#[case::the_service_repeats_itself("repeated", &["1000..1001 not_in_answers"])]
#[case::never_any_data("no data", &["999..1002 no_data"])]
#[case::before_the_first_success("late start", &["999..1002 unauthorized"])]
#[case::none_for_an_old_slot_of_a_new_target("old slot", &[])]
#[case::weekly_windows_do_not_fill("outage, weekly beside", &["1001..1008 server_error"])]
#[case::weekly_windows_promise_no_days("weekly only", &[])]
#[case::weekly_windows_do_not_extend("weekly slots later", &[])]
#[case::asked_too_seldom("seldom", &["1000..1022 not_in_answers"])]
#[tokio::test]
async fn gaps_are_days_that_were_waited_for(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] history: &str,
    #[case] expected: &[&str],
) {
    let database = backend.fresh().await;
    let mut connection = database.migrated().await;
    let mut h = History::new(&mut connection, 1000);
    h.target(1, "7", DAY).await;
    match history {
        "stored" => {
            for day in 1000..1010 {
                h.stored(1, day, &week_before(day)).await;
            }
        }
        // The newest window that came before ends with day 1000, the first after begins with 1009.
        "outage" | "outage, weekly beside" => {
            h.stored(1, 1001, &week_before(1001)).await;
            h.without_answer(1, 1002..1016, "failed", "server_error").await;
            h.stored(1, 1016 + 1, &(1009..1016).collect::<Vec<_>>()).await;
            h.stored(1, 1018, &week_before(1018)).await;
            if history != "outage" {
                h.target(2, "120", DAY).await;
                h.stored(2, 1008, &WEEKLY).await;
            }
        }
        "downtime" => {
            h.stored(1, 1001, &week_before(1001)).await;
            h.without_answer(1, 1002..1016, "skipped", "missed").await;
            h.stored(1, 1016, &week_before(1016)).await;
        }
        "failed now" => {
            h.stored(1, 1000, &week_before(1000)).await;
            h.without_answer(1, [1001], "failed", "timeout").await;
        }
        "claimed now" => {
            h.stored(1, 1000, &week_before(1000)).await;
            h.claimed(1, 1001).await;
        }
        "left out" => {
            h.stored(1, 1000, &[993, 994, 995, 997, 998, 999]).await;
            h.without_answer(1, [1001], "failed", "timeout").await;
        }
        "repeated" => {
            h.stored(1, 1000, &week_before(1000)).await;
            h.confirmed(1, 1001).await;
            h.confirmed(1, 1002).await;
        }
        "no data" => h.without_answer(1, 1000..1004, "no_data", "").await,
        "late start" => {
            h.without_answer(1, 1000..1010, "failed", "unauthorized").await;
            h.stored(1, 1010, &week_before(1010)).await;
        }
        // Due at once for its newest past slot, however old; the answer is of today.
        "old slot" => {
            h.stored(1, 970, &week_before(1000)).await;
        }
        "weekly only" => {
            h.execute("UPDATE targets SET period = '120'".to_owned()).await;
            h.stored(1, 1002, &WEEKLY).await;
            h.without_answer(1, 1003..1006, "failed", "timeout").await;
        }
        "weekly slots later" => {
            h.stored(1, 1000, &week_before(1000)).await;
            h.target(2, "120", DAY).await;
            h.stored(2, 1002, &WEEKLY).await;
            h.stored(2, 1005, &WEEKLY).await;
        }
        "seldom" => {
            h.stored(1, 1000, &week_before(1000)).await;
            h.stored(1, 1030, &week_before(1030)).await;
        }
        other => panic!("no history {other}"),
    }
    assert_eq!(h.gaps().await, expected);
}

/// In each case target 1 is asked daily; `now` is that of the database.
#[rstest]
#[case::never_asked("nothing", "new")]
#[case::only_skipped("skipped", "new")]
#[case::first_request_under_way("claimed", "new")]
#[case::yesterdays_newest_day("stored", "fresh")]
#[case::three_days_behind("3 days behind", "fresh")]
#[case::four_days_behind("4 days behind", "stale")]
#[case::nearly_two_intervals("47 hours ago", "fresh")]
#[case::two_intervals("49 hours ago", "late")]
#[case::no_data_after_success("no data", "no_data")]
#[case::no_data_from_the_start("only no data", "no_data")]
#[case::failed_after_success("failed", "failing")]
#[case::rejected_from_the_start("only rejected", "failing")]
#[case::a_skipped_slot_mends_nothing("failed, then skipped", "failing")]
#[case::a_success_mends("failed, then stored", "fresh")]
#[case::stale_comes_before_late("behind, and long ago", "stale")]
#[case::weekly_points_are_older("weekly", "fresh")]
#[case::weekly_points_that_stopped("weekly, stopped", "stale")]
#[tokio::test]
async fn freshness_is_the_first_state_that_holds(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] history: &str,
    #[case] expected: &str,
) {
    let database = backend.fresh().await;
    let mut connection = database.migrated().await;
    let now = match backend {
        Backend::Sqlite => "SELECT unixepoch()",
        Backend::Postgres => "SELECT extract(epoch FROM now())::bigint",
    };
    let now: i64 = connection.column(now).await[0].parse().unwrap();
    let today = now / DAY;
    let mut h = History::new(&mut connection, today - 100);
    h.target(1, "7", DAY).await;
    match history {
        "nothing" => {}
        "skipped" => h.without_answer(1, [today - 1], "skipped", "paused").await,
        "claimed" => h.claimed(1, today).await,
        "stored" => h.stored_at(1, now, &week_before(today)).await,
        "3 days behind" => h.stored_at(1, now, &week_before(today - 2)).await,
        "4 days behind" => h.stored_at(1, now, &week_before(today - 3)).await,
        "47 hours ago" | "49 hours ago" => {
            let hours: i64 = history[..2].parse().unwrap();
            let at = now - hours * 3600;
            h.stored_at(1, at, &week_before(at / DAY)).await;
        }
        "no data" | "failed" => {
            h.stored(1, today - 1, &week_before(today - 1)).await;
            let (outcome, reason) = if history == "failed" {
                ("failed", "timeout")
            } else {
                ("no_data", "")
            };
            h.without_answer(1, [today], outcome, reason).await;
        }
        "only no data" => h.without_answer(1, [today], "no_data", "").await,
        "only rejected" => h.without_answer(1, [today], "rejected", "not_json").await,
        "failed, then skipped" => {
            h.without_answer(1, [today - 1], "failed", "unauthorized").await;
            h.without_answer(1, [today], "skipped", "paused").await;
        }
        "failed, then stored" => {
            h.without_answer(1, [today - 1], "failed", "timeout").await;
            h.stored_at(1, now, &week_before(today)).await;
        }
        "behind, and long ago" => h.stored(1, today - 10, &week_before(today - 20)).await,
        "weekly" => {
            let days = [today - 34, today - 27, today - 20, today - 13];
            h.stored_at(1, now, &days).await;
        }
        "weekly, stopped" => h.stored_at(1, now, &[today - 36, today - 29, today - 22]).await,
        other => panic!("no history {other}"),
    }
    assert_eq!(connection.column("SELECT state FROM freshness").await, [expected]);

    connection
        .execute("UPDATE targets SET removed_at = 1")
        .await
        .unwrap();
    let none: [&str; 0] = [];
    assert_eq!(connection.column("SELECT state FROM freshness").await, none);
}
