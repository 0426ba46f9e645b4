//! The stdio transport: one message per line, one lock around stdout.

use crate::faults;
use crate::lane::Lane;
use crate::server::Server;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::Arc;

/// Reads lines until stdin ends.
pub(crate) fn serve(server: &Arc<Server>) -> ExitCode {
    let lane = Lane::new(write_line, write_line);
    if let Some(banner) = &server.options.banner {
        write_line(banner);
    }
    let mut stdin = std::io::stdin().lock();
    let mut lines = 0;
    loop {
        let enough = server.options.stop_reading_after.is_some_and(|limit| lines >= limit);
        if enough || server.state().stopped_reading {
            faults::sleep_for_ever();
        }
        let mut line = Vec::new();
        match stdin.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        lines += 1;
        let text = String::from_utf8_lossy(&line);
        server.record(text.trim_end());
        server.dispatch(text.trim_end(), &lane);
    }
    if server.options.ignore_eof {
        faults::sleep_for_ever();
    }
    ExitCode::SUCCESS
}

/// Writes one whole line. A closed stdout means that nobody listens: the process ends, as real servers do.
pub(crate) fn write_line(message: &str) {
    write_raw(format!("{message}\n").as_bytes());
}

/// Writes bytes as they are.
pub(crate) fn write_raw(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    if stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}
