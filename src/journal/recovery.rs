//! What dead processes left behind: a call that was under way and has no row gets one, with the outcome `unknown`.
//!
//! Several processes may start at once, and others may be at work: one at a time recovers (a lock of its own), a
//! process that lives keeps its file locked, and a call whose `call_id` stands in a row has its row. So each call gets
//! one row, however often recovery itself is cut off.

use super::chain::Link;
use super::file::{AuditFile, Rows};
use super::intents::{self, Line};
use super::place::{self, Place, has_path, read_at};
use super::read;
use super::tail::{self, Tail};
use callgate_actors::ports::RecordError;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Name of the file whose lock lets one process recover at a time.
const LOCK: &str = "recovery.lock";
/// How much of an audit file is read at once.
const PIECE: u64 = 256 * 1024;

/// Whether there is anything that may have been left behind.
pub(super) fn may_be_needed(place: &Place) -> bool {
    let (files, new) = intents::files_in(&place.intents());
    !files.is_empty() || !new.is_empty()
}

/// Writes the rows that are missing. How many there were.
pub(super) fn run(place: &Place, audit: &mut AuditFile, sync: bool) -> Result<usize, RecordError> {
    let at_work = place::open_private(&place.intents().join(LOCK), false)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(|error| audit.describe(&error))?;
    let (files, new) = intents::files_in(&place.intents());
    for path in new {
        if let Ok(Some(_dead)) = take(&path) {
            let _ = fs::remove_file(&path);
        }
    }
    let mut recovered = 0;
    for path in files {
        match take(&path) {
            Ok(Some(file)) => recovered += recover(place, &file, audit, sync)?,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!("intents {path:?} cannot be read: {error}");
                continue;
            }
        }
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!("intents {path:?} cannot be removed: {error}");
        }
    }
    drop(at_work);
    if recovered > 0 {
        tracing::warn!(recovered, "calls that a crash cut off were recorded with the outcome unknown");
    }
    Ok(recovered)
}

/// The file of a dead process, locked by us; `None` while its process lives, and when it is gone.
fn take(path: &Path) -> io::Result<Option<File>> {
    let file = match File::options().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let is_there = has_path(&file.metadata()?, path);
    Ok(Some(file).filter(|_| is_there))
}

fn recover(place: &Place, file: &File, audit: &mut AuditFile, sync: bool) -> Result<usize, RecordError> {
    let mut text = Vec::new();
    let read = (&mut &*file).read_to_end(&mut text).and_then(|_| missing(place, &text));
    let missing = read.map_err(|error| audit.describe(&error))?;
    if missing.calls.is_empty() {
        return Ok(0);
    }
    audit.append(&missing, &mut |_| ())?;
    if sync {
        for file in audit.take_unsynced() {
            file.sync_data().map_err(|error| audit.describe(&error))?;
        }
    }
    Ok(missing.calls.len())
}

/// The calls in a file of intents that have no row.
pub(super) fn missing(place: &Place, text: &[u8]) -> io::Result<Rows> {
    #[derive(Deserialize)]
    struct Id {
        call_id: String,
    }
    let mut open = BTreeMap::new();
    let mut behind = u64::MAX;
    for line in text.split(|byte| *byte == b'\n') {
        // The last line may be torn: then its call was never let go.
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { continue };
        let Ok(Id { call_id }) = serde_json::from_str(line.row.get()) else { continue };
        behind = behind.min(line.behind);
        open.insert(call_id, (line.number, line.row.get()));
    }
    if open.is_empty() {
        return Ok(Rows::default());
    }
    find_rows(place, behind, &mut |row| {
        if let Some(call_id) = read::call_id(row) {
            open.remove(call_id);
        }
    })?;
    let mut rows = Rows::default();
    let now = Timestamp::now();
    let mut in_order: Vec<_> = open.into_values().collect();
    in_order.sort_unstable();
    for (number, row) in in_order {
        let Some(body) = row.strip_suffix('}') else { continue };
        let _ = writeln!(rows.text, "{body},\"recovered_at\":\"{now}\"}}");
        rows.calls.push(number);
    }
    Ok(rows)
}

/// Shows every row behind number `behind`, the newest first, in the audit file and those before it.
fn find_rows(place: &Place, behind: u64, show: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut files = vec![place.audit.clone()];
    let mut earlier: Vec<_> = place.earlier_files().into_iter().map(|path| (last_seq(&path), path)).collect();
    earlier.sort();
    files.extend(earlier.into_iter().rev().map(|(_, path)| path));
    for path in files {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        let len = file.metadata()?.len();
        let reached = backwards(&file, len, &mut |row| {
            let seq = Link::of(row).map(|link| link.seq);
            show(row);
            seq.is_none_or(|seq| seq > behind)
        })?;
        if reached {
            break;
        }
    }
    Ok(())
}

fn last_seq(path: &Path) -> u64 {
    let tail = File::open(path).and_then(|file| tail::read(&file, file.metadata()?.len()));
    match tail {
        Ok(Tail::Row(Some(link)) | Tail::NoLineFeed(Some(link)) | Tail::Torn { before: Some(link), .. }) => {
            link.seq
        }
        _ => 0,
    }
}

/// Shows the lines of a file from its end on, until `more` says that it is enough. Whether it did.
fn backwards(file: &File, len: u64, more: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<bool> {
    let mut from = len;
    let mut rest = Vec::new();
    while from > 0 {
        let size = from.min(PIECE);
        from -= size;
        let mut piece = vec![0; size as usize];
        read_at(file, &mut piece, from)?;
        piece.append(&mut rest);
        while let Some(at) = memchr::memrchr(b'\n', &piece) {
            let line = &piece[at + 1..];
            if !line.is_empty() && !more(line) {
                return Ok(true);
            }
            piece.truncate(at);
        }
        rest = piece;
    }
    Ok(!rest.is_empty() && !more(&rest))
}

#[cfg(test)]
mod tests;
