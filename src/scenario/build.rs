//! From names to ids: a scenario becomes the setup of a world, or a list of what is wrong with it.

use super::apps::Apps;
use super::format::{self, EventWord, Scenario, What, When};
use super::reader::{Mistake, Mistakes};
use super::{groups, sink};
use crate::app::SinkNodeSetup;
use crate::base::config::{BrokerConfig, ConfigException, TopicConfig, suggest};
use crate::base::{NodeId, SortedMap};
use crate::metadata::is_internal_topic;
use crate::protocol::NewTopic;
use crate::sim::{Action, AdminTask, EventKind, Fault, MessageKind, NetworkSetup, Trigger, WorldSetup};
use std::rc::Rc;

/// Ids for names: brokers first, then controllers, then applications in the order of the scenario, then sinks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Names {
    ids: SortedMap<Rc<str>, NodeId>,
    names: Vec<Rc<str>>,
}

impl Names {
    fn of(scenario: &Scenario, sinks: &[SinkNodeSetup], mistakes: &mut Mistakes) -> Names {
        let servers = (0..scenario.cluster.brokers).map(|i| Rc::from(format!("broker-{i}")));
        let mut out = Names { ids: SortedMap::new(), names: Vec::new() };
        let controllers = (0..scenario.cluster.controllers).map(|i| Rc::from(format!("controller-{i}")));
        for name in servers.chain(controllers) {
            out.add(name);
        }
        let producers =
            scenario.producers.iter().enumerate().map(|(i, p)| (format!("producers[{i}].name"), p.name.clone()));
        let consumers = scenario.consumers.iter().enumerate();
        let consumers =
            consumers.flat_map(|(i, c)| c.instances().map(move |c| (format!("consumers[{i}].name"), c.name)));
        let processors =
            scenario.processors.iter().enumerate().map(|(i, p)| (format!("processors[{i}].name"), p.name.clone()));
        for (place, name) in producers.chain(consumers).chain(processors) {
            if !out.add(Rc::clone(&name)) {
                mistakes.add(place, format!("\"{name}\" is taken; every node needs its own name"));
            }
        }
        for sink in sinks {
            if !out.add(Rc::clone(&sink.name)) {
                let problem = format!("\"{}\" is taken; give the sink a \"name\" of its own", sink.name);
                mistakes.add("sink", problem);
            }
        }
        out
    }

    fn add(&mut self, name: Rc<str>) -> bool {
        let id = NodeId(self.names.len() as u16);
        self.names.push(Rc::clone(&name));
        self.ids.insert(name, id).is_none()
    }

    /// The node of that name.
    pub fn id(&self, name: &str) -> Option<NodeId> {
        self.ids.get(name).copied()
    }

    /// The names, by id.
    pub fn all(&self) -> &[Rc<str>] {
        &self.names
    }

    fn find(&self, place: &str, name: &str, mistakes: &mut Mistakes) -> NodeId {
        self.id(name).unwrap_or_else(|| {
            let near = suggest::nearest(name, self.names.iter().map(|name| &**name));
            let hint = match near {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("nodes here: {}", self.names.join(", ")),
            };
            mistakes.add(place, format!("there is no node \"{name}\"; {hint}"));
            NodeId(0)
        })
    }
}

/// Checks a scenario and turns it into the setup of a world.
pub fn build(scenario: &Scenario) -> Result<(WorldSetup, Names), Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    if let Some(mistake) = too_much(scenario) {
        return Err(vec![mistake]);
    }
    let sinks = sink::nodes(scenario, &mut mistakes);
    let names = Names::of(scenario, &sinks, &mut mistakes);
    let broker_config = checked("cluster.config", BrokerConfig::parse(&scenario.cluster.config), &mut mistakes);
    if !matches!(scenario.cluster.controllers, 1 | 3) {
        mistakes.add("cluster.controllers", "1 or 3: two agree only while both are there, as one does");
    }
    let topics = topics(scenario, &broker_config, &mut mistakes);
    let group_configs = groups::build(scenario, &broker_config, &mut mistakes);
    let mut apps = Apps {
        scenario,
        names: &names,
        brokers: (0..scenario.cluster.brokers as u16).map(NodeId).collect(),
        transaction_version: broker_config.transaction_version as u8,
        mistakes: &mut mistakes,
    };
    let (producers, consumers, processors) = (apps.producers(), apps.consumers(), apps.processors());
    let faults = scenario.faults.iter().enumerate();
    let faults = faults.map(|(i, f)| fault(i as u32, f, &names, &format!("faults[{i}]"), &mut mistakes)).collect();
    for (i, fault) in scenario.faults.iter().enumerate() {
        let place = format!("faults[{i}]");
        match &fault.what {
            What::Admin(task) => check_task(task, scenario, &broker_config, &place, &mut mistakes),
            What::Shutdown { node, .. } if !can_shut_down(scenario, node) => {
                mistakes.add(place, "a shutdown is for brokers, controllers and consumers; others can \"crash\"");
            }
            _ => {}
        }
    }
    if !mistakes.0.is_empty() {
        return Err(mistakes.0);
    }
    let (latency_min, latency_max) = scenario.network.latency;
    let setup = WorldSetup {
        seed: scenario.seed,
        brokers: scenario.cluster.brokers as u16,
        racks: scenario.cluster.racks.clone(),
        controllers: scenario.cluster.controllers as u16,
        broker_config: Rc::new(broker_config),
        topics,
        group_configs,
        network: NetworkSetup { latency_min, latency_max },
        producers,
        consumers,
        processors,
        sinks,
        faults,
    };
    Ok((setup, names))
}

/// More machines and topics than anybody can look at, and few enough for a browser.
const MOST_APPLICATIONS: usize = 400;
const MOST_TOPICS: usize = 200;

/// What nobody wrote by hand: a file or a link that would hold the browser up.
fn too_much(scenario: &Scenario) -> Option<Mistake> {
    let counts = [
        ("applications", scenario.applications().take(MOST_APPLICATIONS + 1).count(), MOST_APPLICATIONS),
        ("topics", scenario.topics.len(), MOST_TOPICS),
    ];
    let (place, _, most) = counts.into_iter().find(|(_, count, most)| count > most)?;
    Some(Mistake { place: place.to_owned(), problem: format!("a scenario has {most} at most") })
}

/// A fault that a person adds while the scenario runs.
pub fn fault_now(what: &What, trigger: Trigger, names: &Names) -> Result<Fault, Vec<Mistake>> {
    let mut mistakes = Mistakes::default();
    let action = action(what, names, "fault", &mut mistakes);
    if mistakes.0.is_empty() { Ok(Fault { id: u32::MAX, trigger, action }) } else { Err(mistakes.0) }
}

pub(super) fn checked<T: Default>(place: &str, parsed: Result<T, Vec<ConfigException>>, mistakes: &mut Mistakes) -> T {
    parsed.unwrap_or_else(|errors| {
        errors.into_iter().for_each(|error| mistakes.add(place, error.message));
        T::default()
    })
}

fn topics(scenario: &Scenario, broker: &BrokerConfig, mistakes: &mut Mistakes) -> Vec<NewTopic> {
    let mut seen: Vec<&str> = Vec::new();
    let mut out = Vec::new();
    for (i, topic) in scenario.topics.iter().enumerate() {
        if topic.replication_factor > scenario.cluster.brokers {
            let problem = format!(
                "{} replicas need as many brokers, and there are {}",
                topic.replication_factor, scenario.cluster.brokers
            );
            mistakes.add(format!("topics[{i}].replication.factor"), problem);
        }
        if seen.contains(&&*topic.name) || is_internal_topic(&topic.name) {
            mistakes.add(format!("topics[{i}].name"), format!("\"{}\" is taken", topic.name));
        }
        seen.push(&topic.name);
        if let Err(errors) = TopicConfig::parse_with(&topic.config, broker) {
            errors.into_iter().for_each(|error| mistakes.add(format!("topics[{i}].config"), error.message));
        }
        out.push(NewTopic {
            name: Rc::clone(&topic.name),
            partitions: topic.partitions as i32,
            replication_factor: topic.replication_factor as i16,
            assignments: Vec::new(),
            config: topic.config.clone(),
        });
    }
    out
}

pub(super) fn known_topic(scenario: &Scenario, place: &str, name: &str, mistakes: &mut Mistakes) {
    if scenario.topics.iter().any(|topic| &*topic.name == name) {
        return;
    }
    let near = suggest::nearest(name, scenario.topics.iter().map(|topic| &*topic.name));
    let hint = near.map_or("list it under \"topics\"".to_owned(), |near| format!("did you mean \"{near}\"?"));
    mistakes.add(place, format!("there is no topic \"{name}\"; {hint}"));
}

fn fault(id: u32, fault: &format::Fault, names: &Names, place: &str, mistakes: &mut Mistakes) -> Fault {
    let mut node = |name: &Rc<str>| names.find(place, name, mistakes);
    let trigger = match &fault.when {
        When::At(at) => Trigger::At(*at),
        When::Message { kind, from, to, nth } => Trigger::OnMessage {
            kind: MessageKind::from_name(kind).expect("the parser knows all kinds"),
            from: from.as_ref().map(&mut node),
            to: to.as_ref().map(&mut node),
            nth: *nth,
        },
        When::Event { kind, node: at, nth } => {
            Trigger::OnEvent { kind: event_kind(*kind), node: at.as_ref().map(&mut node), nth: *nth }
        }
    };
    Fault { id, trigger, action: action(&fault.what, names, place, mistakes) }
}

/// Whether SIGTERM does anything there that a crash does not: producers and processors do not listen to it.
fn can_shut_down(scenario: &Scenario, name: &str) -> bool {
    let producers = scenario.producers.iter().map(|it| &it.name);
    !producers.chain(scenario.processors.iter().map(|it| &it.name)).any(|known| **known == *name)
}

/// What the cluster may refuse when the time comes is let pass: only names and settings are checked.
fn check_task(task: &AdminTask, scenario: &Scenario, broker: &BrokerConfig, place: &str, mistakes: &mut Mistakes) {
    let place = |key: &str| format!("{place}.{key}");
    if let Some(topic) = task.topic() {
        known_topic(scenario, &place("topic"), topic, mistakes);
    }
    match task {
        AdminTask::Reassign { replicas: Some(replicas), .. } => {
            let brokers = scenario.cluster.brokers;
            for stranger in replicas.iter().filter(|id| id.0 as u32 >= brokers) {
                mistakes
                    .add(place("replicas"), format!("there is no broker {stranger}; ids here: 0 to {}", brokers - 1));
            }
        }
        AdminTask::AlterGroupConfig { group, config } => {
            groups::known(scenario, &place("group"), group, mistakes);
            groups::check(config, broker, &place("config"), mistakes);
        }
        AdminTask::AlterConfig { topic: Some(_), config } => {
            let set = config.iter().filter(|(_, value)| !value.is_empty());
            let set = set.map(|(key, value)| (key.clone(), value.clone())).collect();
            if let Err(errors) = TopicConfig::parse_with(&set, broker) {
                errors.into_iter().for_each(|error| mistakes.add(place("config"), error.message));
            }
        }
        _ => {}
    }
}

fn event_kind(word: EventWord) -> EventKind {
    EventKind::from_name(word.word()).expect("invariant: every event word names an event")
}

fn action(what: &What, names: &Names, place: &str, mistakes: &mut Mistakes) -> Action {
    let mut id = |name: &Rc<str>| names.find(place, name, mistakes);
    match what {
        What::Crash { node, back_after } => Action::Crash { node: id(node), restart_after: *back_after },
        What::PowerLoss { node, back_after } => Action::PowerLoss { node: id(node), restart_after: *back_after },
        What::Shutdown { node, back_after } => Action::Shutdown { node: id(node), restart_after: *back_after },
        What::Admin(task) => Action::Admin(task.clone()),
        What::Restart { node } => Action::Restart { node: id(node) },
        What::Pause { node, duration } => Action::Pause { node: id(node), duration: *duration },
        What::Resume { node } => Action::Resume { node: id(node) },
        What::Partition { a, b, one_way, duration } => {
            Action::Partition { a: id(a), b: b.as_ref().map(id), duration: *duration, symmetric: !one_way }
        }
        What::Heal { a, b } => Action::Heal { a: id(a), b: b.as_ref().map(id) },
        What::Reset => Action::Reset,
        What::Stall => Action::Stall,
        What::Delay { by } => Action::Delay { by: *by },
        What::Slow { a, b, by, duration } => {
            Action::Slow { a: a.as_ref().map(&mut id), b: b.as_ref().map(id), by: *by, duration: *duration }
        }
        What::SkewClock { node, by_ms } => Action::SkewClock { node: id(node), by_ms: *by_ms },
        What::Corrupt { node, partition, offset } => {
            let node = id(node);
            let log = partition.as_ref().map(|name| partition_of(name, place, mistakes));
            Action::Corrupt { node, log, offset: *offset }
        }
        What::SlowDisk { node, by, duration } => Action::SlowDisk { node: id(node), by: *by, duration: *duration },
        What::FullDisk { node, duration } => Action::FullDisk { node: id(node), duration: *duration },
    }
}

/// `orders-0`: topic and partition.
fn partition_of(name: &str, place: &str, mistakes: &mut Mistakes) -> (Rc<str>, u32) {
    let parts = name.rsplit_once('-').and_then(|(topic, partition)| Some((Rc::from(topic), partition.parse().ok()?)));
    parts.unwrap_or_else(|| {
        mistakes.add(place, format!("\"{name}\" is no partition; one is called like \"orders-0\""));
        (Rc::from(name), 0)
    })
}
