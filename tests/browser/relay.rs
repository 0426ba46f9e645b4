//! A wire between the browser and the page that a test can cut and mend.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
struct State {
    is_cut: bool,
    target: u16,
    open: Vec<TcpStream>,
}

/// Takes connections on a port of its own and passes them on.
pub(crate) struct Relay {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Relay {
    /// A whole wire to that port.
    pub(crate) fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State { target, ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connect(stream, &mut shared.lock().unwrap_or_else(PoisonError::into_inner));
            }
        });
        Self { port, state }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks every connection, and every one that is tried from now on.
    pub(crate) fn cut(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_cut = true;
        for stream in state.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Connections hold again.
    pub(crate) fn mend(&mut self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_cut = false;
    }

    /// New connections go there.
    pub(crate) fn turn_to(&mut self, target: u16) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).target = target;
    }
}

fn connect(near: TcpStream, state: &mut State) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", state.target)) else { return };
    if state.is_cut {
        return;
    }
    for (from, to) in [(&near, &far), (&far, &near)] {
        let (from, to) = (from.try_clone().expect("cloned"), to.try_clone().expect("cloned"));
        std::thread::spawn(move || pass(from, to));
    }
    state.open.extend([near, far]);
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut piece = [0; 16 * 1024];
    while let Ok(size @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..size]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
