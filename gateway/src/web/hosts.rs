//! Places at the hosts of other parties: so many at a time, so many that wait for them. A host that hangs holds up its own only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Semaphore;

/// The hosts that somebody is at, so never more entries than places are held.
#[derive(Debug)]
pub struct Hosts {
    at_once: usize,
    waiting: usize,
    hosts: Arc<Mutex<HashMap<String, Host>>>,
}

#[derive(Debug)]
struct Host {
    places: usize,
    running: Arc<Semaphore>,
}

/// Counts at its host until it is dropped.
#[derive(Debug)]
pub struct PlaceAtHost {
    hosts: Arc<Mutex<HashMap<String, Host>>>,
    host: String,
}

impl Hosts {
    /// For so many at a time at each host, and so many more that wait.
    pub fn new(at_once: usize, waiting: usize) -> Self {
        Self { at_once, waiting, hosts: Arc::default() }
    }

    /// A place at a host, if so many may wait, and what it has to acquire for its turn.
    pub fn enter(&self, host: &str) -> Option<(PlaceAtHost, Arc<Semaphore>)> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = hosts
            .entry(host.to_owned())
            .or_insert_with(|| Host { places: 0, running: Arc::new(Semaphore::new(self.at_once)) });
        if entry.places >= self.at_once + self.waiting {
            return None;
        }
        entry.places += 1;
        let running = Arc::clone(&entry.running);
        Some((PlaceAtHost { hosts: Arc::clone(&self.hosts), host: host.to_owned() }, running))
    }

    /// How many places are held, at all hosts.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.hosts.lock().unwrap().values().map(|host| host.places).sum()
    }
}

impl Drop for PlaceAtHost {
    fn drop(&mut self) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get_mut(&self.host) {
            host.places -= 1;
            if host.places == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}
