//! The language of the scripts: requests as data. A recorder speaks them to a real Kafka, a player to the engine.
//!
//! A file of `tests/golden/kafka/scripts` is a family: an object from the names of its sequences to
//! `{about, topics, features, settings, steps}`. A sequence begins with topics of its own, on a cluster of three brokers 0, 1 and 2:
//!
//! ```json
//! "topics": { "t": { "replicas": [[0, 1, 2]], "config": { "min.insync.replicas": "2" } } }
//! ```
//!
//! `replicas` has one list for each partition; a topic with `"later": true` is created by the step `{"new": "t"}`. `features`, such as
//! `{"transaction.version": 1}`, are finalised at that level before; `settings` are those of all brokers that differ from `settings.rs`,
//! and can be changed while they run; for those in `boot` they are restarted; those in `group` are of the share group `g` (the engine has
//! them for all share groups). The steps:
//!
//! * `{"send": "Fetch", "version": 17, "to": 0, "body": {…}}`: a request, with Kafka's own names (in Kafka's message
//!   definitions: `maxWaitMs`); what is left out has its default. `to` is a broker, `"leader"` (of the first topic's partition
//!   0), `"controller"`, or a coordinator: `{"group": "g"}`, `{"transaction": "x"}`, `{"share": "g:t:0"}`. The response is recorded. `shorthand.rs` has shorter forms.
//!   * `"as": "a"`: it is sent on a connection of its own, and nobody waits.
//!   * `"silent": true`: there will be no response (acks=0); recorded is whether the connection stays open.
//!   * `"repeat": 100`: sent so often, one after the other; the last response is recorded.
//!   * `"again": "x"`: sent again (every 100 ms, for 30 s) as long as an error code in the response is named `x`.
//! * `{"wait": "a"}`: records the response to the request sent as `a`. `{"quiet": "a", "ms": 300}`: records whether it is still
//!   unanswered after so long.
//! * `{"kill": 0}`, `{"stop": 0}`, `{"start": 0}`: a broker's process (SIGKILL, SIGTERM). Recorded is nothing. `{"kill": {"transaction":
//!   "x"}}`: who coordinates that; `{"start": "all"}`: those that do not run.
//! * `{"until": {"leader": 1, "isr": [1, 2], "partition": 0}}`: waits until every running broker says so of the first topic.
//! * `{"sleep": 1000}`: milliseconds. `{"new": "u"}`: creates a topic.
//!
//! Numbers may be written as text: `"T"`, `"T+5"` are milliseconds of the sequence's own time, a day before it began, and
//! `"now"`, `"now+7200000"` of the present. Session ids, producer ids and member ids are named as they appear: `"S1"`, `"P1"`,
//! `"M1"`; `"U1"` is a UUID that a member made up. `"E0"` is the epoch of broker 0, `"E0-1"` an older one. Topic ids are written as the topic's name. Groups and transactional ids are a sequence's own, like its topics. Batches are described in `batch.rs`.

use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// A sequence of a family.
#[derive(Clone, Debug)]
pub struct Sequence {
    pub name: String,
    pub topics: Vec<Topic>,
    /// By name; other features are at their newest level.
    pub features: Vec<(String, i16)>,
    pub settings: Vec<(String, String)>,
    /// Settings that brokers have to be restarted for.
    pub boot: Vec<(String, String)>,
    /// Of the share group `g`.
    pub group: Vec<(String, String)>,
    pub steps: Vec<Step>,
}

/// A topic of the sequence.
#[derive(Clone, Debug)]
pub struct Topic {
    pub name: String,
    pub replicas: Vec<Vec<i32>>,
    pub config: Vec<(String, String)>,
    /// It is not there from the beginning.
    pub later: bool,
}

/// Which broker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum To {
    Broker(i32),
    Leader,
    Controller,
    /// Who coordinates this group (key type 0) or transactional id (1), or keeps the state of a share group's partition (2: `g:t:0`).
    Coordinator(i8, String),
}

/// A request.
#[derive(Clone, Debug)]
pub struct Send {
    pub api: String,
    pub version: i16,
    pub to: To,
    pub body: Value,
    pub name: Option<String>,
    pub silent: bool,
    pub again: Option<String>,
    pub repeat: u32,
}

/// What all running brokers shall say of a partition of the first topic.
#[derive(Clone, Debug)]
pub struct Until {
    pub partition: i32,
    pub leader: Option<i32>,
    pub isr: Option<Vec<i32>>,
}

/// One step of a sequence.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Send),
    Wait(String),
    Quiet(String, u64),
    Kill(i32),
    /// The coordinator of this group (key type 0) or transactional id (1).
    KillCoordinator(i8, String),
    Stop(i32),
    Start(i32),
    StartAll,
    Until(Until),
    Sleep(u64),
    /// Creates a topic.
    Add(String),
}

impl Step {
    /// One line that says what happens.
    pub fn label(&self) -> String {
        match self {
            Step::Send(send) => {
                let to = match &send.to {
                    To::Broker(id) => format!("broker {id}"),
                    To::Leader => "the leader".to_string(),
                    To::Controller => "the controller".to_string(),
                    To::Coordinator(_, key) => format!("the coordinator of {key}"),
                };
                let name = send.name.as_ref().map_or(String::new(), |name| format!(" as {name}"));
                let times = if send.repeat > 1 { format!(" {} times", send.repeat) } else { String::new() };
                format!("{} v{} to {to}{name}{times}", send.api, send.version)
            }
            Step::Wait(name) => format!("response to {name}"),
            Step::Quiet(name, ms) => format!("{name} after {ms} ms"),
            Step::Kill(id) => format!("kill broker {id}"),
            Step::KillCoordinator(_, key) => format!("kill the coordinator of {key}"),
            Step::StartAll => "start what does not run".to_string(),
            Step::Stop(id) => format!("stop broker {id}"),
            Step::Start(id) => format!("start broker {id}"),
            Step::Until(until) => format!("until partition {} is {:?}", until.partition, until),
            Step::Sleep(ms) => format!("sleep {ms} ms"),
            Step::Add(topic) => format!("create {topic}"),
        }
    }
}

impl Sequence {
    /// One of its topics.
    pub fn topic(&self, name: &str) -> &Topic {
        self.topics.iter().find(|topic| topic.name == name).unwrap_or_else(|| panic!("{}: what is {name}?", self.name))
    }
}

/// Where scripts and goldens are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/kafka")
}

/// The families in `folder/scripts`, by name.
pub fn families(folder: &Path) -> Vec<(String, Vec<Sequence>)> {
    let scripts = folder.join("scripts");
    let entries = std::fs::read_dir(&scripts).unwrap_or_else(|error| panic!("{}: {error}", scripts.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    let name = |path: &Path| path.file_stem().expect("a file").to_string_lossy().to_string();
    files.iter().map(|path| (name(path), family(path))).collect()
}

fn family(path: &Path) -> Vec<Sequence> {
    let text = std::fs::read_to_string(path).expect("a readable script");
    let json: Map<String, Value> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    json.iter().map(|(name, it)| sequence(name, it)).collect()
}

/// Reads one sequence.
pub fn sequence(name: &str, json: &Value) -> Sequence {
    only(name, json, &["about", "topics", "features", "settings", "boot", "group", "steps"]);
    let topics = json["topics"].as_object().into_iter().flatten().map(|(name, it)| {
        only(name, it, &["replicas", "config", "later"]);
        Topic {
            name: name.clone(),
            replicas: serde_json::from_value(it["replicas"].clone()).expect("replicas: a list of lists"),
            config: texts(&it["config"]),
            later: it["later"] == true,
        }
    });
    let steps = json["steps"].as_array().unwrap_or_else(|| panic!("{name}: no steps"));
    Sequence {
        name: name.to_string(),
        topics: topics.collect(),
        features: json["features"].as_object().into_iter().flatten().map(feature).collect(),
        settings: texts(&json["settings"]),
        boot: texts(&json["boot"]),
        group: texts(&json["group"]),
        steps: steps.iter().map(|json| step(name, json)).collect(),
    }
}

fn texts(json: &Value) -> Vec<(String, String)> {
    let text = |(key, value): (&String, &Value)| (key.clone(), value.as_str().expect("a text").to_string());
    json.as_object().into_iter().flatten().map(text).collect()
}

fn feature((name, level): (&String, &Value)) -> (String, i16) {
    (name.clone(), level.as_i64().expect("a level") as i16)
}

/// A coordinator, if one is meant.
fn coordinator(json: &Value) -> Option<(i8, String)> {
    let key = |kind: &str| json[kind].as_str().map(str::to_string);
    let kinds = [(0, "group"), (1, "transaction"), (2, "share")];
    kinds.iter().find_map(|(kind, word)| Some((*kind, key(word)?)))
}

/// Reads one step of a sequence.
pub fn step(of: &str, json: &Value) -> Step {
    let json = &crate::shorthand::expand(json);
    let number = |key: &str| json[key].as_i64().and_then(|id| i32::try_from(id).ok());
    let text = |key: &str| json[key].as_str().map(str::to_string);
    let ms = |key: &str| json[key].as_u64().unwrap_or_else(|| panic!("{of}: {key} is milliseconds"));
    if let Some(api) = text("send") {
        only(of, json, &["send", "version", "to", "body", "as", "silent", "again", "repeat"]);
        let to = match coordinator(&json["to"]) {
            Some((kind, key)) => To::Coordinator(kind, key),
            _ if json["to"] == "leader" => To::Leader,
            _ if json["to"] == "controller" => To::Controller,
            _ => To::Broker(number("to").unwrap_or_else(|| panic!("{of}: to whom? {json}"))),
        };
        return Step::Send(Send {
            api,
            version: number("version").expect("a version") as i16,
            to,
            body: json["body"].clone(),
            name: text("as"),
            silent: json["silent"] == true,
            again: text("again"),
            repeat: number("repeat").map_or(1, |times| times as u32),
        });
    }
    if let Some(name) = text("wait") {
        return Step::Wait(name);
    }
    if let Some(name) = text("quiet") {
        return Step::Quiet(name, ms("ms"));
    }
    if let Some(topic) = text("new") {
        return Step::Add(topic);
    }
    if let Some(until) = json.get("until") {
        only(of, until, &["partition", "leader", "isr"]);
        return Step::Until(Until {
            partition: until["partition"].as_i64().unwrap_or(0) as i32,
            leader: until["leader"].as_i64().map(|id| id as i32),
            isr: until.get("isr").map(|isr| serde_json::from_value(isr.clone()).expect("a list of brokers")),
        });
    }
    if let Some((kind, key)) = coordinator(&json["kill"]) {
        return Step::KillCoordinator(kind, key);
    }
    if json["start"] == "all" {
        return Step::StartAll;
    }
    match (number("kill"), number("stop"), number("start")) {
        (Some(id), ..) => Step::Kill(id),
        (_, Some(id), _) => Step::Stop(id),
        (_, _, Some(id)) => Step::Start(id),
        _ => Step::Sleep(ms("sleep")),
    }
}

/// A misspelt key is a mistake, not a default.
fn only(of: &str, json: &Value, keys: &[&str]) {
    for key in json.as_object().into_iter().flatten().map(|(key, _)| key) {
        assert!(keys.contains(&key.as_str()), "{of}: `{key}` is none of {keys:?}");
    }
}
