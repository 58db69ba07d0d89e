//! What a setting is: name, kind, default, valid values, and how its text is read (Kafka's `ConfigDef`).
//!
//! Invariant: a table of [`ConfigKey`]s is the only place that knows a key's default and its valid values. The structs,
//! the checks, the page's form and the documentation are all made from it.

use super::ConfigException;
use crate::base::Ratio;

/// One setting that the lab honours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfigKey {
    /// Kafka's key, dots and all.
    pub name: &'static str,
    /// What its text stands for.
    pub kind: ConfigKind,
    /// The text that is used when nobody sets it; empty means "not set".
    pub default: &'static str,
    /// Which values are refused although they are of the right kind.
    pub check: Check,
    /// How much Kafka thinks it matters.
    pub importance: Importance,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

/// What a setting's text stands for, and so which widget fits it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigKind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number(Number),
    /// A span of time, as a whole number of a unit.
    Duration(Number, Unit),
    /// A decimal fraction, kept to three places.
    Ratio,
    /// One word of a closed set.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// Words separated by commas; from a closed set unless that is empty.
    List(&'static [&'static str]),
}

/// How wide a number Kafka reads, under the name Kafka's messages give it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Number {
    /// 16 bits.
    Short,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
}

/// The unit a time setting counts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// `*.ms`
    Milliseconds,
    /// `*.seconds`
    Seconds,
    /// `*.minutes`
    Minutes,
    /// `*.hours`
    Hours,
}

/// A condition on one value alone; conditions between settings are in the structs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// Everything of the kind is fine.
    Any,
    /// Not below.
    AtLeast(i64),
    /// Not below, or else exactly this message: Kafka checks some settings by hand.
    Require(i64, &'static str),
    /// Not outside, both ends included.
    Between(i64, i64),
    /// A closed set that ignores case.
    AnyCase,
    /// Not the empty text, not the empty list.
    NonEmpty,
    /// The grammar of `auto.offset.reset`.
    OffsetReset,
}

/// How much Kafka thinks a setting matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Importance {
    /// Look at it first.
    High,
    /// Worth knowing.
    Medium,
    /// Rarely changed.
    Low,
}

/// A text that passed the checks of its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value<'a> {
    Unset,
    Boolean(bool),
    Number(i64),
    Ratio(Ratio),
    Text(&'a str),
    List(Vec<&'a str>),
}

pub(super) const BOOL: ConfigKind = ConfigKind::Boolean;
pub(super) const SHORT: ConfigKind = ConfigKind::Number(Number::Short);
pub(super) const INT: ConfigKind = ConfigKind::Number(Number::Int);
pub(super) const LONG: ConfigKind = ConfigKind::Number(Number::Long);
pub(super) const INT_MS: ConfigKind = ConfigKind::Duration(Number::Int, Unit::Milliseconds);
pub(super) const LONG_MS: ConfigKind = ConfigKind::Duration(Number::Long, Unit::Milliseconds);
pub(super) const LONG_SECONDS: ConfigKind = ConfigKind::Duration(Number::Long, Unit::Seconds);
pub(super) const INT_MINUTES: ConfigKind = ConfigKind::Duration(Number::Int, Unit::Minutes);
pub(super) const INT_HOURS: ConfigKind = ConfigKind::Duration(Number::Int, Unit::Hours);
pub(super) const RATIO: ConfigKind = ConfigKind::Ratio;
pub(super) const TEXT: ConfigKind = ConfigKind::Text;

impl Unit {
    /// How many milliseconds one of it is.
    pub const fn millis(self) -> u64 {
        match self {
            Unit::Milliseconds => 1,
            Unit::Seconds => 1_000,
            Unit::Minutes => 60_000,
            Unit::Hours => 3_600_000,
        }
    }
}

impl Number {
    /// The name Kafka's messages use.
    pub const fn name(self) -> &'static str {
        match self {
            Number::Short => "SHORT",
            Number::Int => "INT",
            Number::Long => "LONG",
        }
    }

    fn parse(self, text: &str) -> Option<i64> {
        match self {
            Number::Short => text.parse::<i16>().ok().map(i64::from),
            Number::Int => text.parse::<i32>().ok().map(i64::from),
            Number::Long => text.parse().ok(),
        }
    }
}

impl ConfigKey {
    /// Whether `text` may be this setting's value, looking at nothing else.
    pub fn validate(&self, text: &str) -> Result<(), ConfigException> {
        self.read(text).map(|_| ())
    }

    /// Which values are valid, as Kafka's documentation writes it: `[0,...]`. Empty when all of the kind are.
    pub fn valid_values(&self) -> String {
        let words = |words: &[&str]| format!("[{}]", words.join(", "));
        match (self.check, self.kind) {
            (Check::AtLeast(low) | Check::Require(low, _), _) => format!("[{low},...]"),
            (Check::Between(low, high), _) => format!("[{low},...,{high}]"),
            (Check::AnyCase, ConfigKind::Choice(names)) => format!("(case insensitive) {}", words(names)),
            (Check::OffsetReset, _) => "[latest, earliest, none, by_duration:PnDTnHnMn.nS]".to_owned(),
            (_, ConfigKind::Choice(names) | ConfigKind::List(names)) if !names.is_empty() => words(names),
            (Check::NonEmpty, _) => "non-empty string".to_owned(),
            _ => String::new(),
        }
    }

    /// Reads and checks `text`.
    pub(super) fn read<'a>(&self, text: &'a str) -> Result<Value<'a>, ConfigException> {
        let trimmed = text.trim();
        match self.kind {
            ConfigKind::Boolean if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            ConfigKind::Boolean if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            ConfigKind::Boolean => Err(self.invalid(text, "Expected value to be either true or false")),
            ConfigKind::Number(number) | ConfigKind::Duration(number, _) => {
                let parsed = number
                    .parse(trimmed)
                    .ok_or_else(|| self.invalid(text, &format!("Not a number of type {}", number.name())))?;
                self.check_range(parsed, 1, trimmed)?;
                Ok(Value::Number(parsed))
            }
            ConfigKind::Ratio => {
                let per_mille = per_mille(trimmed).ok_or_else(|| self.invalid(text, "Not a number of type DOUBLE"))?;
                self.check_range(per_mille, 1_000, trimmed)?;
                let numerator = u32::try_from(per_mille).expect("invariant: the table keeps ratios from 0 to 1");
                Ok(Value::Ratio(Ratio { numerator, denominator: 1_000 }))
            }
            ConfigKind::Choice(names) => self.check_word(trimmed, names).map(|()| Value::Text(trimmed)),
            ConfigKind::Text => self.check_text(trimmed).map(|()| Value::Text(trimmed)),
            ConfigKind::List(names) => self.read_list(trimmed, names).map(Value::List),
        }
    }

    /// `Invalid value X for configuration K: Y`.
    pub(super) fn invalid(&self, value: &str, reason: &str) -> ConfigException {
        ConfigException::invalid_value(self.name, value, reason)
    }

    fn check_range(&self, value: i64, scale: i64, text: &str) -> Result<(), ConfigException> {
        let (low, high) = match self.check {
            Check::Require(low, message) if value < low => {
                return Err(ConfigException::new(self.name, text, message));
            }
            Check::AtLeast(low) => (Some(low), None),
            Check::Between(low, high) => (Some(low), Some(high)),
            _ => (None, None),
        };
        // Kafka prints the number it understood, so `+7` comes back as `7`.
        let shown = if scale == 1 { value.to_string() } else { text.to_owned() };
        match (low, high) {
            (Some(low), _) if value < low * scale => {
                Err(self.invalid(&shown, &format!("Value must be at least {low}")))
            }
            (_, Some(high)) if value > high * scale => {
                Err(self.invalid(&shown, &format!("Value must be no more than {high}")))
            }
            _ => Ok(()),
        }
    }

    fn check_word(&self, word: &str, names: &[&str]) -> Result<(), ConfigException> {
        if self.check == Check::AnyCase {
            if names.iter().any(|name| name.eq_ignore_ascii_case(word)) {
                return Ok(());
            }
            let names = names.join(", ").to_ascii_uppercase();
            return Err(self.invalid(word, &format!("String must be one of (case insensitive): {names}")));
        }
        if names.contains(&word) {
            return Ok(());
        }
        Err(self.invalid(word, &format!("String must be one of: {}", names.join(", "))))
    }

    fn check_text(&self, text: &str) -> Result<(), ConfigException> {
        match self.check {
            Check::NonEmpty if text.is_empty() => Err(self.invalid(text, "String must be non-empty")),
            Check::OffsetReset if super::AutoOffsetReset::from_name(text).is_none() => {
                let reason = format!(
                    "Invalid value `{text}` for configuration {}. The value must be either 'earliest', 'latest', \
                     'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'.",
                    self.name
                );
                Err(self.invalid(text, &reason))
            }
            _ => Ok(()),
        }
    }

    fn read_list<'a>(&self, text: &'a str, names: &[&str]) -> Result<Vec<&'a str>, ConfigException> {
        let plain = |message: String| Err(ConfigException::new(self.name, text, message));
        if text.is_empty() {
            if self.check != Check::NonEmpty {
                return Ok(Vec::new());
            }
            let valid = if names.is_empty() { "any non-empty value".to_owned() } else { self.valid_values() };
            return plain(format!("Configuration '{}' must not be empty. Valid values include: {valid}", self.name));
        }
        let mut words: Vec<&str> = Vec::new();
        for word in text.split(',').map(str::trim) {
            if word.is_empty() {
                return plain(format!("Configuration '{}' values must not be empty.", self.name));
            }
            if !names.is_empty() {
                self.check_word(word, names)?;
            }
            if !words.contains(&word) {
                words.push(word);
            }
        }
        Ok(words)
    }
}

/// `0.5` → 500. Digits after the third do not count.
fn per_mille(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    if !all_digits || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let places = fraction.bytes().map(|byte| i64::from(byte - b'0')).chain(std::iter::repeat(0)).take(3);
    let magnitude = places.fold(whole, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
    Some(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: ConfigKind, check: Check) -> ConfigKey {
        ConfigKey { name: "k", kind, default: "", check, importance: Importance::Low, doc: "" }
    }

    #[track_caller]
    fn refused(kind: ConfigKind, check: Check, text: &str, message: &str) {
        assert_eq!(key(kind, check).validate(text).expect_err("this text is refused").to_string(), message);
    }

    #[test]
    fn numbers_are_as_wide_as_kafkas() {
        assert_eq!(key(INT, Check::Any).read(" 2147483647 "), Ok(Value::Number(2_147_483_647)));
        refused(
            INT,
            Check::Any,
            "2147483648",
            "Invalid value 2147483648 for configuration k: Not a number of type INT",
        );
        refused(SHORT, Check::Any, "32768", "Invalid value 32768 for configuration k: Not a number of type SHORT");
        refused(LONG_MS, Check::Any, "1s", "Invalid value 1s for configuration k: Not a number of type LONG");
    }

    #[test]
    fn ranges_speak_as_kafka_does() {
        refused(INT, Check::AtLeast(0), " -1", "Invalid value -1 for configuration k: Value must be at least 0");
        refused(
            INT,
            Check::Between(2, 10),
            "11",
            "Invalid value 11 for configuration k: Value must be no more than 10",
        );
        refused(
            RATIO,
            Check::Between(0, 1),
            "1.1",
            "Invalid value 1.1 for configuration k: Value must be no more than 1",
        );
        refused(
            RATIO,
            Check::Between(0, 1),
            "half",
            "Invalid value half for configuration k: Not a number of type DOUBLE",
        );
    }

    #[test]
    fn words_speak_as_kafka_does() {
        let names = ConfigKind::Choice(&["a", "b"]);
        refused(names, Check::Any, "A", "Invalid value A for configuration k: String must be one of: a, b");
        let message = "Invalid value c for configuration k: String must be one of (case insensitive): A, B";
        refused(names, Check::AnyCase, "c", message);
        assert!(key(names, Check::AnyCase).validate("A").is_ok());
        refused(
            BOOL,
            Check::Any,
            "yes",
            "Invalid value yes for configuration k: Expected value to be either true or false",
        );
        refused(TEXT, Check::NonEmpty, " ", "Invalid value  for configuration k: String must be non-empty");
    }

    #[test]
    fn lists_are_split_at_commas_without_repeats() {
        assert_eq!(key(ConfigKind::List(&[]), Check::Any).read("a , b,a"), Ok(Value::List(vec!["a", "b"])));
        refused(ConfigKind::List(&[]), Check::Any, "a,,b", "Configuration 'k' values must not be empty.");
        let message = "Configuration 'k' must not be empty. Valid values include: [a]";
        refused(ConfigKind::List(&["a"]), Check::NonEmpty, "", message);
    }

    #[test]
    fn fractions_need_no_floats() {
        for (text, expected) in [("0.5", 500), ("1", 1_000), (".25", 250), ("0.12345", 123), ("-0.1", -100)] {
            assert_eq!(per_mille(text), Some(expected), "{text}");
        }
        assert_eq!(per_mille("."), None);
        assert_eq!(per_mille("1e-1"), None);
    }
}
