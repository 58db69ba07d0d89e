//! Kafka's cases for the consumer client, by number.

use super::fake::{BROKER, CLIENT, Fake, TP, batch};
use super::*;
use crate::base::Prng;
use crate::base::config::{IsolationLevel, Properties};
use crate::node::{ConsumerTimer, Crash, Node, Timer};
use crate::protocol::{AbortedTransaction, ApiKey, ErrorCode, JoinGroupMember, Request};
use crate::record::{BatchBuilder, ControlRecord, RecordBatch};

mod commits;
mod epochs;
mod leaving;
mod membership;
mod racks;
mod reading;
mod validation;

/// A consumer that nobody polls but the test.
struct Bare(Consumer);

impl Node for Bare {
    fn on_start(&mut self, now: Time, _: &mut Outbox<'_>) {
        self.0.assign(now, vec!["orders".into()]);
    }
    fn on_message(&mut self, now: Time, _: NodeId, message: crate::node::Message, out: &mut Outbox<'_>) {
        self.0.on_event(now, message.into(), out);
    }
    fn on_disconnect(&mut self, now: Time, _: NodeId, connection: crate::node::ConnectionId, out: &mut Outbox<'_>) {
        self.0.on_event(now, connection.into(), out);
    }
    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        if let Timer::Consumer(timer) = timer {
            self.0.on_event(now, timer.into(), out);
        }
    }
    fn on_crash(&mut self, _: Time, _: Crash, _: &mut Prng) {}
}

type Lab = Fake<Bare>;

fn config(settings: &[(&str, &str)]) -> ConsumerConfig {
    let pairs = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    ConsumerConfig::parse(&pairs.collect::<Properties>()).expect("valid settings")
}

fn lab(settings: &[(&str, &str)]) -> Lab {
    let consumer = Consumer::new("mailer".into(), config(settings), [BROKER].into(), Time::ORIGIN);
    let mut lab = Fake::new(Bare(consumer));
    assert_eq!(CLIENT, NodeId(9));
    lab.start();
    lab
}

impl Lab {
    fn poll(&mut self) -> Polled {
        self.with(|node, now, out| node.0.poll(now, out))
    }

    /// Polls every millisecond until records come; gives up after a minute.
    fn poll_records(&mut self) -> Vec<Offset> {
        for _ in 0..60_000 {
            match self.poll() {
                Polled::Records(records) => return records.iter().map(|record| record.record.offset).collect(),
                Polled::Waiting => self.run_ms(1),
                Polled::Failed(error) => panic!("{error:?}"),
            }
        }
        panic!("no records within a minute");
    }

    /// Polls for `ms` milliseconds, and expects nothing to come.
    fn poll_nothing(&mut self, ms: u64) {
        for _ in 0..ms {
            assert_eq!(self.poll(), Polled::Waiting);
            self.run_ms(1);
        }
    }

    fn position(&self) -> Option<Offset> {
        self.node.0.subscription().position(TP).map(|position| position.offset)
    }
}
