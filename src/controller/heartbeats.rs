//! Who is alive: contact times, and the states a broker passes through from registration to shutdown.
//!
//! ```text
//! Fenced ──has replayed its registration──► Unfenced ──wants to stop, leads──► ControlledShutdown
//!   ▲  │                                     │    │                                  │ leads nothing, and the
//!   │  └─wants to stop─► ShutdownNow ◄───────│────┘ wants to stop, leads nothing     ▼ others know
//!   └──────────────session ended─────────────┘                                  ShutdownNow
//! ```
//! Invariant: this is volatile; a controller that starts gives every unfenced broker a whole new session.
//!
//! In Kafka: `BrokerHeartbeatManager`, `BrokerHeartbeatTracker`, `BrokerControlState`.

use crate::base::{BrokerId, Duration, Offset, SortedMap, Time};
use crate::protocol::BrokerHeartbeatRequest;

/// Where a broker is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum ControlState {
    Fenced,
    Unfenced,
    ControlledShutdown,
    ShutdownNow,
}

impl ControlState {
    pub(super) fn is_fenced(self) -> bool {
        matches!(self, ControlState::Fenced | ControlState::ShutdownNow)
    }
}

/// What heartbeats said.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Heartbeat {
    fenced: bool,
    metadata_offset: Offset,
    /// The others must have replayed this before the broker may stop.
    shutdown_offset: Option<Offset>,
}

/// All brokers' sessions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Heartbeats {
    brokers: SortedMap<BrokerId, Heartbeat>,
    /// By broker and epoch: an old incarnation's session may outlive it.
    contacts: SortedMap<(BrokerId, i64), Time>,
}

impl Heartbeats {
    pub(super) fn contact(&mut self, now: Time, broker: BrokerId, epoch: i64) {
        self.contacts.insert((broker, epoch), now);
    }

    pub(super) fn has_valid_session(&self, now: Time, broker: BrokerId, epoch: i64, timeout: Duration) -> bool {
        self.contacts.get(&(broker, epoch)).is_some_and(|contact| now.since(*contact) <= timeout)
    }

    /// Forgets the session that ended first, if one has.
    pub(super) fn remove_expired(&mut self, now: Time, timeout: Duration) -> Option<(BrokerId, i64)> {
        let (session, contact) = self.contacts.iter().min_by_key(|(_, contact)| **contact)?;
        let (session, expired) = (*session, now.since(*contact) > timeout);
        expired.then(|| self.contacts.remove(&session))?;
        Some(session)
    }

    pub(super) fn register(&mut self, broker: BrokerId, fenced: bool, anew: bool) {
        if anew {
            self.brokers.remove(&broker);
        }
        self.touch(broker, fenced, -1);
    }

    pub(super) fn touch(&mut self, broker: BrokerId, fenced: bool, metadata_offset: Offset) {
        let old = self.brokers.get(&broker).and_then(|heartbeat| heartbeat.shutdown_offset);
        let shutdown_offset = if fenced { None } else { old };
        self.brokers.insert(broker, Heartbeat { fenced, metadata_offset, shutdown_offset });
    }

    pub(super) fn fence(&mut self, broker: BrokerId) {
        if let Some(heartbeat) = self.brokers.get_mut(&broker) {
            heartbeat.fenced = true;
        }
    }

    /// The broker may stop once the others have replayed `offset`; the first such offset counts.
    pub(super) fn begin_shutdown(&mut self, broker: BrokerId, offset: Offset) {
        if let Some(heartbeat) = self.brokers.get_mut(&broker) {
            heartbeat.shutdown_offset.get_or_insert(offset);
        }
    }

    /// Every active broker has replayed at least this.
    fn lowest_active_offset(&self) -> Offset {
        let active = self.brokers.values().filter(|heartbeat| !heartbeat.fenced && heartbeat.shutdown_offset.is_none());
        active.map(|heartbeat| heartbeat.metadata_offset).min().unwrap_or(Offset::MAX)
    }

    /// The states before and after this heartbeat.
    pub(super) fn next_state(
        &self,
        request: &BrokerHeartbeatRequest,
        registered_at: Offset,
        leads: impl FnOnce() -> bool,
    ) -> (ControlState, ControlState) {
        let heartbeat = self.brokers.get(&request.broker).expect("invariant: a registered broker has a heartbeat");
        match heartbeat.shutdown_offset {
            Some(offset) => {
                let may_stop = !leads() && offset <= self.lowest_active_offset();
                let next = if may_stop { ControlState::ShutdownNow } else { ControlState::ControlledShutdown };
                (ControlState::ControlledShutdown, next)
            }
            None if heartbeat.fenced => (ControlState::Fenced, from_fenced(request, registered_at)),
            None => (ControlState::Unfenced, from_unfenced(request, leads)),
        }
    }
}

fn from_fenced(request: &BrokerHeartbeatRequest, registered_at: Offset) -> ControlState {
    if request.want_shut_down {
        ControlState::ShutdownNow
    } else if !request.want_fence && request.current_metadata_offset >= registered_at {
        ControlState::Unfenced
    } else {
        ControlState::Fenced
    }
}

fn from_unfenced(request: &BrokerHeartbeatRequest, leads: impl FnOnce() -> bool) -> ControlState {
    match (request.want_fence, request.want_shut_down) {
        (true, true) => ControlState::ShutdownNow,
        (true, false) => ControlState::Fenced,
        (false, true) if leads() => ControlState::ControlledShutdown,
        (false, true) => ControlState::ShutdownNow,
        (false, false) => ControlState::Unfenced,
    }
}
