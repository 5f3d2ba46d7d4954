//! The simulated API behind a book in which every request is entered with what it really got.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use soundwatch::clock::Clock;
use soundwatch::simulator::{World, router};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::answer::{Told, told};

/// Clip, region and days, as they were asked for.
pub type Asked = (String, String, i64);

/// A request and what it got; nothing where the client went before the answer was whole.
#[derive(Debug)]
pub struct Record {
    pub asked: Asked,
    pub at: i64,
    /// The session whose server was asked.
    pub session: usize,
    pub told: Option<Told>,
}

/// What all servers were asked.
pub struct Book {
    pub records: Mutex<Vec<Record>>,
    count: watch::Sender<usize>,
    clock: Clock,
    /// Whether the API's customer is out of credits.
    pub broke: Mutex<bool>,
}

impl Book {
    pub fn new(clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            records: Mutex::default(),
            count: watch::channel(0).0,
            clock,
            broke: Mutex::new(false),
        })
    }

    pub fn count(&self) -> usize {
        self.records.lock().unwrap().len()
    }

    /// Waits until so many requests have come in all.
    pub async fn reached(&self, count: usize) {
        self.count.subscribe().wait_for(|n| *n >= count).await.unwrap();
    }

    fn enter(&self, request: &Request, session: usize) -> (usize, Asked) {
        let query = request.uri().query().unwrap();
        let value = |name: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .filter(|(n, _)| *n == name)
                .map(|(_, v)| v.to_owned())
                .next()
                .unwrap()
        };
        let asked = (
            value("clip_id"),
            value("region"),
            value("period").parse().unwrap(),
        );
        let mut records = self.records.lock().unwrap();
        records.push(Record {
            asked: asked.clone(),
            at: self.clock.now(),
            session,
            told: None,
        });
        let n = records.len() - 1;
        drop(records);
        self.count.send_replace(n + 1);
        (n, asked)
    }
}

/// Serves a world on a port of its own until the tasks are dropped. Gives its URL.
pub async fn start(world: World, book: &Arc<Book>, session: usize, tasks: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app: Router = router(world).layer(from_fn_with_state((Arc::clone(book), session), recorded));
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

async fn recorded(
    State((book, session)): State<(Arc<Book>, usize)>,
    request: Request,
    next: Next,
) -> Response {
    let (n, asked) = book.enter(&request, session);
    let broke = *book.broke.lock().unwrap();
    let response = if broke {
        (StatusCode::PAYMENT_REQUIRED, "no credits").into_response()
    } else {
        next.run(request).await
    };
    let (parts, body) = response.into_parts();
    let promised = parts
        .headers
        .get(CONTENT_LENGTH)
        .map(|v| v.to_str().unwrap().parse().unwrap());
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let whole = promised.is_none_or(|length: usize| length == bytes.len());
    book.records.lock().unwrap()[n].told = Some(told(&asked, parts.status.as_u16(), whole, &bytes));
    let body = if whole { Body::from(bytes) } else { cut(bytes) };
    Response::from_parts(parts, body)
}

/// Less than was promised; the pause lets the beginning be sent, without which nothing would be.
fn cut(bytes: Bytes) -> Body {
    let end = stream::once(async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe))
    });
    Body::from_stream(stream::iter([Ok(bytes)]).chain(end))
}
