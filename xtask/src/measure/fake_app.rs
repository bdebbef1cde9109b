//! For tests: a web application in a few lines, which shares nothing with the real one
//! and has a fault.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::compare::Rows;
use super::observed::Row;

/// What is wrong with an application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Acknowledges every seventh write without storing it.
    Lies,
    /// Stores something else than it acknowledges, every seventh time.
    Alters,
    /// Stores every seventh write twice.
    Doubles,
    /// Answers each request after so many milliseconds.
    Slow(u64),
    /// Does not answer at all between these milliseconds of its life.
    Away(u64, u64),
    /// Counts back after half a second.
    CountsBack,
    /// Reads every fifth request of a connection, and closes it without a word.
    Drops {
        /// After it has done what was asked.
        stores: bool,
        /// And has forgotten the key when it is asked again.
        forgets: bool,
    },
    /// Reads every fifth request of a connection, and leaves it open without an answer.
    Stalls,
    /// Refuses every seventh write for good.
    Refuses,
    /// Asks for a second of patience during its first 300 ms.
    Busy,
}

pub struct FakeApp {
    pub url: String,
    state: Arc<State>,
}

/// What the threads of an application share.
struct State {
    fault: Fault,
    born: Instant,
    stop: AtomicBool,
    stored: Mutex<Stored>,
}

#[derive(Default)]
struct Stored {
    rows: BTreeMap<i64, Row>,
    /// Which row each key stands for.
    keys: BTreeMap<String, i64>,
    /// How often each message was received.
    received: BTreeMap<String, usize>,
}

struct Request {
    path: String,
    key: Option<String>,
    closes: bool,
    body: Vec<u8>,
}

impl FakeApp {
    pub fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            fault,
            born: Instant::now(),
            stop: AtomicBool::new(false),
            stored: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&shared);
                thread::spawn(move || state.serve(stream.unwrap()));
            }
        });
        Self { url, state }
    }

    pub fn rows(&self) -> Rows {
        self.state.stored().rows.clone()
    }

    /// How often the message was received that was received most often.
    pub fn most_received(&self) -> usize {
        let stored = self.state.stored();
        stored.received.values().copied().max().unwrap_or(0)
    }
}

impl Drop for FakeApp {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, which may be gone already.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

impl State {
    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap()
    }

    /// One connection, for as long as the client keeps it.
    fn serve(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for number in 1.. {
            // A client that went away asks for nothing.
            let Some(request) = read(&mut reader) else {
                return;
            };
            let age = self.born.elapsed().as_millis() as u64;
            match self.fault {
                Fault::Slow(wait) => thread::sleep(Duration::from_millis(wait)),
                Fault::Away(from, to) if (from..to).contains(&age) => return,
                _ => {}
            }
            if self.fault == Fault::Stalls && number % 5 == 0 {
                // Until the client goes away.
                let _ = read(&mut reader);
                return;
            }
            let drops = matches!(self.fault, Fault::Drops { .. }) && number % 5 == 0;
            if drops
                && self.fault
                    == (Fault::Drops {
                        stores: false,
                        forgets: false,
                    })
            {
                self.note(&request);
                return;
            }
            let (head, body) = self.answer(&request, age);
            if drops {
                return;
            }
            let body = body.to_string();
            let close = if request.closes {
                "Connection: close\r\n"
            } else {
                ""
            };
            let length = body.len();
            let whole = format!("HTTP/1.1 {head}\r\n{close}Content-Length: {length}\r\n\r\n{body}");
            // The client may have given up.
            if stream.write_all(whole.as_bytes()).is_err() || request.closes {
                return;
            }
        }
    }

    fn note(&self, request: &Request) {
        if let Some(message) = message(request) {
            *self.stored().received.entry(message).or_default() += 1;
        }
    }

    /// Status line with further headers, and body.
    fn answer(&self, request: &Request, age: u64) -> (String, Value) {
        self.note(request);
        let ok = |body: Value| ("200 OK".to_owned(), body);
        if let Some(message) = message(request) {
            if self.fault == Fault::Busy && age < 300 {
                let head = "503 Busy\r\nRetry-After: 1".to_owned();
                return (head, json!({"error": "busy"}));
            }
            return self.add(&message, request.key.as_deref());
        }
        let stored = self.stored();
        if request.path == "/count" {
            let count = stored.rows.len();
            let back = self.fault == Fault::CountsBack && age > 500;
            return ok(json!({"count": if back { count / 2 } else { count }}));
        }
        let newest = stored.rows.keys().rev().take(50);
        ok(newest.map(|id| json!({"id": id})).collect())
    }

    fn add(&self, message: &str, key: Option<&str>) -> (String, Value) {
        let mut stored = self.stored();
        let told = |id: i64, head: &str| {
            let body = json!({"status": "added", "id": id, "timestamp": format!("t{id}"),
                              "message": message});
            (head.to_owned(), body)
        };
        if let Some(id) = key.and_then(|key| stored.keys.get(key)) {
            return told(*id, "200 OK\r\nIdempotency-Replayed: true");
        }
        let id = stored.rows.keys().next_back().map_or(1, |last| last + 1);
        let row = |message: &str| Row {
            message: message.to_owned(),
            timestamp: format!("t{id}"),
        };
        let wrong = id % 7 == 0;
        let rows = &mut stored.rows;
        match self.fault {
            Fault::Refuses if wrong => {
                // The next one gets another id all the same.
                rows.insert(id, row("filler"));
                return ("422 No".to_owned(), json!({"error": "no"}));
            }
            Fault::Lies if wrong => {
                rows.insert(id + 1, row("filler"));
                rows.remove(&(id + 1));
            }
            Fault::Alters if wrong => drop(rows.insert(id, row("something else"))),
            Fault::Doubles if wrong => {
                rows.insert(id, row(message));
                rows.insert(id + 1, row(message));
            }
            _ => drop(rows.insert(id, row(message))),
        }
        let forgets = matches!(self.fault, Fault::Drops { forgets: true, .. });
        if let Some(key) = key.filter(|_| !forgets) {
            stored.keys.insert(key.to_owned(), id);
        }
        told(id, "200 OK")
    }
}

/// `None` where the client went away.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut key, mut closes, mut length) = (None, false, 0);
    loop {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "idempotency-key" => key = Some(value.to_owned()),
            "connection" => closes = value == "close",
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        path,
        key,
        closes,
        body,
    })
}

/// What is to be written, where something is.
fn message(request: &Request) -> Option<String> {
    if let Some((_, message)) = request.path.split_once("message=") {
        return Some(message.to_owned());
    }
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    Some(body["message"].as_str()?.to_owned())
}
