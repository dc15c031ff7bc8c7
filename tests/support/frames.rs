//! HTTP/2 by hand (RFC 9113), for clients that no library would be: they reset, flood and never read.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// One connection. Nothing is answered by itself, not even a PING.
pub struct Http2 {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What stands in a frame's head, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// RFC 9113 §6: one of the constants here.
    pub kind: u8,
    /// Their meaning is the kind's.
    pub flags: u8,
    /// 0 is the connection.
    pub stream: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

/// RFC 9113 §6.
pub const DATA: u8 = 0;
/// RFC 9113 §6.
pub const HEADERS: u8 = 1;
/// RFC 9113 §6.
pub const RST_STREAM: u8 = 3;
/// RFC 9113 §6.
pub const SETTINGS: u8 = 4;
/// RFC 9113 §6.
pub const PING: u8 = 6;
/// RFC 9113 §6.
pub const GOAWAY: u8 = 7;
/// RFC 9113 §6.
pub const CONTINUATION: u8 = 9;
/// Of HEADERS and DATA.
pub const END_STREAM: u8 = 1;
/// Of HEADERS and CONTINUATION.
pub const END_HEADERS: u8 = 4;
/// Of SETTINGS and PING.
pub const ACK: u8 = 1;

impl Http2 {
    /// Connects and says so, with these settings (RFC 9113 §6.5.2).
    pub fn open(port: u16, settings: &[(u16, u32)]) -> Http2 {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut connection = Http2 { stream, received: Vec::new() };
        connection.stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
        assert!(connection.send(SETTINGS, 0, 0, &payload));
        connection
    }

    /// Sends a frame; false when the other side has closed.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).is_ok()
    }

    /// A request's head, complete.
    pub fn request(&mut self, stream: u32, method: &str, path: &str, end: u8) -> bool {
        let block = head(method, path);
        self.send(HEADERS, END_HEADERS | end, stream, &block)
    }

    /// The next frame within this time; none when it is over, or the other side has closed.
    pub fn frame(&mut self, within: Duration) -> Option<Frame> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(frame) = self.parse() {
                return Some(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 16 * 1024];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.received.extend(&bytes[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
                Err(_) => return None,
            }
        }
    }

    /// Reads until a frame is as asked for; none when the other side closes, or seems to hang.
    pub fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let frame = self.frame(deadline.saturating_duration_since(Instant::now()))?;
            if wanted(&frame) {
                return Some(frame);
            }
        }
    }

    /// Whether the other side has read everything so far and answers.
    pub fn ping(&mut self) -> bool {
        self.send(PING, 0, 0, b"whatever") && self.until(|frame| frame.kind == PING && frame.flags == ACK).is_some()
    }

    /// Whether the other side has closed, without waiting for it.
    pub fn closed(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let mut bytes = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return true,
                Ok(count) => self.received.extend(&bytes[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return false,
                Err(_) => return true,
            }
        }
    }

    fn parse(&mut self) -> Option<Frame> {
        let head: [u8; 9] = self.received.get(..9)?.try_into().unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = self.received.get(9..9 + length)?.to_vec();
        self.received.drain(..9 + length);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }
}

/// A header block (RFC 7541) of literals only.
pub fn head(method: &str, path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in [
        (":method", method),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", path),
        ("content-type", "application/x-www-form-urlencoded"),
    ] {
        literal(&mut block, name, value);
    }
    block
}

/// A header that enters no table.
pub fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        assert!(text.len() < 127, "one byte of length is enough here");
        block.push(text.len() as u8);
        block.extend(text.as_bytes());
    }
}
