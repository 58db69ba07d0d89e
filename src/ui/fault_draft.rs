//! A fault while it is being typed: the words of the scenario format, by field, as text.
//!
//! The format's own reader decides what is right, so the form knows no rule of its own.

use super::i18n::Texts;
use delivery_lab::protocol::ApiKey;
use delivery_lab::scenario::format::{EventWord, Fault};
use delivery_lab::scenario::{fault_to_json, parse_fault};
use serde_json::{Map, Value};
use std::rc::Rc;

/// How a field is filled in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    /// Numbers with commas between.
    Numbers,
    Text,
    /// One of the nodes.
    Node,
    /// One of them, or any.
    AnyNode,
    /// One of them, or all.
    EveryNode,
    /// A request or a response.
    Message,
    /// Something that happens at a node.
    Event,
    /// Preferred or unclean.
    Election,
    /// Both directions of a link, or one.
    Ways,
}

/// One field.
#[derive(PartialEq, Eq)]
pub struct Field {
    /// Its id in the page, and where it stands in the format unless `key` says otherwise.
    pub id: &'static str,
    key: &'static str,
    pub kind: Kind,
    first: &'static str,
}

const fn field(id: &'static str, key: &'static str, kind: Kind, first: &'static str) -> Field {
    Field { id, key, kind, first }
}

const NTH: Field = field("nth", "on.nth", Kind::Number, "1");
const NODE: Field = field("fault-node", "node", Kind::Node, "");
const OTHER: Field = field("fault-other", "between", Kind::EveryNode, "");
const FOR: Field = field("for.ms", "for.ms", Kind::Number, "");
const BY: Field = field("by.ms", "by.ms", Kind::Number, "1000");
const TOPIC: Field = field("topic", "topic", Kind::Text, "");
const NUMBER: Field = field("fault-partition", "partition", Kind::Number, "");
const OFFSET: Field = field("offset", "offset", Kind::Number, "");

/// When a fault fires: a word, and its fields.
pub const WHENS: &[(&str, &[Field])] = &[
    ("at", &[field("at.ms", "at.ms", Kind::Number, "500")]),
    (
        "message",
        &[
            field("fault-kind", "on.message", Kind::Message, "ProduceResponse"),
            field("fault-from", "on.from", Kind::AnyNode, ""),
            field("fault-to", "on.to", Kind::AnyNode, ""),
            NTH,
        ],
    ),
    (
        "event",
        &[
            field("fault-event", "on.event", Kind::Event, "appended"),
            field("fault-at", "on.node", Kind::AnyNode, ""),
            NTH,
        ],
    ),
];

/// The verbs and their fields; the last ones strike a message.
pub const VERBS: &[(&str, &[Field])] = &[
    ("crash", &[NODE, FOR]),
    ("shutdown", &[NODE, FOR]),
    ("power_loss", &[NODE, FOR]),
    ("restart", &[NODE]),
    ("pause", &[NODE, FOR]),
    ("resume", &[NODE]),
    ("partition", &[NODE, OTHER, field("fault-ways", "one.way", Kind::Ways, ""), FOR]),
    ("heal", &[NODE, OTHER]),
    ("slow", &[field("fault-node", "node", Kind::AnyNode, ""), OTHER, BY, FOR]),
    ("skew_clock", &[NODE, BY]),
    ("corrupt", &[NODE, field("partition", "partition", Kind::Text, ""), OFFSET]),
    ("slow_disk", &[NODE, BY, FOR]),
    ("full_disk", &[NODE, FOR]),
    ("elect_leaders", &[field("fault-type", "type", Kind::Election, "preferred"), TOPIC, NUMBER]),
    ("create_partitions", &[TOPIC, field("count", "count", Kind::Number, "2")]),
    ("reassign", &[TOPIC, NUMBER, field("replicas", "replicas", Kind::Numbers, "")]),
    ("delete_records", &[TOPIC, NUMBER, OFFSET]),
    ("abort_transaction", &[TOPIC, NUMBER, OFFSET]),
    ("alter_config", &[TOPIC]),
    ("reset", &[]),
    ("stall", &[]),
    ("delay", &[BY]),
];

/// Whether a verb strikes a message.
pub fn strikes_message(verb: &str) -> bool {
    matches!(verb, "reset" | "stall" | "delay")
}

/// What is wrong with what was typed.
#[derive(Clone, PartialEq)]
pub enum Problem {
    /// That field wants a number.
    NotANumber(&'static str),
    /// As the format's reader says it.
    Refused(String),
}

/// What is typed, as text.
#[derive(Clone, PartialEq)]
pub struct Draft {
    pub when: &'static str,
    pub verb: &'static str,
    /// What a field for a node says at first.
    first_node: String,
    /// By field.
    values: Vec<(&'static str, String)>,
    /// What the fault had and no field shows; it belongs to that verb.
    rest: Map<String, Value>,
    rest_of: &'static str,
}

impl Draft {
    /// Of a fault, or of a new one.
    pub fn new(fault: Option<&Fault>, names: &[Rc<str>]) -> Draft {
        let first_node = names.first().map_or_else(String::new, |name| name.to_string());
        let mut draft =
            Draft { when: "at", verb: "crash", first_node, values: Vec::new(), rest: Map::new(), rest_of: "" };
        if let Some(fault) = fault {
            draft.fill(fault_to_json(fault));
        }
        draft
    }

    fn fill(&mut self, mut fields: Map<String, Value>) {
        let mut on = match fields.remove("on") {
            Some(Value::Object(on)) => on,
            _ => Map::new(),
        };
        self.when = WHENS[1..].iter().map(|(word, _)| *word).find(|word| on.contains_key(*word)).unwrap_or("at");
        let verb = fields.remove("do");
        let verb = VERBS.iter().find(|(word, _)| verb.as_ref().is_some_and(|it| it == word));
        self.verb = verb.map_or("crash", |(word, _)| word);
        if let Some(Value::Array(ends)) = fields.remove("between")
            && let [a, b] = &*ends
        {
            self.set(NODE.id, plain(a));
            self.set(OTHER.id, plain(b));
        }
        for field in self.fields() {
            let value = match field.key.strip_prefix("on.") {
                Some(key) => on.remove(key),
                None => fields.remove(field.key),
            };
            if let Some(value) = value {
                self.set(field.id, plain(&value));
            }
        }
        (self.rest, self.rest_of) = (fields, self.verb);
    }

    /// The fields it has now.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let of = |table: &'static [(&str, &'static [Field])], word: &str| {
            table.iter().find(|(it, _)| *it == word).map_or(&[][..], |(_, fields)| fields)
        };
        of(WHENS, self.when).iter().chain(of(VERBS, self.verb))
    }

    pub fn get(&self, field: &Field) -> &str {
        let typed = self.values.iter().find(|(id, _)| *id == field.id);
        let first = if field.kind == Kind::Node { &self.first_node } else { field.first };
        typed.map_or(first, |(_, value)| value)
    }

    pub fn set(&mut self, id: &'static str, value: String) {
        match self.values.iter_mut().find(|(it, _)| *it == id) {
            Some((_, old)) => *old = value,
            None => self.values.push((id, value)),
        }
    }

    pub fn set_when(&mut self, word: &str) {
        self.when = WHENS.iter().find(|(it, _)| *it == word).map_or("at", |(it, _)| it);
        if self.when != "message" && strikes_message(self.verb) {
            self.verb = "crash";
        }
    }

    pub fn set_verb(&mut self, word: &str) {
        self.verb = VERBS.iter().find(|(it, _)| *it == word).map_or("crash", |(it, _)| it);
    }

    /// The fault.
    pub fn fault(&self) -> Result<Fault, Problem> {
        let (mut out, mut on) = (Map::new(), Map::new());
        if self.rest_of == self.verb {
            out.clone_from(&self.rest);
        }
        out.insert("do".into(), self.verb.into());
        for field in self.fields() {
            let text = self.get(field).trim();
            if text.is_empty() {
                continue;
            }
            let number = |text: &str| text.trim().parse::<i64>().map_err(|_| Problem::NotANumber(field.id));
            let value = match field.kind {
                Kind::Number => number(text)?.into(),
                Kind::Numbers => text.split(',').map(number).collect::<Result<Vec<i64>, Problem>>()?.into(),
                Kind::Ways => true.into(),
                Kind::EveryNode => Value::from(vec![out.remove("node").unwrap_or_default(), text.into()]),
                _ => text.into(),
            };
            match field.key.strip_prefix("on.") {
                Some(key) => on.insert(key.into(), value),
                None => out.insert(field.key.into(), value),
            };
        }
        if !on.is_empty() {
            out.insert("on".into(), on.into());
        }
        parse_fault(out).map_err(|mistakes| {
            Problem::Refused(mistakes.first().map_or_else(String::new, |mistake| mistake.problem.clone()))
        })
    }
}

/// A value as it is typed.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

impl Field {
    /// What stands before it.
    pub fn label(&self, t: &Texts) -> &'static str {
        match self.id {
            "at.ms" => t.fault_at_ms,
            "nth" => t.fault_nth,
            "for.ms" => t.fault_for_ms,
            "by.ms" => t.fault_by_ms,
            "fault-kind" | "fault-event" => t.fault_kind,
            "fault-from" => t.fault_from,
            "fault-to" | "fault-other" => t.fault_to,
            "fault-node" | "fault-at" => t.fault_node,
            "fault-ways" => t.fault_ways,
            "partition" => t.topic_partition,
            "offset" => t.offset,
            // The format's own word.
            _ => self.key,
        }
    }

    /// What can be chosen: words and their names. None for what is typed.
    pub fn options(&self, names: &[Rc<str>], t: &Texts) -> Option<Vec<(String, String)>> {
        let pair = |word: &str, name: &str| (word.to_owned(), name.to_owned());
        let nodes = |first: Option<&str>| {
            let first = first.map(|first| pair("", first));
            first.into_iter().chain(names.iter().map(|name| pair(name, name))).collect()
        };
        Some(match self.kind {
            Kind::Number | Kind::Numbers | Kind::Text => return None,
            Kind::Node => nodes(None),
            Kind::AnyNode => nodes(Some(t.anyone)),
            Kind::EveryNode => nodes(Some(t.everyone)),
            Kind::Message => {
                let names = ApiKey::ALL.iter().flat_map(|api| [api.request_name(), api.response_name()]);
                names.map(|name| pair(name, name)).collect()
            }
            Kind::Event => EventWord::WORDS.iter().map(|(word, _)| pair(word, word)).collect(),
            Kind::Election => vec![pair("preferred", "preferred"), pair("unclean", "unclean")],
            Kind::Ways => vec![pair("", t.both_ways), pair("true", t.one_way)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Fault {
        parse_fault(serde_json::from_str(json).expect("JSON")).expect("a fault")
    }

    #[test]
    fn every_fault_comes_back_as_it_was() {
        for json in [
            r#"{ "at.ms": 700, "do": "crash", "node": "broker-1", "for.ms": 20 }"#,
            r#"{ "at.ms": 1, "do": "power_loss", "node": "broker-1" }"#,
            r#"{ "on": { "message": "ProduceResponse", "from": "broker-0", "nth": 3 }, "do": "delay", "by.ms": 40 }"#,
            r#"{ "on": { "event": "appended", "node": "broker-0", "nth": 2 }, "do": "shutdown", "node": "broker-0" }"#,
            r#"{ "at.ms": 1, "do": "partition", "between": ["broker-0", "broker-2"], "one.way": true, "for.ms": 9 }"#,
            r#"{ "at.ms": 1, "do": "partition", "node": "broker-0" }"#,
            r#"{ "at.ms": 1, "do": "heal", "between": ["broker-0", "broker-2"] }"#,
            r#"{ "at.ms": 1, "do": "slow", "node": "broker-0", "by.ms": 5 }"#,
            r#"{ "at.ms": 1, "do": "slow", "by.ms": 5 }"#,
            r#"{ "at.ms": 1, "do": "skew_clock", "node": "broker-0", "by.ms": -5 }"#,
            r#"{ "at.ms": 1, "do": "corrupt", "node": "broker-0", "partition": "orders-0", "offset": 4 }"#,
            r#"{ "at.ms": 1, "do": "elect_leaders", "type": "unclean", "topic": "orders", "partition": 0 }"#,
            r#"{ "at.ms": 1, "do": "create_partitions", "topic": "orders", "count": 4 }"#,
            r#"{ "at.ms": 1, "do": "reassign", "topic": "orders", "partition": 0, "replicas": [1, 2, 3] }"#,
            r#"{ "at.ms": 1, "do": "reassign", "topic": "orders", "partition": 0 }"#,
            r#"{ "at.ms": 1, "do": "alter_config", "topic": "orders", "config": { "retention.ms": "5" } }"#,
            r#"{ "at.ms": 1, "do": "delete_records", "topic": "orders", "partition": 0, "offset": 3 }"#,
            r#"{ "at.ms": 1, "do": "abort_transaction", "topic": "orders", "partition": 0, "offset": 3 }"#,
        ] {
            let fault = read(json);
            let draft = Draft::new(Some(&fault), &["broker-0".into()]);
            assert!(draft.fault() == Ok(fault), "{json}");
        }
    }

    #[test]
    fn a_wrong_number_is_told_by_field_and_everything_else_by_the_format() {
        let mut draft = Draft::new(None, &["broker-0".into()]);
        draft.set("at.ms", "soon".into());
        assert!(draft.fault() == Err(Problem::NotANumber("at.ms")));
        draft.set("at.ms", "5".into());
        draft.set_verb("create_partitions");
        let Err(Problem::Refused(text)) = draft.fault() else { panic!("a topic is missing") };
        assert!(text.contains("topic") || text.contains("missing"), "{text}");
    }

    #[test]
    fn what_strikes_a_message_goes_with_the_message() {
        let mut draft = Draft::new(None, &["broker-0".into()]);
        draft.set_when("message");
        draft.set_verb("stall");
        assert!(draft.fault().is_ok());
        draft.set_when("at");
        assert_eq!(draft.verb, "crash");
    }
}
