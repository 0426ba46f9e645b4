//! What a backend offers: its lists as the raw descriptors it sent, its capabilities and its instructions.
//!
//! Descriptors stay raw, so that unknown members, schema keywords and number forms survive.

use crate::call::{Hints, ToldHints};
use crate::limits::{MAX_CURSOR_BYTES, MAX_LIST_BYTES, MAX_LIST_ENTRIES, MAX_PAGES};
use crate::wire::{skim, strict, write};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The version of the stored form; another one is not read.
const FORMAT: &[u8] = b"1";

/// The lists of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// `tools/list`
    Tools,
    /// `prompts/list`
    Prompts,
    /// `resources/list`
    Resources,
    /// `resources/templates/list`
    Templates,
}

impl List {
    /// Every list.
    pub const ALL: [List; 4] = [List::Tools, List::Prompts, List::Resources, List::Templates];

    /// The JSON-RPC method that asks for it.
    pub fn method(self) -> &'static str {
        match self {
            List::Tools => "tools/list",
            List::Prompts => "prompts/list",
            List::Resources => "resources/list",
            List::Templates => "resources/templates/list",
        }
    }

    /// The member of the result that holds it.
    pub fn member(self) -> &'static str {
        match self {
            List::Tools => "tools",
            List::Prompts => "prompts",
            List::Resources => "resources",
            List::Templates => "resourceTemplates",
        }
    }

    /// The server capability that goes with it.
    pub fn capability(self) -> &'static str {
        match self {
            List::Tools => "tools",
            List::Prompts => "prompts",
            List::Resources | List::Templates => "resources",
        }
    }

    /// The member that names an entry.
    pub fn name_member(self) -> &'static str {
        match self {
            List::Tools | List::Prompts => "name",
            List::Resources => "uri",
            List::Templates => "uriTemplate",
        }
    }

    /// The notification that tells of its change.
    pub fn changed(self) -> &'static str {
        match self {
            List::Tools => "notifications/tools/list_changed",
            List::Prompts => "notifications/prompts/list_changed",
            List::Resources | List::Templates => "notifications/resources/list_changed",
        }
    }
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The decoded name, URI or URI template.
    pub name: String,
    /// The whole descriptor, raw JSON.
    pub raw: Bytes,
    /// For tools: the annotations that matter here.
    pub hints: Hints,
}

impl Entry {
    /// Copies the entry out of the line that it came in. One with two readings (a name twice, say) is left out: the
    /// gate would rewrite one of them and the client read the other.
    pub fn read(list: List, raw: &[u8]) -> Option<Entry> {
        if let Err(error) = strict::check(raw) {
            tracing::warn!(list = list.method(), "an entry was left out: {error}");
            return None;
        }
        let raw = Bytes::copy_from_slice(raw);
        // Hosts refuse a whole server for one tool whose schema is none.
        let schema = skim::member(&raw, "inputSchema");
        if list == List::Tools && schema.is_some_and(|range| raw[range.start] != b'{') {
            tracing::warn!("a tool was left out: its input schema is no object");
            return None;
        }
        let name_span = skim::member(&raw, list.name_member())?;
        let name = skim::string(&raw[name_span])?;
        let hint = |key| match &raw[skim::path(&raw, &["annotations", key])?] {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        };
        let hints = match list {
            List::Tools => Hints::from(ToldHints {
                read_only: hint("readOnlyHint"),
                destructive: hint("destructiveHint"),
                idempotent: hint("idempotentHint"),
                open_world: hint("openWorldHint"),
            }),
            _ => Hints::default(),
        };
        Some(Entry { name, hints, raw })
    }
}

/// What one backend offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// `capabilities` of its `initialize` answer, raw JSON.
    pub capabilities: Bytes,
    /// `instructions`, decoded.
    pub instructions: Option<String>,
    /// `tools/list`
    pub tools: Vec<Entry>,
    /// `prompts/list`
    pub prompts: Vec<Entry>,
    /// `resources/list`
    pub resources: Vec<Entry>,
    /// `resources/templates/list`
    pub templates: Vec<Entry>,
}

impl Catalogue {
    /// One of the lists.
    pub fn list(&self, list: List) -> &[Entry] {
        match list {
            List::Tools => &self.tools,
            List::Prompts => &self.prompts,
            List::Resources => &self.resources,
            List::Templates => &self.templates,
        }
    }

    /// One of the lists, to be replaced.
    pub fn list_mut(&mut self, list: List) -> &mut Vec<Entry> {
        match list {
            List::Tools => &mut self.tools,
            List::Prompts => &mut self.prompts,
            List::Resources => &mut self.resources,
            List::Templates => &mut self.templates,
        }
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        List::ALL.into_iter().all(|list| self.list(list).is_empty())
    }

    /// Whether the backend declared this capability, or this flag of it.
    pub fn can(&self, path: &[&str]) -> bool {
        skim::path(&self.capabilities, path)
            .is_some_and(|range| !matches!(&self.capabilities[range], b"null" | b"false"))
    }

    /// The stored form: one JSON object.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = b"{\"format\":".to_vec();
        out.extend_from_slice(FORMAT);
        out.extend_from_slice(b",\"capabilities\":");
        out.extend_from_slice(if self.capabilities.is_empty() { b"{}" } else { &self.capabilities });
        if let Some(instructions) = &self.instructions {
            out.extend_from_slice(b",\"instructions\":");
            write::string(&mut out, instructions);
        }
        for list in List::ALL {
            out.push(b',');
            write::string(&mut out, list.member());
            out.extend_from_slice(b":[");
            for (n, entry) in self.list(list).iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(&entry.raw);
            }
            out.push(b']');
        }
        out.push(b'}');
        out
    }

    /// Reads the stored form. `None` when it is of another format or damaged.
    pub fn from_json(text: &[u8]) -> Option<Catalogue> {
        serde_json::from_slice::<serde::de::IgnoredAny>(text).ok()?;
        let text = Bytes::copy_from_slice(text);
        let member = |key| skim::member(&text, key).map(|range| text.slice(range));
        if member("format")? != FORMAT {
            return None;
        }
        let mut catalogue = Catalogue {
            capabilities: member("capabilities")?,
            instructions: member("instructions").and_then(|raw| skim::string(&raw)),
            ..Catalogue::default()
        };
        for list in List::ALL {
            let raw = member(list.member())?;
            skim::elements(&raw, |range| {
                catalogue.list_mut(list).extend(Entry::read(list, &raw[range]));
            })?;
        }
        Some(catalogue)
    }

    /// The names of entries that both catalogues have and that differ.
    pub fn changed_since(&self, old: &Catalogue, list: List) -> Vec<String> {
        let before: BTreeMap<&str, &Bytes> =
            old.list(list).iter().map(|entry| (entry.name.as_str(), &entry.raw)).collect();
        let differs = |entry: &&Entry| before.get(entry.name.as_str()).is_some_and(|raw| **raw != entry.raw);
        self.list(list).iter().filter(differs).map(|entry| entry.name.clone()).collect()
    }
}

/// Reads one list page by page.
#[derive(Debug)]
pub(super) struct Paging {
    pub(super) list: List,
    entries: Vec<Entry>,
    bytes: usize,
    seen: Vec<Bytes>,
}

/// What to do after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextPage {
    /// Ask again with this cursor, raw JSON.
    Ask(Bytes),
    /// The list is complete, or as complete as it gets; the text says what was odd.
    Done(Option<&'static str>),
}

impl Paging {
    pub(super) fn new(list: List) -> Self {
        Paging { list, entries: Vec::new(), bytes: 0, seen: Vec::new() }
    }

    /// Takes a page. An empty cursor is a cursor (MCP "Pagination"); the same cursor twice is a loop.
    pub(super) fn page(&mut self, result: &Bytes) -> NextPage {
        let Some(range) = skim::member(result, self.list.member()) else {
            return NextPage::Done(Some("an answer without the list"));
        };
        let raw = result.slice(range);
        skim::elements(&raw, |range| {
            if self.entries.len() < MAX_LIST_ENTRIES && self.bytes < MAX_LIST_BYTES {
                self.bytes += range.len();
                self.entries.extend(Entry::read(self.list, &raw[range]));
            }
        });
        let cursor = skim::member(result, "nextCursor").map(|range| Bytes::copy_from_slice(&result[range]));
        match cursor.filter(|cursor| cursor.first() == Some(&b'"')) {
            None => NextPage::Done(None),
            Some(cursor) if self.seen.contains(&cursor) => {
                NextPage::Done(Some("a cursor that was given before"))
            }
            Some(_) if self.bytes >= MAX_LIST_BYTES => NextPage::Done(Some("more bytes than are kept")),
            Some(cursor) if cursor.len() > MAX_CURSOR_BYTES => {
                NextPage::Done(Some("a cursor longer than any is"))
            }
            Some(_) if self.seen.len() >= MAX_PAGES => NextPage::Done(Some("more pages than anyone reads")),
            Some(cursor) => {
                self.seen.push(cursor.clone());
                NextPage::Ask(cursor)
            }
        }
    }

    /// The entries, the first of each name.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        let mut names = std::collections::BTreeSet::new();
        self.entries.into_iter().filter(|entry| names.insert(entry.name.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w15_every_page_is_read_and_a_loop_ends() {
        let mut paging = Paging::new(List::Tools);
        let page = |text: &'static str| Bytes::from_static(text.as_bytes());
        let ask = |cursor: &'static str| NextPage::Ask(Bytes::from_static(cursor.as_bytes()));
        assert_eq!(paging.page(&page(r#"{"tools":[{"name":"a"}],"nextCursor":""}"#)), ask("\"\""));
        assert_eq!(
            paging.page(&page(r#"{"tools":[{"name":"b"},{"name":"a"}],"nextCursor":"x"}"#)),
            ask("\"x\"")
        );
        assert!(matches!(
            paging.page(&page(r#"{"tools":[{"name":"c"}],"nextCursor":"x"}"#)),
            NextPage::Done(Some(_))
        ));
        let names: Vec<String> = paging.into_entries().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_catalogue_survives_storing() {
        let raw = Bytes::from_static(br#"{"x":1.0,"name":"a\u0062","annotations":{"readOnlyHint":true}}"#);
        let entry = Entry::read(List::Tools, &raw).expect("an entry");
        assert_eq!(entry.name, "ab");
        assert!(entry.hints.read_only && !entry.hints.idempotent);
        let catalogue = Catalogue {
            capabilities: Bytes::from_static(br#"{"tools":{"listChanged":true},"logging":{}}"#),
            instructions: Some("say \"please\"".into()),
            tools: vec![entry],
            ..Catalogue::default()
        };
        let stored = catalogue.to_json();
        assert_eq!(Catalogue::from_json(&stored), Some(catalogue.clone()));
        assert_eq!(Catalogue::from_json(&stored[..stored.len() - 1]), None);
        assert!(
            catalogue.can(&["tools", "listChanged"])
                && catalogue.can(&["logging"])
                && !catalogue.can(&["prompts"])
        );
    }
}
