//! What coordinators decide, what markers say, and what producers are told: one and the same.
//!
//! Decisions are learned from [`TransactionChanged`](crate::node::Event::TransactionChanged). A coordinator that takes over says
//! nothing of what it finds, so that steps may be missing between two coordinators, and a decision may be known only to the
//! one that acts on it: then it is asked.

use super::{Cluster, Invariant, Invariants, Violation};
use crate::base::{BrokerId, NodeId, ProducerEpoch, ProducerId, SortedMap, TopicPartition};
use crate::metadata::{MetadataImage, TRANSACTION_STATE_TOPIC, coordinator_partition};
use crate::node::Event;
use crate::protocol::{ApiKey, TransactionState};
use crate::record::{ControlRecord, RecordBatch};
use crate::sim::Recorded;
use std::rc::Rc;

/// As many decisions of a producer id are kept; its markers come soon after them.
const KEPT: usize = 16;

/// A producer's name for a moment.
type Identity = (ProducerId, ProducerEpoch);

/// One transactional id as its coordinators have told it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Transactional {
    teller: NodeId,
    /// The event that told it.
    told: u64,
    state: TransactionState,
    producer: Identity,
    /// Ids that it had before.
    former: Vec<ProducerId>,
    /// Who called `initTransactions()` last: node, identity, event.
    owner: Option<(NodeId, Identity, u64)>,
}

/// What was decided of a producer's transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Decided {
    producer: Identity,
    committed: bool,
    /// The event that told it.
    event: u64,
}

/// A transaction as its producer sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Begun {
    transactional_id: Rc<str>,
    producer: Identity,
    event: u64,
    /// It has handed over records.
    sent: bool,
}

/// All transactional ids, decisions, and transactions in the making. No part of the state's hash.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct TransactionWatch {
    ids: SortedMap<Rc<str>, Transactional>,
    decisions: SortedMap<ProducerId, Vec<Decided>>,
    begun: SortedMap<NodeId, Begun>,
    /// When each broker began to coordinate something, for the last time: the event.
    reigns: SortedMap<NodeId, u64>,
    /// An administrator ends transactions by hand (`kafka-transactions abort`): not every marker was decided.
    by_hand: bool,
}

impl TransactionWatch {
    fn decided(&self, producer: Identity, committed: bool) -> Option<&Decided> {
        let of = self.decisions.get(&producer.0)?;
        of.iter().rev().find(|it| it.producer == producer && it.committed == committed)
    }

    fn decide(&mut self, producer: Identity, committed: bool, event: u64, anew: bool) {
        let of = self.decisions.entry(producer.0).or_default();
        if let Some(last) = of.last_mut().filter(|last| last.producer == producer && last.committed == committed) {
            // Before transaction version 2 one epoch has many transactions; what is completed was decided before.
            if anew {
                last.event = event;
            }
            return;
        }
        of.push(Decided { producer, committed, event });
        if of.len() > KEPT {
            of.remove(0);
        }
    }
}

/// Whether that state may follow that one (`TransactionState.validPreviousStates`).
fn may_follow(from: TransactionState, to: TransactionState) -> bool {
    use TransactionState::{
        CompleteAbort, CompleteCommit, Dead, Empty, Ongoing, PrepareAbort, PrepareCommit, PrepareEpochFence,
    };
    match to {
        Empty | Dead => matches!(from, Empty | CompleteCommit | CompleteAbort),
        Ongoing => matches!(from, Empty | Ongoing | CompleteCommit | CompleteAbort),
        PrepareCommit | PrepareEpochFence => from == Ongoing,
        PrepareAbort => matches!(from, Ongoing | PrepareEpochFence | Empty | CompleteCommit | CompleteAbort),
        CompleteCommit => from == PrepareCommit,
        CompleteAbort => from == PrepareAbort,
    }
}

/// Whether a broker is the one that coordinates a transactional id, as the controller has decided.
fn coordinates(image: &MetadataImage, broker: BrokerId, id: &str) -> bool {
    let Some(topic) = image.topic_id(TRANSACTION_STATE_TOPIC) else { return true };
    let partition = TopicPartition::new(topic, coordinator_partition(id, image.partition_count(topic)));
    image.partition(partition).is_none_or(|decided| decided.leader == broker)
}

impl Invariants {
    /// A broker takes a partition of an internal topic over: what the coordinator before it did last, it may not have told.
    pub(super) fn note_reign(&mut self, it: &Recorded) {
        Rc::make_mut(&mut self.transactions).reigns.insert(it.node, it.id);
    }

    pub(super) fn check_transaction(&mut self, cluster: &impl Cluster, it: &Recorded) {
        match &it.event {
            Event::TransactionChanged { transactional_id, producer_id, producer_epoch, state, .. } => {
                let (producer, state) = ((*producer_id, *producer_epoch), *state);
                // One that was deposed and wakes up tells what happened long ago.
                let rightful = coordinates(cluster.image(), it.node.into(), transactional_id);
                self.note_decision(it, producer, state, rightful);
                if rightful {
                    self.check_changed(it, transactional_id, producer, state);
                }
            }
            Event::TransactionalIdExpired { transactional_id } => {
                Rc::make_mut(&mut self.transactions).ids.remove(&**transactional_id);
            }
            Event::TransactionsInitialized { transactional_id, producer_id, producer_epoch } => {
                let watch = Rc::make_mut(&mut self.transactions);
                watch.begun.remove(&it.node);
                let producer = (*producer_id, *producer_epoch);
                // An answer that arrives late (the program stood still) may be that of one who is fenced already.
                let is_late = |known: &Transactional| known.producer.0 == producer.0 && known.producer.1 > producer.1;
                if let Some(known) = watch.ids.get_mut(&**transactional_id).filter(|known| !is_late(known)) {
                    known.owner = Some((it.node, producer, it.id));
                }
            }
            Event::TransactionBegun { transactional_id, producer_id, producer_epoch } => {
                let producer = (*producer_id, *producer_epoch);
                let (transactional_id, event) = (transactional_id.clone(), it.id);
                let begun = Begun { transactional_id, producer, event, sent: false };
                Rc::make_mut(&mut self.transactions).begun.insert(it.node, begun);
            }
            Event::TransactionEnded { committed, .. } => self.check_told(it, *committed),
            _ => {}
        }
    }

    /// A producer's record is part of its transaction.
    pub(super) fn note_sent(&mut self, node: NodeId) {
        if self.transactions.begun.get(&node).is_some_and(|begun| !begun.sent)
            && let Some(begun) = Rc::make_mut(&mut self.transactions).begun.get_mut(&node)
        {
            begun.sent = true;
        }
    }

    fn note_decision(&mut self, it: &Recorded, producer: Identity, state: TransactionState, is_news: bool) {
        use TransactionState::{CompleteAbort, CompleteCommit, PrepareAbort, PrepareCommit};
        let committed = matches!(state, PrepareCommit | CompleteCommit);
        if committed || matches!(state, PrepareAbort | CompleteAbort) {
            let anew = is_news && matches!(state, PrepareCommit | PrepareAbort);
            Rc::make_mut(&mut self.transactions).decide(producer, committed, it.id, anew);
        }
    }

    fn check_changed(&mut self, it: &Recorded, id: &Rc<str>, producer: Identity, state: TransactionState) {
        let watch = Rc::make_mut(&mut self.transactions);
        let Some(known) = watch.ids.get_mut(&**id) else {
            let (teller, told, former, owner) = (it.node, it.id, Vec::new(), None);
            watch.ids.insert(id.clone(), Transactional { teller, told, state, producer, former, owner });
            return;
        };
        let heard_all = known.teller == it.node && watch.reigns.get(&it.node).is_none_or(|since| *since < known.told);
        let before = (known.state, known.producer);
        (known.teller, known.told, known.state, known.producer) = (it.node, it.id, state, producer);
        if producer.0 != before.1.0 {
            known.former.push(before.1.0);
        }
        let goes_back =
            if producer.0 == before.1.0 { producer.1 < before.1.1 } else { known.former.contains(&producer.0) };
        let fenced = known.owner.is_some_and(|(_, owner, _)| owner.0 == producer.0 && producer.1 < owner.1);
        let detail = || {
            format!(
                "{id}: {} with producer {} epoch {} after {} with producer {} epoch {}",
                state.name(),
                producer.0,
                producer.1,
                before.0.name(),
                before.1.0,
                before.1.1
            )
        };
        if fenced && state == TransactionState::PrepareCommit {
            self.report_transaction(Invariant::FencedNeverCommits, it, detail());
        } else if goes_back || (heard_all && !may_follow(before.0, state)) {
            self.report_transaction(Invariant::TransactionStates, it, detail());
        }
    }

    /// `commitTransaction()` or `abortTransaction()` returned.
    fn check_told(&mut self, it: &Recorded, committed: bool) {
        let Some(begun) = Rc::make_mut(&mut self.transactions).begun.remove(&it.node) else { return };
        let watch = &self.transactions;
        let Some(known) = watch.ids.get(&begun.transactional_id) else { return };
        let (id, epoch) = begun.producer;
        // Since transaction version 2 the decision carries the next epoch; before, that epoch is another producer's, which may
        // have decided something of its own before the answer came.
        let epochs = [epoch, epoch.saturating_add(1)];
        let decisions = epochs.iter().filter_map(|epoch| watch.decided((id, *epoch), committed));
        let later = decisions.clone().filter(|decided| decided.event > begun.event);
        let decision =
            later.min_by_key(|decided| decided.event).or_else(|| decisions.max_by_key(|decided| decided.event));
        let told = if committed { "committed" } else { "aborted" };
        let name = &begun.transactional_id;
        let detail = format!("{name}: node {} was told that {told} is what it began as {id}, epoch {epoch}", it.node.0);
        let owner = known.owner;
        match decision {
            Some(decided) => {
                let usurped = owner.is_some_and(|(node, _, event)| node != it.node && decided.event > event);
                if usurped && committed && decided.event > begun.event {
                    self.report_transaction(Invariant::FencedNeverCommits, it, detail);
                }
            }
            // Since transaction version 2 an end has an epoch of its own; before, it may be that of another transaction.
            None if !committed && watch.decided((id, epoch.saturating_add(1)), true).is_some() => {
                self.report_transaction(Invariant::CommitsDecided, it, detail);
            }
            // An empty transaction ends without its coordinator.
            None if committed && begun.sent => {
                self.report_transaction(Invariant::CommitsDecided, it, detail);
            }
            None => {}
        }
    }

    /// A leader has appended the end of a transaction: somebody has decided it so.
    /// An administrator asked for something.
    pub(super) fn note_asked(&mut self, api: ApiKey) {
        if api == ApiKey::WriteTxnMarkers {
            Rc::make_mut(&mut self.transactions).by_hand = true;
        }
    }

    pub(super) fn check_marker(
        &mut self,
        cluster: &impl Cluster,
        it: &Recorded,
        partition: TopicPartition,
        batch: &RecordBatch,
    ) {
        let Ok(Some(record)) = ControlRecord::of_batch(batch) else { return };
        let committed = match record {
            ControlRecord::Commit { .. } => true,
            ControlRecord::Abort { .. } => false,
            _ => return,
        };
        let producer = (batch.producer_id(), batch.producer_epoch());
        if self.transactions.decided(producer, committed).is_some() {
            return;
        }
        if cluster.decision(producer.0, producer.1) == Some(committed) {
            return Rc::make_mut(&mut self.transactions).decide(producer, committed, it.id, false);
        }
        if self.any_waived() || self.transactions.by_hand {
            return;
        }
        let what = if committed { "COMMIT" } else { "ABORT" };
        let detail = format!("{what} of producer {}, epoch {}, which nobody decided", producer.0, producer.1);
        self.report(Invariant::MarkersDecided, it.at, partition, detail);
    }

    fn report_transaction(&mut self, invariant: Invariant, it: &Recorded, detail: String) {
        // Where committed records of coordinators went lost, so did what they had decided.
        if self.violations.len() < super::MOST && !self.any_waived() {
            self.violations.push(Violation { invariant, at: it.at, partition: None, detail: detail.into() });
        }
    }
}
