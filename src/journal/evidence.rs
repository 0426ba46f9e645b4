//! The files of one record, in their order: the audit file, those before it, and the folder beside it.

use super::chain::{Head, Link};
use super::intents;
use super::place::{self, Place};
use super::read;
use super::verify::{Report, Verifier};
use super::{checkpoint, recovery};
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Seek};
use std::path::{Path, PathBuf};

/// The files of one record.
#[derive(Debug)]
pub struct Evidence {
    place: Place,
    /// From the oldest to the newest.
    files: Vec<(PathBuf, File)>,
    /// The newest rows are among them.
    is_newest: bool,
    left_out: Vec<PathBuf>,
}

impl Evidence {
    /// Opens the files named. One name brings the earlier files beside it along. `folder` is the one with the
    /// checkpoints; without it, it is looked for beside the files.
    ///
    /// # Errors
    /// A file that was named cannot be read.
    pub fn open(named: &[PathBuf], folder: Option<&Path>) -> io::Result<Self> {
        let first = named.first().map_or(Path::new(""), PathBuf::as_path);
        let mut place = place_of(first);
        if let Some(folder) = folder {
            place.folder = folder.to_owned();
        }
        let is_newest = named.iter().any(|path| Place::of(path).audit == place.audit);
        let alone = named.len() == 1 && is_newest;
        let mut evidence = Self { place, files: Vec::new(), is_newest, left_out: Vec::new() };
        let mut files = Vec::new();
        for path in named {
            match open(path) {
                Ok(file) => files.push((first_seq(&file)?, path.clone(), file)),
                // Right after a rotation there is none.
                Err(error) if alone && error.kind() == ErrorKind::NotFound && evidence.has_record() => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("{path:?}: {error}"))),
            }
        }
        if alone {
            // Opened after the newest one: a rotation between the two shows a file twice, and none never.
            for path in evidence.place.earlier_files() {
                let file = open(&path)?;
                match first_seq(&file)? {
                    0 => evidence.left_out.push(path),
                    seq if files.iter().any(|(known, ..)| *known == seq) => {}
                    seq => files.push((seq, path, file)),
                }
            }
        }
        files.sort_by_key(|(seq, ..)| if *seq == 0 { u64::MAX } else { *seq });
        evidence.files = files.into_iter().map(|(_, path, file)| (path, file)).collect();
        Ok(evidence)
    }

    /// The files, from the oldest to the newest.
    pub fn into_files(self) -> Vec<(PathBuf, File)> {
        self.files
    }

    /// Whether everything is whole. `keys` are the public keys that count; without them those beside the audit file
    /// do. `anchor` is an end of the chain that somebody noted down earlier.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn verify(&self, keys: Option<Vec<String>>, anchor: Option<Head>) -> io::Result<Report> {
        let stored = fs::read(self.place.head()).ok().and_then(|text| place::read_head(&text));
        let beside = || {
            let text = fs::read_to_string(self.place.public_keys()).unwrap_or_default();
            checkpoint::public_keys(&text)
        };
        let mut notes = Vec::new();
        if keys.is_none() {
            notes.push(
                "signatures were held against the key beside the file; give --key to hold them against yours"
                    .into(),
            );
        }
        if stored.is_none() && self.is_newest {
            notes.push(format!(
                "{:?} is missing or damaged: rows missing at the end may go unseen",
                self.place.head()
            ));
        }
        let mut verifier = Verifier::new(keys.unwrap_or_else(beside));
        let path = self.place.checkpoints();
        match File::open(&path) {
            Ok(file) => verifier.checkpoints(&path.display().to_string(), &mut BufReader::new(file))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                notes.push(format!("there is no checkpoint file {path:?}: nothing is signed"));
            }
            Err(error) => return Err(error),
        }
        if let Some(anchor) = anchor {
            verifier.expect(anchor);
        }
        for (path, file) in &self.files {
            let mut input = BufReader::new(file);
            input.rewind()?;
            verifier.audit(&path.display().to_string(), &mut input)?;
        }
        notes.extend(self.left_out.iter().map(|path| format!("{path:?} is no audit file and was left out")));
        notes.extend(self.under_way());
        let mut report = verifier.end(stored, self.is_newest);
        report.notes.append(&mut notes);
        Ok(report)
    }

    /// Calls that have an intent and no row.
    fn under_way(&self) -> Vec<String> {
        if !self.is_newest {
            return Vec::new();
        }
        let (files, _) = intents::files_in(&self.place.intents());
        let mut notes = Vec::new();
        for path in files {
            let Ok(file) = File::open(&path) else { continue };
            if file.try_lock_shared().is_err() {
                notes.push("a process is at work: its calls under way have no row yet".to_owned());
                continue;
            }
            let text = fs::read(&path).unwrap_or_default();
            match recovery::missing(&self.place, &text).map(|rows| rows.len()) {
                Ok(0) | Err(_) => {}
                Ok(calls) => notes.push(format!(
                    "{calls} calls of a process that ended have no row; the next start of callgate records them"
                )),
            }
        }
        notes
    }

    fn has_record(&self) -> bool {
        self.place.folder.is_dir() || !self.place.earlier_files().is_empty()
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a folder; name the audit file in it"));
    }
    Ok(file)
}

/// The place that a file belongs to, whether it is the audit file or an earlier one.
fn place_of(path: &Path) -> Place {
    let place = Place::of(path);
    if place.folder.is_dir() {
        return place;
    }
    let name = place.audit.to_string_lossy();
    let shorter = name.rsplit_once('.').map(|(shorter, _)| Place::of(Path::new(shorter)));
    shorter.filter(|place| place.folder.is_dir()).unwrap_or(place)
}

/// The number of the first chained row of a file; 0 when there is none in its first lines.
fn first_seq(file: &File) -> io::Result<u64> {
    let mut input = BufReader::new(file);
    input.rewind()?;
    let mut line = Vec::new();
    while read::next_line(&mut input, &mut line)?.is_some() {
        match read::kind(&line) {
            read::Kind::Chained(Link { seq, .. }) => return Ok(seq),
            read::Kind::Unchained => {}
            read::Kind::Broken => break,
        }
    }
    Ok(0)
}
