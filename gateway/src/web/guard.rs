//! No request takes forever, and none that fails in an unforeseen way takes others along.

use std::{
    any::Any,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::{runtime::Handle, time::timeout};
use tracing::Instrument as _;

use super::{
    outcome::Outcome,
    refusal::{Reader, refuse, turn_away, wrong_method},
    state::AppState,
};

/// Ends what takes too long, the sending of its body included, and turns a panic into an answer.
pub async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reader = Reader::of(request.headers());
    let version = request.version();
    let limit = Duration::from_secs(state.settings.http.request_timeout);
    let (request, upload) = Upload::of(request);
    let mut work = Work { limit, upload, running: Some(Box::pin(next.run(request))) };
    match timeout(limit, work.done()).await {
        Ok(response) if response.extensions().get::<Panicked>().is_some() => {
            refuse(&state, reader, Outcome::ServerError, "something went wrong here; it has been written to the log")
        }
        // tower-http says it in its own words.
        Ok(response) if response.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let mut response = turn_away(&state, reader, Outcome::InvalidRequest, "the request is too large");
            *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            close(&mut response, version);
            response
        }
        // The router's own 405 is empty.
        Ok(response)
            if response.status() == StatusCode::METHOD_NOT_ALLOWED
                && !response.headers().contains_key(header::CONTENT_TYPE) =>
        {
            let mut refusal = wrong_method(&state, reader);
            for name in [header::ALLOW, header::VARY, header::ACCESS_CONTROL_ALLOW_ORIGIN] {
                if let Some(value) = response.headers().get(&name) {
                    refusal.headers_mut().insert(name, value.clone());
                }
            }
            refusal
        }
        Ok(response) => response,
        // RFC 9110 §15.5.9: "the server did not receive a complete request message within the time that it was prepared to
        // wait". Nothing has happened yet, so it may be repeated.
        Err(_) if !work.upload.complete() => {
            work.running = None;
            let mut response =
                turn_away(&state, reader, Outcome::TemporarilyUnavailable, "the request did not arrive in time");
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            close(&mut response, version);
            response
        }
        Err(_) => turn_away(&state, reader, Outcome::TemporarilyUnavailable, "the request took too long"),
    }
}

/// The rest of the body is not read, so nothing else can be sent on this connection. HTTP/2 has streams for that, and no
/// such header (RFC 9113 §8.2.2).
fn close(response: &mut Response, version: Version) {
    if version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// What a request does, once it is there. The database does not notice that a client has gone away: it finishes what it was
/// asked, and until then the request keeps its place in the queue. Otherwise whoever sends requests and leaves (on HTTP/2 a
/// frame each, CVE-2023-44487) would fill the database with work that no limit counts.
struct Work {
    limit: Duration,
    upload: Upload,
    running: Option<Pin<Box<dyn Future<Output = Response> + Send>>>,
}

impl Work {
    async fn done(&mut self) -> Response {
        let response = match &mut self.running {
            Some(running) => running.await,
            // Cannot be: it is asked once.
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        self.running = None;
        response
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Of a request that has not arrived nothing has begun.
        if let Some(running) = self.running.take().filter(|_| self.upload.complete()) {
            // Without a runtime the process is ending.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(timeout(self.limit, running).in_current_span());
            }
        }
    }
}

/// Whether the whole body has been read.
#[derive(Clone)]
struct Upload(Option<Arc<AtomicBool>>);

impl Upload {
    fn of(request: Request) -> (Request, Self) {
        if request.body().is_end_stream() {
            return (request, Self(None));
        }
        let complete = Arc::new(AtomicBool::new(false));
        let upload = Self(Some(Arc::clone(&complete)));
        (request.map(|body| Body::new(Arriving { body, complete })), upload)
    }

    fn complete(&self) -> bool {
        self.0.as_ref().is_none_or(|complete| complete.load(Ordering::Relaxed))
    }
}

struct Arriving {
    body: Body,
    complete: Arc<AtomicBool>,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.complete.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[derive(Clone)]
struct Panicked;

/// For `CatchPanicLayer`. What the panic says goes to the log only.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let message = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = message, "a request ended in a panic");
    let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
    response.extensions_mut().insert(Panicked);
    response
}
