//! What a connection waits for, and how long it may.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    http::{Response, Version},
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use metrics::counter;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

/// How long a client may take.
#[derive(Clone, Copy)]
pub struct Patience {
    /// To send the head of a request.
    pub header: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// To take a response.
    pub send: Duration,
}

impl Patience {
    fn shortest(&self) -> Duration {
        self.header.min(self.idle).min(self.send)
    }
}

/// What becomes of a connection whose time is up.
pub enum Verdict {
    /// Nothing runs, or the listener closes: it may leave politely.
    Leave,
    /// It holds something that others need.
    Cut(&'static str),
}

/// What a connection waits for, and since when.
pub struct Account {
    patience: Patience,
    state: Mutex<State>,
    changed: Notify,
    cut: AtomicBool,
}

struct State {
    /// When the last exchange ended; before the first, when the connection began.
    quiet_since: Instant,
    /// The first byte after that.
    spoken: Option<Instant>,
    version: Option<Version>,
    /// Requests whose response is not there yet.
    running: usize,
    /// Responses that are not yet taken, the oldest first: a number and the time.
    responses: Vec<(u64, Instant)>,
    next: u64,
    /// Bytes that the client's side of the network does not take.
    stuck: Option<Instant>,
    /// Requests that were given up, less those whose response was taken.
    given_up: usize,
}

impl Account {
    /// Begins now.
    pub fn new(patience: Patience) -> Self {
        let state = State {
            quiet_since: Instant::now(),
            spoken: None,
            version: None,
            running: 0,
            responses: Vec::new(),
            next: 0,
            stuck: None,
            given_up: 0,
        };
        Self { patience, state: Mutex::new(state), changed: Notify::new(), cut: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The TLS handshake had a limit of its own.
    pub fn begin_anew(&self) {
        self.state().quiet_since = Instant::now();
    }

    /// Until the client's time is up.
    pub async fn overdue(&self, scarce: impl Fn() -> bool) -> Verdict {
        loop {
            let (deadline, verdict) = self.state().deadline(&self.patience, scarce());
            let now = Instant::now();
            if deadline <= now {
                return verdict;
            }
            // What begins meanwhile has at least that long; and by then places may be scarce.
            let look = deadline.min(now + self.patience.shortest());
            tokio::select! {
                () = sleep_until(look) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    /// Until nothing runs any more that somebody waits for.
    pub async fn finished(&self) {
        loop {
            sleep(LEAVE).await;
            if self.state().finished(&self.patience) {
                return;
            }
        }
    }

    /// Marks the connection as one that ends at once.
    pub fn cut(&self, reason: &'static str) {
        counter!("gateway_connections_cut_total", "reason" => reason).increment(1);
        tracing::debug!(reason, "connection cut");
        self.cut.store(true, Ordering::Relaxed);
    }
}

/// What the socket sees.
impl Account {
    /// The client has sent something, or left.
    pub fn read(&self) {
        let mut state = self.state();
        if state.running == 0 && state.spoken.is_none() {
            state.spoken = Some(Instant::now());
        }
    }

    /// Of what there was to write everything, or less, was taken.
    pub fn wrote(&self, everything: bool) {
        let mut state = self.state();
        if everything {
            state.stuck = None;
        } else if state.stuck.is_none() {
            state.stuck = Some(Instant::now());
        }
    }

    /// Whether the connection ends at once.
    pub fn ends_at_once(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }
}

impl State {
    fn deadline(&self, patience: &Patience, scarce: bool) -> (Instant, Verdict) {
        if self.given_up > GIVEN_UP {
            return (self.quiet_since, Verdict::Cut("reset"));
        }
        if let Some(late) = self.late(patience.send) {
            return (late, Verdict::Cut("send"));
        }
        if self.running > 0 {
            // web/guard.rs ends them.
            return (Instant::now() + patience.idle.max(patience.header), Verdict::Leave);
        }
        match (self.version, self.spoken) {
            (None, _) => (self.quiet_since + patience.header, Verdict::Cut("header")),
            (Some(version), Some(spoken)) if version < Version::HTTP_2 => {
                (spoken + patience.header, Verdict::Cut("header"))
            }
            _ if scarce => (self.quiet_since + patience.idle.min(patience.header), Verdict::Leave),
            _ => (self.quiet_since + patience.idle, Verdict::Leave),
        }
    }

    fn finished(&self, patience: &Patience) -> bool {
        match self.late(patience.send) {
            Some(late) => late <= Instant::now(),
            None => self.running == 0,
        }
    }

    fn late(&self, send: Duration) -> Option<Instant> {
        let response = self.responses.first().map(|(_, since)| *since);
        let since = match (response, self.stuck) {
            (Some(response), Some(stuck)) => Some(response.min(stuck)),
            (response, stuck) => response.or(stuck),
        };
        since.map(|since| since + send)
    }
}

/// A request and its response.
pub struct Exchange {
    account: Arc<Account>,
    /// The number of its response, once that is there.
    response: Option<u64>,
    /// Whether the client has stayed until the end.
    taken: bool,
}

impl Exchange {
    /// The head of a request is there.
    pub fn begin(account: &Arc<Account>, version: Version) -> Self {
        let mut state = account.state();
        state.running += 1;
        state.version = Some(version);
        state.spoken = None;
        Self { account: Arc::clone(account), response: None, taken: false }
    }

    /// Its response is there, and is now sent.
    pub fn answered(mut self, response: Response<Body>) -> Response<Taken> {
        let mut state = self.account.state();
        state.running -= 1;
        let number = state.next;
        state.next += 1;
        state.responses.push((number, Instant::now()));
        drop(state);
        self.response = Some(number);
        response.map(|body| Taken { body, exchange: self })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.account.state();
        state.quiet_since = Instant::now();
        state.spoken = None;
        match self.response {
            Some(number) => state.responses.retain(|(other, _)| *other != number),
            None => state.running -= 1,
        }
        if self.taken {
            state.given_up = state.given_up.saturating_sub(1);
            return;
        }
        // CVE-2023-44487: a request that is reset at once costs its sender nothing, and us a whole one.
        state.given_up += 1;
        if state.given_up > GIVEN_UP {
            drop(state);
            self.account.changed.notify_one();
        }
    }
}

/// A response's body; dropped when hyper has taken the last of it, or given up.
pub struct Taken {
    body: Body,
    exchange: Exchange,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.exchange.taken |= self.body.is_end_stream();
    }
}

impl HttpBody for Taken {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.exchange.taken |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A client that turns away while all its requests run gives up 100 at once (HTTP/2, connection.rs); one that does it again
/// and again attacks.
const GIVEN_UP: usize = 200;
/// How long a client that is told to leave may take.
const LEAVE: Duration = Duration::from_secs(1);
