//! Random faults for the search: many, of every kind, all over before the horizon. Then the cluster must come to rest.

use super::fault::{Action, Fault, MessageKind};
use super::world::WorldSetup;
use crate::base::{Duration, NodeId, Prng, Time};
use crate::protocol::ApiKey;

/// Messages worth losing.
const TARGETS: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Produce,
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::Fetch,
    ApiKey::AlterPartition,
    ApiKey::BrokerHeartbeat,
    ApiKey::BrokerRegistration,
    ApiKey::InitProducerId,
    ApiKey::FindCoordinator,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::Metadata,
];

/// Random faults for a world, from its seed. Crashed processes start again, pauses end and links heal within `horizon` of the
/// origin. (A fault on a message waits for its message; it may come later, and is over as soon as it came.)
pub fn faults(setup: &WorldSetup, horizon: Duration) -> Vec<Fault> {
    let mut chaos = Chaos { random: Prng::split(setup.seed, "chaos"), setup, horizon };
    let count = chaos.random.between(3, 10);
    (0..count as u32).map(|id| chaos.fault(id)).collect()
}

struct Chaos<'a> {
    random: Prng,
    setup: &'a WorldSetup,
    horizon: Duration,
}

impl Chaos<'_> {
    fn fault(&mut self, id: u32) -> Fault {
        // What lasts begins in the first two thirds, and lasts at most a quarter.
        let at = Time::ORIGIN + Duration(self.random.below((self.horizon.0 * 2 / 3).max(1)));
        let long = Duration(self.random.between(self.horizon.0 / 200, (self.horizon.0 / 4).max(1)));
        let duration = Some(long);
        let action = match self.random.below(12) {
            0..=2 => Action::Crash { node: self.broker(), restart_after: duration },
            3 => Action::Crash { node: self.application(), restart_after: duration },
            4 => Action::Crash { node: self.controller(), restart_after: duration },
            5 => Action::Pause { node: self.anybody(), duration },
            6 => Action::Partition { a: self.broker(), b: None, duration, symmetric: true },
            7 => {
                let (a, b, symmetric) = (self.broker(), Some(self.anybody()), self.random.below(3) > 0);
                Action::Partition { a, b, duration, symmetric }
            }
            8 => {
                let (a, by) = (Some(self.anybody()), Duration(self.random.between(1_000, 200_000)));
                Action::Slow { a, b: None, by, duration }
            }
            _ => return self.message_fault(id, long),
        };
        Fault::at(id, at, action)
    }

    fn message_fault(&mut self, id: u32, long: Duration) -> Fault {
        let api = TARGETS[self.random.below(TARGETS.len() as u64) as usize];
        let kind = MessageKind { api, response: self.random.below(2) == 0 };
        let action = match self.random.below(3) {
            0 => Action::Reset,
            1 => Action::Stall,
            _ => Action::Delay { by: long },
        };
        let often = matches!(api, ApiKey::Produce | ApiKey::Fetch | ApiKey::BrokerHeartbeat);
        let nth = self.random.between(1, if often { 40 } else { 4 }) as u32;
        Fault::on_message(id, kind, None, None, nth, action)
    }

    fn pick(&mut self, first: u16, count: u16) -> NodeId {
        NodeId(first + self.random.below(u64::from(count)) as u16)
    }

    fn broker(&mut self) -> NodeId {
        self.pick(0, self.setup.brokers)
    }

    fn controller(&mut self) -> NodeId {
        self.pick(self.setup.brokers, self.setup.controllers)
    }

    fn application(&mut self) -> NodeId {
        let first = self.setup.brokers + self.setup.controllers;
        let count = (self.setup.producers.len() + self.setup.consumers.len()) as u16;
        if count == 0 { self.broker() } else { self.pick(first, count) }
    }

    fn anybody(&mut self) -> NodeId {
        if self.random.below(3) == 0 { self.application() } else { self.broker() }
    }
}
