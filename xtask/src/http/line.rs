//! What became of a request on its way: whether it went over a connection that had
//! been kept, and whether any byte of an answer came. The one place that builds on
//! ureq's interface for transports, which may change between its versions.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport,
};
use ureq::{Agent, Error, config::Config};

/// Of one client, which has one request under way at a time.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Connections opened so far.
    opened: AtomicU64,
    /// Those of them that an answer came on.
    served: AtomicU64,
    /// The request that is under way: its connection was opened for it.
    fresh: AtomicBool,
    sent: AtomicBool,
    answered: AtomicBool,
}

impl Line {
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Another request begins.
    pub(super) fn begin(&self) {
        for flag in [&self.fresh, &self.sent, &self.answered] {
            flag.store(false, Ordering::Relaxed);
        }
    }

    /// It was sent over a connection that had served before and was closed, and nothing
    /// came back: the other side may have closed it before it read the request, or after.
    /// An answer that does not come in time is none: that connection is still open.
    pub(super) fn went_dead(&self, error: &Error) -> bool {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        was_closed(error) && is(&self.sent) && !is(&self.fresh) && !is(&self.answered)
    }
}

/// By the other side, in an orderly way or not.
fn was_closed(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let closed = [
        BrokenPipe,
        ConnectionAborted,
        ConnectionReset,
        UnexpectedEof,
    ];
    matches!(error, Error::Io(error) if closed.contains(&error.kind()))
}

/// An agent whose requests are watched.
pub(super) fn agent(config: Config, line: &Arc<Line>) -> Agent {
    let watching = Watching(Arc::clone(line));
    let connector = TcpConnector::default().chain(watching);
    Agent::with_parts(config, connector, Addresses::default())
}

#[derive(Debug)]
struct Watching(Arc<Line>);

impl<In: Transport> Connector<In> for Watching {
    type Out = Watched<In>;

    fn connect(
        &self,
        _: &ConnectionDetails,
        opened: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(opened.map(|inner| {
            self.0.opened.fetch_add(1, Ordering::Relaxed);
            self.0.fresh.store(true, Ordering::Relaxed);
            Watched {
                inner,
                line: Arc::clone(&self.0),
            }
        }))
    }
}

#[derive(Debug)]
struct Watched<T> {
    inner: T,
    line: Arc<Line>,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.line.sent.store(true, Ordering::Relaxed);
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let came = self.inner.await_input(timeout)?;
        if came {
            let first = !self.line.answered.swap(true, Ordering::Relaxed);
            if first && self.line.fresh.load(Ordering::Relaxed) {
                self.line.served.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(came)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

/// Takes an address as it is: ureq's own resolver starts a thread for each request that
/// has a limit, also where there is nothing to look up.
#[derive(Debug, Default)]
struct Addresses(DefaultResolver);

impl Resolver for Addresses {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let address = uri.authority().and_then(|authority| {
            let port = authority.port_u16().unwrap_or(80);
            let host = authority.host().trim_matches(['[', ']']);
            Some(SocketAddr::new(host.parse().ok()?, port))
        });
        let Some(address) = address else {
            return self.0.resolve(uri, config, timeout);
        };
        let mut found = self.empty();
        found.push(address);
        Ok(found)
    }
}
