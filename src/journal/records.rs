//! How many records an answer holds: the AxonFlow contract, section 7.2.

use callgate_actors::wire::skim;
use serde::de::IgnoredAny;

/// The records in a `result` of `tools/call`: the length of `structuredContent` if that is an array; else the sum
/// of the lengths of the text blocks that hold a JSON array; else the number of content blocks. 0 for no result
/// and for one that is no such object.
///
/// The result is skimmed, since whoever passes it on has checked it; only text that starts with `[` is unescaped
/// and read, because any text may start so.
pub fn record_count(result: &[u8]) -> u64 {
    let (mut structured, mut content) = (None, None);
    let shaped = skim::members(result, |key, value| match &result[key] {
        b"structuredContent" => structured = Some(value),
        b"content" => content = Some(value),
        _ => {}
    });
    if shaped.is_none() {
        return 0;
    }
    if let Some(records) = structured.and_then(|span| elements(&result[span]).map(|records| records.len())) {
        return records as u64;
    }
    let content = content.map_or(&[][..], |span| &result[span]);
    let blocks = elements(content).unwrap_or_default();
    let records = blocks.iter().filter_map(|block| list_in(block)).reduce(|sum, records| sum + records);
    records.unwrap_or(blocks.len() as u64)
}

/// The elements of a JSON array; `None` for any other value.
fn elements(json: &[u8]) -> Option<Vec<&[u8]>> {
    let mut elements = Vec::new();
    skim::elements(json, |span| elements.push(&json[span]))?;
    Some(elements)
}

/// The length of the JSON array in a text block's text.
fn list_in(block: &[u8]) -> Option<u64> {
    let (mut kind, mut text) = (None, None);
    skim::members(block, |key, value| match &block[key] {
        b"type" => kind = Some(value),
        b"text" => text = Some(value),
        _ => {}
    })?;
    let text = &block[text?];
    if &block[kind?] != b"\"text\"" || !may_hold_list(text) {
        return None;
    }
    list_len(skim::string(text)?.trim_ascii())
}

/// Whether a JSON string, as it stands in the message, may start with `[` behind white space.
fn may_hold_list(quoted: &[u8]) -> bool {
    let mut rest = quoted.strip_prefix(b"\"").unwrap_or_default();
    let spaces = [&b" "[..], b"\\n", b"\\r", b"\\t"];
    while let Some(next) = spaces.iter().find_map(|space| rest.strip_prefix(*space)) {
        rest = next;
    }
    rest.starts_with(b"[") || rest.starts_with(b"\\u")
}

/// The length of a JSON array; `None` for any other value.
fn list_len(json: &str) -> Option<u64> {
    if !json.starts_with('[') {
        return None;
    }
    // Ignored items have no size, so this vector counts without memory.
    serde_json::from_str::<Vec<IgnoredAny>>(json).ok().map(|items| items.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::record_count;

    #[test]
    fn counts_what_the_contract_counts() {
        for (result, records) in [
            ("", 0),
            ("null", 0),
            ("{}", 0),
            (r#"{"content":[]}"#, 0),
            (r#"{"structuredContent":[1,[2,3],{"a":[4]}],"content":[]}"#, 3),
            (r#"{"content":[{"type":"text","text":"[1,2]"}],"structuredContent":[]}"#, 0),
            (r#"{"structuredContent":{"rows":[1,2]},"content":[{"type":"text","text":"{}"}]}"#, 1),
            (r#"{"structuredContent":null,"content":[{"type":"text","text":"[1,2]"}]}"#, 2),
            (
                r#"{"content":[{"type":"text","text":"[{\"a\":1},{\"b\":\"]\"}]"},{"type":"text","text":" \n[1]\t"}]}"#,
                3,
            ),
            (r#"{"content":[{"type":"text","text":"\u005b1,2,3]"}]}"#, 3),
            (r#"{"content":[{"type":"text","text":"[]"},{"type":"text","text":"x"}]}"#, 0),
            (r#"{"content":[{"type":"text","text":"[1,2"},{"type":"text","text":"[see above]"}]}"#, 2),
            (r#"{"content":[{"type":"text","text":"[1] and more"}]}"#, 1),
            (r#"{"content":[{"type":"image","text":"[1,2]","data":""},{"type":"text","text":"a"}]}"#, 2),
            (r#"{"content":[1,"x",null]}"#, 3),
            (r#"{"content":"[1,2]"}"#, 0),
            (r#"{"isError":true,"content":[{"type":"text","text":"no such customer"}]}"#, 1),
            (r#"{"content":[{"type":"text""#, 0),
        ] {
            assert_eq!(record_count(result.as_bytes()), records, "{result}");
        }
    }

    #[test]
    fn deep_lists_do_not_exhaust_the_stack() {
        let deep = format!("[{}{}]", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(record_count(format!(r#"{{"structuredContent":{deep}}}"#).as_bytes()), 1);
    }
}
