//! What the client is offered: the lists of all backends under one roof, and the way back from every name.

use super::names::Names;
use super::template::Template;
use crate::backend::catalogue::{Catalogue, Entry, List};
use crate::call::Hints;
use crate::ports::{Carrier, Subject};
use crate::redactor::Redactor;
use crate::wire::splice::splice;
use crate::wire::write;
use bytes::Bytes;
use std::collections::BTreeMap;
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
    let raw = if exposed == entry.name {
        entry.raw.clone()
    } else {
        let mut name = Vec::new();
        write::string(&mut name, &exposed);
        splice(&entry.raw, &[(entry.name_span.clone(), &name)]).into()
    };
    let tool = (list == List::Tools).then(|| Arc::from(entry.name.as_str()));
    let subject = Subject { backend: id.clone(), tool, carrier: Carrier::Catalogue, obliged: false };
    let raw = match redactor.redact_here(&subject, raw) {
        Ok(redacted) => redacted.json,
        Err(withheld) => {
            let (name, reason) = (&entry.name, withheld.reason);
            tracing::warn!(backend = %id, name, reason, "a catalogue entry was kept back");
            return None;
        }
    };
    let own = Arc::from(entry.name.as_str());
    Some((Route { backend, id: id.clone(), own, exposed: exposed.into(), hints: entry.hints }, raw))
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
        if !self.resources.contains_key(&route.own) {
            self.resources.insert(route.own.clone(), route.clone());
            return raw.clone();
        }
        let exposed: Arc<str> = format!("{}{}:{}", EXPLICIT, route.id, route.own).into();
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
