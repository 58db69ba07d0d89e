//! Patterns of names: topics that a consumer subscribes to, transactional ids that an administrator asks for.
//!
//! As with Java's `Matcher.matches()` a name matches whole. Departure: look-around and back-references, which Java knows and
//! RE2J does not, are refused.

use regex_lite::Regex;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// A pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Rc<str>,
    regex: Rc<Regex>,
}

impl Pattern {
    /// Reads a pattern; none if it is none.
    pub fn parse(text: &str) -> Option<Pattern> {
        // Alone first: what closes more groups than it opens is no pattern, though it may be one between others.
        Regex::new(text).ok()?;
        let regex = Regex::new(&format!("^(?:{text})$")).ok()?;
        Some(Pattern { text: text.into(), regex: Rc::new(regex) })
    }

    /// As it was written.
    pub fn text(&self) -> &Rc<str> {
        &self.text
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::parse(pattern).expect("a pattern").matches(name)
    }

    #[test]
    fn a_name_matches_whole() {
        assert!(matches("orders", "orders") && !matches("orders", "orders-eu") && !matches("orders", "reorders"));
        assert!(matches("^orders$", "orders") && matches("", "") && !matches("a|b", "ab"));
    }

    #[test]
    fn what_people_write() {
        for (pattern, yes, no) in [
            ("orders.*", "orders-eu", "invoices"),
            ("(orders|invoices)-v[0-9]{1,2}", "invoices-v12", "orders-v"),
            (r"shop\.\w+", "shop.orders", "shopxorders"),
            ("[^_].*", "orders", "__consumer_offsets"),
            ("orders(-eu)?", "orders-eu", "orders-us"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(!matches(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["*", "(", ")", ")(", "[", "[z-a]", "(?=a)", r"\p", r"(a)\1"] {
            assert_eq!(Pattern::parse(pattern), None, "{pattern}");
        }
    }
}
