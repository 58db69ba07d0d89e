//! Links that were written once. `tests/golden/links.json` only grows: what stands in it is in somebody's documentation.

use delivery_lab::scenario::link::{self, Opened};
use serde_json::Value;

fn golden() -> Vec<Value> {
    serde_json::from_str(include_str!("../golden/links.json")).expect("a list")
}

/// Whether `found` says all that `meant` says. A name or a place stands for what a list holds there, null for what is
/// absent.
fn says(found: &Value, meant: &Value, place: &str) -> Result<(), String> {
    let wrong = || Err(format!("{place}: {found}, and not {meant}"));
    match (found, meant) {
        (_, Value::Object(fields)) => fields.iter().try_for_each(|(key, meant)| {
            let part = match found {
                Value::Array(list) => {
                    list.iter().find(|it| it["name"] == **key).or_else(|| list.get(key.parse::<usize>().ok()?))
                }
                other => other.get(key),
            };
            says(part.unwrap_or(&Value::Null), meant, &format!("{place}/{key}"))
        }),
        (found, meant) if found == meant => Ok(()),
        _ => wrong(),
    }
}

#[test]
fn links_mean_what_they_meant_when_they_were_written() {
    let all = golden();
    assert!(all.len() >= 30, "{}", all.len());
    for one in &all {
        let (name, text) = (&one["name"], one["link"].as_str().expect("a link"));
        let Opened { link, mistakes, .. } = link::read_text(text);
        assert_eq!(mistakes, [], "{name}");
        let found = link::to_json(&link);
        if let Some(whole) = one.get("is") {
            assert_eq!(found, *whole, "{name}");
        }
        if let Some(meant) = one.get("says") {
            says(&found, meant, "").unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        }
        assert!(one.get("is").is_some() || one.get("says").is_some(), "{name}: what is it to mean?");
        let written = link::write(&link);
        assert_eq!(link::read(&written.query, &written.hash).link, link, "{name}: it means the same written again");
    }
}

#[test]
fn the_comparison_can_fail() {
    let found = serde_json::json!({ "a": [{ "name": "x", "b": 1 }], "c": 2 });
    for (meant, fits) in [
        (r#"{ "a": { "x": { "b": 1 } } }"#, true),
        (r#"{ "a": { "0": { "b": 1, "d": null } } }"#, true),
        (r#"{ "a": { "x": { "b": 2 } } }"#, false),
        (r#"{ "a": { "y": { "b": 1 } } }"#, false),
        (r#"{ "c": null }"#, false),
    ] {
        assert_eq!(says(&found, &serde_json::from_str(meant).expect("JSON"), "").is_ok(), fits, "{meant}");
    }
}
