//! What happens to a record that `poll()` returned: the handler, its calls of the sink, and what follows when they throw.
//!
//! ```text
//! try { process; sink.write() } catch { in place again, `retries` times; then to the retry or dead letter topic; else throw }
//! ```
//!
//! A record goes to the retry topic once, and from there to the dead letter topic; the loop goes on (and commits) only after
//! the record's new place is acknowledged. Spring's `DefaultErrorHandler`, `DeadLetterPublishingRecoverer` and
//! `@RetryableTopic` work like this.
//!
//! Departures: no pauses between tries; the partition in the new topic is the partitioner's choice.

use super::{ConsumerApp, Running, tell_processing};
use crate::app::sink::{Ask, Fresh, SinkWrite};
use crate::app::{ConsumerAppSetup, HandOver, SinkError, Worker, Writes};
use crate::base::{Duration, RecordId, Time};
use crate::client::consumer::ConsumerRecord;
use crate::client::producer::ProducerRecord;
use crate::node::{ClientError, Event, Outbox};
use crate::record::Header;
use bytes::Bytes;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::rc::Rc;

/// `RetryTopicHeaders.DEFAULT_HEADER_ATTEMPTS`.
const ATTEMPTS: &str = "retry_topic-attempts";
/// `KafkaHeaders.DLT_EXCEPTION_MESSAGE`.
const EXCEPTION: &str = "kafka_dlt-exception-message";

/// Where the handler stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
enum Stage {
    /// It works.
    #[default]
    Working,
    /// It asked the sink.
    Replying(Ask),
    /// One of two writes is done.
    Between,
    /// It sends the record to another topic.
    SendingAway,
}

/// The handler's present try.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
pub(super) struct Attempt {
    /// How many tries of this record failed.
    failures: u32,
    stage: Stage,
    fresh: Fresh,
    /// What the sink's reply will say.
    error: Option<SinkError>,
    /// How many records of the batch are sent away.
    sent: usize,
}

impl Attempt {
    /// Waits for acknowledgements.
    pub fn is_sending_away(&self) -> bool {
        self.stage == Stage::SendingAway
    }
}

/// How the handler goes on.
pub(super) enum Next {
    /// It returned, or the record is in another topic.
    Done,
    /// Then.
    At(Time),
    /// When the producer has done its work.
    Blocked,
    /// An exception leaves it.
    Throws(ClientError),
}

impl ConsumerAppSetup {
    /// How long it works on so many records.
    pub(super) fn work(&self, records: usize) -> Duration {
        self.processing * records as u64
    }
}

/// What the handler was called with: a record, or all that `poll()` returned.
pub(super) fn in_hand<'a>(
    setup: &ConsumerAppSetup,
    batch: &'a VecDeque<ConsumerRecord>,
    worker: &'a Worker,
) -> impl Iterator<Item = &'a ConsumerRecord> {
    let inline = match setup.hand_over {
        HandOver::Worker => 0,
        HandOver::Inline if setup.batch => batch.len(),
        HandOver::Inline => 1,
    };
    batch.iter().take(inline).chain(worker.current().map(|(record, _)| record))
}

impl ConsumerApp {
    /// Goes on with what is in hand.
    pub(super) fn handle(&mut self, now: Time, out: &mut Outbox<'_>) -> Next {
        match self.running.as_ref().map(|running| running.attempt.stage) {
            Some(Stage::Working) => self.ask(Ask::First, now, out),
            Some(Stage::Between) => self.ask(Ask::Second, now, out),
            Some(Stage::Replying(ask)) => self.hear(ask, now, out),
            Some(Stage::SendingAway) => self.send_away(now, out),
            None => Next::Blocked,
        }
    }

    fn ask(&mut self, ask: Ask, now: Time, out: &mut Outbox<'_>) -> Next {
        let Some(running) = &mut self.running else { return Next::Blocked };
        let Running { batch, worker, attempt, .. } = running;
        // A record that no generator made has no identity that the sink could keep.
        let writes: SmallVec<[SinkWrite<'_>; 1]> = in_hand(&self.setup, batch, worker).filter_map(write_of).collect();
        if writes.is_empty() {
            return Next::Done;
        }
        let effect = |write: &SinkWrite<'_>| {
            let SinkWrite { record, partition, offset, .. } = *write;
            out.emit(Event::Processed { record, partition, offset });
        };
        attempt.error = self.sink.request(now, ask, &writes, &mut attempt.fresh, effect).err();
        drop(writes);
        attempt.stage = Stage::Replying(ask);
        let latency = self.setup.sink.latency;
        if latency > Duration(0) { Next::At(now + latency) } else { self.hear(ask, now, out) }
    }

    /// The sink's reply is there, or can no longer be expected.
    fn hear(&mut self, ask: Ask, now: Time, out: &mut Outbox<'_>) -> Next {
        let Some(running) = &mut self.running else { return Next::Blocked };
        let attempt = &mut running.attempt;
        if let Some(error) = attempt.error.take() {
            return self.threw(error, now, out);
        }
        let two = self.setup.sink.writes() != Writes::Together;
        if two && ask == Ask::First && attempt.fresh.contains(&true) {
            // A step of its own, so that a crash can fall between.
            attempt.stage = Stage::Between;
            return Next::At(now);
        }
        *attempt = Attempt::default();
        Next::Done
    }

    fn threw(&mut self, error: SinkError, now: Time, out: &mut Outbox<'_>) -> Next {
        let setup = Rc::clone(&self.setup);
        let Some(running) = &mut self.running else { return Next::Blocked };
        let exception = ClientError::Exception(Rc::from(error.message()));
        let failures = running.attempt.failures + 1;
        running.attempt = Attempt { failures, ..Attempt::default() };
        let Running { batch, worker, attempt, .. } = running;
        let records = || in_hand(&setup, batch, worker);
        for record in records() {
            let (partition, offset) = (record.partition, record.record.offset);
            if let Some(record) = record.id {
                out.emit(Event::HandlerFailed { record, partition, offset, error: exception.clone() });
            }
        }
        if failures <= setup.on_failure.retries {
            records().for_each(|record| tell_processing(record, out));
            return Next::At(now + setup.work(records().count()));
        }
        if records().any(|record| destination(&setup, record).is_none()) {
            return Next::Throws(exception);
        }
        (attempt.stage, attempt.error) = (Stage::SendingAway, Some(error));
        self.send_away(now, out)
    }

    /// Sends what is in hand to where it is to be retried or kept, and waits for the acknowledgements.
    fn send_away(&mut self, now: Time, out: &mut Outbox<'_>) -> Next {
        let Some(running) = &mut self.running else { return Next::Blocked };
        let Running { batch, worker, attempt, producer, .. } = running;
        let Some(producer) = producer else { return Next::Blocked };
        while let Some(record) = in_hand(&self.setup, batch, worker).nth(attempt.sent) {
            if producer.is_blocked() {
                return Next::Blocked;
            }
            attempt.sent += 1;
            if let Some((id, topic)) = record.id.zip(destination(&self.setup, record)) {
                producer.send(now, sent_away(record, id, topic, attempt.error), out);
            }
        }
        if !producer.is_idle() {
            producer.flush(now, out);
        }
        if !producer.is_idle() {
            return Next::Blocked;
        }
        *attempt = Attempt::default();
        let failure = producer.take_completions().into_iter().find_map(|completion| completion.result.err());
        failure.map_or(Next::Done, Next::Throws)
    }
}

fn write_of(record: &ConsumerRecord) -> Option<SinkWrite<'_>> {
    let (partition, offset) = (record.partition, record.record.offset);
    Some(SinkWrite { record: record.id?, partition, offset, key: record.record.key.as_ref() })
}

/// Where a record goes that cannot be handled: once to the retry topic, then to the dead letter topic.
fn destination<'a>(setup: &'a ConsumerAppSetup, record: &ConsumerRecord) -> Option<&'a Rc<str>> {
    let tried = record.record.headers.iter().any(|header| &*header.key == ATTEMPTS);
    let plan = &setup.on_failure;
    plan.retry_topic.as_ref().filter(|_| !tried).or(plan.dead_letter_topic.as_ref())
}

/// The record as it is, with what happened to it.
fn sent_away(record: &ConsumerRecord, id: RecordId, topic: &Rc<str>, error: Option<SinkError>) -> ProducerRecord {
    let mut headers = record.record.headers.clone();
    headers.retain(|header| &*header.key != EXCEPTION);
    if !headers.iter().any(|header| &*header.key == ATTEMPTS) {
        headers.push(Header { key: Rc::from(ATTEMPTS), value: Some(Bytes::from_static(b"1")) });
    }
    let message = error.map(|error| Bytes::from_static(error.message().as_bytes()));
    headers.push(Header { key: Rc::from(EXCEPTION), value: message });
    let (key, value) = (record.record.key.clone(), record.record.value.clone().unwrap_or_default());
    ProducerRecord { record: id, topic: Rc::clone(topic), partition: None, key, value, headers }
}
