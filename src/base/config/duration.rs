//! Spans as `java.time.Duration.parse` reads them: `P2DT3H4M5.5S`.

use crate::base::Duration;

const UNITS: [(char, bool, i128); 4] =
    [('D', false, 86_400_000_000), ('H', true, 3_600_000_000), ('M', true, 60_000_000), ('S', true, 1_000_000)];

/// The span `text` names, to the microsecond; nothing when it is no span or a negative one.
pub(super) fn iso8601(text: &str) -> Option<Duration> {
    let upper = text.to_ascii_uppercase();
    let (negative, body) = signed(&upper);
    let mut rest = body.strip_prefix('P')?;
    let mut total: i128 = 0;
    let mut units = UNITS.iter();
    let mut in_time = false;
    let mut parts_since_mark = 0;
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            if in_time {
                return None;
            }
            (in_time, parts_since_mark, rest) = (true, 0, time);
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let letter = rest[end..].chars().next()?;
        // Units come in their order, each at most once, on their side of the `T`.
        let (_, _, size) = units.find(|(unit, after_t, _)| *unit == letter && *after_t == in_time)?;
        total = total.checked_add(count(&rest[..end], letter == 'S', *size)?)?;
        (parts_since_mark, rest) = (parts_since_mark + 1, &rest[end + 1..]);
    }
    if parts_since_mark == 0 {
        return None;
    }
    let total = if negative { -total } else { total };
    Some(Duration(u64::try_from(total).ok()?).min(Duration::MAX))
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `text` times `size` microseconds; only seconds have a fraction.
fn count(text: &str, fraction_allowed: bool, size: i128) -> Option<i128> {
    let (negative, digits) = signed(text);
    let (whole, fraction) = match digits.split_once(['.', ',']) {
        Some((whole, fraction)) if fraction_allowed && fraction.len() <= 9 => (whole, fraction),
        Some(_) => return None,
        None => (digits, ""),
    };
    let numeric = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 18 || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let places = fraction.bytes().map(|byte| i128::from(byte - b'0')).chain(std::iter::repeat(0)).take(6);
    let micros = whole.parse::<i128>().ok()? * size + places.fold(0, |sum, digit| sum * 10 + digit);
    Some(if negative { -micros } else { micros })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_java_reads_them() {
        for (text, micros) in [
            ("PT0S", 0_i64),
            ("pt20.345s", 20_345_000),
            ("PT15M", 900_000_000),
            ("P2D", 172_800_000_000),
            ("P2DT3H4M", 183_840_000_000),
            ("PT-6H+3M", -1),
            ("-PT-6H", 21_600_000_000),
            ("PT0.0000019S", 1),
        ] {
            assert_eq!(iso8601(text), u64::try_from(micros).ok().map(Duration), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "P", "PT", "P1DT", "1H", "P1H", "PT1D", "PT1M1H", "PT1H1H", "PT1.5H", "PTT1S", "PT1", "PT.5S"]
        {
            assert_eq!(iso8601(text), None, "{text}");
        }
    }
}
