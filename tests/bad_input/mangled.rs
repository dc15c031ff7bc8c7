//! A request of a client that was never written: each parameter in turn missing, empty, twice, large, deep, or not text.

use std::io::Write;

use url::form_urlencoded::byte_serialize;

use crate::operations::{dial, read_all};
use crate::support::{Database, attribute_of, element};

/// An endpoint, and a request to it with nothing wrong.
pub struct Endpoint {
    pub method: &'static str,
    pub path: &'static str,
    /// `Authorization`, `Cookie`.
    pub headers: Vec<(&'static str, String)>,
    pub fields: Vec<(&'static str, String)>,
}

/// What is done to a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mangling {
    Absent,
    Empty,
    Twice,
    Huge,
    NotUtf8,
    Nul,
    LineBreak,
    Junk,
    /// 100 kB.
    Large,
    /// 10,000 deep.
    Nested,
}

/// Those of the tables.
pub const MANGLINGS: [Mangling; 8] = [
    Mangling::Absent,
    Mangling::Empty,
    Mangling::Twice,
    Mangling::Huge,
    Mangling::NotUtf8,
    Mangling::Nul,
    Mangling::LineBreak,
    Mangling::Junk,
];

/// Those that are refused in one way or another, and only have to do no harm.
pub const HEAVY: [Mangling; 2] = [Mangling::Large, Mangling::Nested];

/// A header of its own, if the line break before it were one.
const SMUGGLED: &str = "%0D%0ASet-Cookie:%20smuggled=yes";
/// `{["<script>';--` and something outside of the basic plane.
const JUNK: &str = "%7B%5B%22%3Cscript%3E%27%3B--%F0%9F%98%80";
/// Bytes.
const HUGE: usize = 1024 * 1024;
/// Bytes.
const LARGE: usize = 100 * 1000;

/// JSON that a reader without a limit falls over.
pub fn nested() -> String {
    format!("{}{}", "[".repeat(10_000), "]".repeat(10_000))
}

impl Endpoint {
    /// The parameters with this one mangled.
    pub fn encoded(&self, parameter: &str, mangling: Mangling) -> String {
        let mut pairs = Vec::new();
        for (name, value) in &self.fields {
            let value: String = byte_serialize(value.as_bytes()).collect();
            match mangling {
                _ if *name != parameter => pairs.push(format!("{name}={value}")),
                Mangling::Absent => {}
                Mangling::Empty => pairs.push(format!("{name}=")),
                Mangling::Twice => pairs.extend([format!("{name}={value}"), format!("{name}={value}")]),
                Mangling::Huge => pairs.push(format!("{name}={value}{}", "x".repeat(HUGE))),
                Mangling::NotUtf8 => pairs.push(format!("{name}={value}%FF")),
                Mangling::Nul => pairs.push(format!("{name}={value}%00")),
                Mangling::LineBreak => pairs.push(format!("{name}={value}{SMUGGLED}")),
                Mangling::Junk => pairs.push(format!("{name}={JUNK}")),
                Mangling::Large => pairs.push(format!("{name}={value}{}", "x".repeat(LARGE))),
                Mangling::Nested => pairs.push(format!("{name}={}", nested())),
            }
        }
        pairs.join("&")
    }

    /// Sends these parameters, in the query of a GET and as a form otherwise.
    pub fn send(&self, db: &Database, encoded: &str) -> Answer {
        match self.method {
            "GET" => self.exchange(db, &format!("{}?{encoded}", self.path), None, ""),
            _ => self.exchange(db, self.path, Some("application/x-www-form-urlencoded"), encoded),
        }
    }

    /// Sends any body, as whatever it says it is.
    pub fn exchange(&self, db: &Database, target: &str, content_type: Option<&str>, body: &str) -> Answer {
        let mut head = format!("{} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", self.method);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(content_type) = content_type {
            head += &format!("Content-Type: {content_type}\r\n");
        }
        if self.method != "GET" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut stream = dial(db);
        // Whoever is refused half way hears of it when reading.
        let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
        Answer::read(&read_all(stream))
    }
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn read(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers =
            lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.into()));
        Answer { status, headers: headers.collect(), body: body.into() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A cell of the tables: the status, and the error, the page or the way on.
    pub fn cell(&self) -> String {
        let more = match (self.header("location"), self.header("content-type").unwrap_or_default()) {
            (Some(location), _) => way_on(location),
            (None, "application/json") => error_of(&self.body),
            (None, "text/html; charset=utf-8") => element(&self.body, "error").unwrap_or_else(|| self.page()),
            _ => String::new(),
        };
        format!("{} {more}", self.status).trim_end().to_owned()
    }

    /// The id of what is on the page to press or to read.
    fn page(&self) -> String {
        let buttons = ["sign-in", "allow", "account-1", "logout-yes", "logged-out", "change-password"];
        let tag =
            self.body.split('<').find(|tag| buttons.iter().any(|id| attribute_of(tag, "id").as_deref() == Some(id)));
        tag.and_then(|tag| attribute_of(tag, "id")).unwrap_or_default()
    }

    /// What is true of every answer, whatever was asked.
    #[track_caller]
    pub fn assert_sound(&self, context: &str) {
        assert!(self.status < 500, "{context}: {} {}", self.status, self.body);
        for (name, value) in &self.headers {
            // Or a session that is over is forgotten.
            let cookie_of_nobody =
                ["identity_browser=", "identity_state="].iter().any(|cookie| value.starts_with(cookie))
                    || value.ends_with("; Max-Age=0");
            assert!(name != "set-cookie" || cookie_of_nobody || self.cell().starts_with("200"), "{context}: {value}");
        }
        assert!(!self.body.contains("<script"), "{context}: {}", self.body);
        let expected: &[(&str, &str)] = match (self.status, self.header("content-type")) {
            (303, None) => &[("cache-control", "no-store"), ("referrer-policy", "no-referrer")],
            (_, Some("application/json")) => {
                &[("cache-control", "no-store"), ("pragma", "no-cache"), ("x-content-type-options", "nosniff")]
            }
            (_, Some("text/html; charset=utf-8")) => &[
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
            ],
            // Refused before a word of it was read (RFC 6585 §5).
            (414 | 431, None) => &[],
            other => panic!("{context}: {other:?}"),
        };
        for (name, value) in expected {
            assert_eq!(self.header(name), Some(*value), "{context}: {name}");
        }
    }
}

fn way_on(location: &str) -> String {
    let (path, query) = location.split_once('?').unwrap_or((location, ""));
    let (_, error) = query.split_once("error=").unwrap_or_default();
    match (path.starts_with('/'), error.split('&').next()) {
        (true, _) => path.to_owned(),
        (false, Some(error)) if !error.is_empty() => format!("client {error}"),
        (false, _) => "client".to_owned(),
    }
}

fn error_of(json: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|_| panic!("not JSON: {json}"));
    body["error"].as_str().unwrap_or_default().to_owned()
}
