//! The `sink` of an application: reading, writing, what the application is told, and which node is it.
//!
//! The applications of a group act on one sink. It is a node of its own, unless nothing could be told of it (no dedupe, never slow,
//! never fails, no name): then effects happen in the program itself.

use super::format::{Dedupe, Fencing, First, Scenario, Sink};
use super::reader::{Mistakes, Reader};
use super::write::{insert, millis};
use crate::app::{self, SinkNodeSetup, SinkSetup, Writes};
use crate::base::{Duration, NodeId};
use serde_json::{Map, Value, json};
use std::rc::Rc;

const MOST: u64 = 1_000_000;

pub(super) fn read(r: &mut Reader<'_>) -> Sink {
    let window_records = r.number("window.records", 0, 0, MOST) as u32;
    Sink {
        name: r.text("name"),
        fencing: r.word("fencing", Fencing::WORDS, Fencing::Offset),
        timeout: r.millis("timeout.ms").unwrap_or(SinkSetup::TIMEOUT),
        dedupe: r.word("dedupe", Dedupe::WORDS, Dedupe::None),
        window_records: (window_records > 0).then_some(window_records),
        window: r.millis("window.ms").filter(|window| *window > Duration(0)),
        atomic: r.flag("atomic", true),
        first: r.word("first", First::WORDS, First::Effect),
        latency: r.millis("latency.ms").unwrap_or(Duration(0)),
        fail_every: r.number("fail.every", 0, 0, MOST) as u32,
        lose_reply_every: r.number("lose.reply.every", 0, 0, MOST) as u32,
        poison_every: r.number("poison.every", 0, 0, MOST) as u32,
    }
}

pub(super) fn write(sink: &Sink) -> Value {
    let mut out = Map::new();
    insert(&mut out, "name", sink.name.as_deref().map(Value::from));
    out.insert("dedupe".into(), json!(sink.dedupe.word()));
    insert(&mut out, "fencing", (sink.fencing != Fencing::Offset).then(|| json!(sink.fencing.word())));
    insert(&mut out, "timeout.ms", (sink.timeout != SinkSetup::TIMEOUT).then(|| millis(sink.timeout)));
    insert(&mut out, "window.records", sink.window_records.map(Value::from));
    insert(&mut out, "window.ms", sink.window.map(millis));
    insert(&mut out, "atomic", (!sink.atomic).then_some(Value::Bool(false)));
    insert(&mut out, "first", (sink.first != First::Effect).then(|| json!(sink.first.word())));
    insert(&mut out, "latency.ms", (sink.latency > Duration(0)).then(|| millis(sink.latency)));
    let counts = [
        ("fail.every", sink.fail_every),
        ("lose.reply.every", sink.lose_reply_every),
        ("poison.every", sink.poison_every),
    ];
    for (key, count) in counts {
        insert(&mut out, key, (count > 0).then(|| Value::from(count)));
    }
    Value::Object(out)
}

pub(super) fn setup(sink: &Sink) -> SinkSetup {
    SinkSetup {
        dedupe: match sink.dedupe {
            Dedupe::None => app::Dedupe::None,
            Dedupe::UniqueKey => app::Dedupe::UniqueKey,
            Dedupe::Version => app::Dedupe::Version,
            Dedupe::ProcessedIds => app::Dedupe::ProcessedIds,
            Dedupe::OffsetWithOutput => app::Dedupe::OffsetWithOutput,
        },
        window_records: sink.window_records,
        window: sink.window,
        writes: match (sink.atomic, sink.first) {
            (true, _) => Writes::Together,
            (false, First::Effect) => Writes::EffectFirst,
            (false, First::Id) => Writes::IdentityFirst,
        },
        fencing: match sink.fencing {
            Fencing::None => app::Fencing::None,
            Fencing::Offset => app::Fencing::Offset,
            Fencing::Generation => app::Fencing::Generation,
        },
        latency: sink.latency,
        timeout: sink.timeout,
        fail_every: sink.fail_every,
        lose_reply_every: sink.lose_reply_every,
        poison_every: sink.poison_every,
    }
}

/// A group, or an application without one: who acts together on one sink.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Owner {
    processors: bool,
    group: Rc<str>,
}

/// The sink of one application.
struct Use<'a> {
    place: String,
    owner: Owner,
    /// Of its node, if it has one.
    name: Option<Rc<str>>,
    sink: &'a Sink,
}

fn uses(scenario: &Scenario) -> impl Iterator<Item = Use<'_>> {
    let consumers = scenario.consumers.iter().enumerate().map(|(i, it)| {
        let group = it.group.as_ref().unwrap_or(&it.name);
        used(format!("consumers[{i}].sink"), false, group, &it.sink)
    });
    let processors = scenario.processors.iter().enumerate();
    let processors = processors
        .filter_map(|(i, it)| Some(used(format!("processors[{i}].sink"), true, &it.group, it.sink.as_ref()?)));
    consumers.chain(processors)
}

fn used<'a>(place: String, processors: bool, group: &Rc<str>, sink: &'a Sink) -> Use<'a> {
    Use { place, owner: Owner { processors, group: Rc::clone(group) }, name: node_name(group, sink), sink }
}

/// The name of the node that is the sink of this group; none if it needs no node.
pub(super) fn node_name(group: &str, sink: &Sink) -> Option<Rc<str>> {
    let own = || (!setup(sink).is_plain()).then(|| Rc::from(format!("{group}-sink")));
    sink.name.clone().or_else(own)
}

/// The nodes, and what is wrong where two say different things of one.
pub(super) fn nodes(scenario: &Scenario, mistakes: &mut Mistakes) -> Vec<SinkNodeSetup> {
    let mut out: Vec<SinkNodeSetup> = Vec::new();
    let mut seen: Vec<Use<'_>> = Vec::new();
    for it in uses(scenario) {
        let unlike = seen.iter().find(|other| {
            let (same_name, same_owner) = (other.name == it.name, other.owner == it.owner);
            let unnamed = other.sink.name.is_none() && it.sink.name.is_none();
            let one = same_owner && unnamed || same_name && it.name.is_some();
            one && (!same_owner || other.sink != it.sink)
        });
        if let Some(other) = unlike {
            let problem = match other.owner == it.owner {
                true => "a group acts on one sink, and its settings are others in",
                false => "another group acts on a sink of that name, in",
            };
            mistakes.add(&*it.place, format!("{problem} {}; give this one a \"name\" of its own", other.place));
        }
        if let Some(name) = it.name.clone().filter(|name| out.iter().all(|known| known.name != *name)) {
            out.push(SinkNodeSetup { node: NodeId(0), name, sink: setup(it.sink) });
        }
        seen.push(it);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{build, parse, parse_value, set, to_json};
    use super::*;
    use crate::scenario::{Mistake, Scenario};

    fn with_sink(sink: &str) -> Result<Scenario, Vec<Mistake>> {
        parse(&format!(
            r#"{{ "version": 1, "topics": [ {{ "name": "orders" }} ],
                 "consumers": [ {{ "name": "mailer", "topics": ["orders"] {sink} }} ] }}"#
        ))
    }

    #[test]
    fn a_sink_survives_a_round_trip() {
        let full = r#", "sink": { "dedupe": "processed-ids", "window.records": 3, "window.ms": 1.5, "atomic": false,
            "first": "id", "latency.ms": 20, "fail.every": 4, "lose.reply.every": 5, "poison.every": 6 }"#;
        for sink in ["", r#", "sink": {}"#, r#", "sink": { "latency.ms": 3 }"#, full] {
            let scenario = with_sink(sink).expect("a valid scenario");
            assert_eq!(parse_value(to_json(&scenario)), Ok(scenario));
        }
        let (world, _) = build(&with_sink(full).expect("valid")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        let sink = world.consumers[0].sink;
        assert_eq!((sink.window_records, sink.writes()), (Some(3), Writes::IdentityFirst));
        assert_eq!((sink.fail_every, sink.lose_reply_every, sink.poison_every), (4, 5, 6));
    }

    #[test]
    fn what_is_wrong_with_a_sink_is_named() {
        for (sink, told) in [
            (r#""window.record": 3"#, "did you mean \"window.records\"?"),
            (r#""window.records": -1"#, "a whole number from 0"),
            (r#""first": "offset""#, "expected one of \"effect\", \"id\""),
        ] {
            let mistakes = with_sink(&format!(r#", "sink": {{ {sink} }}"#)).expect_err("it is wrong");
            assert!(mistakes[0].to_string().contains(told), "{mistakes:?}");
        }
    }

    #[test]
    fn every_key_of_a_sink_can_be_set_by_its_name() {
        let mut scenario = with_sink("").expect("valid");
        for assignment in [
            "mailer.sink.dedupe=processed-ids",
            "mailer.sink.window.records=3",
            "mailer.sink.atomic=false",
            "mailer.sink.latency.ms=7.5",
        ] {
            set(&mut scenario, assignment).expect(assignment);
        }
        let sink = &scenario.consumers[0].sink;
        assert_eq!((sink.dedupe, sink.window_records, sink.atomic), (Dedupe::ProcessedIds, Some(3), false));
        assert_eq!(sink.latency, Duration::from_micros(7_500));
        set(&mut scenario, "mailer.dedupe=none").expect("the short name");
        set(&mut scenario, "mailer.sink.window.records=").expect("back to the default");
        let sink = &scenario.consumers[0].sink;
        assert_eq!((sink.dedupe, sink.window_records, sink.atomic), (Dedupe::None, None, false));
        let error = set(&mut scenario, "mailer.sink.latncy.ms=1").expect_err("no such key");
        assert!(error.problem.contains("did you mean \"latency.ms\"?"), "{error}");
    }
}
