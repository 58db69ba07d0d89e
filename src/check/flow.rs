//! Who reads what, what comes of it, and where a record's way ends.
//!
//! A record that a generator sends to a topic is read by groups of consumers, whose sinks act on it, and by processors, which send it
//! on under the same number. Its way ends at every sink, and in every topic that nobody reads.

use crate::base::{NodeId, TopicId, sort_short};
use crate::sim::WorldSetup;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// One group of applications that share an effect: those of one `group.id`, or one consumer without.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Readers {
    /// `group.id`, or the consumer's name.
    pub name: Rc<str>,
    /// Who.
    pub nodes: Vec<NodeId>,
    /// What they read.
    pub topics: Vec<TopicId>,
    /// What they write, if they are processors.
    pub to: Vec<TopicId>,
    /// They act on something outside of Kafka: consumers always, processors with a sink.
    pub acts: bool,
}

/// Consumers hash as they always did.
impl Hash for Readers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.name, &self.nodes, &self.topics).hash(state);
        if !self.to.is_empty() {
            (&self.to, self.acts).hash(state);
        }
    }
}

/// A group at one of the topics that it reads: there deliveries and effects are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Place in [`Flow::readers`].
    pub readers: u16,
    /// The topic.
    pub topic: TopicId,
}

/// Where a record's way ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// In the sink of a group that reads there: place in [`Flow::readings`].
    Sink(u16),
    /// In the log of a topic that nobody reads.
    Log(TopicId),
}

/// All ways through the topics of a world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    readers: Vec<Readers>,
    readings: Vec<Reading>,
    /// By topic id, from 1.
    ends: Vec<Vec<End>>,
    /// By topic id, from 1: all readings that a record meets.
    ways: Vec<Vec<u16>>,
    /// Where consumers send what they cannot handle, to read it again.
    retry: Vec<TopicId>,
    /// Where they send what they give up.
    dead: Vec<TopicId>,
    /// Which consumers.
    relays: Vec<NodeId>,
}

/// All of it follows from the readers.
impl Hash for Flow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.readers.hash(state);
        if !self.relays.is_empty() {
            (&self.retry, &self.dead, &self.relays).hash(state);
        }
    }
}

impl Flow {
    pub(super) fn new(setup: &WorldSetup) -> Flow {
        let readers = readers(setup);
        let plans = || setup.consumers.iter().map(|app| &app.on_failure);
        let retry = ids(setup, plans().filter_map(|plan| plan.retry_topic.as_ref()));
        let dead = ids(setup, plans().filter_map(|plan| plan.dead_letter_topic.as_ref()));
        let relays = setup.consumers.iter().filter(|app| app.on_failure.producer.is_some()).map(|app| app.node);
        let readings = (0..).zip(&readers).flat_map(|(at, group): (u16, &Readers)| {
            group.topics.iter().map(move |topic| Reading { readers: at, topic: *topic })
        });
        let readings = readings.filter(|reading| !retry.contains(&reading.topic)).collect();
        let (ends, ways, relays) = (Vec::new(), Vec::new(), relays.collect());
        let mut flow = Flow { readings, readers, ends, ways, retry, dead, relays };
        for topic in (1..=setup.topics.len() as u32).map(TopicId) {
            let (mut ends, mut way, mut seen) = (Vec::new(), Vec::new(), vec![topic]);
            flow.follow(topic, &mut seen, &mut way, &mut ends);
            flow.ends.push(ends);
            flow.ways.push(way);
        }
        flow
    }

    fn follow(&self, topic: TopicId, seen: &mut Vec<TopicId>, way: &mut Vec<u16>, ends: &mut Vec<End>) {
        let mut read = false;
        for (at, reading) in (0..).zip(&self.readings).filter(|(_, reading)| reading.topic == topic) {
            read = true;
            way.push(at);
            let readers = &self.readers[usize::from(reading.readers)];
            if readers.acts {
                ends.push(End::Sink(at));
            }
            for next in &readers.to {
                if !seen.contains(next) {
                    seen.push(*next);
                    self.follow(*next, seen, way, ends);
                }
            }
        }
        if !read {
            ends.push(End::Log(topic));
        }
    }

    /// The groups: consumers, then processors.
    pub fn readers(&self) -> &[Readers] {
        &self.readers
    }

    /// Groups and topics; counts of deliveries and effects are by place in this list.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// The group that reads there.
    pub fn readers_of(&self, reading: u16) -> Option<&Readers> {
        self.readers.get(usize::from(self.readings.get(usize::from(reading))?.readers))
    }

    /// Where the ways of records end that are sent to this topic.
    pub fn ends(&self, topic: TopicId) -> &[End] {
        topic.0.checked_sub(1).and_then(|at| self.ends.get(at as usize)).map_or(&[], Vec::as_slice)
    }

    /// All readings that records meet which are sent to this topic.
    pub fn on_the_way(&self, topic: TopicId) -> &[u16] {
        topic.0.checked_sub(1).and_then(|at| self.ways.get(at as usize)).map_or(&[], Vec::as_slice)
    }

    /// What a node reads when it reads that topic.
    pub(super) fn reading(&self, node: NodeId, topic: TopicId) -> Option<u16> {
        let group = self.readers.iter().position(|readers| readers.nodes.contains(&node))?;
        let is = |reading: &Reading| usize::from(reading.readers) == group && reading.topic == topic;
        self.readings.iter().position(is).and_then(|at| u16::try_from(at).ok())
    }

    /// What a group of consumers reads when it reads that topic.
    pub(super) fn reading_of(&self, group: &str, topic: TopicId) -> Option<u16> {
        let is = |reading: &Reading| {
            let readers = &self.readers[usize::from(reading.readers)];
            &*readers.name == group && reading.topic == topic
        };
        self.readings.iter().position(is).and_then(|at| u16::try_from(at).ok())
    }

    /// Whether a consumer reads there what it sent there itself.
    pub(super) fn is_retry(&self, topic: TopicId) -> bool {
        self.retry.contains(&topic)
    }

    /// Whether consumers put there what they give up.
    pub(super) fn is_dead_letter(&self, topic: TopicId) -> bool {
        self.dead.contains(&topic)
    }

    /// Whether what the node sends comes from what it reads.
    pub(super) fn sends_on(&self, node: NodeId) -> bool {
        self.relays.contains(&node) || self.is_processor(node)
    }

    /// Whether the node is a processor.
    pub(super) fn is_processor(&self, node: NodeId) -> bool {
        self.readers.iter().any(|readers| !readers.to.is_empty() && readers.nodes.contains(&node))
    }
}

fn ids<'a>(setup: &WorldSetup, names: impl Iterator<Item = &'a Rc<str>>) -> Vec<TopicId> {
    let place = |name: &Rc<str>| setup.topics.iter().position(|topic| topic.name == *name);
    names.filter_map(place).filter_map(|at| u32::try_from(at + 1).ok()).map(TopicId).collect()
}

fn readers(setup: &WorldSetup) -> Vec<Readers> {
    let ids = |names: &[Rc<str>]| ids(setup, names.iter());
    // Who shares a group with whom: consumers without a group are alone.
    let mut groups: Vec<(bool, Readers)> = Vec::new();
    let mut join = |shared: bool, name: Rc<str>, node: NodeId, topics: Vec<TopicId>, to: Vec<TopicId>, acts: bool| {
        let is = |(is_group, it): &(bool, Readers)| {
            shared && *is_group && it.name == name && it.to.is_empty() == to.is_empty()
        };
        let place = groups.iter().position(is).unwrap_or_else(|| {
            let (nodes, topics, to) = (Vec::new(), Vec::new(), Vec::new());
            groups.push((shared, Readers { name, nodes, topics, to, acts: false }));
            groups.len() - 1
        });
        let readers = &mut groups[place].1;
        readers.nodes.push(node);
        readers.acts |= acts;
        for (all, more) in [(&mut readers.topics, topics), (&mut readers.to, to)] {
            all.extend(more);
            sort_short(all, |a, b| a < b);
            all.dedup();
        }
    };
    for app in &setup.consumers {
        let name = app.group.clone().unwrap_or_else(|| app.name.clone());
        join(app.group.is_some(), name, app.node, ids(&app.topics), Vec::new(), true);
    }
    for app in &setup.processors {
        join(true, app.group.clone(), app.node, ids(&app.from), ids(&app.to), app.sink.is_some());
    }
    groups.into_iter().map(|(_, readers)| readers).collect()
}
