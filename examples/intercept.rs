//! A program that runs tools itself and asks before each of them.
//!
//! `cargo run --example intercept`
#![allow(clippy::print_stdout, reason = "an example shows what comes of it")]

use callgate::intercept::Interceptor;
use serde_json::{Value, json};
use std::error::Error;

/// The tools of this program.
fn run_tool(name: &str, arguments: &Value) -> Result<Value, String> {
    match name {
        "find_customer" => {
            let text = format!("customer {}: Siti, siti@example.co.id", arguments["id"]);
            Ok(json!({"content": [{"type": "text", "text": text}]}))
        }
        _ => Err(format!("there is no tool {name:?}")),
    }
}

/// Asks, runs, and gives back what the model may see.
pub(crate) fn call(interceptor: &Interceptor, name: &str, arguments: &Value) -> String {
    let call = interceptor.intercept_tool_call(name, arguments);
    if let Some(approval) = &call.approval {
        return format!("needs approval: {}", approval.how_to_decide);
    }
    if !call.allowed {
        return call.reason;
    }
    // A policy may have masked a value in the arguments.
    let arguments = call.arguments.as_ref().unwrap_or(arguments);
    match run_tool(name, arguments) {
        Ok(result) => match call.answer(&result) {
            Ok(masked) => masked["content"][0]["text"].as_str().unwrap_or_default().to_owned(),
            Err(withheld) => withheld.message,
        },
        Err(why) => call.fail(&why),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Everything in docs/settings.md holds; what is told here wins.
    let interceptor = Interceptor::from_environment().server("crm").deny(["delete_*"]).build()?;
    for (name, arguments) in [
        ("find_customer", json!({"id": 7})),
        ("delete_customer", json!({"id": 7})),
        ("query", json!({"sql": "SELECT 1; DROP TABLE customers; --"})),
    ] {
        println!("{name}: {}", call(&interceptor, name, &arguments));
    }
    interceptor.close();
    Ok(())
}
