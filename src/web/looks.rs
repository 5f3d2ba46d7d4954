//! What takes a look at all targets.

use std::sync::Arc;

use super::Site;
use super::kept::Kept;
use super::metrics;
use crate::clock::Clock;
use crate::collect::{catch_up_from, newest_slots};
use crate::forecast::{Forecast, Standing};
use crate::store::StoreError;

/// Days that are held against the budget.
const FORECAST_DAYS: i64 = 14;

/// The live targets of each state.
type States = Vec<(String, i64)>;

/// Cron expression, zone, and how many live targets have it.
pub(super) type Schedules = Vec<(String, String, i64)>;

/// The newest looks.
#[derive(Debug, Default)]
pub struct Looks {
    states: Arc<Kept<States>>,
    plan: Arc<Kept<Plan>>,
}

/// The schedules, and what is due of them.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    schedules: Arc<Schedules>,
    /// Slots that will be asked, with those that were skipped and may come again.
    due_now: i64,
}

impl Site {
    /// The live targets by state, worst first.
    pub(super) async fn target_states(&self) -> Result<States, StoreError> {
        let store = self.store.clone();
        let look = async move {
            let states = store.target_states().await?;
            metrics::tell_states(&states);
            Ok(states)
        };
        self.looks.states.get(&Clock::System, look).await
    }

    /// What the targets will cost, and the schedules they have.
    pub(super) async fn forecast(&self, now: i64) -> Result<(Forecast, Arc<Schedules>), StoreError> {
        let plan = self.plan(now).await?;
        let standing = Standing {
            spent: self.store.spent(now).await?,
            due_now: plan.due_now,
        };
        let (discover, budget) = (self.discover.as_ref(), self.vitals.budget());
        let forecast =
            Forecast::of_schedules(&plan.schedules, discover, budget, standing, now, FORECAST_DAYS);
        Ok((forecast, plan.schedules))
    }

    /// Kept for real time, also in a demo that lives through days in seconds.
    pub(super) async fn plan(&self, now: i64) -> Result<Plan, StoreError> {
        let (store, from) = (self.store.clone(), catch_up_from(self.catch_up, now));
        let look = async move {
            let schedules = store.schedules_of_targets().await?;
            let pairs = schedules.iter().map(|(s, zone, _)| (s.as_str(), zone.as_str()));
            let newest = newest_slots(pairs, now);
            let (due_now, backlog) =
                tokio::try_join!(store.due_count(&newest, from), store.backlog(&newest, from))?;
            metrics::tell_backlog(backlog, now);
            Ok(Plan {
                due_now,
                schedules: Arc::new(schedules),
            })
        };
        self.looks.plan.get(&Clock::System, look).await
    }
}
