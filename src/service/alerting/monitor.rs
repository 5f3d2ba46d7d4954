//! Calls the heartbeat URL as long as all is well, so that silence raises the alarm elsewhere.

use std::time::Duration;

use super::{Around, Known, send};
/// When nothing is due, it is called so often (seconds).
const IDLE: i64 = 3_600;

/// However many passes there are, it is called at most so often (seconds).
const AT_MOST_EVERY: i64 = 60;

/// A loop that has not come by for so long (seconds) is not well.
const LOOP_TAKES: i64 = 300;

/// How often it looks whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Calls it again and again.
pub(super) async fn go_on(around: Around) {
    let Around {
        clock,
        mut known,
        mut stop,
        ..
    } = around;
    let mut last = Last::default();
    while !stop.requested() {
        let now_known = known.borrow_and_update().clone();
        let now = clock.now();
        if let Some(url) = &now_known.alerts.heartbeat_url
            && last.is_time(&now_known, now)
        {
            last = Last {
                at: Some(now),
                good_passes: now_known.good_passes,
            };
            if let Err(error) = send::get(url, &clock, &stop).await {
                tracing::warn!(
                    error,
                    "the heartbeat URL could not be called (alerts.heartbeat_url)"
                );
            }
        }
        tokio::select! {
            changed = known.changed() => if changed.is_err() { return },
            () = clock.sleep(LOOK_EVERY) => {}
            () = stop.wait() => return,
        }
    }
}

/// The last call.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    at: Option<i64>,
    good_passes: u64,
}

impl Last {
    fn is_time(self, known: &Known, now: i64) -> bool {
        let well = known.is_well && known.database_away.is_none() && now - known.last_beat < LOOP_TAKES;
        let Some(at) = self.at.filter(|at| *at <= now) else {
            return well;
        };
        let passed = self.good_passes != known.good_passes && now - at >= AT_MOST_EVERY;
        well && (passed || now - at >= IDLE)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::alert::Health;
    use crate::config::load_from;

    const NOW: i64 = 1_770_015_600;

    fn known() -> Known {
        let config = load_from(None, &[], std::path::Path::new("/")).unwrap();
        Known {
            alerts: config.alerts,
            budget: config.budget,
            key_fingerprint: String::new(),
            health: Health::default(),
            database_away: None,
            settled: 2,
            good_passes: 2,
            is_well: true,
            last_beat: NOW,
        }
    }

    #[rstest]
    #[case::the_first_time(None, 2, true)]
    #[case::after_a_good_pass(Some(60), 1, true)]
    #[case::after_one_pass_of_many(Some(59), 1, false)]
    #[case::nothing_was_due(Some(3_599), 2, false)]
    #[case::nothing_was_due_for_an_hour(Some(3_600), 2, true)]
    #[case::the_clock_went_back(Some(-60), 2, true)]
    fn it_is_called_after_good_passes_and_once_an_hour(
        #[case] before: Option<i64>,
        #[case] good_passes: u64,
        #[case] time: bool,
    ) {
        let last = Last {
            at: before.map(|seconds| NOW - seconds),
            good_passes,
        };
        assert_eq!(last.is_time(&known(), NOW), time);
    }

    #[test]
    fn what_is_not_well_stays_silent() {
        let silent = |edit: fn(&mut Known)| {
            let mut known = known();
            edit(&mut known);
            !Last::default().is_time(&known, NOW)
        };
        assert!(silent(|known| known.is_well = false));
        assert!(silent(|known| known.database_away = Some((NOW, String::new()))));
        assert!(silent(|known| known.last_beat = NOW - LOOP_TAKES));
        assert!(!silent(|_| {}));
    }
}
