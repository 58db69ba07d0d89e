//! A program that reads, processes and writes what came of it to other topics, as Kafka's `ExactlyOnceMessageProcessor` and
//! `TransactionalMessageCopier` do it:
//!
//! ```text
//! loop { records = poll(); beginTransaction(); for each record { process; effect; send() }
//!        sendOffsetsToTransaction(); commitTransaction() }
//! ```
//!
//! or, with `offsets` = `after` or `before`, with `commitSync()` after or before the rest; without `transactional.id` it waits for
//! the acknowledgements where it would commit the transaction.
//!
//! Invariants: one thread; a step ends between any two of these actions, so that a crash can fall anywhere; an output record
//! carries the number of its input. When something fails that can be undone, the program undoes it, goes back to where it last
//! committed, and reads again from there; when it was fenced, it stops. The sink survives a crash; all else is one struct that
//! the crash drops.
//!
//! The group is named to `sendOffsetsToTransaction()` as it was when `poll()` returned: a member of the consumer protocol may be thrown
//! out and join anew in the background, while its program works on what is somebody else's by now, and the coordinator takes
//! whatever comes in the present epoch.
//!
//! Departures: records that no generator made are skipped; all partitions are assigned by the program itself, so that two
//! instances both read everything.

mod steps;
mod transaction;

use super::sink_client::SinkClient;
use super::{OffsetsMode, ProcessorAppSetup, Sink, transactions};
use crate::base::{NodeId, Offset, Prng, RecordId, SortedMap, Time, TopicPartition};
use crate::client::Producer;
use crate::client::consumer::{Consumer, ConsumerRecord, WaitsFor};
use crate::client::producer::GroupMetadata;
use crate::node::{Channel, ClientError, ConnectionId, Crash, LoopTimer, Message, Node, Outbox, Timer};
use crate::protocol::OffsetCommitPartition;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// What the program is doing now.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ProcessorActivity {
    /// The process is not running.
    Stopped,
    /// Inside `initTransactions()`.
    Initializing,
    /// Inside `poll()`.
    Polling(WaitsFor),
    /// A record's handler runs.
    Processing {
        /// Which.
        record: Option<RecordId>,
        /// Until when.
        until: Time,
    },
    /// A record's handler waits for its sink.
    Acting {
        /// Which.
        record: Option<RecordId>,
    },
    /// Inside `send()` or about to call it.
    Sending {
        /// Which record.
        record: Option<RecordId>,
    },
    /// Waits until all it sent is acknowledged.
    Flushing,
    /// Inside `commitSync()`.
    Committing,
    /// Inside `sendOffsetsToTransaction()`.
    SendingOffsets,
    /// Inside `commitTransaction()` or `abortTransaction()`.
    Ending {
        /// Which of them.
        committed: bool,
    },
    /// Between two steps of the loop.
    Returning,
    /// An exception ended the loop.
    Failed(ClientError),
}

/// Where the loop stands. A past participle is a pause between two steps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Doing {
    Initializing,
    Polling,
    Returned,
    CommittingBefore,
    Begun,
    /// Until when.
    Processing(Time),
    Processed,
    /// `send()` blocks.
    Sending,
    BatchDone,
    SendingOffsets,
    OffsetsSent,
    /// Whether it commits.
    Ending(bool),
    Ended(bool),
    Flushing,
    Flushed,
    CommittingAfter,
    Failed(ClientError),
    Acting,
}

/// What a crash destroys.
#[derive(Clone, PartialEq, Debug)]
struct Running {
    consumer: Consumer,
    producer: Producer,
    doing: Doing,
    /// What `poll()` returned and is not processed and sent, the record at hand first.
    batch: VecDeque<ConsumerRecord>,
    /// To how many topics the record at hand was sent.
    sent: usize,
    /// Where to read again from, should it all be undone: the last committed positions; before the first commit, where this
    /// process began to read.
    committed: SortedMap<TopicPartition, Offset>,
    /// The positions as `poll()` left them: what is committed with this batch, even should a partition be read anew meanwhile.
    read: Rc<[OffsetCommitPartition]>,
    /// As what member.
    group: Option<GroupMetadata>,
    /// Why an output of this batch was not written.
    failure: Option<ClientError>,
    /// Its sink, if that is a node of its own.
    sink: Option<SinkClient>,
}

/// Without a sink's node as it always was.
impl Hash for Running {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.consumer, &self.producer, &self.doing, &self.batch, self.sent).hash(state);
        (&self.committed, &self.read, &self.failure).hash(state);
        if let Some(sink) = &self.sink {
            sink.hash(state);
        }
        // Most of the time it is the present one.
        if self.group.is_some() && self.group.as_ref() != self.consumer.group_metadata() {
            self.group.hash(state);
        }
    }
}

/// A program that reads, processes and writes.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ProcessorApp {
    setup: Rc<ProcessorAppSetup>,
    sink: Option<Sink>,
    lives: u32,
    running: Option<Running>,
}

impl ProcessorApp {
    /// Not started yet.
    pub fn new(setup: ProcessorAppSetup) -> Self {
        let sink = setup.sink.filter(|_| setup.sink_node.is_none()).map(Sink::new);
        ProcessorApp { sink, setup: Rc::new(setup), lives: 0, running: None }
    }

    // ---- asking ----

    /// What it was told.
    pub fn setup(&self) -> &Rc<ProcessorAppSetup> {
        &self.setup
    }

    /// Where its effects happen, if it acts on anything but topics, and that is no node of its own.
    pub fn sink(&self) -> Option<&Sink> {
        self.sink.as_ref()
    }

    /// How often it was started.
    pub fn lives(&self) -> u32 {
        self.lives
    }

    /// Its consumer, while the process runs.
    pub fn consumer(&self) -> Option<&Consumer> {
        self.running.as_ref().map(|running| &running.consumer)
    }

    /// Its producer, while the process runs.
    pub fn producer(&self) -> Option<&Producer> {
        self.running.as_ref().map(|running| &running.producer)
    }

    /// Records that `poll()` returned and that are not yet sent on, in order.
    pub fn batch(&self) -> impl Iterator<Item = &ConsumerRecord> {
        self.running.iter().flat_map(|running| &running.batch)
    }

    /// Nothing left to do on its own, or dead.
    pub fn is_done(&self) -> bool {
        let Some(running) = &self.running else { return self.lives > 0 };
        match running.doing {
            Doing::Failed(_) => true,
            Doing::Polling => {
                let (consumer, producer) = (&running.consumer, &running.producer);
                !consumer.has_records() && !consumer.is_committing_news() && producer.is_idle()
            }
            _ => false,
        }
    }

    /// Whether an exception ended its loop.
    pub fn has_failed(&self) -> bool {
        self.running.as_ref().is_some_and(|running| matches!(running.doing, Doing::Failed(_)))
    }

    /// What it is doing now.
    pub fn activity(&self) -> ProcessorActivity {
        let Some(running) = &self.running else { return ProcessorActivity::Stopped };
        let record = || running.batch.front().and_then(|record| record.id);
        match &running.doing {
            Doing::Initializing => ProcessorActivity::Initializing,
            Doing::Polling => ProcessorActivity::Polling(running.consumer.waits_for()),
            Doing::Processing(until) => ProcessorActivity::Processing { record: record(), until: *until },
            Doing::Acting => ProcessorActivity::Acting { record: record() },
            Doing::Processed | Doing::Sending => ProcessorActivity::Sending { record: record() },
            Doing::Flushing => ProcessorActivity::Flushing,
            Doing::CommittingBefore | Doing::CommittingAfter => ProcessorActivity::Committing,
            Doing::SendingOffsets => ProcessorActivity::SendingOffsets,
            Doing::Ending(committed) => ProcessorActivity::Ending { committed: *committed },
            Doing::Failed(error) => ProcessorActivity::Failed(error.clone()),
            Doing::Returned | Doing::Begun | Doing::BatchDone => ProcessorActivity::Returning,
            Doing::OffsetsSent | Doing::Ended(_) | Doing::Flushed => ProcessorActivity::Returning,
        }
    }
}

impl Node for ProcessorApp {
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        let setup = &self.setup;
        let (name, brokers) = (&setup.name, &setup.brokers);
        let mut consumer = Consumer::new(Rc::clone(name), setup.consumer.clone(), Rc::clone(brokers), now);
        match setup.assign {
            true => consumer.assign(now, setup.from.clone()),
            false => consumer.subscribe(now, setup.from.iter().cloned()),
        }
        let config = transactions::settings(&setup.producer, out);
        let producer = Producer::new(Rc::clone(name), config, Rc::clone(brokers));
        let mut producer = producer.with_completions().with_transaction_version(setup.transaction_version);
        producer.start(now, out);
        let sink = setup.sink_node.zip(setup.sink);
        let sink = sink.map(|(node, setup)| SinkClient::for_writes(node, &setup));
        self.lives += 1;
        self.running = Some(Running {
            consumer,
            producer,
            doing: Doing::Polling,
            batch: VecDeque::new(),
            sent: 0,
            committed: SortedMap::new(),
            read: Rc::new([]),
            group: None,
            failure: None,
            sink,
        });
        match self.setup.is_transactional() {
            true => self.call(Doing::Initializing, now, out),
            false => self.poll(now, out),
        }
    }

    fn on_message(&mut self, now: Time, _from: NodeId, message: Message, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match message.connection.channel {
            Channel::Sink => {
                let ended = running.sink.as_mut().and_then(|sink| sink.on_response(now, message, out));
                return self.hear_sink(ended.map(|it| it.map(drop)), now, out);
            }
            Channel::Producer => running.producer.on_response(now, message, out),
            _ => running.consumer.on_event(now, message.into(), out),
        }
        self.unblock(now, out);
    }

    fn on_disconnect(&mut self, now: Time, _peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match connection.channel {
            Channel::Sink => {
                let error = running.sink.as_mut().and_then(|sink| sink.on_disconnect(out));
                return self.hear_sink(error.map(Err), now, out);
            }
            Channel::Producer => running.producer.on_disconnect(now, connection, out),
            _ => running.consumer.on_event(now, connection.into(), out),
        }
        self.unblock(now, out);
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match timer {
            Timer::Consumer(timer) => running.consumer.on_event(now, timer.into(), out),
            Timer::Producer(timer) => running.producer.on_timer(now, timer, out),
            Timer::Loop(LoopTimer::Poll) => return self.step(now, out),
            Timer::Loop(LoopTimer::Sink) => {
                let error = running.sink.as_mut().and_then(|sink| sink.on_timer(now, out));
                return self.hear_sink(error.map(Err), now, out);
            }
            other => unreachable!("invariant: a processor application sets no {other:?}"),
        }
        self.unblock(now, out);
    }

    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {
        self.running = None;
    }
}

#[cfg(test)]
mod tests;
