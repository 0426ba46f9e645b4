//! The secrets of one installation: the key that signs checkpoints and the key that digests arguments.
//!
//! Both stand in one file of the state directory, made on first use and readable by its owner only. Several processes
//! may start together: the first one whose file stands there has made the key.

use super::hmac::HmacKey;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Name of the file in the state directory.
const FILE: &str = "journal.key";
/// First line of the file.
const HEAD: &str = "callgate journal key 1";

/// The keys of this installation.
pub struct Keys {
    signing: SigningKey,
    pub(super) hmac: HmacKey,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("public", &self.public_hex()).finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys in `state_dir`, made there if there are none.
    ///
    /// # Errors
    /// The directory cannot be written, the file cannot be read, or it is damaged.
    pub fn open(state_dir: &Path) -> io::Result<Self> {
        let path = Self::path(state_dir);
        match read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            read => return read,
        }
        make(state_dir, &path)?;
        read(&path)
    }

    /// Where the keys of `state_dir` are.
    pub fn path(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// The public key that verifies our checkpoints, 64 lower-case hex digits.
    pub fn public_hex(&self) -> String {
        hex(self.signing.verifying_key().as_bytes())
    }

    /// An Ed25519 signature (RFC 8032) as 128 lower-case hex digits.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        hex(&self.signing.sign(message).to_bytes())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next().filter(|line| *line == HEAD)?;
        let signing = unhex::<32>(lines.next()?.strip_prefix("ed25519 ")?)?;
        let hmac = unhex::<32>(lines.next()?.strip_prefix("hmac-sha256 ")?)?;
        Some(Self { signing: SigningKey::from_bytes(&signing), hmac: HmacKey::new(&hmac) })
    }
}

/// Whether `signature` is one of `public` over `message`; all hex digits.
pub(super) fn is_signed(public: &str, message: &[u8], signature: &str) -> bool {
    let (Some(public), Some(signature)) = (unhex::<32>(public), unhex::<64>(signature)) else { return false };
    VerifyingKey::from_bytes(&public)
        .is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(&signature)).is_ok())
}

fn read(path: &Path) -> io::Result<Keys> {
    let text = fs::read_to_string(path)?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions()) & 0o077 != 0 {
        tracing::warn!(?path, "the key that signs the audit record can be read by others; give it mode 0600");
    }
    Keys::parse(&text).ok_or_else(|| {
        let what = "it is damaged; restore it, or move it away to have a new key made";
        io::Error::new(ErrorKind::InvalidData, what)
    })
}

fn make(state_dir: &Path, path: &Path) -> io::Result<()> {
    super::place::create_directories(state_dir, 0o700)?;
    let mut secrets = [0; 64];
    getrandom::fill(&mut secrets).map_err(|error| io::Error::other(error.to_string()))?;
    let text = format!("{HEAD}\ned25519 {}\nhmac-sha256 {}\n", hex(&secrets[..32]), hex(&secrets[32..]));
    // Such a file has mode 0600 from its first moment.
    let mut file = tempfile::NamedTempFile::new_in(state_dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            tracing::info!(?path, "a key that signs the audit record was made");
            Ok(())
        }
        // Another process was faster; its key is the one.
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let pair = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    bytes.iter().flat_map(pair).map(char::from).collect()
}

/// Exactly `N` bytes in lower-case hex digits.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_private_and_not_printed() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let keys = Keys::open(&state).unwrap();
        let again = Keys::open(&state).unwrap();
        assert_eq!(keys.public_hex(), again.public_hex());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(Keys::path(&state)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let text = fs::read_to_string(Keys::path(&state)).unwrap();
        let secret = text.lines().nth(1).unwrap().split(' ').nth(1).unwrap();
        assert!(!format!("{keys:?}").contains(secret));
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing else is left there");
    }

    #[test]
    fn a_signature_holds_for_its_message_and_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::open(&dir.path().join("a")).unwrap();
        let other = Keys::open(&dir.path().join("b")).unwrap();
        let signature = keys.sign(b"text");
        assert!(is_signed(&keys.public_hex(), b"text", &signature));
        assert!(!is_signed(&keys.public_hex(), b"texT", &signature));
        assert!(!is_signed(&other.public_hex(), b"text", &signature));
        assert!(!is_signed("", b"text", &signature));
        assert!(!is_signed(&keys.public_hex(), b"text", &signature.to_uppercase()));
    }

    #[test]
    fn a_damaged_key_is_told_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(Keys::path(dir.path()), "callgate journal key 1\ned25519 00\n").unwrap();
        let error = Keys::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        assert_eq!(fs::read(Keys::path(dir.path())).unwrap().len(), 34);
    }
}
