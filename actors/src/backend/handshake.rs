//! How a backend is opened, step by step: `initialize`, `notifications/initialized`, the lists. What to send next is
//! decided here; sending is the actor's.

use super::catalogue::{Catalogue, List, NextPage, Paging};
use crate::front::Client;
use crate::wire::codes::{METHOD_NOT_FOUND, code_of, message_of};
use crate::wire::envelope::Body;
use crate::wire::{skim, write};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Protocol versions whose wire is spoken, oldest first (MCP "Versioning").
pub const VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

/// The version of ours that `raw` names (a JSON string).
pub fn known_version(raw: &[u8]) -> Option<&'static str> {
    VERSIONS.into_iter().find(|version| raw.get(1..raw.len().saturating_sub(1)) == Some(version.as_bytes()))
}

/// The `params` of `initialize` toward a backend: the client's own words.
pub(super) fn initialize_params(client: &Client) -> Bytes {
    let mut params =
        format!("{{\"protocolVersion\":\"{}\",\"capabilities\":", client.protocol_version).into_bytes();
    params.extend_from_slice(&client.capabilities);
    params.extend_from_slice(b",\"clientInfo\":");
    params.extend_from_slice(&client.info);
    params.push(b'}');
    params.into()
}

/// Why an answer to `initialize` is no opening.
pub(super) struct NotOpened {
    /// In our words.
    pub(super) why: &'static str,
    /// What the backend said: content like any other, to be redacted before anybody reads it.
    pub(super) said: String,
}

/// Reads the answer to `initialize`. Returns what the backend is and the version it speaks.
pub(super) fn initialized(answer: &Body) -> Result<(Catalogue, &'static str), NotOpened> {
    let result = match answer {
        Body::Result(result) => result,
        Body::Error(error) => {
            return Err(NotOpened { why: "refused to initialize", said: message_of(error) });
        }
    };
    let raw_version = skim::member(result, "protocolVersion").map(|range| &result[range]).unwrap_or_default();
    let version = known_version(raw_version).ok_or_else(|| NotOpened {
        why: "speaks a protocol version that is not known here",
        said: String::from_utf8_lossy(&raw_version[..raw_version.len().min(64)]).into_owned(),
    })?;
    Ok((introduced(result), version))
}

/// Reads an answer that is the client's: whatever version it speaks, and `None` when it is no opening.
pub(super) fn relayed(answer: &Body) -> Option<Catalogue> {
    match answer {
        Body::Result(result) => Some(introduced(result)),
        Body::Error(_) => None,
    }
}

fn introduced(result: &Bytes) -> Catalogue {
    let member = |key| skim::member(result, key).map(|range| Bytes::copy_from_slice(&result[range]));
    Catalogue {
        capabilities: member("capabilities").unwrap_or_else(|| Bytes::from_static(b"{}")),
        instructions: member("instructions").and_then(|raw| skim::string(&raw)),
        ..Catalogue::default()
    }
}

/// The lists that are being read.
#[derive(Default)]
pub(super) struct Listing {
    open: BTreeMap<List, Paging>,
}

impl Listing {
    /// Begins to read `list`; `None` when it is being read already.
    pub(super) fn begin(&mut self, list: List) -> Option<Option<Bytes>> {
        if self.open.contains_key(&list) {
            return None;
        }
        self.open.insert(list, Paging::new(list));
        Some(None)
    }

    /// Takes the answer to a page. `Some(params)` asks for the next one; `None` means the list is complete and
    /// stands in `catalogue`. A backend that does not know the method has an empty list; any other error leaves the
    /// list as it was.
    pub(super) fn page(
        &mut self,
        list: List,
        answer: &Body,
        catalogue: &mut Catalogue,
        backend: &str,
    ) -> Option<Bytes> {
        let paging = self.open.get_mut(&list)?;
        match answer {
            Body::Result(result) => match paging.page(result) {
                NextPage::Ask(cursor) => {
                    let mut params = b"{".to_vec();
                    write::string(&mut params, "cursor");
                    params.push(b':');
                    params.extend_from_slice(&cursor);
                    params.push(b'}');
                    return Some(params.into());
                }
                NextPage::Done(oddity) => {
                    if let Some(oddity) = oddity {
                        tracing::warn!(backend, list = list.method(), "the list ended with {oddity}");
                    }
                }
            },
            Body::Error(error) => {
                if code_of(error) != METHOD_NOT_FOUND {
                    tracing::warn!(backend, list = list.method(), "cannot be listed: {}", message_of(error));
                    self.open.remove(&list);
                    return None;
                }
            }
        }
        if let Some(paging) = self.open.remove(&list) {
            *catalogue.list_mut(list) = paging.into_entries();
        }
        None
    }

    /// Whether nothing is being read.
    pub(super) fn is_done(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w07_only_versions_that_are_spoken_are_known() {
        assert_eq!(known_version(br#""2025-06-18""#), Some("2025-06-18"));
        for raw in [&br#""2099-01-01""#[..], b"\"\"", b"", b"5", b"\"2025-06-18"] {
            assert_eq!(known_version(raw), None);
        }
    }

    #[test]
    fn a_backend_that_speaks_an_unknown_version_is_told_so() {
        let answer = Body::Result(Bytes::from_static(br#"{"protocolVersion":"1999-01-01"}"#));
        assert!(initialized(&answer).is_err_and(|refused| refused.said.contains("1999-01-01")));
    }
}
