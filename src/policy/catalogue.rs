//! The shipped catalogue: `config/policies/*.json`, built into the program.

use super::model::Policy;
use std::collections::BTreeSet;

/// The files, by name, in the order in which their policies are asked.
const FILES: &[(&str, &str)] = &[
    ("sql.json", include_str!("../../config/policies/sql.json")),
    ("dangerous.json", include_str!("../../config/policies/dangerous.json")),
    ("integrations.json", include_str!("../../config/policies/integrations.json")),
    ("injection.json", include_str!("../../config/policies/injection.json")),
    ("sensitive.json", include_str!("../../config/policies/sensitive.json")),
    ("fincrime.json", include_str!("../../config/policies/fincrime.json")),
    ("personal.json", include_str!("../../config/policies/personal.json")),
];

/// A catalogue that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("policy file {file}: {what}; {way_out}")]
pub struct CatalogueError {
    /// Name of the file.
    pub file: String,
    /// What is wrong, with line and column where there is one.
    pub what: String,
    /// What to do.
    pub way_out: &'static str,
}

/// The texts of the files, for a digest of what decides.
pub(super) fn texts() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(_, text)| *text)
}

/// All shipped policies.
///
/// # Errors
/// A file that does not parse, which the tests exclude.
pub fn shipped() -> Result<Vec<Policy>, CatalogueError> {
    let mut policies = Vec::new();
    for (name, text) in FILES {
        policies.extend(parse(name, text)?);
    }
    distinct(&policies)?;
    Ok(policies)
}

/// The policies of one file: a JSON array.
///
/// # Errors
/// Text that is no array of policies; the error names line and column.
pub fn parse(file: &str, text: &str) -> Result<Vec<Policy>, CatalogueError> {
    serde_json::from_str(text).map_err(|error| CatalogueError {
        file: file.to_owned(),
        what: error.to_string(),
        way_out: "write a JSON array of policies with the members of the shipped ones",
    })
}

fn distinct(policies: &[Policy]) -> Result<(), CatalogueError> {
    let mut seen = BTreeSet::new();
    match policies.iter().find(|policy| !seen.insert(policy.policy_id.as_str())) {
        None => Ok(()),
        Some(twice) => Err(CatalogueError {
            file: "(all)".into(),
            what: format!("policy {} stands there twice", twice.policy_id),
            way_out: "give every policy an id of its own",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_file_names_the_place() {
        let error = parse("mine.json", "[{\n \"policy_id\": 1}]").expect_err("broken").to_string();
        assert!(error.starts_with("policy file mine.json: ") && error.contains("line 2"), "{error}");
    }

    #[test]
    fn ids_are_unique() {
        let mut policies = shipped().expect("sound");
        let again = policies[0].clone();
        policies.push(again);
        assert!(distinct(&policies).is_err());
    }
}
