//! Random faults for the search: many, of every kind, all over before the horizon. Then the cluster must come to rest.

mod sinks;

use super::fault::{Action, Fault, MessageKind, Trigger};
use super::task::AdminTask;
use super::world::{World, WorldSetup};
use crate::base::config::GroupProtocol;
use crate::base::{BrokerId, Duration, NodeId, Prng, Time};
use crate::protocol::{ApiKey, ElectionType};
use std::rc::Rc;

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

/// Those of a quorum.
const QUORUM_TARGETS: &[ApiKey] =
    &[ApiKey::Vote, ApiKey::BeginQuorumEpoch, ApiKey::EndQuorumEpoch, ApiKey::Fetch, ApiKey::FetchSnapshot];

/// Those of transactions.
const TRANSACTION_TARGETS: &[ApiKey] = &[
    ApiKey::EndTxn,
    ApiKey::EndTxn,
    ApiKey::EndTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::WriteTxnMarkers,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::TxnOffsetCommit,
    ApiKey::InitProducerId,
    ApiKey::Produce,
];

/// Those of members of groups.
const GROUP_TARGETS: &[ApiKey] = &[
    ApiKey::JoinGroup,
    ApiKey::JoinGroup,
    ApiKey::SyncGroup,
    ApiKey::SyncGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::OffsetCommit,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
];

/// Random faults for a world, from its seed. Whatever lasts is over within `horizon` of the origin: dead processes start
/// again, pauses end, links heal, clocks are right, disks have room. (A fault on a message waits for its message; it may
/// come later, and is over as soon as it came.)
///
/// A byte on a disk changes only at the moment at which the broker dies, and only where its recovery looks: Kafka checks
/// no other stored bytes, so that elsewhere a leader could not be read any more, for ever.
pub fn faults(setup: &WorldSetup, horizon: Duration) -> Vec<Fault> {
    let mut chaos = Chaos { random: Prng::split(setup.seed, "chaos"), setup, horizon, faults: Vec::new() };
    for _ in 0..chaos.random.between(3, 10) {
        chaos.strike();
    }
    chaos.faults
}

/// What ends everything that is wrong with a world now, faults for good included. What is planned stays planned.
pub fn heal(world: &World) -> Vec<Action> {
    let mut actions = Vec::new();
    for (node, _) in world.nodes() {
        actions.push(Action::Heal { a: node, b: None });
        if world.clock_skew_ms(node) != 0 {
            actions.push(Action::SkewClock { node, by_ms: 0 });
        }
        if world.paused_until(node).is_some() {
            actions.push(Action::Resume { node });
        }
        if !world.is_alive(node) {
            actions.push(Action::Restart { node });
        }
    }
    actions
}

struct Chaos<'a> {
    random: Prng,
    setup: &'a WorldSetup,
    horizon: Duration,
    faults: Vec<Fault>,
}

/// The longest a clock is wrong by.
const MOST_SKEW_MS: u64 = 10_000;

impl Chaos<'_> {
    fn add(&mut self, trigger: Trigger, action: Action) {
        let id = self.faults.len() as u32;
        self.faults.push(Fault { id, trigger, action });
    }

    fn strike(&mut self) {
        // What lasts begins in the first two thirds, and lasts at most a quarter.
        let at = Time::ORIGIN + Duration(self.random.below((self.horizon.0 * 2 / 3).max(1)));
        let long = Duration(self.random.between(self.horizon.0 / 200, (self.horizon.0 / 4).max(1)));
        let duration = Some(long);
        // A quorum can bear more than a controller that is alone.
        if self.setup.controllers > 1 && self.random.below(4) == 0 {
            return self.strike_quorum(at, long);
        }
        if self.has_transactions() && self.random.below(3) == 0 {
            return self.strike_transactions(at, long);
        }
        if self.members().next().is_some() && self.random.below(3) == 0 {
            return self.strike_group(at, long);
        }
        if !self.setup.sinks.is_empty() && self.random.below(3) == 0 {
            return self.strike_sinks(at, long);
        }
        let action = match self.random.below(26) {
            0..=2 => Action::Crash { node: self.broker(), restart_after: duration },
            3 => {
                let node = if self.random.below(4) == 0 { self.controller() } else { self.broker() };
                Action::Shutdown { node, restart_after: duration }
            }
            4 => Action::Crash { node: self.application(), restart_after: duration },
            5 => Action::Crash { node: self.controller(), restart_after: duration },
            6 | 7 => Action::Pause { node: self.anybody(), duration },
            // Longer than most sessions: the broker is fenced and does not know it.
            8 => Action::Pause { node: self.broker(), duration: Some(Duration(self.horizon.0 / 3)) },
            9 => Action::Partition { a: self.broker(), b: None, duration, symmetric: self.random.below(3) > 0 },
            10 | 11 => {
                let (a, b, symmetric) = (self.broker(), Some(self.anybody()), self.random.below(2) == 0);
                // One way, either way.
                let (a, b) = if symmetric || self.random.below(2) == 0 { (a, b) } else { (b.unwrap_or(a), Some(a)) };
                Action::Partition { a, b, duration, symmetric }
            }
            12 => {
                let (a, by) = (Some(self.anybody()), Duration(self.random.between(1_000, 200_000)));
                Action::Slow { a, b: None, by, duration }
            }
            13 | 14 => Action::PowerLoss { node: self.broker(), restart_after: duration },
            15 => {
                let node = self.broker();
                self.add(Trigger::At(at), Action::Corrupt { node, log: None, offset: None });
                Action::Crash { node, restart_after: duration }
            }
            16 => {
                let (node, by) = (self.anything(), self.random.between(1, MOST_SKEW_MS) as i64);
                let by_ms = if self.random.below(2) == 0 { by } else { -by };
                self.add(Trigger::At(at + long), Action::SkewClock { node, by_ms: 0 });
                Action::SkewClock { node, by_ms }
            }
            17 => {
                let (node, by) = (self.broker(), Duration(self.random.between(10_000, 2_000_000)));
                Action::SlowDisk { node, by, duration }
            }
            18 => Action::FullDisk { node: self.broker(), duration },
            19 => Action::Admin(self.reassignment()),
            20 => {
                let (election, topic, partition) = (ElectionType::Preferred, None, None);
                Action::Admin(AdminTask::ElectLeaders { election, topic, partition })
            }
            _ => return self.strike_message(long),
        };
        self.add(Trigger::At(at), action);
    }

    /// A partition moves to other brokers, as many as it has.
    fn reassignment(&mut self) -> AdminTask {
        let setup = self.setup;
        let Some(topic) = setup.topics.get(self.random.below(setup.topics.len().max(1) as u64) as usize) else {
            let (election, topic, partition) = (ElectionType::Preferred, None, None);
            return AdminTask::ElectLeaders { election, topic, partition };
        };
        let partition = self.random.below(topic.partitions.max(1) as u64) as u32;
        let mut brokers: Vec<BrokerId> = (0..i32::from(setup.brokers)).map(BrokerId).collect();
        let mut replicas = Vec::new();
        while replicas.len() < topic.replication_factor.max(1) as usize && !brokers.is_empty() {
            replicas.push(brokers.swap_remove(self.random.below(brokers.len() as u64) as usize));
        }
        AdminTask::Reassign { topic: topic.name.clone(), partition, replicas: Some(replicas) }
    }

    fn strike_quorum(&mut self, at: Time, long: Duration) {
        let (node, other, duration) = (self.controller(), self.controller(), Some(long));
        let symmetric = self.random.below(2) == 0;
        let action = match self.random.below(8) {
            0 => Action::Crash { node, restart_after: duration },
            1 => Action::PowerLoss { node, restart_after: duration },
            2 => Action::Pause { node, duration },
            3 => Action::Shutdown { node, restart_after: duration },
            4 => Action::Partition { a: node, b: None, duration, symmetric },
            5 | 6 if node != other => Action::Partition { a: node, b: Some(other), duration, symmetric },
            _ => {
                let kind = MessageKind {
                    api: QUORUM_TARGETS[self.random.below(QUORUM_TARGETS.len() as u64) as usize],
                    response: self.random.below(2) == 0,
                };
                let nth = self.random.between(1, 6) as u32;
                let action = if symmetric { Action::Stall } else { Action::Delay { by: long } };
                return self.add(Trigger::OnMessage { kind, from: None, to: None, nth }, action);
            }
        };
        self.add(Trigger::At(at), action);
    }

    fn has_transactions(&self) -> bool {
        let setup = self.setup;
        setup.producers.iter().any(|app| app.config.transactional_id.is_some())
            || setup.processors.iter().any(|app| app.producer.transactional_id.is_some())
    }

    /// A word between producer, coordinator and partitions, or a program in the middle of its transaction.
    fn strike_transactions(&mut self, at: Time, long: Duration) {
        let duration = Some(long);
        let action = match self.random.below(6) {
            0 => Action::Crash { node: self.application(), restart_after: duration },
            1 => Action::Pause { node: self.application(), duration },
            _ => return self.strike_word(TRANSACTION_TARGETS, 3, long),
        };
        self.add(Trigger::At(at), action);
    }

    /// Members of groups, and what they read, if they do not assign it to themselves.
    fn members(&self) -> impl Iterator<Item = (NodeId, &[Rc<str>])> {
        let consumers = self.setup.consumers.iter().filter(|app| !app.assign && app.group.is_some());
        let processors = self.setup.processors.iter().filter(|app| !app.assign);
        consumers.map(|app| (app.node, &*app.topics)).chain(processors.map(|app| (app.node, &*app.from)))
    }

    /// A static member that led its classic group and comes back takes the topics for as large as they are now: partitions that
    /// were added while it was away are assigned in the next rebalance only, if there is one (KIP-814,
    /// `ConsumerCoordinator.onLeaderElected` with `skipAssignment`).
    fn has_static_leaders(&self) -> bool {
        let consumers = self.setup.consumers.iter().map(|app| &app.config);
        let mut configs = consumers.chain(self.setup.processors.iter().map(|app| &app.consumer));
        configs.any(|config| config.group_protocol == GroupProtocol::Classic && config.group_instance_id.is_some())
    }

    /// A member is away for a while, a topic grows under its readers, or a word between member and coordinator comes late or never.
    fn strike_group(&mut self, at: Time, long: Duration) {
        let count = self.members().count() as u64;
        let nth = self.random.below(count.max(1)) as usize;
        let Some((node, topics)) = self.members().nth(nth).map(|(node, topics)| (node, topics.to_vec())) else {
            return;
        };
        let duration = Some(long);
        let action = match self.random.below(10) {
            0 => Action::Crash { node, restart_after: duration },
            1 if self.setup.consumers.iter().any(|app| app.node == node) => {
                Action::Shutdown { node, restart_after: duration }
            }
            1 | 2 => Action::Pause { node, duration },
            // Longer than many sessions and poll intervals: its partitions are somebody else's, and it does not know it.
            3 => Action::Pause { node, duration: Some(Duration(self.horizon.0 / 3)) },
            4 if !topics.is_empty() && !self.has_static_leaders() => {
                let topic = topics[self.random.below(topics.len() as u64) as usize].clone();
                let partitions = self.setup.topics.iter().find(|it| it.name == topic).map_or(1, |it| it.partitions);
                let count = partitions.max(1) as u32 + self.random.between(1, 2) as u32;
                Action::Admin(AdminTask::CreatePartitions { topic, count })
            }
            _ => return self.strike_word(GROUP_TARGETS, 2, long),
        };
        self.add(Trigger::At(at), action);
    }

    /// A word between members or producers and their coordinator is lost or late; one of `answers_in` is an answer.
    fn strike_word(&mut self, apis: &[ApiKey], answers_in: u64, long: Duration) {
        let api = apis[self.random.below(apis.len() as u64) as usize];
        let kind = MessageKind { api, response: self.random.below(answers_in) == 0 };
        let action = match self.random.below(4) {
            0 => Action::Reset,
            1 => Action::Stall,
            _ => Action::Delay { by: long },
        };
        let nth = self.random.between(1, 12) as u32;
        self.add(Trigger::OnMessage { kind, from: None, to: None, nth }, action);
    }

    fn strike_message(&mut self, long: Duration) {
        let api = TARGETS[self.random.below(TARGETS.len() as u64) as usize];
        let kind = MessageKind { api, response: self.random.below(2) == 0 };
        let action = match self.random.below(3) {
            0 => Action::Reset,
            1 => Action::Stall,
            // A registration that comes after that of the next incarnation, and before its first heartbeat, unseats it until
            // somebody restarts it: in Kafka as here.
            _ if api == ApiKey::BrokerRegistration && !kind.response => Action::Reset,
            _ => Action::Delay { by: long },
        };
        let often = matches!(api, ApiKey::Produce | ApiKey::Fetch | ApiKey::BrokerHeartbeat);
        let nth = self.random.between(1, if often { 40 } else { 4 }) as u32;
        self.add(Trigger::OnMessage { kind, from: None, to: None, nth }, action);
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

    fn applications(&self) -> u16 {
        (self.setup.producers.len() + self.setup.consumers.len() + self.setup.processors.len()) as u16
    }

    fn application(&mut self) -> NodeId {
        let first = self.setup.brokers + self.setup.controllers;
        let count = self.applications();
        if count == 0 { self.broker() } else { self.pick(first, count) }
    }

    fn anything(&mut self) -> NodeId {
        if self.random.below(4) == 0 { self.controller() } else { self.anybody() }
    }

    fn anybody(&mut self) -> NodeId {
        if self.random.below(3) == 0 { self.application() } else { self.broker() }
    }
}
