//! What happens to a record that `poll()` returned: the handler, its calls of the sink, and what follows when they throw.
//!
//! ```text
//! try { process; sink.write() } catch { in place again, `retries` times; then to the retry or dead letter topic; else throw }
//! catch (fenced) { forget it }
//! ```
//!
//! A record goes to the retry topic once, and from there to the dead letter topic; the loop goes on (and commits) only after
//! the record's new place is acknowledged. Spring's `DefaultErrorHandler`, `DeadLetterPublishingRecoverer` and
//! `@RetryableTopic` work like this.
//!
//! Departure: the partition in the new topic is the partitioner's choice.

use super::{ConsumerApp, Running, tell_processing};
use crate::app::{ConsumerAppSetup, HandOver, SinkError, Worker};
use crate::base::{Duration, RecordId, Time};
use crate::client::consumer::ConsumerRecord;
use crate::client::producer::ProducerRecord;
use crate::node::{ClientError, Event, Outbox};
use crate::protocol::SinkWrite;
use crate::record::Header;
use bytes::Bytes;
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
    /// It waits for its sink.
    Acting,
    /// It waits before it tries again.
    BackingOff,
    /// It sends the record to another topic.
    SendingAway,
}

/// The handler's present try.
#[derive(Clone, PartialEq, Hash, Debug, Default)]
pub(super) struct Attempt {
    /// How many tries of this record failed.
    failures: u32,
    stage: Stage,
    /// Why it is sent away.
    error: Option<SinkError>,
    /// How many records of the batch are sent away.
    sent: usize,
}

impl Attempt {
    /// Waits for acknowledgements.
    pub fn is_sending_away(&self) -> bool {
        self.stage == Stage::SendingAway
    }

    /// Waits for the sink.
    pub fn is_acting(&self) -> bool {
        self.stage == Stage::Acting
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
    /// Its partition is somebody else's: what is in hand is not its business any more.
    Fenced(ClientError),
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
            Some(Stage::Working) => self.act(now, out),
            Some(Stage::BackingOff) => self.try_again(now, out),
            Some(Stage::SendingAway) => self.send_away(now, out),
            Some(Stage::Acting) | None => Next::Blocked,
        }
    }

    /// It is done with its own work: now the effect.
    fn act(&mut self, now: Time, out: &mut Outbox<'_>) -> Next {
        let Some(running) = &mut self.running else { return Next::Blocked };
        let Running { batch, worker, attempt, sink, generation, .. } = running;
        // A record that no generator made has no identity that the sink could keep.
        let writes: Vec<SinkWrite> = in_hand(&self.setup, batch, worker).filter_map(write_of).collect();
        if writes.is_empty() {
            return Next::Done;
        }
        if let Some(sink) = sink {
            sink.write(now, *generation, writes, out);
            attempt.stage = Stage::Acting;
            return Next::Blocked;
        }
        let by = self.setup.node;
        for SinkWrite { record, partition, offset, .. } in writes {
            self.sink.happens(record);
            out.emit(Event::Processed { record, partition, offset, by });
        }
        *attempt = Attempt::default();
        Next::Done
    }

    /// What the sink said, or that it says nothing.
    pub(super) fn hear(&mut self, result: Result<(), SinkError>, now: Time, out: &mut Outbox<'_>) -> Next {
        let Some(running) = &mut self.running else { return Next::Blocked };
        match result {
            Ok(()) => {
                running.attempt = Attempt::default();
                Next::Done
            }
            Err(error) => self.threw(error, now, out),
        }
    }

    fn try_again(&mut self, now: Time, out: &mut Outbox<'_>) -> Next {
        let Some(running) = &mut self.running else { return Next::Blocked };
        running.attempt.stage = Stage::Working;
        let records = || in_hand(&self.setup, &running.batch, &running.worker);
        records().for_each(|record| tell_processing(record, out));
        Next::At(now + self.setup.work(records().count()))
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
        if error == SinkError::Fenced {
            *attempt = Attempt::default();
            return Next::Fenced(exception);
        }
        if failures <= setup.on_failure.retries {
            if setup.on_failure.backoff > Duration(0) {
                attempt.stage = Stage::BackingOff;
                return Next::At(now + setup.on_failure.backoff);
            }
            return self.try_again(now, out);
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

/// None of a record that no generator made.
pub(in crate::app) fn write_of(record: &ConsumerRecord) -> Option<SinkWrite> {
    let (partition, offset) = (record.partition, record.record.offset);
    Some(SinkWrite { record: record.id?, partition, offset, key: record.record.key.clone() })
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
