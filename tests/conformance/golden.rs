//! Golden files: what a real Kafka answered, by sequence.

use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// What a step brought.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// What was done, in words.
    pub step: String,
    pub response: Value,
}

/// Objects and lists that fit are written on one line.
const WIDTH: usize = 150;

/// Writes the goldens of a family.
pub fn write(path: &Path, sequences: &[(String, Vec<Answer>)]) {
    let mut text = String::from("{\n");
    for (at, (name, answers)) in sequences.iter().enumerate() {
        writeln!(text, "  {}: [", Value::from(name.as_str())).expect("a string takes all");
        for (at, answer) in answers.iter().enumerate() {
            let comma = if at + 1 < answers.len() { "," } else { "" };
            let step = Value::from(answer.step.as_str());
            write!(text, "    {{ \"step\": {step},\n      \"response\": ").expect("a string takes all");
            pretty(&mut text, &answer.response, 6);
            writeln!(text, " }}{comma}").expect("a string takes all");
        }
        writeln!(text, "  ]{}", if at + 1 < sequences.len() { "," } else { "" }).expect("a string takes all");
    }
    text.push_str("}\n");
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn pretty(text: &mut String, value: &Value, indent: usize) {
    let line = value.to_string();
    let nested = |text: &mut String, open: char, close: char, parts: &mut dyn Iterator<Item = (String, &Value)>| {
        text.push(open);
        for (at, (head, value)) in parts.enumerate() {
            text.push_str(if at == 0 { "\n" } else { ",\n" });
            text.push_str(&" ".repeat(indent + 2));
            text.push_str(&head);
            pretty(text, value, indent + 2);
        }
        text.push('\n');
        text.push_str(&" ".repeat(indent));
        text.push(close);
    };
    match value {
        Value::Object(fields) if line.len() + indent > WIDTH => {
            let mut parts = fields.iter().map(|(name, value)| (format!("{}: ", Value::from(name.as_str())), value));
            nested(text, '{', '}', &mut parts);
        }
        Value::Array(list) if line.len() + indent > WIDTH && list.len() == 1 => {
            text.push('[');
            pretty(text, &list[0], indent);
            text.push(']');
        }
        Value::Array(list) if line.len() + indent > WIDTH => {
            nested(text, '[', ']', &mut list.iter().map(|value| (String::new(), value)));
        }
        _ => text.push_str(&line),
    }
}

/// Partitions, topics and members in their order: in Kafka it comes out of hash maps.
pub fn in_order(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let of_groups = fields.get("topic").is_some_and(|topic| topic == "__consumer_offsets");
            if let Some(Value::Array(list)) = fields.get_mut("partitions").filter(|list| are_numbers(list)) {
                list.sort_by_key(Value::as_i64);
                // Which one is a group's depends on its name, to which a recording adds.
                if of_groups {
                    list.iter_mut().for_each(|partition| *partition = Value::from("a group's"));
                }
            }
            fields.values_mut().for_each(in_order);
        }
        Value::Array(list) => {
            list.iter_mut().for_each(in_order);
            list.sort_by_key(|it| {
                let number = ["index", "partitionIndex", "partitionId", "partition", "nodeId"]
                    .iter()
                    .find_map(|key| it.get(*key)?.as_i64());
                let name = ["name", "topic", "topicId", "groupId", "memberId", "producerId", "transactionalId"]
                    .iter()
                    .find_map(|key| it.get(*key)?.as_str());
                (number, name.map(str::to_string))
            });
        }
        _ => {}
    }
}

fn are_numbers(list: &Value) -> bool {
    list.as_array().is_some_and(|list| list.iter().all(Value::is_i64))
}

/// Reads the goldens of a family.
pub fn read(path: &Path) -> Vec<(String, Vec<Answer>)> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let answer = |json: &Value| Answer {
        step: json["step"].as_str().unwrap_or_default().to_string(),
        response: json["response"].clone(),
    };
    let sequence = |(name, answers): (&String, &Value)| {
        (name.clone(), answers.as_array().into_iter().flatten().map(answer).collect())
    };
    json.as_object().into_iter().flatten().map(sequence).collect()
}
