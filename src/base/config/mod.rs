//! Kafka's settings: keys, defaults, help, validation, and the values they become.
//!
//! Each kind of settings is one table (`settings!`), from which come the struct, its documentation, the defaults, the
//! checks and the page's form. Conditions between settings follow the table in the same file.
//!
//! Invariants: a field is named like its key with dots turned into underscores; spans of time are [`Duration`]s in
//! whatever unit the key counts; every error of an input is reported, not just the first.
//!
//! In Kafka: `ConfigDef`, `ProducerConfig`, `ConsumerConfig`, `LogConfig`, `KafkaConfig` and what it is made of.
//!
//! On purpose different from Kafka: a key nobody knows is an error instead of a warning; a key that the lab has no use
//! for (`ssl.*`, `log.dirs`) is accepted and noted; a negative value is refused also where Kafka forgot to.
//!
//! [`Duration`]: crate::base::Duration

mod broker;
mod consumer;
mod definition;
mod duration;
mod group;
mod note;
mod producer;
pub mod properties;
mod reader;
pub mod suggest;
mod topic;
mod values;

#[cfg(test)]
mod tests;

pub use broker::{BrokerConfig, broker_keys};
pub use consumer::{ConsumerConfig, consumer_keys};
pub use definition::{Check, ConfigKey, ConfigKind, Importance, Number, Unit};
pub use group::{GroupConfig, group_keys};
pub use note::{ConfigNote, NoteKind};
pub use producer::{ProducerConfig, producer_keys};
pub use topic::{TopicConfig, topic_keys};
pub use values::{
    Acks, Assignor, AutoOffsetReset, BrokerCompressionType, CleanupPolicy, CompressionType, GroupProtocol,
    IsolationLevel, MigrationPolicy, ReplicaSelector, ServerAssignor, ShareAcknowledgementMode, ShareAcquireMode,
    TimestampType,
};

/// Settings as people write them: key and text.
pub type Properties = crate::base::SortedMap<String, String>;

/// A setting that is refused. It displays as Kafka's own exception does, wherever Kafka throws one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ConfigException {
    /// The key at fault.
    pub key: String,
    /// The text it was given (or has by default, when its fault is to conflict with another).
    pub value: String,
    /// What is wrong, in full.
    pub message: String,
}

impl ConfigException {
    pub(crate) fn new(key: &str, value: &str, message: impl Into<String>) -> Self {
        ConfigException { key: key.to_owned(), value: value.to_owned(), message: message.into() }
    }

    /// `Invalid value X for configuration K: Y`.
    pub(crate) fn invalid_value(key: &str, value: &str, reason: &str) -> Self {
        Self::new(key, value, format!("Invalid value {value} for configuration {key}: {reason}"))
    }

    /// A key nobody knows, with the one that was probably meant.
    pub(crate) fn unknown_key<'a>(key: &str, value: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let hint = match suggest::nearest(key, known) {
            Some(near) => format!(": did you mean '{near}'?"),
            None => String::new(),
        };
        Self::new(key, value, format!("Unknown configuration '{key}'{hint}"))
    }
}
