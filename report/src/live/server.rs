//! Answers browsers: the page, its style and its script, and the pictures as server-sent
//! events (HTML, section 9.2).

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::frame;
use super::gallery::{Gallery, Shown};
use super::request::{self, Asked};
use crate::theme;

/// A browser that does not take a piece for so long has gone, or comes again.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a browser to say what it wants.
const HEAD: Duration = Duration::from_secs(5);
/// Something is said at least so often, so that who has gone is noticed.
const ALIVE: Duration = Duration::from_secs(10);

/// Within that time there is a new picture.
const FRESH: Duration = Duration::from_secs(1);

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers in threads of their own, which end with the program.
pub fn start(listener: TcpListener, gallery: Arc<Gallery>) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Too many files are open, say: that may pass.
                thread::sleep(Duration::from_millis(100));
                continue;
            };
            let gallery = Arc::clone(&gallery);
            thread::spawn(move || {
                // A browser that goes away is no error of ours.
                let _ = serve(stream, &gallery);
            });
        }
    });
}

fn serve(mut stream: TcpStream, gallery: &Arc<Gallery>) -> io::Result<()> {
    stream.set_read_timeout(Some(HEAD))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let port = stream.local_addr()?.port();
    let asked = request::read(&mut stream, port);
    let path = match &asked {
        Asked::For(path) => path.as_str(),
        Asked::Refused { status } => return answer(&mut stream, status, PLAIN, status),
        Asked::Nothing => return Ok(()),
    };
    const OK: &str = "200 OK";
    match path {
        "/" => {
            // Where nobody watched, the newest picture may be an old one.
            let _viewer = gallery.enter();
            let newest = gallery.newest();
            let next = gallery.after(newest.number, FRESH).unwrap_or(newest);
            let page = frame::page(&next.picture);
            answer(&mut stream, OK, "text/html; charset=utf-8", &page)
        }
        "/live.css" => {
            let style = format!("{}{}", theme::style(), include_str!("live.css"));
            answer(&mut stream, OK, "text/css; charset=utf-8", &style)
        }
        "/live.js" => {
            let script = include_str!("live.js");
            answer(&mut stream, OK, "text/javascript; charset=utf-8", script)
        }
        "/events" => match gallery.enter() {
            Some(_viewer) => send_pictures(&mut stream, gallery),
            None => answer(&mut stream, "503 Service Unavailable", PLAIN, "too many"),
        },
        _ => answer(&mut stream, "404 Not Found", PLAIN, "404 Not Found"),
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn head(
    stream: &mut impl Write,
    status: &str,
    kind: &str,
    length: Option<usize>,
) -> io::Result<()> {
    let length = length.map(|length| format!("Content-Length: {length}\r\n"));
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{}Cache-Control: no-store\r\n\
         Content-Security-Policy: {POLICY}\r\nX-Content-Type-Options: nosniff\r\n\
         Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Connection: close\r\n\r\n",
        length.unwrap_or_default()
    )
}

fn answer(stream: &mut impl Write, status: &str, kind: &str, body: &str) -> io::Result<()> {
    head(stream, status, kind, Some(body.len()))?;
    stream.write_all(body.as_bytes())
}

/// Sends each picture as long as there is somebody; who is slow gets fewer of them.
fn send_pictures(stream: &mut impl Write, gallery: &Gallery) -> io::Result<()> {
    head(stream, "200 OK", "text/event-stream; charset=utf-8", None)?;
    let mut shown = gallery.newest();
    loop {
        stream.write_all(event(&shown).as_bytes())?;
        if shown.last {
            return Ok(());
        }
        shown = loop {
            match gallery.after(shown.number, ALIVE) {
                Some(next) => break next,
                None => stream.write_all(b":\n\n")?,
            }
        };
    }
}

/// A picture as an event of one line: JSON has no line ends of its own.
fn event(shown: &Shown) -> String {
    let name = if shown.last { "last" } else { "picture" };
    let picture = serde_json::Value::from(&*shown.picture);
    format!("event: {name}\ndata: {picture}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_one_event_whatever_is_in_it() {
        let shown = |last| Shown {
            picture: "<p>\n\ndata: \"é\"\r\n".into(),
            number: 1,
            last,
        };
        let text = event(&shown(false));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("event: picture\ndata: \"<p>\\n\\n"));
        assert!(text.ends_with("\n\n"));
        assert!(event(&shown(true)).starts_with("event: last\n"));
    }
}
