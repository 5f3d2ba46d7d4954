//! What takes a look at all targets.

use std::sync::Arc;

use super::Site;
use super::kept::Kept;
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
    due: Arc<Kept<Due>>,
}

/// The schedules, and how many slots of them are due.
#[derive(Clone, Debug)]
struct Due {
    schedules: Arc<Schedules>,
    now: i64,
}

impl Site {
    /// The live targets by state, worst first.
    pub(super) async fn target_states(&self) -> Result<States, StoreError> {
        let store = self.store.clone();
        let look = async move { store.target_states().await };
        self.looks.states.get(&self.clock, look).await
    }

    /// What the targets will cost, and the schedules they have.
    pub(super) async fn forecast(&self, now: i64) -> Result<(Forecast, Arc<Schedules>), StoreError> {
        let (store, from) = (self.store.clone(), catch_up_from(self.catch_up, now));
        let look = async move {
            let schedules = store.schedules_of_targets().await?;
            let pairs = schedules.iter().map(|(s, zone, _)| (s.as_str(), zone.as_str()));
            let due = store.due_count(&newest_slots(pairs, now), from).await?;
            Ok(Due {
                schedules: Arc::new(schedules),
                now: due,
            })
        };
        let due = self.looks.due.get(&self.clock, look).await?;
        let standing = Standing {
            spent: self.store.spent(now).await?,
            due_now: due.now,
        };
        let (discover, budget) = (self.discover.as_ref(), self.vitals.budget());
        let forecast = Forecast::of_schedules(&due.schedules, discover, budget, standing, now, FORECAST_DAYS);
        Ok((forecast, due.schedules))
    }
}
