//! One connection of a client: its state, its reconnect back-off and its requests in flight.
//!
//! In Kafka: `ClusterConnectionStates`, `InFlightRequests`.

use super::ExponentialBackoff;
use crate::base::{Duration, Prng, Time};
use crate::protocol::ApiKey;
use std::collections::VecDeque;

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConnectionState {
    /// Not there, or lost.
    Disconnected,
    /// Being established: the first request is not answered yet.
    Connecting,
    /// Requests may be sent.
    Ready,
}

/// Whose request it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Purpose<T> {
    /// Sees whether anybody answers on a new connection.
    Handshake,
    /// Asks for metadata.
    Metadata,
    /// The owner's.
    Owner(T),
}

/// A request waiting for its response.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InFlight<T> {
    /// Its number.
    pub correlation_id: u32,
    /// Its API.
    pub api: ApiKey,
    /// When it was sent.
    pub sent_at: Time,
    /// When it is given up.
    pub deadline: Time,
    pub(super) purpose: Purpose<T>,
}

impl<T> InFlight<T> {
    /// What the owner keeps of it; none for the network client's own requests.
    pub fn context(&self) -> Option<&T> {
        match &self.purpose {
            Purpose::Owner(context) => Some(context),
            Purpose::Handshake | Purpose::Metadata => None,
        }
    }
}

/// One connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Connection<T> {
    pub state: ConnectionState,
    /// Reconnecting is allowed `backoff` after the last attempt to connect (not after the loss).
    pub last_attempt: Time,
    backoff: Duration,
    failed_attempts: u32,
    failed_setups: u32,
    /// The generation its last response came on: a disconnection of an older one is old news.
    pub generation: u32,
    pub in_flight: VecDeque<InFlight<T>>,
}

impl<T> Connection<T> {
    pub fn new() -> Self {
        Connection {
            state: ConnectionState::Disconnected,
            last_attempt: Time::ZERO,
            backoff: Duration::ZERO,
            failed_attempts: 0,
            failed_setups: 0,
            generation: 0,
            in_flight: VecDeque::new(),
        }
    }

    /// When the next attempt to connect is allowed.
    pub fn reconnect_at(&self) -> Time {
        self.last_attempt + self.backoff
    }

    pub fn can_connect(&self, now: Time) -> bool {
        self.state == ConnectionState::Disconnected && self.reconnect_at() <= now
    }

    /// Begins an attempt; returns how long it may take.
    pub fn connecting(&mut self, now: Time, setup: ExponentialBackoff, random: &mut Prng) -> Duration {
        self.state = ConnectionState::Connecting;
        self.last_attempt = now;
        setup.backoff(self.failed_setups, random)
    }

    pub fn ready(&mut self) {
        self.state = ConnectionState::Ready;
        self.failed_attempts = 0;
        self.failed_setups = 0;
    }

    pub fn disconnected(&mut self, reconnect: ExponentialBackoff, random: &mut Prng) {
        self.backoff = reconnect.backoff(self.failed_attempts, random);
        self.failed_attempts += 1;
        self.failed_setups = if self.state == ConnectionState::Connecting { self.failed_setups + 1 } else { 0 };
        self.state = ConnectionState::Disconnected;
    }

    pub fn next_timeout(&self) -> Option<Time> {
        self.in_flight.iter().map(|request| request.deadline).min()
    }
}
