//! Reads JSON with patience: every mistake is reported with its place and with what would be right, and what is good is
//! kept. (serde stops at the first mistake and cannot name the nearest key.)

use crate::base::Duration;
use crate::base::config::{Properties, suggest};
use serde_json::{Map, Value};
use std::rc::Rc;

/// One mistake in a scenario, a link or a setting.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Mistake {
    /// Where: `producers[0].config`.
    pub place: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// The mistakes found so far.
#[derive(Default)]
pub(super) struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    pub fn add(&mut self, place: impl Into<String>, problem: impl Into<String>) {
        self.0.push(Mistake { place: place.into(), problem: problem.into() });
    }
}

/// A JSON object that is being read, with its place.
pub(super) struct Reader<'a> {
    place: String,
    fields: Map<String, Value>,
    known: Vec<&'static str>,
    mistakes: &'a mut Mistakes,
}

impl<'a> Reader<'a> {
    /// Reads `value` with `read` if it is an object, and reports keys that nobody asked for.
    pub fn read<T>(
        place: impl Into<String>,
        value: Value,
        mistakes: &'a mut Mistakes,
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Option<T> {
        let place = place.into();
        let Value::Object(fields) = value else {
            mistakes.add(place, format!("expected an object {{…}}, found {}", kind(&value)));
            return None;
        };
        let mut reader = Reader { place, fields, known: Vec::new(), mistakes };
        let result = read(&mut reader);
        reader.finish();
        Some(result)
    }

    fn finish(&mut self) {
        for key in self.fields.keys().cloned().collect::<Vec<_>>() {
            let hint = match suggest::nearest(&key, self.known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.mistakes.add(self.place.clone(), format!("unknown key \"{key}\"; {hint}"));
        }
    }

    pub fn mistake(&mut self, problem: impl Into<String>) {
        self.mistakes.add(self.place.clone(), problem);
    }

    pub fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.fields.remove(key).filter(|value| !value.is_null())
    }

    fn bad<T>(&mut self, key: &str, expected: &str, found: &Value) -> Option<T> {
        self.mistakes.add(format!("{}.{key}", self.place), format!("expected {expected}, found {found}"));
        None
    }

    pub fn number(&mut self, key: &'static str, default: u64, least: u64, most: u64) -> u64 {
        let Some(value) = self.take(key) else { return default };
        match value.as_u64() {
            Some(number) if (least..=most).contains(&number) => number,
            _ => {
                let expected = if most == u64::MAX {
                    "a whole number".to_owned()
                } else {
                    format!("a whole number from {least} to {most}")
                };
                self.bad::<u64>(key, &expected, &value);
                default
            }
        }
    }

    pub fn signed(&mut self, key: &'static str) -> Option<i64> {
        let value = self.take(key)?;
        value.as_i64().or_else(|| self.bad(key, "a whole number", &value))
    }

    pub fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.take(key) else { return default };
        value.as_bool().or_else(|| self.bad(key, "true or false", &value)).unwrap_or(default)
    }

    pub fn text(&mut self, key: &'static str) -> Option<Rc<str>> {
        let value = self.take(key)?;
        match value.as_str() {
            Some(text) if !text.is_empty() => Some(Rc::from(text)),
            _ => self.bad(key, "a text", &value),
        }
    }

    /// A text that must be there.
    pub fn name(&mut self, key: &'static str) -> Rc<str> {
        if !self.has(key) {
            self.known.push(key);
            self.mistake(format!("\"{key}\" is missing"));
            return Rc::from("?");
        }
        self.text(key).unwrap_or_else(|| Rc::from("?"))
    }

    /// A text, or a list of texts.
    pub fn one_or_more(&mut self, key: &'static str) -> Vec<Rc<str>> {
        let many = self.fields.get(key).is_some_and(Value::is_array);
        if many { self.texts(key) } else { self.text(key).into_iter().collect() }
    }

    pub fn texts(&mut self, key: &'static str) -> Vec<Rc<str>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let texts = value.as_array().and_then(|items| items.iter().map(|item| item.as_str().map(Rc::from)).collect());
        texts.or_else(|| self.bad(key, "a list of texts", &value)).unwrap_or_default()
    }

    /// Small whole numbers.
    pub fn numbers(&mut self, key: &'static str) -> Option<Vec<u16>> {
        let value = self.take(key)?;
        let number = |item: &Value| item.as_u64().and_then(|number| u16::try_from(number).ok());
        let numbers = value.as_array().and_then(|items| items.iter().map(number).collect());
        numbers.or_else(|| self.bad(key, "a list of whole numbers", &value))
    }

    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&'static str, T)], default: T) -> T {
        self.optional_word(key, words).unwrap_or(default)
    }

    pub fn optional_word<T: Copy>(&mut self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let value = self.take(key)?;
        if let Some((_, chosen)) = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text)) {
            return Some(*chosen);
        }
        let list: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.bad(key, &format!("one of {}", list.join(", ")), &value)
    }

    /// Milliseconds, to the microsecond: `1201.5`.
    pub fn millis(&mut self, key: &'static str) -> Option<Duration> {
        let value = self.take(key)?;
        let parsed = match &value {
            Value::Number(number) => decimal_millis(&number.to_string()),
            _ => None,
        };
        parsed.or_else(|| self.bad(key, "milliseconds (a number from 0)", &value))
    }

    /// Settings: an object whose values are texts, numbers or booleans.
    pub fn properties(&mut self, key: &'static str) -> Properties {
        let Some(value) = self.take(key) else { return Properties::new() };
        let Value::Object(fields) = value else {
            self.bad::<()>(key, "an object of settings", &value);
            return Properties::new();
        };
        let mut properties = Properties::new();
        for (name, value) in fields {
            match value {
                Value::String(text) => drop(properties.insert(name, text)),
                Value::Number(number) => drop(properties.insert(name, number.to_string())),
                Value::Bool(flag) => drop(properties.insert(name, flag.to_string())),
                other => drop(self.bad::<()>(&format!("{key}.{name}"), "a text, a number, true or false", &other)),
            }
        }
        properties
    }

    /// An object, read by `read`.
    pub fn object<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Reader<'_>) -> T) -> Option<T> {
        let value = self.take(key)?;
        Reader::read(format!("{}.{key}", self.place), value, self.mistakes, read)
    }

    /// A list of objects, each read by `read`.
    pub fn list<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Reader<'_>) -> T) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Value::Array(items) = value else {
            self.bad::<()>(key, "a list", &value);
            return Vec::new();
        };
        let place = if self.place == ROOT { String::new() } else { format!("{}.", self.place) };
        let each = items.into_iter().enumerate();
        each.filter_map(|(i, item)| Reader::read(format!("{place}{key}[{i}]"), item, self.mistakes, &mut read))
            .collect()
    }
}

/// The place of the whole document.
pub(super) const ROOT: &str = "scenario";

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// `1201.5` → 1 201 500 µs. More than six decimals of a second are cut off; no floats on the way.
fn decimal_millis(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut micros = String::from(&fraction[..fraction.len().min(3)]);
    while micros.len() < 3 {
        micros.push('0');
    }
    let whole: u64 = whole.parse().ok()?;
    Some(Duration::from_micros(whole.checked_mul(1_000)?.checked_add(micros.parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_keep_their_microseconds() {
        assert_eq!(decimal_millis("1201.5"), Some(Duration::from_micros(1_201_500)));
        assert_eq!(decimal_millis("7"), Some(Duration::from_micros(7_000)));
        assert_eq!(decimal_millis("-1"), None);
        assert_eq!(decimal_millis("1e99"), None);
    }

    #[test]
    fn an_unknown_key_names_its_neighbour() {
        let mut mistakes = Mistakes::default();
        Reader::read("x", serde_json::json!({"sead": 1}), &mut mistakes, |r| r.number("seed", 0, 0, u64::MAX));
        assert_eq!(mistakes.0[0].to_string(), "x: unknown key \"sead\"; did you mean \"seed\"?");
    }
}
