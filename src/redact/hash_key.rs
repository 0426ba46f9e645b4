//! The key of this installation's hashes, in a file of the state directory that only its owner may read.

use super::style::HashKey;
use crate::fault::Fault;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// Name of the file: 64 hexadecimal digits and a line feed.
pub const FILE: &str = "redaction.key";
const DIGITS: usize = 64;

/// The key in the state directory; made when there is none. Several processes that start at once use the same one.
///
/// # Errors
/// A file that cannot be read or made, or that holds no key.
pub fn load(state_dir: &Path) -> Result<HashKey, Fault> {
    let path = state_dir.join(FILE);
    let fault = |what: String| {
        Fault::failure(what, "correct the file's permissions, or remove it to have a new key made")
    };
    let text = match read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = make(state_dir).and_then(|()| read(&path));
            made.map_err(|error| fault(format!("cannot make the key {}: {error}", path.display())))?
        }
        Err(error) => return Err(fault(format!("cannot read the key {}: {error}", path.display()))),
        Ok(text) => text,
    };
    let key = parse(text.trim_ascii()).map(HashKey::new);
    key.ok_or_else(|| fault(format!("{} holds no key of 64 hexadecimal digits", path.display())))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // A key and a line feed; more is no key.
    fs::File::open(path)?.take(DIGITS as u64 + 8).read_to_end(&mut text)?;
    Ok(text)
}

/// Written whole under another name and then linked, so that nobody reads half a key and the first one stays.
fn make(state_dir: &Path) -> io::Result<()> {
    fs::create_dir_all(state_dir)?;
    let own = state_dir.join(format!("{FILE}.{}", uuid::Uuid::new_v4().simple()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let key = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    let digest = <sha2::Sha256 as sha2::Digest>::digest(key.map(uuid::Uuid::into_bytes).concat());
    let text: String = digest.iter().map(|byte| format!("{byte:02x}")).chain(["\n".to_owned()]).collect();
    let written = options.open(&own).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let linked = written.and_then(|()| match fs::hard_link(&own, state_dir.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    fs::remove_file(&own).ok();
    linked
}

fn parse(text: &[u8]) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if text.len() != DIGITS {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(text.as_chunks::<2>().0) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_the_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("new/state");
        load(&state).unwrap();
        let text = fs::read(state.join(FILE)).unwrap();
        assert!(parse(text.trim_ascii()).is_some());
        load(&state).unwrap();
        assert_eq!(fs::read(state.join(FILE)).unwrap(), text);
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(state.join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "abc", &"g".repeat(64), &"0".repeat(65)] {
            fs::write(dir.path().join(FILE), text).unwrap();
            assert!(load(dir.path()).is_err(), "{text}");
        }
    }
}
