//! Links: a whole experiment as an address. The scenario of the library and its seed in the query, the *difference* from it
//! (settings, parts, faults), what a person did by hand, and the moment that is looked at, in the hash:
//!
//! ```text
//! ?scenario=lost-ack&seed=7#set=shop.acks=1&inputs/0/at.us=1201500&inputs/0/do=crash&inputs/0/node=broker-1&t=1300000&v=1
//! ```
//!
//! A scenario of one's own says `base=none`: its difference is from the format's defaults. A long hash is deflated
//! ([`text`]). The same as a file: a scenario with `inputs` and `t` in it ([`parse`], [`to_json`]).
//!
//! Invariants: [`read`] gives back what [`write`] was given; what is wrong in a link is named, what is right in it is used,
//! and there is always something to show; a link that was written once means the same for ever
//! (`tests/golden/links.json`); nothing here runs anything.

mod inputs;
mod patch;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod write;

pub use inputs::{Input, Moment};
pub use read::{Opened, open, read, read_text};
pub use text::VERSION;
pub use write::{Written, write};

use super::format::Scenario;
use super::reader::Mistake;
use super::{library, parse_value};
use crate::base::config::suggest::nearest;
use serde_json::{Value, json};

/// What opens when nothing is asked for.
pub const FIRST: &str = "lost-ack";

/// Links beyond this many characters are cut off or refused by some programs.
pub const LONG: usize = 2_048;

/// What a link says.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// What is set up.
    pub scenario: Scenario,
    /// What a person did to it, in order.
    pub inputs: Vec<Input>,
    /// The moment that is shown; none for the beginning.
    pub at: Option<Moment>,
}

impl From<Scenario> for Link {
    fn from(scenario: Scenario) -> Link {
        Link { scenario, inputs: Vec::new(), at: None }
    }
}

impl From<Link> for Opened {
    /// Of a file: it differs from nothing.
    fn from(link: Link) -> Opened {
        let base = link.scenario.clone();
        Opened { link, base, mistakes: Vec::new() }
    }
}

/// The link as a JSON document: the scenario's, with `inputs` and `t` where there are any.
pub fn to_json(link: &Link) -> Value {
    let mut document = super::to_json(&link.scenario);
    if let Value::Object(fields) = &mut document {
        if !link.inputs.is_empty() {
            fields.insert("inputs".to_owned(), link.inputs.iter().map(inputs::to_json).collect());
        }
        if let Some(at) = link.at {
            fields.insert("t".to_owned(), json!(at.us));
            if let Some(nth) = at.nth {
                fields.insert("t.nth".to_owned(), json!(nth));
            }
        }
    }
    document
}

/// Reads a scenario with what was done to it, from a file. On error every mistake is there, not just the first.
pub fn parse(text: &str) -> Result<Link, Vec<Mistake>> {
    // What is no JSON is told as for any scenario.
    let Ok(mut document) = serde_json::from_str(text) else { return super::parse(text).map(Link::from) };
    let mut mistakes = Vec::new();
    let (done, at) = inputs::take(&mut document, &mut mistakes);
    match parse_value(document) {
        Ok(scenario) if mistakes.is_empty() => Ok(Link { scenario, inputs: done, at }),
        Ok(_) => Err(mistakes),
        Err(mut more) => {
            more.extend(mistakes);
            Err(more)
        }
    }
}

/// The library's scenario that a link begins with, and what is wrong with its name.
fn base(id: Option<&str>, mistakes: &mut Vec<Mistake>) -> Scenario {
    let id = id.unwrap_or(FIRST);
    library::get(id).unwrap_or_else(|| {
        let near = nearest(id, library::ids()).map_or_else(String::new, |near| format!("did you mean \"{near}\"? "));
        let known = library::ids().collect::<Vec<_>>().join(", ");
        let shown: String = id.chars().take(60).collect();
        let problem = format!("there is no scenario \"{shown}\"; {near}Known: {known}. \"{FIRST}\" is shown instead.");
        mistakes.push(Mistake { place: "?scenario=".to_owned(), problem });
        library::get(FIRST).expect("invariant: the first scenario is in the library")
    })
}
