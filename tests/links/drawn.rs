//! Random links: whatever is written is read back, and whatever is read never panics.

use delivery_lab::base::Duration;
use delivery_lab::scenario::format::*;
use delivery_lab::scenario::link::{self, Input, Link, Moment};
use delivery_lab::scenario::{Scenario, build, library, parse_value, set};
use proptest::prelude::*;
use serde_json::json;
use std::rc::Rc;

/// A source of choices that proptest gives the seed of.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Draw {
        Draw(seed | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    pub fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize].clone()
    }

    fn often(&mut self) -> bool {
        self.below(3) > 0
    }
}

/// Names that need care in an address.
const NAMES: [&str; 8] = ["a", "shop", "x-2", "주문", "a/b", "1", "true", "q&a=%20 #\"z\""];

/// A scenario of one's own that can be built.
pub fn own(draw: &mut Draw) -> Scenario {
    loop {
        let scenario = perhaps(draw);
        if build(&scenario).is_ok() {
            return scenario;
        }
    }
}

fn perhaps(draw: &mut Draw) -> Scenario {
    let topics: Vec<String> =
        (0..=draw.below(3)).map(|nth| format!("topic{nth}{}", draw.of(&["", "-x", "_y", ".z"]))).collect();
    let mut apps: Vec<String> = Vec::new();
    let mut name = |draw: &mut Draw| {
        let name = format!("{}{}", draw.of(&NAMES), apps.len());
        apps.push(name.clone());
        name
    };
    let config = |draw: &mut Draw, list: &[(&str, &str)]| {
        let some = list.iter().filter(|_| draw.often()).map(|(key, value)| ((*key).to_owned(), json!(value)));
        serde_json::Value::Object(some.collect())
    };
    let producers: Vec<_> = (0..draw.below(3))
        .map(|_| {
            json!({ "name": name(draw), "topic": draw.of(&topics), "records": draw.below(30), "rate.per.second": 1 + draw.below(50),
                    "key": draw.of(&["none", "record", "entity:4"]), "resend": draw.of(&["never", "unacknowledged"]),
                    "config": config(draw, &[("acks", "1"), ("enable.idempotence", "false"), ("client.id", ""), ("linger.ms", "7")]) })
        })
        .collect();
    let consumers: Vec<_> = (0..draw.below(3))
        .map(|_| {
            let sink = draw.of(&[json!({}), json!({ "dedupe": "unique-key" }), json!({ "dedupe": "none", "fail.every": 5, "latency.ms": 2.5 })]);
            json!({ "name": name(draw), "group": draw.of(&NAMES), "members": 1 + draw.below(3), "topics": [draw.of(&topics)],
                    "processing.ms": draw.of(&[json!(0), json!(2.001), json!(50)]), "sink": sink,
                    "config": config(draw, &[("client.rack", "\"r\""), ("max.poll.records", "7"), ("auto.offset.reset", "earliest")]) })
        })
        .collect();
    let nodes: Vec<String> = ["broker-0".to_owned(), "controller-0".to_owned()]
        .into_iter()
        .chain(producers.iter().map(|it| it["name"].as_str().expect("a text").to_owned()))
        .collect();
    let faults: Vec<_> = (0..draw.below(4)).map(|_| fault(draw, &nodes, &topics)).collect();
    let document = json!({
        "version": 1, "seed": draw.below(1 << 20), "cluster": { "brokers": 3 + draw.below(3), "racks": draw.of(&[json!([]), json!(["a", "b,c"])]) },
        "topics": topics.iter().map(|name| json!({ "name": name, "partitions": 1 + draw.below(3) })).collect::<Vec<_>>(),
        "network": { "latency.us": [draw.below(500), 500 + draw.below(500)] },
        "producers": producers, "consumers": consumers, "faults": faults, "until": { "quiet": draw.often(), "max.ms": 1_000 + draw.below(9_000) },
    });
    parse_value(document.clone()).unwrap_or_else(|mistakes| panic!("{mistakes:?}: {document}"))
}

fn fault(draw: &mut Draw, nodes: &[String], topics: &[String]) -> serde_json::Value {
    let mut fault = match draw.below(5) {
        0 => json!({ "do": "crash", "node": draw.of(nodes), "for.ms": draw.below(2_000) }),
        1 => json!({ "do": "partition", "between": [draw.of(nodes), "broker-2"], "one.way": draw.often() }),
        2 => {
            json!({ "do": "alter_config", "topic": draw.of(topics), "config": { "min.insync.replicas": "1", "retention.ms": "" } })
        }
        3 => json!({ "do": "reassign", "topic": draw.of(topics), "partition": 0, "replicas": [1, 2] }),
        _ => json!({ "do": "skew_clock", "node": draw.of(nodes), "by.ms": draw.of(&[-5_i64, 900]) }),
    };
    match draw.below(3) {
        0 => fault["at.ms"] = json!(draw.below(3_000)),
        1 => fault["on"] = json!({ "message": "ProduceResponse", "to": draw.of(nodes), "nth": 1 + draw.below(9) }),
        _ => fault["on"] = json!({ "event": "appended", "nth": 1 + draw.below(9) }),
    }
    fault
}

/// A scenario of the library, changed.
pub fn changed(draw: &mut Draw) -> Scenario {
    let ids: Vec<&str> = library::ids().collect();
    let mut scenario = library::get(draw.of(&ids)).expect("it is in the library");
    let parts: Vec<Rc<str>> = scenario.applications().collect();
    for _ in 0..draw.below(6) {
        let part = draw.of(&parts);
        let change = draw.of(&[
            "linger.ms=5",
            "acks=1",
            "client.id=x y",
            "members=2",
            "processing.ms=3",
            "commit=before",
            "records=4",
            "max.poll.records=3",
            "isolation.level=read_committed",
            "sink.dedupe=unique-key",
            "transactional.id=t",
        ]);
        let mut new = scenario.clone();
        let fits = set(&mut new, &format!("{part}.{change}")).is_ok() && build(&new).is_ok();
        scenario = if fits { new } else { scenario };
    }
    for _ in 0..draw.below(3) {
        let mut new = scenario.clone();
        match draw.below(6) {
            0 if !new.faults.is_empty() => drop(new.faults.remove(draw.below(new.faults.len() as u64) as usize)),
            1 if !new.consumers.is_empty() => drop(new.consumers.remove(0)),
            2 if !new.producers.is_empty() => drop(new.producers.pop()),
            3 => new.topics.insert(0, Topic { name: "extra".into(), ..new.topics[0].clone() }),
            4 => new.topics.push(Topic { name: "audit.log".into(), ..new.topics[0].clone() }),
            _ => new.faults.push(Fault {
                when: When::Event { kind: EventWord::Appended, node: None, nth: 3 },
                what: What::Pause { node: "broker-1".into(), duration: Some(Duration::from_micros(1_500)) },
            }),
        }
        scenario = if build(&new).is_ok() { new } else { scenario };
    }
    scenario.seed = if draw.often() { scenario.seed } else { draw.below(u64::MAX) };
    scenario
}

fn input(draw: &mut Draw, at: u64) -> Input {
    let nth = if draw.often() { None } else { Some(draw.below(4) as u32) };
    let strikes = !draw.often();
    let what = match (strikes, draw.below(2)) {
        (true, 0) => What::Stall,
        (true, _) => What::Delay { by: Duration::from_micros(draw.below(5_000)) },
        (false, 0) => What::Crash { node: "broker-0".into(), back_after: None },
        (false, _) => What::Slow { a: None, b: None, by: Duration::from_millis(5), duration: None },
    };
    let kind = (strikes && draw.often()).then(|| Rc::from("ProduceResponse"));
    Input { at: Moment { us: at, nth }, what, message: strikes.then(|| draw.below(1 << 40)), kind }
}

pub fn any(seed: u64) -> Link {
    let draw = &mut Draw::new(seed);
    let scenario = if draw.often() { changed(draw) } else { own(draw) };
    let mut at = 0;
    let inputs = (0..draw.below(4)).map(|_| {
        at += 1 + draw.below(1_000_000);
        input(draw, at)
    });
    let inputs = inputs.collect();
    let cursor = draw.often().then(|| Moment { us: at + draw.below(1_000), nth: None });
    Link { scenario, inputs, at: cursor }
}

fn read(query: &str, hash: &str) -> link::Opened {
    let opened = link::read(query, hash);
    assert!(build(&opened.link.scenario).is_ok(), "what a link gives can be built");
    opened
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(seed: u64) {
        let link = any(seed);
        let written = link::write(&link);
        let opened = read(&written.query, &written.hash);
        prop_assert_eq!(&opened.mistakes, &[], "{:?}", written);
        prop_assert_eq!(&opened.link, &link, "{:?}", written);
        prop_assert_eq!(link::parse(&link::to_json(&link).to_string()), Ok(link));
    }

    #[test]
    fn random_text_never_panics(query in ".{0,80}", hash in ".{0,300}", packed in proptest::collection::vec(any_byte(), 0..200)) {
        read(&query, &hash);
        read("", &format!("z1.{}", String::from_utf8_lossy(&packed)));
        link::read_text(&hash);
        let _ = link::parse(&hash);
    }

    #[test]
    fn random_words_of_the_language_never_panic(seed: u64) {
        let draw = &mut Draw::new(seed);
        let words = ["producers", "shop", "config", "acks", "inputs", "0", "1", "999999999", "faults", "topics", "orders", "on", "t", "set",
            "base", "v", "seed", "id", "about", "cluster", "brokers", "latency.us", "network", "replicas", "%", "%41", "", "{}", "[]", "-1",
            "1e999", "null", "\"", "none", "lost-ack", "shop.acks", "at.us", "do", "crash", "node", "broker-0", "message", "members", "consumers"];
        let text: String = (0..draw.below(40)).map(|_| format!("{}{}", draw.of(&words), draw.of(&["/", "=", "&", "&", ",", "#"]))).collect();
        read("scenario=lost-ack", &text);
    }

    #[test]
    fn damaged_links_never_panic_and_are_told(seed: u64, place: prop::sample::Index, byte: u8) {
        let written = link::write(&any(seed));
        let mut bytes = written.hash.clone().into_bytes();
        prop_assume!(!bytes.is_empty());
        let at = place.index(bytes.len());
        let cut = link::read(&written.query, &written.hash[..at]);
        bytes[at] ^= byte & 0x7f;
        let flipped = String::from_utf8(bytes).expect("ASCII");
        let opened = read(&written.query, &flipped);
        // A damaged readable link may be another good one; a deflated one has a checksum.
        if flipped.starts_with("z1.") && flipped != written.hash {
            prop_assert!(!opened.mistakes.is_empty(), "{flipped}");
        }
        if at > 0 {
            prop_assert!(!cut.mistakes.is_empty(), "{at} of {}", written.hash);
        }
    }
}

fn any_byte() -> impl Strategy<Value = u8> {
    proptest::num::u8::ANY
}
