//! Clients that hear of logouts: a server of a few lines, whose answers a test chooses.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::support::PATIENCE;

/// What it does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    /// Answers with this status.
    Status(u16),
    /// Keeps the connection and says nothing.
    Hang,
}

/// A request as it arrived.
#[derive(Debug)]
pub struct Request {
    pub path: String,
    pub head: String,
    pub body: String,
}

impl Request {
    /// The one parameter of the form.
    pub fn logout_token(&self) -> String {
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect();
        assert_eq!(fields.len(), 1, "{fields:?}");
        assert_eq!(fields[0].0, "logout_token");
        fields[0].1.clone()
    }
}

/// The server, on loopback.
pub struct Receiver {
    pub port: u16,
    requests: UnboundedReceiver<Request>,
    answers: Arc<Mutex<HashMap<String, Vec<Answer>>>>,
    given_up: Arc<AtomicUsize>,
}

impl Receiver {
    /// Answers 200 to everything that nothing else is said about.
    pub async fn start() -> Receiver {
        Receiver::on(0).await
    }

    /// The same on a port that is known already.
    pub async fn on(port: u16) -> Receiver {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Arc::new(Mutex::new(HashMap::new()));
        let (heard, requests) = unbounded_channel();
        let given_up = Arc::new(AtomicUsize::new(0));
        let (known, hung) = (Arc::clone(&answers), Arc::clone(&given_up));
        tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                open.spawn(serve(socket, heard.clone(), Arc::clone(&known), Arc::clone(&hung)));
            }
        });
        Receiver { port, requests, answers, given_up }
    }

    /// An address at it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What it answers at this path: the last one from then on.
    pub fn answers(&self, path: &str, answers: &[Answer]) {
        self.answers.lock().unwrap().insert(path.into(), answers.to_vec());
    }

    /// The next request.
    pub async fn next(&mut self) -> Request {
        tokio::time::timeout(PATIENCE, self.requests.recv()).await.expect("nothing arrives").unwrap()
    }

    /// How many requests that hung the other side has given up.
    pub fn given_up(&self) -> usize {
        self.given_up.load(Ordering::Relaxed)
    }

    /// What has arrived and nobody looked at.
    pub fn rest(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

async fn serve(
    mut socket: TcpStream,
    heard: UnboundedSender<Request>,
    answers: Arc<Mutex<HashMap<String, Vec<Answer>>>>,
    given_up: Arc<AtomicUsize>,
) {
    let mut bytes = Vec::new();
    let request = loop {
        let mut buffer = [0; 4096];
        let length = socket.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").filter(|(head, body)| {
            let announced =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            body.len() >= announced.unwrap_or(0_usize)
        });
        if let Some((head, body)) = whole {
            let path = head.split(' ').nth(1).unwrap_or_default();
            break Request { path: path.into(), head: head.into(), body: body.into() };
        } else if length == 0 {
            return;
        }
    };
    let answer = {
        let mut answers = answers.lock().unwrap();
        match answers.get_mut(&request.path) {
            Some(chosen) if chosen.len() > 1 => chosen.remove(0),
            Some(chosen) => chosen[0],
            None => Answer::Status(200),
        }
    };
    // An error means that the test is over.
    let _ = heard.send(request);
    match answer {
        Answer::Status(status) => {
            let text = format!("HTTP/1.1 {status} Answer\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = socket.write_all(text.as_bytes()).await;
        }
        Answer::Hang => {
            while socket.read(&mut [0; 64]).await.is_ok_and(|length| length > 0) {}
            given_up.fetch_add(1, Ordering::Relaxed);
        }
    }
}
