//! Writes and password hashing: a connection for each statement that runs, and a bounded queue before them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::{
    Connect, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, QueueMode, RecyclingMethod, Runtime,
    TimeoutType,
};
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Row, types::ToSql};

use super::{Call, Unavailable, connect::Target, fault::Fault};
use crate::failure::{Failure, chain};

/// A pool and the queue before it.
pub struct Pooled {
    pool: Pool,
    room: Semaphore,
    answer: Duration,
    away: Away,
}

impl Pooled {
    /// No connection is made before the first request that needs one.
    pub fn new(
        target: &Target,
        calls: &Arc<[&'static Call]>,
        size: usize,
        queue: usize,
        wait: Duration,
        statement_timeout: Duration,
    ) -> Result<Self, Failure> {
        // Fast: asking "are you there?" before each statement halves the rate (measured); a dead one answers 503 once.
        let manager = Manager::from_connect(
            target.config().clone(),
            Connector(target.clone()),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let calls = Arc::clone(calls);
        let pool = Pool::builder(manager)
            .max_size(size.max(1))
            // The connection that was used last: its backend has its plans and rows at hand. In turns every request would meet the
            // one that was idle longest, which costs PostgreSQL up to twice the time (measured).
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(wait))
            .create_timeout(Some(wait))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::async_fn(move |client, _| {
                let calls = Arc::clone(&calls);
                Box::pin(async move {
                    for call in calls.iter() {
                        client.prepare_cached(call.sql).await.map_err(HookError::Backend)?;
                    }
                    Ok(())
                })
            }))
            .build()
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self {
            pool,
            room: Semaphore::new(size.max(1) + queue),
            answer: statement_timeout + GRACE,
            away: Away::default(),
        })
    }

    /// How many connections stand, and how many requests wait for one.
    pub fn connections(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.waiting)
    }

    /// One statement. It is never repeated: a connection that breaks may break after the commit.
    pub async fn call(&self, call: &Call, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Unavailable> {
        let _room = self.room.try_acquire().map_err(|_| Unavailable::Busy)?;
        let client = self.connection().await?;
        let statement = client.prepare_cached(call.sql).await.map_err(|error| Fault::of(call, error).unavailable)?;
        match timeout(self.answer, client.query_one(&statement, parameters)).await {
            Ok(Ok(row)) => Ok(row),
            Ok(Err(error)) => {
                let fault = Fault::of(call, error);
                if fault.broken {
                    drop(Object::take(client));
                }
                Err(fault.unavailable)
            }
            Err(_) => {
                drop(Object::take(client));
                Err(Unavailable::Unreachable)
            }
        }
    }
}

impl Pooled {
    async fn connection(&self) -> Result<Object, Unavailable> {
        if self.pool.status().available == 0 && !self.away.may_try() {
            return Err(Unavailable::Unreachable);
        }
        let client = self.pool.get().await;
        match &client {
            Ok(_) => self.away.ended(),
            Err(PoolError::Timeout(TimeoutType::Wait)) => {}
            Err(_) => self.away.noticed(),
        }
        client.map_err(unavailable)
    }
}

/// A database that could not be reached is not asked again by every request: a server that is just starting would fork a
/// backend for each. One of them looks, after a pause that grows; the others are refused at once.
#[derive(Default)]
struct Away {
    away: AtomicBool,
    next: Mutex<Option<(Instant, Duration)>>,
}

impl Away {
    fn may_try(&self) -> bool {
        if !self.away.load(Ordering::Relaxed) {
            return true;
        }
        let now = Instant::now();
        match self.next.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some((next, _)) if now < *next => false,
            Some((next, pause)) => {
                *pause = (*pause * 2).min(LONGEST_PAUSE);
                *next = now + *pause;
                true
            }
            None => true,
        }
    }

    fn noticed(&self) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.get_or_insert_with(|| (Instant::now() + FIRST_PAUSE, FIRST_PAUSE));
        self.away.store(true, Ordering::Relaxed);
    }

    fn ended(&self) {
        if self.away.load(Ordering::Relaxed) {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next = None;
            self.away.store(false, Ordering::Relaxed);
        }
    }
}

fn unavailable(error: PoolError) -> Unavailable {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => Unavailable::Busy,
        PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle)
        | PoolError::Closed
        | PoolError::NoRuntimeSpecified => Unavailable::Unreachable,
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            tracing::warn!(error = chain(&error), "the database cannot be reached");
            Unavailable::Unreachable
        }
        PoolError::PostCreateHook(error) => {
            tracing::warn!(error = chain(&error), "the database cannot be reached");
            Unavailable::Unreachable
        }
    }
}

struct Connector(Target);

impl Connect for Connector {
    fn connect(
        &self,
        _: &tokio_postgres::Config,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + '_>>
    {
        Box::pin(self.0.connect())
    }
}

/// What the network may add to the time that PostgreSQL allows the statement.
const GRACE: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
