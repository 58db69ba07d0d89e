//! Kafka's requests and responses as typed values: one file a family, field for field what Kafka 4.3 sends.
//!
//! Record data travels as real bytes ([`crate::record::RecordBatch`]); the frames around it do not, since nothing in
//! the Lab reads them. Departures from Kafka: topics are named by [`TopicId`](crate::base::TopicId) wherever a request
//! carries a topic id or, in older versions, its name; fields that concern security and quotas are absent.

mod admin;
mod api;
mod consumer_protocol;
mod controller;
mod coordinator;
mod delete_records;
mod error_code;
mod fetch;
mod group_admin;
mod groups;
mod metadata;
mod offsets;
mod produce;
mod quorum;
mod share;
mod share_state;
mod sink;
mod transactions;

pub use admin::*;
pub use api::{ApiKey, Request, Response};
pub use consumer_protocol::*;
pub(crate) use consumer_protocol::{Reader, put_partitions};
pub use controller::*;
pub use coordinator::*;
pub use delete_records::*;
pub use error_code::ErrorCode;
pub use fetch::*;
pub use group_admin::*;
pub use groups::*;
pub use metadata::*;
pub use offsets::*;
pub use produce::*;
pub use quorum::*;
pub use share::*;
pub use share_state::*;
pub use sink::*;
pub use transactions::*;
