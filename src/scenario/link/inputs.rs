//! What a person did, and when: as data, and as JSON.
//!
//! A moment in microseconds is not always enough: several events can share one. [`Moment::nth`] tells how many of them came
//! before, where it matters.

use crate::base::SortedSet;
use crate::scenario::format::What;
use crate::scenario::parse::read_what;
use crate::scenario::reader::{Mistake, Mistakes, Reader};
use crate::scenario::write::{insert, what};
use serde_json::{Map, Value, json};
use std::rc::Rc;

/// A person does less in an hour.
const MOST_INPUTS: usize = 500;
/// A year.
const LATEST_US: u64 = 366 * 24 * 3_600 * 1_000_000;

/// A place in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Microseconds since the beginning.
    pub us: u64,
    /// After how many of the events of this very microsecond; none for all of them.
    pub nth: Option<u32>,
}

impl Moment {
    /// After all events of that microsecond.
    pub const fn at(us: u64) -> Moment {
        Moment { us, nth: None }
    }
}

/// Something that a person made go wrong.
#[derive(Clone, PartialEq, Debug)]
pub struct Input {
    /// When.
    pub at: Moment,
    /// What.
    pub what: What,
    /// On which message, where it strikes one: the number that it has in this run.
    pub message: Option<u64>,
    /// What that message is: `ProduceResponse`. Another engine may number messages otherwise, and this tells.
    pub kind: Option<Rc<str>>,
}

/// An input as it stands in a link.
pub fn to_json(input: &Input) -> Value {
    let mut out = Map::new();
    out.insert("at.us".into(), json!(input.at.us));
    insert(&mut out, "nth", input.at.nth.map(Value::from));
    insert(&mut out, "message", input.message.map(Value::from));
    insert(&mut out, "kind", input.kind.as_deref().map(Value::from));
    what(&mut out, &input.what);
    Value::Object(out)
}

fn read(r: &mut Reader<'_>) -> Option<Input> {
    if !r.has("at.us") {
        r.mistake("\"at.us\" is missing: the moment, in microseconds");
    }
    let us = r.number("at.us", 0, 0, LATEST_US);
    let at = Moment { us, nth: nth(r, "nth") };
    let message = r.has("message").then(|| r.number("message", 0, 0, u64::MAX));
    let kind = r.text("kind");
    let what = read_what(r)?;
    let strikes = matches!(what, What::Reset | What::Stall | What::Delay { .. });
    match (strikes, message) {
        (true, None) => r.mistake("\"message\" is missing: the number of the message that it strikes"),
        (false, Some(_)) => r.mistake("\"message\": only reset, stall and delay strike one"),
        _ => {}
    }
    Some(Input { at, what, message, kind: kind.filter(|_| strikes) })
}

fn nth(r: &mut Reader<'_>, key: &'static str) -> Option<u32> {
    r.has(key).then(|| r.number(key, 0, 0, u64::from(u32::MAX - 1)) as u32)
}

/// Takes the inputs and the moment out of a document. What is wrong with one of them is told, and the others are kept.
pub fn take(document: &mut Value, mistakes: &mut Vec<Mistake>) -> (Vec<Input>, Option<Moment>) {
    let Value::Object(fields) = document else { return (Vec::new(), None) };
    let mut wrong = Mistakes::default();
    let cursor: Map<String, Value> = ["t", "t.nth"].into_iter().filter_map(|key| fields.remove_entry(key)).collect();
    let at = read_cursor(cursor, &mut wrong);
    let inputs = read_inputs(fields.remove("inputs"), &mut wrong);
    mistakes.extend(wrong.0);
    (inputs, at)
}

fn read_cursor(cursor: Map<String, Value>, wrong: &mut Mistakes) -> Option<Moment> {
    if cursor.is_empty() {
        return None;
    }
    let before = wrong.0.len();
    let read = |r: &mut Reader<'_>| {
        if !r.has("t") {
            r.mistake("\"t.nth\" needs \"t\": the moment, in microseconds");
        }
        Moment { us: r.number("t", 0, 0, LATEST_US), nth: nth(r, "t.nth") }
    };
    let at = Reader::read("t", cursor.into(), wrong, read);
    at.filter(|_| wrong.0.len() == before)
}

fn read_inputs(list: Option<Value>, wrong: &mut Mistakes) -> Vec<Input> {
    let items = match list {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            wrong.add("inputs", "expected a list");
            return Vec::new();
        }
    };
    if items.len() > MOST_INPUTS {
        wrong.add("inputs", format!("{} of them; the first {MOST_INPUTS} are used", items.len()));
    }
    let mut found = Vec::new();
    for (place, item) in items.into_iter().take(MOST_INPUTS).enumerate() {
        let before = wrong.0.len();
        let input = Reader::read(format!("inputs[{place}]"), item, wrong, read).flatten();
        found.extend(input.filter(|_| wrong.0.len() == before));
    }
    in_order(found)
}

/// By their moments; those of one microsecond as they stood, for one may follow from the other.
fn in_order(found: Vec<Input>) -> Vec<Input> {
    let places: SortedSet<(u64, usize)> = found.iter().enumerate().map(|(place, input)| (input.at.us, place)).collect();
    places.iter().map(|(_, place)| found[*place].clone()).collect()
}
