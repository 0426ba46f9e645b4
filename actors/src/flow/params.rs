//! Reading the parameters of relayed requests: spans into the raw bytes, and no second reading of any of them.

use crate::backend::ProgressToken;
use crate::wire::skim;
use bytes::Bytes;
use std::ops::Range;

/// The parameters of `tools/call`.
#[derive(Debug, PartialEq, Eq)]
pub struct CallParams {
    /// The whole object, raw JSON.
    pub raw: Bytes,
    /// Decoded `name`.
    pub name: String,
    /// Where its raw JSON stands.
    pub name_span: Range<usize>,
    /// Raw `arguments`.
    pub arguments: Option<Bytes>,
    /// Where they stand.
    pub arguments_span: Option<Range<usize>>,
    /// Raw `_meta`.
    pub meta: Option<Bytes>,
}

/// Members of `tools/call` parameters that decide what runs.
const DECISIVE: [&str; 3] = ["name", "arguments", "_meta"];

impl CallParams {
    /// Reads the parameters. Besides being JSON objects of the right shape they must have one reading only: servers
    /// whose JSON library ignores the case of member names would run `Name`, so such a member is refused.
    pub fn read(params: Option<Bytes>) -> Result<CallParams, &'static str> {
        let raw = params.ok_or("\"params\" is missing")?;
        let (mut name, mut arguments, mut meta) = (None, None, None);
        let mut ambiguous = false;
        skim::members(&raw, |key, value| match &raw[key] {
            b"name" => name = Some(value),
            b"arguments" => arguments = Some(value),
            b"_meta" => meta = Some(value),
            other => ambiguous |= could_be_decisive(other),
        })
        .ok_or("\"params\" must be an object")?;
        if ambiguous {
            return Err("a member of \"params\" could be read as \"name\", \"arguments\" or \"_meta\"");
        }
        let name_span = name.ok_or("\"name\" is missing")?;
        let name = skim::string(&raw[name_span.clone()]).ok_or("\"name\" must be a string")?;
        if let Some(span) = &arguments
            && !matches!(raw[span.start], b'{' | b'n')
        {
            return Err("\"arguments\" must be an object");
        }
        if let Some(span) = &meta
            && !matches!(raw[span.start], b'{' | b'n')
        {
            return Err("\"_meta\" must be an object");
        }
        Ok(CallParams {
            name,
            name_span,
            arguments: arguments.clone().map(|span| raw.slice(span)),
            arguments_span: arguments,
            meta: meta.map(|span| raw.slice(span)),
            raw,
        })
    }
}

fn could_be_decisive(key: &[u8]) -> bool {
    if key.contains(&b'\\') {
        return true;
    }
    let upper = String::from_utf8_lossy(key).to_uppercase();
    DECISIVE.iter().any(|name| upper == name.to_uppercase())
}

/// The client's progress token in raw `params`, if there is one: a string or an integer.
pub fn progress_token(params: &Bytes) -> Option<ProgressToken> {
    let span = skim::path(params, &["_meta", "progressToken"])?;
    let raw = params.slice(span.clone());
    crate::wire::envelope::is_id(&raw).then_some(ProgressToken { span, raw })
}

/// A decoded string member and where it stands.
pub fn text(params: &Bytes, path: &[&str]) -> Option<(String, Range<usize>)> {
    let span = skim::path(params, path)?;
    Some((skim::string(&params[span.clone()])?, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<CallParams, &'static str> {
        CallParams::read(Some(Bytes::from_static(text.as_bytes())))
    }

    #[test]
    fn w20_arguments_stay_as_they_came() {
        let raw = |text| read(text).expect("readable").arguments;
        assert_eq!(raw(r#"{"name":"a","arguments":{}}"#).as_deref(), Some(&b"{}"[..]));
        assert_eq!(raw(r#"{"name":"a"}"#), None);
        assert_eq!(raw(r#"{"arguments": {"x": 1.0},"name":"a"}"#).as_deref(), Some(&br#"{"x": 1.0}"#[..]));
    }

    #[test]
    fn a_second_reading_is_refused() {
        for text in [
            r#"{"name":"echo","Name":"drop"}"#,
            r#"{"name":"echo","argum\u0065nts":{"x":1}}"#,
            r#"{"name":"echo","ARGUMENTS":{}}"#,
            "{\"name\":\"echo\",\"argument\u{17f}\":{}}",
            r#"{"name":5}"#,
            r#"{"name":"a","arguments":[1]}"#,
            r#"{"name":"a","arguments":"{}"}"#,
            r#"{"arguments":{}}"#,
            r#"["name"]"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(r#"{"name":"echo","task":{"ttl":5}}"#).is_ok(), "unknown members pass");
    }
}
