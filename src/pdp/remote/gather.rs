//! One packet per request: the head and the body of a request wait for each other, and leave when the reply is
//! awaited. ureq writes them one by one, and with Nagle's algorithm off each write is a packet of its own, which wakes
//! the service twice and costs both sides more than the whole rest of the request.

use std::time::Duration;
use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// What waits at the most; a longer body leaves in pieces of about this size.
const GATHERED_BYTES: usize = 64 * 1024;
/// Socket timeouts are rounded down to whole steps of this length, so that most requests find the socket set as they
/// need it and save two system calls. At most 2 % of a timeout of [`ROUNDED_FROM`].
const TIMEOUT_STEP: Duration = Duration::from_millis(16);
/// Shorter timeouts are taken as they are.
const ROUNDED_FROM: Duration = Duration::from_millis(800);

/// Wraps whatever connection the connectors before it made.
#[derive(Debug)]
pub(in crate::pdp) struct Gathering;

impl<In: Transport> Connector<In> for Gathering {
    type Out = Gathered<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Gathered<In>>, Error> {
        Ok(chained.map(|inner| Gathered { inner, waiting: Vec::new() }))
    }
}

/// A connection whose output waits until input is awaited.
#[derive(Debug)]
pub(in crate::pdp) struct Gathered<T> {
    inner: T,
    waiting: Vec<u8>,
}

impl<T: Transport> Gathered<T> {
    fn flush(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        let mut sent = 0;
        while sent < self.waiting.len() {
            let output = self.inner.buffers().output();
            let amount = output.len().min(self.waiting.len() - sent);
            output[..amount].copy_from_slice(&self.waiting[sent..sent + amount]);
            self.inner.transmit_output(amount, timeout)?;
            sent += amount;
        }
        self.waiting.clear();
        self.waiting.shrink_to(GATHERED_BYTES);
        Ok(())
    }
}

impl<T: Transport> Transport for Gathered<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.waiting.extend_from_slice(&self.inner.buffers().output()[..amount]);
        if self.waiting.len() < GATHERED_BYTES { Ok(()) } else { self.flush(rounded(timeout)) }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = rounded(timeout);
        self.flush(timeout)?;
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

fn rounded(mut timeout: NextTimeout) -> NextTimeout {
    if let Some(after) = timeout.not_zero().filter(|after| **after >= ROUNDED_FROM) {
        let whole = after.as_millis() - after.as_millis() % TIMEOUT_STEP.as_millis();
        timeout.after = Duration::from_millis(u64::try_from(whole).unwrap_or(u64::MAX)).into();
    }
    timeout
}
