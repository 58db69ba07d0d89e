//! Compares answers field by field, and knows which differences are deliberate: `differences.md`.

use crate::golden::Answer;
use serde_json::Value;

/// One field in which an answer is not Kafka's.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// `produce/acks#3`: family, sequence, and which answer, from 1.
    pub place: String,
    /// `responses.partitionResponses.errorCode`: lists have no indexes.
    pub field: String,
    pub kafka: Value,
    pub ours: Value,
}

/// A row of `differences.md`.
#[derive(Clone, Debug)]
pub struct Listed {
    place: String,
    field: String,
    pub used: bool,
}

impl Listed {
    fn covers(&self, difference: &Difference) -> bool {
        let place = match self.place.strip_suffix('*') {
            Some(start) => difference.place.starts_with(start),
            None => difference.place == self.place || difference.place.split('#').next() == Some(self.place.as_str()),
        };
        let field = match self.field.strip_suffix(".*") {
            _ if self.field == "*" => true,
            None if self.field.starts_with("*.") => difference.field.ends_with(&self.field[1..]),
            Some(start) => {
                difference.field.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            None => difference.field == self.field,
        };
        place && field
    }

    /// As it stands in the list.
    pub fn row(&self) -> String {
        format!("{} | {}", self.place, self.field)
    }
}

/// Reads the table rows of the list: where, field, and why (which is for people).
pub fn listed(text: &str) -> Vec<Listed> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert!(cells.len() == 5 && cells[3].len() > 5, "a row has three cells, and says why: {line}");
        let bare = |cell: &str| cell.trim_matches('`').to_string();
        Listed { place: bare(cells[1]), field: bare(cells[2]), used: false }
    };
    rows.map(row).collect()
}

/// The differences that no row covers; rows that cover one are marked.
pub fn unlisted(found: Vec<Difference>, listed: &mut [Listed]) -> Vec<Difference> {
    let known = |difference: &Difference, listed: &mut [Listed]| {
        let mut any = false;
        for row in listed.iter_mut().filter(|row| row.covers(difference)) {
            row.used = true;
            any = true;
        }
        any
    };
    found.into_iter().filter(|difference| !known(difference, listed)).collect()
}

/// Whether the golden is of this script.
pub fn same_steps(kafka: &[Answer], ours: &[Answer]) -> bool {
    kafka.len() == ours.len() && kafka.iter().zip(ours).all(|(kafka, ours)| kafka.step == ours.step)
}

/// All differences between what Kafka answered to a sequence and what the engine did.
pub fn compare(sequence: &str, kafka: &[Answer], ours: &[Answer]) -> Vec<Difference> {
    let mut found = Vec::new();
    for (at, (kafka, ours)) in kafka.iter().zip(ours).enumerate() {
        let place = format!("{sequence}#{}", at + 1);
        let mut add = |field: &str, kafka: &Value, ours: &Value| {
            let (place, field) = (place.clone(), field.to_string());
            found.push(Difference { place, field, kafka: kafka.clone(), ours: ours.clone() });
        };
        if ours.response.get("refused").is_some() {
            add("refused", &Value::Null, &ours.response["refused"]);
        } else {
            fields("", &kafka.response, &ours.response, &mut add);
        }
    }
    found
}

/// Null, an empty list and nothing at all are the same.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

fn fields(path: &str, kafka: &Value, ours: &Value, add: &mut dyn FnMut(&str, &Value, &Value)) {
    match (kafka, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fields(&path, &kafka[name], &ours[name], add);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (a, b) in a.iter().zip(b) {
                fields(path, a, b, add);
            }
        }
        _ if kafka == ours || is_nothing(kafka) && is_nothing(ours) => {}
        _ => add(path, kafka, ours),
    }
}

#[test]
fn what_differs_is_found_and_what_is_listed_is_used() {
    use serde_json::json;
    let answer = |response: Value| [Answer { step: "s".into(), response }];
    let kafka = answer(json!({ "list": [{ "error": "NONE", "same": 1, "message": null }], "none": [] }));
    let ours = answer(json!({ "list": [{ "error": "WRONG", "same": 1 }], "more": 3 }));
    let found = compare("family/sequence", &kafka, &ours);
    let fields: Vec<&str> = found.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(fields, ["list.error", "more"]);
    let mut rows = listed("| `family/*` | `list.*` | because of this |\n| `*` | `*.other` | because of that |");
    let left = unlisted(found, &mut rows);
    assert_eq!((left.len(), left[0].field.as_str(), left[0].place.as_str()), (1, "more", "family/sequence#1"));
    assert_eq!((rows[0].used, rows[1].used), (true, false), "the second is stale");
}
