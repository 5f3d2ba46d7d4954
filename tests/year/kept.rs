//! What the database says at the end, read with plain SQL.

use std::collections::{BTreeMap, HashMap};

use crate::common::ledger::Ledger;
use crate::server::Asked;

#[derive(Debug)]
pub struct Fetch {
    pub target: usize,
    pub slot: i64,
    pub forced: bool,
    pub outcome: String,
    pub reason: String,
    pub slots: i64,
    pub attempts: Vec<Attempt>,
}

#[derive(Clone, Debug)]
pub struct Attempt {
    pub id: i64,
    pub state: String,
    pub sent_at: i64,
    pub status: String,
    pub code: String,
    pub credits: i64,
    /// The process ended before an answer came.
    pub killed: bool,
}

/// A snapshot with its rows, as texts.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub confirmations: i64,
    pub payload: String,
    /// Facts, trend, countries, interests, ages, related items.
    pub rows: [String; 6],
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// All fetches in the order in which they were first claimed.
pub async fn fetches(ledger: &Ledger, targets: &HashMap<Asked, usize>) -> BTreeMap<i64, Fetch> {
    let sql = "SELECT f.id, t.clip_id, t.region, t.period, f.slot_at, CASE WHEN f.forced THEN 1 ELSE 0 END,
            f.outcome, f.reason, f.slots
        FROM fetches AS f JOIN targets AS t ON t.id = f.target_id ORDER BY f.id";
    let mut fetches = BTreeMap::new();
    for row in ledger.rows(sql).await {
        let words: Vec<&str> = row.split(' ').collect();
        let asked = (words[1].to_owned(), words[2].to_owned(), number(words[3]));
        let fetch = Fetch {
            target: targets[&asked],
            slot: number(words[4]),
            forced: words[5] == "1",
            outcome: words[6].to_owned(),
            reason: words[7].to_owned(),
            slots: number(words[8]),
            attempts: Vec::new(),
        };
        fetches.insert(number(words[0]), fetch);
    }
    let sql = "SELECT fetch_id, id, state, sent_at, http_status, api_code, credits,
            CASE WHEN error = 'the process ended before an answer came' THEN 1 ELSE 0 END
        FROM attempts ORDER BY id";
    for row in ledger.rows(sql).await {
        let words: Vec<&str> = row.split(' ').collect();
        let attempt = Attempt {
            id: number(words[1]),
            state: words[2].to_owned(),
            sent_at: number(words[3]),
            status: words[4].to_owned(),
            code: words[5].to_owned(),
            credits: number(words[6]),
            killed: words[7] == "1",
        };
        fetches.get_mut(&number(words[0])).unwrap().attempts.push(attempt);
    }
    fetches
}

/// All snapshots by target, in the order in which they were stored.
pub async fn snapshots(ledger: &Ledger, targets: &HashMap<Asked, usize>) -> BTreeMap<usize, Vec<Snapshot>> {
    let bools = ["promoted", "is_commercial", "is_search"].map(as_word).join(", ");
    let likes = ["liked", "disliked"].map(as_word).join(", ");
    let facts = format!(
        "SELECT s.id, t.clip_id, t.region, t.period, s.confirmations, s.payload_hash, s.country_code, s.rank,
            s.rank_diff, s.on_list_times, {bools}, s.cml_mid, s.like_count, {likes}, s.popular_days,
            s.current_popularity, s.step_seconds
        FROM snapshots AS s JOIN targets AS t ON t.id = s.target_id ORDER BY s.id"
    );
    let mut lists = Vec::new();
    for (table, columns) in [
        ("trend_points", "time, value"),
        ("country_scores", "position, country_id, score"),
        ("interest_scores", "position, interest_id, score"),
        ("age_scores", "age_level, score"),
        ("related_items", "position, item_id, cover_url"),
    ] {
        lists.push(list(ledger, table, columns).await);
    }
    let mut snapshots: BTreeMap<usize, Vec<Snapshot>> = BTreeMap::new();
    for row in ledger.rows(&facts).await {
        let words: Vec<&str> = row.splitn(7, ' ').collect();
        let id = number(words[0]);
        let asked = (words[1].to_owned(), words[2].to_owned(), number(words[3]));
        let mut rows: [String; 6] = Default::default();
        rows[0] = words[6].to_owned();
        for (row, list) in rows[1..].iter_mut().zip(&mut lists) {
            *row = list.remove(&id).unwrap_or_default();
        }
        let snapshot = Snapshot {
            confirmations: number(words[4]),
            payload: words[5].trim_start_matches("\\x").to_owned(),
            rows,
        };
        snapshots.entry(targets[&asked]).or_default().push(snapshot);
    }
    let orphans: usize = lists.iter().map(HashMap::len).sum();
    assert_eq!(orphans, 0, "rows without a snapshot");
    snapshots
}

fn as_word(column: &str) -> String {
    format!("CASE WHEN s.{column} THEN 'true' WHEN NOT s.{column} THEN 'false' END")
}

/// The rows of a table by snapshot, apart by commas.
async fn list(ledger: &Ledger, table: &str, columns: &str) -> HashMap<i64, String> {
    const PART: i64 = 5_000;
    let mut list: HashMap<i64, String> = HashMap::new();
    let last = number(&ledger.value("SELECT coalesce(max(id), 0) FROM snapshots").await);
    for from in (0..=last).step_by(usize::try_from(PART).unwrap()) {
        let sql = format!(
            "SELECT snapshot_id, {columns} FROM {table}
            WHERE snapshot_id >= {from} AND snapshot_id < {} ORDER BY 1, 2",
            from + PART
        );
        for row in ledger.rows(&sql).await {
            let (id, rest) = row.split_once(' ').unwrap();
            let text = list.entry(number(id)).or_default();
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(rest);
        }
    }
    list
}
