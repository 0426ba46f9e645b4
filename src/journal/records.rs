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
    // One pass, since an answer may be large.
    let (mut structured, mut content) = (None, 0);
    let shaped = skim::members_from(result, 0, |key, from| match (&result[key], result.get(from)) {
        (b"structuredContent", _) => {
            let to = skim::value_end(result, from)?;
            structured = Some(&result[from..to]);
            Some(to)
        }
        (b"content", Some(b'[')) => {
            let (records, to) = records_of_blocks(result, from)?;
            content = records;
            Some(to)
        }
        (b"content", _) => {
            content = 0;
            skim::value_end(result, from)
        }
        _ => skim::value_end(result, from),
    });
    if shaped.is_none() {
        return 0;
    }
    let mut records = 0;
    let listed = structured.and_then(|list| skim::elements(list, |_| records += 1));
    listed.map_or(content, |()| records)
}

/// The records in the array of content blocks at `at`, and where the array ends.
fn records_of_blocks(result: &[u8], at: usize) -> Option<(u64, usize)> {
    let (mut blocks, mut records) = (0, None);
    let end = skim::elements_from(result, at, |from| {
        blocks += 1;
        if result.get(from) != Some(&b'{') {
            return skim::value_end(result, from);
        }
        let (mut kind, mut text) = (None, None);
        let end = skim::members_from(result, from, |key, from| {
            let to = skim::value_end(result, from)?;
            match &result[key] {
                b"type" => kind = Some(&result[from..to]),
                b"text" => text = Some(&result[from..to]),
                _ => {}
            }
            Some(to)
        });
        if let (Some(b"\"text\""), Some(text)) = (kind, text)
            && let Some(listed) = list_in(text)
        {
            records = Some(records.unwrap_or(0) + listed);
        }
        end
    })?;
    Some((records.unwrap_or(blocks), end))
}

/// The length of the JSON array in the text of a text block.
fn list_in(text: &[u8]) -> Option<u64> {
    if may_hold_list(text) { list_len(skim::string(text)?.trim_ascii()) } else { None }
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
