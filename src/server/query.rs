//! Reads the text of `POST /api/v1/decide`: gates write a tool call as `tool_call: NAME args: {…}` (the AxonFlow
//! contract, section 1.3). The arguments are judged as the tool will see them, decoded; any other text as it stands.

use crate::strict::read_object;

/// What a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Query<'a> {
    /// A tool call; without arguments they are empty.
    Call { tool: &'a str, arguments: &'a str },
    /// Anything else.
    Text(&'a str),
}

impl<'a> Query<'a> {
    /// Reads a query. What only looks like a call, because its arguments are no sound JSON object, is a text.
    pub(super) fn read(text: &'a str) -> Self {
        let Some(call) = text.strip_prefix("tool_call: ") else { return Self::Text(text) };
        match call.split_once(" args: ") {
            None => Self::Call { tool: call.trim(), arguments: "" },
            Some((tool, arguments)) if read_object(arguments.as_bytes(), &mut ()).is_ok() => {
                Self::Call { tool, arguments }
            }
            Some(_) => Self::Text(text),
        }
    }

    /// The same query with its arguments or its text replaced by `masked`.
    pub(super) fn with(self, masked: &str) -> String {
        match self {
            Self::Call { tool, .. } => format!("tool_call: {tool} args: {masked}"),
            Self::Text(_) => masked.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_and_everything_else_is_text() {
        let call = Query::read(r#"tool_call: run args: {"q":"a args: b"}"#);
        assert_eq!(call, Query::Call { tool: "run", arguments: r#"{"q":"a args: b"}"# });
        assert_eq!(call.with("{}"), "tool_call: run args: {}");
        assert_eq!(Query::read("tool_call: ping"), Query::Call { tool: "ping", arguments: "" });
        for text in
            ["hello", "tool_call: a args: [1]", r#"tool_call: a args: {"x":1,"x":2}"#, "tool_call: a args: {"]
        {
            assert_eq!(Query::read(text), Query::Text(text), "{text}");
        }
    }
}
