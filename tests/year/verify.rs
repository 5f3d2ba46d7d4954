//! At the end the database must equal what the server's book and the watchlist's history say.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::answer::{Meaning, Sight, Told};
use crate::common::ledger::Ledger;
use crate::kept::{self, Attempt, Fetch, Snapshot};
use crate::server::{Asked, Record};
use crate::watched::{Watched, Window};

pub const ATTEMPTS: usize = 3;

/// What there is to compare with.
pub struct Truth<'a> {
    pub watched: &'a Watched,
    pub records: &'a [Record],
    pub targets: &'a [Asked],
    /// When each session began.
    pub sessions: &'a [i64],
    /// The instant of the last pass.
    pub horizon: i64,
}

/// What a year came to.
#[derive(Debug, Default)]
pub struct Figures {
    pub fetches: usize,
    pub outcomes: BTreeMap<String, usize>,
    pub attempts: usize,
    pub requests: usize,
    pub retries: usize,
    pub not_sent: usize,
    /// Requests without an answer, which may have been charged.
    pub unknown: usize,
    /// Of these the ones of processes that died.
    pub killed: usize,
    /// Of these the ones that never reached the server.
    pub killed_unsent: usize,
    /// Of those that did, the ones that the contract calls free.
    pub killed_free: usize,
    pub snapshots: usize,
    pub credits_in_ledger: i64,
    pub credits_on_server: i64,
}

/// What came of one attempt, as the server knows it.
enum Fate<'a> {
    NotSent,
    Killed,
    Told(&'a Told),
    /// No answer was finished before the client went.
    Nothing,
}

pub async fn verify(ledger: &Ledger, truth: &Truth<'_>) -> Figures {
    let numbers: HashMap<Asked, usize> = truth.targets.iter().cloned().zip(0..).collect();
    let fetches = kept::fetches(ledger, &numbers).await;
    let mut figures = Figures::default();
    let fates = fates(&fetches, truth, &mut figures);
    every_slot_has_one_row(&fetches, truth);
    let windows = truth.watched.expected(truth.horizon);
    for fetch in fetches.values() {
        let fates: Vec<&Fate<'_>> = fetch.attempts.iter().map(|a| &fates[&a.id]).collect();
        every_attempt_is_as_served(fetch, &fates);
        let windows = windows.get(&(fetch.target, fetch.slot)).map(Vec::as_slice);
        no_retry_past_the_next_slot(fetch, windows);
        outcome_follows_from_the_answers(fetch, &fates, windows, truth);
    }
    let expected = expected_snapshots(&fetches, &fates);
    let kept = kept::snapshots(ledger, &numbers).await;
    assert_eq!(
        kept.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (target, expected) in &expected {
        assert_eq!(
            &kept[target], expected,
            "snapshots of {:?}",
            truth.targets[*target]
        );
    }
    count(&mut figures, &fetches, &fates, truth);
    figures.snapshots = expected.values().map(Vec::len).sum();
    figures.credits_in_ledger = ledger.credits().await;
    let unsent = 2 * i64::try_from(figures.killed_unsent + figures.killed_free).unwrap();
    assert_eq!(
        figures.credits_in_ledger,
        figures.credits_on_server + unsent,
        "credits: in the ledger, on the server with what died on the wire: {figures:?}"
    );
    assert_eq!(ledger.findings().await, []);
    figures
}

/// Pairs the attempts of the ledger with the requests of the server's book: both in order, for each
/// sound asked for in each session. Only what a dying process had reserved may lack its request.
fn fates<'a>(
    fetches: &BTreeMap<i64, Fetch>,
    truth: &Truth<'a>,
    figures: &mut Figures,
) -> HashMap<i64, Fate<'a>> {
    let mut sent: BTreeMap<(usize, usize), Vec<&Attempt>> = BTreeMap::new();
    let mut fates = HashMap::new();
    for fetch in fetches.values() {
        for attempt in &fetch.attempts {
            let session = truth.sessions.partition_point(|begun| *begun <= attempt.sent_at) - 1;
            if attempt.state == "not_sent" {
                fates.insert(attempt.id, Fate::NotSent);
            } else {
                sent.entry((fetch.target, session)).or_default().push(attempt);
            }
        }
    }
    let mut came: BTreeMap<(usize, usize), VecDeque<&Record>> = BTreeMap::new();
    let numbers: HashMap<&Asked, usize> = truth.targets.iter().zip(0..).collect();
    for record in truth.records {
        came.entry((numbers[&record.asked], record.session))
            .or_default()
            .push_back(record);
    }
    for (key, mut attempts) in sent {
        attempts.sort_by_key(|attempt| attempt.id);
        let mut records = came.remove(&key).unwrap_or_default();
        for (i, attempt) in attempts.iter().enumerate() {
            let before = attempts.get(i + 1).map_or(i64::MAX, |next| next.sent_at);
            let fate = if attempt.killed {
                match records.pop_front_if(|record| record.at < before) {
                    None => figures.killed_unsent += 1,
                    Some(record) => {
                        figures.killed_free += usize::from(record.told.as_ref().is_some_and(Told::is_free));
                    }
                }
                Fate::Killed
            } else {
                let record = records.pop_front();
                let record = record.unwrap_or_else(|| panic!("invented: {attempt:?} of {key:?}"));
                record.told.as_ref().map_or(Fate::Nothing, Fate::Told)
            };
            fates.insert(attempt.id, fate);
        }
        assert!(records.is_empty(), "not in the ledger: {records:?}");
    }
    assert!(came.is_empty(), "not in the ledger: {came:?}");
    fates
}

fn every_slot_has_one_row(fetches: &BTreeMap<i64, Fetch>, truth: &Truth<'_>) {
    let mut expected: BTreeMap<(usize, i64, bool), usize> = BTreeMap::new();
    for (target, slot) in truth.watched.expected(truth.horizon).into_keys() {
        expected.insert((target, slot, false), 1);
    }
    expected.extend(
        truth
            .watched
            .forced
            .iter()
            .map(|(target, minute)| ((*target, *minute, true), 1)),
    );
    let mut kept: BTreeMap<(usize, i64, bool), usize> = BTreeMap::new();
    for fetch in fetches.values() {
        assert_eq!(fetch.slots, 1, "{fetch:?}");
        *kept.entry((fetch.target, fetch.slot, fetch.forced)).or_default() += 1;
    }
    let lost: Vec<_> = expected.keys().filter(|slot| !kept.contains_key(slot)).collect();
    let invented: Vec<_> = kept.keys().filter(|slot| !expected.contains_key(slot)).collect();
    assert!(
        lost.is_empty() && invented.is_empty(),
        "slots lost: {lost:?}; invented: {invented:?}; watched: {:?}",
        lost.iter()
            .map(|(target, ..)| &truth.watched.watches[target])
            .collect::<Vec<_>>()
    );
    assert_eq!(kept, expected);
}

fn every_attempt_is_as_served(fetch: &Fetch, fates: &[&Fate<'_>]) {
    assert!(fetch.attempts.len() <= ATTEMPTS, "asked too often: {fetch:?}");
    let finals = fates.iter().filter(|fate| is_final(fate)).count();
    assert!(finals <= 1, "paid twice: {fetch:?}");
    for (attempt, fate) in fetch.attempts.iter().zip(fates) {
        let text = |number: Option<i64>| number.map_or("-".to_owned(), |n| n.to_string());
        let (state, status, code, credits) = match fate {
            Fate::NotSent => ("not_sent", None, None, 0),
            Fate::Killed | Fate::Nothing => ("unknown", None, None, 2),
            Fate::Told(told) if !told.whole => ("unknown", Some(told.status), None, 2),
            Fate::Told(told) => (
                "answered",
                Some(told.status),
                told.code,
                if told.is_free() { 0 } else { 2 },
            ),
        };
        let expected = (state, text(status.map(i64::from)), text(code), credits);
        let kept = (
            attempt.state.as_str(),
            attempt.status.clone(),
            attempt.code.clone(),
            attempt.credits,
        );
        assert_eq!(kept, expected, "{fetch:?}");
    }
}

fn is_final(fate: &Fate<'_>) -> bool {
    matches!(fate, Fate::Told(told) if !matches!(told.meaning, Meaning::Retry(_)))
}

fn no_retry_past_the_next_slot(fetch: &Fetch, windows: Option<&[Window]>) {
    let Some(over) = windows.and_then(|windows| windows.iter().map(|w| w.1).max()) else {
        return;
    };
    for retry in fetch.attempts.iter().skip(1) {
        assert!(retry.sent_at < over, "retried past the next slot: {fetch:?}");
    }
}

fn outcome_follows_from_the_answers(
    fetch: &Fetch,
    fates: &[&Fate<'_>],
    windows: Option<&[Window]>,
    truth: &Truth<'_>,
) {
    let kept = (fetch.outcome.as_str(), fetch.reason.as_str());
    let allowed: Vec<(&str, &str)> = match fates.last() {
        None => return not_asked_for_a_reason(fetch, windows, truth),
        Some(Fate::NotSent) => vec![("failed", "connection")],
        Some(Fate::Killed) => vec![("failed", "cut_off")],
        Some(Fate::Nothing) => retried("timeout", fates.len()),
        Some(Fate::Told(told)) => match &told.meaning {
            Meaning::Content(_) => vec![("stored", "-"), ("confirmed", "-")],
            Meaning::NoData => vec![("no_data", "-")],
            Meaning::Rejected(reason) => vec![("rejected", reason)],
            Meaning::Failed(reason) | Meaning::Refused(reason) => vec![("failed", reason)],
            Meaning::Retry(reason) => retried(reason, fates.len()),
        },
    };
    assert!(
        allowed.contains(&kept),
        "{kept:?} is none of {allowed:?}: {fetch:?}"
    );
}

/// Before its last attempt a fetch may be given up because the key was paused meanwhile, because the
/// budget was spent, or because the process died and the next slot had come.
fn retried(reason: &'static str, attempts: usize) -> Vec<(&'static str, &'static str)> {
    let mut allowed = vec![("failed", reason)];
    if attempts < ATTEMPTS {
        allowed.extend([("failed", "budget"), ("failed", "cut_off")]);
    }
    allowed
}

fn not_asked_for_a_reason(fetch: &Fetch, windows: Option<&[Window]>, truth: &Truth<'_>) {
    assert_eq!(fetch.outcome, "skipped", "invented: {fetch:?}");
    if fetch.forced {
        assert_eq!(fetch.reason, "paused", "{fetch:?}");
        return;
    }
    let windows = windows.unwrap().iter();
    let complete = windows
        .flat_map(|window| truth.watched.passes_in(*window))
        .filter(|pass| pass.complete);
    let mut reasons = Vec::new();
    for pass in complete {
        assert!(pass.paused || pass.poor, "{fetch:?} was not asked in {pass:?}");
        reasons.extend(pass.paused.then_some("paused"));
        reasons.extend(pass.poor.then_some("budget"));
    }
    if reasons.is_empty() {
        reasons.push("missed");
    }
    assert!(
        reasons.contains(&fetch.reason.as_str()),
        "none of {reasons:?}: {fetch:?}"
    );
}

/// Contents in the order in which they were asked for: a new one is stored, the same is confirmed.
fn expected_snapshots(
    fetches: &BTreeMap<i64, Fetch>,
    fates: &HashMap<i64, Fate<'_>>,
) -> BTreeMap<usize, Vec<Snapshot>> {
    let mut answers: BTreeMap<i64, (&Fetch, &Sight)> = BTreeMap::new();
    for fetch in fetches.values() {
        for attempt in &fetch.attempts {
            if let Fate::Told(Told {
                meaning: Meaning::Content(sight),
                ..
            }) = &fates[&attempt.id]
            {
                answers.insert(attempt.id, (fetch, sight));
            }
        }
    }
    let mut newest: HashMap<usize, [u8; 32]> = HashMap::new();
    let mut snapshots: BTreeMap<usize, Vec<Snapshot>> = BTreeMap::new();
    for (fetch, sight) in answers.into_values() {
        let of_target = snapshots.entry(fetch.target).or_default();
        if newest.insert(fetch.target, sight.same) == Some(sight.same) {
            assert_eq!(fetch.outcome, "confirmed", "{fetch:?}");
            of_target.last_mut().unwrap().confirmations += 1;
        } else {
            assert_eq!(fetch.outcome, "stored", "{fetch:?}");
            let rows = [
                &sight.facts,
                &sight.trend,
                &sight.countries,
                &sight.interests,
                &sight.ages,
                &sight.related,
            ];
            of_target.push(Snapshot {
                confirmations: 0,
                payload: sight.payload.clone(),
                rows: rows.map(Clone::clone),
            });
        }
    }
    snapshots
}

fn count(
    figures: &mut Figures,
    fetches: &BTreeMap<i64, Fetch>,
    fates: &HashMap<i64, Fate<'_>>,
    truth: &Truth<'_>,
) {
    figures.fetches = fetches.len();
    for fetch in fetches.values() {
        let name = [fetch.outcome.as_str(), fetch.reason.as_str()].join(" ");
        *figures
            .outcomes
            .entry(name.trim_end_matches(" -").to_owned())
            .or_default() += 1;
        figures.attempts += fetch.attempts.len();
        figures.retries += fetch.attempts.len().saturating_sub(1);
        figures.unknown += fetch.attempts.iter().filter(|a| a.state == "unknown").count();
    }
    figures.not_sent = fates
        .values()
        .filter(|fate| matches!(fate, Fate::NotSent))
        .count();
    figures.killed = fates.values().filter(|fate| matches!(fate, Fate::Killed)).count();
    figures.requests = truth.records.len();
    let charged = |record: &&Record| !record.told.as_ref().is_some_and(Told::is_free);
    figures.credits_on_server = 2 * i64::try_from(truth.records.iter().filter(charged).count()).unwrap();
}
