//! How a broker joins and stays in the cluster (Kafka's `BrokerLifecycleManager`).
//!
//! It registers, then sends heartbeats: every 10 ms until the controller finds that it has caught up with the metadata,
//! then every `broker.heartbeat.interval.ms`. It asks to be unfenced once its logs are loaded. Legal transitions:
//! Starting → Recovery → Running → PendingControlledShutdown; a crash starts over with a new incarnation.
//!
//! Who wants to stop says so in each heartbeat, until the controller has moved its leaderships and the other brokers know;
//! after five minutes it stops all the same.

use super::controller_channel::ControllerChannel;
use crate::base::{BrokerId, Duration, Time};
use crate::node::{BrokerTimer, Outbox, Timer};
use crate::protocol::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse, Request,
};
use std::rc::Rc;

/// The second heartbeat of a controlled shutdown comes sooner than others.
const SOON: Duration = Duration::from_millis(50);
/// How long a broker waits for the controller's leave to stop (`BrokerServer.shutdown`).
const PATIENCE: Duration = Duration::from_millis(300_000);

/// How far a broker has come.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BrokerState {
    /// It catches up with the metadata.
    Starting,
    /// It has, loads its logs and waits to be unfenced.
    Recovery,
    /// It serves.
    Running,
    /// It serves, and waits for the controller's leave to stop.
    PendingControlledShutdown,
}

/// The broker's dealings with the controller about itself.
#[derive(Clone, Hash, Debug)]
pub struct Lifecycle {
    state: BrokerState,
    registration: Rc<BrokerRegistrationRequest>,
    heartbeat_interval: Duration,
    broker_epoch: Option<i64>,
    ready_to_unfence: bool,
    fenced: bool,
    in_flight: bool,
    hurry: bool,
    /// Since a controlled shutdown began: when patience ends.
    give_up_at: Option<Time>,
    /// The controller has answered a heartbeat that asked for leave.
    heard_in_shutdown: bool,
    may_stop: bool,
    /// Registration and heartbeats.
    pub channel: ControllerChannel,
}

impl Lifecycle {
    /// A process that has just started.
    pub fn new(registration: BrokerRegistrationRequest, interval: Duration, channel: ControllerChannel) -> Self {
        Lifecycle {
            state: BrokerState::Starting,
            registration: Rc::new(registration),
            heartbeat_interval: interval,
            broker_epoch: None,
            ready_to_unfence: false,
            fenced: true,
            in_flight: false,
            hurry: false,
            give_up_at: None,
            heard_in_shutdown: false,
            may_stop: false,
            channel,
        }
    }

    /// How far it has come.
    pub fn state(&self) -> BrokerState {
        self.state
    }

    /// From the registration; −1 before.
    pub fn broker_epoch(&self) -> i64 {
        self.broker_epoch.unwrap_or(-1)
    }

    /// As the last heartbeat's answer had it.
    pub fn is_fenced(&self) -> bool {
        self.fenced
    }

    /// The random number of this life.
    pub fn incarnation(&self) -> u64 {
        self.registration.incarnation
    }

    fn id(&self) -> BrokerId {
        self.registration.broker
    }

    /// Whether the process may stop now.
    pub fn may_stop(&self) -> bool {
        self.may_stop
    }

    /// Asks the controller for leave to stop; who does not serve needs none.
    pub fn begin_controlled_shutdown(&mut self, now: Time, metadata_offset: i64, out: &mut Outbox<'_>) {
        match self.state {
            BrokerState::PendingControlledShutdown => {}
            BrokerState::Running => {
                self.state = BrokerState::PendingControlledShutdown;
                self.give_up_at = Some(now + PATIENCE);
                self.communicate(now, metadata_offset, out);
            }
            BrokerState::Starting | BrokerState::Recovery => self.may_stop = true,
        }
    }

    /// Registers, or sends the next heartbeat.
    pub fn communicate(&mut self, now: Time, metadata_offset: i64, out: &mut Outbox<'_>) {
        self.may_stop |= self.give_up_at.is_some_and(|at| at <= now);
        if self.in_flight {
            self.hurry = true;
            return;
        }
        self.in_flight = true;
        let request = match self.broker_epoch {
            None => Request::BrokerRegistration((*self.registration).clone()),
            Some(broker_epoch) => Request::BrokerHeartbeat(BrokerHeartbeatRequest {
                broker: self.id(),
                broker_epoch,
                current_metadata_offset: metadata_offset,
                want_fence: !self.ready_to_unfence,
                want_shut_down: self.state == BrokerState::PendingControlledShutdown,
            }),
        };
        self.channel.send(now, request, out);
    }

    /// The logs are loaded: asks to be unfenced at once.
    pub fn set_ready_to_unfence(&mut self, now: Time, metadata_offset: i64, out: &mut Outbox<'_>) {
        if !self.ready_to_unfence {
            self.ready_to_unfence = true;
            self.communicate(now, metadata_offset, out);
        }
    }

    /// The answer to the registration.
    pub fn on_registration(&mut self, now: Time, response: &BrokerRegistrationResponse, out: &mut Outbox<'_>) {
        self.in_flight = false;
        if response.error.is_error() {
            self.failed(now, out);
        } else {
            self.broker_epoch = Some(response.broker_epoch);
            self.schedule(now, Duration::ZERO, out);
        }
    }

    /// The answer to a heartbeat; the state may have changed after it.
    pub fn on_heartbeat(&mut self, now: Time, response: &BrokerHeartbeatResponse, out: &mut Outbox<'_>) {
        self.in_flight = false;
        if response.error.is_error() {
            return self.failed(now, out);
        }
        self.fenced = response.is_fenced;
        match self.state {
            BrokerState::Starting => {
                if response.is_caught_up {
                    self.state = BrokerState::Recovery;
                }
                self.schedule(now, Duration::from_millis(10), out);
            }
            BrokerState::Recovery | BrokerState::Running => {
                if !response.is_fenced {
                    self.state = BrokerState::Running;
                }
                self.schedule(now, self.heartbeat_interval, out);
            }
            BrokerState::PendingControlledShutdown => {
                self.may_stop |= response.should_shut_down;
                let first = !std::mem::replace(&mut self.heard_in_shutdown, true);
                self.schedule(now, if first { SOON } else { self.heartbeat_interval }, out);
            }
        }
    }

    /// No answer, or a bad one: tries again after a heartbeat interval, never at once.
    pub fn failed(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.in_flight = false;
        self.hurry = false;
        self.schedule(now, self.heartbeat_interval, out);
    }

    fn schedule(&mut self, now: Time, pause: Duration, out: &mut Outbox<'_>) {
        let pause = if self.hurry { Duration::ZERO } else { pause };
        self.hurry = false;
        out.set_timer(Timer::Broker(BrokerTimer::Lifecycle), now + pause);
    }
}
