//! The difference between two JSON documents, as entries that people can read, and the way back.
//!
//! `producers/shop/config/acks=1`: things with names are found by them, faults and inputs by their place, and an empty
//! value takes away what is there. What a path leads to is made on the way: `consumers/audit/topics=orders` is enough for
//! a consumer more.
//!
//! Invariant: applied to `base`, in order, [`diff`] gives a document that says what `now` says (perhaps with `config`s that
//! are there and empty), for all that [`to_json`](super::super::to_json) writes.

use super::text::Entry;
use serde_json::{Map, Value};

/// The parts of a scenario, in the order in which one refers to those before it.
pub const ROOTS: [&str; 13] = [
    "id",
    "seed",
    "cluster",
    "topics",
    "network",
    "producers",
    "consumers",
    "processors",
    "groups",
    "faults",
    "until",
    "about",
    "inputs",
];
/// Lists of things that have a name.
const NAMED: [&str; 5] = ["topics", "producers", "consumers", "processors", "groups"];
/// Lists of things that have a place.
const PLACED: [&str; 2] = ["faults", "inputs"];
/// Objects of settings, whose values are texts.
const SETTINGS: [&str; 3] = ["config", "producer.config", "consumer.config"];
/// Lists of texts, written with commas: of which part, and under which key.
const TEXTS: [(&str, &str); 6] = [
    ("cluster", "racks"),
    ("consumers", "topics"),
    ("processors", "from"),
    ("processors", "to"),
    ("faults", "between"),
    ("inputs", "between"),
];
/// Lists of numbers.
const NUMBERS: [(&str, &str); 3] = [("network", "latency.us"), ("faults", "replicas"), ("inputs", "replicas")];

/// Whether the path leads to one of these lists.
fn leads_to(path: &[String], lists: &[(&str, &str)]) -> bool {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [root, key] | [root, _, key] => lists.contains(&(*root, *key)),
        _ => false,
    }
}

/// What makes `now` of `base`.
pub fn diff(base: &Value, now: &Value) -> Vec<Entry> {
    let mut out = Vec::new();
    for root in ROOTS {
        let (was, is) = (base.get(root), now.get(root));
        if was == is {
            continue;
        }
        let mut path = vec![root.to_owned()];
        match (was, is) {
            (None, Some(Value::Array(is))) if is_list(root) => items(root, &[], is, &mut path, &mut out),
            (Some(Value::Array(was)), Some(Value::Array(is))) if is_list(root) => {
                items(root, was, is, &mut path, &mut out);
            }
            (was, is) => change(was, is, &mut path, &mut out),
        }
    }
    out
}

fn is_list(root: &str) -> bool {
    NAMED.contains(&root) || PLACED.contains(&root)
}

fn items(root: &str, was: &[Value], is: &[Value], path: &mut Vec<String>, out: &mut Vec<Entry>) {
    let start = out.len();
    if PLACED.contains(&root) {
        by_place(was, is, path, out);
    } else if by_name(was, is, path, out).is_none() {
        out.truncate(start);
        out.push(entry(path, &Value::Array(is.to_vec())));
    }
}

/// None if the names do not tell all: two of them are alike, or their order changed.
fn by_name(was: &[Value], is: &[Value], path: &mut Vec<String>, out: &mut Vec<Entry>) -> Option<()> {
    let names =
        |list: &[Value]| -> Option<Vec<String>> { list.iter().map(|it| Some(name_of(it)?.to_owned())).collect() };
    let (old, new) = (names(was)?, names(is)?);
    let kept: Vec<&String> = old.iter().filter(|name| new.contains(name)).collect();
    let twice = |names: &[String]| names.iter().enumerate().any(|(i, name)| names[..i].contains(name));
    if twice(&old) || twice(&new) || !new.iter().take(kept.len()).eq(kept.iter().copied()) {
        return None;
    }
    for name in old.iter().filter(|name| !new.contains(name)) {
        out.push(gone(path, name));
    }
    for (name, item) in new.iter().zip(is) {
        path.push(name.clone());
        let before = old.iter().position(|it| it == name).map(|place| &was[place]);
        let only_name = Value::Object(Map::from_iter([("name".to_owned(), Value::from(name.as_str()))]));
        let length = out.len();
        change(Some(before.unwrap_or(&only_name)), Some(item), path, out);
        if before.is_none() && out.len() == length {
            // It has a name and nothing else, but it is there.
            out.push(Entry { path: path.clone(), value: "{}".to_owned() });
        }
        path.pop();
    }
    Some(())
}

fn by_place(was: &[Value], is: &[Value], path: &mut Vec<String>, out: &mut Vec<Entry>) {
    let fewer = is.len() < was.len();
    let same = |(a, b): &(&Value, &Value)| a == b;
    let first = was.iter().zip(is).take_while(same).count();
    let alike = was.iter().rev().zip(is.iter().rev()).take_while(same).count();
    // Of a longer list the end is new; of a shorter one the middle may be gone.
    let last = if fewer { alike.min(is.len() - first) } else { 0 };
    for (place, item) in is.iter().enumerate().take(is.len() - last).skip(first) {
        path.push(place.to_string());
        let before = was.get(place).cloned().unwrap_or_else(|| Value::Object(Map::new()));
        change(Some(&before), Some(item), path, out);
        path.pop();
    }
    for _ in is.len()..was.len() {
        out.push(gone(path, &(is.len() - last).to_string()));
    }
}

fn name_of(item: &Value) -> Option<&str> {
    item.get("name")?.as_str().filter(|name| !name.is_empty())
}

fn gone(path: &[String], name: &str) -> Entry {
    let path = path.iter().map(String::as_str).chain([name]).map(str::to_owned).collect();
    Entry { path, value: String::new() }
}

fn change(was: Option<&Value>, is: Option<&Value>, path: &mut Vec<String>, out: &mut Vec<Entry>) {
    match (was, is) {
        (was, is) if was == is => {}
        (Some(Value::Object(was)), None) if path.last().is_some_and(|key| SETTINGS.contains(&key.as_str())) => {
            out.extend(was.keys().map(|key| gone(path, key)));
        }
        (_, None) => out.push(Entry { path: path.clone(), value: String::new() }),
        (Some(Value::Object(was)), Some(Value::Object(is))) => {
            for (key, value) in was.iter().filter(|(key, _)| !is.contains_key(*key)) {
                path.push(key.clone());
                change(Some(value), None, path, out);
                path.pop();
            }
            for (key, value) in is {
                path.push(key.clone());
                change(was.get(key), Some(value), path, out);
                path.pop();
            }
        }
        (None, Some(Value::Object(is))) if !is.is_empty() => {
            for (key, value) in is {
                path.push(key.clone());
                change(None, Some(value), path, out);
                path.pop();
            }
        }
        (_, Some(is)) => out.push(entry(path, is)),
    }
}

/// Whether the path leads to a setting.
fn is_setting(path: &[String]) -> bool {
    path.len() > 1 && SETTINGS.contains(&path[path.len() - 2].as_str())
}

fn entry(path: &[String], value: &Value) -> Entry {
    Entry { path: path.to_vec(), value: write(path, value) }
}

/// A value as it is written: bare where it can be read back, else as JSON.
fn write(path: &[String], value: &Value) -> String {
    match value {
        Value::String(text) if is_setting(path) && !text.is_empty() && !text.starts_with('"') => text.clone(),
        Value::String(text) if !is_setting(path) && is_bare(text) => text.clone(),
        Value::Array(list) if !list.is_empty() && leads_to(path, &TEXTS) => {
            let plain =
                |it: &Value| it.as_str().filter(|it| !it.is_empty() && !it.contains([',', '['])).map(str::to_owned);
            let texts: Option<Vec<String>> = list.iter().map(plain).collect();
            texts.map_or_else(|| value.to_string(), |texts| texts.join(","))
        }
        Value::Array(list) if !list.is_empty() && leads_to(path, &NUMBERS) && list.iter().all(Value::is_u64) => {
            list.iter().map(Value::to_string).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// A text that nobody takes for anything else.
fn is_bare(text: &str) -> bool {
    !text.is_empty() && serde_json::from_str::<Value>(text).is_err()
}

/// The value that is written so.
fn read(path: &[String], text: &str) -> Value {
    if is_setting(path) && !text.starts_with('"') {
        return Value::from(text);
    }
    if !text.starts_with('[') && leads_to(path, &TEXTS) {
        return text.split(',').map(Value::from).collect();
    }
    if !text.starts_with('[') && leads_to(path, &NUMBERS) {
        return text.split(',').map(|it| serde_json::from_str(it).unwrap_or_else(|_| Value::from(it))).collect();
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

/// Sets what the entry names, or takes it away; says why not.
pub fn apply(document: &mut Value, entry: &Entry) -> Result<(), String> {
    let Some((key, way)) = entry.path.split_last() else { return Ok(()) };
    let mut at = document;
    for (depth, step) in way.iter().enumerate() {
        at = enter(at, &entry.path[..depth], step)?;
    }
    match at {
        Value::Object(fields) if entry.value.is_empty() => drop(fields.remove(key)),
        Value::Object(fields) => drop(fields.insert(key.clone(), read(&entry.path, &entry.value))),
        Value::Array(list) if entry.value.is_empty() => {
            let found = find(list, way, key)?.ok_or_else(|| format!("there is no \"{key}\" to take away"))?;
            list.remove(found);
        }
        Value::Array(list) => {
            let mut item = read(&entry.path, &entry.value);
            if let (Value::Object(fields), true) = (&mut item, NAMED.contains(&way[0].as_str())) {
                fields.insert("name".to_owned(), Value::from(key.as_str()));
            }
            match find(list, way, key)? {
                Some(place) => list[place] = item,
                None => list.push(item),
            }
        }
        other => return Err(format!("\"{}\" is {other}, and has no parts", way.join("/"))),
    }
    Ok(())
}

/// What `step` leads to from `at`; made, where there is nothing.
fn enter<'a>(at: &'a mut Value, way: &[String], step: &str) -> Result<&'a mut Value, String> {
    match at {
        Value::Object(fields) => {
            let list = way.is_empty() && is_list(step);
            let empty = || if list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
            Ok(fields.entry(step).or_insert_with(empty))
        }
        Value::Array(list) => {
            let place = match find(list, way, step)? {
                Some(place) => place,
                None => {
                    let name = NAMED.contains(&way[0].as_str()).then(|| ("name".to_owned(), Value::from(step)));
                    list.push(Value::Object(name.into_iter().collect()));
                    list.len() - 1
                }
            };
            Ok(&mut list[place])
        }
        other => Err(format!("\"{}\" is {other}, and has no parts", way.join("/"))),
    }
}

/// Where in a list `step` is; none for one that may be added.
fn find(list: &[Value], way: &[String], step: &str) -> Result<Option<usize>, String> {
    let [root] = way else { return Err(format!("\"{}\" is a list: give all of it", way.join("/"))) };
    if NAMED.contains(&root.as_str()) {
        return Ok(list.iter().position(|item| name_of(item) == Some(step)));
    }
    if !PLACED.contains(&root.as_str()) {
        return Err(format!("\"{root}\" is a list: give all of it"));
    }
    let place = step.parse().ok().filter(|place: &usize| *place <= list.len());
    let place = place.ok_or_else(|| format!("\"{step}\" is no place here: 0 to {}", list.len()))?;
    Ok(Some(place).filter(|place| *place < list.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn apply_all(base: &Value, entries: &[Entry]) -> Value {
        let mut document = base.clone();
        entries.iter().for_each(|entry| apply(&mut document, entry).unwrap_or_else(|it| panic!("{entry:?}: {it}")));
        let parts = document.as_object_mut().expect("an object").values_mut().filter_map(Value::as_array_mut).flatten();
        for part in parts.filter_map(Value::as_object_mut) {
            part.retain(|key, value| key != "config" || *value != json!({}));
        }
        document
    }

    /// The difference, as text; both ways round it is a difference.
    fn there_and_back(base: &Value, now: &Value) -> String {
        assert_eq!(apply_all(now, &diff(now, base)), *base, "back");
        let entries = diff(base, now);
        assert_eq!(apply_all(base, &entries), *now, "there");
        entries
            .iter()
            .map(|it| format!("{}={} ", it.path.join("/"), it.value))
            .collect::<String>()
            .trim_end()
            .to_owned()
    }

    #[test]
    fn things_are_found_by_name() {
        let base = json!({ "topics": [{ "name": "a" }, { "name": "b", "partitions": 2, "config": { "y": "2" } }] });
        let now = json!({ "topics": [{ "name": "b", "partitions": 3, "config": { "x": "1" } }, { "name": "c" }] });
        assert_eq!(
            there_and_back(&base, &now),
            "topics/a= topics/b/config/y= topics/b/config/x=1 topics/b/partitions=3 topics/c={}"
        );
        let turned = json!({ "topics": [{ "name": "b" }, { "name": "a" }] });
        assert!(there_and_back(&base, &turned).starts_with("topics=[{"), "an order is a list");
    }

    #[test]
    fn faults_are_found_by_place() {
        let fault = |nth: u32| json!({ "on": { "message": "Fetch", "nth": nth }, "do": "stall" });
        let base = json!({ "faults": [fault(1), fault(2), fault(3)] });
        assert_eq!(there_and_back(&base, &json!({ "faults": [fault(1), fault(3)] })), "faults/1=");
        assert_eq!(there_and_back(&base, &json!({ "faults": [fault(3)] })), "faults/0= faults/0=");
        assert_eq!(there_and_back(&base, &json!({ "faults": [fault(1), fault(9), fault(3)] })), "faults/1/on/nth=9");
        assert_eq!(there_and_back(&base, &json!({})), "faults=");
        let more = there_and_back(&base, &json!({ "faults": [fault(1), fault(2), fault(3), fault(4)] }));
        assert_eq!(more, "faults/3/do=stall faults/3/on/message=Fetch faults/3/on/nth=4");
    }

    #[test]
    fn values_keep_what_they_are() {
        let base = json!({ "consumers": [{ "name": "m" }], "network": {} });
        let half: Value = serde_json::from_str("1.5").expect("a number");
        let config = json!({ "a": "1", "b": "", "c": "\"x\"", "d": "true", "e": "[" });
        let now = json!({ "consumers": [{ "name": "m", "config": config, "group": "7", "topics": ["a", "b"], "start.at.ms": half,
                                          "retry.topic": "null", "assign": true }],
                          "network": { "latency.us": [5, 6] } });
        assert_eq!(
            there_and_back(&base, &now),
            "network/latency.us=5,6 consumers/m/assign=true consumers/m/config/a=1 consumers/m/config/b=\"\" \
             consumers/m/config/c=\"\\\"x\\\"\" consumers/m/config/d=true consumers/m/config/e=[ consumers/m/group=\"7\" \
             consumers/m/retry.topic=\"null\" consumers/m/start.at.ms=1.5 consumers/m/topics=a,b"
        );
    }

    #[test]
    fn a_way_that_leads_nowhere_is_told_and_changes_nothing() {
        let base = json!({ "seed": 1, "topics": [{ "name": "a", "racks": ["x"] }], "faults": [] });
        for (path, told) in [
            ("seed/x", "\"seed\" is 1, and has no parts"),
            ("faults/7", "\"7\" is no place here: 0 to 0"),
            ("faults/-1", "is no place here"),
            ("topics/b", "there is no \"b\" to take away"),
            ("topics/a/racks/0", "is a list: give all of it"),
        ] {
            let mut document = base.clone();
            let path = path.split('/').map(str::to_owned).collect();
            let error = apply(&mut document, &Entry { path, value: String::new() }).expect_err("no way");
            assert!(error.contains(told), "{error}");
            assert_eq!(document, base);
        }
    }
}
