//! From a statement to a tool's arguments, and from a tool's result to rows.
//!
//! - The tool is the one that `options.tool` names. Without it: the tool whose name the statement is; else the first of
//!   [`TOOLS`] that the backend has; else its only one.
//! - The statement becomes the argument that `options.argument` names. Without it: the first of [`ARGUMENTS`] that is a
//!   text in the tool's schema; else its only required text.
//! - `options.arguments` (or `params`, or `parameters`) are further arguments.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Names under which backends run statements, the harmless ones first.
const TOOLS: [&str; 10] = [
    "query",
    "read_query",
    "sql_query",
    "run_query",
    "execute_query",
    "execute_sql",
    "run_sql",
    "sql",
    "execute",
    "search",
];
/// Names of the argument that takes the statement.
const ARGUMENTS: [&str; 6] = ["query", "sql", "statement", "q", "text", "input"];

/// A tool of a backend.
#[derive(Clone, Debug)]
pub(super) struct Tool {
    /// The backend's name for it.
    pub(super) own: String,
    /// The machine's name for it.
    pub(super) exposed: String,
    /// `inputSchema`
    pub(super) schema: Value,
}

/// A call to make.
#[derive(Clone, Debug)]
pub(super) struct Mapped {
    pub(super) own: String,
    pub(super) exposed: String,
    pub(super) arguments: Map<String, Value>,
}

/// Finds tool and arguments for a statement.
///
/// # Errors
/// What is missing, with the way out.
pub(super) fn map(tools: &[Tool], statement: &str, options: &Map<String, Value>) -> Result<Mapped, String> {
    let further =
        ["arguments", "params", "parameters"].iter().find_map(|name| options.get(*name)?.as_object());
    let mut arguments = further.cloned().unwrap_or_default();
    let named = |name: &str| tools.iter().find(|tool| tool.own == name);
    let asked = options.get("tool").and_then(Value::as_str);
    let tool = match asked {
        Some(name) => named(name).ok_or_else(|| unknown(name, tools))?,
        None => match named(statement.trim()) {
            Some(tool) => {
                return Ok(Mapped { own: tool.own.clone(), exposed: tool.exposed.clone(), arguments });
            }
            None => TOOLS.iter().find_map(|name| named(name)).or_else(|| only(tools)).ok_or_else(|| {
                format!(
                    "the connector has no tool that runs statements; name one in options.tool: {}",
                    names(tools)
                )
            })?,
        },
    };
    let argument = match options.get("argument").and_then(Value::as_str) {
        Some(name) => name.to_owned(),
        None => argument(&tool.schema).ok_or_else(|| {
            format!(
                "tool {:?}: it is not clear which argument takes the statement; name it in options.argument",
                tool.own
            )
        })?,
    };
    arguments.insert(argument, statement.into());
    Ok(Mapped { own: tool.own.clone(), exposed: tool.exposed.clone(), arguments })
}

fn only(tools: &[Tool]) -> Option<&Tool> {
    match tools {
        [tool] => Some(tool),
        _ => None,
    }
}

fn unknown(name: &str, tools: &[Tool]) -> String {
    format!("options.tool: the connector has no tool {}; it has {}", crate::fault::quoted(name), names(tools))
}

fn names(tools: &[Tool]) -> String {
    tools.iter().map(|tool| tool.own.as_str()).take(50).collect::<Vec<_>>().join(", ")
}

fn argument(schema: &Value) -> Option<String> {
    let properties = schema["properties"].as_object()?;
    let is_text = |name: &str| properties.get(name).is_some_and(|property| property["type"] == "string");
    if let Some(known) = ARGUMENTS.iter().find(|name| is_text(name)) {
        return Some((*known).to_owned());
    }
    let required = schema["required"].as_array()?;
    let mut texts = required.iter().filter_map(Value::as_str).filter(|name| is_text(name));
    match (texts.next(), texts.next()) {
        (Some(one), None) => Some(one.to_owned()),
        _ => None,
    }
}

/// The result of `tools/call`, as far as it is read.
#[derive(serde::Deserialize)]
pub(super) struct ToolResult<'a> {
    #[serde(default, borrow, rename = "structuredContent")]
    structured: Option<&'a RawValue>,
    #[serde(default)]
    content: Vec<Block>,
    #[serde(default, rename = "isError")]
    pub(super) is_error: bool,
}

#[derive(serde::Deserialize)]
struct Block {
    #[serde(default)]
    text: Option<String>,
}

impl ToolResult<'_> {
    /// The rows as JSON text, byte for byte where the tool gave JSON: the structured result, or the array that is its
    /// only member; else the JSON in the only text; else a row `{"text":…}` for each text.
    pub(super) fn data(&self) -> String {
        if let Some(structured) = self.structured {
            return only_array(structured.get()).unwrap_or_else(|| structured.get().to_owned());
        }
        let texts: Vec<&str> = self.content.iter().filter_map(|block| block.text.as_deref()).collect();
        if let [text] = texts.as_slice()
            && let Ok(json) = serde_json::from_str::<&RawValue>(text.trim())
            && json.get().starts_with(['[', '{'])
        {
            return json.get().to_owned();
        }
        let rows = texts.iter().map(|text| serde_json::json!({"text": text}));
        Value::Array(rows.collect()).to_string()
    }

    /// Every text, for an error.
    pub(super) fn text(&self) -> String {
        self.content.iter().filter_map(|block| block.text.as_deref()).collect::<Vec<_>>().join("\n")
    }
}

fn only_array(object: &str) -> Option<String> {
    let members: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    match members.into_values().collect::<Vec<_>>().as_slice() {
        [only] if only.get().starts_with('[') => Some(only.get().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str, schema: Value) -> Tool {
        Tool { own: name.into(), exposed: format!("db__{name}"), schema }
    }

    fn options(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_statement_finds_its_tool_and_argument() {
        let text = |name: &str| json!({"properties": {name: {"type": "string"}}, "required": [name]});
        let tools = [tool("write", text("body")), tool("read_query", text("query")), tool("list", json!({}))];
        let mapped = map(&tools, "SELECT 1", &Map::new()).expect("mapped");
        assert_eq!((mapped.own.as_str(), mapped.exposed.as_str()), ("read_query", "db__read_query"));
        assert_eq!(Value::from(mapped.arguments), json!({"query": "SELECT 1"}));
        let mapped =
            map(&tools, "x", &options(&json!({"tool": "write", "arguments": {"mode": 1}}))).expect("mapped");
        assert_eq!(Value::from(mapped.arguments), json!({"body": "x", "mode": 1}));
        let mapped = map(&tools, "list", &options(&json!({"params": {"all": true}}))).expect("mapped");
        assert_eq!((mapped.own.as_str(), Value::from(mapped.arguments)), ("list", json!({"all": true})));
        assert!(
            map(&tools, "x", &options(&json!({"tool": "drop"}))).expect_err("unknown").contains("read_query")
        );
        assert!(map(&tools[..1], "x", &Map::new()).is_ok(), "the only one");
        assert!(map(&[], "x", &Map::new()).is_err());
        let unclear = tool("write", json!({"properties": {"a": {"type": "number"}}}));
        assert!(map(&[unclear], "x", &Map::new()).expect_err("unclear").contains("options.argument"));
    }

    #[test]
    fn rows_are_found_and_stay_as_they_are_written() {
        let data = |json: &str| serde_json::from_str::<ToolResult<'_>>(json).expect("a result").data();
        assert_eq!(data(r#"{"structuredContent":{"rows":[{"n":1.50}]}}"#), r#"[{"n":1.50}]"#);
        assert_eq!(data(r#"{"structuredContent":{"a":[1],"b":2}}"#), r#"{"a":[1],"b":2}"#);
        assert_eq!(data(r#"{"content":[{"type":"text","text":" [{\"n\":1e3}] "}]}"#), r#"[{"n":1e3}]"#);
        assert_eq!(data(r#"{"content":[{"type":"text","text":"12"}]}"#), r#"[{"text":"12"}]"#);
        assert_eq!(data(r#"{"content":[]}"#), "[]");
    }
}
