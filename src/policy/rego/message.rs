//! What the engine says of an error, in one line: the file, the line, the column and what is wrong there.
//!
//! The engine shows the line of the rule and, for a wrong argument, its value. The value is the call's and is left out.

use regorus::utils::limits::LimitError;

/// Longest message, in characters.
const CHARACTERS: usize = 300;

/// What went wrong and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) file: String,
    /// From 1; 0 where none is named.
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) what: String,
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        }
        f.write_str(&self.what)
    }
}

/// An error of evaluation, for the person and the model.
pub(super) fn of_evaluation(error: &anyhow::Error) -> String {
    if error.chain().any(|cause| cause.downcast_ref::<LimitError>().is_some()) {
        return format!("they took longer than {} ms", super::EVALUATION.as_millis());
    }
    read(&error.to_string()).to_string()
}

/// Reads the engine's message: `--> file:line:column`, some lines of the rule, `error: what`.
pub(super) fn read(message: &str) -> Told {
    let place = message.lines().find_map(|line| line.trim_start().strip_prefix("--> "));
    let (file, line, column) = place.and_then(place_of).unwrap_or_default();
    let what = message
        .lines()
        .rev()
        .find_map(|line| line.trim_start().strip_prefix("error: "))
        .or_else(|| message.lines().find(|line| !line.trim().is_empty()))
        .unwrap_or("the engine gave no reason");
    // `startswith` expects string argument. Got `the value` instead
    let what = what.split(" Got `").next().unwrap_or(what).trim_end_matches('.');
    Told { file, line, column, what: what.chars().take(CHARACTERS).collect() }
}

fn place_of(text: &str) -> Option<(String, usize, usize)> {
    let mut parts = text.trim().rsplitn(3, ':');
    let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    Some((file.to_owned(), line.parse().ok()?, column.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_and_cause_are_found_and_values_are_not() {
        let told = read(
            "\n--> /p/a.rego:12:3\n   |\n12 |   startswith(input.action.params.url, \"x\")\n   |   ^\nerror: `startswith` \
             expects string argument. Got `{\"password\": \"x\"}` instead\n",
        );
        assert_eq!((told.file.as_str(), told.line, told.column), ("/p/a.rego", 12, 3));
        assert_eq!(told.to_string(), "/p/a.rego:12:3: `startswith` expects string argument");
        assert_eq!(read("not a valid rule path").to_string(), "not a valid rule path");
        assert_eq!(read(r"--> C:\p\a.rego:1:2").file, r"C:\p\a.rego");
    }
}
