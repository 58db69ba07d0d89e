//! Kafka's client library, without I/O: it lives inside an application node, which passes it responses, disconnections
//! and timers and collects what it sends in an [`Outbox`](crate::node::Outbox).
//!
//! In Kafka: `org.apache.kafka.clients`. Threads there (the caller's, the producer's sender, the consumer's heartbeat)
//! are turns of one state machine here; a call that would block is a record or a request that waits.

pub mod consumer;
pub mod metadata;
pub mod network_client;
mod network_events;
pub mod payload;
pub mod producer;
pub mod share_consumer;

pub use network_events::NetworkEvent;
pub use producer::Producer;
