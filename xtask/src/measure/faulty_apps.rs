//! Tests of the measuring: applications that lose, alter, duplicate or delay writes,
//! which the figures have to show.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, Load};
use super::compare::{self, Rows, Verdict};
use super::figures::ClientFigures;
use super::observed::{Observed, Row};
use super::reader;

/// What is wrong with an application.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
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
}

/// A web application in a few lines, which shares nothing with the real one.
struct FakeApp {
    url: String,
    rows: Arc<Mutex<BTreeMap<i64, Row>>>,
    stop: Arc<AtomicBool>,
}

impl FakeApp {
    fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let rows = Arc::new(Mutex::new(BTreeMap::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, stopped) = (Arc::clone(&rows), Arc::clone(&stop));
        thread::spawn(move || {
            let born = Instant::now();
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let kept = Arc::clone(&kept);
                thread::spawn(move || answer(stream.unwrap(), fault, born, &kept));
            }
        });
        Self { url, rows, stop }
    }

    fn rows(&self) -> Rows {
        self.rows.lock().unwrap().clone()
    }
}

impl Drop for FakeApp {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the listener, which may be gone already.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

fn answer(mut stream: TcpStream, fault: Fault, born: Instant, rows: &Mutex<BTreeMap<i64, Row>>) {
    let mut request = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    // A client that went away asks for nothing.
    if reader.read_line(&mut request).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let age = born.elapsed();
    match fault {
        Fault::Slow(wait) => thread::sleep(Duration::from_millis(wait)),
        Fault::Away(from, to) if (from..to).contains(&(age.as_millis() as u64)) => return,
        _ => {}
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let body = match path.split_once("message=") {
        Some((_, message)) => add(message, fault, &mut rows.lock().unwrap()),
        None if path == "/count" => {
            let count = rows.lock().unwrap().len();
            let back = fault == Fault::CountsBack && age > Duration::from_millis(500);
            format!("{{\"count\":{}}}", if back { count / 2 } else { count })
        }
        None => {
            let rows = rows.lock().unwrap();
            let newest = rows.keys().rev().take(50);
            let newest: Vec<String> = newest.map(|id| format!("{{\"id\":{id}}}")).collect();
            format!("[{}]", newest.join(","))
        }
    };
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
    // The client may have given up.
    let _ = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
}

fn add(message: &str, fault: Fault, rows: &mut BTreeMap<i64, Row>) -> String {
    let id = rows.keys().next_back().map_or(1, |last| last + 1);
    let wrong = id % 7 == 0;
    let row = |message: &str| Row {
        message: message.to_owned(),
        timestamp: format!("t{id}"),
    };
    match fault {
        Fault::Lies if wrong => {
            // The next one gets another id all the same.
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
    format!(
        "{{\"status\":\"added\",\"id\":{id},\"timestamp\":\"t{id}\",\"message\":\"{message}\"}}"
    )
}

const LOAD: Load = Load {
    rate: 100,
    connections: 2,
    reads: 20,
};

/// A second and a half of load against an application with a fault.
fn measure(fault: Fault) -> (Observed, Verdict) {
    let app = FakeApp::start(fault);
    let name = format!("xtask-faulty-{}-{:p}.jsonl", std::process::id(), &app);
    let path = std::env::temp_dir().join(name);
    let client = Client::start(&app.url, "m", LOAD, &path).unwrap();
    thread::sleep(Duration::from_millis(1500));
    let observed = client.finish().unwrap();
    std::fs::remove_file(path).unwrap();
    let verdict = compare::compare(&Rows::new(), &observed.requests, &app.rows());
    (observed, verdict)
}

fn acknowledged(observed: &Observed) -> usize {
    observed
        .requests
        .iter()
        .filter(|r| r.acknowledged())
        .count()
}

#[test]
fn an_honest_application_is_found_honest() {
    let (observed, verdict) = measure(Fault::None);
    assert!(
        acknowledged(&observed) >= 140,
        "{}",
        acknowledged(&observed)
    );
    assert_eq!(verdict, Verdict::default());
    assert!(observed.reads.len() >= 25, "{}", observed.reads.len());
    let seen = reader::contradictions(&observed.reads, &observed.requests, None);
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn an_acknowledgement_without_a_row_is_a_loss() {
    let (observed, verdict) = measure(Fault::Lies);
    // The same id is given out until something is stored under it.
    assert!(!verdict.lost.is_empty(), "{verdict:?}");
    let seen = reader::contradictions(&observed.reads, &observed.requests, None);
    assert!(!seen.is_empty(), "readers saw nothing");
}

#[test]
fn another_content_is_a_change() {
    let (_, verdict) = measure(Fault::Alters);
    assert!(verdict.changed.len() >= 15, "{verdict:?}");
    assert!(verdict.changed.iter().all(|id| id % 7 == 0));
    assert!(verdict.lost.is_empty() && verdict.phantom.is_empty());
}

#[test]
fn a_second_copy_is_a_phantom() {
    let (_, verdict) = measure(Fault::Doubles);
    assert!(verdict.phantom.len() >= 10, "{verdict:?}");
    assert!(verdict.lost.is_empty() && verdict.changed.is_empty());
}

#[test]
fn a_slow_answer_does_not_thin_the_load() {
    let (observed, verdict) = measure(Fault::Slow(400));
    // Two writers that waited for each answer would have sent eight.
    assert!(
        observed.requests.len() >= 140,
        "{}",
        observed.requests.len()
    );
    let figures = ClientFigures::new(&observed, LOAD.rate);
    // On time, or said to be late: this machine may be busy with other tests.
    let on_time = figures.late * 100 <= figures.requests;
    assert!(
        on_time || !figures.doubts(LOAD.rate).is_empty(),
        "{figures:?}"
    );
    let waited = observed.requests.iter().map(|r| r.ended - r.due);
    assert!(waited.fold(f64::INFINITY, f64::min) >= 0.4);
    assert_eq!(verdict, Verdict::default());
}

#[test]
fn an_outage_is_as_long_as_it_was_within_the_resolution() {
    let (observed, _) = measure(Fault::Away(500, 800));
    let figures = ClientFigures::new(&observed, LOAD.rate);
    assert!(figures.failed >= 25, "{figures:?}");
    let error = (figures.longest_gap_seconds - 0.3).abs();
    assert!(
        error <= 2.0 * figures.resolution_seconds + 0.05,
        "{figures:?}"
    );
}

#[test]
fn an_outage_shorter_than_the_period_is_below_the_stated_resolution() {
    let (observed, _) = measure(Fault::Away(501, 503));
    let figures = ClientFigures::new(&observed, LOAD.rate);
    // It may or may not have been hit; what is promised is no finer than this.
    assert!(figures.resolution_seconds >= 0.009, "{figures:?}");
    assert!(figures.failed <= 2 || figures.late > 0, "{figures:?}");
}

#[test]
fn a_count_that_goes_back_is_seen() {
    let (observed, verdict) = measure(Fault::CountsBack);
    assert_eq!(verdict, Verdict::default());
    let seen = reader::contradictions(&observed.reads, &observed.requests, None);
    assert!(seen[0].contains("the count went back"), "{seen:?}");
}

#[test]
fn two_hundred_a_second_cost_a_fraction_of_a_core() {
    let app = FakeApp::start(Fault::None);
    let name = format!("xtask-faulty-cost-{}.jsonl", std::process::id());
    let path = std::env::temp_dir().join(name);
    let load = Load {
        rate: 200,
        connections: 4,
        reads: 8,
    };
    let client = Client::start(&app.url, "m", load, &path).unwrap();
    thread::sleep(Duration::from_secs(2));
    let observed = client.finish().unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(
        observed.requests.len() >= 390,
        "{}",
        observed.requests.len()
    );
    let cpu = observed.cpu.unwrap();
    assert!(cpu > 0.0 && cpu < 1.0, "{cpu} s");
}
