//! Finds the files of a Rego set: one file, or a folder with the folders in it.

use crate::canonical::hex_sha256;
use crate::fault::{Fault, quoted};
use std::io;
use std::path::{Path, PathBuf};

/// Most files in a set.
const MAX_FILES: usize = 256;
/// Deepest folder in a folder.
const MAX_DEPTH: usize = 8;
/// Most entries that are looked at in all folders together.
const MAX_ENTRIES: usize = 16_384;
/// The one JSON file that is read, at the top of the folder.
const DATA: &str = "data.json";

/// Where Rego rules lie: a file, or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegoPath {
    /// Absolute.
    pub path: PathBuf,
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// What it is called in messages.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) is_data: bool,
}

impl RegoPath {
    /// The files, in the order of their names.
    ///
    /// # Errors
    /// What cannot be read, or that there are too many.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>, Fault> {
        let metadata = std::fs::metadata(&self.path).map_err(|error| unreadable(&self.path, &error))?;
        if !metadata.is_dir() {
            return Ok(vec![self.path.clone()]);
        }
        let mut found = Vec::new();
        let mut seen = 0;
        self.walk(&self.path, 0, &mut seen, &mut found)?;
        found.sort();
        let at = || self.path.to_string_lossy().into_owned();
        if found.len() > MAX_FILES {
            let what = format!("there are {} files", found.len());
            return Err(Fault::settings(at(), what, format!("keep at most {MAX_FILES}")));
        }
        if !found.iter().any(|path| !is_data(path)) {
            return Err(Fault::settings(at(), "there is no .rego file", "put the rules into one"));
        }
        Ok(found)
    }

    fn walk(
        &self,
        folder: &Path,
        depth: usize,
        seen: &mut usize,
        found: &mut Vec<PathBuf>,
    ) -> Result<(), Fault> {
        let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| unreadable(folder, &error))?.path();
            *seen += 1;
            if *seen > MAX_ENTRIES {
                let hint = "keep the rules in a folder of their own";
                return Err(Fault::settings(self.path.to_string_lossy(), "there are too many files", hint));
            }
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            // Links are followed, as systems that mount settings use them; a ring of them ends with the depth.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if metadata.is_dir() && depth < MAX_DEPTH {
                self.walk(&path, depth + 1, seen, found)?;
            } else if metadata.is_file() && (name.ends_with(".rego") || (depth == 0 && name == DATA)) {
                found.push(path);
            }
        }
        Ok(())
    }

    /// All files as they are now.
    ///
    /// # Errors
    /// Everything that cannot be read.
    pub(super) fn read(&self) -> Result<Vec<Text>, Vec<Fault>> {
        let (mut texts, mut faults) = (Vec::new(), Vec::new());
        for path in self.files().map_err(|fault| vec![fault])? {
            match read(&path) {
                Ok(text) => {
                    let name = path.to_string_lossy().into_owned();
                    texts.push(Text { name, text, is_data: is_data(&path) });
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(texts) } else { Err(faults) }
    }
}

/// SHA-256 over names and texts, 64 lower-case hex digits.
pub(super) fn digest(texts: &[Text]) -> String {
    let mut all = Vec::new();
    for text in texts {
        for part in [&text.name, &text.text] {
            all.extend((part.len() as u64).to_be_bytes());
            all.extend(part.bytes());
        }
    }
    hex_sha256(&all)
}

fn is_data(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == DATA)
}

fn read(path: &Path) -> Result<String, Fault> {
    let bytes = crate::settings::read_file(path).map_err(|error| unreadable(path, &error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Fault::settings(path.to_string_lossy(), "is not UTF-8", "save it as UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    let what = format!("{} cannot be read: {error}", quoted(&path.to_string_lossy()));
    Fault::settings("CALLGATE_REGO", what, "put it back, or correct its permissions")
}
