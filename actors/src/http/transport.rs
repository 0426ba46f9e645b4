//! The connections below the HTTP client: those of ureq, tied to the [`Exchange`] that uses them at the moment.

use super::exchange::Exchange;
use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, ShutdownHandle, Transport,
};

type Sockets = Vec<Weak<dyn ShutdownHandle>>;

thread_local! {
    /// This thread is inside [`TiedConnector::connect`]: the connection asked for is one to a proxy.
    static CONNECTING: Cell<bool> = const { Cell::new(false) };
}

/// Makes connections that one request can shut down alone.
#[derive(Debug, Default)]
pub(super) struct TiedConnector(DefaultConnector);

impl Connector<()> for TiedConnector {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        struct Reset;
        impl Drop for Reset {
            fn drop(&mut self) {
                CONNECTING.set(false);
            }
        }
        if CONNECTING.replace(true) {
            return self.0.connect(details, chained);
        }
        let _reset = Reset;
        let sockets = Arc::new(Mutex::new(Sockets::new()));
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            // The TLS setup is always the agent's. With `true` it would be built again for every connection, and
            // building it reads the platform's certificates.
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: {
                let (agent, sockets) = (details.register_shutdown.clone(), sockets.clone());
                Arc::new(move |socket| {
                    agent(Weak::clone(&socket))?;
                    if let Some(exchange) = Exchange::current() {
                        exchange.attach(std::slice::from_ref(&socket))?;
                    }
                    sockets.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
                    Ok(())
                })
            },
        };
        let inner = self.0.connect(&details, chained)?;
        let sockets = std::mem::take(&mut *sockets.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(inner.map(|inner| Tied { inner, sockets, exchange: Exchange::current() }.boxed()))
    }
}

/// A connection, and the exchange that uses it. Every request writes first, and the pool asks [`Transport::is_open`]
/// before it takes a connection back: these two are where it changes hands.
struct Tied {
    inner: Box<dyn Transport>,
    sockets: Sockets,
    exchange: Option<Arc<Exchange>>,
}

impl Tied {
    fn tie(&mut self) -> Result<(), Error> {
        let Some(current) = Exchange::current() else { return Ok(()) };
        if !self.exchange.as_ref().is_some_and(|tied| Arc::ptr_eq(tied, &current)) {
            current.attach(&self.sockets)?;
            self.exchange = Some(current);
        }
        Ok(())
    }
}

impl Transport for Tied {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.tie()?;
        let Some(exchange) = &self.exchange else { return self.inner.transmit_output(amount, timeout) };
        exchange.write_begins();
        let written = self.inner.transmit_output(amount, timeout);
        if written.is_err() {
            exchange.write_failed();
        }
        written
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        if let Some(exchange) = self.exchange.take() {
            exchange.detach();
        }
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

impl fmt::Debug for Tied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
