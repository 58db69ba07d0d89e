//! What a broker asks the controller for on behalf of others: what administrators want, the topics of the
//! coordinators, blocks of producer ids (Kafka's `ForwardingManager`, `AutoTopicCreationManager`).

use super::controller_channel::ControllerChannel;
use super::producer_id_manager::ProducerIdManager;
use super::request_queue::RequestQueue;
use crate::base::config::{BrokerConfig, Properties};
use crate::base::{BrokerId, Time};
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, SHARE_GROUP_STATE_TOPIC, TRANSACTION_STATE_TOPIC};
use crate::node::{Outbox, RequestContext};
use crate::protocol::{
    AllocateProducerIdsRequest, CreateTopicsRequest, CreateTopicsResponse, ErrorCode, NewTopic, NewTopicResult,
    Request, Response,
};
use std::collections::VecDeque;

/// The forwarding channel and whom its answers are for.
#[derive(Clone, Hash, Debug)]
pub struct Forwarding {
    /// To the controller.
    pub channel: ControllerChannel,
    origins: VecDeque<Origin>,
    creating_offsets_topic: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Origin {
    Client(RequestContext),
    OffsetsTopic,
    ProducerIds,
    TransactionTopic,
    ShareTopic,
}

impl Forwarding {
    /// Nothing to ask for.
    pub fn new(channel: ControllerChannel) -> Self {
        Forwarding { channel, origins: VecDeque::new(), creating_offsets_topic: false }
    }

    /// Passes a client's request on.
    pub fn forward(&mut self, now: Time, from: RequestContext, request: Request, out: &mut Outbox<'_>) {
        self.send(now, Origin::Client(from), request, out);
    }

    /// Creates `__consumer_offsets`, unless that is under way.
    pub fn create_offsets_topic(&mut self, now: Time, config: &BrokerConfig, out: &mut Outbox<'_>) {
        if !std::mem::replace(&mut self.creating_offsets_topic, true) {
            let request = CreateTopicsRequest { topics: vec![offsets_topic(config)] };
            self.send(now, Origin::OffsetsTopic, Request::CreateTopics(request), out);
        }
    }

    /// Creates `__transaction_state`, unless that is under way.
    pub fn create_transaction_topic(&mut self, now: Time, config: &BrokerConfig, out: &mut Outbox<'_>) {
        if !self.origins.contains(&Origin::TransactionTopic) {
            let request = CreateTopicsRequest { topics: vec![transaction_topic(config)] };
            self.send(now, Origin::TransactionTopic, Request::CreateTopics(request), out);
        }
    }

    /// Creates `__share_group_state`, unless that is under way.
    pub fn create_share_topic(&mut self, now: Time, config: &BrokerConfig, out: &mut Outbox<'_>) {
        if !self.origins.contains(&Origin::ShareTopic) {
            let request = CreateTopicsRequest { topics: vec![share_topic(config)] };
            self.send(now, Origin::ShareTopic, Request::CreateTopics(request), out);
        }
    }

    /// Asks for a block of producer ids.
    pub fn allocate_producer_ids(&mut self, now: Time, broker: BrokerId, broker_epoch: i64, out: &mut Outbox<'_>) {
        let request = Request::AllocateProducerIds(AllocateProducerIdsRequest { broker, broker_epoch });
        self.send(now, Origin::ProducerIds, request, out);
    }

    fn send(&mut self, now: Time, origin: Origin, request: Request, out: &mut Outbox<'_>) {
        self.origins.push_back(origin);
        self.channel.send(now, request, out);
    }

    /// The controller answered the oldest request.
    pub fn answered(
        &mut self,
        now: Time,
        response: Response,
        ids: &mut ProducerIdManager,
        requests: &mut RequestQueue,
        out: &mut Outbox<'_>,
    ) {
        match (self.origins.pop_front(), response) {
            (Some(Origin::Client(to)), response) => requests.respond(to, response, out),
            (Some(Origin::ProducerIds), Response::AllocateProducerIds(response)) => ids.allocated(now, &response),
            (Some(Origin::ProducerIds), _) => ids.failed(now),
            (Some(Origin::OffsetsTopic), _) => self.creating_offsets_topic = false,
            (Some(Origin::TransactionTopic | Origin::ShareTopic) | None, _) => {}
        }
    }

    /// The oldest request was given up.
    pub fn given_up(
        &mut self,
        now: Time,
        request: &Request,
        ids: &mut ProducerIdManager,
        requests: &mut RequestQueue,
        out: &mut Outbox<'_>,
    ) {
        match (self.origins.pop_front(), request) {
            (Some(Origin::Client(to)), Request::CreateTopics(request)) => {
                let timed_out =
                    |topic: &NewTopic| NewTopicResult { name: topic.name.clone(), error: ErrorCode::RequestTimedOut };
                let topics = request.topics.iter().map(timed_out).collect();
                requests.respond(to, Response::CreateTopics(CreateTopicsResponse { topics }), out);
            }
            // Kafka answers `REQUEST_TIMED_OUT`, which a client treats as it does a broken connection.
            (Some(Origin::Client(to)), _) => requests.close(to, out),
            (Some(Origin::ProducerIds), _) => ids.failed(now),
            (Some(Origin::OffsetsTopic), _) => self.creating_offsets_topic = false,
            (Some(Origin::TransactionTopic | Origin::ShareTopic) | None, _) => {}
        }
    }
}

fn offsets_topic(config: &BrokerConfig) -> NewTopic {
    let settings = [
        ("cleanup.policy", "compact".to_owned()),
        ("segment.bytes", config.offsets_topic_segment_bytes.to_string()),
        ("compression.type", "producer".to_owned()),
    ];
    let (partitions, replicas) = (config.offsets_topic_num_partitions, config.offsets_topic_replication_factor);
    internal_topic(CONSUMER_OFFSETS_TOPIC, partitions, replicas, settings)
}

fn transaction_topic(config: &BrokerConfig) -> NewTopic {
    let settings = [
        ("unclean.leader.election.enable", "false".to_owned()),
        ("compression.type", "uncompressed".to_owned()),
        ("cleanup.policy", "compact".to_owned()),
        ("min.insync.replicas", config.transaction_state_log_min_isr.to_string()),
        ("segment.bytes", config.transaction_state_log_segment_bytes.to_string()),
    ];
    let replicas = config.transaction_state_log_replication_factor;
    internal_topic(TRANSACTION_STATE_TOPIC, config.transaction_state_log_num_partitions, replicas, settings)
}

fn share_topic(config: &BrokerConfig) -> NewTopic {
    let settings = [
        ("cleanup.policy", "delete".to_owned()),
        ("compression.type", "producer".to_owned()),
        ("segment.bytes", config.share_coordinator_state_topic_segment_bytes.to_string()),
        ("min.insync.replicas", config.share_coordinator_state_topic_min_isr.to_string()),
        ("retention.ms", "-1".to_owned()),
    ];
    let replicas = config.share_coordinator_state_topic_replication_factor;
    internal_topic(SHARE_GROUP_STATE_TOPIC, config.share_coordinator_state_topic_num_partitions, replicas, settings)
}

fn internal_topic<const N: usize>(
    name: &str,
    partitions: u32,
    replicas: u32,
    settings: [(&str, String); N],
) -> NewTopic {
    NewTopic {
        name: name.into(),
        partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
        assignments: Vec::new(),
        config: settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Properties>(),
    }
}
