//! The three families of variables that are callgate's own, and what an unknown member of them means.

use super::reader::Reader;
use super::table;

/// Prefixes of callgate's own variables. No backend ever sees one of them.
const FAMILIES: [&str; 3] = ["AXONFLOW_", "AAF_", "CALLGATE_"];

/// Variables of other products that share a prefix (the AxonFlow contract, sections 6.2 and 6.3). A trailing `*` stands for
/// any ending.
const OF_OTHER_PRODUCTS: &[&str] = &[
    "AXONFLOW_AGENT_IMAGE",
    "AXONFLOW_AGENT_URL",
    "AXONFLOW_AUDIT_SIGNING_KEY",
    "AXONFLOW_AUTH",
    "AXONFLOW_AUTH_FAILURE_COOLDOWN_SECONDS",
    "AXONFLOW_CHECKPOINT_URL",
    "AXONFLOW_CODEX_CONFIG",
    "AXONFLOW_COMMUNITY_SAAS",
    "AXONFLOW_COMPLIANCE_REGION",
    "AXONFLOW_CONFIG_DIR",
    "AXONFLOW_DB_USE_APP_ROLE",
    "AXONFLOW_DECISION_CONTEXT_ALLOWLIST",
    "AXONFLOW_DECISION_EXPIRES_AFTER",
    "AXONFLOW_E2E_*",
    "AXONFLOW_EDITION",
    "AXONFLOW_ENFORCE",
    "AXONFLOW_FINCRIME_SCORER_TIMEOUT_MS",
    "AXONFLOW_HARNESS*",
    "AXONFLOW_HITL_WEBHOOK_SIGNING_KEY",
    "AXONFLOW_IDENTITY_COMPAT_MODE",
    "AXONFLOW_INTEGRATIONS",
    "AXONFLOW_INTERNAL_SERVICE_SECRET",
    "AXONFLOW_LICENSE_KEY",
    "AXONFLOW_LICENSE_TOKEN",
    "AXONFLOW_MODE",
    "AXONFLOW_OPENAPI_SPECS_DIR",
    "AXONFLOW_OTEL_ENDPOINT",
    "AXONFLOW_PLUGIN_VERSION_CHECK",
    "AXONFLOW_RECOVER_EMAIL",
    "AXONFLOW_RECOVER_TOKEN",
    "AXONFLOW_REGISTER_URL",
    "AXONFLOW_TELEMETRY",
    "AXONFLOW_TIMEOUT_SECONDS",
    "AXONFLOW_TRUST_IDENTITY_HEADERS",
    "AXONFLOW_TRY",
    "AXONFLOW_UPGRADE_URL",
];

/// Settings that AxonFlow and the Agent Action Firewall name without a prefix of theirs, and so do we.
#[cfg(test)]
pub(super) const WITHOUT_FAMILY: [&str; 7] = [
    "MCP_PROXY_REQUEST_TIMEOUT_MS",
    "PII_ACTION",
    "SQLI_ACTION",
    "SENSITIVE_DATA_ACTION",
    "DANGEROUS_COMMAND_ACTION",
    "POLICY_CACHE_TTL",
    "POLICY_BLOCK_ON_ERROR",
];

/// Whether a variable belongs to callgate's own families, in any case: Windows does not tell `callgate_x` from
/// `CALLGATE_X`.
pub fn is_ours(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    FAMILIES.iter().any(|family| upper.starts_with(family))
}

/// Tells every variable of the three families that is no setting. One of `CALLGATE_` is a fault: nobody else uses that
/// prefix, so it is a typo, and a typo in a guard must not pass. The others are only noted.
pub(super) fn check(reader: &mut Reader<'_>) {
    let strangers: Vec<String> = reader
        .names()
        .filter(|name| is_ours(name) && !table::ALL.iter().any(|setting| setting.is_named(name)))
        .map(str::to_owned)
        .collect();
    for name in strangers {
        if name.to_ascii_uppercase().starts_with("CALLGATE_") {
            let way_out = "remove it, or look up the settings with --help";
            let hint = nearest_setting(&name).map_or(way_out.into(), |near| format!("did you mean {near}"));
            reader.fault(&name, "unknown setting", &hint);
        } else if is_of_another_product(&name) {
            reader.note(format!("{name}: belongs to another product and is not used here"));
        } else {
            let end = nearest_setting(&name).map_or(String::new(), |near| format!("; did you mean {near}"));
            reader.note(format!("{name}: unknown and not used here{end}"));
        }
    }
}

fn is_of_another_product(name: &str) -> bool {
    OF_OTHER_PRODUCTS.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}

/// The setting whose name is nearest, whatever its family: `CALLGATE_FAIL_MODE` is meant as `AXONFLOW_FAIL_MODE`.
fn nearest_setting(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    let endings = table::ALL.iter().map(|setting| without_family(setting.name));
    let ending = nearest(without_family(&upper), endings)?;
    table::ALL.iter().map(|setting| setting.name).find(|known| without_family(known) == ending)
}

fn without_family(name: &str) -> &str {
    FAMILIES.iter().find_map(|family| name.strip_prefix(family)).unwrap_or(name)
}

/// The known name that is few enough edits away to be what was meant: a third of its length, at least one and at most
/// four.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = |candidate: &str| (candidate.chars().count() / 3).clamp(1, 4);
    known
        .map(|candidate| {
            (strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| *distance <= allowed(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_of_ours_is_listed_as_anothers() {
        for setting in table::ALL {
            assert!(!is_of_another_product(setting.name), "{}", setting.name);
        }
    }

    #[test]
    fn the_nearest_setting_is_found_across_families() {
        assert_eq!(nearest_setting("CALLGATE_FAIL_MODE"), Some("AXONFLOW_FAIL_MODE"));
        assert_eq!(nearest_setting("CALLGATE_PDB"), Some("CALLGATE_PDP"));
        assert_eq!(nearest_setting("callgate_max_lines"), Some("CALLGATE_MAX_LINE"));
        assert_eq!(nearest_setting("CALLGATE_ENTIRELY_DIFFERENT"), None);
    }
}
