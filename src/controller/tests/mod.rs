//! A controller and the brokers' side of its conversations, in the scenario's language.

mod cluster;
mod elections;
mod eligible_leaders;
mod growth;
mod metadata_log;
mod partitions;
mod quorum;
mod reassignment;

use super::*;
use crate::base::config::Properties;
use crate::base::{Duration, SortedMap, TopicId, TopicPartition};
use crate::metadata::PartitionRegistration;
use crate::node::{Channel, Effect, Event, MessageId};
use crate::protocol::*;

/// The first partition of the first topic, which most tests are about.
const P: TopicPartition = TopicPartition::new(TopicId(1), 0);
const CONTROLLER: NodeId = NodeId(9);

fn ids<const N: usize>(ids: [i32; N]) -> Vec<BrokerId> {
    ids.map(BrokerId).to_vec()
}

struct Lab {
    controller: Controller,
    now: Time,
    random: Prng,
    timers: SortedMap<Timer, Time>,
    events: Vec<Event>,
    responses: Vec<(RequestContext, Response)>,
    messages: u64,
    incarnations: u64,
    /// Broker epochs as the brokers know them.
    epochs: SortedMap<BrokerId, i64>,
}

impl Lab {
    fn with(config: &[(&str, &str)]) -> Lab {
        let properties: Properties = config.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let config = Rc::new(BrokerConfig::parse(&properties).expect("a good config"));
        let voters = [CONTROLLER].into();
        let setup = ControllerSetup { node: CONTROLLER, voters, config, cluster_id: Rc::from("lab") };
        let mut lab = Lab {
            controller: Controller::new(setup),
            now: Time::ZERO,
            random: Prng::split(1, "controller"),
            timers: SortedMap::new(),
            events: Vec::new(),
            responses: Vec::new(),
            messages: 0,
            incarnations: 0,
            epochs: SortedMap::new(),
        };
        lab.event(|controller, now, out| controller.on_start(now, out));
        lab
    }

    /// So many brokers, all unfenced, and topic 1 `orders` with one partition on all of them.
    fn cluster(brokers: i32) -> Lab {
        Lab::cluster_with(brokers, &[])
    }

    fn cluster_with(brokers: i32, topic_config: &[(&str, &str)]) -> Lab {
        Lab::cluster_of(brokers, &[], topic_config)
    }

    /// A cluster that keeps no eligible leader replicas.
    fn cluster_without_elr(brokers: i32, topic_config: &[(&str, &str)]) -> Lab {
        Lab::cluster_of(brokers, &[("eligible.leader.replicas.version", "0")], topic_config)
    }

    fn cluster_of(brokers: i32, config: &[(&str, &str)], topic_config: &[(&str, &str)]) -> Lab {
        let mut lab = Lab::with(config);
        (0..brokers).for_each(|broker| lab.join(broker));
        assert_eq!(lab.create("orders", 1, brokers as i16, topic_config), ErrorCode::None);
        lab
    }

    fn event(&mut self, handle: impl FnOnce(&mut Controller, Time, &mut Outbox<'_>)) {
        let mut effects = Vec::new();
        handle(&mut self.controller, self.now, &mut Outbox::new(&mut effects, &mut self.random));
        for effect in effects {
            match effect {
                Effect::Respond { to, response } => self.responses.push((to, response)),
                Effect::SetTimer(timer, at) => drop(self.timers.insert(timer, at)),
                Effect::CancelTimer(timer) => drop(self.timers.remove(&timer)),
                Effect::Emit(event) => self.events.push(event),
                other => panic!("a controller does not do this: {other:?}"),
            }
        }
    }

    /// Lets time pass, timers included.
    fn pass(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some((timer, at)) = self.timers.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|(_, at)| *at) {
            if at > end {
                break;
            }
            self.timers.remove(&timer);
            self.now = self.now.max(at);
            self.event(|controller, now, out| controller.on_timer(now, timer, out));
        }
        self.now = end;
    }

    fn send(&mut self, from: i32, channel: Channel, request: Request) -> ConnectionId {
        let client = BrokerId(from).node();
        let connection = ConnectionId { client, server: CONTROLLER, channel, generation: 0 };
        self.messages += 1;
        let id = MessageId(self.messages);
        let message = Message { id, connection, correlation_id: 0, body: Body::Request(request) };
        self.event(|controller, now, out| controller.on_message(now, client, message, out));
        connection
    }

    fn call(&mut self, from: i32, request: Request) -> Response {
        self.responses.clear();
        self.send(from, Channel::Forwarding, request);
        let (_, response) = self.responses.pop().expect("an answer at once");
        response
    }

    fn registration(&mut self, broker: i32, incarnation: u64, previous: i64) -> BrokerRegistrationResponse {
        let request = BrokerRegistrationRequest {
            broker: BrokerId(broker),
            cluster_id: Rc::from("lab"),
            incarnation,
            previous_broker_epoch: previous,
            rack: None,
        };
        match self.call(broker, Request::BrokerRegistration(request)) {
            Response::BrokerRegistration(response) => response,
            other => panic!("{other:?}"),
        }
    }

    /// A new process of the broker registers; it is still fenced.
    fn register(&mut self, broker: i32) -> BrokerRegistrationResponse {
        self.incarnations += 1;
        let response = self.registration(broker, self.incarnations, -1);
        if !response.error.is_error() {
            self.epochs.insert(BrokerId(broker), response.broker_epoch);
        }
        response
    }

    fn heartbeat_with(
        &mut self,
        broker: i32,
        change: impl FnOnce(&mut BrokerHeartbeatRequest),
    ) -> BrokerHeartbeatResponse {
        let mut request = BrokerHeartbeatRequest {
            broker: BrokerId(broker),
            broker_epoch: self.epochs[&BrokerId(broker)],
            current_metadata_offset: self.controller.log_end_offset() - 1,
            want_fence: false,
            want_shut_down: false,
        };
        change(&mut request);
        match self.call(broker, Request::BrokerHeartbeat(request)) {
            Response::BrokerHeartbeat(response) => response,
            other => panic!("{other:?}"),
        }
    }

    fn heartbeat(&mut self, broker: i32) -> BrokerHeartbeatResponse {
        self.heartbeat_with(broker, |_| {})
    }

    /// A new process of the broker registers and is unfenced.
    fn join(&mut self, broker: i32) {
        assert_eq!(self.register(broker).error, ErrorCode::None);
        assert!(!self.heartbeat(broker).is_fenced);
    }

    /// The same process is heard of again.
    fn unfence(&mut self, broker: i32) {
        assert!(!self.heartbeat(broker).is_fenced);
    }

    /// As [`Lab::join`], and the process before it had stopped in an orderly way.
    fn join_after_clean_stop(&mut self, broker: i32) {
        self.incarnations += 1;
        let response = self.registration(broker, self.incarnations, self.epochs[&BrokerId(broker)]);
        assert_eq!(response.error, ErrorCode::None);
        self.epochs.insert(BrokerId(broker), response.broker_epoch);
        assert!(!self.heartbeat(broker).is_fenced);
    }

    fn elect(&mut self, election: ElectionType, partitions: &[u32]) -> Vec<ErrorCode> {
        let partitions = vec![TopicPartitions { topic: Rc::from("orders"), partitions: partitions.to_vec() }];
        let request = ElectLeadersRequest { election, partitions: Some(partitions) };
        match self.call(0, Request::ElectLeaders(request)) {
            Response::ElectLeaders(response) => response.partitions.iter().map(|result| result.error).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// Changes the settings of the topic.
    fn alter_config(&mut self, changes: &[(&str, Option<&str>)]) -> ErrorCode {
        let changes = changes.iter().map(|(key, value)| (Rc::from(*key), value.map(Rc::from))).collect();
        self.alter_configs(AlterConfigs { resource: Configurable::Topic(Rc::from("orders")), changes })
    }

    fn alter_configs(&mut self, asked: AlterConfigs) -> ErrorCode {
        let request = IncrementalAlterConfigsRequest { resources: vec![asked] };
        match self.call(0, Request::IncrementalAlterConfigs(request)) {
            Response::IncrementalAlterConfigs(response) => response.resources[0].1,
            other => panic!("{other:?}"),
        }
    }

    /// Eligible and last known leaders.
    fn elr(&self) -> (Vec<i32>, Vec<i32>) {
        let ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
        (ids(&self.partition().elr), ids(&self.partition().last_known_elr))
    }

    /// These brokers fall silent, one after the other, until their sessions end; the others go on.
    fn kill<const N: usize>(&mut self, brokers: [i32; N]) {
        for broker in brokers {
            let mut rounds = 0;
            while self.controller.image().is_unfenced(BrokerId(broker)) {
                let alive: Vec<_> = self.unfenced().into_iter().filter(|other| other.0 != broker).collect();
                for other in alive {
                    self.heartbeat(other.0);
                }
                self.pass(1_000);
                rounds += 1;
                assert!(rounds < 20, "broker {broker} is not fenced");
            }
        }
    }

    fn unfenced(&self) -> Vec<BrokerId> {
        let brokers = self.controller.image().brokers();
        brokers.iter().filter(|(_, broker)| !broker.fenced).map(|(id, _)| *id).collect()
    }

    fn create(&mut self, name: &str, partitions: i32, replication_factor: i16, config: &[(&str, &str)]) -> ErrorCode {
        let config = config.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let assignments = Vec::new();
        self.create_topic(NewTopic { name: Rc::from(name), partitions, replication_factor, assignments, config })
    }

    fn create_topic(&mut self, topic: NewTopic) -> ErrorCode {
        match self.call(0, Request::CreateTopics(CreateTopicsRequest { topics: vec![topic] })) {
            Response::CreateTopics(response) => response.topics[0].error,
            other => panic!("{other:?}"),
        }
    }

    fn partition(&self) -> &PartitionRegistration {
        self.controller.image().partition(P).expect("orders-0 exists")
    }

    /// Leader, leader epoch, partition epoch and ISR.
    #[track_caller]
    fn expect(&self, leader: i32, leader_epoch: i32, partition_epoch: i32, isr: &[i32]) {
        let partition = self.partition();
        let found: Vec<i32> = partition.isr.iter().map(|member| member.0).collect();
        let epochs = (partition.leader_epoch, partition.partition_epoch);
        assert_eq!((partition.leader.0, epochs, &found[..]), (leader, (leader_epoch, partition_epoch), isr));
    }

    /// What the leader would ask for: this ISR, with all epochs as they are.
    fn wish(&self, isr: &[i32]) -> AlterPartition {
        let partition = self.partition();
        let member = |id: &i32| BrokerState { broker: BrokerId(*id), epoch: -1 };
        AlterPartition {
            partition: P,
            leader_epoch: partition.leader_epoch,
            new_isr: isr.iter().map(member).collect(),
            leader_recovery_state: partition.leader_recovery_state,
            partition_epoch: partition.partition_epoch,
        }
    }

    fn alter_with_epoch(&mut self, sender: i32, broker_epoch: i64, wish: AlterPartition) -> AlterPartitionResponse {
        let request = AlterPartitionRequest { broker: BrokerId(sender), broker_epoch, partitions: vec![wish] };
        match self.call(sender, Request::AlterPartition(request)) {
            Response::AlterPartition(response) => response,
            other => panic!("{other:?}"),
        }
    }

    fn alter(&mut self, sender: i32, wish: AlterPartition) -> AlterPartitionResult {
        let epoch = self.epochs[&BrokerId(sender)];
        let response = self.alter_with_epoch(sender, epoch, wish);
        assert_eq!(response.error, ErrorCode::None);
        response.partitions[0].clone()
    }

    /// The leader gets this ISR.
    fn set_isr(&mut self, isr: &[i32]) {
        let (leader, wish) = (self.partition().leader, self.wish(isr));
        assert_eq!(self.alter(leader.0, wish).error, ErrorCode::None);
    }

    fn restart(&mut self, crash: Crash) {
        self.controller.on_crash(self.now, crash, &mut self.random);
        self.timers.clear();
        self.event(|controller, now, out| controller.on_start(now, out));
    }
}
