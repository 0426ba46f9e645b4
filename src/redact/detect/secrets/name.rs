//! Secrets that are told by the name before them: `password=hunter2`, `api_key: …`, `Authorization: Bearer …`.

use super::{Found, Secret};
use crate::redact::window::Span;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Longest name that is read backwards.
const LONGEST_NAME: usize = 40;
/// Longest value behind a name.
const LONGEST_VALUE: usize = 4096;

/// How names end, without signs between words and in lower case. The first that fits counts.
const ENDINGS: &[(&[u8], Secret)] = &[
    (b"password", Secret::Password),
    (b"passwd", Secret::Password),
    (b"passphrase", Secret::Password),
    (b"passcode", Secret::Password),
    (b"passwort", Secret::Password),
    (b"katasandi", Secret::Password),
    (b"kennwort", Secret::Password),
    (b"motdepasse", Secret::Password),
    (b"contrasena", Secret::Password),
    // As it reads without its accented letter.
    (b"contrasea", Secret::Password),
    (b"senha", Secret::Password),
    (b"wachtwoord", Secret::Password),
    (b"haslo", Secret::Password),
    (b"salasana", Secret::Password),
    (b"adgangskode", Secret::Password),
    (b"jelszo", Secret::Password),
    (b"heslo", Secret::Password),
    (b"losenord", Secret::Password),
    (b"pwd", Secret::Password),
    (b"secretaccesskey", Secret::ApiKey),
    (b"apikey", Secret::ApiKey),
    (b"accesskey", Secret::ApiKey),
    (b"secretkey", Secret::ApiKey),
    (b"privatekey", Secret::ApiKey),
    (b"encryptionkey", Secret::ApiKey),
    (b"accountkey", Secret::ApiKey),
    (b"signingkey", Secret::ApiKey),
    (b"authkey", Secret::ApiKey),
    (b"masterkey", Secret::ApiKey),
    (b"subscriptionkey", Secret::ApiKey),
    (b"servicekey", Secret::ApiKey),
    (b"storagekey", Secret::ApiKey),
    (b"apisecret", Secret::Other),
    (b"secret", Secret::Other),
    (b"token", Secret::Token),
    (b"authorization", Secret::Token),
    (b"bearer", Secret::Token),
    (b"credential", Secret::Other),
    (b"credentials", Secret::Other),
    (b"key", Secret::Key),
    (b"clientid", Secret::Key),
    (b"appid", Secret::Key),
    (b"secretid", Secret::Key),
    (b"roleid", Secret::Key),
    (b"authid", Secret::Key),
    (b"accessid", Secret::Key),
    (b"sessionid", Secret::Key),
    (b"sid", Secret::Key),
    (b"license", Secret::Key),
    (b"pat", Secret::Key),
    (b"signature", Secret::Key),
    (b"webhook", Secret::Key),
    (b"salt", Secret::Key),
    (b"pepper", Secret::Key),
    (b"cookie", Secret::Key),
    (b"signing", Secret::Key),
    (b"creds", Secret::Key),
    (b"jwt", Secret::Key),
    (b"otp", Secret::Key),
    (b"_auth", Secret::Key),
    (b"sig", Secret::Key),
];

/// Passwords as scripts beyond Latin name them.
const OTHER_NAMES: [&str; 6] = [
    "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
    "\u{41f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
    "\u{5bc6}\u{7801}",
    "\u{5bc6}\u{78bc}",
    "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}",
    "\u{be44}\u{bc00}\u{bc88}\u{d638}",
];

/// Words before "key" that make it a place, a name or half of a pair that is shown to everybody.
const OPEN_KEYS: [&[u8]; 40] = [
    b"publickey",
    b"primarykey",
    b"foreignkey",
    b"cachekey",
    b"sortkey",
    b"partitionkey",
    b"idempotencykey",
    b"objectkey",
    b"rowkey",
    b"hashkey",
    b"groupkey",
    b"lookupkey",
    b"querykey",
    b"uniquekey",
    b"routingkey",
    b"mergekey",
    b"s3key",
    b"filekey",
    b"issuekey",
    b"projectkey",
    b"configkey",
    b"indexkey",
    b"storekey",
    b"sharedkeyname",
    b"monkey",
    b"turkey",
    b"hotkey",
    b"hockey",
    b"jockey",
    b"whiskey",
    b"keykey",
    b"pubkey",
    b"publishablekey",
    b"integritykey",
    b"translationkey",
    b"messagekey",
    b"dedupkey",
    b"datakey",
    b"imagekey",
    b"fieldkey",
];

/// Words before "token" that make it a place in a list or a unit of text.
const OPEN_TOKENS: [&[u8]; 14] = [
    b"pagetoken",
    b"nexttoken",
    b"continuationtoken",
    b"synctoken",
    b"progresstoken",
    b"resumetoken",
    b"cursortoken",
    b"starttoken",
    b"stoptoken",
    b"endtoken",
    b"pertoken",
    b"prevtoken",
    b"eostoken",
    b"padtoken",
];

/// Words that stand for a value that is not there.
const STAND_INS: [&[u8]; 38] = [
    b"pass",
    b"test",
    b"mypassword",
    b"passwd",
    b"null",
    b"none",
    b"nil",
    b"true",
    b"false",
    b"undefined",
    b"required",
    b"optional",
    b"string",
    b"redacted",
    b"hidden",
    b"masked",
    b"secret",
    b"password",
    b"token",
    b"changeme",
    b"change_me",
    b"change-me",
    b"todo",
    b"tbd",
    b"example",
    b"placeholder",
    b"value",
    b"empty",
    b"missing",
    b"invalid",
    b"expired",
    b"unset",
    b"default",
    b"text",
    b"unknown",
    b"here",
    b"n/a",
    b"env",
];

/// Text that only stand-ins hold.
const MARKS_OF_STAND_INS: [&[u8]; 14] = [
    b"placeholder",
    b"redacted",
    b"xxxx",
    b"****",
    b"....",
    b"your_",
    b"your-",
    b"<your",
    b"_here",
    b"-here",
    b"os.environ",
    b"process.env",
    b"getenv",
    b"[redacted:",
];

/// Whether the two bytes end a name of the table.
fn may_end_name(before: &[u8]) -> bool {
    let [.., first, last] = before else { return false };
    if !last.is_ascii() {
        return OTHER_NAMES.iter().any(|name| before.ends_with(name.as_bytes()));
    }
    // Every record has an id; only one of a client is looked at.
    if first | 0x20 == b'i' && last | 0x20 == b'd' {
        let starts = |back: usize| before.len().checked_sub(back).is_some_and(|at| before[at] | 0x20 == b'c');
        return starts(8) || starts(9) || IDS.iter().any(|id| ends_with(before, id));
    }
    matches!(
        [first.to_ascii_lowercase(), last.to_ascii_lowercase()],
        [b'r', b'd']
            | [b'w', b'd']
            | [b's', b'e']
            | [b'd', b'e']
            | [b'r', b't']
            | [b'd', b'i']
            | [b'e', b'y']
            | [b'e', b't']
            | [b'e', b'n']
            | [b'o', b'n']
            | [b'e', b'r']
            | [b'a', b'l']
            | [b's', b's']
            | [b'n', b'a']
            | [0xB1, b'a']
            | [b'h', b'a']
            | [b'l', b'o']
            | [b'z', b'o']
            | [b'l', b's']
            | [b't', b'h']
            | [b'i', b'g']
            | [b'a', b't']
            | [b'r', b'e']
            | [b'o', b'k']
            | [b'l', b't']
            | [b'i', b'e']
            | [b'n', b'g']
            | [b'd', b's']
            | [b'w', b't']
            | [b't', b'p']
    )
}

/// Names of identifiers that are shown to nobody, as they end.
const IDS: [&[u8]; 12] = [
    b"app_id",
    b"secret_id",
    b"role_id",
    b"auth_id",
    b"access_id",
    b"session_id",
    b"_sid",
    b"secretid",
    b"authid",
    b"accessid",
    b"sessionid",
    b"roleid",
];

fn ends_with(name: &[u8], end: &[u8]) -> bool {
    name.len().checked_sub(end.len()).is_some_and(|at| name[at..].eq_ignore_ascii_case(end))
}

/// What a name says of its value; the name may hold `_`, `-`, `.` and spaces.
pub(in crate::redact) fn kind_of(name: &[u8]) -> Option<Secret> {
    if !may_end_name(name) {
        return None;
    }
    if OTHER_NAMES.iter().any(|other| name.ends_with(other.as_bytes())) {
        return Some(Secret::Password);
    }
    if name.len() > 5 && name[name.len() - 5..].eq_ignore_ascii_case(b"_auth") {
        return Some(Secret::Key);
    }
    let mut letters = [0; LONGEST_NAME];
    let mut length = 0;
    for byte in &name[name.len().saturating_sub(LONGEST_NAME)..] {
        if byte.is_ascii_alphanumeric() {
            letters[length] = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    let letters = &letters[..length];
    let letters = letters.strip_suffix(b"v2").or(letters.strip_suffix(b"v3")).unwrap_or(letters);
    if OPEN_TOKENS.iter().chain(&OPEN_KEYS).any(|open| letters.ends_with(open)) || letters == b"key" {
        return None;
    }
    if let Some((_, secret)) = ENDINGS.iter().find(|(ending, _)| letters.ends_with(ending)) {
        return Some(*secret);
    }
    let pass = name.len().checked_sub(4).filter(|at| name[*at..].eq_ignore_ascii_case(b"pass"))?;
    (pass == 0
        || !name[pass - 1].is_ascii_alphanumeric()
        || name[pass] == b'P' && name[pass - 1].is_ascii_lowercase())
    .then_some(Secret::Password)
}

/// Longer values may hold the word "example" by chance, or be the example of a document that works.
const LONGEST_EXAMPLE: usize = 32;

/// Whether the value stands for another one or for none.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let first = lower.first().copied().unwrap_or(b'<');
    matches!(first, b'<' | b'$' | b'{' | b'%' | b'*' | b'[' | b'(' | b'\\')
        || STAND_INS.contains(&lower.as_slice())
        || MARKS_OF_STAND_INS.iter().any(|mark| memchr::memmem::find(&lower, mark).is_some())
        || lower.len() < LONGEST_EXAMPLE && memchr::memmem::find(&lower, b"example").is_some()
        || lower.iter().all(|byte| *byte == first)
}

/// Whether a value under a name of this kind is a secret: long enough, no stand-in, no code.
pub(in crate::redact) fn is_value(secret: Secret, value: &[u8]) -> bool {
    let shape = |wanted: fn(&u8) -> bool| value.iter().filter(|byte| wanted(byte)).count();
    let spaces = shape(u8::is_ascii_whitespace);
    if value.len() > LONGEST_VALUE || is_placeholder(value) || value.contains(&b'(') {
        return false;
    }
    let (value, spaces) = match (secret, scheme(value)) {
        (Secret::Token, Some(length)) => (&value[length..], spaces - 1),
        _ => (value, spaces),
    };
    match secret {
        Secret::Password => (4..=256).contains(&value.len()) && spaces <= 3,
        Secret::Key => is_drawn(value),
        _ => {
            let drawn = shape(u8::is_ascii_digit) > 0
                || shape(u8::is_ascii_uppercase) > 1 && shape(u8::is_ascii_lowercase) > 1;
            value.len() >= 8 && spaces == 0 && (drawn || is_no_word(value))
        }
    }
}

/// Fewest small letters in one piece that may be drawn.
const SHORTEST_OF_LETTERS: usize = 15;

/// Whether small letters in one piece are no word: words of no length have so many consonants in a row.
fn is_no_word(value: &[u8]) -> bool {
    let vowel = |byte: &u8| matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    let mut rows = value.split(vowel).map(<[u8]>::len);
    value.len() >= SHORTEST_OF_LETTERS
        && value.iter().all(u8::is_ascii_lowercase)
        && (rows.clone().any(|row| row >= 5) || rows.by_ref().filter(|row| *row == 4).count() >= 2)
}

/// The length of a scheme of authorization with its space.
fn scheme(value: &[u8]) -> Option<usize> {
    [&b"Bearer "[..], b"Basic ", b"Token "]
        .into_iter()
        .find(|scheme| value.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))
        .map(<[u8]>::len)
}

/// Fewest characters of a value that nothing but its look speaks for.
const SHORTEST_DRAWN: usize = 12;

/// Whether a value looks drawn and not written: letters and digits mixed, in one piece.
fn is_drawn(value: &[u8]) -> bool {
    let count = |wanted: fn(&u8) -> bool| value.iter().filter(|byte| wanted(byte)).count();
    let (digits, letters) = (count(u8::is_ascii_digit), count(u8::is_ascii_alphabetic));
    let parts = count(|byte| matches!(byte, b'-' | b'_' | b'/' | b'.'));
    let foreign = count(|byte| {
        !byte.is_ascii_alphanumeric()
            && !matches!(byte, b'-' | b'_' | b'/' | b'+' | b'=' | b'%' | b'.' | b':')
    });
    let (small, capitals) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    let cases = small >= 2 && capitals >= 2;
    value.len() >= SHORTEST_DRAWN
        && foreign == 0
        && letters >= 4
        && parts * 6 <= value.len()
        && (digits >= 2 && (cases || value.len() >= 20 && digits >= 4)
            || value.len() >= 15 && parts == 0 && (digits >= 3 || digits >= 1 && capitals >= 4 && small >= 4))
}

/// Signs that stand between a name and its value.
fn signs(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    memchr::memchr2_iter(b':', b'=', text)
}

/// Types of texts in programming languages.
const TYPES: [&[u8]; 4] = [b" string", b" String", b" &str", b" str"];

/// The name that ends before `sign`, quotes and a space between left out.
fn name_before(text: &[u8], sign: usize) -> &[u8] {
    let mut end = sign;
    for _ in 0..MOST_NOISE {
        match end.checked_sub(1).map(|at| text[at]) {
            Some(b' ' | b'"' | b'\'' | b'\\' | b'`' | b'*' | b']' | b'?' | b'+' | b':') => end -= 1,
            Some(b'.') if text.get(sign) == Some(&b'=') => end -= 1,
            _ => break,
        }
    }
    // The type of a variable stands between its name and its value: `token: string = …`.
    if let Some(name) = TYPES.iter().find_map(|kind| text[..end].strip_suffix(*kind)) {
        let name = name.trim_ascii_end();
        end = name.strip_suffix(b":").map_or(name.len(), |name| name.trim_ascii_end().len());
    }
    if !may_end_name(&text[..end]) {
        return &[];
    }
    let from = end.saturating_sub(LONGEST_NAME);
    let part = |byte: &u8| {
        byte.is_ascii_alphanumeric() || !byte.is_ascii() || matches!(byte, b'_' | b'-' | b'.' | b' ')
    };
    let length = text[from..end].iter().rev().take_while(|byte| part(byte)).count();
    // The name in a token of ours is no name.
    if text[..end - length].ends_with(b"[REDACTED:") { &[] } else { &text[end - length..end] }
}

pub(super) fn may_hold(text: &[u8]) -> bool {
    signs(text).any(|sign| kind_of(name_before(text, sign)).is_some() || setting(text, sign).is_some())
        || may_hold_user(text)
}

/// Whether the `:` or `=` at `sign` may stand between a secret and what calls it one: its name, or the user behind a
/// flag of a command.
pub(in crate::redact) fn is_sign(text: &[u8], sign: usize) -> bool {
    kind_of(name_before(text, sign)).is_some() || is_behind_user(text, sign) || setting(text, sign).is_some()
}

/// Words in a name that make its value a digest, a place or a number of a record.
const OPEN_NAMES: [&[u8]; 78] = [
    b"value",
    b"result",
    b"output",
    b"line",
    b"item",
    b"note",
    b"message",
    b"key",
    b"checksum",
    b"etags",
    b"sha",
    b"md",
    b"hash",
    b"digest",
    b"sum",
    b"crc",
    b"etag",
    b"id",
    b"commit",
    b"rev",
    b"ref",
    b"revision",
    b"blob",
    b"tree",
    b"build",
    b"version",
    b"trace",
    b"span",
    b"request",
    b"req",
    b"nonce",
    b"cursor",
    b"parent",
    b"image",
    b"data",
    b"file",
    b"path",
    b"url",
    b"href",
    b"src",
    b"name",
    b"title",
    b"tag",
    b"integrity",
    b"public",
    b"content",
    b"text",
    b"class",
    b"style",
    b"uri",
    b"fingerprint",
    b"thumbprint",
    b"serial",
    b"transaction",
    b"tx",
    b"order",
    b"device",
    b"event",
    b"run",
    b"job",
    b"user",
    b"account",
    b"tenant",
    b"project",
    b"customer",
    b"address",
    b"wallet",
    b"block",
    b"head",
    b"base",
    b"object",
    b"index",
    b"number",
    b"code",
    b"tracking",
    b"invoice",
    b"session",
    b"date",
];

/// Whether a word of a name is one of [`OPEN_NAMES`], or ends in one of the first of them.
fn is_open_name(word: &[u8]) -> bool {
    OPEN_NAMES.iter().any(|open| word.eq_ignore_ascii_case(open))
        || OPEN_ENDINGS.iter().any(|open| ends_with(word, open))
}

/// Ends of such words.
const OPEN_ENDINGS: [&[u8]; 12] = [
    b"sha",
    b"hash",
    b"digest",
    b"sum",
    b"id",
    b"etag",
    b"commit",
    b"rev",
    b"revision",
    b"fingerprint",
    b"thumbprint",
    b"version",
];

/// The value of a line of settings that gives a service a value that looks drawn: `HEROKU=…`, `export SHODAN="…"`,
/// `asana: …`. The name is the first word of the line, and nothing but a remark stands behind the value.
fn setting(text: &[u8], sign: usize) -> Option<Span> {
    let blank = |from: usize| text[from..].iter().take(3).take_while(|byte| **byte == b' ').count();
    let gap = text[..sign].iter().rev().take(2).take_while(|byte| **byte == b' ').count();
    let mut start = sign + 1 + blank(sign + 1);
    if text.get(start) == Some(&b'\\') && text.get(start + 1) == Some(&b'"') {
        start += 2;
    } else if matches!(text.get(start), Some(b'"' | b'\'')) {
        start += 1;
    }
    let value = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b':' | b'.')
    };
    let length = text[start..].iter().take(LONGEST_SETTING + 1).take_while(|byte| value(byte)).count();
    let end = start + length;
    if !(SHORTEST_SETTING..=LONGEST_SETTING).contains(&length)
        || !matches!(text.get(end), None | Some(b'"' | b'\'' | b'\n' | b'\r' | b' ' | b'\\'))
    {
        return None;
    }
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let line = &text[..sign - gap];
    let length = line.iter().rev().take(LONGEST_NAME + 1).take_while(|byte| part(byte)).count();
    let (before, name) = line.split_at(line.len() - length);
    if !(3..=LONGEST_NAME).contains(&length) || !name.iter().any(u8::is_ascii_alphabetic) {
        return None;
    }
    let before = before.strip_suffix(b" ").map_or(before, |line| {
        let word = line.strip_suffix(b"export").or(line.strip_suffix(b"#")).or(line.strip_suffix(b"set"));
        word.unwrap_or(before)
    });
    // An address with the key of a function in it.
    if name == b"code" && matches!(before.last(), Some(b'?' | b'&')) {
        return is_drawn(&text[start..end]).then_some(Span { start, end });
    }
    let first = matches!(before.last(), None | Some(b'\n' | b'\\'));
    let open = || {
        let mut words = name.split(|byte| !byte.is_ascii_alphabetic());
        words.any(is_open_name)
    };
    let parts = text[start..end].split(|byte| *byte == b':').all(is_drawn);
    (first && !open() && parts && text[start] != b'/' && !is_placeholder(&text[start..end]))
        .then_some(Span { start, end })
}

/// Shortest and longest value of a setting that only its look speaks for.
const SHORTEST_SETTING: usize = 15;
const LONGEST_SETTING: usize = 128;

/// Whether the word before `sign` stands behind one of [`USER_FLAGS`].
fn is_behind_user(text: &[u8], sign: usize) -> bool {
    let from = sign.saturating_sub(LONGEST_NAME * 2);
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'=');
    let user = text[from..sign].iter().rev().take_while(|byte| !ends(byte)).count();
    let before = &text[..sign - user];
    let blank = |byte: &u8| matches!(byte, b' ' | b'"' | b'\'' | b'\\' | b'=');
    let gap = before.iter().rev().take(8).take_while(|byte| blank(byte)).count();
    let flag = &before[..before.len() - gap];
    gap > 0 && (flag.ends_with(b"-u") || flag.ends_with(b"--user"))
}

pub(super) fn find(text: &[u8], found: &mut Vec<Found>) {
    for sign in signs(text) {
        if let Some(secret) = kind_of(name_before(text, sign))
            && let Some(span) = value_behind(text, sign, secret)
        {
            found.push(Found { span, secret });
        } else if let Some(span) = setting(text, sign) {
            found.push(Found { span, secret: Secret::Key });
        }
    }
    for run in super::long_runs(text) {
        if let Some((start, secret)) = named(text, run) {
            let span = value_at(text, start);
            found.push(Found { span: Span { start, end: floor(text, span.end) }, secret });
        }
    }
    for flag in USER_FLAGS.into_iter().filter(|_| may_hold_user(text)) {
        for at in memchr::memmem::find_iter(text, flag) {
            if let Some(span) = password_of_user(text, at + flag.len()) {
                found.push(Found { span, secret: Secret::Password });
            }
        }
    }
}

/// Shortest command with user and password.
const SHORTEST_COMMAND: usize = 24;

static CURL: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"curl"));

/// Whether a command with user and password may stand in a text.
fn may_hold_user(text: &[u8]) -> bool {
    text.len() >= SHORTEST_COMMAND && CURL.find(text).is_some()
}

/// Flags behind which user and password stand.
const USER_FLAGS: [&[u8]; 3] = [b"-u ", b"--user ", b"--user="];

/// The password in `user:password`, with quotes around both or one of them, at most a line long.
fn password_of_user(text: &[u8], start: usize) -> Option<Span> {
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'');
    let mut at = start + text[start..].iter().take(4).take_while(|byte| **byte == b' ').count();
    let quote = text.get(at).filter(|byte| is_quote(byte));
    at += usize::from(quote.is_some());
    let user = text[at..]
        .iter()
        .take(LONGEST_NAME * 2)
        .position(|byte| *byte == b':' || byte.is_ascii_whitespace())?;
    if text[at + user] != b':' {
        return None;
    }
    at += user + 1;
    let own = text.get(at).filter(|byte| is_quote(byte) && quote.is_none());
    at += usize::from(own.is_some());
    let ends = |byte: &u8| match own.or(quote) {
        Some(quote) => byte == quote || *byte == b'\n',
        None => byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'\\'),
    };
    let length = text[at..].iter().take(LONGEST_VALUE).position(ends);
    let end = length.map_or(text.len().min(at + LONGEST_VALUE), |length| at + length);
    let span = Span { start: at, end: floor(text, end) };
    is_value(Secret::Password, &text[span.start..span.end]).then_some(span)
}

/// Programs that take a password behind `-p` or `-a`.
const PROGRAMS: [&[u8]; 7] =
    [b"mysql", b"mariadb", b"sshpass", b"docker login", b"podman login", b"redis-cli", b"mongo"];

/// Whether a name without a sign stands before the run, and what it names looks drawn.
pub(super) fn is_named(text: &[u8], run: Span) -> bool {
    named(text, run).is_some()
}

/// The value that starts with a run behind a name without a sign: `Bearer …`, `--password …`, `the API key is …`,
/// `<password>…`. Where it starts, and what it is.
fn named(text: &[u8], run: Span) -> Option<(usize, Secret)> {
    // A name is set apart from its value. In media the parts are not.
    let apart =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'>' | b'|' | b',');
    if !text[..run.start].last().is_some_and(apart) {
        return None;
    }
    // Words are no secrets; most long runs are words.
    let bearer = text[..run.start].ends_with(b"earer ") || text[..run.start].ends_with(b"EARER ");
    let digits = text[run.start..run.end].iter().take(128).filter(|byte| byte.is_ascii_digit()).count();
    if run.start == 0 || digits == 0 && !bearer {
        return None;
    }
    let before = &text[run.start.saturating_sub(LONGEST_NAME * 2)..run.start];
    let line = before.iter().rposition(|byte| *byte == b'\n').map_or(before, |at| &before[at + 1..]);
    // A block of YAML, or an element of XML, on lines of its own.
    let trimmed = before.trim_ascii_end();
    let block = line.trim_ascii().is_empty() && matches!(trimmed.last(), Some(b'|' | b'>'));
    let line = if block { trimmed } else { line };
    if line.len() >= 7 && line[line.len() - 7..].eq_ignore_ascii_case(b"bearer ") {
        let value = value_at(text, run.start);
        let token = &text[value.start..value.end];
        return (token.len() >= 16 && is_value(Secret::Token, token)).then_some((run.start, Secret::Token));
    }
    let program = || PROGRAMS.iter().any(|program| memchr::memmem::find(line, program).is_some());
    let flag = line.ends_with(b"-p ") || line.ends_with(b"-a ");
    if flag && program() {
        return Some((run.start, Secret::Password));
    }
    if text[run.start..run.end].starts_with(b"-p") && line.ends_with(b" ") && program() {
        return Some((run.start + 2, Secret::Password));
    }
    let unquoted =
        line.strip_suffix(b"\"").or(line.strip_suffix(b"'")).or(line.strip_suffix(b"`")).unwrap_or(line);
    let unquoted = unquoted.strip_suffix(b"\\").unwrap_or(unquoted);
    let bare = unquoted.trim_ascii_end();
    let tag = bare.strip_suffix(b">").or(bare.strip_suffix(b"|"));
    let tag = tag.map(|name| name.trim_ascii_end()).map(|name| name.strip_suffix(b":").unwrap_or(name));
    let tag = tag.or(bare.strip_suffix(b",")).or(bare.strip_suffix("\u{ff1a}".as_bytes()));
    if line.len() > 12
        && bare.len() > 3
        && bare[bare.len() - 3..].eq_ignore_ascii_case(b" by")
        && memchr::memmem::find(&line.to_ascii_lowercase(), b"identified").is_some()
        && is_drawn(&text[run.start..run.end])
    {
        return Some((run.start, Secret::Password));
    }
    let name = [&b" is"[..], b" was", b" to"]
        .into_iter()
        .find_map(|word| bare.strip_suffix(word))
        .or(tag)
        .unwrap_or(bare);
    if name.len() == line.len() || !may_end_name(name) {
        return None;
    }
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    let length = name.iter().rev().take(LONGEST_NAME).take_while(|byte| part(byte)).count();
    let secret = kind_of(&name[name.len() - length..])?;
    let value = value_at(text, run.start);
    let token = &text[value.start..value.end];
    (is_drawn(token) && is_value(secret, token)).then_some((run.start, secret))
}

/// A value from `start` on, up to a space, a quote or a sign that ends values in code, URLs and lists.
fn value_at(text: &[u8], start: usize) -> Span {
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(
                byte,
                b'"' | b'\'' | b'`' | b',' | b';' | b'&' | b'<' | b'>' | b')' | b'}' | b']' | b'|' | b'\\'
            )
    };
    let length = text[start..]
        .iter()
        .take(LONGEST_VALUE + 1)
        .position(ends)
        .unwrap_or((text.len() - start).min(LONGEST_VALUE + 1));
    let mut end = start + length;
    // A full stop at the end belongs to the sentence.
    while end > start && text[end - 1] == b'.' {
        end -= 1;
    }
    Span { start, end }
}

/// Most signs and spaces between a name and its value.
const MOST_NOISE: usize = 96;

fn value_behind(text: &[u8], sign: usize, secret: Secret) -> Option<Span> {
    plain_value(text, sign, secret).or_else(|| value_behind_noise(text, sign, secret))
}

/// A drawn value behind signs, quotes and spaces in any order, at least one of them a sign.
fn value_behind_noise(text: &[u8], sign: usize, secret: Secret) -> Option<Span> {
    let noise = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b':' | b'=' | b'\\');
    let length = text[sign + 1..].iter().take(MOST_NOISE).take_while(|byte| noise(byte)).count();
    let between = &text[sign + 1..sign + 1 + length];
    let written = between.iter().filter(|byte| matches!(byte, b':' | b'=' | b'"' | b'\'')).count();
    // A scheme of authorization nobody knows stands between as a word.
    let mut start = sign + 1 + length;
    if written < 2 {
        let word = text[start..].iter().take(20).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let blank = text[start + word..].iter().take(8).take_while(|byte| **byte == b' ').count();
        if secret != Secret::Token || word < 3 || blank == 0 {
            return None;
        }
        start += word + blank;
    }
    let span = value_at(text, start);
    let value = &text[span.start..span.end];
    let told = !matches!(secret, Secret::Key | Secret::Token) && written >= 2 && is_value(secret, value);
    (told || is_drawn(value) && is_value(secret, value))
        .then_some(Span { start: span.start, end: floor(text, span.end) })
}

fn plain_value(text: &[u8], sign: usize, secret: Secret) -> Option<Span> {
    let mut at = sign + 1;
    while matches!(text.get(at), Some(b'=' | b'>'))
        || text[at..].starts_with(b":=")
        || text[at..].starts_with(b"::=")
    {
        at += 1;
    }
    let spaced = text.get(at).is_some_and(u8::is_ascii_whitespace);
    let mut quote = None;
    while let Some(&byte) = text.get(at).filter(|_| at < sign + MOST_NOISE) {
        match byte {
            b' ' | b'\t' | b'*' => {}
            b'\\' if matches!(text.get(at + 1), Some(b'"' | b'\'')) => {}
            b'"' | b'\'' | b'`' if quote.is_none() => quote = Some(byte),
            // Something between signs and quotes without a value; an empty value ends it.
            b':' | b'=' if at > sign + 1 => quote = None,
            b'|' | b'>' if text.get(at + 1) == Some(&b'\n') => at += 1,
            _ => break,
        }
        at += 1;
        if quote.is_some() && !matches!(text.get(at), Some(b' ' | b':' | b'=')) {
            break;
        }
    }
    if let Some(quote) = quote {
        // A quoted value ends at its quote and may hold other signs.
        let rest = &text[at..];
        let end = rest
            .iter()
            .take(LONGEST_VALUE)
            .position(|byte| *byte == quote || matches!(byte, b'\n' | b'\\'))
            .or((secret != Secret::Password && rest.len() < LONGEST_VALUE).then_some(rest.len()))?;
        return is_value(secret, &rest[..end]).then_some(Span { start: at, end: at + end });
    }
    for scheme in [&b"Bearer "[..], b"bearer ", b"Basic ", b"basic ", b"Api-Token ", b"Token ", b"token "] {
        if text[at..].starts_with(scheme) {
            at += scheme.len();
        }
    }
    if text[at..].starts_with(b"//") {
        return None;
    }
    let span = value_at(text, at);
    let value = &text[span.start..span.end];
    let letters = value.iter().all(u8::is_ascii_lowercase)
        || value[1.min(value.len())..].iter().all(u8::is_ascii_lowercase);
    // "password: must be long" explains; "password: hunter" at the end of a line tells.
    let explains =
        spaced && letters && !matches!(text.get(span.end), None | Some(b'\n' | b'\r' | b'"' | b','));
    let whole = span.end > span.start && !explains && value.len() <= LONGEST_VALUE;
    (whole && is_value(secret, value)).then_some(Span { start: span.start, end: floor(text, span.end) })
}

/// The start of the character that `at` lies in.
fn floor(text: &[u8], at: usize) -> usize {
    (0..4)
        .find(|back| text.get(at - back).is_none_or(|byte| byte & 0xC0 != 0x80))
        .map_or(at, |back| at - back)
}
