//! No request takes forever, and none that fails in an unforeseen way takes others along.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    http::{HeaderValue, StatusCode, Version, header},
    middleware::Next,
    response::Response,
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

/// Ends what takes too long or is too large, the sending of its body included, and turns a panic into an answer.
pub async fn guard(state: &AppState, request: Request, next: Next) -> Response {
    let reader = Reader::of(request.headers());
    let version = request.version();
    let (limit, most) = (Duration::from_secs(state.settings.http.request_timeout), state.settings.http.body_limit);
    if request.body().size_hint().lower() > most as u64 {
        let mut response = turn_away(state, reader, Outcome::InvalidRequest, "the request is too large");
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        close(&mut response, version);
        return response;
    }
    let (request, upload) = Upload::of(request, most);
    let mut work = Work { limit, upload, running: Some(Box::pin(caught(next.run(request)))) };
    match timeout(limit, work.done()).await {
        Ok(None) => {
            refuse(state, reader, Outcome::ServerError, "something went wrong here; it has been written to the log")
        }
        // The router's own 405 is empty.
        Ok(Some(response))
            if response.status() == StatusCode::METHOD_NOT_ALLOWED
                && !response.headers().contains_key(header::CONTENT_TYPE) =>
        {
            let mut refusal = wrong_method(state, reader);
            if let Some(allowed) = response.headers().get(header::ALLOW) {
                refusal.headers_mut().insert(header::ALLOW, allowed.clone());
            }
            refusal
        }
        Ok(Some(response)) => response,
        // RFC 9110 §15.5.9: "the server did not receive a complete request message within the time that it was prepared to
        // wait". Nothing has happened yet, so it may be repeated.
        Err(_) if !work.upload.complete() => {
            work.running = None;
            let mut response =
                turn_away(state, reader, Outcome::TemporarilyUnavailable, "the request did not arrive in time");
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            close(&mut response, version);
            response
        }
        Err(_) => turn_away(state, reader, Outcome::TemporarilyUnavailable, "the request took too long"),
    }
}

/// None after a panic, which must not end the connection with all its other requests. What it says goes to the log only.
async fn caught(work: impl Future<Output = Response>) -> Option<Response> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(poll) => poll.map(Some),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            tracing::error!(panic = message, "a request ended in a panic");
            Poll::Ready(None)
        }
    })
    .await
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
    running: Option<Pin<Box<dyn Future<Output = Option<Response>> + Send>>>,
}

impl Work {
    /// Is asked once; None after a panic.
    async fn done(&mut self) -> Option<Response> {
        let response = self.running.as_mut()?.await;
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
    fn of(request: Request, most: usize) -> (Request, Self) {
        if request.body().is_end_stream() {
            return (request, Self(None));
        }
        let complete = Arc::new(AtomicBool::new(false));
        let upload = Self(Some(Arc::clone(&complete)));
        (request.map(|body| Body::new(Arriving { body, complete, room: most })), upload)
    }

    fn complete(&self) -> bool {
        self.0.as_ref().is_none_or(|complete| complete.load(Ordering::Relaxed))
    }
}

struct Arriving {
    body: Body,
    complete: Arc<AtomicBool>,
    /// Bytes that may still come.
    room: usize,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        // Its length was not announced.
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.room.checked_sub(data.len()) {
                Some(room) => self.room = room,
                None => return Poll::Ready(Some(Err(axum::Error::new("the body is too large")))),
            }
        }
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
