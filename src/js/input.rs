//! What comes from JavaScript. It is read as JSON text: objects that lead in circles, functions and the like are told as
//! what they are, and one reader ([`crate::scenario`]) knows every key.

use crate::base::config::suggest::nearest;
use crate::scenario::link::{self, Link};
use crate::scenario::{self, Mistake, Scenario, library};
use crate::session::{Command, Session};
use crate::view::MessageFate;
use js_sys::{Error, JSON};
use serde_json::{Map, Number, Value, json};
use wasm_bindgen::{JsCast, JsValue};

/// Whole numbers beyond it are not whole in JavaScript.
const LARGEST: u64 = (1 << 53) - 1;
/// Events at once, if nothing is said.
const EVENTS: u64 = 1_000;

fn wrong<T>(place: &str, problem: impl Into<String>) -> Result<T, Vec<Mistake>> {
    Err(vec![Mistake { place: place.to_owned(), problem: problem.into() }])
}

fn is_absent(value: &JsValue) -> bool {
    value.is_undefined() || value.is_null()
}

/// As `JSON.stringify` has it.
fn json(place: &str, value: &JsValue) -> Result<Value, Vec<Mistake>> {
    let text = match JSON::stringify(value) {
        Ok(text) => text.as_string(),
        Err(error) => {
            let said = error.dyn_ref::<Error>().map_or_else(String::new, |error| String::from(error.message()));
            return wrong(place, format!("it has no JSON: {}", said.lines().next().unwrap_or_default()));
        }
    };
    // A function or a symbol has none; nor have they any in a text that is not one.
    let Some(text) = text else { return wrong(place, format!("expected an object, found {}", kind(value))) };
    serde_json::from_str(&text).or_else(|error| wrong(place, format!("not JSON: {error}")))
}

fn kind(value: &JsValue) -> String {
    value.js_typeof().as_string().unwrap_or_default()
}

fn object(place: &str, value: &JsValue) -> Result<Map<String, Value>, Vec<Mistake>> {
    match json(place, value)? {
        Value::Object(fields) => Ok(fields),
        other => wrong(place, format!("expected an object, found {other}")),
    }
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let near = nearest(key, known.iter().copied());
    let hint =
        near.map_or_else(|| format!("known here: {}", known.join(", ")), |near| format!("did you mean \"{near}\"?"));
    format!("unknown key \"{key}\"; {hint}")
}

/// A whole number; absent, what stands for it, if something does.
pub fn whole(place: &str, value: &JsValue, absent: Option<i64>) -> Result<i64, Vec<Mistake>> {
    if let Some(absent) = absent.filter(|_| is_absent(value)) {
        return Ok(absent);
    }
    let number = value.as_f64().filter(|it| it.fract() == 0.0 && it.abs() <= LARGEST as f64);
    number.map(|it| it as i64).ok_or(()).or_else(|()| {
        let found = value.as_f64().map_or_else(|| kind(value), |number| number.to_string());
        wrong(place, format!("expected a whole number, found {found}"))
    })
}

/// A whole number from 0.
pub fn count(place: &str, value: &JsValue, absent: Option<i64>) -> Result<u64, Vec<Mistake>> {
    let number = whole(place, value, absent)?;
    u64::try_from(number).or_else(|_| wrong(place, format!("expected a number from 0, found {number}")))
}

/// A text.
pub fn text(place: &str, value: &JsValue) -> Result<String, Vec<Mistake>> {
    value.as_string().ok_or(()).or_else(|()| wrong(place, format!("expected a text, found {}", kind(value))))
}

/// A run of what is asked for, and the moment that it shows.
pub fn session(asked: &JsValue, options: &JsValue) -> Result<(Session, u64), Vec<Mistake>> {
    let mut found = match asked.as_string() {
        Some(text) => named(text.trim())?,
        None => link::parse(&json("scenario", asked)?.to_string())?,
    };
    if !is_absent(options) {
        apply(&mut found.scenario, object("options", options)?)?;
    }
    let seed = found.scenario.seed;
    if seed > LARGEST {
        return wrong("scenario.seed", format!("{seed} is more than JavaScript can count; at most {LARGEST}"));
    }
    if found.inputs.is_empty() && found.at.is_none() {
        return Session::new(found.scenario).map(|session| (session, 0));
    }
    let (session, mistakes) = Session::open(&found)?;
    let at_us = found.at.map_or(0, |at| at.us);
    if mistakes.is_empty() { Ok((session, at_us)) } else { Err(mistakes) }
}

/// JSON, a link, or an id.
fn named(text: &str) -> Result<Link, Vec<Mistake>> {
    if text.starts_with('{') {
        return link::parse(text);
    }
    if text.starts_with("http") || text.starts_with(['?', '#']) {
        let opened = link::read_text(text);
        return if opened.mistakes.is_empty() { Ok(opened.link) } else { Err(opened.mistakes) };
    }
    library::get(text).map(Link::from).ok_or(()).or_else(|()| {
        let near = nearest(text, library::ids());
        let hint = near.map_or_else(
            || format!("known: {}", library::ids().collect::<Vec<_>>().join(", ")),
            |id| format!("did you mean \"{id}\"?"),
        );
        wrong("scenario", format!("\"{text}\" is neither JSON, nor a link, nor a scenario of the library; {hint}"))
    })
}

/// `{ seed, set }`: what `lab run --seed --set` says.
fn apply(scenario: &mut Scenario, options: Map<String, Value>) -> Result<(), Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut wrong = |place: &str, problem: String| mistakes.push(Mistake { place: place.to_owned(), problem });
    for (key, value) in options {
        match (key.as_str(), value) {
            ("seed", Value::Null) | ("set", Value::Null) => {}
            ("seed", value) => match value.as_u64() {
                Some(seed) => scenario.seed = seed,
                None => wrong("options.seed", format!("expected a whole number from 0, found {value}")),
            },
            ("set", Value::Object(settings)) => {
                for (key, value) in settings {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    if let Err(mistake) = scenario::set(scenario, &format!("{key}={value}")) {
                        wrong(&format!("options.set.{key}"), mistake.problem);
                    }
                }
            }
            ("set", value) => wrong("options.set", format!("expected an object of settings, found {value}")),
            _ => wrong("options", unknown_key(&key, &["seed", "set"])),
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

/// Which events are asked for.
pub struct Events {
    /// From this number on.
    pub from: u64,
    /// At most so many.
    pub limit: usize,
    /// Messages, too.
    pub messages: bool,
}

/// Reads `{ from, limit, messages }`.
pub fn events(options: &JsValue) -> Result<Events, Vec<Mistake>> {
    let fields = if is_absent(options) { Map::new() } else { object("options", options)? };
    let known = ["from", "limit", "messages"];
    if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str())) {
        return wrong("options", unknown_key(key, &known));
    }
    let number = |key: &str, absent: u64| match fields.get(key) {
        None | Some(Value::Null) => Ok(absent),
        Some(value) => value
            .as_u64()
            .ok_or(())
            .or_else(|()| wrong(&format!("options.{key}"), format!("expected a whole number from 0, found {value}"))),
    };
    let messages = match fields.get("messages") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(messages)) => *messages,
        Some(other) => return wrong("options.messages", format!("expected true or false, found {other}")),
    };
    let limit = usize::try_from(number("limit", EVENTS)?).unwrap_or(usize::MAX);
    Ok(Events { from: number("from", 0)?, limit, messages })
}

/// A fault in the words of a scenario. Without a time it is for now; `"on": { "message": 12 }` names a message on its way.
pub fn fault(asked: &JsValue, session: &mut Session, now: u64) -> Result<Command, Vec<Mistake>> {
    let mut fields = object("fault", asked)?;
    let id = fields.get("on").and_then(|on| on.get("message")).and_then(Value::as_u64);
    if let Some(message) = id {
        if fields.get("on").and_then(Value::as_object).is_some_and(|on| on.len() > 1) {
            return wrong("fault.on", "a message that is named by its id needs nothing else");
        }
        let view = session.view();
        if !view.messages.iter().any(|it| it.id == message && it.fate != MessageFate::Lost) {
            return wrong(
                "fault.on.message",
                format!("message {message} is not on its way: `view().messages` has those that are"),
            );
        }
        // The reader of faults knows kinds of messages only; any of them says the same of the rest.
        fields.insert("on".to_owned(), json!({ "message": "ProduceRequest" }));
        let what = scenario::parse_fault(fields)?.what;
        return Ok(Command::MessageFault { message, what, at_us: now });
    }
    let is_now = !fields.contains_key("at.ms") && !fields.contains_key("on");
    if is_now {
        fields.insert("at.ms".to_owned(), Value::Number(millis(now)));
    }
    let fault = scenario::parse_fault(fields)?;
    Ok(Command::Plan(fault))
}

/// Milliseconds to the microsecond.
fn millis(us: u64) -> Number {
    let text = format!("{}.{:03}", us / 1_000, us % 1_000);
    text.parse().unwrap_or_else(|_| Number::from(us / 1_000))
}
