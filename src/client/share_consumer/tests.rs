//! The share consumer against a fake broker.

use super::*;
use crate::base::Prng;
use crate::base::config::{Properties, ShareAcquireMode};
use crate::client::consumer::fake::{BROKER, Fake, LOCK, TP, batch};
use crate::node::{ConnectionId, Crash, Message, Node, Timer};
use crate::protocol::{ApiKey, Request, ShareAcknowledgeRequest, ShareFetchRequest, ShareGroupHeartbeatRequest};
use crate::record::ControlRecord;
use AcknowledgeType::{Accept, Gap, Reject, Release, Renew};

mod acknowledging;
mod fetching;
mod membership;

/// A share consumer that nobody polls but the test.
struct Bare(ShareConsumer);

impl Node for Bare {
    fn on_start(&mut self, now: Time, _: &mut Outbox<'_>) {
        self.0.subscribe(now, ["orders".into()]);
    }
    fn on_message(&mut self, now: Time, _: NodeId, message: Message, out: &mut Outbox<'_>) {
        self.0.on_event(now, message.into(), out);
    }
    fn on_disconnect(&mut self, now: Time, _: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
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

const EXPLICIT: (&str, &str) = ("share.acknowledgement.mode", "explicit");

fn lab(settings: &[(&str, &str)]) -> Lab {
    let pairs = settings.iter().chain(&[("group.id", "mail")]);
    let pairs = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let config = ConsumerConfig::parse_share(&pairs.collect::<Properties>()).expect("valid settings");
    let mut lab = Fake::new(Bare(ShareConsumer::new("mailer".into(), config, [BROKER].into())));
    lab.start();
    lab
}

impl Lab {
    fn poll(&mut self) -> Polled {
        self.with(|node, now, out| node.0.poll(now, out))
    }

    /// Polls every millisecond until records come, and tells offsets and delivery counts.
    fn records(&mut self) -> Vec<(Offset, i16)> {
        for _ in 0..60_000 {
            match self.poll() {
                Polled::Records(records) => {
                    return records.iter().map(|it| (it.record.offset, it.delivery_count)).collect();
                }
                Polled::Waiting => self.run_ms(1),
                Polled::Failed(error) => panic!("{error:?}"),
            }
        }
        panic!("no records within a minute");
    }

    fn offsets(&mut self) -> Vec<Offset> {
        self.records().iter().map(|(offset, _)| *offset).collect()
    }

    /// Polls for `ms` milliseconds, and expects nothing to come.
    fn nothing(&mut self, ms: u64) {
        for _ in 0..ms {
            assert_eq!(self.poll(), Polled::Waiting);
            self.run_ms(1);
        }
    }

    fn acknowledge(&mut self, offset: Offset, kind: AcknowledgeType) {
        self.node.0.acknowledge((TP, offset), kind).expect("it is the application's");
    }

    /// `commitSync()`, until it returns.
    fn commit_sync(&mut self) -> CommitResults {
        self.with(|node, now, out| node.0.commit_sync(now, out));
        for _ in 0..120_000 {
            if let Some(results) = self.node.0.commit_sync_result() {
                return results;
            }
            self.run_ms(1);
        }
        panic!("it does not return");
    }

    fn heartbeats(&self) -> Vec<&ShareGroupHeartbeatRequest> {
        self.requests
            .iter()
            .filter_map(|r| if let Request::ShareGroupHeartbeat(it) = r { Some(it) } else { None })
            .collect()
    }

    fn fetches(&self) -> Vec<&ShareFetchRequest> {
        self.requests.iter().filter_map(|r| if let Request::ShareFetch(it) = r { Some(&**it) } else { None }).collect()
    }

    fn acknowledges(&self) -> Vec<&ShareAcknowledgeRequest> {
        self.requests
            .iter()
            .filter_map(|r| if let Request::ShareAcknowledge(it) = r { Some(it) } else { None })
            .collect()
    }
}
