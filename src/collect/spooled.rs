//! Answers that have come while the database was away: kept in the spool, settled on return.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Collector, PassError, Tally, charts, content_hash};
use crate::api::{BODY_LIMIT, Verdict, wire};
use crate::model::{Claim, Reason};
use crate::spool::{Left, Slot};
use crate::store::StoreError;
use crate::store::settle::{AttemptFacts, End, Payload, Settlement, Waiting};

/// A settlement with the room that was reserved for it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) settlement: Settlement,
    pub(super) slot: Slot,
}

impl Answer {
    pub(super) fn target_id(&self) -> i64 {
        self.settlement.claim.target_id
    }
}

/// The first line of a record in the spool, as JSON; the payload follows as it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Facts<C = Claim> {
    pub(super) claim: C,
    pub(super) at: i64,
    pub(super) attempt: AttemptFacts,
    pub(super) end: EndFacts,
    pub(super) size_bytes: Option<i64>,
}

/// What became of the fetch; content is read again from the payload.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum EndFacts {
    Content,
    NoData,
    Rejected(Reason),
    Failed(Reason),
    Retrying,
}

impl Collector {
    /// Keeps answers that the database did not take. What the spool does not take either stays in
    /// memory, and is tried again with the next pass.
    pub(super) fn keep(&self, answers: Vec<Answer>) {
        for answer in answers {
            let Answer { settlement, slot } = answer;
            let record = encode(&settlement);
            // Another file, if that one fails: what a failed fsync left behind is unknown.
            let kept = slot
                .keep(&record)
                .or_else(|_| self.spool.reserve()?.keep(&record));
            match kept {
                Ok(()) => tracing::warn!(target = %settlement.claim.ask, "an answer waits in the spool"),
                Err(error) => {
                    tracing::error!(target = %settlement.claim.ask, %error, "an answer waits in memory only: neither the database nor the spool takes it");
                    self.stranded().push(settlement);
                }
            }
        }
    }

    /// Settles what waits, before anything new is asked.
    pub(super) async fn recover(&self, tally: &Tally<'_>) -> Result<(), PassError> {
        let stranded = std::mem::take(&mut *self.stranded());
        for (done, settlement) in stranded.iter().enumerate() {
            if let Err(error) = self.settle_late(settlement, tally).await {
                self.stranded()
                    .extend_from_slice(stranded.get(done..).unwrap_or_default());
                return Err(error.into());
            }
        }
        self.recover_stranded_pages().await?;
        for left in self.spool.left().map_err(|e| self.no_room(e))? {
            match left {
                Left::Record(record, slot) => self.recover_record(&record, slot, tally).await?,
                Left::Torn(path) => {
                    tracing::error!(file = %path.display(), "an answer in the spool is torn: set aside, its slot is asked again");
                }
            }
        }
        Ok(())
    }

    async fn recover_record(&self, record: &[u8], slot: Slot, tally: &Tally<'_>) -> Result<(), PassError> {
        let settled = if charts::is_of_chart(record) {
            self.settle_late_page(record).await
        } else {
            match settlement_of(record) {
                Ok(settlement) => self.settle_late(&settlement, tally).await,
                Err(why) => Err(StoreError::Unreadable(why)),
            }
        };
        match settled {
            Ok(Waiting::Open | Waiting::Settled) => {
                slot.clear().map_err(|e| self.no_room(e))?;
                self.spool.release(slot);
            }
            Ok(Waiting::Foreign) => {
                tracing::error!(file = %slot.path().display(), "an answer in the spool belongs to another database: it stays there");
            }
            // It must not hold up the others.
            Err(error) if error.is_refusal() => {
                let path = slot.set_aside().map_err(|e| self.no_room(e))?;
                tracing::error!(file = %path.display(), %error, "an answer in the spool cannot be settled: set aside");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn settle_late(&self, settlement: &Settlement, tally: &Tally<'_>) -> Result<Waiting, StoreError> {
        let waiting = self.store.waiting(&settlement.claim).await?;
        if waiting == Waiting::Open {
            tracing::info!(target = %settlement.claim.ask, "settling an answer that had to wait");
            self.settle_batch(std::slice::from_ref(settlement), tally).await?;
        }
        Ok(waiting)
    }
}

fn encode(settlement: &Settlement) -> Vec<u8> {
    let facts = Facts {
        claim: settlement.claim.clone(),
        at: settlement.at,
        attempt: settlement.attempt.clone(),
        end: match settlement.end {
            End::Content { .. } => EndFacts::Content,
            End::NoData => EndFacts::NoData,
            End::Rejected(reason) => EndFacts::Rejected(reason),
            End::Failed(reason) => EndFacts::Failed(reason),
            End::Retrying => EndFacts::Retrying,
        },
        size_bytes: settlement.payload.as_ref().map(|payload| payload.size_bytes),
    };
    // Texts, numbers and our own words: there is nothing in it that could fail.
    let mut record = serde_json::to_vec(&facts).unwrap_or_default();
    record.push(b'\n');
    record.extend(settlement.payload.iter().flat_map(|payload| &payload.body));
    record
}

/// What a record of the spool settles; the error says what is wrong with it.
pub fn settlement_of(record: &[u8]) -> Result<Settlement, String> {
    let (facts, packed) = parts(record)?;
    let facts: Facts = serde_json::from_slice(facts).map_err(|e| e.to_string())?;
    let bytes = facts.size_bytes.map(|_| unpacked(packed)).transpose()?;
    let end = match facts.end {
        EndFacts::Content => reread(&facts, bytes.as_deref().unwrap_or_default())?,
        EndFacts::NoData => End::NoData,
        EndFacts::Rejected(reason) => End::Rejected(reason),
        EndFacts::Failed(reason) => End::Failed(reason),
        EndFacts::Retrying => End::Retrying,
    };
    let payload = bytes.zip(facts.size_bytes).map(|(bytes, size_bytes)| Payload {
        hash: Sha256::digest(&bytes).into(),
        body: packed.to_vec(),
        size_bytes,
    });
    Ok(Settlement {
        claim: facts.claim,
        at: facts.at,
        attempt: facts.attempt,
        payload,
        end,
    })
}

/// The first line of a record, and what follows it.
pub(super) fn parts(record: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let line = record
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or("a record without its first line")?;
    let (facts, body) = record.split_at(line);
    Ok((facts, body.get(1..).unwrap_or_default()))
}

pub(super) fn unpacked(packed: &[u8]) -> Result<Vec<u8>, String> {
    zstd::bulk::decompress(packed, BODY_LIMIT + 1).map_err(|e| e.to_string())
}

fn reread(facts: &Facts, bytes: &[u8]) -> Result<End, String> {
    match wire::read(&facts.claim.ask, 200, bytes).verdict {
        Verdict::Content(content) => Ok(End::Content {
            hash: content_hash(&content),
            content,
        }),
        other => Err(format!("the payload reads differently now: {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::pack::pack;
    use crate::model::{Ask, AttemptState, Region, Window};

    fn settlement(end: End, body: Option<&[u8]>) -> Settlement {
        let ask = Ask {
            clip_id: "6703723351497508865".parse().unwrap(),
            region: Region::US,
            window: Window::Days7,
        };
        Settlement {
            claim: Claim {
                fetch_id: 1,
                attempt_id: 2,
                n: 3,
                target_id: 4,
                slot_at: 5,
                sent_at: 6,
                ask,
            },
            at: 7,
            attempt: AttemptFacts {
                state: AttemptState::Answered,
                http_status: Some(200),
                api_code: Some(0),
                message: Some("one\ntwo".to_owned()),
                request_id: None,
                latency_ms: 8,
                error: None,
                charged: true,
                credits: 2,
            },
            payload: body.map(|body| pack(body, i64::try_from(body.len()).unwrap())),
            end,
        }
    }

    #[test]
    fn an_answer_comes_out_of_its_record_as_it_went_in() {
        let recorded = include_bytes!("../../tests/data/music_detail_US_7d.json");
        let asked = settlement(End::NoData, None).claim.ask;
        let Verdict::Content(content) = wire::read(&asked, 200, recorded).verdict else {
            panic!()
        };
        let before = settlement(
            End::Content {
                hash: content_hash(&content),
                content,
            },
            Some(recorded),
        );
        let after = settlement_of(&encode(&before)).unwrap();
        assert_eq!(format!("{after:?}"), format!("{before:?}"));
    }

    #[test]
    fn an_attempt_without_an_answer_comes_out_as_it_went_in() {
        let before = settlement(End::Failed(Reason::CutOff), None);
        let after = settlement_of(&encode(&before)).unwrap();
        assert_eq!(format!("{after:?}"), format!("{before:?}"));
    }
}
