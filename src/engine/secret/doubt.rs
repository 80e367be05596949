//! Reasons to believe that a match is no secret.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::rules::Doubt;

/// Words that nobody's real token holds.
const PLACEHOLDERS: [&str; 14] = [
    "example",
    "sample",
    "placeholder",
    "redacted",
    "dummy",
    "xxxx",
    "your",
    "changeme",
    "change_me",
    "change-me",
    "replace",
    "insert",
    "****",
    "...",
];

/// Words that passwords of tests and manuals hold, besides those.
const HARMLESS: [&str; 24] = [
    "test",
    "fake",
    "mock",
    "secret",
    "passw",
    "token",
    "todo",
    "foobar",
    "default",
    "localhost",
    "12345",
    "abcde",
    "qwert",
    "lorem",
    "invalid",
    "not-",
    "not_",
    "here",
    "null",
    "none",
    "undefined",
    "demo",
    "expected",
    "process.env",
];

/// Whether a match stands up.
pub(super) fn stands(secret: &[u8], doubt: Doubt) -> bool {
    let Ok(secret) = std::str::from_utf8(secret) else { return false };
    match doubt {
        Doubt::Placeholder => !is_placeholder(secret),
        Doubt::WebToken => is_web_token(secret),
        Doubt::Random => is_random(secret),
        Doubt::Unquoted => is_random(secret) && !has_code_in_it(secret),
        Doubt::UnquotedMixed => is_random(secret) && !has_code_in_it(secret) && kinds(secret) > 2,
    }
}

fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    PLACEHOLDERS.iter().any(|word| lower.contains(word)) || distinct(text) < 6
}

/// The header decodes to JSON with an algorithm, and the payload is not the one of every manual.
fn is_web_token(token: &str) -> bool {
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<serde_json::Value>(&bytes).ok()
    });
    let header = parts.next().flatten();
    let payload = parts.next().flatten();
    let is_signed = header
        .as_ref()
        .and_then(|header| header.get("alg"))
        .and_then(|algorithm| algorithm.as_str())
        .is_some_and(|algorithm| algorithm != "none");
    let is_sample = payload.as_ref().is_none_or(|payload| {
        ["sub", "name"]
            .iter()
            .filter_map(|key| payload.get(key)?.as_str())
            .any(|value| matches!(value, "1234567890" | "John Doe") || is_placeholder_word(value))
    });
    is_signed && !is_sample
}

fn is_placeholder_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    PLACEHOLDERS.iter().chain(&HARMLESS).any(|word| lower.contains(word))
}

/// Whether a value that only its name calls secret looks made by a machine, or by a person who was
/// told to be careful.
fn is_random(text: &str) -> bool {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let long = text.len() >= 20;
    has_digit
        && has_letter
        && (long || kinds(text) > 2)
        && entropy(text) >= if long && !is_hex { 3.5 } else { 3.1 }
        && !is_placeholder_word(text)
        && !is_template(text)
        && !is_made_of_words(text)
        && !is_uuid(text)
        && !is_series(text)
        && !hides_placeholder(text)
}

/// How many of lower case, upper case, digits and other characters occur.
fn kinds(text: &str) -> usize {
    let has = |kind: fn(&u8) -> bool| usize::from(text.bytes().any(|byte| kind(&byte)));
    has(u8::is_ascii_lowercase)
        + has(u8::is_ascii_uppercase)
        + has(u8::is_ascii_digit)
        + has(u8::is_ascii_punctuation)
}

fn distinct(text: &str) -> usize {
    let bytes: std::collections::BTreeSet<u8> = text.bytes().collect();
    bytes.len()
}

/// Shannon's entropy in bits per byte.
#[expect(clippy::cast_precision_loss, reason = "the regular expressions bound the length")]
fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = text.len() as f64;
    let share = |count: &u32| f64::from(*count) / length;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

/// Whether something is filled in later: `${X}`, `{{ x }}`, `<x>`, `%(x)s`, hashes with `$`.
fn is_template(text: &str) -> bool {
    ["${", "$(", "{{", "#{", "%(", "%s", "{}", "://"].iter().any(|mark| text.contains(mark))
        || text.starts_with(['$', '<', '{', '[', '~', '%'])
        || text.starts_with("./")
        || text.starts_with("enc:")
}

/// Whether it consists of words and numbers: a name, a key of a translation, a path.
fn is_made_of_words(text: &str) -> bool {
    let is_word = |part: &str| {
        let stem = part.trim_end_matches(|char: char| char.is_ascii_digit());
        let is_name = stem.bytes().all(|byte| byte.is_ascii_alphabetic());
        let digits = part.len() - stem.len();
        is_name && (digits == 0 || stem.len() >= 4 && digits <= 2)
            || part.len() <= 4 && !part.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    text.contains(|char: char| char.is_ascii_punctuation())
        && text.split(|char: char| !char.is_ascii_alphanumeric()).all(is_word)
}

/// Whether it is `user:password` of a manual in Base64.
fn hides_placeholder(text: &str) -> bool {
    STANDARD_NO_PAD
        .decode(text.trim_end_matches('='))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .is_some_and(|inner| is_placeholder_word(&inner))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Whether most characters continue the one before: `1234567890`, `abcdef`, `aaaa`.
fn is_series(text: &str) -> bool {
    let steps = text.as_bytes().windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    steps * 2 >= text.len()
}

/// Whether it can be an expression of a programming language.
fn has_code_in_it(text: &str) -> bool {
    text.contains(['(', ')', '<', '>', '{', '}', '[', ']', '&', '|', '$', '*', ','])
        || text.contains("::")
        || text.contains("->")
}
