//! `demo --serve`: the page of the daemon over the demo, whose days go on.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::exit::Failure;
use super::super::output::note;
use super::{AFTER_SLOT, Demo, known_on};
use crate::clock::DAY;
use crate::collect::{Stop, Wanted};
use crate::service::{Session, Web};

/// Where it listens when nobody says otherwise: as `[http]` does in the examples.
pub(super) const LISTEN: &str = "127.0.0.1:9464";

/// A day of the demo.
const EACH: Duration = Duration::from_secs(3);

/// Nobody is asked for a token, so that nobody else may reach it.
pub(super) fn this_machine(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "write address and port as 127.0.0.1:9464".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the demo is shown to this machine alone: 127.0.0.1 or [::1]".to_owned())
    }
}

/// Shows the page and collects a day every few seconds, into the future, until it is asked to stop.
pub(super) async fn serve(demo: &Demo<'_>, session: &Session, stop: &Stop) -> Result<(), Failure> {
    let (collector, vitals) = (&session.collector, &session.vitals);
    let clock = &collector.clock;
    let listen = demo.options.listen;
    let page = Web::start(demo.config, listen, clock.clone(), vitals.clone())?;
    note(&format!(
        "http://{} shows the demo. A day passes every {} s, from today on into the future. Ctrl-C ends it.",
        page.address(),
        EACH.as_secs()
    ));
    let mut slot = demo.slots.last().copied().unwrap_or_default();
    let mut stopping = stop.clone();
    loop {
        vitals.passed(clock.now(), slot + DAY);
        tokio::select! {
            () = super::super::clock().sleep(EACH) => {}
            () = stopping.wait() => break,
        }
        slot += DAY;
        clock.set(slot + AFTER_SLOT);
        vitals.alive(clock.now());
        collector.sign_of_life().await?;
        session.sync(&known_on(demo.sounds, slot)).await?;
        session.passes(Wanted::Due, stop, &|_| {}).await?;
    }
    page.stop();
    Ok(())
}
