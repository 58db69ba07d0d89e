//! From JSON to a [`Scenario`], with every mistake named.

use super::build::build;
use super::format::*;
use super::groups;
use super::reader::{Mistake, Mistakes, ROOT, Reader};
use super::sink;
use crate::base::{BrokerId, Duration, Time};
use crate::protocol::{ApiKey, ElectionType};
use crate::sim::AdminTask;
use std::rc::Rc;

/// The format's version.
pub const VERSION: u64 = 1;

/// Reads a scenario. On error every mistake is there, not just the first.
pub fn parse(text: &str) -> Result<Scenario, Vec<Mistake>> {
    let value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let problem = format!("not JSON: {error}");
            return Err(vec![Mistake { place: ROOT.to_owned(), problem }]);
        }
    };
    parse_value(value)
}

/// Reads a scenario that is JSON already.
pub fn parse_value(value: serde_json::Value) -> Result<Scenario, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let scenario = Reader::read(ROOT, value, &mut mistakes, read_scenario);
    match scenario {
        Some(scenario) if mistakes.0.is_empty() => Ok(scenario),
        Some(scenario) => {
            // Settings and names are checked by building; what could be read is checked now, so that all is told at once.
            // Where topics were misread, their names would be missed without reason.
            let misread = mistakes.0.iter().any(|mistake| mistake.place.contains("topics["));
            let more = build(&scenario).err().filter(|_| !misread).unwrap_or_default();
            mistakes.0.extend(more);
            Err(mistakes.0)
        }
        None => Err(mistakes.0),
    }
}

/// Reads one fault, as it stands in a scenario. On error every mistake is there.
pub fn parse_fault(fields: serde_json::Map<String, serde_json::Value>) -> Result<Fault, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let fault = Reader::read("fault", fields.into(), &mut mistakes, read_fault).flatten();
    fault.filter(|_| mistakes.0.is_empty()).ok_or(mistakes.0)
}

fn read_scenario(r: &mut Reader<'_>) -> Scenario {
    let default = Scenario::default();
    let version = r.number("version", VERSION, 0, u64::MAX);
    if version != VERSION {
        r.mistake(format!("\"version\" is {version}; this Lab reads version {VERSION}"));
    }
    let topics = r.list("topics", read_topic);
    Scenario {
        id: r.text("id"),
        seed: r.number("seed", default.seed, 0, u64::MAX),
        cluster: r.object("cluster", read_cluster).unwrap_or(default.cluster),
        topics,
        groups: r.list("groups", groups::read),
        network: r.object("network", read_network).unwrap_or(default.network),
        producers: r.list("producers", read_producer),
        consumers: r.list("consumers", read_consumer),
        processors: r.list("processors", read_processor),
        faults: r.list("faults", read_fault).into_iter().flatten().collect(),
        until: r.object("until", read_until).unwrap_or(default.until),
        about: r.object("about", read_about).map(Rc::new),
    }
}

fn read_cluster(r: &mut Reader<'_>) -> Cluster {
    let brokers = r.number("brokers", 3, 1, 9) as u32;
    let controllers = r.number("controllers", 1, 1, 3) as u32;
    Cluster { brokers, racks: r.texts("racks"), controllers, config: r.properties("config") }
}

fn read_topic(r: &mut Reader<'_>) -> Topic {
    Topic {
        name: r.name("name"),
        partitions: r.number("partitions", 1, 1, 64) as u32,
        replication_factor: r.number("replication.factor", 3, 1, 9) as u32,
        config: r.properties("config"),
    }
}

fn read_network(r: &mut Reader<'_>) -> Network {
    let default = Scenario::default().network;
    let latency = match r.take("latency.us") {
        None => default.latency,
        Some(value) => {
            let range = value.as_array().and_then(|list| match list.as_slice() {
                [low, high] => Some((low.as_u64()?, high.as_u64()?)),
                _ => None,
            });
            match range {
                Some((low, high)) if low <= high && high <= 60_000_000 => {
                    (Duration::from_micros(low), Duration::from_micros(high))
                }
                _ => {
                    r.mistake(format!(
                        "\"latency.us\" is {value}; expected [least, most] in microseconds, such as [500, 2000]"
                    ));
                    default.latency
                }
            }
        }
    };
    Network { latency }
}

fn read_producer(r: &mut Reader<'_>) -> Producer {
    Producer {
        name: r.name("name"),
        topic: r.name("topic"),
        records: r.number("records", 20, 0, 1_000_000) as u32,
        rate_per_second: r.number("rate.per.second", 10, 1, 1_000_000) as u32,
        key: read_key(r),
        resend: r.word("resend", Resend::WORDS, Resend::Never),
        transaction_records: r.number("transaction.records", 1, 1, 1_000_000) as u32,
        abort_every: r.number("abort.every", 0, 0, 1_000_000) as u32,
        start: r.millis("start.at.ms"),
        config: r.properties("config"),
    }
}

fn read_key(r: &mut Reader<'_>) -> Key {
    let Some(text) = r.text("key") else { return Key::None };
    match &*text {
        "none" => Key::None,
        "record" => Key::Record,
        other => match other.strip_prefix("entity:").and_then(|n| n.parse().ok()).filter(|n| *n > 0) {
            Some(entities) => Key::Entity(entities),
            None => {
                r.mistake(format!("\"key\" is \"{other}\"; expected \"none\", \"record\" or \"entity:<how many>\""));
                Key::None
            }
        },
    }
}

/// More than a page can show.
const MOST_MEMBERS: u64 = 32;

fn read_consumer(r: &mut Reader<'_>) -> Consumer {
    Consumer {
        name: r.name("name"),
        group: r.text("group"),
        members: r.number("members", 1, 1, MOST_MEMBERS) as u32,
        topics: r.texts("topics"),
        topics_pattern: r.text("topics.pattern"),
        assign: r.flag("assign", false),
        processing: r.millis("processing.ms").unwrap_or(Duration::from_millis(10)),
        commit: r.optional_word("commit", Commit::WORDS),
        hand_over: r.word("hand.over", HandOver::WORDS, HandOver::Inline),
        on_revoke: r.word("on.revoke", OnRevoke::WORDS, OnRevoke::Nothing),
        batch: r.flag("batch", false),
        sink: r.object("sink", sink::read).unwrap_or_default(),
        retries: r.number("retries", 0, 0, 1_000) as u32,
        retry_backoff: r.millis("retry.backoff.ms").unwrap_or(Duration(0)),
        retry_topic: r.text("retry.topic"),
        dead_letter_topic: r.text("dead.letter.topic"),
        share: r.flag("share", false),
        refusal: r.optional_word("on.failure", Refusal::WORDS),
        renew_every: r.millis("renew.every.ms").filter(|every| *every > Duration(0)),
        producer_config: r.properties("producer.config"),
        start: r.millis("start.at.ms"),
        config: r.properties("config"),
    }
}

fn read_processor(r: &mut Reader<'_>) -> Processor {
    let name = r.name("name");
    Processor {
        group: r.text("group").unwrap_or_else(|| name.clone()),
        name,
        from: r.texts("from"),
        assign: r.flag("assign", false),
        to: r.texts("to"),
        processing: r.millis("processing.ms").unwrap_or(Duration::from_millis(10)),
        offsets: r.optional_word("offsets", Offsets::WORDS),
        sink: r.object("sink", sink::read),
        start: r.millis("start.at.ms"),
        producer_config: r.properties("producer.config"),
        consumer_config: r.properties("consumer.config"),
    }
}

fn read_until(r: &mut Reader<'_>) -> Until {
    let default = Scenario::default().until;
    Until { quiet: r.flag("quiet", default.quiet), max: r.millis("max.ms").unwrap_or(default.max) }
}

fn read_about(r: &mut Reader<'_>) -> About {
    fn text(r: &mut Reader<'_>) -> Text {
        Text { en: r.name("en"), ko: r.name("ko") }
    }
    About {
        title: r.object("title", text).unwrap_or_default(),
        question: r.object("question", text).unwrap_or_default(),
        watch: r.object("watch", text).unwrap_or_default(),
        try_next: r.one_or_more("try"),
    }
}

fn read_fault(r: &mut Reader<'_>) -> Option<Fault> {
    let when = read_when(r);
    let what = read_what(r);
    let (when, what) = (when?, what?);
    if matches!(what, What::Reset | What::Stall | What::Delay { .. }) && !matches!(when, When::Message { .. }) {
        r.mistake("reset, stall and delay strike a message: say which with \"on\": {\"message\": …, \"nth\": …}");
        return None;
    }
    Some(Fault { when, what })
}

fn read_when(r: &mut Reader<'_>) -> Option<When> {
    let at = r.millis("at.ms");
    let on = r.object("on", read_trigger);
    match (at, on) {
        (Some(at), None) => Some(When::At(Time::ORIGIN + at)),
        (None, Some(trigger)) => trigger,
        _ => {
            r.mistake("a fault fires either \"at.ms\" or \"on\" a message or event");
            None
        }
    }
}

fn read_trigger(r: &mut Reader<'_>) -> Option<When> {
    let nth = r.number("nth", 1, 1, u64::from(u32::MAX)) as u32;
    if r.has("event") {
        let kind = r.word("event", EventWord::WORDS, EventWord::Appended);
        return Some(When::Event { kind, node: r.text("node"), nth });
    }
    if !r.has("message") {
        r.mistake("\"on\" needs a \"message\" (such as \"ProduceResponse\") or an \"event\" (such as \"appended\")");
        return None;
    }
    let kind = r.name("message");
    let (from, to) = (r.text("from"), r.text("to"));
    let known = ApiKey::ALL.iter().flat_map(|api| [api.request_name(), api.response_name()]);
    if !known.clone().any(|name| name == &*kind) {
        let near = crate::base::config::suggest::nearest(&kind, known);
        let hint = near.map_or("such as \"ProduceResponse\"".to_owned(), |name| format!("did you mean \"{name}\"?"));
        r.mistake(format!("unknown message \"{kind}\"; {hint}"));
        return None;
    }
    Some(When::Message { kind, from, to, nth })
}

/// The verbs, for messages.
const VERBS: &[&str] = &[
    "crash",
    "shutdown",
    "restart",
    "power_loss",
    "pause",
    "resume",
    "partition",
    "heal",
    "reset",
    "stall",
    "delay",
    "slow",
    "skew_clock",
    "corrupt",
    "slow_disk",
    "full_disk",
    "elect_leaders",
    "create_partitions",
    "reassign",
    "alter_config",
    "delete_records",
    "abort_transaction",
];

/// More partitions than a topic may have here.
const ALL_PARTITIONS: u64 = 64;

const ELECTIONS: &[(&str, ElectionType)] =
    &[("preferred", ElectionType::Preferred), ("unclean", ElectionType::Unclean)];

pub(super) fn read_what(r: &mut Reader<'_>) -> Option<What> {
    let verb = r.name("do");
    Some(match &*verb {
        "crash" => What::Crash { node: r.name("node"), back_after: r.millis("for.ms") },
        "power_loss" => What::PowerLoss { node: r.name("node"), back_after: r.millis("for.ms") },
        "shutdown" => What::Shutdown { node: r.name("node"), back_after: r.millis("for.ms") },
        "restart" => What::Restart { node: r.name("node") },
        "pause" => What::Pause { node: r.name("node"), duration: r.millis("for.ms") },
        "resume" => What::Resume { node: r.name("node") },
        "partition" => {
            let (a, b) = read_ends(r)?;
            What::Partition { a, b, one_way: r.flag("one.way", false), duration: r.millis("for.ms") }
        }
        "heal" => {
            let (a, b) = read_ends(r)?;
            What::Heal { a, b }
        }
        "reset" => What::Reset,
        "stall" => What::Stall,
        "delay" => What::Delay { by: r.millis("by.ms").unwrap_or(Duration::from_millis(1_000)) },
        "slow" => {
            let (a, b) =
                if r.has("node") || r.has("between") { read_ends(r).map(|(a, b)| (Some(a), b))? } else { (None, None) };
            What::Slow {
                a,
                b,
                by: r.millis("by.ms").unwrap_or(Duration::from_millis(100)),
                duration: r.millis("for.ms"),
            }
        }
        "skew_clock" => What::SkewClock { node: r.name("node"), by_ms: r.signed("by.ms").unwrap_or(0) },
        "corrupt" => What::Corrupt { node: r.name("node"), partition: r.text("partition"), offset: r.signed("offset") },
        "slow_disk" => What::SlowDisk {
            node: r.name("node"),
            by: r.millis("by.ms").unwrap_or(Duration::from_millis(1_000)),
            duration: r.millis("for.ms"),
        },
        "full_disk" => What::FullDisk { node: r.name("node"), duration: r.millis("for.ms") },
        other => match read_task(other, r) {
            Some(task) => What::Admin(task),
            None => {
                let near = crate::base::config::suggest::nearest(other, VERBS.iter().copied());
                let hint =
                    near.map_or_else(|| format!("known: {}", VERBS.join(", ")), |it| format!("did you mean \"{it}\"?"));
                r.mistake(format!("unknown verb \"{other}\"; {hint}"));
                return None;
            }
        },
    })
}

/// What an administrator asks for.
fn read_task(verb: &str, r: &mut Reader<'_>) -> Option<AdminTask> {
    Some(match verb {
        "elect_leaders" => {
            let partition = Some(r.number("partition", ALL_PARTITIONS, 0, ALL_PARTITIONS - 1) as u32);
            let partition = partition.filter(|partition| u64::from(*partition) < ALL_PARTITIONS);
            let task = AdminTask::ElectLeaders {
                election: r.word("type", ELECTIONS, ElectionType::Preferred),
                topic: r.text("topic"),
                partition,
            };
            if partition.is_some() && task.topic().is_none() {
                r.mistake("\"partition\" needs a \"topic\"");
            }
            task
        }
        "create_partitions" => AdminTask::CreatePartitions {
            topic: r.name("topic"),
            count: match r.number("count", 0, 1, 64) {
                0 => {
                    r.mistake("\"count\" is missing: how many partitions the topic is to have");
                    1
                }
                count => count as u32,
            },
        },
        "reassign" => AdminTask::Reassign {
            topic: r.name("topic"),
            partition: read_partition(r),
            replicas: r.numbers("replicas").map(|ids| ids.into_iter().map(|id| BrokerId(id as i32)).collect()),
        },
        "alter_config" => {
            let (topic, group, config) = (r.text("topic"), r.text("group"), r.properties("config"));
            if topic.is_some() && group.is_some() {
                r.mistake("it is of a topic or a group, not of both");
            }
            match group {
                Some(group) => AdminTask::AlterGroupConfig { group, config },
                None => AdminTask::AlterConfig { topic, config },
            }
        }
        "delete_records" => AdminTask::DeleteRecords {
            topic: r.name("topic"),
            partition: read_partition(r),
            offset: r.signed("offset"),
        },
        "abort_transaction" => AdminTask::AbortTransaction {
            topic: r.name("topic"),
            partition: read_partition(r),
            offset: r.signed("offset"),
        },
        _ => return None,
    })
}

fn read_partition(r: &mut Reader<'_>) -> u32 {
    r.number("partition", 0, 0, ALL_PARTITIONS - 1) as u32
}

/// `"between": ["broker-0", "broker-1"]`, or `"node": "broker-0"` for all its links.
fn read_ends(r: &mut Reader<'_>) -> Option<(Rc<str>, Option<Rc<str>>)> {
    if r.has("node") {
        return Some((r.name("node"), None));
    }
    match r.texts("between").as_slice() {
        [a, b] => Some((a.clone(), Some(b.clone()))),
        _ => {
            r.mistake("say which link: \"between\": [\"broker-0\", \"broker-1\"], or \"node\": \"broker-0\" for all its links");
            None
        }
    }
}
