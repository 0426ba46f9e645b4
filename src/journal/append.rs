//! One open audit file: finding the chain's end, tying rows to it, writing them, beginning a new file.

use super::chain::{Head, Link, Torn, seal};
use super::checkpoint::{self, Kind};
use super::file::{Care, Rows, Stop};
use super::keys::Keys;
use super::place::{self, Place};
use super::tail::{self, Tail};
use jiff::Timestamp;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A checkpoint is made when so many rows came since the last one ...
const MARK_ROWS: u64 = 1000;
/// ... or when the last one is so old and a row came since.
pub(super) const MARK_EVERY: Duration = Duration::from_secs(60);
/// Memory that the sealed rows keep between two batches; a batch of 100 rows fits.
const KEPT_BUFFER_BYTES: usize = 128 * 1024;

/// An open audit file.
pub(super) struct Open {
    pub(super) place: Place,
    pub(super) audit: Arc<File>,
    identity: place::Identity,
    /// `None` for a device: nobody can read back what a row would be tied to.
    pub(super) chain: Option<Chain>,
    /// The length after our last write: as long as the file has it, it ends with our own row.
    end: Option<u64>,
    /// When its first row was written.
    begun: Option<SystemTime>,
    sealed: Vec<u8>,
}

/// The chain's end as this process knows it.
pub(super) struct Chain {
    /// The head file, whose lock is the journal's.
    pub(super) file: Arc<File>,
    pub(super) head: Head,
    /// Rows of ours since the chain's end was signed by us.
    unsigned: u64,
    signed_at: Instant,
}

impl Open {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let existing = fs::metadata(path).ok();
        if existing.as_ref().is_some_and(|meta| !place::may_be_opened(meta)) {
            // A pipe would block every call as soon as its reader pauses.
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a file nor a device"));
        }
        let audit = Arc::new(place::open_private(path, true)?);
        let place = Place::of(path);
        let meta = audit.metadata()?;
        let chain = if meta.is_file() { Some(Chain::at(&place)?) } else { None };
        let begun = first_timestamp(&audit);
        let identity = place::Identity::of(&meta);
        Ok(Self { place, audit, identity, chain, end: None, begun, sealed: Vec::new() })
    }

    /// The file whose lock allows to append.
    pub(super) fn lock_file(&self) -> &Arc<File> {
        self.chain.as_ref().map_or(&self.audit, |chain| &chain.file)
    }

    /// The length of the file; `None` when the path names another one, or none.
    pub(super) fn len(&self) -> io::Result<Option<u64>> {
        place::len_at(&self.audit, self.identity, &self.place.audit)
    }

    /// Appends `rows` in one write to a file of `len` bytes; the caller has the lock. Shows each row as it stands
    /// there.
    pub(super) fn append(
        &mut self,
        len: u64,
        rows: &Rows,
        keys: Option<&Keys>,
        show: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Stop> {
        let Some(chain) = &mut self.chain else {
            let (written, result) = write_counted(&self.audit, &rows.text);
            let whole = memchr::memchr_iter(b'\n', &rows.text[..written]).count();
            rows.iter().take(whole).for_each(show);
            return result.map_err(|error| Stop { whole, error });
        };
        let mut found = Found { len, torn: None, lacks_line_feed: false };
        if self.end != Some(len) {
            found = chain.find(&self.place, &self.audit, len)?;
        }
        if found.len == 0
            && chain.head.seq > 0
            && let Some(keys) = keys
        {
            chain.sign(&self.place, Kind::Begin, keys)?;
        }
        self.sealed.clear();
        if found.lacks_line_feed {
            self.sealed.push(b'\n');
        }
        let before = chain.head;
        let mut heads = Vec::with_capacity(rows.calls.len());
        for row in rows.iter() {
            let from = self.sealed.len();
            self.sealed.extend_from_slice(row);
            if let Some(torn) = found.torn.take() {
                torn.tell(&mut self.sealed);
            }
            chain.head = seal(&mut self.sealed, from, &chain.head);
            self.sealed.push(b'\n');
            heads.push((chain.head, self.sealed.len()));
        }
        if let (written, Err(error)) = write_counted(&self.audit, &self.sealed) {
            let whole = self.cut_back(found.len, &heads, written);
            self.show(usize::from(found.lacks_line_feed), &heads[..whole], show);
            return Err(Stop { whole, error });
        }
        self.end = Some(found.len + self.sealed.len() as u64);
        self.begun.get_or_insert_with(SystemTime::now);
        self.show(usize::from(found.lacks_line_feed), &heads, show);
        self.wrote(before, keys)
    }

    /// The chain's end for the next process, and a checkpoint when one is due.
    fn wrote(&mut self, before: Head, keys: Option<&Keys>) -> Result<(), Stop> {
        self.sealed.clear();
        self.sealed.shrink_to(KEPT_BUFFER_BYTES);
        let Some(chain) = &mut self.chain else { return Ok(()) };
        chain.unsigned += chain.head.seq - before.seq;
        // The rows are in the file: whoever comes next finds the chain's end there.
        if let Err(error) = place::write_head(&chain.file, &chain.head) {
            tracing::warn!("the head file {:?} cannot be written: {error}", self.place.head());
        }
        let is_due =
            chain.head.seq / MARK_ROWS != before.seq / MARK_ROWS || chain.signed_at.elapsed() > MARK_EVERY;
        if let (true, Some(keys)) = (is_due, keys)
            && let Err(error) = chain.sign(&self.place, Kind::Mark, keys)
        {
            tracing::warn!("no checkpoint was made: {error}; the next one covers the same rows");
        }
        Ok(())
    }

    fn show(&self, mut from: usize, heads: &[(Head, usize)], show: &mut dyn FnMut(&[u8])) {
        for (_, to) in heads {
            show(&self.sealed[from..to - 1]);
            from = *to;
        }
    }

    /// After a write that stopped: leaves the whole rows and takes the rest away. How many rows are whole.
    fn cut_back(&mut self, len: u64, heads: &[(Head, usize)], written: usize) -> usize {
        let mut whole = heads.iter().take_while(|(_, to)| *to <= written).count();
        let kept = whole.checked_sub(1).map_or(0, |last| heads[last].1);
        let cut = truncate(&self.place.audit, len + kept as u64);
        // A row that lacks only its line feed and cannot be taken away stands there: the next append ends its line.
        if cut.is_err() && heads.get(whole).is_some_and(|(_, to)| *to == written + 1) {
            whole += 1;
        }
        if let (Some(chain), Some(last)) = (&mut self.chain, whole.checked_sub(1)) {
            chain.head = heads[last].0;
            let _ = place::write_head(&chain.file, &chain.head);
        }
        whole
    }

    /// Moves the file away when it is long or old enough; the caller has the lock. Whether it did.
    pub(super) fn rotate(&self, care: &Care) -> bool {
        let Some(chain) = &self.chain else { return false };
        let is_long = care.rotate_bytes.is_some_and(|most| self.end.is_some_and(|end| end >= most));
        let age = self.begun.and_then(|begun| begun.elapsed().ok()).unwrap_or_default();
        if !is_long && care.rotate_age.is_none_or(|most| age < most) {
            return false;
        }
        let earlier = self.place.earlier(chain.head.seq);
        if earlier.exists() {
            tracing::warn!("the audit file is not rotated: {earlier:?} is there already");
            return false;
        }
        match fs::rename(&self.place.audit, &earlier) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("the audit file is not rotated to {earlier:?}: {error}");
                false
            }
        }
    }

    /// Signs the chain's end, if rows of ours came since; the caller has the lock.
    pub(super) fn sign(&mut self, kind: Kind, keys: &Keys) -> io::Result<()> {
        let Some(chain) = self.chain.as_mut().filter(|chain| chain.unsigned > 0) else { return Ok(()) };
        if let Some(head) = place::read_head_of(&chain.file)
            && head.seq > chain.head.seq
        {
            // Others wrote since. What we signed is signed; the file's length says that we must look again.
            return checkpoint::append(
                &self.place.checkpoints(),
                &self.place.public_keys(),
                kind,
                &head,
                keys,
            )
            .map(|()| chain.unsigned = 0);
        }
        chain.sign(&self.place, kind, keys)
    }
}

/// What there is at the file's end.
struct Found {
    /// Its length, without what was put aside.
    len: u64,
    torn: Option<Torn>,
    /// The last row is whole but for its line feed.
    lacks_line_feed: bool,
}

impl Chain {
    fn at(place: &Place) -> io::Result<Self> {
        let file = Arc::new(place::open_private(&place.head(), false)?);
        Ok(Self { file, head: Head::GENESIS, unsigned: 0, signed_at: Instant::now() })
    }

    fn sign(&mut self, place: &Place, kind: Kind, keys: &Keys) -> io::Result<()> {
        checkpoint::append(&place.checkpoints(), &place.public_keys(), kind, &self.head, keys)?;
        self.unsigned = 0;
        self.signed_at = Instant::now();
        Ok(())
    }

    /// Finds the chain's end when somebody else may have written since.
    fn find(&mut self, place: &Place, audit: &File, len: u64) -> io::Result<Found> {
        let mut found = Found { len, torn: None, lacks_line_feed: false };
        let tail = tail::read(audit, len)?;
        let last = match &tail {
            Tail::Empty => None,
            Tail::Row(link) => *link,
            Tail::NoLineFeed(link) => {
                found.lacks_line_feed = true;
                *link
            }
            Tail::Torn { before, .. } => *before,
        };
        let stored = place::read_head_of(&self.file);
        self.head = match (stored, last) {
            (Some(stored), Some(last)) if last.seq > stored.seq => last.head(),
            (Some(stored), last) => {
                tell_missing(place, &stored, last.as_ref(), len);
                stored
            }
            (None, Some(last)) => last.head(),
            (None, None) => checkpoint::last_head(&place.checkpoints()).unwrap_or(Head::GENESIS),
        };
        if let Tail::Torn { at, line, .. } = tail {
            put_aside(place, self.head.seq + 1, &line)?;
            truncate(&place.audit, at)?;
            found.len = at;
            found.torn = Some(Torn::of(&line));
        }
        Ok(found)
    }
}

/// Rows that the chain has and the file has not: the chain goes on behind them, so that `audit verify` finds the gap.
fn tell_missing(place: &Place, stored: &Head, last: Option<&Link>, len: u64) {
    let path = &place.audit;
    match last {
        Some(last) if last.seq < stored.seq => tracing::error!(
            ?path,
            "rows {} to {} are missing at the end of the audit file",
            last.seq + 1,
            stored.seq
        ),
        Some(last) if last.hash != stored.hash => {
            tracing::error!(?path, "row {} of the audit file was changed", stored.seq);
        }
        None if len > 0 && stored.seq > 0 => {
            tracing::error!(?path, "the audit file does not end in row {} of its chain", stored.seq);
        }
        _ => {}
    }
}

/// Keeps what a crash left of a row. The same remains have the same name, so that doing it again changes nothing.
fn put_aside(place: &Place, next: u64, line: &[u8]) -> io::Result<()> {
    let digest = crate::canonical::hex_sha256(line);
    let path = place.torn().join(format!("{next}-{}", &digest[..16]));
    let file = place::open_private(&path, false)?;
    (&file).write_all(line)?;
    file.sync_all()?;
    tracing::warn!(bytes = line.len(), kept = ?path, "the last line of the audit file was torn; it is kept aside");
    Ok(())
}

/// Makes a file shorter. Through a handle of its own: one for appending may not do that everywhere.
fn truncate(path: &Path, len: u64) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.set_len(len)
}

/// Writes all of `bytes`; how many were written in any case.
fn write_counted(mut file: &File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// When the first row of a file was written; `None` when it has none.
fn first_timestamp(file: &File) -> Option<SystemTime> {
    const BEGIN: &[u8] = b"{\"timestamp\":\"";
    let len = file.metadata().ok().filter(|meta| meta.is_file())?.len();
    let mut start = vec![0; len.min(64) as usize];
    place::read_at(file, &mut start, 0).ok()?;
    let rest = start.strip_prefix(BEGIN)?;
    let text = &rest[..memchr::memchr(b'"', rest)?];
    str::from_utf8(text).ok()?.parse::<Timestamp>().ok().map(SystemTime::from)
}
