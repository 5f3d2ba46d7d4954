//! Alerts: what a person should look at, told once when it begins.

use super::{Collector, Event, Tally};
use crate::model::{Ask, Outcome};
use crate::store::settle::{Settled, Settlement};

/// So many slots in a row without data are no accident any more.
const WITHOUT_DATA: i64 = 3;

/// Something that goes on and will not mend itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alert {
    /// The API has had no data of a target for so many slots in a row.
    NoData {
        /// What was asked.
        ask: Ask,
        /// Slots that were asked since there was anything else.
        slots: i64,
    },
}

impl Collector {
    /// Raises an alert for each target that has been without data for too long now. It is asked as
    /// often as before: whether it is worth its credits is for people to decide.
    pub(super) async fn alert_without_data(
        &self,
        batch: &[Settlement],
        settled: &[Settled],
        tally: &Tally<'_>,
    ) {
        let without: Vec<&Settlement> = batch
            .iter()
            .zip(settled)
            .filter(|(_, settled)| matches!(settled, Some((Outcome::NoData, _))))
            .map(|(settlement, _)| settlement)
            .collect();
        if without.is_empty() {
            return;
        }
        let targets: Vec<i64> = without.iter().map(|s| s.claim.target_id).collect();
        let alarming = match self.store.without_data_for(&targets, WITHOUT_DATA).await {
            Ok(alarming) => alarming,
            // What was settled is settled all the same.
            Err(error) => return tracing::warn!(%error, "could not count the slots without data"),
        };
        for settlement in without {
            if alarming.contains(&settlement.claim.target_id) {
                let ask = settlement.claim.ask.clone();
                tracing::error!(
                    alert = "no_data",
                    target = %ask,
                    slots = WITHOUT_DATA,
                    "the API has no data of this target, slot after slot: take it off the watchlist if it stays so"
                );
                let slots = WITHOUT_DATA;
                (tally.observe)(Event::Alert(Alert::NoData { ask, slots }));
            }
        }
    }
}
