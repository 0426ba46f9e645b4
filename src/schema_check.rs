//! Validates JSON against the schemas in `config/`, for the tests that hold them against the code.

use serde_json::Value;

/// Validates with those keywords of JSON Schema 2020-12 that the schema uses; any other one fails the test.
pub(crate) fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema.as_bool().expect("a schema") };
    keywords.iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "$defs" | "title" | "description" | "properties" | "patternProperties" => true,
        "$ref" => {
            let pointer = rule.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
            accepts(root, root.pointer(pointer).expect("what is referred to"), value)
        }
        "type" => match rule.as_str().expect("a type") {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "null" => value.is_null(),
            other => panic!("unknown type {other}"),
        },
        "const" => rule == value,
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().expect("a number")),
        "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().expect("a number")),
        "enum" => rule.as_array().expect("a list").contains(value),
        "pattern" => value.as_str().is_none_or(|text| {
            regex::Regex::new(rule.as_str().expect("a pattern")).expect("a pattern").is_match(text)
        }),
        "minLength" => {
            value.as_str().is_none_or(|text| text.chars().count() as u64 >= rule.as_u64().expect("a number"))
        }
        "minItems" => {
            value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().expect("a number"))
        }
        "maxItems" => {
            value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().expect("a number"))
        }
        "minProperties" => {
            value.as_object().is_none_or(|members| members.len() as u64 >= rule.as_u64().expect("a number"))
        }
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| accepts(root, rule, item))),
        "required" => rule
            .as_array()
            .expect("a list")
            .iter()
            .all(|name| value.get(name.as_str().expect("a name")).is_some()),
        "anyOf" => rule.as_array().expect("a list").iter().any(|schema| accepts(root, schema, value)),
        "oneOf" => {
            rule.as_array().expect("a list").iter().filter(|schema| accepts(root, schema, value)).count() == 1
        }
        "additionalProperties" => true,
        other => panic!("the schema uses {other}, which this test does not know"),
    }) && members_are_accepted(root, schema, value)
}

fn members_are_accepted(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(members) = value.as_object() else { return true };
    members.iter().all(|(name, member)| {
        let named = schema["properties"].get(name);
        let patterns = schema["patternProperties"].as_object().into_iter().flatten();
        let matching = patterns
            .filter(|(pattern, _)| regex::Regex::new(pattern).expect("a pattern").is_match(name))
            .map(|(_, schema)| schema);
        let schemas: Vec<&Value> = named.into_iter().chain(matching).collect();
        if schemas.is_empty() {
            return schema.get("additionalProperties").is_none_or(|schema| accepts(root, schema, member));
        }
        schemas.into_iter().all(|schema| accepts(root, schema, member))
    })
}
