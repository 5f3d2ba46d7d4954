//! How fast the key may be used: one pace for all requests of this process, and with several workers
//! on one database an equal share of it for each.
//!
//! It follows what the API says. A 429 stops everything for as long as the API asks, and halves
//! the rate; each ten seconds' worth of good answers gives back a tenth of the configured rate.
//! Others may use the key too, so a lasting lower rate is normal.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::clock::Clock;

/// The rate does not fall below this, unless less is configured.
const SLOWEST: f64 = 1.0;

/// The refusals of one wave, sent before the first of them was answered, come within this time.
const WAVE: Duration = Duration::from_secs(1);

/// The limiter for the key.
pub struct Pace {
    clock: Clock,
    configured: f64,
    state: Mutex<State>,
}

struct State {
    /// Of the configured rate, what is this worker's.
    share: f64,
    limiter: Arc<DefaultDirectRateLimiter>,
    rate: f64,
    /// Good answers since the rate changed.
    good: f64,
    paused_until: Duration,
    wave_until: Duration,
}

impl Pace {
    /// A pace of so many requests a second, of which a tenth may come at once.
    pub fn new(requests_per_second: f64, clock: Clock) -> Self {
        // Whatever is configured, here it is a rate.
        let rate = if requests_per_second > 0.0 {
            requests_per_second.clamp(1e-6, 1e9)
        } else {
            SLOWEST
        };
        Self {
            clock,
            configured: rate,
            state: Mutex::new(State {
                share: rate,
                limiter: limiter(rate),
                rate,
                good: 0.0,
                paused_until: Duration::ZERO,
                wave_until: Duration::ZERO,
            }),
        }
    }

    /// Waits until one more request may be sent.
    ///
    /// A pause is waited for with the clock; the rate always in real time.
    pub async fn ready(&self) {
        loop {
            let (pause, limiter) = {
                let state = self.state();
                (self.left_of(state.paused_until), Arc::clone(&state.limiter))
            };
            if !pause.is_zero() {
                self.clock.sleep(pause).await;
                continue;
            }
            limiter.until_ready().await;
            // A refusal may have come meanwhile, with another rate.
            let state = self.state();
            if self.left_of(state.paused_until).is_zero() && Arc::ptr_eq(&limiter, &state.limiter) {
                return;
            }
        }
    }

    /// Takes up to `n` further permits that need no waiting, and says how many.
    pub fn try_more(&self, n: usize) -> usize {
        let state = self.state();
        if !self.left_of(state.paused_until).is_zero() {
            return 0;
        }
        (0..n).take_while(|_| state.limiter.check().is_ok()).count()
    }

    /// Sends nothing for that long; a longer pause that is under way stays.
    pub fn pause_for(&self, pause: Duration) {
        let until = self.clock.monotonic().saturating_add(pause);
        let mut state = self.state();
        state.paused_until = state.paused_until.max(until);
    }

    /// After a 429: pauses, and halves the rate once for all refusals of one wave.
    pub fn refused(&self, pause: Duration) {
        self.pause_for(pause);
        let now = self.clock.monotonic();
        let mut state = self.state();
        if state.wave_until <= now {
            let slowest = SLOWEST.min(state.share);
            let rate = (state.rate / 2.0).max(slowest);
            state.change_to(rate);
        }
        state.wave_until = state.paused_until.max(now.saturating_add(WAVE));
    }

    /// After any answer but a 429.
    pub fn accepted(&self) {
        let mut state = self.state();
        if state.rate >= state.share {
            return;
        }
        state.good += 1.0;
        if state.good >= state.rate * 10.0 {
            let rate = (state.rate + state.share / 10.0).min(state.share);
            state.change_to(rate);
        }
    }

    /// Divides the configured rate among so many workers.
    pub fn share(&self, workers: usize) {
        let mut state = self.state();
        let share = self.configured / workers.max(1) as f64;
        if share.to_bits() == state.share.to_bits() {
            return;
        }
        // What the API has asked for by refusing stays in proportion.
        let rate = state.rate * share / state.share;
        state.share = share;
        state.change_to(rate);
    }

    /// Requests a second at present.
    pub fn rate(&self) -> f64 {
        self.state().rate
    }

    /// For how long nothing may be sent, because the API asked for it.
    pub fn pause_left(&self) -> Duration {
        self.left_of(self.state().paused_until)
    }

    fn left_of(&self, until: Duration) -> Duration {
        until.saturating_sub(self.clock.monotonic())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change_to(&mut self, rate: f64) {
        self.good = 0.0;
        if rate.to_bits() != self.rate.to_bits() {
            self.rate = rate;
            self.limiter = limiter(rate);
        }
    }
}

fn limiter(rate: f64) -> Arc<DefaultDirectRateLimiter> {
    let one = NonZeroU32::MIN;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the rate is clamped"
    )]
    let burst = NonZeroU32::new((rate / 10.0) as u32).unwrap_or(one);
    let quota = Quota::with_period(Duration::from_secs_f64(1.0 / rate))
        .unwrap_or_else(|| Quota::per_second(one))
        .allow_burst(burst);
    Arc::new(RateLimiter::direct(quota))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tenth_of_the_rate_may_come_at_once_and_no_more() {
        let pace = Pace::new(50.0, Clock::System);
        pace.ready().await;
        assert_eq!(pace.try_more(100), 4);
        assert_eq!(pace.try_more(1), 0);
    }

    #[test]
    fn a_slow_rate_still_lets_one_through() {
        let pace = Pace::new(0.2, Clock::System);
        assert_eq!(pace.try_more(3), 1);
    }

    #[tokio::test]
    async fn a_pause_stops_everything_until_it_is_over() {
        let clock = Clock::manual(1_000);
        let pace = Pace::new(100_000.0, clock.clone());
        pace.pause_for(Duration::from_secs(3_600));
        pace.pause_for(Duration::from_secs(5));
        assert_eq!(pace.try_more(5), 0);
        pace.ready().await;
        assert_eq!(clock.now(), 4_600);
        assert_eq!(pace.try_more(5), 5);
    }

    #[test]
    fn workers_divide_the_rate_and_what_refusals_have_left_of_it() {
        let pace = Pace::new(30.0, Clock::manual(1_000));
        pace.share(3);
        assert!((pace.rate() - 10.0).abs() < 1e-9);
        pace.refused(Duration::ZERO);
        assert!((pace.rate() - 5.0).abs() < 1e-9);
        pace.share(1);
        assert!((pace.rate() - 15.0).abs() < 1e-9);
        (0..10_000).for_each(|_| pace.accepted());
        assert!((pace.rate() - 30.0).abs() < 1e-9);
    }

    #[test]
    fn the_refusals_of_one_wave_halve_the_rate_once() {
        let clock = Clock::manual(1_000);
        let pace = Pace::new(40.0, clock.clone());
        for _ in 0..8 {
            pace.refused(Duration::from_secs(1));
        }
        assert!((pace.rate() - 20.0).abs() < 1e-9);
        clock.set(1_002);
        pace.refused(Duration::ZERO);
        assert!((pace.rate() - 10.0).abs() < 1e-9);
    }

    #[test]
    fn the_rate_falls_to_one_a_second_at_most_and_rises_by_tenths() {
        let clock = Clock::manual(0);
        let pace = Pace::new(5.0, clock.clone());
        for wave in 1..10 {
            clock.set(wave * 100);
            pace.refused(Duration::from_secs(60));
        }
        assert!((pace.rate() - 1.0).abs() < 1e-9);
        (0..10).for_each(|_| pace.accepted());
        assert!((pace.rate() - 1.5).abs() < 1e-9);
        (0..1_000).for_each(|_| pace.accepted());
        assert!((pace.rate() - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_rate_below_one_a_second_is_not_raised_by_a_refusal() {
        let pace = Pace::new(0.2, Clock::manual(0));
        pace.refused(Duration::from_secs(1));
        assert!((pace.rate() - 0.2).abs() < 1e-9);
    }
}
