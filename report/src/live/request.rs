//! What a browser asks, and whether it may.

use std::io::Read;

/// As long as the head of a request may be: browsers need a fraction.
const LONGEST: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

/// A request, or why it is refused.
#[derive(Debug, PartialEq)]
pub enum Asked {
    For(String),
    Refused {
        status: &'static str,
    },
    /// It went away, or is no request.
    Nothing,
}

/// Reads the head of one request. Only who asks for this machine by its own names is answered:
/// a page of somebody else whose name was made to lead here asks for that name.
pub fn read(stream: &mut impl Read, port: u16) -> Asked {
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return Asked::Nothing,
            Ok(count) => head.extend_from_slice(&piece[..count]),
        }
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(status) if status.is_complete() => return judged(&request, port),
            Ok(_) if head.len() < LONGEST => {}
            _ => {
                return Asked::Refused {
                    status: "400 Bad Request",
                };
            }
        }
    }
}

fn judged(request: &httparse::Request<'_, '_>, port: u16) -> Asked {
    let hosts: Vec<_> = request
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("host"))
        .map(|header| header.value)
        .collect();
    let ours = |host: &[u8]| {
        let names = ["127.0.0.1", "localhost"];
        let named = |name: &str| {
            host.eq_ignore_ascii_case(format!("{name}:{port}").as_bytes())
                || (port == 80 && host.eq_ignore_ascii_case(name.as_bytes()))
        };
        names.into_iter().any(named)
    };
    match (request.method, request.path, &hosts[..]) {
        (_, _, [host]) if !ours(host) => Asked::Refused {
            status: "421 Misdirected Request",
        },
        (Some("GET"), Some(path), [_]) => {
            let path = path.split('?').next().unwrap_or_default();
            Asked::For(path.to_owned())
        }
        (Some(_), Some(_), [_]) => Asked::Refused {
            status: "405 Method Not Allowed",
        },
        _ => Asked::Refused {
            status: "400 Bad Request",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(head: &str) -> Asked {
        read(&mut head.as_bytes(), 4711)
    }

    #[test]
    fn only_who_means_this_machine_is_answered() {
        let of = |host: &str| asked(&format!("GET /events?x=1 HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        for host in ["127.0.0.1:4711", "localhost:4711", "LocalHost:4711"] {
            assert_eq!(of(host), Asked::For("/events".to_owned()), "{host}");
        }
        let others = [
            "127.0.0.1",
            "127.0.0.1:80",
            "attacker.example:4711",
            "127.0.0.1.attacker.example:4711",
            "localhost:47110",
            "[::1]:4711",
            "",
        ];
        for host in others {
            let status = "421 Misdirected Request";
            assert_eq!(of(host), Asked::Refused { status }, "{host}");
        }
    }

    #[test]
    fn what_is_no_request_for_a_page_is_refused() {
        let refused = |head: &str| match asked(head) {
            Asked::Refused { status } => status,
            other => panic!("{other:?}"),
        };
        let host = "Host: localhost:4711\r\n";
        let post = refused(&format!("POST / HTTP/1.1\r\n{host}\r\n"));
        assert_eq!(post, "405 Method Not Allowed");
        for head in [
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            format!("GET / HTTP/1.1\r\n{host}{host}\r\n"),
            "no request\r\n\r\n".to_owned(),
            format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(LONGEST)),
        ] {
            assert_eq!(refused(&head), "400 Bad Request");
        }
        assert_eq!(asked("GET / HTTP/1.1\r\nHo"), Asked::Nothing);
    }
}
