//! A program that polls, processes and commits, as the documentation of `KafkaConsumer` tells people to write it:
//!
//! ```text
//! loop { records = poll(); [before: commitSync()] for each record { process; effect } [after: commitSync() / Async()] }
//! ```
//!
//! Invariants: one thread, so it polls, processes, commits or hands over, never two of them; a step ends after `poll()`
//! returned, after each effect and before each commit, so that a crash can fall between any two; an effect happens at
//! the end of a record's processing ([`handler`]), here or in its sink's node. All but a sink in the program is one struct that
//! a crash drops.
//! SIGTERM ends the loop after the batch at hand: the program closes its consumer and exits ([`shutdown`]).
//! An exception out of `poll()`, `commitSync()` or the handler ends the loop; out of a worker's handler it ends its task
//! only, and nobody hears of it (`ExecutorService.submit`).

mod activity;
mod client;
mod commits;
mod handing_over;
mod handler;
mod listener;
mod renewing;
mod shutdown;

use super::sink_client::SinkClient;
use super::worker::Worker;
use super::{CommitMode, ConsumerAppSetup, HandOver, Refusal, Sink, SinkError};
use crate::base::{Generation, NodeId, Prng, Time};
use crate::client::Producer;
use crate::client::consumer::{Consumer, ConsumerRecord, Polled};
use crate::client::share_consumer::ShareConsumer;
use crate::node::{Channel, ClientError, ConnectionId, Crash, Event, LoopTimer, Message, Node, Outbox, Timer};
use crate::protocol::AcknowledgeType;
pub use activity::ConsumerActivity;
use client::Client;
pub(super) use commits::is_rebalance;
pub(super) use handler::write_of;
use handler::{Attempt, Next, in_hand};
use listener::Listener;
use renewing::Renewing;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// Where the loop stands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Doing {
    Polling,
    /// `poll()` returned.
    Returned,
    CommittingBefore,
    /// Until when.
    Processing(Time),
    HandingOver,
    /// Every record of the batch is processed or handed over.
    BatchDone,
    CommittingAfter,
    Failed(ClientError),
    /// Inside `close()`.
    Closing,
}

/// What a crash destroys.
#[derive(Clone, PartialEq, Debug)]
struct Running {
    client: Client,
    doing: Doing,
    /// What `poll()` returned and is not processed, the record in processing first.
    batch: VecDeque<ConsumerRecord>,
    worker: Worker,
    /// What it does when partitions come and go.
    listener: Listener,
    /// The handler's present try, by this thread or the worker.
    attempt: Attempt,
    /// It keeps records locked.
    renewing: Renewing,
    /// Sends away what cannot be handled.
    producer: Option<Producer>,
    /// Its sink, if that is a node of its own.
    sink: Option<SinkClient>,
    /// The generation in which the last records were read.
    generation: Generation,
    /// It was asked to end.
    stopping: bool,
    /// A rebalance kept it from committing what it has processed.
    owes_commit: bool,
}

/// A handler that never waits for its sink adds nothing.
impl Hash for Running {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.client, &self.doing, &self.batch, &self.worker, self.listener.is_done()).hash(state);
        if self.producer.is_some() || self.attempt != Attempt::default() {
            (&self.attempt, &self.producer).hash(state);
        }
        if let Some(sink) = &self.sink {
            (sink, self.generation).hash(state);
        }
        if self.listener.is_needed() {
            self.listener.hash(state);
        }
        if self.renewing != Renewing::default() {
            self.renewing.hash(state);
        }
        if self.stopping || self.owes_commit {
            (self.stopping, self.owes_commit).hash(state);
        }
    }
}

/// A program that polls, processes and commits.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ConsumerApp {
    setup: Rc<ConsumerAppSetup>,
    sink: Sink,
    lives: u32,
    running: Option<Running>,
}

impl ConsumerApp {
    /// Not started yet.
    pub fn new(setup: ConsumerAppSetup) -> Self {
        let plain = setup.sink_node.is_some() || setup.sink.is_plain();
        assert!(plain, "invariant: what can be told of a sink needs a node");
        ConsumerApp { sink: Sink::new(setup.sink), setup: Rc::new(setup), lives: 0, running: None }
    }

    // ---- asking ----

    /// What it was told.
    pub fn setup(&self) -> &Rc<ConsumerAppSetup> {
        &self.setup
    }

    /// Where its effects happen, if that is no node of its own.
    pub fn sink(&self) -> Option<&Sink> {
        self.setup.sink_node.is_none().then_some(&self.sink)
    }

    /// How often it was started.
    pub fn lives(&self) -> u32 {
        self.lives
    }

    /// Its Kafka client, while the process runs; none for a share consumer.
    pub fn client(&self) -> Option<&Consumer> {
        self.running.as_ref().and_then(|running| running.client.plain())
    }

    /// Its Kafka client, while the process runs, if it reads in a share group.
    pub fn share_client(&self) -> Option<&ShareConsumer> {
        self.running.as_ref().and_then(|running| running.client.share())
    }

    /// Records that `poll()` returned and the loop has neither processed nor handed over, in order.
    pub fn batch(&self) -> impl Iterator<Item = &ConsumerRecord> {
        self.running.iter().flat_map(|running| &running.batch)
    }

    /// The worker thread, if records are handed over to one.
    pub fn worker(&self) -> Option<&Worker> {
        let running = self.running.as_ref().filter(|_| self.setup.hand_over == HandOver::Worker);
        running.map(|running| &running.worker)
    }

    /// Nothing left to do on its own: processes nothing, has nothing queued or buffered, commits nothing new; or dead.
    pub fn is_done(&self) -> bool {
        let Some(running) = &self.running else { return self.lives > 0 };
        let idle = match running.doing {
            Doing::Failed(_) => !running.listener.is_busy(),
            Doing::Polling => {
                let client = &running.client;
                let waits = running.owes_commit || running.listener.is_busy();
                !client.has_records() && !client.is_committing_news() && !waits
            }
            _ => false,
        };
        idle && running.worker.is_idle()
    }

    /// An exception ended its loop.
    pub fn has_failed(&self) -> bool {
        matches!(self.running.as_ref().map(|running| &running.doing), Some(Doing::Failed(_)))
    }

    // ---- the loop ----

    /// Goes on where the thread was blocked, if it no longer is.
    fn unblock(&mut self, now: Time, out: &mut Outbox<'_>) {
        if self.running.as_ref().is_some_and(|running| running.attempt.is_sending_away()) {
            match self.setup.hand_over {
                HandOver::Inline => self.finish_record(now, out),
                HandOver::Worker => self.finish_work(now, out),
            }
        }
        let Some(running) = &mut self.running else { return };
        match running.doing {
            Doing::Polling => self.poll(now, out),
            Doing::CommittingBefore | Doing::CommittingAfter => self.await_commit(now, out),
            Doing::HandingOver => self.hand_over(now, out),
            Doing::Failed(_) => self.await_end(now, out),
            Doing::Closing => self.await_close(now, out),
            Doing::Processing(_) if running.renewing.is_under_way() => self.await_renewed(now, out),
            Doing::Returned | Doing::Processing(_) | Doing::BatchDone => {}
        }
    }

    fn poll(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        running.doing = Doing::Polling;
        running.give_up(now, out);
        if running.stopping && !running.listener.is_giving_up() {
            return self.close(now, out);
        }
        if running.listener.is_busy() {
            return;
        }
        let mut polled = running.client.poll(now, out);
        // An exception goes first: the listener runs in `close()`.
        while !matches!(polled, Polled::Failed(_)) && running.listen(now, out) {
            if running.listener.is_busy() {
                return;
            }
            polled = running.client.poll(now, out);
        }
        match polled {
            Polled::Waiting if running.owes_commit && !running.is_rejoining() => self.commit_after(now, out),
            Polled::Waiting => {}
            Polled::Records(records) => {
                running.batch = records.into();
                running.generation = running.client.generation();
                running.pause(Doing::Returned, now, out);
            }
            Polled::Failed(error) => running.fail(error, now, out),
        }
    }

    /// Goes on after a pause between two steps.
    fn step(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        let has_group = running.client.commits();
        match (&running.doing, self.setup.commit) {
            (Doing::Returned, CommitMode::Before) if has_group => {
                running.doing = Doing::CommittingBefore;
                running.client.commit_sync(now, out);
                self.await_commit(now, out);
            }
            (Doing::Returned, _) => self.begin_batch(now, out),
            (Doing::Processing(_), _) => self.finish_record(now, out),
            (Doing::BatchDone, CommitMode::AfterSync) if has_group => self.commit_after(now, out),
            (Doing::BatchDone, CommitMode::AfterAsync) if has_group => {
                running.client.commit_async(now, out);
                self.poll(now, out);
            }
            (Doing::BatchDone, _) => self.poll(now, out),
            (Doing::Polling | Doing::CommittingBefore | Doing::CommittingAfter, _) => {}
            (Doing::HandingOver | Doing::Failed(_) | Doing::Closing, _) => {}
        }
    }

    fn begin_batch(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.renew_later(now, out);
        match self.setup.hand_over {
            HandOver::Inline => self.begin_record(now, out),
            HandOver::Worker => self.hand_over(now, out),
        }
    }

    // ---- processing by the polling thread ----

    fn begin_record(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        if running.batch.is_empty() {
            return running.pause(Doing::BatchDone, now, out);
        }
        in_hand(&self.setup, &running.batch, &running.worker).for_each(|record| tell_processing(record, out));
        let until = now + self.setup.work(in_hand(&self.setup, &running.batch, &running.worker).count());
        running.doing = Doing::Processing(until);
        out.set_timer(Timer::Loop(LoopTimer::Poll), until);
    }

    fn finish_record(&mut self, now: Time, out: &mut Outbox<'_>) {
        let next = self.handle(now, out);
        self.after_record(next, now, out);
    }

    fn after_record(&mut self, next: Next, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match next {
            Next::Done => self.end_record(AcknowledgeType::Accept, now, out),
            Next::At(until) => {
                running.doing = Doing::Processing(until);
                out.set_timer(Timer::Loop(LoopTimer::Poll), until);
            }
            Next::Blocked => {}
            Next::Throws(_) if running.client.is_explicit() => {
                running.attempt = Attempt::default();
                let kind = self.setup.share.map_or(AcknowledgeType::Release, Refusal::acknowledges);
                self.end_record(kind, now, out);
            }
            Next::Throws(error) => running.fail(error, now, out),
            Next::Fenced(error) => {
                out.emit(Event::ConsumerFailed { error });
                running.batch.clear();
                self.poll(now, out);
            }
        }
    }

    /// The loop has done with what is in hand.
    fn end_record(&mut self, kind: AcknowledgeType, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        let Running { client, batch, worker, renewing, .. } = running;
        if renewing.defers(kind) {
            return;
        }
        let done = || in_hand(&self.setup, batch, worker);
        let count = done().count();
        if let Err(error) = client.acknowledge(done().filter(|record| renewing.holds(record)), kind, out) {
            return running.fail(error, now, out);
        }
        batch.drain(..count);
        renewing.next();
        self.begin_record(now, out);
    }

    /// How the handler's call of the sink ended, if it did.
    fn hear_sink(&mut self, result: Option<Result<(), SinkError>>, now: Time, out: &mut Outbox<'_>) {
        let Some(result) = result else { return };
        let next = self.hear(result, now, out);
        match self.setup.hand_over {
            HandOver::Inline => self.after_record(next, now, out),
            HandOver::Worker => self.after_work(next, now, out),
        }
    }
}

impl Running {
    /// Ends a step: the next begins as an event of its own.
    fn pause(&mut self, doing: Doing, now: Time, out: &mut Outbox<'_>) {
        self.doing = doing;
        out.set_timer(Timer::Loop(LoopTimer::Poll), now);
    }

    /// The loop ends, and the program closes its consumer.
    fn fail(&mut self, error: ClientError, now: Time, out: &mut Outbox<'_>) {
        out.emit(Event::ConsumerFailed { error: error.clone() });
        if self.client.is_member() {
            self.client.close(now, out);
            self.let_go(now, out);
        }
        self.doing = Doing::Failed(error);
    }

    /// Its group has not come to an end of a rebalance.
    fn is_rejoining(&self) -> bool {
        self.client.plain().and_then(Consumer::coordinator).is_some_and(|it| it.is_rejoining())
    }
}

fn tell_processing(record: &ConsumerRecord, out: &mut Outbox<'_>) {
    if let Some(id) = record.id {
        let (partition, offset) = (record.partition, record.record.offset);
        out.emit(Event::Processing { record: id, partition, offset });
    }
}

impl Node for ConsumerApp {
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        let setup = &self.setup;
        let mut client = Client::new(setup, now);
        let listener = Listener::new(setup);
        if let Some(client) = client.plain_mut().filter(|_| listener.is_needed()) {
            client.listen();
        }
        let producer = setup.on_failure.producer.clone().map(|config| {
            let mut producer =
                Producer::new(Rc::clone(&setup.name), config, Rc::clone(&setup.brokers)).with_completions();
            producer.start(now, out);
            producer
        });
        let (batch, worker) = (VecDeque::new(), Worker::default());
        self.lives += 1;
        self.running = Some(Running {
            client,
            doing: Doing::Polling,
            batch,
            worker,
            listener,
            attempt: Attempt::default(),
            renewing: Renewing::default(),
            producer,
            sink: setup.sink_node.map(|node| SinkClient::for_writes(node, &setup.sink)),
            generation: -1,
            stopping: false,
            owes_commit: false,
        });
        self.poll(now, out);
    }

    fn on_message(&mut self, now: Time, _from: NodeId, message: Message, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match (message.connection.channel, &mut running.producer) {
            (Channel::Sink, _) => {
                let ended = running.sink.as_mut().and_then(|sink| sink.on_response(now, message, out));
                return self.hear_sink(ended.map(|it| it.map(drop)), now, out);
            }
            (Channel::SinkOffsets, _) => running.hear_offsets(now, message, out),
            (Channel::Producer, Some(producer)) => producer.on_response(now, message, out),
            _ => running.client.on_event(now, message.into(), out),
        }
        self.unblock(now, out);
    }

    fn on_disconnect(&mut self, now: Time, _peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match (connection.channel, &mut running.producer) {
            (Channel::Sink, _) => {
                let error = running.sink.as_mut().and_then(|sink| sink.on_disconnect(out));
                return self.hear_sink(error.map(Err), now, out);
            }
            (Channel::SinkOffsets, _) => running.listener.on_disconnect(now, out),
            (Channel::Producer, Some(producer)) => producer.on_disconnect(now, connection, out),
            _ => running.client.on_event(now, connection.into(), out),
        }
        self.unblock(now, out);
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match timer {
            Timer::Consumer(timer) => {
                running.client.on_event(now, timer.into(), out);
                self.unblock(now, out);
            }
            Timer::Producer(timer) => {
                if let Some(producer) = &mut running.producer {
                    producer.on_timer(now, timer, out);
                }
                self.unblock(now, out);
            }
            Timer::Loop(LoopTimer::Poll) => self.step(now, out),
            Timer::Loop(LoopTimer::Worker) => self.finish_work(now, out),
            Timer::Loop(LoopTimer::Sink) => {
                let error = running.sink.as_mut().and_then(|sink| sink.on_timer(now, out));
                self.hear_sink(error.map(Err), now, out);
            }
            Timer::Loop(LoopTimer::Renew) => self.renew(now, out),
            Timer::Loop(LoopTimer::SinkOffsets) => running.listener.on_timer(now, out),
            other => unreachable!("invariant: a consumer application sets no {other:?}"),
        }
    }

    fn on_shutdown(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.stop(now, out);
    }

    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {
        self.running = None;
    }
}

#[cfg(test)]
mod tests;
