//! Brokers come, show that they live, and go: registration, heartbeats, fencing.
//!
//! In Kafka: `ClusterControlManager.registerBroker`, `ReplicationControlManager.processBrokerHeartbeat` and
//! `maybeFenceOneStaleBroker`.

use super::Controller;
use super::heartbeats::ControlState;
use crate::base::{BrokerId, Duration, Time};
use crate::metadata::{BrokerRegistrationChangeRecord, MetadataRecord, RegisterBrokerRecord};
use crate::node::{ControllerTimer, Outbox, Timer};
use crate::protocol::{BrokerHeartbeatRequest, BrokerHeartbeatResponse, ErrorCode};
use crate::protocol::{BrokerRegistrationRequest, BrokerRegistrationResponse};

/// When a stale broker was found, the next look comes soon (`PeriodicTask.DEFAULT_IMMEDIATE_PERIOD_NS`).
const NEXT_LOOK_AFTER_FENCING: Duration = Duration::from_millis(10);

impl Controller {
    /// A new incarnation takes the place of the old one: it is fenced, in no ISR, and has a new epoch, which is the next
    /// offset of the log. But while the old one's session lasts, nobody can say which of the two is alive.
    pub(super) fn register_broker(
        &mut self,
        now: Time,
        request: &BrokerRegistrationRequest,
    ) -> (Vec<MetadataRecord>, BrokerRegistrationResponse) {
        let refuse = |error| (Vec::new(), BrokerRegistrationResponse { error, broker_epoch: -1 });
        if request.cluster_id != self.setup.cluster_id {
            return refuse(ErrorCode::InconsistentClusterId);
        }
        let existing = self.image().broker(request.broker).cloned();
        let same = existing.as_ref().filter(|existing| existing.incarnation == request.incarnation);
        if let (Some(existing), None) = (&existing, same) {
            let timeout = self.config().broker_session_timeout_ms;
            if self.active().heartbeats.has_valid_session(now, request.broker, existing.epoch, timeout) {
                return refuse(ErrorCode::DuplicateBrokerRegistration);
            }
        }
        let mut records = Vec::new();
        if same.is_none() {
            let clean = existing.as_ref().is_some_and(|existing| existing.epoch == request.previous_broker_epoch);
            self.handle_shutdown_of_old_incarnation(request.broker, clean, &mut records);
        }
        let record = RegisterBrokerRecord {
            broker: request.broker,
            incarnation: request.incarnation,
            broker_epoch: same.map_or(self.log_end_offset(), |same| same.epoch),
            rack: request.rack.clone(),
            fenced: same.is_none_or(|same| same.fenced),
            in_controlled_shutdown: same.is_some_and(|same| same.in_controlled_shutdown),
        };
        self.active().heartbeats.register(request.broker, record.fenced, same.is_none());
        let response = BrokerRegistrationResponse { error: ErrorCode::None, broker_epoch: record.broker_epoch };
        records.push(MetadataRecord::RegisterBroker(record));
        (records, response)
    }

    /// A sign of life, and the moves between the states of a broker's life.
    pub(super) fn broker_heartbeat(
        &mut self,
        now: Time,
        request: BrokerHeartbeatRequest,
        out: &mut Outbox<'_>,
    ) -> BrokerHeartbeatResponse {
        let BrokerHeartbeatRequest { broker, broker_epoch, current_metadata_offset, .. } = request;
        let error = self.check_broker_epoch(broker, broker_epoch);
        if error.is_error() {
            let (is_caught_up, is_fenced, should_shut_down) = (false, true, false);
            return BrokerHeartbeatResponse { error, is_caught_up, is_fenced, should_shut_down };
        }
        self.active().heartbeats.contact(now, broker, broker_epoch);
        let registered_at = self.replayed().registered_at[&broker];
        let heartbeats = &self.active.as_ref().expect("invariant: it runs").heartbeats;
        let (current, next) = heartbeats.next_state(&request, registered_at, || self.leads_any(broker));
        let mut records = Vec::new();
        if current != next {
            match next {
                ControlState::Fenced | ControlState::ShutdownNow => self.handle_fenced(broker, &mut records),
                ControlState::Unfenced => self.handle_unfenced(broker, broker_epoch, &mut records),
                ControlState::ControlledShutdown => self.handle_shutting_down(broker, broker_epoch, &mut records),
            }
        }
        self.active().heartbeats.touch(broker, next.is_fenced(), current_metadata_offset);
        self.commit(now, &records, out);
        if next == ControlState::ControlledShutdown {
            let last = self.log_end_offset() - 1;
            self.active().heartbeats.begin_shutdown(broker, last);
        }
        BrokerHeartbeatResponse {
            error,
            is_caught_up: current_metadata_offset >= registered_at,
            is_fenced: next.is_fenced(),
            should_shut_down: next == ControlState::ShutdownNow,
        }
    }

    fn leads_any(&self, broker: BrokerId) -> bool {
        self.image().partitions().any(|(_, partition)| partition.leader == broker)
    }

    /// Fences the broker whose session ended first, if one has; the next one comes in the next pass, when the effect of
    /// this one is visible.
    pub(super) fn fence_one_stale_broker(&mut self, now: Time, out: &mut Outbox<'_>) {
        let timeout = self.config().broker_session_timeout_ms;
        let stale = self.active().heartbeats.remove_expired(now, timeout);
        if let Some((broker, epoch)) = stale
            && !self.check_broker_epoch(broker, epoch).is_error()
        {
            let mut records = Vec::new();
            self.handle_fenced(broker, &mut records);
            self.active().heartbeats.fence(broker);
            self.commit(now, &records, out);
        }
        self.schedule_fencing(now, stale.is_some(), out);
    }

    /// Looks for ended sessions eight times a session.
    pub(super) fn schedule_fencing(&mut self, now: Time, fenced_one: bool, out: &mut Outbox<'_>) {
        let period = Duration(self.config().broker_session_timeout_ms.0 / 8).max(Duration::from_millis(1));
        let wait = if fenced_one { NEXT_LOOK_AFTER_FENCING } else { period };
        out.set_timer(Timer::Controller(ControllerTimer::Session), now + wait);
    }

    fn handle_fenced(&self, broker: BrokerId, records: &mut Vec<MetadataRecord>) {
        self.remove_from_isrs(broker, records);
        let broker_epoch = self.image().broker(broker).map_or(-1, |registration| registration.epoch);
        records.push(registration_change(broker, broker_epoch, Some(true), false));
    }

    fn handle_unfenced(&self, broker: BrokerId, broker_epoch: i64, records: &mut Vec<MetadataRecord>) {
        records.push(registration_change(broker, broker_epoch, Some(false), false));
        self.elect_for_leaderless(broker, records);
    }

    fn handle_shutting_down(&self, broker: BrokerId, broker_epoch: i64, records: &mut Vec<MetadataRecord>) {
        if !self.image().broker(broker).is_some_and(|registration| registration.in_controlled_shutdown) {
            records.push(registration_change(broker, broker_epoch, None, true));
        }
        self.remove_from_isrs(broker, records);
    }
}

fn registration_change(
    broker: BrokerId,
    broker_epoch: i64,
    fenced: Option<bool>,
    in_controlled_shutdown: bool,
) -> MetadataRecord {
    let record = BrokerRegistrationChangeRecord { broker, broker_epoch, fenced, in_controlled_shutdown };
    MetadataRecord::BrokerRegistrationChange(record)
}
