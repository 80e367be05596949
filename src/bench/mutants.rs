//! Small faults in lines that were accepted: would the verify commands have noticed?
//!
//! It works on lines of text and knows no language. Operators count where they stand alone, outside
//! of strings and comments as far as a single line tells; a mutant may still not compile, which
//! counts as noticed, or may change nothing that matters, which counts as missed.

use std::collections::BTreeSet;
use std::ops::Range;

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::id::RepoPath;
use crate::host::recheck::Edit;

/// What a fault is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An operator became another one.
    Operator,
    /// The line is gone.
    DroppedLine,
    /// A condition is the other way round.
    InvertedCondition,
    /// A number is one larger.
    Number,
    /// A text is empty.
    EmptyText,
}

impl Kind {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::DroppedLine => "dropped line",
            Self::InvertedCondition => "inverted condition",
            Self::Number => "number + 1",
            Self::EmptyText => "empty text",
        }
    }
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// What it is.
    pub kind: Kind,
    /// Where.
    pub edit: Edit,
}

/// Words with blanks around them, and what they become.
const WORDS: [(&str, &str); 24] = [
    ("==", "!="),
    ("!=", "=="),
    ("===", "!=="),
    ("!==", "==="),
    ("<", "<="),
    ("<=", "<"),
    (">", ">="),
    (">=", ">"),
    ("+", "-"),
    ("-", "+"),
    ("&&", "||"),
    ("||", "&&"),
    ("and", "or"),
    ("or", "and"),
    ("-eq", "-ne"),
    ("-ne", "-eq"),
    ("-lt", "-le"),
    ("-le", "-lt"),
    ("-gt", "-ge"),
    ("-ge", "-gt"),
    ("-z", "-n"),
    ("-n", "-z"),
    ("+=", "-="),
    ("-=", "+="),
];

/// Operators that are told from their neighbours without blanks.
const TIGHT: [(&str, &str); 4] = [("==", "!="), ("!=", "=="), ("&&", "||"), ("||", "&&")];

/// Truths, wherever they are whole words.
const TRUTHS: [(&str, &str); 4] =
    [("true", "false"), ("false", "true"), ("True", "False"), ("False", "True")];

/// How a line ends or begins that only opens or closes something: without it nothing would parse.
const OPENS: [&str; 8] = ["{", "(", "[", ":", " then", " do", "=>", "\\"];
const CLOSES: [&str; 9] = ["}", ")", "]", "end", "fi", "done", "esac", "else", "elif"];

/// How a line begins that is only for readers, or for the compiler.
const COMMENTS: [&str; 9] = ["//", "/*", "*/", "* ", "# ", "##", "#[", "-- ", "<!--"];

/// Every fault of these lines of a file, in order. Lines count from one.
pub fn mutants(path: &RepoPath, text: &str, lines: &BTreeSet<usize>) -> Vec<Mutant> {
    let mut found = vec![];
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if !lines.contains(&number) || is_for_readers(line) {
            continue;
        }
        let mutant = |(kind, after): (Kind, Option<String>)| Mutant {
            kind,
            edit: Edit { path: path.clone(), line: number, before: line.to_owned(), after },
        };
        found.extend(faults(line).into_iter().map(mutant));
    }
    found
}

/// Whether a file is what tests the work, or tells people about it.
pub fn is_beside_the_work(path: &RepoPath) -> bool {
    let text = path.to_string().to_ascii_lowercase();
    let prose = [".md", ".rst", ".adoc", "license", "changelog"];
    let is_test = |part: &str| {
        let mut words = part.split(|char: char| !char.is_ascii_alphanumeric());
        words.any(|word| matches!(word, "test" | "tests" | "spec" | "specs" | "testing"))
    };
    prose.iter().any(|end| text.ends_with(end)) || text.split('/').any(is_test)
}

fn is_for_readers(line: &str) -> bool {
    let line = line.trim();
    line.is_empty()
        || matches!(line, "#" | "*" | "--")
        || line.starts_with("#!")
        || COMMENTS.iter().any(|mark| line.starts_with(mark))
}

fn faults(line: &str) -> Vec<(Kind, Option<String>)> {
    let code = Code::of(line);
    let mut found: Vec<(Kind, Range<usize>, String)> = vec![];
    found.extend(operators(line, &code));
    found.extend(numbers(line, &code));
    found.extend(code.texts.iter().map(|span| (Kind::EmptyText, span.clone(), String::new())));
    let mut faults: Vec<(Kind, Option<String>)> = found
        .into_iter()
        .map(|(kind, span, with)| {
            let after = format!("{}{with}{}", &line[..span.start], &line[span.end..]);
            (kind, Some(after))
        })
        .collect();
    faults.extend(inverted(line, &code).map(|after| (Kind::InvertedCondition, Some(after))));
    if can_be_dropped(line) {
        faults.push((Kind::DroppedLine, None));
    }
    let mut seen = BTreeSet::new();
    faults.retain(|(_, after)| seen.insert(after.clone()));
    faults
}

/// What of a line is code, and which texts are in it.
struct Code {
    /// Bytes that stand in quotes or behind a comment mark.
    quiet: Vec<bool>,
    /// What stands between quotes and is not empty.
    texts: Vec<Range<usize>>,
}

impl Code {
    fn of(line: &str) -> Self {
        let bytes = line.as_bytes();
        let mut code = Self { quiet: vec![false; bytes.len()], texts: vec![] };
        let mut at = 0;
        while at < bytes.len() {
            let is_after_blank = at > 0 && bytes[at - 1].is_ascii_whitespace();
            let is_comment = line[at..].starts_with("//") || line[at..].starts_with("# ");
            if is_after_blank && is_comment {
                code.quiet[at..].fill(true);
                break;
            }
            at = match bytes[at] {
                quote @ (b'"' | b'\'') => match closing(bytes, at + 1, quote) {
                    Some(end) => {
                        code.quiet[at..=end].fill(true);
                        // One character in single quotes is no text in many languages.
                        let least = if quote == b'"' { 1 } else { 2 };
                        if end - at > least {
                            code.texts.push(at + 1..end);
                        }
                        end + 1
                    }
                    None => at + 1,
                },
                _ => at + line[at..].chars().next().map_or(1, char::len_utf8),
            };
        }
        code
    }

    fn has(&self, span: &Range<usize>) -> bool {
        !self.quiet[span.clone()].contains(&true)
    }
}

fn closing(bytes: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
    None
}

fn operators<'a>(
    line: &'a str,
    code: &'a Code,
) -> impl Iterator<Item = (Kind, Range<usize>, String)> + 'a {
    let spans = |word: &'static str| {
        let spans = line.match_indices(word).map(move |(at, _)| at..at + word.len());
        spans.filter(|span| code.has(span))
    };
    let around = |span: &Range<usize>| {
        (line[..span.start].chars().next_back(), line[span.end..].chars().next())
    };
    let blank = |char: Option<char>| char.is_some_and(char::is_whitespace);
    let words = WORDS.into_iter().flat_map(move |(word, with)| {
        let alone = move |span: &Range<usize>| {
            let (before, behind) = around(span);
            blank(before) && blank(behind)
        };
        spans(word).filter(alone).map(move |span| (Kind::Operator, span, with.to_owned()))
    });
    let sign = |char: Option<char>| char.is_some_and(|char| "=!<>&|".contains(char));
    let tight = TIGHT.into_iter().flat_map(move |(word, with)| {
        let alone = move |span: &Range<usize>| {
            let (before, behind) = around(span);
            !sign(before) && !sign(behind)
        };
        spans(word).filter(alone).map(move |span| (Kind::Operator, span, with.to_owned()))
    });
    let letter =
        |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() || char == '_');
    let truths = TRUTHS.into_iter().flat_map(move |(word, with)| {
        let alone = move |span: &Range<usize>| {
            let (before, behind) = around(span);
            !letter(before) && !letter(behind)
        };
        spans(word).filter(alone).map(move |span| (Kind::Operator, span, with.to_owned()))
    });
    words.chain(tight).chain(truths)
}

/// Whole numbers that are no part of a name, a fraction, a version or a hexadecimal number.
fn numbers(line: &str, code: &Code) -> Vec<(Kind, Range<usize>, String)> {
    let bytes = line.as_bytes();
    let mut found = vec![];
    let mut at = 0;
    while at < bytes.len() {
        let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if end == at {
            at += 1;
            continue;
        }
        let joins =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || *byte > 127;
        let is_joined = bytes[..at].last().is_some_and(joins) || bytes.get(end).is_some_and(joins);
        let more = line[at..end].parse::<u64>().ok().and_then(|number| number.checked_add(1));
        if let Some(more) = more.filter(|_| !is_joined && code.has(&(at..end))) {
            found.push((Kind::Number, at..end, more.to_string()));
        }
        at = end;
    }
    found
}

/// The line with its condition the other way round, in the words of the language it looks like.
fn inverted(line: &str, code: &Code) -> Option<String> {
    let body = line.trim_start();
    let lead = &line[..line.len() - body.len()];
    let heads = ["if ", "elif ", "} else if ", "else if ", "while "];
    let head = heads.into_iter().find(|head| body.starts_with(head))?;
    let rest = &body[head.len()..];
    if rest.starts_with("let ") || rest.trim().is_empty() {
        return None;
    }
    let at = |mark: &str| {
        let from = lead.len() + head.len();
        let mut found = rest.match_indices(mark).map(|(at, _)| at);
        found.find(|at| code.has(&(from + at..from + at + mark.len())))
    };
    let first = rest.chars().next()?;
    // A shell: the condition is a command.
    if at("; then").or(at("; do")).is_some() {
        return Some(format!("{lead}{head}! {rest}"));
    }
    if let Some(end) = rest.trim_end().strip_suffix(':').map(str::len) {
        return Some(format!("{lead}{head}not ({}){}", &rest[..end], &rest[end..]));
    }
    if let Some(end) = rest.trim_end().strip_suffix('{').map(|text| text.trim_end().len()) {
        let condition = if first == '(' {
            format!("(!{})", &rest[..end])
        } else {
            format!("!({})", &rest[..end])
        };
        return Some(format!("{lead}{head}{condition}{}", &rest[end..]));
    }
    None
}

/// A line that only opens or closes something holds the others together.
fn can_be_dropped(line: &str) -> bool {
    let text = line.trim();
    let closes = |word: &str| {
        let rest = text.strip_prefix(word);
        rest.is_some_and(|rest| {
            !rest.starts_with(|char: char| char.is_alphanumeric() || char == '_')
        })
    };
    text.contains(char::is_alphanumeric)
        && !OPENS.iter().any(|word| text.ends_with(word))
        && !CLOSES.iter().any(|word| closes(word))
        && !matches!(text, "then" | "do")
}

/// As many of them as are wanted, in the order in which they were, chosen by a seed.
pub fn choose(all: Vec<Mutant>, max: usize, seed: u64) -> Vec<Mutant> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    let mut random = Random(seed);
    let wanted = max.min(order.len());
    for at in 0..wanted {
        let other = at + random.below(order.len() - at);
        order.swap(at, other);
    }
    let chosen: BTreeSet<usize> = order[..wanted].iter().copied().collect();
    let all = all.into_iter().enumerate();
    all.filter(|(index, _)| chosen.contains(index)).map(|(_, mutant)| mutant).collect()
}

/// SplitMix64: G. Steele, D. Lea and C. Flood, "Fast Splittable Pseudorandom Number Generators",
/// OOPSLA 2014. Small, and the same everywhere and for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another one, which is not zero. What the remainder favours is less than one
    /// in 2^40 for anything that fits into a file.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
