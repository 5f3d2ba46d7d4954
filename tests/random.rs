//! Random lives of a ledger: whatever happens, in whatever order, the promises hold.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

#[allow(unused, reason = "every test file uses a part of it")]
mod common;

use common::Backend;
use common::api::{Breaks, Call, Reply};
use common::ledger::{Ledger, MINUTE, NOW, clip, pass, target};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use soundwatch::schedule::Schedule;
use soundwatch::service::Session;

const TARGETS: usize = 4;
const SCHEDULES: [&str; 3] = ["15 6 * * *", "@hourly", "0 */6 * * *"];
const DAILY_CREDITS: i64 = 30;
const ATTEMPTS: i64 = 3;

#[derive(Clone, Debug)]
enum Step {
    /// Time goes on, or back: by tens of minutes.
    Advance(i64),
    Pass,
    /// The process dies as this many requests have been sent.
    Kill(usize),
    /// A target is taken out of the watchlist, or put in again.
    Toggle(usize),
    Reschedule(usize, usize),
    Force(usize),
    ChangeKey(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..200_i64).prop_map(Step::Advance),
        1 => (-20..0_i64).prop_map(Step::Advance),
        5 => Just(Step::Pass),
        2 => (1..5_usize).prop_map(Step::Kill),
        1 => (1..=TARGETS).prop_map(Step::Toggle),
        1 => ((1..=TARGETS), 0..SCHEDULES.len()).prop_map(|(n, schedule)| Step::Reschedule(n, schedule)),
        1 => (1..=TARGETS).prop_map(Step::Force),
        1 => (0..2_u8).prop_map(Step::ChangeKey),
    ]
}

/// What the API does, one after the other; mostly it is well.
fn reply(call: &Call, kind: u8) -> Reply {
    match kind {
        0..=5 => Reply::trend(call, &[1.0, 0.5]),
        6 => Reply::trend(call, &[0.5, 1.0]),
        7 => Reply::new(500, ""),
        8 => Reply::new(429, "").header("retry-after", 1),
        9 => Reply::trend(call, &[1.0]).breaking(Breaks::InTheBody),
        10 => Reply::new(401, ""),
        11 => Reply::json(&serde_json::json!({"code": 0, "data": []})),
        12 => Reply::new(200, "<html>"),
        _ => Reply::code(404),
    }
}

struct Life {
    ledger: Ledger,
    /// Whether each target is in the watchlist, and its schedule.
    targets: Vec<(bool, usize)>,
    /// Tens of minutes since the beginning, at 07:02: no slot comes within three minutes of such a
    /// time, so that waits between attempts meet none.
    position: i64,
    /// The furthest of these.
    furthest: i64,
}

impl Life {
    async fn new(replies: Vec<u8>) -> Self {
        let script = move |call: &Call| reply(call, replies[call.of_all % replies.len()]);
        let mut ledger = Ledger::new(Backend::Sqlite, 0, script).await;
        ledger.set("budget", "daily_credits", DAILY_CREDITS);
        ledger.set("api", "attempts", ATTEMPTS);
        ledger.set("api", "max_in_flight", 3);
        ledger.clock.set(NOW + 2 * MINUTE);
        Self {
            ledger,
            targets: vec![(true, 0), (true, 1), (true, 2), (false, 0)],
            position: 0,
            furthest: 0,
        }
    }

    async fn make(&mut self, step: &Step) {
        match *step {
            Step::Advance(by) => {
                self.position += by;
                self.furthest = self.furthest.max(self.position);
                self.ledger
                    .clock
                    .set(NOW + 2 * MINUTE + self.position * 10 * MINUTE);
            }
            // With a clock that is wrong, a new schedule begins before rows of the old one: what lies
            // between has no rows then, which nobody needs.
            Step::Toggle(_) | Step::Reschedule(..) if self.position < self.furthest => {}
            Step::Toggle(n) => {
                self.targets[n - 1].0 ^= true;
                self.watching().session().await.close().await.unwrap();
            }
            Step::Reschedule(n, schedule) => {
                self.targets[n - 1].1 = schedule;
                self.watching().session().await.close().await.unwrap();
            }
            Step::ChangeKey(n) => self.ledger.use_key(&format!("sk_test_0123456789abcde{n}")),
            Step::Force(n) => drop(self.watching().force(Some(&[clip(n)])).await),
            Step::Kill(requests) => self.kill(requests).await,
            Step::Pass => {
                let begun = self.ledger.clock.now();
                self.watching().pass().await;
                self.all_slots_have_rows(begun).await;
            }
        }
        self.promises_hold().await;
    }

    fn watching(&mut self) -> &Ledger {
        let wanted =
            |(n, (on, schedule)): (usize, &(bool, usize))| on.then(|| target(n, SCHEDULES[*schedule]));
        self.ledger.wanted = (1..).zip(&self.targets).filter_map(wanted).collect();
        &self.ledger
    }

    async fn kill(&mut self, requests: usize) {
        let ledger = self.watching();
        let session: Session = ledger.session().await;
        let enough = ledger.api.count() + requests;
        let killed = async {
            while ledger.api.count() < enough {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { _ = pass(&session) => {}, () = killed => {} }
        session.collector.store.close().await;
    }

    /// After a pass nothing is open, and each slot that counts has its row.
    async fn all_slots_have_rows(&self, now: i64) {
        let ledger = &self.ledger;
        assert_eq!(
            ledger
                .value("SELECT count(*) FROM fetches WHERE outcome IS NULL")
                .await,
            "0"
        );
        let targets = ledger
            .rows("SELECT id, slots_from, schedule FROM targets WHERE removed_at IS NULL")
            .await;
        for target in targets {
            let mut words = target.splitn(3, ' ');
            let (id, from) = (words.next().unwrap(), words.next().unwrap());
            let schedule = Schedule::parse(words.next().unwrap(), "UTC").unwrap();
            let expected: Vec<i64> = schedule.between(from.parse::<i64>().unwrap() - 1, now).collect();
            let rows = format!("SELECT slot_at FROM fetches WHERE target_id = {id} ORDER BY 1");
            let rows: Vec<i64> = ledger
                .rows(&rows)
                .await
                .iter()
                .map(|at| at.parse().unwrap())
                .collect();
            let without: Vec<_> = expected.iter().filter(|slot| !rows.contains(slot)).collect();
            assert_eq!(without, Vec::<&i64>::new(), "slots of {target} at {now}");
        }
    }

    async fn promises_hold(&self) {
        let ledger = &self.ledger;
        assert_eq!(ledger.findings().await, []);
        let broken = format!(
            "SELECT 'a day over its budget' FROM credit_days WHERE credits > {DAILY_CREDITS}
            UNION ALL
            SELECT 'a slot that was answered twice' FROM attempts WHERE state = 'answered' AND api_code = 0
            GROUP BY fetch_id HAVING count(*) > 1
            UNION ALL
            SELECT 'a slot that was asked too often' FROM attempts WHERE n > {ATTEMPTS}
            UNION ALL
            SELECT 'an attempt with the wrong price' FROM attempts
            WHERE credits <> CASE
                WHEN state = 'not_sent' OR http_status IN (401, 402, 403, 429) THEN 0
                ELSE 2
            END
            UNION ALL
            SELECT 'a slot that was skipped for no reason' FROM fetches
            WHERE outcome = 'skipped' AND reason NOT IN ('budget', 'paused', 'missed', 'removed')"
        );
        assert_eq!(ledger.rows(&broken).await, Vec::<String>::new());
        let attempts: usize = ledger
            .value("SELECT count(*) FROM attempts")
            .await
            .parse()
            .unwrap();
        assert!(
            attempts >= ledger.api.count(),
            "a request that is not in the ledger"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A life takes a second: ten of them, or more with PROPTEST_CASES.
        cases: 10,
        max_shrink_iters: 60,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_promises_hold_whatever_happens(
        steps in proptest::collection::vec(step(), 1..16),
        replies in proptest::collection::vec(0..14_u8, 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut life = Life::new(replies).await;
            for step in std::iter::once(&Step::Pass).chain(&steps) {
                life.make(step).await;
            }
            life.ledger.end().await;
        });
    }
}
