//! What the moment of the commit promises of a group: committed before processing nothing is processed twice, committed after
//! it nothing is left out that is still there to be read.
//!
//! It is judged when all is over, of what stands in the logs. At least once is promised if every member processes on the polling
//! thread, commits what it has processed, and reads from the beginning where nothing is committed; at most once if every member
//! commits first, and the handler is called once for each record. What the sink makes of it is another question ([`super::effects`]).
//! Nothing is promised where Kafka gave up what was committed; nor is at most once of a partition that was read again because a
//! commit came late, behind a later one ([`super::groups`]).
//!
//! A share group promises at least once, too, if it begins at the earliest record and its members process before they acknowledge:
//! all but what one of them rejected, or what was delivered too often.

use super::{Invariant, Invariants, Violation};
use crate::app::{CommitMode, ConsumerAppSetup, Dedupe, HandOver, Writes};
use crate::base::config::AutoOffsetReset;
use crate::base::{NodeId, Offset, Time, TopicPartition};
use crate::check::ledger::Ledger;
use crate::protocol::AcknowledgeType;
use crate::sim::WorldSetup;
use std::rc::Rc;

/// Its handler throws nothing: it asks nobody who could fail.
fn is_steady(app: &ConsumerAppSetup) -> bool {
    let reliable = app.sink.fail_every == 0 && app.sink.lose_reply_every == 0 && app.sink.poison_every == 0;
    reliable && app.sink_node.is_none()
}

/// Whatever it gets it processes, or somebody after it. (Automatic commits are made by `close()`, too, when an exception has ended
/// the loop in the middle of a batch.)
fn at_least_once(app: &ConsumerAppSetup) -> bool {
    app.commit != CommitMode::Before
        && (app.commit != CommitMode::Auto || is_steady(app))
        && app.hand_over == HandOver::Inline
        && app.config.auto_offset_reset == AutoOffsetReset::Earliest
        // A newer version may stand for an older one; an id that is written first may hide what did not happen.
        && app.sink.dedupe != Dedupe::Version
        && app.sink.writes() == Writes::Together
}

/// The same of a share consumer. What its handler throws at is released or rejected; or its loop ends, and its locks do.
fn shares_at_least_once(app: &ConsumerAppSetup) -> bool {
    app.commit != CommitMode::Before
        && app.hand_over == HandOver::Inline
        && app.sink.dedupe != Dedupe::Version
        && app.sink.writes() == Writes::Together
}

/// Whatever it gets is not read again.
fn at_most_once(app: &ConsumerAppSetup) -> bool {
    app.commit == CommitMode::Before && is_steady(app) && app.sink.dedupe != Dedupe::OffsetWithOutput
}

impl Invariants {
    /// At the end: what a group did not process though it promised to, or processed twice. Nothing is missing as long as no
    /// member has `ended`: it lives, has read everything, and no exception ended its loop.
    pub fn check_deliveries(
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
        for name in group_names(setup) {
            let members = || setup.consumers.iter().filter(|app| app.group.as_ref() == Some(name));
            let Some(first) = members().next() else { continue };
            let promises = |app: &ConsumerAppSetup| match app.share {
                Some(_) => shares_at_least_once(app),
                None => at_least_once(app),
            };
            let whole = members().all(promises) && members().any(|app| ended(app.node));
            let once = members().all(|app| app.share.is_none() && at_most_once(app));
            for (record, life) in ledger.lives().filter(|_| whole || once) {
                let Some(topic) = life.partition.map(|partition| partition.topic) else { continue };
                let Some(reading) = ledger.flow().reading(first.node, topic) else { continue };
                let effects = life.processed.of(reading);
                let is_dropped = |place: &(TopicPartition, Offset)| self.shares.is_given_up(name, *place);
                let is_given_up = || {
                    ledger.is_dead_lettered(life)
                        || life.said() == Some(AcknowledgeType::Reject)
                        || life.share_ends().iter().any(|it| it.0 == reading)
                        || life.places.iter().any(is_dropped)
                };
                let is_reread = || life.places.iter().any(|(partition, _)| self.groups.has_reread(name, *partition));
                let broken = if whole && effects == 0 && ledger.is_readable(life, topic) && !is_given_up() {
                    (Invariant::AtLeastOnce, format!("{name}: record {record} was never processed"))
                } else if once && effects as usize > life.places.len().max(1) && !is_reread() {
                    (Invariant::AtMostOnce, format!("{name}: record {record} was processed {effects} times"))
                } else {
                    continue;
                };
                found.push(Violation { invariant: broken.0, at, partition: life.partition, detail: broken.1.into() });
            }
        }
        found
    }
}

fn group_names(setup: &WorldSetup) -> Vec<&Rc<str>> {
    let mut names: Vec<&Rc<str>> = Vec::new();
    for name in setup.consumers.iter().filter_map(|app| app.group.as_ref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
