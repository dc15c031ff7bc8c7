//! A thread for each core, each with a runtime of its own: a request stays on the thread that its connection was given to, and
//! so does the database's connection that it shares. tokio's scheduler for many threads wakes another one at nearly every
//! step between the two, which costs more than the step (measured).

use std::{cell::Cell, io, num::NonZero, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use crate::failure::Failure;

/// The threads. They end, with all that runs on them, when this is dropped.
pub struct Workers(Vec<Worker>);

struct Worker {
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Workers {
    /// One for each core.
    pub fn start() -> Result<Self, Failure> {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let workers: io::Result<_> = (0..count).map(Worker::start).collect();
        workers.map(Self).map_err(|error| Failure::new(format!("threads: {error}")))
    }

    /// Where to spawn what shall run on each of them.
    pub fn runtimes(&self) -> Vec<Handle> {
        self.0.iter().map(|worker| worker.runtime.clone()).collect()
    }
}

/// The number of this thread among the workers; 0 on any other thread.
pub fn this() -> usize {
    THIS.get()
}

thread_local! {
    static THIS: Cell<usize> = const { Cell::new(0) };
}

impl Worker {
    fn start(number: usize) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            THIS.set(number);
            // An error means that whoever stops it is gone.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { runtime: handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        // An error means that it has panicked, and told so.
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}
