//! The listener of the page, the health checks and the metrics: on a thread of its own with connections of
//! its own, so that visitors cost the collection nothing but a core's time.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{interval, timeout};

use super::ServiceError;
use crate::clock::Clock;
use crate::collect::Stop;
use crate::config::Config;
use crate::problem::Problem;
use crate::store::Store;
use crate::web::guard::Guard;
use crate::web::{Looks, Site, Vitals, metrics, router};

/// Connections at once. When one more comes, the oldest goes: who is slow on purpose is older than who
/// wants to read.
const MOST_CONNECTIONS: usize = 256;

/// From connecting to the end of a request's head.
const HEAD: Duration = Duration::from_secs(10);

/// A whole connection with all its requests, so that nobody keeps one by reading slowly.
const CONNECTION: Duration = Duration::from_secs(120);

/// How long the end waits for connections that are at work.
const CLOSING: Duration = Duration::from_secs(1);

/// What the histograms have taken is summed up so often, also when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// After an error that is this machine's (no file descriptor left, say), so much time passes.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// A listener that runs.
pub struct Web {
    address: SocketAddr,
    thread: JoinHandle<()>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Web {
    /// Binds the address and serves it until [`Web::stop`].
    ///
    /// # Errors
    /// When the address cannot be had, or its token not be read.
    pub fn start(
        config: &Config,
        listen: SocketAddr,
        clock: Clock,
        vitals: Vitals,
    ) -> Result<Self, ServiceError> {
        let token = config.http_token()?;
        let (bound, listen) = bind(listen)?;
        let guard = Guard::new(listen, token);
        let broken =
            |what: &str, why: String| ServiceError::Machine(format!("the page cannot start: {what}: {why}"));
        let recorded = metrics::record().map_err(|error| broken("metrics", error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| broken("runtime", error.to_string()))?;
        let (sender, stop) = Stop::new();
        let url = config.database.url.clone();
        let (catch_up, discover) = (config.schedule.catch_up, config.discovers().cloned());
        let serving = async move {
            let store = match Store::open_reader(url.expose()) {
                Ok(store) => store,
                Err(error) => return tracing::error!(%error, "the page has no database, and is not served"),
            };
            let site = Arc::new(Site {
                store: store.clone(),
                clock,
                vitals,
                recorded,
                catch_up,
                discover,
                looks: Looks::default(),
            });
            match TcpListener::from_std(bound) {
                Ok(listener) => serve(listener, site, guard, stop).await,
                Err(error) => tracing::error!(%error, "the page is not served"),
            }
            // A look at all targets may still be under way; it ends with the runtime.
            let _ = timeout(CLOSING, store.close()).await;
        };
        let thread = std::thread::Builder::new()
            .name("web".to_owned())
            .spawn(move || runtime.block_on(serving))
            .map_err(|error| broken("thread", error.to_string()))?;
        tracing::info!("listening on http://{listen}");
        Ok(Self {
            address: listen,
            thread,
            stop: sender,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections and waits for that.
    pub fn stop(self) {
        // Without a receiver it has stopped already.
        let _ = self.stop.send(true);
        if self.thread.join().is_err() {
            tracing::error!("the page ended badly");
        }
    }
}

/// The listener and its address: port 0 takes any free one.
fn bind(listen: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr), ServiceError> {
    let bind = || -> io::Result<_> {
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    bind().map_err(|error| {
        let problem = Problem::new(format!("http.listen: cannot listen on {listen}: {error}"))
            .help("choose another port, or end the process that has this one");
        ServiceError::Problems(problem.into())
    })
}

/// Serves connections until it is asked to stop.
async fn serve(listener: TcpListener, site: Arc<Site>, guard: Guard, mut stop: Stop) {
    let app = router(Arc::clone(&site), guard);
    let mut upkeep = interval(UPKEEP);
    let mut tasks = JoinSet::new();
    let mut by_age: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = upkeep.tick() => {
                site.recorded.upkeep();
                continue;
            }
            () = stop.wait() => break,
        };
        while tasks.try_join_next().is_some() {}
        by_age.retain(|connection| !connection.is_finished());
        match accepted {
            Ok((stream, _)) => {
                if by_age.len() >= MOST_CONNECTIONS
                    && let Some(oldest) = by_age.pop_front()
                {
                    oldest.abort();
                }
                by_age.push_back(tasks.spawn(connection(stream, app.clone())));
            }
            Err(error) => {
                tracing::debug!(%error, "a connection could not be accepted");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
    tasks.shutdown().await;
}

async fn connection(stream: TcpStream, app: Router) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(64)
        .max_buf_size(32 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    // A connection that breaks is the visitor's affair.
    let _ = timeout(CONNECTION, served).await;
}
