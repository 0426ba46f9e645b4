//! What all rules about tools amount to for one agent, and what they say of one tool.
//!
//! Every place that rules stand in holds by itself, so each can only tighten: a tool runs when none of them objects.
//! `locked` is opened by any allow list, wherever it stands, and what is opened has to pass every one of them.

use super::pattern::{Names, Pattern, Seen, listed};
use super::rules::{Limits, Profile, ToolRules};
use crate::fault::quoted;
use std::collections::BTreeMap;

/// Longest own name of a tool that lists are asked about, in bytes: four times what MCP allows.
const MAX_NAME_BYTES: usize = 512;

/// All rules about tools, for the calls of one agent.
#[derive(Clone, Debug, Default)]
pub struct Governance {
    everywhere: Scope,
    backends: BTreeMap<String, Scope>,
    /// Nothing is limited anywhere.
    is_open: bool,
}

/// What holds for some backends.
#[derive(Clone, Debug, Default)]
struct Scope {
    layers: Vec<Layer>,
    read_only: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Layer {
    limits: Limits,
    place: Place,
}

/// Where limits were written.
#[derive(Clone, Debug)]
enum Place {
    Everywhere,
    Agent(String),
    Backend(String),
    BackendAgent(String, String),
}

impl Place {
    /// The place of `profile`, `allow` or `deny`, as a person finds it.
    fn of(&self, what: &str) -> String {
        match self {
            Self::Everywhere => format!("CALLGATE_TOOLS_{}", what.to_ascii_uppercase()),
            Self::Agent(agent) => format!("{what} for the agent {} in CALLGATE_TOOLS_AGENTS", quoted(agent)),
            Self::Backend(id) => format!("tools.{what} of the backend {}", quoted(id)),
            Self::BackendAgent(id, agent) => {
                format!("tools.agents.{}.{what} of the backend {}", quoted(agent), quoted(id))
            }
        }
    }
}

/// A tool, as it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Tool<'a> {
    /// Its backend's id.
    pub backend: &'a str,
    /// Its own name.
    pub own: &'a str,
    /// The name that the client sees.
    pub exposed: &'a str,
    /// Its backend annotates it `readOnlyHint: true`.
    pub is_annotated: bool,
}

impl<'a> Tool<'a> {
    fn names(&self) -> Names<'a> {
        Names { server: self.backend, own: self.own, exposed: self.exposed }
    }

    fn shown(&self) -> String {
        match self.backend {
            "" => quoted(self.own),
            backend => quoted(&format!("{backend}/{}", self.own)),
        }
    }
}

/// Why a tool may not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Stands where policies have their ids: `governance:profile:read_only`, `governance:deny:delete_*`.
    pub policy_id: String,
    /// What said no, for people: `deny list`.
    pub name: String,
    /// What, where it is set, and the way out; one line.
    pub reason: String,
}

impl Governance {
    /// What `global` and the rules of the `backends`, all of them by their ids, amount to for `agent`.
    pub fn new<'a>(
        global: &ToolRules,
        backends: impl IntoIterator<Item = (&'a str, &'a ToolRules)>,
        agent: &str,
    ) -> Self {
        let everywhere = Scope::new(global, agent, Place::Everywhere, &|name| Place::Agent(name));
        let backends = backends.into_iter().map(|(id, rules)| {
            let of_agent = |name| Place::BackendAgent(id.to_owned(), name);
            (id.to_owned(), Scope::new(rules, agent, Place::Backend(id.to_owned()), &of_agent))
        });
        let backends: BTreeMap<String, Scope> = backends.collect();
        let is_open = everywhere.layers.is_empty() && backends.values().all(|scope| scope.layers.is_empty());
        Self { everywhere, backends, is_open }
    }

    /// Whether every tool may run.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Why the tool may not run; `None` when it may. Looks at names and annotations only: some microseconds with long
    /// lists, nothing without any.
    pub fn judge(&self, tool: &Tool<'_>) -> Option<Denial> {
        if self.is_open {
            return None;
        }
        self.too_long(tool)
            .or_else(|| self.denied(tool))
            .or_else(|| self.locked(tool))
            .or_else(|| self.not_reading(tool))
            .or_else(|| self.not_allowed(tool))
    }

    /// Nobody looks through a name of any length, for every pattern and before every call.
    fn too_long(&self, tool: &Tool<'_>) -> Option<Denial> {
        if tool.own.len() <= MAX_NAME_BYTES || self.layers(tool).next().is_none() {
            return None;
        }
        let shown = tool.shown();
        Some(Denial {
            policy_id: "governance:name".into(),
            name: "name of the tool".into(),
            reason: format!(
                "the name {shown} is longer than {MAX_NAME_BYTES} bytes, so no list is asked about it; its server can \
                 give it a shorter one"
            ),
        })
    }

    fn denied(&self, tool: &Tool<'_>) -> Option<Denial> {
        let mut seen = None;
        for layer in self.layers(tool) {
            for pattern in &layer.limits.deny {
                if pattern.resembles(seen.get_or_insert_with(|| Seen::of(&tool.names()))) {
                    let (shown, place) = (tool.shown(), layer.place.of("deny"));
                    let pattern_shown = quoted(pattern.as_str());
                    return Some(Denial {
                        policy_id: format!("governance:deny:{pattern}"),
                        name: "deny list".into(),
                        reason: format!(
                            "{shown} is on a deny list ({place}: {pattern_shown}); whoever runs this gate can take it off there"
                        ),
                    });
                }
            }
        }
        None
    }

    /// A locked profile without any allow list. With one, that list decides.
    fn locked(&self, tool: &Tool<'_>) -> Option<Denial> {
        let layer = self.of_profile(tool, Profile::Locked)?;
        if self.layers(tool).any(|layer| layer.limits.allow.is_some()) {
            return None;
        }
        let way_out = format!("and there is none; whoever runs this gate can name {} in one", tool.shown());
        Some(denied_by(layer, &format!("runs only what an allow list names, {way_out}")))
    }

    fn not_reading(&self, tool: &Tool<'_>) -> Option<Denial> {
        let layer = self.of_profile(tool, Profile::ReadOnly)?;
        if tool.is_annotated || self.is_vouched_for(tool) {
            return None;
        }
        let shown = tool.shown();
        Some(denied_by(
            layer,
            &format!(
                "runs only tools that are known to read only, and nobody says so of {shown}; if it does, whoever runs this \
                 gate can name it in tools.read_only of its backend or in CALLGATE_TOOLS_READ_ONLY"
            ),
        ))
    }

    fn not_allowed(&self, tool: &Tool<'_>) -> Option<Denial> {
        let layer = self.layers(tool).find(|layer| {
            let names = |pattern: &Pattern| self.opens(pattern, layer.place.is_of_backend(), tool);
            layer.limits.allow.as_ref().is_some_and(|allow| !allow.iter().any(names))
        })?;
        let (shown, place) = (tool.shown(), layer.place.of("allow"));
        let what = format!("{shown} is not on the allow list ({place})");
        if let Some(locked) = self.of_profile(tool, Profile::Locked) {
            return Some(denied_by(locked, &format!("runs only what allow lists name, and {what}")));
        }
        Some(Denial {
            policy_id: "governance:allow".into(),
            name: "allow list".into(),
            reason: format!("{what}; whoever runs this gate can name it there"),
        })
    }

    fn layers(&self, tool: &Tool<'_>) -> impl Iterator<Item = &Layer> {
        let own = self.backends.get(tool.backend);
        self.everywhere.layers.iter().chain(own.into_iter().flat_map(|scope| &scope.layers))
    }

    fn of_profile(&self, tool: &Tool<'_>, profile: Profile) -> Option<&Layer> {
        self.layers(tool).find(|layer| layer.limits.profile == profile)
    }

    fn is_vouched_for(&self, tool: &Tool<'_>) -> bool {
        let own = self.backends.get(tool.backend).map_or(&[][..], |scope| &scope.read_only);
        self.everywhere.read_only.iter().any(|pattern| self.opens(pattern, false, tool))
            || own.iter().any(|pattern| self.opens(pattern, true, tool))
    }

    /// Whether a pattern that lets tools run names this one. A server cannot slip under another one's name: with several
    /// of them `crm__get` as a tool's own name is not what is shown as `crm__get`.
    fn opens(&self, pattern: &Pattern, is_of_backend: bool, tool: &Tool<'_>) -> bool {
        if is_of_backend {
            return pattern.names_here(&tool.names());
        }
        let poses = self.backends.keys().any(|id| {
            id != tool.backend
                && tool.own.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with("__"))
        });
        pattern.names(&tool.names(), !poses)
    }

    // ------------------------------------------------------------------------------------------------ for people

    /// What holds for all backends, a line each; empty when nothing is limited for all.
    pub fn lines(&self) -> Vec<String> {
        self.everywhere.lines()
    }

    /// What one backend adds, a line each.
    pub fn lines_of(&self, backend: &str) -> Vec<String> {
        self.backends.get(backend).map_or_else(Vec::new, Scope::lines)
    }

    /// The patterns that none of these tools answers to, with their places: often typing mistakes.
    pub fn idle(&self, tools: &[Tool<'_>]) -> Vec<String> {
        let mut idle = Vec::new();
        let everywhere = [(None, &self.everywhere)].into_iter();
        for (id, scope) in
            everywhere.chain(self.backends.iter().map(|(id, scope)| (Some(id.as_str()), scope)))
        {
            let concerned: Vec<&Tool<'_>> =
                tools.iter().filter(|tool| id.is_none_or(|id| id == tool.backend)).collect();
            // A backend that is away says nothing about the patterns for it.
            if concerned.is_empty() {
                continue;
            }
            let mut look =
                |place: String, patterns: &[Pattern], hits: &dyn Fn(&Pattern, &Tool<'_>) -> bool| {
                    let unused =
                        patterns.iter().filter(|pattern| !concerned.iter().any(|tool| hits(pattern, tool)));
                    idle.extend(unused.map(|pattern| {
                        format!("{place}: {} names no tool that is here", quoted(pattern.as_str()))
                    }));
                };
            let opens = |pattern: &Pattern, tool: &Tool<'_>| self.opens(pattern, id.is_some(), tool);
            for Layer { limits, place } in &scope.layers {
                look(place.of("deny"), &limits.deny, &|pattern, tool| {
                    pattern.resembles(&Seen::of(&tool.names()))
                });
                look(place.of("allow"), limits.allow.as_deref().unwrap_or_default(), &opens);
            }
            let place = id.map_or(Place::Everywhere, |id| Place::Backend(id.to_owned()));
            look(place.of("read_only"), &scope.read_only, &opens);
        }
        idle
    }
}

impl Place {
    fn is_of_backend(&self) -> bool {
        matches!(self, Self::Backend(_) | Self::BackendAgent(..))
    }
}

impl Scope {
    /// Layers that limit nothing are left out, and so are agents that do not call here.
    fn new(rules: &ToolRules, agent: &str, place: Place, of_agent: &dyn Fn(String) -> Place) -> Self {
        let for_all = [Layer { limits: rules.limits.clone(), place }].into_iter();
        let meant = rules.agents.iter().filter(|(pattern, _)| pattern.reads_as(agent));
        let for_agent = meant.map(|(pattern, limits)| Layer {
            limits: limits.clone(),
            place: of_agent(pattern.as_str().to_owned()),
        });
        let layers = for_all.chain(for_agent).filter(|layer| !layer.limits.is_open()).collect();
        Self { layers, read_only: rules.read_only.clone() }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for Layer { limits, place } in &self.layers {
            if limits.profile != Profile::Unrestricted {
                lines.push(format!("profile {} ({})", limits.profile, place.of("profile")));
            }
            if let Some(allow) = &limits.allow {
                let names = if allow.is_empty() { "nothing".to_owned() } else { listed(allow) };
                lines.push(format!("allow {names} ({})", place.of("allow")));
            }
            if !limits.deny.is_empty() {
                lines.push(format!("deny {} ({})", listed(&limits.deny), place.of("deny")));
            }
        }
        if !self.read_only.is_empty() {
            lines.push(format!("known to read only: {}", listed(&self.read_only)));
        }
        lines
    }
}

fn denied_by(layer: &Layer, why: &str) -> Denial {
    let profile = layer.limits.profile;
    Denial {
        policy_id: format!("governance:profile:{profile}"),
        name: format!("profile {profile}"),
        reason: format!("the profile {profile} ({}) {why}", layer.place.of("profile")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::new(text).expect("a pattern")).collect()
    }

    fn limits(profile: Profile, allow: Option<&[&str]>, deny: &[&str]) -> Limits {
        Limits { profile, allow: allow.map(patterns), deny: patterns(deny) }
    }

    fn rules(limits: Limits) -> ToolRules {
        ToolRules { limits, ..ToolRules::default() }
    }

    /// With the backends `crm`, which has these rules, and `evil`.
    fn governance(global: &ToolRules, crm: &ToolRules) -> Governance {
        Governance::new(global, [("crm", crm), ("evil", &ToolRules::default())], "claude-desktop")
    }

    fn says(governance: &Governance, backend: &str, own: &str, is_annotated: bool) -> String {
        let exposed = format!("{backend}__{own}");
        let tool = Tool { backend, own, exposed: &exposed, is_annotated };
        governance.judge(&tool).map_or_else(|| "runs".into(), |denial| denial.policy_id)
    }

    #[test]
    fn unrestricted_is_open() {
        let open = governance(&ToolRules::default(), &ToolRules::default());
        assert!(open.is_open() && open.lines().is_empty());
        assert_eq!(says(&open, "crm", "delete_all", false), "runs");
    }

    #[test]
    fn read_only_admits_what_is_annotated_or_vouched_for() {
        let vouched = ToolRules { read_only: patterns(&["count_*"]), ..ToolRules::default() };
        let governance = governance(&rules(limits(Profile::ReadOnly, None, &[])), &vouched);
        assert_eq!(says(&governance, "crm", "get", true), "runs");
        assert_eq!(says(&governance, "crm", "count_all", false), "runs");
        assert_eq!(says(&governance, "crm", "get", false), "governance:profile:read_only");
        assert_eq!(
            says(&governance, "evil", "count_all", false),
            "governance:profile:read_only",
            "for crm only"
        );
        assert_eq!(
            says(&governance, "crm", "Count_all", false),
            "governance:profile:read_only",
            "to the letter"
        );
    }

    #[test]
    fn locked_runs_what_an_allow_list_names_wherever_it_stands() {
        let locked = rules(limits(Profile::Locked, None, &[]));
        let opened = governance(&locked, &rules(limits(Profile::Unrestricted, Some(&["get_*"]), &[])));
        assert_eq!(says(&opened, "crm", "get_user", false), "runs");
        assert_eq!(says(&opened, "crm", "set_user", true), "governance:profile:locked");
        assert_eq!(says(&opened, "evil", "get_user", true), "governance:profile:locked");
    }

    #[test]
    fn deny_wins_and_each_place_only_tightens() {
        let global = rules(limits(Profile::ReadOnly, Some(&["get_*", "set_*"]), &["*_secret"]));
        let crm = rules(limits(Profile::Unrestricted, Some(&["*"]), &["crm/get_key"]));
        let governance = governance(&global, &crm);
        assert_eq!(says(&governance, "crm", "get_user", true), "runs");
        assert_eq!(says(&governance, "crm", "get_secret", true), "governance:deny:*_secret");
        assert_eq!(says(&governance, "crm", "get_key", true), "governance:deny:crm/get_key");
        assert_eq!(says(&governance, "evil", "get_key", true), "runs");
        assert_eq!(says(&governance, "crm", "set_user", false), "governance:profile:read_only");
        assert_eq!(
            says(&governance, "crm", "list", true),
            "governance:allow",
            "the backend's * opens nothing"
        );
    }

    #[test]
    fn agents_are_limited_besides() {
        let of_agent = |name: &str, limits: Limits| ToolRules {
            agents: vec![(Pattern::new(name).expect("a pattern"), limits)],
            ..ToolRules::default()
        };
        let global = of_agent("CLAUDE-*", limits(Profile::Unrestricted, None, &["drop_*"]));
        let crm = of_agent("cursor", limits(Profile::Locked, None, &[]));
        let governance = governance(&global, &crm);
        assert_eq!(says(&governance, "crm", "drop_user", false), "governance:deny:drop_*");
        assert_eq!(says(&governance, "crm", "get_user", false), "runs", "another agent is locked out");
        assert_eq!(
            governance.lines(),
            ["deny drop_* (deny for the agent \"CLAUDE-*\" in CALLGATE_TOOLS_AGENTS)"]
        );
    }

    #[test]
    fn no_server_passes_for_another() {
        let allow = |text: &str| {
            governance(&rules(limits(Profile::Unrestricted, Some(&[text]), &[])), &ToolRules::default())
        };
        assert_eq!(says(&allow("crm__get"), "crm", "get", false), "runs");
        assert_eq!(says(&allow("crm__get"), "evil", "crm__get", false), "governance:allow");
        assert_eq!(says(&allow("crm/get"), "evil", "crm/get", false), "governance:allow");
        assert_eq!(
            says(&allow("get"), "evil", "get", false),
            "runs",
            "a bare name means that of every server"
        );
    }

    #[test]
    fn a_denial_says_what_where_and_the_way_out() {
        let crm = rules(limits(Profile::Unrestricted, None, &["delete_*"]));
        let governance = governance(&ToolRules::default(), &crm);
        let tool = Tool { backend: "crm", own: "delete\n", exposed: "x", is_annotated: false };
        assert_eq!(governance.judge(&tool), None);
        let tool = Tool { own: "delete_all", ..tool };
        let denial = governance.judge(&tool).expect("denied");
        assert_eq!(
            denial.reason,
            "\"crm/delete_all\" is on a deny list (tools.deny of the backend \"crm\": \"delete_*\"); whoever runs this \
             gate can take it off there"
        );
        assert_eq!(governance.lines_of("crm"), ["deny delete_* (tools.deny of the backend \"crm\")"]);
    }

    #[test]
    fn an_endless_name_is_no_way_past_a_list() {
        let global = rules(limits(Profile::Unrestricted, None, &["delete_*"]));
        let governance = governance(&global, &ToolRules::default());
        assert_eq!(says(&governance, "crm", &"a".repeat(MAX_NAME_BYTES), false), "runs");
        assert_eq!(says(&governance, "crm", &"a".repeat(MAX_NAME_BYTES + 1), false), "governance:name");
    }

    #[test]
    fn patterns_without_a_tool_are_told() {
        let crm = ToolRules {
            read_only: patterns(&["count"]),
            ..rules(limits(Profile::Unrestricted, Some(&["get", "got"]), &["delte_*", "DELETE_*"]))
        };
        let governance = governance(&ToolRules::default(), &crm);
        let tool = |own| Tool { backend: "crm", own, exposed: own, is_annotated: false };
        assert_eq!(
            governance.idle(&[tool("get"), tool("delete_all")]),
            [
                "tools.deny of the backend \"crm\": \"delte_*\" names no tool that is here",
                "tools.allow of the backend \"crm\": \"got\" names no tool that is here",
                "tools.read_only of the backend \"crm\": \"count\" names no tool that is here",
            ]
        );
        assert!(governance.idle(&[]).is_empty());
    }
}
