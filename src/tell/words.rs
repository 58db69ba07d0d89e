//! Small texts that are the same in every language: times, numbers, lists of records.

use std::fmt::Write;

/// `1.234567`: seconds to the microsecond.
pub fn clock(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// `12 ms`, `1.5 ms`, `3.25 s`: a span, short.
pub fn span(us: u64) -> String {
    match us {
        0..=999 => format!("{us} µs"),
        _ if us.is_multiple_of(1_000_000) => format!("{} s", us / 1_000_000),
        1_000..=9_999 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        10_000..=999_999 => format!("{} ms", us / 1_000),
        1_000_000..=9_999_999 => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// `3`, `3, 5`, `3–7`, `3, 5 +4`: records, short.
pub fn records(list: &[u32]) -> String {
    match list {
        [] => String::new(),
        [one] => one.to_string(),
        [a, b] => format!("{a}, {b}"),
        [first, .., last] if last.checked_sub(*first).is_some_and(|gap| gap as usize + 1 == list.len()) => {
            format!("{first}–{last}")
        }
        [a, b, rest @ ..] => format!("{a}, {b} +{}", rest.len()),
    }
}

/// The records as `data-r` wants them: separated by blanks. Long lists are cut, they only serve the highlight.
pub fn data_r(list: &[u32]) -> String {
    let mut text = String::new();
    for record in list.iter().take(64) {
        let _ = write!(text, "{record} ");
    }
    text.truncate(text.trim_end().len());
    text
}

/// `0 · 1 · 2`: broker ids.
pub fn ids(list: &[i32]) -> String {
    list.iter().map(i32::to_string).collect::<Vec<_>>().join(" · ")
}

/// `broker-0` as people say it: `broker 0`.
pub fn node_name(name: &str) -> String {
    match name.rsplit_once('-') {
        Some((kind @ ("broker" | "controller"), number)) => format!("{kind} {number}"),
        _ => name.to_owned(),
    }
}

/// A whole number with its thousands apart: `12 345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// `-12.3`: a coordinate, for what moves in every frame (printing floats takes several times as long).
pub fn tenths(value: f64) -> String {
    let tenths = (value * 10.0).round() as i64;
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{}", tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10)
}

/// About how wide a text is in a sans-serif font of so many pixels.
pub fn text_width(text: &str, px: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'l' | 'j' | '.' | ',' | '\'' | ':' | ' ' | '|' => 0.33,
            'm' | 'w' | 'M' | 'W' | '@' => 0.95,
            'A'..='Z' | '→' | '–' | '…' | '_' => 0.7,
            '\u{1100}'..='\u{ffdc}' => 1.0,
            _ => 0.62,
        })
        .sum();
    em * px
}

/// How wide a text is in a monospaced font of so many pixels.
pub fn mono_width(text: &str, px: f64) -> f64 {
    text.chars().map(|c| if c >= '\u{1100}' { 1.0 } else { 0.605 }).sum::<f64>() * px
}

/// As [`shorten`], in a monospaced font.
pub fn shorten_mono(text: &str, px: f64, width: f64) -> String {
    if mono_width(text, px) <= width {
        return text.to_owned();
    }
    let room = ((width / px / 0.605) as usize).saturating_sub(1);
    text.chars().take(room).chain(['…']).collect()
}

/// The text cut so that it fits, with an ellipsis.
pub fn shorten(text: &str, px: f64, width: f64) -> String {
    if text_width(text, px) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if text_width(&out, px) + px > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// The text in so many lines that fit; the last one is cut if need be.
pub fn lines(text: &str, px: f64, width: f64, most: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while found.len() + 1 < most && text_width(rest, px) > width {
        let mut line = 0;
        while let Some(end) = rest[line..].find(' ').map(|at| line + at + 1) {
            if text_width(rest[..end].trim_end(), px) > width {
                break;
            }
            line = end;
        }
        if line == 0 {
            break;
        }
        found.push(rest[..line].trim_end().to_owned());
        rest = &rest[line..];
    }
    found.push(shorten(rest, px, width));
    found
}

/// The part of a member id by which people tell members apart: the beginning of what follows `<client.id>-`.
pub fn short_member(id: &str) -> &str {
    // A UUID of the classic protocol has 36 characters, with dashes among them.
    let uuid = id.len().checked_sub(36).and_then(|at| id.get(at..)).filter(|uuid| uuid.as_bytes()[8] == b'-');
    let key = uuid.unwrap_or_else(|| id.rsplit_once('-').map_or(id, |(_, key)| key));
    key.get(..8).unwrap_or(key)
}
