//! Applications that survive duplicates: with a strategy that works, each record has its effect once.
//!
//! It is judged when all is over, of consumers and of processors with a sink, in every topic that they read. That nothing is
//! repeated is promised by every sink that recognises repetitions for ever and in the same transaction as the effect: a store
//! of processed ids must have room for all of them; an offset tells repeated reads, not what stands in the log twice. That nothing
//! is lost is promised if all members process before they commit, on the polling thread, and read from the beginning; not by
//! versions, where a newer record may stand for an older one. (Of share groups [`super::deliveries`] tells what is lost.) Nothing
//! is promised for a group whose members act on several sinks, which know nothing of each other, nor where Kafka gave up what
//! was committed.

use super::{Invariant, Invariants, Violation};
use crate::app::{CommitMode, ConsumerAppSetup, Dedupe, Fencing, HandOver, OffsetsMode, ProcessorAppSetup};
use crate::app::{SinkSetup, Writes};
use crate::base::config::AutoOffsetReset;
use crate::base::{NodeId, RecordId, Time, TopicId};
use crate::check::ledger::Ledger;
use crate::check::life::Life;
use crate::sim::WorldSetup;
use std::rc::Rc;

/// Somebody who acts on a sink.
struct Actor<'a> {
    node: NodeId,
    name: &'a Rc<str>,
    group: Option<&'a Rc<str>>,
    sink: &'a SinkSetup,
    sink_node: Option<NodeId>,
    /// It passes over nothing.
    never_loses: bool,
}

impl Actor<'_> {
    fn is_with(&self, other: &Actor<'_>) -> bool {
        self.node == other.node || (self.group.is_some() && self.group == other.group)
    }
}

fn consumer(app: &ConsumerAppSetup) -> Actor<'_> {
    let ConsumerAppSetup { name, group, sink, .. } = app;
    let (group, never_loses) = (group.as_ref(), never_loses(app));
    Actor { node: app.node, name, group, sink, sink_node: app.sink_node, never_loses }
}

fn processor(app: &ProcessorAppSetup) -> Option<Actor<'_>> {
    let ProcessorAppSetup { name, group, .. } = app;
    let from_first = app.consumer.auto_offset_reset == AutoOffsetReset::Earliest;
    let sink = app.sink.as_ref()?;
    let never_loses = from_first && app.offsets != OffsetsMode::Before && sink.dedupe != Dedupe::Version;
    Some(Actor { node: app.node, name, group: Some(group), sink, sink_node: app.sink_node, never_loses })
}

/// Whether a sink lets no effect happen twice, of so many records.
fn never_repeats(sink: &SinkSetup, records: u32) -> bool {
    let remembers = sink.window_records.is_none_or(|window| window >= records) && sink.window.is_none();
    sink.dedupe != Dedupe::None
        && sink.writes() == Writes::Together
        && (remembers || sink.dedupe != Dedupe::ProcessedIds)
        && (sink.fencing != Fencing::None || sink.dedupe != Dedupe::OffsetWithOutput)
}

/// Whether it passes over nothing.
fn never_loses(app: &ConsumerAppSetup) -> bool {
    app.commit != CommitMode::Before
        && app.share.is_none()
        && app.hand_over == HandOver::Inline
        && app.sink.dedupe != Dedupe::Version
        && app.config.auto_offset_reset == AutoOffsetReset::Earliest
}

impl Invariants {
    /// At the end: no effect happened twice, and none did not happen, at least if some member of the group has `ended`: it lives,
    /// has read everything, and no exception ended its loop.
    pub fn check_effects(
        &self,
        ledger: &Ledger,
        setup: &WorldSetup,
        at: Time,
        ended: impl Fn(NodeId) -> bool,
    ) -> Vec<Violation> {
        let mut found = Vec::new();
        if self.any_waived() {
            return found;
        }
        let records = setup.producers.iter().map(|app| app.records).fold(0, u32::saturating_add);
        let processors = setup.processors.iter().filter_map(processor);
        let all: Vec<Actor<'_>> = setup.consumers.iter().map(consumer).chain(processors).collect();
        for (place, actor) in all.iter().enumerate().filter(|(_, actor)| never_repeats(actor.sink, records)) {
            let is_told = all[..place].iter().any(|other| other.is_with(actor));
            let members = || all.iter().filter(|other| other.is_with(actor));
            if is_told || members().any(|other| other.sink_node != actor.sink_node) {
                continue;
            }
            let whole = members().all(|it| it.never_loses) && members().any(|it| ended(it.node));
            let topics = (1..=setup.topics.len() as u32).map(TopicId);
            for reading in topics.filter_map(|topic| ledger.flow().reading(actor.node, topic)) {
                for detail in ledger.lives().filter_map(|life| breaks(ledger, actor, life, reading, whole)) {
                    let (invariant, partition, detail) = (Invariant::EffectOnce, None, detail.into());
                    found.push(Violation { invariant, at, partition, detail });
                }
            }
        }
        found
    }
}

/// What is wrong with a record's effects, where the group reads it.
fn breaks(
    ledger: &Ledger,
    actor: &Actor<'_>,
    (record, life): (RecordId, &Rc<Life>),
    reading: u16,
    whole: bool,
) -> Option<String> {
    let (flow, name, effects) = (ledger.flow(), actor.name, life.processed.of(reading));
    let topic = flow.readings().get(usize::from(reading))?.topic;
    // Each of its places has an offset of its own, in a retry topic, too.
    let places = life.places.iter().filter(|(it, _)| it.topic == topic || flow.is_retry(it.topic)).count();
    let most = if actor.sink.dedupe == Dedupe::OffsetWithOutput { places.max(1) as u32 } else { 1 };
    if effects > most {
        return Some(format!("{name}: record {record} had its effect {effects} times"));
    }
    let missing = whole && effects == 0 && ledger.is_readable(life, topic) && !ledger.is_dead_lettered(life);
    missing.then(|| format!("{name}: record {record} never had its effect"))
}
