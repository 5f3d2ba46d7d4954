//! What happens in a life, beside that time goes by.

use std::sync::Arc;

use soundwatch::collect::{Stop, Wanted};
use soundwatch::service::Session;
use soundwatch::watchlist::Watchlist;
use tokio::sync::watch;

use crate::common::ledger::MINUTE;
use crate::life::{Life, one_pass};
use crate::outage;

impl Life {
    /// The process is killed while it waits for answers.
    pub async fn die(&mut self) {
        self.count("killed");
        let enough = self.book.count() + self.rng.usize(1..=self.plan.targets.div_ceil(8));
        let begun = self.begin_pass();
        let session = self.session.take().unwrap();
        let book = Arc::clone(&self.book);
        tokio::select! {
            done = one_pass(&session) => drop(done.unwrap()),
            () = book.reached(enough) => {}
        }
        self.session = Some(session);
        self.kill().await;
        self.end_pass(begun, false);
    }

    /// The database refuses to go on in the middle of a pass, and is back for the next.
    pub async fn lose_the_database(&mut self) {
        self.count("outage of the database");
        let enough = self.book.count() + self.rng.usize(1..=self.plan.targets.div_ceil(8));
        let begun = self.begin_pass();
        let session = self.session.take().unwrap();
        let how = outage::Kind::any(self.backend, &mut self.rng);
        let (over, ended) = watch::channel(false);
        let passing = async {
            let result = one_pass(&session).await;
            over.send_replace(true);
            result
        };
        let losing = async {
            let mut ended = ended;
            tokio::select! {
                () = self.book.reached(enough) => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
            how.begin(&self.ledger).await;
        };
        let (_result, ()) = tokio::join!(passing, losing);
        self.session = Some(session);
        self.end_pass(begun, false);
        if self.happens(50) {
            self.count("killed in an outage");
            self.kill().await;
        } else {
            self.ledger.advance(MINUTE);
        }
        how.end(&self.ledger).await;
    }

    /// Nobody listens where the API was.
    pub async fn lose_the_api(&mut self) {
        self.close("outage of the API").await;
        self.ledger.advance(MINUTE);
        let nobody = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        self.ledger.set("api", "base_url", format!("\"http://{nobody}\""));
        self.reopen().await;
        self.passes().await;
        self.close("the API is back").await;
    }

    pub async fn run_out_of_credits(&mut self) {
        self.count("out of credits");
        *self.book.broke.lock().unwrap() = true;
        self.passes().await;
        *self.book.broke.lock().unwrap() = false;
    }

    /// A small budget for this look.
    pub async fn save(&mut self) {
        self.close("a small budget").await;
        let credits = 2 * self.rng.u32(0..100);
        self.ledger.set("budget", "daily_credits", credits);
        self.poor = true;
        self.open().await;
        self.passes().await;
        self.close("the budget is back").await;
        self.ledger.set("budget", "daily_credits", 1_000_000);
        self.poor = false;
    }

    /// A second worker takes part.
    pub async fn share(&mut self) {
        self.count("shared by two");
        let begun = self.begin_pass();
        let one = self.session.take().unwrap();
        let two = self.ledger.session().await;
        sign_of_life(&one).await;
        let (first, second) = tokio::join!(one_pass(&one), one_pass(&two));
        first.and(second).unwrap();
        // What one found claimed by the other it has not looked at: the next pass does.
        self.end_pass(begun, false);
        two.close().await.unwrap();
        sign_of_life(&one).await;
        self.session = Some(one);
    }

    /// The watchlist is edited.
    pub async fn edit(&mut self) {
        if !self.quiet().await {
            return;
        }
        for _ in 0..1 + self.rng.usize(0..3) {
            let target = self.rng.usize(0..self.asked.len());
            let now = self.now();
            if !self.watched.is_watched(target) {
                self.count(if self.watched.was_watched(target) {
                    "returned"
                } else {
                    "added"
                });
                self.add(target);
            } else if self.happens(50) {
                self.count("removed");
                self.watched.end(target, now);
            } else {
                self.count("rescheduled");
                let times = self.times();
                self.watched.change(target, times, now);
            }
        }
        self.ledger.wanted = self.wanted();
        let watchlist = Watchlist {
            targets: self.ledger.wanted.clone(),
            warnings: Vec::new(),
        };
        self.session.as_ref().unwrap().sync(&watchlist).await.unwrap();
    }

    /// Some sounds are asked for beside their schedule.
    pub async fn ask_by_hand(&mut self) {
        if !self.quiet().await || (10..42).contains(&(self.now() / MINUTE % 60)) {
            return;
        }
        self.count("asked by hand");
        let clips: Vec<String> = (0..3)
            .map(|_| self.rng.choice(&self.asked).unwrap().0.clone())
            .collect();
        let minute = self.now() / MINUTE * MINUTE;
        let (watched, asked) = (&mut self.watched, &self.asked);
        let of_clips = (0..asked.len()).filter(|n| watched.is_watched(*n) && clips.contains(&asked[*n].0));
        let forced: Vec<(usize, i64)> = of_clips.map(|n| (n, minute)).collect();
        watched.forced.extend(forced);
        let begun = self.begin_pass();
        let session = self.session.as_ref().unwrap();
        session
            .collector
            .store
            .hand_over(Some(&clips), minute)
            .await
            .unwrap();
        let stop = Stop::new().1;
        session
            .passes(Wanted::Forced(minute), &stop, &|_| {})
            .await
            .unwrap();
        self.end_pass(begun, false);
    }
}

async fn sign_of_life(session: &Session) {
    let collector = &session.collector;
    let now = collector.clock.now();
    collector.store.heartbeat(&collector.worker, now).await.unwrap();
}
