//! A program that sends numbered records at a steady pace: `send()`, sleep for the interval, `send()` the next.
//!
//! Invariants: one record is sent per event; a `send()` that blocks stops the program until it returns, and the sleep
//! begins only then. The counter of records that `send()` returned for is durable (the program reads its input from
//! somewhere that remembers); what lay in the client's accumulator is not. So a restarted program goes on with the first
//! record that it had not yet handed over, and does not know what became of those before.

use super::{KeyMode, ProducerAppSetup};
use crate::base::{NodeId, Prng, RecordId, Time};
use crate::client::Producer;
use crate::client::payload::record_value;
use crate::client::producer::{ProducerRecord, SendOutcome};
use crate::node::{ConnectionId, Crash, LoopTimer, Message, Node, Outbox, Timer};
use bytes::Bytes;
use std::rc::Rc;

/// What the program is doing now. What its client does at the same time, the client tells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ProducerActivity {
    /// The process is not running.
    Stopped,
    /// Waits until the next record is due.
    Waiting {
        /// When.
        until: Time,
    },
    /// Inside `send()`, which does not return.
    Blocked {
        /// With which record.
        record: RecordId,
    },
    /// Has sent all its records; some may still be under way.
    AllSent,
}

/// What a crash destroys.
#[derive(Clone, PartialEq, Hash, Debug)]
struct Running {
    client: Producer,
    due: Time,
    blocked: bool,
}

/// A program that sends numbered records.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ProducerApp {
    setup: Rc<ProducerAppSetup>,
    /// Durable: how many records `send()` has returned for.
    next: u32,
    lives: u32,
    running: Option<Running>,
}

impl ProducerApp {
    /// Not started yet.
    pub fn new(setup: ProducerAppSetup) -> Self {
        ProducerApp { setup: Rc::new(setup), next: 0, lives: 0, running: None }
    }

    /// What it was told.
    pub fn setup(&self) -> &Rc<ProducerAppSetup> {
        &self.setup
    }

    /// Its Kafka client, while the process runs.
    pub fn client(&self) -> Option<&Producer> {
        self.running.as_ref().map(|running| &running.client)
    }

    /// How many records it has handed to its producer, over all its lives.
    pub fn records_sent(&self) -> u32 {
        self.next
    }

    /// How often it was started.
    pub fn lives(&self) -> u32 {
        self.lives
    }

    /// Nothing left to do on its own: all records sent and acknowledged or failed, or dead.
    pub fn is_done(&self) -> bool {
        match &self.running {
            Some(running) => self.next == self.setup.records && running.client.is_idle(),
            None => self.lives > 0,
        }
    }

    /// What it is doing now.
    pub fn activity(&self) -> ProducerActivity {
        match &self.running {
            None => ProducerActivity::Stopped,
            Some(_) if self.next == self.setup.records => ProducerActivity::AllSent,
            Some(running) if running.blocked => ProducerActivity::Blocked { record: self.next_record() },
            Some(running) => ProducerActivity::Waiting { until: running.due },
        }
    }

    fn next_record(&self) -> RecordId {
        RecordId(self.setup.first_record.0 + self.next)
    }

    fn generate(&self) -> ProducerRecord {
        let (setup, record) = (&self.setup, self.next_record());
        let key = match setup.key {
            KeyMode::None => None,
            KeyMode::Unique => Some(Bytes::from(record.to_string())),
            KeyMode::Entities(entities) => Some(Bytes::from(format!("entity-{}", record.0 % entities.max(1)))),
        };
        ProducerRecord {
            record,
            topic: Rc::clone(&setup.topic),
            partition: None,
            key,
            value: record_value(&setup.name, record, setup.value_size),
            headers: Vec::new(),
        }
    }

    fn send_next(&mut self, now: Time, out: &mut Outbox<'_>) {
        if self.next == self.setup.records {
            return;
        }
        let record = self.generate();
        let Some(running) = &mut self.running else { return };
        running.blocked = running.client.send(now, record, out) == SendOutcome::Blocked;
        if !running.blocked {
            self.sent(now, out);
        }
    }

    /// `send()` returned.
    fn sent(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.next += 1;
        if self.next < self.setup.records {
            self.schedule(now + self.setup.interval, out);
        }
    }

    fn schedule(&mut self, at: Time, out: &mut Outbox<'_>) {
        if let Some(running) = &mut self.running {
            running.due = at;
            out.set_timer(Timer::Loop(LoopTimer::Generate), at);
        }
    }

    fn after_client(&mut self, now: Time, out: &mut Outbox<'_>) {
        if let Some(running) = &mut self.running
            && running.blocked
            && !running.client.is_blocked()
        {
            running.blocked = false;
            self.sent(now, out);
        }
    }
}

impl Node for ProducerApp {
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        let setup = &self.setup;
        let mut client = Producer::new(Rc::clone(&setup.name), setup.config.clone(), Rc::clone(&setup.brokers));
        client.start(now, out);
        self.lives += 1;
        self.running = Some(Running { client, due: now, blocked: false });
        if self.next < self.setup.records {
            self.schedule(now, out);
        }
    }

    fn on_message(&mut self, now: Time, _from: NodeId, message: Message, out: &mut Outbox<'_>) {
        if let Some(running) = &mut self.running {
            running.client.on_response(now, message, out);
            self.after_client(now, out);
        }
    }

    fn on_disconnect(&mut self, now: Time, _peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
        if let Some(running) = &mut self.running {
            running.client.on_disconnect(now, connection, out);
            self.after_client(now, out);
        }
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match timer {
            Timer::Producer(timer) => {
                running.client.on_timer(now, timer, out);
                self.after_client(now, out);
            }
            Timer::Loop(LoopTimer::Generate) => self.send_next(now, out),
            other => unreachable!("invariant: a producer application sets no {other:?}"),
        }
    }

    fn on_crash(&mut self, _now: Time, _crash: Crash, _random: &mut Prng) {
        self.running = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Duration;
    use crate::base::config::{ProducerConfig, Properties};
    use crate::client::consumer::fake::{BROKER, CLIENT, Fake};
    use crate::client::payload::record_id_of;
    use crate::node::Event;
    use crate::protocol::ApiKey;

    fn lab(key: KeyMode) -> Fake<ProducerApp> {
        let mut lab = Fake::new(ProducerApp::new(ProducerAppSetup {
            node: CLIENT,
            name: "shop".into(),
            topic: "orders".into(),
            records: 5,
            first_record: RecordId(100),
            interval: Duration::from_millis(100),
            key,
            value_size: Some(32),
            config: ProducerConfig::parse(&Properties::new()).expect("defaults are valid"),
            transactions: None,
            start: None,
            brokers: [BROKER].into(),
        }));
        lab.start();
        lab
    }

    fn logged(lab: &Fake<ProducerApp>) -> Vec<(Option<RecordId>, Option<Bytes>)> {
        let records = lab.broker.log.iter().flat_map(|batch| batch.records().map(|record| record.expect("readable")));
        records.map(|record| (record.value.as_deref().and_then(record_id_of), record.key)).collect()
    }

    #[test]
    fn records_are_numbered_and_paced() {
        let mut lab = lab(KeyMode::Entities(2));
        lab.run_ms(250);
        assert_eq!(lab.node.records_sent(), 3);
        assert!(matches!(lab.node.activity(), ProducerActivity::Waiting { .. }) && !lab.node.is_done());
        lab.run_ms(1_000);
        let key = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        let keys = ["entity-0", "entity-1", "entity-0", "entity-1", "entity-0"].map(key);
        let expected: Vec<_> = (100..105).map(|id| Some(RecordId(id))).zip(keys).collect();
        assert_eq!(logged(&lab), expected);
        assert!(lab.node.is_done());
        assert_eq!(lab.node.activity(), ProducerActivity::AllSent);
    }

    #[test]
    fn a_restart_goes_on_with_the_next_record() {
        let mut lab = lab(KeyMode::None);
        lab.run_to(|event| matches!(event, Event::Sent { record: RecordId(102), .. }));
        lab.crash();
        assert!(lab.node.is_done() && lab.node.client().is_none());
        lab.start();
        lab.run_ms(5_000);
        let ids: Vec<_> = logged(&lab).into_iter().filter_map(|(id, _)| id).map(|id| id.0).collect();
        assert_eq!(ids, [100, 101, 103, 104], "102 lay in the accumulator");
        assert_eq!(lab.node.lives(), 2);
    }

    #[test]
    fn a_blocked_send_stops_the_program_and_is_repeated_after_a_crash() {
        let mut lab = lab(KeyMode::Unique);
        lab.hold.insert(ApiKey::Metadata);
        lab.run_ms(500);
        assert_eq!(lab.node.activity(), ProducerActivity::Blocked { record: RecordId(100) });
        assert_eq!(lab.node.records_sent(), 0);
        lab.crash();
        lab.hold.clear();
        lab.start();
        lab.run_ms(5_000);
        assert_eq!(logged(&lab).len(), 5);
    }
}
