use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use serde_json::json;

use super::*;

/// The application's own time-out is shorter than the client's, so that its reason
/// arrives.
#[test]
fn the_application_is_done_waiting_before_its_client_is() {
    let constant = |text: &str, name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.parse().ok()).expect(name)
    };
    let turn = constant(
        include_str!("../../../app/pra/disk/locks.py"),
        "WRITE_WAIT = ",
    );
    let sqlite = constant(
        include_str!("../../../app/pra/sql/connect.py"),
        "BUSY_MS = ",
    ) / 1000.0;
    assert!(
        turn + sqlite + 0.5 <= TIMEOUT.as_secs_f64(),
        "{turn} {sqlite}"
    );
}

#[test]
fn why_nobody_answered_is_said_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let said = format!("{:#}", get(&url, "/count", &[]).unwrap_err());
    assert_eq!(said.matches("os error").count(), 1, "{said}");
}

/// A server that serves one connection after the other by `serve`, and hands over what it
/// heard on each.
fn server(
    connections: usize,
    serve: fn(usize, &mut TcpStream) -> String,
) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, heard) = mpsc::channel();
    thread::spawn(move || {
        for number in 0..connections {
            let mut stream = listener.accept().unwrap().0;
            let said = serve(number, &mut stream);
            drop(stream);
            let _ = tell.send(said);
        }
    });
    (url, heard)
}

/// What came up to the end of a request's head, with what of the body came along.
fn hear(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let mut some = [0; 4096];
    while !heard.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut some) {
            Ok(0) | Err(_) => break,
            Ok(count) => heard.extend(&some[..count]),
        }
    }
    String::from_utf8(heard).unwrap()
}

fn tell(stream: &mut TcpStream, head: &str, body: &str) {
    let length = body.len();
    let whole = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}");
    let _ = stream.write_all(whole.as_bytes());
}

#[test]
fn a_write_is_json_and_says_its_key_and_its_answer_is_read_whole() {
    let (url, heard) = server(1, |_, stream| {
        let heard = hear(stream);
        let head = "503 Busy\r\nRetry-After: 7\r\nIdempotency-Replayed: true";
        tell(stream, head, "{\"error\": \"busy\"}");
        heard
    });
    let client = Client::new(false);
    let answer = client.post(&url, "/add", &json!({"message": "é"}), Some("k-1"));
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.retry_after), (503, Some(7.0)));
    assert!(answer.replayed && answer.complaint().contains("busy"));
    let heard = heard.recv().unwrap().to_ascii_lowercase();
    for header in [
        "post /add http/1.1\r\n",
        "content-type: application/json\r\n",
        "idempotency-key: k-1\r\n",
        "connection: close\r\n",
    ] {
        assert!(heard.contains(header), "{header} in {heard}");
    }
    assert_eq!(client.opened(), 1);
}

#[test]
fn parameters_are_percent_encoded() {
    let (url, heard) = server(1, |_, stream| {
        let heard = hear(stream);
        tell(stream, "200 OK", "{}");
        heard
    });
    get(&url, "/add", &[("message", "a b&c=é?#")]).unwrap();
    let heard = heard.recv().unwrap();
    let path = heard.split(' ').nth(1).unwrap();
    assert_eq!(path, "/add?message=a%20b%26c%3D%C3%A9%3F%23");
}

#[test]
fn no_redirect_of_the_application_is_followed() {
    let (url, _heard) = server(1, |_, stream| {
        let heard = hear(stream);
        tell(stream, "307 Elsewhere\r\nLocation: /other", "{}");
        heard
    });
    let answer = post(&url, "/add", &json!({"message": "m"})).unwrap();
    assert_eq!(answer.status, 307);
}

/// One limit for everything: an answer that comes byte by byte is none in time.
#[test]
fn the_limit_is_that_of_the_whole_answer() {
    let (url, _heard) = server(1, |_, stream| {
        let heard = hear(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
        heard
    });
    let client = Client::within(true, Duration::from_millis(400), 0);
    let start = Instant::now();
    let error = client.get(&url, "/count", &[]).unwrap_err();
    assert!(error.to_string().contains("no answer in time"), "{error}");
    let took = start.elapsed().as_secs_f64();
    assert!((0.35..2.0).contains(&took), "{took}");
    assert!(!error.downcast::<Unanswered>().unwrap().went_dead);
}

/// The first connection serves one request, hears another, and is closed without a word.
#[test]
fn a_kept_connection_that_went_dead_is_told_and_nothing_is_sent_twice() {
    let (url, heard) = server(2, |number, stream| {
        let mut heard = hear(stream);
        tell(stream, "200 OK", "{}");
        if number == 0 {
            heard += &hear(stream);
        }
        heard
    });
    let client = Client::new(true);
    client.get(&url, "/count", &[]).unwrap();
    let error = client.post(&url, "/add", &json!({"message": "m"}), None);
    let error = error.unwrap_err();
    assert!(
        error.downcast_ref::<Unanswered>().unwrap().went_dead,
        "{error}"
    );
    assert!(error.to_string().contains("had been kept"), "{error}");
    assert_eq!(client.opened(), 1);
    assert_eq!(heard.recv().unwrap().matches("POST /add").count(), 1);
    // The next one finds a new connection by itself.
    client.get(&url, "/count", &[]).unwrap();
    assert_eq!(client.opened(), 2);
}

/// The connection is open: whoever asks again would hide that nobody answers.
#[test]
fn a_kept_connection_without_an_answer_in_time_has_not_gone_dead() {
    let (url, _heard) = server(1, |_, stream| {
        let first = hear(stream);
        tell(stream, "200 OK", "{}");
        // Until the client goes away.
        first + &hear(stream) + &hear(stream)
    });
    let client = Client::within(true, Duration::from_millis(300), 0);
    client.get(&url, "/count", &[]).unwrap();
    let error = client.get(&url, "/count", &[]).unwrap_err();
    let unanswered = error.downcast::<Unanswered>().unwrap();
    assert!(!unanswered.went_dead, "{unanswered}");
    assert_eq!(unanswered.to_string(), "no answer in time");
    assert_eq!(client.opened(), 1, "it was asked on the kept one");
}

/// What was closed before anything was sent is noticed, and nothing fails.
#[test]
fn a_kept_connection_that_was_closed_meanwhile_is_not_used() {
    let (url, heard) = server(2, |_, stream| {
        let heard = hear(stream);
        tell(stream, "200 OK", "{}");
        heard
    });
    let client = Client::new(true);
    client.get(&url, "/count", &[]).unwrap();
    // It is told once the connection is closed.
    heard.recv().unwrap();
    let body = json!({"message": "m"});
    client.post(&url, "/add", &body, None).unwrap();
    assert_eq!(client.opened(), 2);
}
