//! What people's programs do with Kafka: generate records, poll, process, commit, hand over, and act on the world.
//!
//! Invariants: an application's volatile state (its Kafka client, what it is processing, a worker's queue) is one struct
//! that a crash drops whole; what survives stands beside it: a producer's `next` record and what it has no ack for. What it acts on is
//! an external system: a [`SinkNode`], or a [`Sink`] beside it where nothing could be told of one. An application takes one step per event, so that a fault can fall between any two.
//!
//! Nothing here is in Kafka. What the loops do is what Kafka's documentation tells people to write.

mod consumer_app;
mod processor_app;
mod producer_app;
mod setup;
mod sink;
mod sink_client;
mod sink_node;
mod transactions;
mod unacknowledged;
mod worker;

pub use crate::client::payload::record_id_of;
pub use consumer_app::{ConsumerActivity, ConsumerApp};
pub use processor_app::{ProcessorActivity, ProcessorApp};
pub use producer_app::{ProducerActivity, ProducerApp};
pub use setup::{
    CommitMode, ConsumerAppSetup, Dedupe, Fencing, HandOver, KeyMode, OffsetsMode, OnFailure, OnRevoke,
    ProcessorAppSetup, ProducerAppSetup, Refusal, Resend, SinkNodeSetup, SinkSetup, TransactionPlan, Writes,
};
pub use sink::{Sink, SinkRow};
pub use sink_client::SinkError;
pub use sink_node::SinkNode;
pub use worker::{WORKER_QUEUE_CAPACITY, Worker};
