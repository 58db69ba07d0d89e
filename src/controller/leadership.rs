//! The active controller and the standbys: who decides, and since when.
//!
//! ```text
//! standby ──elected, and all before its epoch is committed and replayed──► active
//!    ▲                                                                        │
//!    └────── deposed: undecided answers fail, what is uncommitted is dropped ─┘
//! ```
//! In Kafka: `QuorumController.claim`, `CompleteActivationEvent`, `renounce`.

use super::heartbeats::Heartbeats;
use super::{Active, Controller};
use crate::base::{LeaderEpoch, Time};
use crate::metadata::FEATURES;
use crate::node::{ControllerTimer, Event, Outbox, RequestContext, Timer};
use crate::protocol::{AllocateProducerIdsResponse, AlterPartitionReassignmentsResponse, AlterPartitionResponse};
use crate::protocol::{BrokerHeartbeatResponse, Configurable, CreatePartitionsResponse, ElectLeadersResponse};
use crate::protocol::{BrokerRegistrationResponse, CreateTopicsResponse, ErrorCode, NewTopicResult, Request, Response};
use crate::protocol::{IncrementalAlterConfigsResponse, ListPartitionReassignmentsResponse};
use std::collections::VecDeque;
use std::rc::Rc;

impl Controller {
    /// At the end of every event: the quorum goes on, and this controller follows it.
    pub(super) fn settle(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.raft.poll(now, out);
        let leadership = self.raft.leadership();
        if let Some(active) = &self.active
            && leadership.is_none_or(|(epoch, _)| epoch != active.epoch)
        {
            self.renounce(out);
        }
        self.follow_log(out);
        self.maybe_snapshot(now);
        if let (None, Some((epoch, start))) = (&self.active, leadership)
            && self.committed.next_offset() > start
        {
            self.claim(now, epoch, out);
        }
        if self.stops_by.is_some_and(|by| self.raft.may_stop() || by <= now) {
            out.exit();
        }
    }

    /// Gives every unfenced broker a new session. An empty log gets the features of the cluster first.
    fn claim(&mut self, now: Time, epoch: LeaderEpoch, out: &mut Outbox<'_>) {
        let mut heartbeats = Heartbeats::default();
        for (id, broker) in self.committed.image.brokers() {
            heartbeats.register(*id, broker.fenced, true);
            if !broker.fenced {
                heartbeats.contact(now, *id, broker.epoch);
            }
        }
        let config = self.config();
        let preferred_election_at =
            config.auto_leader_rebalance_enable.then(|| now + config.leader_imbalance_check_interval_seconds);
        let unclean_election_at = now + config.unclean_leader_election_interval_ms;
        let (uncommitted, deferred) = (None, VecDeque::new());
        self.active =
            Some(Active { epoch, heartbeats, uncommitted, deferred, preferred_election_at, unclean_election_at });
        if !self.raft.is_only_voter() {
            out.emit(Event::ControllerActive { epoch });
        }
        if self.image().feature_level(FEATURES[0].name) == 0 {
            let records = self.feature_levels();
            self.commit(now, &records, out);
        }
        self.schedule_fencing(now, false, out);
        self.schedule_elections(out);
    }

    fn renounce(&mut self, out: &mut Outbox<'_>) {
        let Some(active) = self.active.take() else { return };
        for deferred in active.deferred {
            refuse(deferred.context, not_controller(&deferred.response), out);
        }
        out.cancel_timer(Timer::Controller(ControllerTimer::Session));
        out.cancel_timer(Timer::Controller(ControllerTimer::Election));
    }
}

/// Says no; or, if there is no way to say it, closes the connection, upon which the client looks for the controller too.
pub(super) fn refuse(context: RequestContext, refusal: Option<Response>, out: &mut Outbox<'_>) {
    match refusal {
        Some(response) => out.respond(context, response),
        None => out.disconnect(context.connection.client, context.connection.channel),
    }
}

const ERROR: ErrorCode = ErrorCode::NotController;

/// A standby's answer.
pub(super) fn standby_response(request: &Request) -> Option<Response> {
    Some(match request {
        Request::BrokerRegistration(_) => registration(),
        Request::BrokerHeartbeat(_) => heartbeat(),
        Request::AlterPartition(_) => alter_partition(),
        Request::AllocateProducerIds(_) => producer_ids(),
        Request::CreateTopics(request) => topics(request.topics.iter().map(|topic| topic.name.clone())),
        Request::CreatePartitions(request) => new_partitions(request.topics.iter().map(|topic| topic.name.clone())),
        Request::ElectLeaders(_) => election(),
        Request::AlterPartitionReassignments(_) => reassignment(),
        Request::ListPartitionReassignments(_) => {
            let response = ListPartitionReassignmentsResponse { error: ERROR, partitions: Vec::new() };
            Response::ListPartitionReassignments(response)
        }
        Request::IncrementalAlterConfigs(request) => {
            configs(request.resources.iter().map(|resource| resource.resource.clone()))
        }
        _ => return None,
    })
}

/// What becomes of an answer whose records were dropped.
fn not_controller(response: &Response) -> Option<Response> {
    Some(match response {
        Response::BrokerRegistration(_) => registration(),
        Response::BrokerHeartbeat(_) => heartbeat(),
        Response::AlterPartition(_) => alter_partition(),
        Response::AllocateProducerIds(_) => producer_ids(),
        Response::CreateTopics(response) => topics(response.topics.iter().map(|topic| topic.name.clone())),
        Response::CreatePartitions(response) => new_partitions(response.topics.iter().map(|topic| topic.name.clone())),
        Response::ElectLeaders(_) => election(),
        Response::AlterPartitionReassignments(_) => reassignment(),
        Response::IncrementalAlterConfigs(response) => configs(response.resources.iter().map(|(it, _)| it.clone())),
        _ => return None,
    })
}

fn registration() -> Response {
    Response::BrokerRegistration(BrokerRegistrationResponse { error: ERROR, broker_epoch: -1 })
}

fn heartbeat() -> Response {
    let (is_caught_up, is_fenced, should_shut_down) = (false, true, false);
    Response::BrokerHeartbeat(BrokerHeartbeatResponse { error: ERROR, is_caught_up, is_fenced, should_shut_down })
}

fn alter_partition() -> Response {
    Response::AlterPartition(AlterPartitionResponse { error: ERROR, partitions: Vec::new() })
}

fn producer_ids() -> Response {
    let response = AllocateProducerIdsResponse { error: ERROR, producer_id_start: 0, producer_id_len: 0 };
    Response::AllocateProducerIds(response)
}

fn election() -> Response {
    Response::ElectLeaders(ElectLeadersResponse { error: ERROR, partitions: Vec::new() })
}

fn reassignment() -> Response {
    let response = AlterPartitionReassignmentsResponse { error: ERROR, partitions: Vec::new() };
    Response::AlterPartitionReassignments(response)
}

fn configs(resources: impl Iterator<Item = Configurable>) -> Response {
    let resources = resources.map(|resource| (resource, ERROR)).collect();
    Response::IncrementalAlterConfigs(IncrementalAlterConfigsResponse { resources })
}

fn new_partitions(names: impl Iterator<Item = Rc<str>>) -> Response {
    let topics = names.map(|name| NewTopicResult { name, error: ERROR }).collect();
    Response::CreatePartitions(CreatePartitionsResponse { topics })
}

fn topics(names: impl Iterator<Item = Rc<str>>) -> Response {
    let topics = names.map(|name| NewTopicResult { name, error: ERROR }).collect();
    Response::CreateTopics(CreateTopicsResponse { topics })
}
