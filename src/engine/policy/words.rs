//! How the shell reads one word: quotes, backslashes and expansions.

use super::reader::{DEPTH_MAX, Reader};
use super::script::{Part, Word};

impl<'a> Reader<'a> {
    /// Reads a word; an empty one where none begins.
    pub(super) fn word(&mut self) -> Word {
        let mut word = Word::default();
        while let Some(char) = self.peek() {
            match char {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | ')' => break,
                '<' | '>' if !self.starts("<(") && !self.starts(">(") => break,
                '<' | '>' => {
                    self.at += 2;
                    word.0.push(Part::Channel(self.nested_source()));
                }
                '\'' => {
                    self.at += 1;
                    word.0.push(Part::Quoted(self.until('\'').to_owned()));
                }
                '$' if self.starts("$'") => {
                    self.at += 2;
                    word.0.push(Part::Quoted(self.ansi_quoted()));
                }
                '"' | '$' if self.starts("\"") || self.starts("$\"") => {
                    self.at += if char == '$' { 2 } else { 1 };
                    // An empty pair of quotes is still a word.
                    word.0.push(Part::Quoted(String::new()));
                    self.quoted(&mut word, Some('"'));
                }
                '$' | '`' => self.expansion(&mut word),
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        Some('\n') | None => {}
                        Some(char) => word.push_quoted(char),
                    }
                }
                _ => {
                    self.at += char.len_utf8();
                    word.push_bare(char);
                }
            }
        }
        word
    }

    fn quoted(&mut self, word: &mut Word, end: Option<char>) {
        while let Some(char) = self.peek() {
            if Some(char) == end {
                self.at += 1;
                break;
            }
            match char {
                '$' | '`' => self.expansion(word),
                '\\' => {
                    self.at += 1;
                    match self.next() {
                        Some('\n') | None => {}
                        Some(char @ ('$' | '`' | '"' | '\\')) => word.push_quoted(char),
                        Some(char) => {
                            word.push_quoted('\\');
                            word.push_quoted(char);
                        }
                    }
                }
                _ => {
                    self.at += char.len_utf8();
                    word.push_quoted(char);
                }
            }
        }
    }

    /// `$…` or backticks.
    fn expansion(&mut self, word: &mut Word) {
        let is_backtick = self.next() == Some('`');
        if is_backtick {
            let start = self.at;
            let mut escaped = false;
            while let Some(char) = self.next() {
                if char == '`' && !escaped {
                    break;
                }
                escaped = char == '\\' && !escaped;
            }
            let text = &self.source[start..self.at];
            let text = text.strip_suffix('`').unwrap_or(text);
            word.0.push(Part::Output(text.replace("\\`", "`").replace("\\$", "$")));
        } else if self.starts("(") {
            self.at += 1;
            match self.arithmetic() {
                Some(text) => {
                    word.push_quoted('0');
                    let parts = self.runs_in(text);
                    word.0.extend(parts);
                }
                None => word.0.push(Part::Output(self.nested_source())),
            }
        } else if self.starts("{") {
            self.at += 1;
            self.braces(word);
        } else {
            let named = |char: char| char == '_' || char.is_ascii_alphanumeric();
            let name = &self.rest()[..self.rest().find(|c| !named(c)).unwrap_or(self.rest().len())];
            let special = self.peek().filter(|char| "@*#?$!-".contains(*char));
            match (name, special) {
                ("", None) => word.push_bare('$'),
                ("", Some(char)) => {
                    self.at += 1;
                    word.0.push(Part::Variable(char.to_string()));
                }
                (name, _) => {
                    self.at += name.len();
                    word.0.push(Part::Variable(name.to_owned()));
                }
            }
        }
    }

    /// `${name…}`; what a default value would run counts, its text does not.
    fn braces(&mut self, word: &mut Word) {
        let name = self.rest().trim_start_matches(['!', '#']);
        let name = name.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).next();
        word.0.push(Part::Variable(name.unwrap_or_default().to_owned()));
        let mut inner = Word::default();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.is_too_deep = true;
            self.at = self.source.len();
        }
        self.quoted(&mut inner, Some('}'));
        self.depth -= 1;
        word.0.extend(inner.0.into_iter().filter(Part::runs));
    }

    /// The text between `((`, of which one bracket is read, and `))`; steps over it.
    pub(super) fn arithmetic(&mut self) -> Option<&'a str> {
        let rest = self.rest().strip_prefix('(')?;
        let mut open = 2;
        for (index, byte) in rest.bytes().enumerate() {
            match byte {
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            if open == 1 {
                let after = rest[index..].strip_prefix("))")?;
                self.at = self.source.len() - after.len();
                return Some(&rest[..index]);
            }
        }
        None
    }

    /// What runs to compute this text.
    pub(super) fn runs_in(&mut self, text: &str) -> Vec<Part> {
        self.parts_of(text).into_iter().filter(Part::runs).collect()
    }

    /// Reads text as if it stood in double quotes.
    pub(super) fn parts_of(&mut self, text: &str) -> Vec<Part> {
        let mut inner = Reader::new(text);
        inner.depth = self.depth + 1;
        let mut word = Word::default();
        if inner.depth > DEPTH_MAX {
            self.is_too_deep = true;
        } else {
            inner.quoted(&mut word, None);
        }
        self.is_too_deep |= inner.is_too_deep;
        word.0
    }

    /// `$'…'`, of whose escapes only those that can spell a word matter.
    fn ansi_quoted(&mut self) -> String {
        let mut text = String::new();
        while let Some(char) = self.next() {
            match char {
                '\'' => break,
                '\\' => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('x') => text.push(self.code(2, 16)),
                    Some('u') => text.push(self.code(4, 16)),
                    Some('0'..='7') => {
                        self.at -= 1;
                        text.push(self.code(3, 8));
                    }
                    Some(char) => text.push(char),
                    None => {}
                },
                _ => text.push(char),
            }
        }
        text
    }

    fn code(&mut self, digits_max: usize, radix: u32) -> char {
        let digits: String =
            self.rest().chars().take(digits_max).take_while(|char| char.is_digit(radix)).collect();
        self.at += digits.len();
        u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32).unwrap_or('?')
    }
}
