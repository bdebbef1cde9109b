//! Tests of the downloader against an HTTP server that misbehaves on demand.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::failure::{Kind, kind, next};
use crate::ui::Ui;

const BODY: &[u8] = b"the tool, all of it";
/// Of [`BODY`], by sha256sum.
const SHA256: &str = "da8ed7dcdb465ae174b630131a1421ad9eeeb576a824ee6a4e221380b26feeea";
const WRONG: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What the server does with a request: the number of the request, from which
/// byte on, and where to answer.
type Manner = fn(usize, usize, &mut TcpStream);

struct Server {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let from = read_range(&stream);
                manner(count.fetch_add(1, Ordering::SeqCst), from, &mut stream);
            }
        });
        Self { url, requests }
    }

    fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn read_range(stream: &TcpStream) -> usize {
    let mut from = 0;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    from
}

fn answer(stream: &mut TcpStream, status: &str, length: usize, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nContent-Range: bytes {}-{}/{}\r\n\
         Connection: close\r\n\r\n",
        BODY.len() - length,
        BODY.len() - 1,
        BODY.len(),
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The client may have gone away on purpose.
    let _ = stream.write_all(body);
}

fn serve(from: usize, stream: &mut TcpStream) {
    let status = if from == 0 {
        "200 OK"
    } else {
        "206 Partial Content"
    };
    answer(stream, status, BODY.len() - from, &BODY[from..]);
}

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("xtask-fetch-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn target(&self) -> PathBuf {
        self.0.join("tool")
    }

    fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fetch(server: &Server, place: &Place, sha256: &str) -> Result<()> {
    let exec = Exec::new(Ui::quiet(), place.0.join("logs"), false);
    let fetcher = Fetcher {
        exec: &exec,
        mirror: &server.url,
        pause: Duration::from_millis(10),
        tries: 4,
    };
    fetcher.file("https://example.test/tool", sha256, &place.target())
}

#[test]
fn a_good_download_is_in_place_and_nothing_else() {
    let place = Place::new("good");
    let server = Server::start(|_, from, stream| serve(from, stream));
    fetch(&server, &place, SHA256).unwrap();
    assert_eq!(fs::read(place.target()).unwrap(), BODY);
    assert_eq!(place.files(), 1);
}

#[test]
fn a_wrong_checksum_leaves_nothing() {
    let place = Place::new("wrong");
    let server = Server::start(|_, from, stream| serve(from, stream));
    let error = fetch(&server, &place, WRONG).unwrap_err();
    assert_eq!(kind(&error), Kind::Preflight);
    assert!(error.to_string().contains("wrong checksum"), "{error}");
    assert_eq!(place.files(), 0);
}

#[test]
fn a_cut_off_download_goes_on_where_it_stopped() {
    let place = Place::new("cut");
    let server = Server::start(|n, from, stream| match n {
        0 => answer(stream, "200 OK", BODY.len(), &BODY[..5]),
        _ => {
            assert_eq!(from, 5, "the second request asks for the rest");
            serve(from, stream);
        }
    });
    fetch(&server, &place, SHA256).unwrap();
    assert_eq!(fs::read(place.target()).unwrap(), BODY);
}

#[test]
fn what_an_interrupted_run_left_is_used() {
    let place = Place::new("resume");
    fs::write(place.target().with_extension("part"), &BODY[..7]).unwrap();
    let server = Server::start(|_, from, stream| {
        assert_eq!(from, 7);
        serve(from, stream);
    });
    fetch(&server, &place, SHA256).unwrap();
    assert_eq!(fs::read(place.target()).unwrap(), BODY);
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let place = Place::new("ranges");
    fs::write(place.target().with_extension("part"), &BODY[..7]).unwrap();
    let server = Server::start(|_, _, stream| {
        stream
            .write_all(
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BODY.len()).as_bytes(),
            )
            .unwrap();
        let _ = stream.write_all(BODY);
    });
    fetch(&server, &place, SHA256).unwrap();
    assert_eq!(fs::read(place.target()).unwrap(), BODY);
}

#[test]
fn a_busy_server_is_asked_again() {
    let place = Place::new("busy");
    let server = Server::start(|n, from, stream| match n {
        0 => answer(stream, "429 Too Many Requests", 0, b""),
        1 => answer(stream, "503 Service Unavailable", 0, b""),
        _ => serve(from, stream),
    });
    fetch(&server, &place, SHA256).unwrap();
    assert_eq!(server.count(), 3);
}

#[test]
fn a_server_that_stays_busy_is_left_with_a_way_on() {
    let place = Place::new("429");
    let server = Server::start(|_, _, stream| answer(stream, "429 Too Many Requests", 0, b""));
    let error = fetch(&server, &place, SHA256).unwrap_err();
    assert_eq!(kind(&error), Kind::Preflight);
    assert!(error.to_string().contains("429"), "{error}");
    assert!(next(&error).unwrap().contains("mirror"));
    assert_eq!(server.count(), 4);
}

#[test]
fn a_missing_file_is_not_asked_for_twice() {
    let place = Place::new("404");
    let server = Server::start(|_, _, stream| answer(stream, "404 Not Found", 0, b""));
    let error = fetch(&server, &place, SHA256).unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
    assert_eq!(server.count(), 1);
    assert_eq!(place.files(), 0);
}

#[test]
fn no_network_is_a_clear_error() {
    let place = Place::new("offline");
    let server = Server {
        // A port that was free a moment ago.
        url: {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        },
        requests: Arc::default(),
    };
    let error = fetch(&server, &place, SHA256).unwrap_err();
    assert_eq!(kind(&error), Kind::Preflight);
    assert!(next(&error).unwrap().contains("network"));
    assert_eq!(place.files(), 0);
}

#[test]
fn checksums_are_found_in_the_lists_that_projects_publish() {
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let list = format!("{a}  _dist/k3d-linux-amd64\n{b} *packer_1_linux_amd64.zip\n");
    assert_eq!(listed(&list, "k3d-linux-amd64"), Some(a.clone()));
    assert_eq!(listed(&list, "packer_1_linux_amd64.zip"), Some(b));
    assert_eq!(listed(&list, "k3d-linux-arm64"), None);
    assert_eq!(listed(&format!("{a}\n"), "kubectl"), Some(a));
    assert_eq!(listed("<html>not found</html>", "kubectl"), None);
}

#[test]
fn a_mirror_takes_the_place_of_the_scheme() {
    let url = "https://dl.k8s.io/release/v1/kubectl";
    assert_eq!(mirrored("", url), url);
    let behind = mirrored("https://mirror.test/all/", url);
    assert_eq!(
        behind,
        "https://mirror.test/all/dl.k8s.io/release/v1/kubectl"
    );
}
