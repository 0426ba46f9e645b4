//! What the redactor is timed with: results of tools in several languages and shapes, and texts made to be slow.

use serde_json::{Value, json};

/// How much there is to mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Nothing; a few numbers and times, as texts have them.
    Clean,
    /// One value in 5 kB.
    Mixed,
    /// Values in every sentence or record.
    Dense,
}

impl Load {
    pub(crate) const ALL: [Load; 3] = [Load::Clean, Load::Mixed, Load::Dense];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Load::Clean => "clean",
            Load::Mixed => "mixed",
            Load::Dense => "dense",
        }
    }
}

/// Bytes of a mixed input in which one value stands.
const BYTES_FOR_ONE_VALUE: usize = 5_000;

/// A language: its name, a paragraph with nothing to mask, and a sentence with values.
pub(crate) struct Language {
    pub(crate) name: &'static str,
    plain: &'static str,
    telling: &'static str,
}

/// One language for each kind of bytes.
pub(crate) const LANGUAGES: [Language; 4] = [
    Language {
        name: "English",
        plain: "The quarterly report lists 12 regions, 340 stores and 5 warehouses; growth was 3.5 % in 2026. \
                Each region has its own budget line, a short remark on delivery dates and a list of open questions.\n",
        telling: "Please call Jane at +1 415-555-2671 or write to jane.doe@example.com about the invoice.\n",
    },
    Language {
        name: "Latin accents",
        plain: "Le rapport détaillé a été envoyé à Zoë; où êtes-vous allés l'été passé? São Tomé, Łódź, Málaga und \
                Köln wurden ausgewählt, und für 12 Städte fehlt noch die Bestätigung der Geschäftsführung.\n",
        telling: "Écrivez à zoe.müller@example.com, ou appelez le +33 6 12 34 56 78 après le déjeuner à l'hôtel.\n",
    },
    Language {
        name: "Chinese",
        plain: "第三季度报告列出了十二个地区和五个仓库，增长率为3.5%。每个地区都有自己的预算、交货日期说明以及尚未解决的问题，\
                请在下周之前完成审核并通知相关负责人。\n",
        telling: "请联系王小明，电话 +62 812-3456-7890，邮箱 wang@example.cn，谢谢您的合作与支持。\n",
    },
    Language {
        name: "Cyrillic",
        plain: "Квартальный отчёт содержит сведения о двенадцати регионах и пяти складах; рост составил 3,5 % за год. \
                У каждого региона есть собственный бюджет и список открытых вопросов.\n",
        telling: "Позвоните Ивану по номеру +62 812-3456-7890 или напишите на ivan@example.ru до пятницы.\n",
    },
];

/// A result with one text block of about `size` bytes.
pub(crate) fn text(language: &Language, load: Load, size: usize) -> String {
    let mut text = String::with_capacity(size + 300);
    let mut since = 0;
    while text.len() < size {
        let telling = match load {
            Load::Clean => false,
            Load::Mixed => since >= BYTES_FOR_ONE_VALUE,
            Load::Dense => true,
        };
        let piece = if telling { language.telling } else { language.plain };
        since = if telling { 0 } else { since + piece.len() };
        text.push_str(piece);
    }
    in_text_block(&text)
}

/// A result with records of about `size` bytes in all.
pub(crate) fn records(load: Load, size: usize) -> String {
    let mut rows = Vec::new();
    let (mut length, mut since) = (0, 0);
    while length < size || rows.is_empty() {
        let index = rows.len();
        let row = match load {
            Load::Dense => dense_record(index),
            Load::Mixed if since >= BYTES_FOR_ONE_VALUE => telling_record(index),
            _ => clean_record(index),
        };
        let row = row.to_string();
        let bytes = row.len() + 1;
        since = if since >= BYTES_FOR_ONE_VALUE { 0 } else { since + bytes };
        length += bytes;
        rows.push(row);
    }
    format!("{{\"content\":[],\"structuredContent\":{{\"rows\":[{}]}}}}", rows.join(","))
}

fn clean_record(index: usize) -> Value {
    json!({
        "id": index, "name": "Siti Rahayu", "city": "Bandung", "active": true, "score": 17.25,
        "created": "2026-11-20T10:15:30Z", "note": "Asked for a longer trial and a call back next week, prefers chat.",
        "tags": ["trial", "retail", "west-java"], "parent": null
    })
}

fn telling_record(index: usize) -> Value {
    let mut record = clean_record(index);
    record["email"] = Value::from(format!("siti{index}@example.co.id"));
    record
}

fn dense_record(index: usize) -> Value {
    json!({
        "nik": format!("317401250199{:04}", index % 9999 + 1), "email": format!("siti{index}@example.co.id"),
        "phone": "+62 812-3456-7890", "rekening": 1_234_567_890u64, "card": "4111 1111 1111 1111",
        "note": "transfer ke BCA 1234567890, NPWP 01.234.567.8-901.000"
    })
}

/// A result whose one text block holds `text`.
pub(crate) fn in_text_block(text: &str) -> String {
    json!({ "content": [{ "type": "text", "text": text }] }).to_string()
}

/// An image in base64.
pub(crate) fn image(size: usize) -> String {
    let base64 = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ4111111111111111AAAA".repeat(size / 64);
    json!({ "content": [{ "type": "image", "data": base64, "mimeType": "image/png" }] }).to_string()
}

/// Inputs made to be slow.
pub(crate) fn hostile(size: usize) -> Vec<(&'static str, String)> {
    let text = |piece: &str| Value::from(piece.repeat(size / piece.len())).to_string();
    let nested = (0..7).fold("[".repeat(size / 256), |inner, _| Value::from(inner).to_string());
    vec![
        ("digits", text("7")),
        ("digit groups", text("1 ")),
        ("four-digit groups", text("1234 ")),
        ("@", text("@")),
        ("a@a@", text("a@")),
        ("a.a.@", format!("\"{}@{}\"", "a.".repeat(size / 4), "b.".repeat(size / 4))),
        ("backslashes", text("\\")),
        ("\\u0031", format!("\"{}\"", "\\u0031".repeat(size / 6))),
        ("escape, then addresses", Value::from(format!("\n{}", "a@b.co ".repeat(size / 7))).to_string()),
        ("[ in a string", text("[12345678@")),
        ("nested strings", nested),
        (
            "JSON that fails late",
            Value::from(format!("[{}x]", "12345678,\"a@b.co\",".repeat(size / 18))).to_string(),
        ),
        ("labels", text("BCA rekening 12345678 ")),
        ("addresses as keys", {
            let members: Vec<String> = (0..size / 20).map(|index| format!("\"a{index}@b.co\":1")).collect();
            format!("{{{}}}", members.join(","))
        }),
        ("[[[[", "[".repeat(size)),
    ]
}
