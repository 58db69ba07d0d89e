//! From a link's text to a [`Link`].
//!
//! What the hash changes is tried all at once. Only if that is no scenario, the changes are tried one after the other, and
//! those that cannot be are told and left out.

use super::inputs;
use super::text::{self, Entry, unescape};
use super::{Link, base, patch};
use crate::base::config::suggest::nearest;
use crate::scenario::format::Scenario;
use crate::scenario::reader::Mistake;
use crate::scenario::{build, parse_value, set, to_json};
use serde_json::{Value, json};

/// Changes that need each other may stand in any order, up to so many rounds.
const ROUNDS: usize = 4;

/// A link that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Opened {
    /// What it says.
    pub link: Link,
    /// What its scenario differs from: as the library has it, with the link's seed. One's own scenario differs from nothing.
    pub base: Scenario,
    /// What was wrong with it, and is not in it.
    pub mistakes: Vec<Mistake>,
}

/// Reads a whole link, or what stands behind the address: `https://…/?scenario=lost-ack#…`, `?scenario=lost-ack`, `#…`.
pub fn read_text(link: &str) -> Opened {
    let (before, hash) = link.trim().split_once('#').unwrap_or((link.trim(), ""));
    let query = before.split_once('?').map_or("", |(_, query)| query);
    read(query, hash)
}

/// Reads a link's query and hash. Of the query only `scenario` and `seed` are looked at.
pub fn read(query: &str, hash: &str) -> Opened {
    let mut mistakes = Vec::new();
    let query = query.strip_prefix('?').unwrap_or(query);
    let mut word = |name: &str| {
        let values = query.split('&').filter_map(|part| part.split_once('='));
        let value = values.clone().find(|(key, _)| *key == name).map(|(_, value)| value.replace('+', " "))?;
        let read = unescape(&value).map_err(|problem| mistakes.push(Mistake { place: format!("?{name}="), problem }));
        read.ok()
    };
    let (id, seed) = (word("scenario"), word("seed"));
    let mut opened = open(id.as_deref(), seed.as_deref(), hash);
    mistakes.append(&mut opened.mistakes);
    Opened { mistakes, ..opened }
}

/// What a hash makes of a scenario of the library, with that seed. A whole link will do for the hash.
pub fn open(id: Option<&str>, seed: Option<&str>, hash: &str) -> Opened {
    let mut mistakes = Vec::new();
    let hash = hash.split_once('#').map_or(hash, |(_, hash)| hash);
    let (entries, more) = text::entries(hash);
    let (parts, mut wrong) = Parts::of(entries);
    let own = parts.base.as_deref() == Some("none");
    let mut base = if own { Scenario::default() } else { base(parts.base.as_deref().or(id), &mut mistakes) };
    if let Some(text) = seed {
        match text.trim().parse() {
            Ok(seed) => base.seed = seed,
            Err(_) => {
                let shown: String = text.chars().take(60).collect();
                let range = format!("expected a whole number from 0 to {}", u64::MAX);
                let problem = format!("\"{shown}\" is no seed: {range}. The seed is {}.", base.seed);
                mistakes.push(Mistake { place: "?seed=".to_owned(), problem });
            }
        }
    }
    mistakes.extend(more);
    mistakes.append(&mut wrong);
    let scenario = changed(&base, parts.steps, &mut mistakes);
    let mut done = json!({});
    for entry in &parts.done {
        if let Err(problem) = patch::apply(&mut done, entry) {
            mistakes.push(Mistake { place: entry.place(), problem });
        }
    }
    let (inputs, at) = inputs::take(&mut done, &mut mistakes);
    let base = if own { scenario.clone() } else { base };
    Opened { link: Link { scenario, inputs, at }, base, mistakes }
}

/// The entries of a hash, by what they are for.
#[derive(Default)]
struct Parts {
    /// `base=…`
    base: Option<String>,
    /// What changes the scenario.
    steps: Vec<Step>,
    /// What a person did, and the moment.
    done: Vec<Entry>,
}

/// One change: all that is said of one part, or one setting.
#[derive(Clone)]
enum Step {
    Part(Vec<Entry>),
    Set(Entry),
}

impl Parts {
    fn of(entries: Vec<Entry>) -> (Parts, Vec<Mistake>) {
        let (mut parts, mut mistakes) = (Parts::default(), Vec::new());
        let mut sets = Vec::new();
        for entry in entries {
            match entry.path[0].as_str() {
                "v" => {}
                "base" if entry.path.len() == 1 => parts.base = Some(entry.value),
                "set" if entry.path.len() == 1 => sets.push(Step::Set(entry)),
                "inputs" | "t" | "t.nth" => parts.done.push(entry),
                root if patch::ROOTS.contains(&root) => match parts.steps.last_mut() {
                    Some(Step::Part(part)) if part[0].path.iter().take(2).eq(entry.path.iter().take(2)) => {
                        part.push(entry)
                    }
                    _ => parts.steps.push(Step::Part(vec![entry])),
                },
                other => {
                    let known = patch::ROOTS.into_iter().chain(["set", "base", "t", "t.nth", "v"]);
                    let near = nearest(other, known.clone());
                    let hint = near.map_or_else(
                        || format!("known: {}", known.collect::<Vec<_>>().join(", ")),
                        |near| format!("did you mean \"{near}\"?"),
                    );
                    mistakes.push(Mistake { place: entry.place(), problem: format!("nobody knows this word; {hint}") });
                }
            }
        }
        // A setting by name needs the parts to be there.
        parts.steps.append(&mut sets);
        (parts, mistakes)
    }
}

impl Step {
    fn place(&self) -> String {
        match self {
            Step::Part(entries) if entries.len() > 1 => {
                text::place(&entries[0].path[..2.min(entries[0].path.len())].join("/"))
            }
            Step::Part(entries) => entries[0].place(),
            Step::Set(entry) => text::place(&format!("set={}", entry.value)),
        }
    }
}

/// The scenario with all changes that can be.
fn changed(base: &Scenario, steps: Vec<Step>, mistakes: &mut Vec<Mistake>) -> Scenario {
    if steps.is_empty() {
        return base.clone();
    }
    if let Ok(all) = after(base, &steps) {
        return all;
    }
    let mut scenario = base.clone();
    let mut left = steps;
    for _ in 0..ROUNDS {
        let before = left.len();
        left.retain(|step| after(&scenario, std::slice::from_ref(step)).map(|better| scenario = better).is_err());
        if left.is_empty() || left.len() == before {
            break;
        }
    }
    for step in left {
        scenario = what_can_be(scenario, &step, mistakes);
    }
    scenario
}

/// Of a change that cannot be: what of it can. The rest is told.
fn what_can_be(scenario: Scenario, step: &Step, mistakes: &mut Vec<Mistake>) -> Scenario {
    let problem = match after(&scenario, std::slice::from_ref(step)) {
        Ok(better) => return better,
        Err(problem) => problem,
    };
    let Step::Part(entries) = step else {
        mistakes.push(Mistake { place: step.place(), problem });
        return scenario;
    };
    // Perhaps one of them is bad.
    for bad in 0..entries.len() {
        let rest = entries.iter().enumerate().filter(|(nth, _)| *nth != bad).map(|(_, entry)| entry.clone()).collect();
        if entries.len() > 1
            && let Ok(better) = after(&scenario, &[Step::Part(rest)])
        {
            mistakes.push(Mistake { place: entries[bad].place(), problem });
            return better;
        }
    }
    // Perhaps several are.
    let (mut some, mut refused) = (scenario.clone(), Vec::new());
    for entry in entries {
        match after(&some, &[Step::Part(vec![entry.clone()])]) {
            Ok(better) => some = better,
            Err(problem) => refused.push(Mistake { place: entry.place(), problem }),
        }
    }
    if refused.len() == entries.len() {
        mistakes.push(Mistake { place: step.place(), problem });
        return scenario;
    }
    mistakes.append(&mut refused);
    some
}

/// The scenario after all these changes, or the first thing that is wrong with it.
fn after(scenario: &Scenario, steps: &[Step]) -> Result<Scenario, String> {
    let mut document: Value = to_json(scenario);
    for entry in
        steps.iter().filter_map(|step| if let Step::Part(entries) = step { Some(entries) } else { None }).flatten()
    {
        patch::apply(&mut document, entry)?;
    }
    let first = |mut mistakes: Vec<Mistake>| mistakes.remove(0).to_string();
    let mut changed = parse_value(document).map_err(first)?;
    for step in steps {
        if let Step::Set(entry) = step {
            set(&mut changed, &entry.value).map_err(|mistake| mistake.to_string())?;
        }
    }
    build(&changed).map_err(first)?;
    Ok(changed)
}
