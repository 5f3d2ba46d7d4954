//! Some weeks of the simulated API, collected: always the same, for results that a page can show.

use soundwatch::clock::{Clock, day_of};
use soundwatch::model::TargetSpec;
use soundwatch::simulator::{World, router};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::Backend;
use super::ledger::{DAILY, DAY, KEY, Ledger, pass};

/// The day of the first slot, and how many days follow.
const FIRST_DAY: &str = "2026-01-01";
const DAYS: i64 = 60;

/// Days on which nobody collects, counted from the first.
const AWAY: std::ops::Range<i64> = 10..22;

const SLOT_SECONDS: i64 = 6 * 3_600 + 15 * 60;
const MARKETS: [&str; 3] = ["US", "GB", "LV"];

/// Four sounds in three markets, asked each day for seven days.
pub async fn simulated(backend: Backend) -> Ledger {
    let mut ledger = Ledger::steady(backend, 0).await;
    let first = day_of(FIRST_DAY).unwrap();
    let slot = |day: i64| (first + day) * DAY + SLOT_SECONDS;
    ledger.clock = Clock::manual(slot(0));
    let world = World::new(1, KEY.into(), ledger.clock.clone());
    let near_the_end = World::new(1, KEY.into(), Clock::manual(slot(DAYS - 8)));
    let target = |clip: &str, region: &str| TargetSpec {
        clip_id: clip.parse().unwrap(),
        region: region.parse().unwrap(),
        ..super::ledger::target(0, DAILY)
    };
    let sounds = near_the_end.sample_sounds(4);
    let in_markets = |clip| MARKETS.map(|region| target(clip, region));
    ledger.wanted = sounds
        .iter()
        .flat_map(|sound| in_markets(sound.clip_id.as_str()))
        .collect();

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("\"http://{}\"", listener.local_addr().unwrap());
    ledger.set("api", "base_url", url);
    let mut server = JoinSet::new();
    let served = router(world);
    server.spawn(async move { axum::serve(listener, served).await.unwrap() });
    let session = ledger.session().await;
    for day in (0..DAYS).filter(|day| !AWAY.contains(day)) {
        ledger.clock.set(slot(day) + 120);
        pass(&session).await;
    }
    session.close().await.unwrap();
    ledger
}
