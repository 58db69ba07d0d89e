//! What Kafka does to settings without an error: it logs a line that few people read, so the page says it.

use crate::base::Duration;
use std::fmt;

/// A silent effect of a setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigNote {
    /// The key whose value is not what one would think.
    pub key: String,
    /// What happened to it.
    pub kind: NoteKind,
}

/// The silent effects there are. The note's `Display` is an English sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoteKind {
    /// Idempotence is off, because another setting rules it out and nobody asked for it by name.
    IdempotenceDisabled {
        /// The other setting.
        because: &'static str,
    },
    /// `delivery.timeout.ms` had to make room for linger plus request timeout.
    DeliveryTimeoutRaised {
        /// The new value.
        to: Duration,
    },
    /// The backoff does not grow, because its start is not below its maximum.
    BackoffIsConstant {
        /// What it always is.
        at: Duration,
    },
    /// Without a group there is nothing to commit to.
    AutoCommitDisabled,
    /// A broker's heartbeats are so rare that one late one may cost it its session.
    HeartbeatTooRare {
        /// The controller's patience.
        session: Duration,
    },
    /// Kafka knows the key, the lab has no use for it.
    NoEffect,
}

impl fmt::Display for ConfigNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        match self.kind {
            NoteKind::IdempotenceDisabled { because } => write!(f, "Idempotence is disabled because of {because}."),
            NoteKind::DeliveryTimeoutRaised { to } => {
                write!(f, "{key} is raised to {} ms: linger.ms + request.timeout.ms.", to.as_millis())
            }
            NoteKind::BackoffIsConstant { at } => {
                write!(f, "The backoff of {key} does not grow: it is always {} ms.", at.as_millis())
            }
            NoteKind::AutoCommitDisabled => write!(f, "{key} is false because there is no group.id."),
            NoteKind::HeartbeatTooRare { session } => write!(
                f,
                "{key} should be at most half of broker.session.timeout.ms ({} ms), or brokers lose their sessions.",
                session.as_millis()
            ),
            NoteKind::NoEffect => write!(f, "{key} has no effect in the lab."),
        }
    }
}
