//! The loop: what each step does, and what comes after it.

use super::{Doing, OffsetsMode, ProcessorApp, Running};
use crate::app::consumer_app::{is_rebalance, write_of};
use crate::app::{SinkError, transactions};
use crate::base::Time;
use crate::client::consumer::Polled;
use crate::client::payload::record_value;
use crate::client::producer::{ProducerRecord, SendOutcome};
use crate::node::{ClientError, Event, LoopTimer, Outbox, Timer};
use crate::protocol::SinkWrite;
use std::rc::Rc;

impl ProcessorApp {
    /// Goes on where the thread was blocked, if it no longer is.
    pub(super) fn unblock(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        running.hear_callbacks();
        match running.doing {
            Doing::Polling => self.poll(now, out),
            Doing::CommittingBefore | Doing::CommittingAfter => self.await_commit(now, out),
            Doing::Sending => running.await_send(now, out),
            Doing::Flushing => running.await_flush(now, out),
            Doing::Initializing | Doing::SendingOffsets | Doing::Ending(_) => self.await_transaction(now, out),
            _ => {}
        }
    }

    pub(super) fn poll(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        running.doing = Doing::Polling;
        let subscription = running.consumer.subscription();
        running.committed.retain(|partition, _| subscription.get(*partition).is_some());
        for (partition, position) in running.consumer.positions() {
            running.committed.entry(partition).or_insert(position);
        }
        let polled = running.consumer.poll(now, out);
        // Nobody of ours waits for callbacks.
        running.consumer.take_callbacks();
        match polled {
            Polled::Waiting => {}
            Polled::Records(records) => {
                // What no generator made has no number that its output could carry.
                running.batch = records.into_iter().filter(|record| record.id.is_some()).collect();
                (running.read, running.group) = (running.consumed(), running.consumer.group_metadata().cloned());
                running.pause(Doing::Returned, now, out);
            }
            Polled::Failed(error) => running.fail_reading(error, now, out),
        }
    }

    /// Goes on after a pause between two steps.
    pub(super) fn step(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        let offsets = self.setup.offsets;
        match &running.doing {
            Doing::Returned if offsets == OffsetsMode::Before => {
                running.doing = Doing::CommittingBefore;
                running.consumer.commit_sync(now, out);
                self.await_commit(now, out);
            }
            Doing::Returned => self.begin(now, out),
            Doing::Begun => self.begin_record(now, out),
            Doing::Processing(_) => self.finish_record(now, out),
            Doing::Processed => self.send(now, out),
            Doing::BatchDone if self.setup.is_transactional() && offsets == OffsetsMode::Transaction => {
                self.call(Doing::SendingOffsets, now, out);
            }
            Doing::BatchDone if self.setup.is_transactional() => self.call(Doing::Ending(true), now, out),
            Doing::OffsetsSent => self.call(Doing::Ending(true), now, out),
            Doing::BatchDone if offsets == OffsetsMode::Before => self.poll(now, out),
            Doing::BatchDone => {
                running.doing = Doing::Flushing;
                running.producer.flush(now, out);
                running.await_flush(now, out);
            }
            Doing::Ended(true) if offsets != OffsetsMode::After => self.poll(now, out),
            Doing::Flushed | Doing::Ended(true) => {
                running.doing = Doing::CommittingAfter;
                running.consumer.commit_sync(now, out);
                self.await_commit(now, out);
            }
            Doing::Ended(false) => {
                running.go_back(out);
                self.poll(now, out);
            }
            _ => {}
        }
    }

    fn await_commit(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match running.consumer.commit_sync_result(now) {
            None => {}
            // Its partitions are somebody else's, or soon will be: what it did comes again there.
            Some(Err(error)) if is_rebalance(&error) => {
                out.emit(Event::ConsumerFailed { error });
                running.go_back(out);
                self.poll(now, out);
            }
            Some(Err(error)) => running.fail_reading(error, now, out),
            Some(Ok(())) => {
                running.committed.extend(running.consumer.positions());
                match running.doing {
                    Doing::CommittingBefore => self.begin(now, out),
                    _ => self.poll(now, out),
                }
            }
        }
    }

    /// Begins with what `poll()` returned.
    fn begin(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        if !self.setup.is_transactional() {
            return self.begin_record(now, out);
        }
        match running.producer.begin_transaction(now, out) {
            Ok(()) => running.pause(Doing::Begun, now, out),
            Err(error) => self.threw(error, now, out),
        }
    }

    fn begin_record(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        let Some(record) = running.batch.front() else { return running.pause(Doing::BatchDone, now, out) };
        if let Some(id) = record.id {
            out.emit(Event::Processing { record: id, partition: record.partition, offset: record.record.offset });
        }
        let until = now + self.setup.processing;
        running.doing = Doing::Processing(until);
        out.set_timer(Timer::Loop(LoopTimer::Poll), until);
    }

    /// The handler is done with a record: now its effect, if it acts on anything but topics.
    fn finish_record(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        let write = running.batch.front().and_then(write_of);
        if let (Some(sink), Some(write)) = (&mut running.sink, &write) {
            let generation = running.group.as_ref().map_or(-1, |group| group.generation);
            sink.write(now, generation, vec![write.clone()], out);
            running.doing = Doing::Acting;
            return;
        }
        if let Some(SinkWrite { record, partition, offset, .. }) = write {
            if let Some(sink) = &mut self.sink {
                sink.happens(record);
            }
            out.emit(Event::Processed { record, partition, offset, by: self.setup.node });
        }
        running.acted(now, out);
    }

    /// How the call of the sink ended, if it did. What failed is undone and read again.
    pub(super) fn hear_sink(&mut self, result: Option<Result<(), SinkError>>, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = self.running.as_mut().filter(|running| running.doing == Doing::Acting) else { return };
        match result {
            None => {}
            Some(Ok(())) => running.acted(now, out),
            Some(Err(error)) => {
                let error = ClientError::Exception(Rc::from(error.message()));
                if let Some((record, input)) = running.batch.front().and_then(|it| Some((it.id?, it))) {
                    let (partition, offset) = (input.partition, input.record.offset);
                    out.emit(Event::HandlerFailed { record, partition, offset, error });
                }
                match self.setup.is_transactional() {
                    true => self.call(Doing::Ending(false), now, out),
                    false => running.pause(Doing::Ended(false), now, out),
                }
            }
        }
    }

    /// Sends the record at hand to the next topic; after the last one, begins the next record.
    fn send(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        let next = self.setup.to.get(running.sent).zip(running.batch.front());
        let Some((topic, input)) = next else {
            running.batch.pop_front();
            return self.begin_record(now, out);
        };
        let Some(record) = input.id else { return };
        let output = ProducerRecord {
            record,
            topic: Rc::clone(topic),
            partition: None,
            key: input.record.key.clone(),
            value: record_value(&self.setup.name, record, None),
            headers: Vec::new(),
        };
        let outcome = running.producer.send(now, output, out);
        running.hear_callbacks();
        match outcome {
            SendOutcome::Blocked => running.doing = Doing::Sending,
            SendOutcome::Buffered(_) => running.returned_from_send(now, out),
            SendOutcome::Failed => match transactions::transaction_error(&running.producer) {
                Some(error) => self.threw(error, now, out),
                None => running.returned_from_send(now, out),
            },
        }
    }
}

impl Running {
    /// Ends a step: the next begins as an event of its own.
    pub(super) fn pause(&mut self, doing: Doing, now: Time, out: &mut Outbox<'_>) {
        self.doing = doing;
        out.set_timer(Timer::Loop(LoopTimer::Poll), now);
    }

    /// The effect of the record at hand has happened.
    fn acted(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.sent = 0;
        self.pause(Doing::Processed, now, out);
    }

    fn fail_reading(&mut self, error: ClientError, now: Time, out: &mut Outbox<'_>) {
        out.emit(Event::ConsumerFailed { error: error.clone() });
        self.close_reader(now, out);
        self.doing = Doing::Failed(error);
    }

    /// The loop ended: a member leaves its group.
    pub(super) fn close_reader(&mut self, now: Time, out: &mut Outbox<'_>) {
        if self.consumer.subscription().subscribed().is_auto_assigned() {
            self.consumer.close(now, out);
        }
    }

    /// What the callbacks of `send()` said.
    fn hear_callbacks(&mut self) {
        for completion in self.producer.take_completions() {
            if let Err(error) = completion.result {
                self.failure.get_or_insert(error);
            }
        }
    }

    fn returned_from_send(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.sent += 1;
        self.pause(Doing::Processed, now, out);
    }

    fn await_send(&mut self, now: Time, out: &mut Outbox<'_>) {
        if !self.producer.is_blocked() {
            self.returned_from_send(now, out);
        }
    }

    fn await_flush(&mut self, now: Time, out: &mut Outbox<'_>) {
        if !self.producer.is_idle() {
            return;
        }
        self.hear_callbacks();
        match self.failure.take() {
            None => self.pause(Doing::Flushed, now, out),
            // What was not written must be read again.
            Some(_) => self.pause(Doing::Ended(false), now, out),
        }
    }

    /// Reads again from where everything was last committed.
    fn go_back(&mut self, out: &mut Outbox<'_>) {
        self.batch.clear();
        self.failure = None;
        for (partition, offset) in &self.committed {
            // What it has lost it does not read.
            if self.consumer.subscription().get(*partition).is_some() {
                self.consumer.seek(*partition, *offset, out);
            }
        }
    }
}
