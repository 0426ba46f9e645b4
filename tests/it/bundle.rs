//! The Claude Desktop extension's manifest and what it is packed with, held against the settings that there are.

use callgate::settings::table::ALL;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Variables that a person with a form has no use for: the form has a field that does the same in another way, or they
/// are for tests of a set-up.
const NOT_IN_THE_FORM: &[&str] = &[
    "CALLGATE_APPROVAL_ASK_CLIENT",
    "CALLGATE_APPROVAL_HOLD",
    "CALLGATE_APPROVAL_LIFETIME",
    "CALLGATE_APPROVAL_POLL",
    // The form is for the platform that the extension's users come from.
    "AAF_API_KEY",
    "AAF_API_KEY_FILE",
    "AAF_API_URL",
    "CALLGATE_AAF_AGENT_ID",
    "CALLGATE_AAF_OPERATION",
    "CALLGATE_AAF_PARAMS",
    "MCP_PROXY_REQUEST_TIMEOUT_MS",
    "CALLGATE_APPROVAL_NOTIFY",
    "CALLGATE_POLICY_FILE",
    "CALLGATE_REGO",
    "AXONFLOW_BACKENDS",
    "AXONFLOW_FAIL_MODE",
    "AXONFLOW_AUDIT_LOG",
    "CALLGATE_AUDIT_REQUIRED",
    "CALLGATE_AUDIT_ROTATE_AGE",
    "CALLGATE_AUDIT_ROTATE_SIZE",
    "CALLGATE_AUDIT_SYNC",
    "CALLGATE_CALL_BUDGET",
    "CALLGATE_CARD_MATCH",
    "CALLGATE_LIST_WAIT",
    "CALLGATE_PSEUDONYMS_ACROSS",
    "CALLGATE_REDACT_STYLE",
    "CALLGATE_RESULT_META",
    "CALLGATE_MAX_LINE",
    "CALLGATE_STATE_DIR",
    "CALLGATE_TOOL_NAME_MAX",
    // What the embedded policies do about their findings is set by whoever governs, not in a form.
    "AXONFLOW_PROFILE",
    "PII_ACTION",
    "SQLI_ACTION",
    "SENSITIVE_DATA_ACTION",
    "DANGEROUS_COMMAND_ACTION",
    // So is the database that a fleet shares; a single person's is a file that needs no setting.
    "CALLGATE_STORE",
    // Which tools may run, and whether callgate is only on trial, too.
    "CALLGATE_TOOLS_PROFILE",
    "CALLGATE_TOOLS_ALLOW",
    "CALLGATE_TOOLS_DENY",
    "CALLGATE_TOOLS_READ_ONLY",
    "CALLGATE_TOOLS_AGENTS",
    "CALLGATE_MONITOR",
    // The decision service is no extension.
    "CALLGATE_ADMIN_SECRET",
    "CALLGATE_ADMIN_SECRET_FILE",
    "CALLGATE_DATABASE_URL",
    "CALLGATE_DATABASE_URL_FILE",
    "POLICY_CACHE_TTL",
    "POLICY_BLOCK_ON_ERROR",
];

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest() -> Value {
    serde_json::from_str(&file("manifest.json")).expect("manifest.json is JSON")
}

/// The variables of the manifest and what each is filled with.
fn variables(manifest: &Value) -> BTreeMap<String, String> {
    let env = manifest["server"]["mcp_config"]["env"].as_object().expect("an object");
    env.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn fields(manifest: &Value) -> BTreeMap<String, Value> {
    let fields = manifest["user_config"].as_object().expect("an object");
    fields.iter().map(|(name, field)| (name.clone(), field.clone())).collect()
}

#[test]
fn w62_every_variable_is_a_setting_and_every_setting_can_be_set() {
    let variables: BTreeSet<String> = variables(&manifest()).into_keys().collect();
    let known: BTreeSet<String> = ALL.iter().map(|setting| setting.name.to_owned()).collect();
    let left_out: BTreeSet<String> = NOT_IN_THE_FORM.iter().map(|name| (*name).to_owned()).collect();
    assert!(variables.is_subset(&known), "not settings: {:?}", variables.difference(&known));
    let missing: Vec<_> = known.difference(&variables).filter(|name| !left_out.contains(*name)).collect();
    assert!(missing.is_empty(), "people with the extension cannot set {missing:?}");
    assert!(left_out.is_subset(&known) && left_out.is_disjoint(&variables), "the list above is out of date");
}

#[test]
fn w62_the_version_is_the_programs() {
    assert_eq!(manifest()["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn w61_each_platform_has_its_program_and_linux_one_for_each_processor() {
    let manifest = manifest();
    let config = &manifest["server"]["mcp_config"];
    let platforms = manifest["compatibility"]["platforms"].as_array().expect("a list");
    assert_eq!(platforms.len(), 3);
    for platform in platforms.iter().filter_map(Value::as_str) {
        assert!(config["platform_overrides"][platform]["command"].is_string(), "no program for {platform}");
    }
    // An override replaces arguments and environment whole: with either in it, the form would be lost there.
    for one in config["platform_overrides"].as_object().expect("an object").values() {
        assert_eq!(
            one.as_object().map(|one| one.keys().collect::<Vec<_>>()),
            Some(vec![&"command".to_owned()])
        );
    }
    let (launcher, script) = (file("scripts/bundle-tools/launcher.sh"), file("scripts/bundle"));
    for processor in ["x86_64", "aarch64"] {
        assert!(launcher.contains(&format!("arch={processor}")), "the launcher does not know {processor}");
    }
    assert!(launcher.contains("callgate-linux-$arch") && script.contains("\"callgate-linux-$arch\""));
    assert!(script.contains("lipo") && !script.contains("zip "), "macOS is universal, and the packer packs");
}

#[test]
fn w61_each_field_reaches_one_variable_and_says_what_it_is_for() {
    let manifest = manifest();
    let mut used = BTreeMap::new();
    for (variable, filling) in variables(&manifest) {
        let field = filling.strip_prefix("${user_config.").and_then(|rest| rest.strip_suffix('}'));
        let field = field.unwrap_or_else(|| panic!("{variable} is filled with {filling}")).to_owned();
        assert_eq!(used.insert(field, variable), None, "a field reaches two variables");
    }
    let fields = fields(&manifest);
    assert_eq!(used.keys().collect::<Vec<_>>(), fields.keys().collect::<Vec<_>>());
    for (name, field) in &fields {
        let text = |key: &str| field[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(text("title") && text("description"), "{name} has no title or no description");
        // The host fills a missing default with the placeholder itself, and counts a default as nothing chosen.
        assert_ne!(
            field["required"] == true,
            field.get("default").is_some(),
            "{name}: a default or required"
        );
    }
    let required =
        fields.iter().filter(|(_, field)| field["required"] == true).map(|(name, _)| name.as_str());
    assert_eq!(required.collect::<Vec<_>>(), ["backends_file"]);
}

#[test]
fn w61_the_form_falls_shut_keeps_secrets_and_picks_paths() {
    let fields = fields(&manifest());
    assert_eq!(fields["fail_open"]["type"], "boolean");
    assert_eq!(fields["fail_open"]["default"], false);
    assert_eq!(fields["audit_dir"]["type"], "directory");
    for secret in ["client_secret", "user_token"] {
        assert_eq!(fields[secret]["sensitive"], true);
        assert_eq!(fields[&format!("{secret}_file")]["type"], "file", "the host changes $ in secrets");
    }
    for (name, field) in &fields {
        assert_eq!(name.ends_with("_file"), field["type"] == "file", "{name}");
    }
}

#[test]
fn w61_the_manifest_says_what_the_host_asks_for() {
    let manifest = manifest();
    assert_eq!(manifest["manifest_version"], "0.3");
    // The display name is a part of each tool's name in some of the host's windows.
    assert!(manifest["display_name"].as_str().is_some_and(|name| name.len() <= 10));
    let about = manifest["long_description"].as_str().unwrap_or_default();
    assert!(about.contains("are sent to the address you enter"), "what leaves the machine is told");
    let stage = file("scripts/bundle-tools/stage.mjs");
    for link in ["privacy_policies", "documentation", "support"] {
        assert!(stage.contains(&format!("manifest.{link} = ")), "a release has no {link}");
    }
}
