//! The text of a `.properties` file, as `java.util.Properties` reads and writes it.

use super::Properties;
use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// A line that could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineError {
    /// Its number, from 1; of a continued line, the first.
    pub line: usize,
    /// What is wrong with it.
    pub kind: LineErrorKind,
}

/// What can be wrong with a line, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineErrorKind {
    /// Java would take the whole line for a key with an empty value; that is never meant.
    #[error("'{0}' has no value: write {0}=value")]
    NoValue(String),
    /// A value without a name.
    #[error("there is no key before '{0}': write key=value")]
    NoKey(char),
    /// `\u` wants four hexadecimal digits that are a character, or two such for one beyond the first 65,536.
    #[error("'\\u{0}' is no character: write \\u and four hexadecimal digits, such as \\u00e9")]
    BadEscape(String),
    /// The same key again: Java would silently take the last.
    #[error("'{key}' stands already in line {first}, whose value counts: remove one of them")]
    Repeated {
        /// The key.
        key: String,
        /// The line that counts.
        first: usize,
    },
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

/// Reads the text of a `.properties` file. What is wrong is reported line by line, what is right is kept.
pub fn parse_text(text: &str) -> (Properties, Vec<LineError>) {
    let mut properties = Properties::new();
    let mut seen: crate::base::SortedMap<String, usize> = crate::base::SortedMap::new();
    let mut errors = Vec::new();
    for (line, logical) in logical_lines(text) {
        match parse_line(&logical) {
            Ok((key, _)) if seen.contains_key(&key) => {
                let first = seen[&key];
                errors.push(LineError { line, kind: LineErrorKind::Repeated { key, first } });
            }
            Ok((key, value)) => {
                seen.insert(key.clone(), line);
                properties.insert(key, value);
            }
            Err(kind) => errors.push(LineError { line, kind }),
        }
    }
    (properties, errors)
}

/// The text of a file that reads back as `properties`, one line a key, in the order of the keys.
pub fn to_text(properties: &Properties) -> String {
    let mut text = String::new();
    for (key, value) in properties {
        escape(key, true, &mut text);
        text.push('=');
        escape(value, false, &mut text);
        text.push('\n');
    }
    text
}

/// The lines that say something, continuations joined, each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut logical: Vec<(usize, String)> = Vec::new();
    let mut continued = false;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    for (index, line) in text.split(['\n', '\r']).enumerate() {
        let line = line.trim_start_matches(is_blank);
        if !continued && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.chars().rev().take_while(|c| *c == '\\').count();
        let open = backslashes % 2 == 1;
        let body = if open { &line[..line.len() - 1] } else { line };
        match logical.last_mut() {
            Some((_, whole)) if continued => whole.push_str(body),
            _ => logical.push((index + 1, body.to_owned())),
        }
        continued = open;
    }
    logical.retain(|(_, line)| !line.is_empty());
    logical
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn parse_line(line: &str) -> Result<(String, String), LineErrorKind> {
    let mut chars = line.chars().peekable();
    let mut key = String::new();
    while let Some(&c) = chars.peek() {
        if is_blank(c) || matches!(c, '=' | ':') {
            break;
        }
        key.push(unescaped(&mut chars)?);
    }
    skip_blanks(&mut chars);
    let separator = chars.next_if(|c| matches!(c, '=' | ':'));
    skip_blanks(&mut chars);
    let mut value = String::new();
    while chars.peek().is_some() {
        value.push(unescaped(&mut chars)?);
    }
    match separator {
        Some(separator) if key.is_empty() => Err(LineErrorKind::NoKey(separator)),
        None if value.is_empty() => Err(LineErrorKind::NoValue(key)),
        _ => Ok((key, value)),
    }
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| is_blank(*c)).is_some() {}
}

/// The next character, which must exist, without its backslash.
fn unescaped(chars: &mut Peekable<Chars<'_>>) -> Result<char, LineErrorKind> {
    let c = chars.next().expect("invariant: the caller looked ahead");
    if c != '\\' {
        return Ok(c);
    }
    Ok(match chars.next() {
        Some('t') => '\t',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('f') => '\u{c}',
        Some('u') => return unicode_escape(chars),
        Some(other) => other,
        // A lone backslash at the very end; `logical_lines` took it for a continuation already.
        None => '\\',
    })
}

/// What follows `\u`. Characters beyond the first 65,536 are two escapes, a surrogate pair.
fn unicode_escape(chars: &mut Peekable<Chars<'_>>) -> Result<char, LineErrorKind> {
    let (text, unit) = four_digits(chars);
    let Some(first) = unit else { return Err(LineErrorKind::BadEscape(text)) };
    if let Some(c) = char::from_u32(first) {
        return Ok(c);
    }
    let mut ahead = chars.clone();
    if (ahead.next(), ahead.next()) != (Some('\\'), Some('u')) {
        return Err(LineErrorKind::BadEscape(text));
    }
    let (more, unit) = four_digits(&mut ahead);
    let pair = unit.and_then(|second| {
        let pair = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
        char::decode_utf16(pair).next()?.ok()
    });
    let c = pair.ok_or_else(|| LineErrorKind::BadEscape(format!("{text}\\u{more}")))?;
    *chars = ahead;
    Ok(c)
}

fn four_digits(chars: &mut Peekable<Chars<'_>>) -> (String, Option<u32>) {
    let mut digits = String::new();
    while digits.len() < 4
        && let Some(digit) = chars.next_if(char::is_ascii_hexdigit)
    {
        digits.push(digit);
    }
    let unit = if digits.len() == 4 { u32::from_str_radix(&digits, 16).ok() } else { None };
    (digits, unit)
}

fn escape(text: &str, is_key: bool, out: &mut String) {
    for (index, c) in text.chars().enumerate() {
        match c {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            '\\' => out.push_str("\\\\"),
            ' ' if is_key || index == 0 => out.push_str("\\ "),
            '=' | ':' if is_key => out.extend(['\\', c]),
            '#' | '!' if is_key && index == 0 => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let (properties, errors) = parse_text(text);
        assert_eq!(errors, [], "{text}");
        properties.into_iter().collect()
    }

    #[track_caller]
    fn check(text: &str, key: &str, value: &str) {
        assert_eq!(pairs(text), [(key.to_owned(), value.to_owned())], "{text}");
    }

    #[test]
    fn separators_and_blanks() {
        check("acks=all", "acks", "all");
        check("  acks : all ", "acks", "all ");
        check("acks all", "acks", "all");
        check("acks\t=\tall", "acks", "all");
        check("client.id=", "client.id", "");
        check("\u{feff}a=b=c:d", "a", "b=c:d");
        check("a\\ b\\=c=d", "a b=c", "d");
    }

    #[test]
    fn comments_and_line_ends() {
        check("# acks=0\n\n  ! linger.ms=0\r\nacks=1\r", "acks", "1");
        check("acks=1 # not a comment", "acks", "1 # not a comment");
    }

    #[test]
    fn lines_go_on_after_a_backslash() {
        check("strategy=range,\\\n    roundrobin", "strategy", "range,roundrobin");
        check("a=b\\\\\n#c", "a", "b\\");
        check("a=b\\\n#c", "a", "b#c");
        check("a=b\\", "a", "b");
    }

    #[test]
    fn escapes() {
        check("a=\\u00e9\\t\\n\\q\\ud83d\\uDE00", "a", "é\t\nq😀");
    }

    #[test]
    fn bad_lines_are_named_and_good_ones_kept() {
        let (properties, errors) = parse_text("acks=all\nlinger.ms\n=5\nx=\\u12g4\n\nacks=0\ny=\\ud83d!\nretries=1");
        assert_eq!(properties.keys().collect::<Vec<_>>(), ["acks", "retries"]);
        assert_eq!(properties["acks"], "all");
        let errors: Vec<String> = errors.iter().map(LineError::to_string).collect();
        assert_eq!(
            errors,
            [
                "line 2: 'linger.ms' has no value: write linger.ms=value",
                "line 3: there is no key before '=': write key=value",
                "line 4: '\\u12' is no character: write \\u and four hexadecimal digits, such as \\u00e9",
                "line 6: 'acks' stands already in line 1, whose value counts: remove one of them",
                "line 7: '\\ud83d' is no character: write \\u and four hexadecimal digits, such as \\u00e9",
            ]
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let tricky = [" a b", "#x", "!", "k=:", "ü😀", "tab\t", "\\", "line\nbreak\r\u{c}\u{0}", "plain.key"];
        let mut properties = Properties::new();
        for key in tricky {
            for value in tricky.iter().chain(&["", "  two"]) {
                properties.insert(format!("{key}{value}"), (*value).to_owned());
            }
        }
        let text = to_text(&properties);
        assert!(text.is_ascii());
        assert_eq!(parse_text(&text), (properties, Vec::new()));
    }

    #[test]
    fn writing_looks_as_people_expect() {
        let properties = Properties::from([("linger.ms".into(), "5".into()), ("acks".into(), "all".into())]);
        assert_eq!(to_text(&properties), "acks=all\nlinger.ms=5\n");
    }
}
