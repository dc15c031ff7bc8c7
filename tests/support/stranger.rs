//! The server of another party, on loopback: it answers what a test says, or misbehaves, and remembers what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server over http. Ends with the test.
pub struct Stranger {
    /// `http://127.0.0.1:<port>`.
    pub origin: String,
    says: Arc<Mutex<HashMap<String, Says>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What is answered at a path. A path that was never set hangs.
#[derive(Clone, Debug)]
pub enum Says {
    /// These bytes, from the status line on; then the connection is closed.
    Answer(String),
    /// Status 200, and a byte every 50 milliseconds, without end.
    Drips,
    /// Status 200, a length of a gigabyte, and all of it as fast as it is taken.
    Floods,
    /// Nothing at all.
    Hangs,
}

impl Says {
    /// Status 200 with this body.
    pub fn ok(content_type: &str, body: impl AsRef<str>) -> Says {
        let body = body.as_ref();
        Says::Answer(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Status 302.
    pub fn redirect(location: &str) -> Says {
        Says::Answer(format!(
            "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        ))
    }
}

impl Stranger {
    /// A server at which everything hangs.
    pub async fn new() -> Stranger {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let origin = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let stranger = Stranger { origin, says: Arc::default(), asked: Arc::default() };
        let (says, asked) = (Arc::clone(&stranger.says), Arc::clone(&stranger.asked));
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(socket, Arc::clone(&says), Arc::clone(&asked)));
            }
        });
        stranger
    }

    /// What it answers at this path from now on.
    pub fn says(&self, path: &str, says: Says) {
        self.says.lock().unwrap().insert(path.to_owned(), says);
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The heads of all requests for this path, as they came.
    pub fn asked(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|head| head.split(' ').nth(1) == Some(path)).cloned().collect()
    }

    /// How many requests came, for whatever path.
    pub fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn answer(mut socket: TcpStream, says: Arc<Mutex<HashMap<String, Says>>>, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = vec![0; 4096];
    let length = socket.read(&mut head).await.unwrap_or(0);
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push(head);
    let says = says.lock().unwrap().get(&path).cloned().unwrap_or(Says::Hangs);
    // An error means that the other side has heard enough.
    let _ = say(&mut socket, says).await;
}

async fn say(socket: &mut TcpStream, says: Says) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    match says {
        Says::Answer(answer) => socket.write_all(answer.as_bytes()).await,
        Says::Drips => {
            socket.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await?;
            loop {
                socket.write_all(b" ").await?;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        Says::Floods => {
            socket.write_all(format!("{head}content-length: 1073741824\r\n\r\n").as_bytes()).await?;
            let spaces = vec![b' '; 65_536];
            for _ in 0..16_384 {
                socket.write_all(&spaces).await?;
            }
            Ok(())
        }
        Says::Hangs => std::future::pending().await,
    }
}
