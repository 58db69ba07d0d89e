//! Reads Rust just well enough for the house rules: no parser, only words, paths and what is not code.

/// The text with comments, strings and character literals blanked out; lines stay where they are.
pub fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at).unwrap_or(at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        }
        while at < end {
            code.push(if chars[at] == '\n' { '\n' } else { ' ' });
            at += 1;
        }
    }
    code
}

/// Where the comment, string or character that starts at `at` ends; nothing if none starts there.
fn literal_end(chars: &[char], at: usize) -> Option<usize> {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or('\0');
    let find = |from: usize, wanted: char| (from..chars.len()).find(|i| chars[*i] == wanted).unwrap_or(chars.len());
    match (chars[at], next(1)) {
        ('/', '/') => Some(find(at, '\n')),
        ('/', '*') => {
            let (mut depth, mut i) = (1, at + 2);
            while i < chars.len() && depth > 0 {
                let pair = (chars[i], chars.get(i + 1).copied().unwrap_or('\0'));
                (depth, i) = match pair {
                    ('/', '*') => (depth + 1, i + 2),
                    ('*', '/') => (depth - 1, i + 2),
                    _ => (depth, i + 1),
                };
            }
            Some(i.min(chars.len()))
        }
        ('r', '"' | '#')
            if at == 0 || !(chars[at - 1].is_alphanumeric() && chars[at - 1] != 'b' || chars[at - 1] == '_') =>
        {
            let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
            if chars.get(at + 1 + hashes) != Some(&'"') {
                return None;
            }
            let closed =
                |i: &usize| chars[*i] == '"' && chars[*i + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
            Some((at + 2 + hashes..chars.len()).find(closed).map_or(chars.len(), |i| i + 1 + hashes))
        }
        ('"', _) => {
            let mut i = at + 1;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            Some((i + 1).min(chars.len()))
        }
        ('\'', '\\') => Some((find(at + 3, '\'') + 1).min(chars.len())),
        // A lifetime has no quote after its first letter.
        ('\'', _) if next(2) == '\'' => Some(at + 3),
        _ => None,
    }
}

pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Identifiers and numbers, with where they start. `1.5` is one word; `pair.0.1` and `0..5` are not.
pub fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = code[at..].find(of_a_word).map(|offset| at + offset) {
        let word_end = |from: usize| code[from..].find(|c| !of_a_word(c)).map_or(code.len(), |offset| from + offset);
        let mut end = word_end(start);
        let number = code[start..].starts_with(|c: char| c.is_ascii_digit()) && !code[..start].ends_with('.');
        let fraction = code[end..].starts_with('.') && code[end + 1..].starts_with(|c: char| c.is_ascii_digit());
        if number && fraction {
            end = word_end(end + 1);
        }
        found.push((start, &code[start..end]));
        at = end;
    }
    found
}

/// A type, or a number that is written as one: `1.5`, `2f64`.
pub fn is_float(word: &str) -> bool {
    let decimal = word.starts_with(|c: char| c.is_ascii_digit()) && !word.starts_with("0x");
    let named = |name: &str| word == name || decimal && word.ends_with(name);
    decimal && word.contains('.') || named("f32") || named("f64")
}

/// What follows `root::` in code: one name for a path, each name for a group (`crate::{log, base::Time}`).
pub fn heads(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, word) in words(code) {
        let after = &code[at + word.len()..];
        let Some(rest) = after.trim_start().strip_prefix("::").filter(|_| word == root) else {
            continue;
        };
        let rest = rest.trim_start();
        let name = |part: &str| words(part.trim_start()).first().map(|(_, name)| name.to_string());
        match rest.strip_prefix('{') {
            None => found.extend(name(rest).filter(|_| rest.starts_with(of_a_word)).map(|name| (at, name))),
            Some(group) => found.extend(group_items(group).iter().filter_map(|item| name(item)).map(|name| (at, name))),
        }
    }
    found
}

/// The items of a group, its opening brace already taken: nested groups stay whole.
fn group_items(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(&group[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items
}

#[test]
fn what_is_not_code_is_blank() {
    assert_eq!(code_only("a // b\n\"c\" 'd' d"), "a     \n        d");
    assert_eq!(code_only("r#\"\"\"# x b\"\\\"\" '\\'' <'a>"), "       x b          <'a>");
}

#[test]
fn groups_give_all_their_heads() {
    let found = heads("use crate::{a::{b, c}, d as e, f::*}; crate::g(); my_crate::h;", "crate");
    let names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["a", "d", "f", "g"]);
}

#[test]
fn numbers_are_told_from_fields_and_ranges() {
    let floats = |code| words(code).iter().filter(|(_, word)| is_float(word)).count();
    assert_eq!(floats("1.5 + 2f32 + f64::MAX"), 3);
    assert_eq!(floats("pair.0.1 + 0xf64 + (0..5).len() + 1.max(2)"), 0);
}
