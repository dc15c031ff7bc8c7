//! One fetch at a time of one document: whoever needs it meanwhile waits for the same one.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use tokio::sync::watch;

/// The fetches under way, and for a while those that ended.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<String, Flight>>);

struct Flight {
    began: Instant,
    landed: watch::Receiver<Option<Landed>>,
}

/// A fetch that ended.
#[derive(Clone, Debug)]
pub struct Landed {
    /// When it began: the document is no older.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
    /// What was there; None where it could not be had, or is kept elsewhere.
    pub document: Option<Arc<str>>,
    /// Its SHA-256, as a fragment says it.
    hash: Option<Arc<str>>,
}

impl Landed {
    fn now(began: Instant, document: Option<String>) -> Self {
        let hash =
            document.as_ref().map(|document| BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, document.as_bytes())));
        Self { began, ended: Instant::now(), document: document.map(Arc::from), hash: hash.map(Arc::from) }
    }

    /// Whether it may still be taken for what is at an address with this fragment. OpenID Connect Core §6.2: the fragment is the SHA-256
    /// of what may be kept; without one that fits, nothing says that it has not changed.
    pub fn kept(&self, fragment: &str) -> bool {
        let age = self.ended.elapsed();
        match &self.hash {
            None => age < BRIEFLY,
            Some(hash) => age < BRIEFLY && fragment.is_empty() || age < KEPT && **hash == *fragment,
        }
    }
}

impl Flights {
    /// What `fetch` gets, or what another one of this key gets or, where that is `good`, got.
    pub async fn join(
        &self,
        key: &str,
        good: impl Fn(&Landed) -> bool,
        fetch: impl Future<Output = Option<String>> + Send + 'static,
    ) -> Landed {
        let (began, mut landed) = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match flights
                .get(key)
                .filter(|flight| flight.under_way() || flight.landed.borrow().as_ref().is_some_and(&good))
            {
                Some(flight) => (flight.began, flight.landed.clone()),
                None => {
                    make_room(&mut flights);
                    let flight = depart(fetch);
                    let joined = (flight.began, flight.landed.clone());
                    flights.insert(key.to_owned(), flight);
                    joined
                }
            }
        };
        match landed.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(landed)) => landed.clone(),
            // It ended in a panic.
            Ok(None) | Err(_) => Landed::now(began, None),
        }
    }
}

impl Flight {
    /// Not after a panic either: then nobody sends any more.
    fn under_way(&self) -> bool {
        self.landed.borrow().is_none() && self.landed.has_changed().is_ok()
    }

    fn younger_than(&self, age: Duration) -> bool {
        self.landed.borrow().as_ref().is_some_and(|landed| landed.ended.elapsed() < age)
    }
}

fn depart(fetch: impl Future<Output = Option<String>> + Send + 'static) -> Flight {
    let (sender, landed) = watch::channel(None);
    let began = Instant::now();
    tokio::spawn(async move {
        let document = fetch.await;
        sender.send_replace(Some(Landed::now(began, document)));
    });
    Flight { began, landed }
}

/// What ended is forgotten after a while, or when it would become too much. How many are under way is bounded elsewhere.
fn make_room(flights: &mut HashMap<String, Flight>) {
    if flights.len() < MOST {
        return;
    }
    flights.retain(|_, flight| flight.under_way() || flight.younger_than(KEPT));
    if flights.len() >= MOST {
        flights.retain(|_, flight| flight.under_way());
    }
}

/// How long what its fragment vouches for is kept.
const KEPT: Duration = Duration::from_secs(60);
/// How long everything else is: who asks a hundred times at once is answered once.
const BRIEFLY: Duration = Duration::from_secs(1);
/// Of 64 KiB at most each.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_hundred_who_need_one_document_share_one_fetch_and_the_next_fetches_anew() {
        let (flights, fetched, gate) =
            (Arc::<Flights>::default(), Arc::<AtomicUsize>::default(), Arc::new(Notify::new()));
        let join = |since: Instant| {
            let (flights, fetched, gate) = (Arc::clone(&flights), Arc::clone(&fetched), Arc::clone(&gate));
            async move {
                let fetch = async move {
                    let number = fetched.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    Some(number.to_string())
                };
                flights.join("key", |landed| landed.ended >= since, fetch).await.document
            }
        };
        let mut waiting = tokio::task::JoinSet::new();
        (0..100).for_each(|_| drop(waiting.spawn(join(Instant::now()))));
        while fetched.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let before = Instant::now();
        gate.notify_one();
        assert_eq!(waiting.join_all().await, vec![Some(Arc::from("0")); 100]);
        // Who came before it ended is content with it, who comes later is not.
        assert_eq!(join(before).await.as_deref(), Some("0"));
        gate.notify_one();
        assert_eq!(join(Instant::now()).await.as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn a_fetch_goes_on_when_nobody_waits_and_one_that_panics_blocks_nobody() {
        let (flights, ended) = (Flights::default(), Arc::new(Notify::new()));
        let told = Arc::clone(&ended);
        let left = flights.join("left", |_| false, async move {
            tokio::task::yield_now().await;
            told.notify_one();
            None
        });
        drop(tokio::time::timeout(Duration::ZERO, left).await);
        ended.notified().await;
        let panics = flights.join("panics", |_| true, async { panic!("of a test") });
        assert_eq!(panics.await.document, None);
        let again = flights.join("panics", |_| true, async { Some("good".to_owned()) });
        assert_eq!(again.await.document.as_deref(), Some("good"));
    }

    #[test]
    fn only_what_its_fragment_vouches_for_is_kept_longer() {
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let landed = |seconds, document: Option<&str>| Landed {
            ended: ago(seconds),
            ..Landed::now(ago(seconds), document.map(str::to_owned))
        };
        // printf text | openssl dgst -sha256 -binary | base64, in base64url
        let (own, hash) = ("mC2ePrmW9VnmM_TRlN7zdh2Qn1o7ZH0ahR_q1nwyydE", "af0ifjsldkj");
        for (seconds, document, fragment, kept) in [
            (0, Some("text"), "", true),
            (2, Some("text"), "", false),
            (2, Some("text"), own, true),
            (61, Some("text"), own, false),
            (0, Some("text"), hash, false),
            (0, None, hash, true),
            (2, None, own, false),
        ] {
            assert_eq!(landed(seconds, document).kept(fragment), kept, "{seconds} {document:?} {fragment}");
        }
    }

    #[tokio::test]
    async fn what_ended_makes_room() {
        let flights = Flights::default();
        for n in 0..3 * MOST {
            flights.join(&n.to_string(), |_| false, async { Some("x".to_owned()) }).await;
        }
        assert!(flights.0.lock().unwrap().len() <= MOST);
    }
}
