//! What the client is offered: the lists of all backends under one roof, and the way back from every name.

use super::names::Names;
use super::template::Template;
use crate::backend::catalogue::{Catalogue, Entry, List};
use crate::call::Hints;
use crate::ports::{Carrier, Subject, Withheld};
use crate::redactor::Redactor;
use crate::wire::splice::splice;
use crate::wire::{skim, write};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The way from an exposed tool, prompt or resource to its backend.
#[derive(Clone, Debug)]
pub struct Route {
    /// Position of the backend in the configuration.
    pub backend: usize,
    /// Its id.
    pub id: Arc<str>,
    /// The backend's own name or URI.
    pub own: Arc<str>,
    /// The name or URI the client uses.
    pub exposed: Arc<str>,
    /// For tools.
    pub hints: Hints,
}

/// The lists of one backend, ready to be shown: made once per catalogue, since redaction costs.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    lists: BTreeMap<List, Vec<(Route, Bytes)>>,
}

impl Shown {
    /// Prepares the lists of the backend at position `backend`.
    pub fn new(
        backend: usize,
        id: &Arc<str>,
        catalogue: &Catalogue,
        names: &Names,
        redactor: &Redactor,
    ) -> Shown {
        let mut lists = BTreeMap::new();
        for list in List::ALL {
            let show = |entry: &Entry| show(backend, id, list, entry, names, redactor);
            lists.insert(list, catalogue.list(list).iter().filter_map(show).collect());
        }
        Shown { lists }
    }
}

/// A page of the only backend's list as the client is shown it: the entries under their own names and everything else
/// masked, the cursor as it came.
///
/// # Errors
/// A page that cannot be masked must not be shown.
pub fn page(id: &Arc<str>, list: List, result: &Bytes, redactor: &Redactor) -> Result<Bytes, Withheld> {
    let mut entries = b"[".to_vec();
    let array = skim::member(result, list.member()).filter(|span| result[span.start] == b'[');
    if let Some(array) = &array {
        let names = Names::of_the_only_one();
        let _ = skim::elements(&result[array.clone()], |element| {
            let raw = &result[array.start + element.start..array.start + element.end];
            let shown = Entry::read(list, raw).and_then(|entry| show(0, id, list, &entry, &names, redactor));
            let Some((_, raw)) = shown else { return };
            if entries.len() > 1 {
                entries.push(b',');
            }
            entries.extend_from_slice(&raw);
        });
    }
    entries.push(b']');
    let cursor =
        skim::member(result, "nextCursor").filter(|span| skim::string(&result[span.clone()]).is_some());
    // The rest of the page is masked without the two, which then take their places again.
    let mut cut: Vec<(Range<usize>, &[u8])> = Vec::new();
    cut.extend(array.clone().map(|span| (span, &b"[]"[..])));
    cut.extend(cursor.clone().map(|span| (span, &b"\"\""[..])));
    cut.sort_by_key(|(span, _)| span.start);
    let subject = Subject {
        backend: id.clone(),
        tool: None,
        carrier: Carrier::Catalogue,
        obliged: false,
        decision: None,
    };
    let rest = redactor.redact_here(&subject, splice(result, &cut).into())?.json;
    let mut back: Vec<(Range<usize>, &[u8])> = Vec::new();
    if let (Some(_), Some(span)) = (&array, skim::member(&rest, list.member())) {
        back.push((span, &entries));
    }
    if let (Some(cursor), Some(span)) = (cursor, skim::member(&rest, "nextCursor")) {
        back.push((span, &result[cursor]));
    }
    back.sort_by_key(|(span, _)| span.start);
    Ok(splice(&rest, &back).into())
}

fn show(
    backend: usize,
    id: &Arc<str>,
    list: List,
    entry: &Entry,
    names: &Names,
    redactor: &Redactor,
) -> Option<(Route, Bytes)> {
    let exposed = match list {
        List::Tools | List::Prompts => names.exposed(id, &entry.name),
        List::Resources | List::Templates => entry.name.clone(),
    };
    let tool = (list == List::Tools).then(|| Arc::from(entry.name.as_str()));
    let subject =
        Subject { backend: id.clone(), tool, carrier: Carrier::Catalogue, obliged: false, decision: None };
    let raw = match redactor.redact_here(&subject, entry.raw.clone()) {
        // A name that looks like personal data stays: it is how the entry is called. A URI is content and is masked;
        // the client then asks for the masked one.
        Ok(redacted) if names_entries(list) => named(redacted.json, &exposed),
        Ok(redacted) => redacted.json,
        Err(withheld) => {
            let (name, reason) = (&entry.name, withheld.reason);
            tracing::warn!(backend = %id, name, reason, "a catalogue entry was kept back");
            return None;
        }
    };
    let exposed = match list {
        List::Resources => {
            skim::member(&raw, "uri").and_then(|span| skim::string(&raw[span])).unwrap_or(exposed)
        }
        _ => exposed,
    };
    let own = Arc::from(entry.name.as_str());
    Some((Route { backend, id: id.clone(), own, exposed: exposed.into(), hints: entry.hints }, raw))
}

fn names_entries(list: List) -> bool {
    matches!(list, List::Tools | List::Prompts)
}

fn named(raw: Bytes, name: &str) -> Bytes {
    let Some(span) = skim::member(&raw, "name") else { return raw };
    if skim::string(&raw[span.clone()]).as_deref() == Some(name) {
        return raw;
    }
    let mut quoted = Vec::new();
    write::string(&mut quoted, name);
    splice(&raw, &[(span, &quoted)]).into()
}

/// Everything the client is offered now.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    tools: BTreeMap<Arc<str>, Route>,
    prompts: BTreeMap<Arc<str>, Route>,
    resources: BTreeMap<Arc<str>, Route>,
    templates: Vec<(Template, Route)>,
    ids: Vec<Arc<str>>,
    rendered: BTreeMap<List, Bytes>,
}

impl Listing {
    /// Merges what the backends show, in the order of the configuration.
    pub fn merge<'a>(ids: &[Arc<str>], shown: impl Iterator<Item = Option<&'a Shown>> + Clone) -> Listing {
        let mut listing = Listing { ids: ids.to_vec(), ..Listing::default() };
        for list in List::ALL {
            let mut out = b"{".to_vec();
            write::string(&mut out, list.member());
            out.extend_from_slice(b":[");
            let entries =
                shown.clone().flatten().flat_map(|shown| shown.lists.get(&list).into_iter().flatten());
            let mut is_first = true;
            for (route, raw) in entries {
                let Some(raw) = listing.take(list, route, raw) else { continue };
                if !std::mem::take(&mut is_first) {
                    out.push(b',');
                }
                out.extend_from_slice(&raw);
            }
            out.extend_from_slice(b"]}");
            listing.rendered.insert(list, out.into());
        }
        listing
    }

    /// Notes the way to an entry; returns what is shown of it.
    fn take(&mut self, list: List, route: &Route, raw: &Bytes) -> Option<Bytes> {
        let routes = match list {
            List::Tools => &mut self.tools,
            List::Prompts => &mut self.prompts,
            List::Resources => return Some(self.take_resource(route, raw)),
            List::Templates => {
                self.templates.push((Template::new(&route.own), route.clone()));
                return Some(raw.clone());
            }
        };
        if let Some(other) = routes.get(&route.exposed) {
            tracing::error!(
                name = %route.exposed, first = %other.id, second = %route.id,
                "two entries have the same name; the second is not offered"
            );
            return None;
        }
        routes.insert(route.exposed.clone(), route.clone());
        Some(raw.clone())
    }

    /// URIs stay as they are; only one that an earlier backend lists too is exposed as `backend:<id>:<uri>`.
    fn take_resource(&mut self, route: &Route, raw: &Bytes) -> Bytes {
        if !self.resources.contains_key(&route.exposed) {
            self.resources.insert(route.exposed.clone(), route.clone());
            return raw.clone();
        }
        let exposed: Arc<str> = format!("{}{}:{}", EXPLICIT, route.id, route.exposed).into();
        let mut uri = Vec::new();
        write::string(&mut uri, &exposed);
        self.resources.insert(exposed.clone(), Route { exposed, ..route.clone() });
        crate::wire::splice::set_member(raw, "uri", &uri).into()
    }

    /// The result of a list request.
    pub fn rendered(&self, list: List) -> Bytes {
        self.rendered.get(&list).cloned().unwrap_or_default()
    }

    /// The exposed names of a backend's tools.
    pub fn tools_of(&self, id: &str) -> impl Iterator<Item = &str> {
        self.tools.values().filter(move |route| &*route.id == id).map(|route| &*route.exposed)
    }

    /// The way to a tool.
    pub fn tool(&self, exposed: &str) -> Option<&Route> {
        self.tools.get(exposed)
    }

    /// The way to a prompt.
    pub fn prompt(&self, exposed: &str) -> Option<&Route> {
        self.prompts.get(exposed)
    }

    /// The way to a listed resource whose URI the client knows masked only.
    pub fn masked(&self, uri: &str) -> Option<&Route> {
        self.resources.get(uri).filter(|route| route.own != route.exposed)
    }

    /// The way to a resource or to a URI template: its owner, the backend that the URI itself names, or the backend
    /// whose template fits best. `None` for a URI that nobody claims.
    pub fn resource(&self, uri: &str) -> Option<Route> {
        self.resources
            .get(uri)
            .cloned()
            .or_else(|| self.explicit(uri))
            .or_else(|| self.by_template(uri).map(|route| self.adopted(route, uri)))
    }

    fn explicit(&self, uri: &str) -> Option<Route> {
        let (id, own) = uri.strip_prefix(EXPLICIT)?.split_once(':')?;
        let backend = self.ids.iter().position(|known| &**known == id)?;
        let id = self.ids[backend].clone();
        Some(Route { backend, id, own: own.into(), exposed: uri.into(), hints: Hints::default() })
    }

    fn by_template(&self, uri: &str) -> Option<&Route> {
        let fitting = self.templates.iter().filter(|(template, _)| template.matches(uri));
        fitting.max_by_key(|(template, _)| template.literal_len()).map(|(_, route)| route)
    }

    fn adopted(&self, route: &Route, uri: &str) -> Route {
        Route { own: uri.into(), exposed: uri.into(), ..route.clone() }
    }
}

/// The prefix of a URI that names its backend.
const EXPLICIT: &str = "backend:";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Redact, Redaction, Withheld};
    use crate::workers::Threads;

    /// Masks the word `secret`.
    struct Masking;

    impl Redact for Masking {
        fn is_quick(&self, _: &Subject, _: usize) -> bool {
            true
        }

        fn redact(&self, _: &Subject, json: &[u8]) -> Result<Redaction, Withheld> {
            let text = String::from_utf8_lossy(json).replace("secret", "***");
            Ok(Redaction { json: Some(text.into_bytes()), ..Redaction::default() })
        }
    }

    fn listing(catalogues: &[(&str, &str)]) -> Listing {
        let ids: Vec<Arc<str>> = catalogues.iter().map(|(id, _)| Arc::from(*id)).collect();
        let names = Names::new(ids.clone(), 49);
        let redactor = Redactor::new(Arc::new(Masking), 1, &Threads::System);
        let shown: Vec<Shown> = catalogues
            .iter()
            .enumerate()
            .map(|(n, (_, lists))| {
                let stored = format!(r#"{{"format":1,"capabilities":{{}},{lists}}}"#);
                let catalogue = Catalogue::from_json(stored.as_bytes()).expect("a catalogue");
                Shown::new(n, &ids[n], &catalogue, &names, &redactor)
            })
            .collect();
        Listing::merge(&ids, shown.iter().map(Some))
    }

    const RESOURCES: &str = r#""tools":[],"prompts":[],"resources":[{"uri":"memo:x"},{"uri":"crm:secret"}],"resourceTemplates":[{"uriTemplate":"db://{table}/rows"}]"#;

    #[test]
    fn names_stay_and_descriptions_are_masked() {
        let lists = r#""tools":[{"name":"get_secret","description":"a secret","inputSchema":{}}],"prompts":[],"resources":[],"resourceTemplates":[]"#;
        let listing = listing(&[("a", lists)]);
        let route = listing.tool("get_secret").expect("the tool");
        assert_eq!(&*route.own, "get_secret");
        let shown = listing.rendered(List::Tools);
        assert_eq!(
            &shown[..],
            br#"{"tools":[{"name":"get_secret","description":"a ***","inputSchema":{}}]}"#
        );
    }

    #[test]
    fn a_page_keeps_names_and_cursor_and_is_masked_besides() {
        let redactor = Redactor::new(Arc::new(Masking), 1, &Threads::System);
        let shown = |result: &'static str| {
            let result = Bytes::from_static(result.as_bytes());
            let page = page(&Arc::from("a"), List::Tools, &result, &redactor).expect("a page");
            String::from_utf8(page.to_vec()).expect("UTF-8")
        };
        assert_eq!(
            shown(
                r#"{"_meta":{"x":"secret"},"tools":[{"name":"a secret name","title":"secret"},{"name":"a","name":"b"}],"nextCursor":"secret"}"#
            ),
            r#"{"_meta":{"x":"***"},"tools":[{"name":"a secret name","title":"***"}],"nextCursor":"secret"}"#
        );
        assert_eq!(shown(r#"{"nextCursor":5,"more":"secret"}"#), r#"{"nextCursor":5,"more":"***"}"#);
    }

    #[test]
    fn resources_are_found_by_owner_template_mask_and_backend() {
        let listing = listing(&[("a", RESOURCES), ("b", RESOURCES)]);
        let found =
            |uri: &str| listing.resource(uri).map(|route| (route.id.to_string(), route.own.to_string()));
        let of = |id: &str, own: &str| Some((id.to_owned(), own.to_owned()));
        assert_eq!(found("memo:x"), of("a", "memo:x"));
        assert_eq!(found("backend:b:memo:x"), of("b", "memo:x"));
        assert_eq!(found("crm:***"), of("a", "crm:secret"), "the masked URI leads to the resource");
        assert_eq!(found("backend:b:crm:***"), of("b", "crm:secret"));
        assert_eq!(found("db://orders/rows").map(|(_, own)| own), Some("db://orders/rows".into()));
        assert_eq!(found("backend:c:memo:x"), None);
        assert_eq!(found("file:///nobody"), None);
    }
}
