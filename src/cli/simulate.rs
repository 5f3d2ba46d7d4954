//! `soundwatch simulate`: the API, pretended, until it is stopped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use humantime_serde::re::humantime;
use serde::Serialize;
use tokio::net::TcpListener;

use super::exit::{Exit, Failure};
use super::output::{Output, note};
use crate::service::signals::Signals;
use crate::simulator::{Faults, RequestLog, World, faults_explained, serve};

/// The key that the simulator asks for when nobody names another.
pub(super) const KEY: &str = "sk_live_simulated";

/// Where it listens when nobody says otherwise.
pub(super) const LISTEN: &str = "127.0.0.1:9465";

#[derive(Clone, Debug, Args)]
pub(super) struct Options {
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = LISTEN)]
    listen: SocketAddr,
    /// Another number, another world; the same number, the same answers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The API key that it takes
    #[arg(long, default_value = KEY)]
    key: String,
    /// How long an answer takes, such as 50ms or 20ms..200ms
    #[arg(long, value_name = "TIME[..TIME]", value_parser = latency)]
    latency: Option<Latency>,
    /// Which requests go wrong: 429:0.05,cut:0.01 by chance, @3=500 the third
    #[arg(long, value_name = "SPEC", default_value = "", hide_default_value = true, long_help = faults_help())]
    faults: Faults,
    /// How many credits its key has, 2 a request; when they are spent it answers 402
    #[arg(long, value_name = "N")]
    credits: Option<i64>,
    /// A file that gets a line of JSON for each request: what was asked, what came of it
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

fn faults_help() -> String {
    let faults = faults_explained();
    format!("Which requests go wrong: 429:0.05,cut:0.01 by chance, @3=500 the third\n\nFaults:\n{faults}")
}

/// The shortest and the longest time that an answer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Latency(Duration, Duration);

/// The document of `--json`: printed when it listens.
#[derive(Serialize)]
struct Listening<'a> {
    base_url: String,
    key: &'a str,
    seed: u64,
    /// The variables that point a command to it.
    environment: serde_json::Map<String, serde_json::Value>,
}

pub(super) async fn run(options: &Options, output: Output) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let world = world(options)?;
    let listener = listen(options.listen).await?;
    let bound = address(&listener)?;
    let listening = Listening::new(reachable(bound), options);
    if let Some(warning) = beyond_this_machine(bound) {
        note(&warning);
    }
    output.result(&listening, Listening::text)?;
    note(
        "The simulated API listens. Start `soundwatch check`, `collect` or `run` with these variables to rehearse\n\
         a configuration in a database of its own, for no credits. Ctrl-C ends it.",
    );
    signals
        .stopping(async |mut stop| {
            // Without grace: nobody pays for an answer of the simulator.
            tokio::select! {
                served = serve(listener, world, std::future::pending()) => served,
                () = stop.wait() => Ok(()),
            }
        })
        .await
        .map_err(|error| Failure::Other(format!("the simulator failed: {error}")))?;
    Ok(Exit::Done)
}

/// Begins to listen; who cannot is told what to do.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::Other(format!(
            "cannot listen on {address}: {error}\n  help: name another address with --listen; port 0 takes any free one"
        ))
    })
}

pub(super) fn base_url(listener: &TcpListener) -> Result<String, Failure> {
    Ok(format!("http://{}", address(listener)?))
}

fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    let unknown = |error| Failure::Other(format!("cannot tell where the simulator listens: {error}"));
    listener.local_addr().map_err(unknown)
}

/// The address as a command on this machine asks it: whoever listens everywhere listens here too.
fn reachable(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    format!("http://{address}")
}

/// What to know about an address that others than this machine reach.
fn beyond_this_machine(listen: SocketAddr) -> Option<String> {
    let address = listen.ip();
    let forward = format!(
        "A soundwatch on another machine refuses plain http: forward its own port to here with\n\
         ssh -L {port}:127.0.0.1:{port} THIS_MACHINE, and let it ask http://127.0.0.1:{port}.",
        port = listen.port()
    );
    if address.is_loopback() {
        None
    } else if address.is_unspecified() {
        Some(format!("Whoever reaches this machine can ask it. {forward}"))
    } else {
        Some(format!(
            "Whoever reaches {listen} can ask it, but no soundwatch does, not even here: it refuses plain http to\n\
             other addresses than 127.0.0.1, ::1 and localhost. Listen on one of these. {forward}"
        ))
    }
}

fn world(options: &Options) -> Result<World, Failure> {
    let mut world = World::new(options.seed, options.key.as_str().into(), super::clock())
        .with_faults(options.faults.clone());
    if let Some(Latency(from, to)) = options.latency {
        world = world.with_latency(from, to);
    }
    if let Some(credits) = options.credits {
        world = world.with_credits(credits);
    }
    if let Some(path) = &options.log {
        let log = RequestLog::open(path)
            .map_err(|error| Failure::Other(format!("cannot write the log {}: {error}", path.display())))?;
        world = world.with_log(log);
    }
    Ok(world)
}

impl<'a> Listening<'a> {
    /// A key file would go before the variable, and what is pretended must not end up in the database
    /// of what was paid for.
    fn new(base_url: String, options: &'a Options) -> Self {
        let environment = [
            ("SOUNDWATCH__API__BASE_URL", base_url.as_str()),
            ("SOUNDWATCH__API__KEY_FILE", ""),
            ("SOUNDWATCH__API__KEY", options.key.as_str()),
            ("SOUNDWATCH__DATABASE__URL", "sqlite:rehearsal.db"),
        ];
        Self {
            environment: environment
                .map(|(name, value)| (name.to_owned(), value.into()))
                .into_iter()
                .collect(),
            base_url,
            key: &options.key,
            seed: options.seed,
        }
    }

    /// The variables as a shell takes them.
    fn text(&self) -> String {
        let variables = self.environment.iter();
        let variables =
            variables.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
        variables.collect::<Vec<_>>().join(" ")
    }
}

fn latency(text: &str) -> Result<Latency, String> {
    let time = |text: &str| humantime::parse_duration(text.trim()).map_err(|error| error.to_string());
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (time(from)?, time(to)?),
        None => (time(text)?, time(text)?),
    };
    if from > to {
        return Err(format!("{text:?} begins with the longer time"));
    }
    Ok(Latency(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_everywhere_is_asked_on_this_machine() {
        let url = |address: &str| reachable(address.parse().unwrap());
        assert_eq!(url("0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(url("[::]:8080"), "http://[::1]:8080");
        assert_eq!(url("192.0.2.1:8080"), "http://192.0.2.1:8080");
        assert_eq!(beyond_this_machine("127.0.0.1:80".parse().unwrap()), None);
        let everywhere = beyond_this_machine("0.0.0.0:80".parse().unwrap()).unwrap();
        assert!(everywhere.contains("ssh -L 80:127.0.0.1:80"), "{everywhere}");
        let elsewhere = beyond_this_machine("192.0.2.1:80".parse().unwrap()).unwrap();
        assert!(
            elsewhere.contains("no soundwatch does, not even here"),
            "{elsewhere}"
        );
    }

    #[test]
    fn a_latency_is_a_time_or_a_range() {
        let ms = Duration::from_millis;
        assert_eq!(latency("50ms"), Ok(Latency(ms(50), ms(50))));
        assert_eq!(latency("20ms..1s"), Ok(Latency(ms(20), ms(1_000))));
        assert!(latency("1s..20ms").is_err());
        assert!(latency("fast").is_err());
    }
}
