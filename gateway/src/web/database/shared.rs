//! Reads: a few connections that all requests share. Statements are pipelined: nobody waits until the one before has its
//! answer, and PostgreSQL pays one context switch for many of them (measured 1.4–1.7 times a pool).
//!
//! Each statement is a transaction of its own with its own Sync, so one that fails harms no other. Nothing here ever sends
//! a cancel request: it would hit whoever is running (README, decision 3).

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_postgres::{Client, Row, Statement, types::ToSql};

use super::{Call, Pool, Unavailable, connect::Target, fault::Fault};
use crate::failure::Failure;

/// The shared connections.
pub struct Shared {
    slots: Vec<Slot>,
    next: AtomicUsize,
    room: Arc<Semaphore>,
    wait: Duration,
    connected: Notify,
}

/// A place for one connection, empty while there is none.
#[derive(Default)]
struct Slot(RwLock<Option<Arc<Live>>>);

struct Live {
    client: Client,
    statements: HashMap<usize, Statement>,
    lost: AtomicBool,
    noticed: Notify,
}

impl Shared {
    /// No connection yet: [`Self::keep_connected`] makes them. `room`: how many requests may wait, on all together.
    pub fn new(size: usize, room: &Arc<Semaphore>, wait: Duration) -> Self {
        Self {
            slots: (0..size.max(1)).map(|_| Slot::default()).collect(),
            next: AtomicUsize::new(0),
            room: Arc::clone(room),
            wait,
            connected: Notify::new(),
        }
    }

    /// Starts one keeper per connection on this worker; they run as long as it does.
    pub fn keep_connected(self: &Arc<Self>, worker: &Handle, target: &Target, calls: &Arc<[&'static Call]>) {
        for index in 0..self.slots.len() {
            let (shared, target, calls) = (Arc::clone(self), target.clone(), Arc::clone(calls));
            worker.spawn(async move { shared.keep(index, &target, &calls).await });
        }
    }

    /// How many connections stand.
    pub fn connections(&self) -> usize {
        self.slots.iter().filter(|slot| slot.get().is_some()).count()
    }

    /// One statement. A read is repeated when its connection is lost, for it changed nothing; but not for ever, for it may
    /// be what kills the connection. What leaves a line is not: the line may stand. When a table was locked neither has
    /// happened, and both are.
    pub async fn call(&self, call: &'static Call, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Unavailable> {
        let _room = self.room.try_acquire().map_err(|_| Unavailable::Busy)?;
        let deadline = Instant::now() + self.wait;
        for _ in 1..ATTEMPTS {
            match self.attempt(call, parameters, deadline).await {
                Err(Unavailable::Unreachable) if call.pool == Pool::Reads && Instant::now() < deadline => {}
                Err(Unavailable::Locked) if Instant::now() < deadline => {}
                answer => return answer,
            }
        }
        self.attempt(call, parameters, deadline).await
    }

    async fn attempt(
        &self,
        call: &'static Call,
        parameters: &[&(dyn ToSql + Sync)],
        deadline: Instant,
    ) -> Result<Row, Unavailable> {
        let live = timeout_at(deadline, self.live()).await.map_err(|_| Unavailable::Unreachable)?;
        let statement = live
            .statements
            .get(&call.key())
            .ok_or_else(|| Unavailable::Unexpected(format!("a statement is in no CALLS list: {}", call.sql)))?;
        match timeout(ANSWER, live.client.query_one(statement, parameters)).await {
            Ok(Ok(row)) => Ok(row),
            Ok(Err(error)) => {
                let fault = Fault::of(call, error);
                if fault.broken {
                    live.give_up();
                }
                Err(fault.unavailable)
            }
            // PostgreSQL would have ended the statement long ago: the connection hangs, and with it everybody on it.
            Err(_) => {
                live.give_up();
                Err(Unavailable::Unreachable)
            }
        }
    }

    async fn live(&self) -> Arc<Live> {
        loop {
            let connected = self.connected.notified();
            let start = self.next.fetch_add(1, Ordering::Relaxed);
            let turn = self.slots.iter().cycle().skip(start % self.slots.len()).take(self.slots.len());
            if let Some(live) = turn.filter_map(Slot::get).find(|live| live.usable()) {
                return live;
            }
            connected.await;
        }
    }

    async fn keep(&self, index: usize, target: &Target, calls: &[&'static Call]) {
        let Some(slot) = self.slots.get(index) else { return };
        let mut pause = FIRST_PAUSE;
        loop {
            match Live::open(target, calls).await {
                Ok((live, mut connection)) => {
                    pause = FIRST_PAUSE;
                    let live = Arc::new(live);
                    slot.set(Some(Arc::clone(&live)));
                    self.connected.notify_waiters();
                    tokio::select! {
                        _ = &mut connection => {}
                        () = live.noticed.notified() => connection.abort(),
                    }
                    slot.set(None);
                }
                Err(failure) => {
                    tracing::warn!(connection = index, error = %failure, "the database cannot be reached, trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

impl Slot {
    // A poisoned lock holds a whole value all the same: it is only ever replaced.
    fn get(&self) -> Option<Arc<Live>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, live: Option<Arc<Live>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = live;
    }
}

impl Live {
    async fn open(target: &Target, calls: &[&'static Call]) -> Result<(Self, tokio::task::JoinHandle<()>), Failure> {
        let (client, connection) = target.connect().await?;
        let mut statements = HashMap::with_capacity(calls.len());
        for call in calls {
            let statement = client.prepare(call.sql).await.map_err(|error| Failure::from(error).during(call.name()))?;
            statements.insert(call.key(), statement);
        }
        let (lost, noticed) = (AtomicBool::new(false), Notify::new());
        Ok((Self { client, statements, lost, noticed }, connection))
    }

    /// Its keeper needs a moment to see that it is gone. Until then nobody else may try it, or a request would spend all
    /// its attempts on one loss.
    fn give_up(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.noticed.notify_one();
    }

    fn usable(&self) -> bool {
        !self.lost.load(Ordering::Relaxed) && !self.client.is_closed()
    }
}

const ATTEMPTS: usize = 3;
/// `statement_timeout` of these connections is 500 ms; an answer that takes this long does not come any more.
const ANSWER: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
