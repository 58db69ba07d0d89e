//! From a [`Link`] to its text.

use super::text::{Entry, compressed, readable};
use super::{Link, patch, to_json};
use crate::scenario::format::Scenario;
use crate::scenario::{library, parse_value, set};
use serde_json::Value;

/// Up to here a hash stays readable.
const READABLE: usize = 600;

/// A link in its two parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// `scenario=lost-ack&seed=7`; empty for a scenario of one's own.
    pub query: String,
    /// What follows the `#`; empty where the query says all.
    pub hash: String,
}

impl Written {
    /// Behind an address: `?…#…`.
    pub fn suffix(&self) -> String {
        let part = |sign: &str, text: &str| if text.is_empty() { String::new() } else { format!("{sign}{text}") };
        format!("{}{}", part("?", &self.query), part("#", &self.hash))
    }
}

/// The link's text: the library's scenario and the seed, and in the hash whatever differs from it.
pub fn write(link: &Link) -> Written {
    let id = link.scenario.id.as_deref();
    let known = id.and_then(|id| Some((id, library::get(id)?)));
    let (query, base, mut entries) = match known {
        Some((id, mut base)) => {
            base.seed = link.scenario.seed;
            (format!("scenario={id}&seed={}", base.seed), base, Vec::new())
        }
        None => {
            let none = Entry { path: vec!["base".to_owned()], value: "none".to_owned() };
            (String::new(), Scenario::default(), vec![none])
        }
    };
    let document = super::super::to_json(&base);
    let differences = patch::diff(&document, &to_json(link));
    entries.extend(differences.into_iter().map(|entry| plain(&base, &document, entry)));
    if let Some(at) = link.at {
        entries.push(Entry { path: vec!["t".to_owned()], value: at.us.to_string() });
        let nth = at.nth.map(|nth| Entry { path: vec!["t.nth".to_owned()], value: nth.to_string() });
        entries.extend(nth);
    }
    let text = readable(&entries);
    let hash = if text.len() <= READABLE { text } else { shorter(text, compressed(&entries)) };
    Written { query, hash }
}

fn shorter(one: String, other: String) -> String {
    if other.len() < one.len() { other } else { one }
}

/// `producers/shop/config/acks=1` as the command line has it, `set=shop.acks=1`, where that means the same.
fn plain(base: &Scenario, document: &Value, entry: Entry) -> Entry {
    let path: Vec<&str> = entry.path.iter().map(String::as_str).collect();
    let key = match path.as_slice() {
        ["cluster", "config", key] | ["cluster", key] => format!("cluster.{key}"),
        ["groups", name, "config", key] => format!("group.{name}.{key}"),
        [_, name, "config", key] | ["producers" | "consumers" | "topics" | "processors", name, key] => {
            format!("{name}.{key}")
        }
        ["processors" | "consumers", name, "producer.config", key] => format!("{name}.producer.{key}"),
        ["processors", name, "consumer.config", key] => format!("{name}.consumer.{key}"),
        _ => return entry,
    };
    let short = Entry { path: vec!["set".to_owned()], value: format!("{key}={}", entry.value) };
    let mut by_name = base.clone();
    let mut by_path = document.clone();
    let same = set(&mut by_name, &short.value).is_ok()
        && patch::apply(&mut by_path, &entry).is_ok()
        && parse_value(by_path).is_ok_and(|changed| changed == by_name);
    if same { short } else { entry }
}
