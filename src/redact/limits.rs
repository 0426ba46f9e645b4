//! The numbers that bound the redactor's work, with their arithmetic.

/// Deepest nesting of arrays and objects. Four times what a message of the client may have, because an answer may
/// carry a document; one open level costs about 100 bytes of state and no stack.
pub const MAX_DEPTH: usize = 512;
/// Levels of JSON inside strings inside JSON. Every level doubles the backslashes before a quote, so the eighth needs
/// 255 of them: nothing that a program writes on purpose. Deeper text is scanned as plain text.
pub const MAX_NESTED_TEXTS: u8 = 8;
/// Bytes of text before a value in which a label ("rekening", "NPWP") speaks for it: the window of the AxonFlow
/// contract, section 5.1.
pub const LABEL_REACH_BYTES: usize = 50;
/// Bytes after a value in which a bank's name speaks for it, as in `1234567890 (Bank Mandiri)`.
pub const LABEL_BEHIND_BYTES: usize = 24;
/// Keys that may speak for a value, counted outwards in open arrays and objects: `{"rekening":[{"number":…}]}` needs 3.
pub const LABEL_KEYS: usize = 4;
/// Keys of which is kept what was learned, for the next record: more than most records have fields.
pub const KNOWN_KEYS: usize = 32;
/// Fewest digits of any value in a string: an Indian PAN.
pub const MIN_DIGITS: usize = 4;
/// Fewest digits, close together, of a value that is made of digits: a date of birth such as 4/12/1988 has 7, the
/// shortest passport number 6.
pub const MIN_DENSE_DIGITS: usize = 5;
/// Fewest digits of an identifier of letters and digits: an Indian PAN.
pub const MIN_WORD_DIGITS: usize = 4;
/// Longest identifier that is looked at: an IBAN has 34 characters.
pub const LONGEST_IDENTIFIER: usize = 40;
/// Most digits that any detector takes: the longest card number (ISO/IEC 7812).
pub const MAX_DIGITS: usize = 19;
/// Groups of digits that are looked at together: an NPWP in its old form has 6, a number of 19 single digits 19.
pub const MAX_GROUPS: usize = 19;
/// A base64 text under `data` or `blob` of at least this many characters (48 bytes of content) is media without
/// further proof.
pub const MEDIA_PROOF_BYTES: usize = 64;
/// Longest start of a `data:` URI up to and with `;base64,` (a media type is at most 127 + 1 + 127, RFC 6838).
pub const DATA_URI_HEAD_BYTES: usize = 280;

const _: () = assert!(MIN_DIGITS <= MAX_DIGITS);
const _: () = assert!(MAX_GROUPS >= 6);
/// Values that have a pseudonym at a time. With [`PSEUDONYM_BYTES`] each and about 400 bytes of the two maps and the
/// queue: 8192 × 656 bytes are 5 MiB.
pub const PSEUDONYMS_KEPT: usize = 8192;
/// Longest value that is given a pseudonym: a mail address has 254 bytes, a JWT that is longer is no identifier.
pub const PSEUDONYM_BYTES: usize = 256;
/// Pseudonyms that are turned back in one call; the rest stay.
pub const RESTORED_IN_ONE_CALL: usize = 10_000;
/// Bytes that turning back may put into one call: 10,000 values of 256 bytes and as much again for escapes are 5 MB.
pub const RESTORED_BYTES: usize = 5 << 20;
/// JSON paths that a report names; with [`REPORTED_PATH_BYTES`] each it stays under 8 KiB.
pub const REPORTED_FIELDS: usize = 32;
/// Longest path in a report; a longer one is cut.
pub const REPORTED_PATH_BYTES: usize = 256;
/// Longest key in a path; a longer one is text rather than a name and is not shown.
pub const REPORTED_KEY_BYTES: usize = 64;
