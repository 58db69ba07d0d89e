//! Consumers that survive duplicates: with a strategy that works, each record has its effect once.
//!
//! It is judged when all is over. That nothing is repeated is promised by every sink that recognises repetitions for ever and
//! in the same transaction as the effect; an offset tells repeated reads, not what stands in the log twice. That nothing is
//! lost is promised if the program processes before it commits, on the polling thread, and reads from the beginning; not by
//! versions, where a newer record may stand for an older one. Nothing is promised for a group whose members act on several sinks,
//! which know nothing of each other, nor where Kafka gave up what was committed.

use super::{Invariant, Invariants, Violation};
use crate::app::{CommitMode, ConsumerAppSetup, Dedupe, Fencing, HandOver, Writes};
use crate::base::config::AutoOffsetReset;
use crate::base::{NodeId, RecordId, Time, TopicId};
use crate::check::ledger::Ledger;
use crate::check::life::Life;
use crate::sim::WorldSetup;

/// Whether its sink lets no effect happen twice.
fn never_repeats(app: &ConsumerAppSetup) -> bool {
    let sink = &app.sink;
    let remembers = sink.window_records.is_none() && sink.window.is_none();
    sink.dedupe != Dedupe::None
        && sink.writes() == Writes::Together
        && (remembers || sink.dedupe != Dedupe::ProcessedIds)
        && (sink.fencing != Fencing::None || sink.dedupe != Dedupe::OffsetWithOutput)
}

/// Whether it passes over nothing.
fn never_loses(app: &ConsumerAppSetup) -> bool {
    app.commit != CommitMode::Before
        && app.hand_over == HandOver::Inline
        && app.sink.dedupe != Dedupe::Version
        && app.config.auto_offset_reset == AutoOffsetReset::Earliest
}

impl Invariants {
    /// At the end: no effect happened twice, and none did not happen, at least not of those consumers that have `ended`: they
    /// have read everything, and no exception ended their loop.
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
        for (place, app) in setup.consumers.iter().enumerate().filter(|(_, app)| never_repeats(app)) {
            let of_group = |other: &&ConsumerAppSetup| app.group.is_some() && other.group == app.group;
            let members = || setup.consumers.iter().filter(of_group);
            let is_told = setup.consumers[..place].iter().any(|other| of_group(&other));
            if is_told || members().any(|other| other.sink_node != app.sink_node) {
                continue;
            }
            let whole = never_loses(app) && ended(app.node);
            let whole = whole && members().all(|other| never_loses(other) && ended(other.node));
            for (record, life) in ledger.lives() {
                let broken = |topic: TopicId| breaks(ledger, app, (record, life), topic, whole);
                let told = life.partition.and_then(|partition| broken(partition.topic));
                found.extend(told.map(|detail| Violation {
                    invariant: Invariant::EffectOnce,
                    at,
                    partition: None,
                    detail: detail.into(),
                }));
            }
        }
        found
    }
}

/// What is wrong with the effects of a record that was first sent to that topic.
fn breaks(
    ledger: &Ledger,
    app: &ConsumerAppSetup,
    (record, life): (RecordId, &Life),
    topic: TopicId,
    whole: bool,
) -> Option<String> {
    let effects = life.processed.of(ledger.flow().reading(app.node, topic)?);
    let stands = ledger.stands(life, topic);
    let offsets = app.sink.dedupe == Dedupe::OffsetWithOutput;
    // Each of its places has an offset of its own.
    let most = if offsets { life.places.len().max(1) as u32 } else { 1 };
    if effects > most {
        return Some(format!("{}: record {record} had its effect {effects} times", app.name));
    }
    let missing = whole && effects == 0 && stands > 0 && !ledger.is_dead_lettered(life);
    missing.then(|| format!("{}: record {record} never had its effect", app.name))
}
