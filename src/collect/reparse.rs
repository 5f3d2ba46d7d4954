//! Reading kept answers again, for no credits: what is derived from them is made anew, and what
//! could not be read may be by now. Nothing is asked.
//!
//! Sound by sound and in parts, so that memory is bounded and it may be interrupted: what was done
//! stays done, and doing it again changes nothing.

mod known;

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use self::known::{Known, Sounds};
use super::pack::unpack;
use super::{Stop, content_hash};
use crate::api::{BODY_LIMIT, Verdict, wire};
use crate::clock::rfc3339;
use crate::model::{AttemptState, Content, Outcome};
use crate::store::settle::reparse::{Kept, Rebuilt};
use crate::store::settle::{AttemptFacts, End, Settlement};
use crate::store::{Store, StoreError};

/// Sounds whose answers are read together.
const SOUNDS: i64 = 16;

/// Answers in one transaction.
const PART: usize = 256;

/// Answers that can't be read which are named one by one.
const NAMED: usize = 20;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reparsed {
    /// Kept answers that were read.
    pub answers: u64,
    /// Snapshots that were made anew.
    pub snapshots: u64,
    /// Fetches that came to something else than before, by what they came to.
    pub changed: BTreeMap<&'static str, u64>,
    /// Snapshots whose answer can't be read any more: they stay as they were.
    pub unreadable: u64,
    /// The first of these, for people.
    pub unreadable_answers: Vec<String>,
    /// Asked to stop before the end.
    pub stopped: bool,
}

/// What a kept answer means now.
#[derive(Debug)]
enum Meaning {
    /// The snapshot that it made, as it reads now.
    Snapshot(Box<Rebuilt>),
    /// The fetch comes to something else.
    Changed(Box<Settlement>),
    /// Content of which another answer was faster.
    Late(Box<Content>),
    /// It made a snapshot, and can't be read now: why.
    Unreadable(String),
    /// What it was.
    Same,
}

/// Reads all kept answers again. `progress` hears of every part how many answers it had.
pub async fn reparse(store: &Store, stop: &Stop, progress: &dyn Fn(u64)) -> Result<Reparsed, StoreError> {
    let mut run = Run {
        store,
        known: Known::default(),
        report: Reparsed::default(),
    };
    let mut clips = store.clips_after("", SOUNDS).await?;
    while let Some(last) = clips.last().cloned() {
        run.sounds(&clips, stop, progress).await?;
        if stop.requested() {
            run.report.stopped = true;
            return Ok(run.report);
        }
        clips = store.clips_after(&last, SOUNDS).await?;
    }
    let fields = run.known.unknown_fields();
    // Without what can't be read the counts would be too low.
    let fields = (run.report.unreadable == 0).then_some(fields.as_slice());
    let (countries, interests) = (run.known.countries(), run.known.interests());
    store.put_names(&countries, &interests, fields).await?;
    Ok(run.report)
}

struct Run<'a> {
    store: &'a Store,
    known: Known,
    report: Reparsed,
}

impl Run<'_> {
    /// Reads the answers of some sounds. Snapshots first: what could not be read before is compared
    /// with them.
    async fn sounds(
        &mut self,
        clips: &[String],
        stop: &Stop,
        progress: &dyn Fn(u64),
    ) -> Result<(), StoreError> {
        let attempts = self.store.attempts_kept(clips).await?;
        let mut sounds = Sounds::default();
        let mut changed = Vec::new();
        for part in attempts.chunks(PART) {
            if stop.requested() {
                return Ok(());
            }
            let kept = self.store.kept(part).await?;
            let rebuilt = self.read(&kept, &mut sounds, &mut changed);
            self.store.rewrite(&rebuilt, &[]).await?;
            self.report.snapshots += rebuilt.len() as u64;
            self.report.answers += part.len() as u64;
            progress(part.len() as u64);
        }
        for part in changed.chunks(PART) {
            self.settle_again(part).await?;
        }
        let there = self.store.sounds(clips).await?;
        self.store.put_sounds(&sounds.beside(&there)).await
    }

    /// Reads answers and gives the snapshots that they make; `changed` gets the attempts whose fetch
    /// comes to something else.
    fn read(&mut self, kept: &[Kept], sounds: &mut Sounds, changed: &mut Vec<i64>) -> Vec<Rebuilt> {
        let mut rebuilt = Vec::new();
        let mut ids = HashSet::new();
        for answer in kept {
            let clip = answer.claim.ask.clip_id.as_str();
            match meaning(answer) {
                Meaning::Snapshot(snapshot) => {
                    if !ids.insert(snapshot.history.id) {
                        continue;
                    }
                    self.known.snapshot(&snapshot);
                    let history = snapshot.history;
                    sounds.seen(
                        clip,
                        &snapshot.content.sound,
                        (history.first_fetched_at, history.last_fetched_at),
                    );
                    rebuilt.push(*snapshot);
                }
                Meaning::Changed(settlement) => {
                    if let End::Content { content, .. } = &settlement.end {
                        self.known.names(content, (answer.at, i64::MAX));
                        self.known.fields(content, 1, (answer.at, answer.at));
                        sounds.seen(clip, &content.sound, (answer.at, answer.at));
                    }
                    changed.push(answer.claim.attempt_id);
                }
                Meaning::Late(content) => {
                    self.known.fields(&content, 1, (answer.at, answer.at));
                    sounds.seen(clip, &content.sound, (answer.at, answer.at));
                }
                Meaning::Unreadable(why) => {
                    sounds.unreadable(clip);
                    self.unreadable(answer, &why);
                }
                Meaning::Same => {}
            }
        }
        rebuilt
    }

    async fn settle_again(&mut self, attempts: &[i64]) -> Result<(), StoreError> {
        let kept = self.store.kept(attempts).await?;
        let changed: Vec<Settlement> = kept
            .iter()
            .filter_map(|answer| match meaning(answer) {
                Meaning::Changed(settlement) => Some(*settlement),
                _ => None,
            })
            .collect();
        for (outcome, _) in self.store.rewrite(&[], &changed).await?.into_iter().flatten() {
            *self.report.changed.entry(outcome.as_str()).or_default() += 1;
        }
        Ok(())
    }

    fn unreadable(&mut self, answer: &Kept, why: &str) {
        self.report.unreadable += 1;
        if self.report.unreadable_answers.len() < NAMED {
            let (ask, slot) = (&answer.claim.ask, rfc3339(answer.claim.slot_at));
            self.report
                .unreadable_answers
                .push(format!("{ask}, slot {slot}: {why}"));
        }
    }
}

/// Decides from a kept answer alone what it means now.
fn meaning(kept: &Kept) -> Meaning {
    let made = kept.snapshot.filter(|_| kept.ended.is_some());
    let unusable = |why: String| match made {
        Some(_) => Meaning::Unreadable(why),
        None => Meaning::Same,
    };
    // Of such an answer only the beginning was kept.
    if usize::try_from(kept.payload.size_bytes).is_ok_and(|size| size > BODY_LIMIT) {
        return unusable("only its beginning was kept".to_owned());
    }
    let bytes = match unpack(&kept.payload) {
        Ok(bytes) => bytes,
        Err(why) => return unusable(why),
    };
    let status = u16::try_from(kept.http_status).unwrap_or_default();
    let reading = wire::read(&kept.claim.ask, status, &bytes);
    let error = reading.error.clone();
    let attempt = AttemptFacts {
        state: AttemptState::Answered,
        http_status: Some(kept.http_status),
        api_code: reading.api_code,
        message: reading.message,
        request_id: reading.request_id,
        latency_ms: kept.latency_ms,
        error: reading.error,
        // What it cost is settled, and stays.
        charged: true,
        credits: 0,
    };
    let end = match reading.verdict {
        Verdict::Content(content) => End::Content {
            hash: content_hash(&content),
            content,
        },
        Verdict::NoData => End::NoData,
        Verdict::Rejected(reason) => End::Rejected(reason),
        Verdict::Refused(reason) | Verdict::Failed(reason) => End::Failed(reason),
        // Another attempt followed, or none was left: that does not stand in the answer.
        Verdict::Retry { .. } => End::Retrying,
    };
    match (end, made, &kept.ended) {
        (End::Content { content, hash }, Some(history), _) => Meaning::Snapshot(Box::new(Rebuilt {
            target_id: kept.claim.target_id,
            ask: kept.claim.ask.clone(),
            history,
            payload_hash: kept.payload.hash,
            content,
            hash,
        })),
        (_, Some(_), _) => Meaning::Unreadable(error.unwrap_or_else(|| "it is no content".to_owned())),
        (End::Content { content, .. }, None, None) => Meaning::Late(content),
        (_, None, None) => Meaning::Same,
        (end, None, Some((outcome, reason))) if is_same(&end, *outcome, reason.as_deref()) => Meaning::Same,
        (end, None, Some(_)) => Meaning::Changed(Box::new(Settlement {
            claim: kept.claim.clone(),
            at: kept.at,
            attempt,
            payload: Some(kept.payload.clone()),
            end,
        })),
    }
}

/// Whether an answer without a snapshot still means what its fetch came to.
fn is_same(end: &End, outcome: Outcome, reason: Option<&str>) -> bool {
    match end {
        // With a snapshot it would not be asked.
        End::Content { .. } => false,
        End::NoData => outcome == Outcome::NoData,
        End::Rejected(now) => outcome == Outcome::Rejected && reason == Some(now.as_str()),
        End::Failed(now) => outcome == Outcome::Failed && reason == Some(now.as_str()),
        End::Retrying => true,
    }
}
