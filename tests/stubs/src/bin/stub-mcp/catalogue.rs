//! Everything but `tools/call`: the handshake, the lists, prompts, resources, completion, logging.

use crate::server::Server;
use callgate_stubs::json::{self, Members, quoted};

/// A note with personal data, for prompts and resources.
const NOTE: &str = "Call Siti at siti@example.co.id, NIK 3174012501990001";

/// `"result":…` or `"error":…` for one request.
pub(crate) fn answer(server: &Server, method: &str, params: &Members) -> String {
    let options = &server.options;
    if method == "initialize" {
        return initialize(server, params);
    }
    if options.tools_only && !matches!(method, "ping" | "tools/list") {
        return unknown(method);
    }
    let uri = json::string(params, "uri").unwrap_or_default();
    match method {
        "ping" => ok("{}"),
        "tools/list" => page(server, "tools", &crate::tools::list(server), params),
        "prompts/list" => page(server, "prompts", &prompts(), params),
        "prompts/get" => get_prompt(params),
        "resources/list" => page(server, "resources", &resources(options.name.as_str()), params),
        "resources/templates/list" => page(server, "resourceTemplates", &templates(), params),
        "resources/read" => read(&uri),
        "resources/subscribe" => {
            server.state().subscriptions.push(uri);
            ok("{}")
        }
        "resources/unsubscribe" => {
            server.state().subscriptions.retain(|kept| *kept != uri);
            ok("{}")
        }
        "completion/complete" => {
            ok(r#"{"completion":{"values":["Siti","siti@example.co.id"],"total":2,"hasMore":false}}"#)
        }
        "logging/setLevel" => {
            server.state().level = json::raw(params, "level").map(str::to_owned);
            ok("{}")
        }
        _ => unknown(method),
    }
}

fn ok(result: &str) -> String {
    format!(r#""result":{result}"#)
}

fn unknown(method: &str) -> String {
    format!(r#""error":{{"code":-32601,"message":{}}}"#, quoted(&format!("stub: method not found: {method}")))
}

fn initialize(server: &Server, params: &Members) -> String {
    let asked = json::string(params, "protocolVersion").unwrap_or_default();
    let version = server.options.protocol.clone().unwrap_or(asked);
    let capabilities = match server.options.tools_only {
        true => r#"{"tools":{}}"#,
        false => {
            r#"{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}}"#
        }
    };
    let instructions = match &server.options.instructions {
        Some(text) => format!(r#","instructions":{}"#, quoted(text)),
        None => String::new(),
    };
    ok(&format!(
        r#"{{"protocolVersion":{},"capabilities":{capabilities},"serverInfo":{{"name":{},"version":"1.0"}}{instructions}}}"#,
        quoted(&version),
        quoted(&server.options.name),
    ))
}

fn prompts() -> Vec<String> {
    vec![
        r#"{"name":"greet","title":"Greet","description":"Greets a person","arguments":[{"name":"who","required":true}]}"#
            .to_owned(),
        r#"{"name":"plain"}"#.to_owned(),
    ]
}

fn get_prompt(params: &Members) -> String {
    let name = json::string(params, "name").unwrap_or_default();
    if !matches!(name.as_str(), "greet" | "plain") {
        return format!(r#""error":{{"code":-32602,"message":{}}}"#, quoted(&format!("no prompt {name}")));
    }
    let arguments = json::raw(params, "arguments").unwrap_or("none");
    let text = quoted(&format!("{name} with {arguments}. {NOTE}"));
    ok(&format!(
        r#"{{"description":"d","messages":[{{"role":"user","content":{{"type":"text","text":{text}}}}}]}}"#
    ))
}

fn resources(name: &str) -> Vec<String> {
    vec![
        r#"{"uri":"stub://note","name":"note","mimeType":"text/plain"}"#.to_owned(),
        format!(r#"{{"uri":"stub://{name}/own","name":"own note of {name}"}}"#),
        r#"{"uri":"memo:insights","name":"an opaque URI"}"#.to_owned(),
    ]
}

fn templates() -> Vec<String> {
    vec![r#"{"uriTemplate":"stub://note/{who}","name":"note of a person"}"#.to_owned()]
}

fn read(uri: &str) -> String {
    if !uri.starts_with("stub://") && uri != "memo:insights" {
        return format!(
            r#""error":{{"code":-32002,"message":"resource not found","data":{{"uri":{}}}}}"#,
            quoted(uri)
        );
    }
    let text = quoted(&format!("{uri}: {NOTE}"));
    ok(&format!(r#"{{"contents":[{{"uri":{},"mimeType":"text/plain","text":{text}}}]}}"#, quoted(uri)))
}

/// One page of a list. The first page's cursor is the empty string, which is a valid one.
fn page(server: &Server, key: &str, entries: &[String], params: &Members) -> String {
    let Some(size) = server.options.pages else {
        return ok(&format!(r#"{{"{key}":[{}]}}"#, entries.join(",")));
    };
    if server.options.loop_cursor {
        let first = entries.first().cloned().unwrap_or_default();
        return ok(&format!(r#"{{"{key}":[{first}],"nextCursor":"again"}}"#));
    }
    let start = match json::string(params, "cursor") {
        None => 0,
        Some(cursor) if cursor.is_empty() => size,
        Some(cursor) => cursor.parse().unwrap_or(usize::MAX),
    };
    if start > entries.len() {
        return r#""error":{"code":-32602,"message":"invalid cursor"}"#.to_owned();
    }
    let end = entries.len().min(start + size);
    let next = match (end < entries.len(), start) {
        (false, _) => String::new(),
        (true, 0) => r#","nextCursor":"""#.to_owned(),
        (true, _) => format!(r#","nextCursor":"{end}""#),
    };
    ok(&format!(r#"{{"{key}":[{}]{next}}}"#, entries[start..end].join(",")))
}
