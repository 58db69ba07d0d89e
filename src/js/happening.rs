//! What happened, for JavaScript: `{ id, time_us, node, event, cause?, … }`. The word of an event is the one that a fault of
//! a scenario waits for, where there is one; the rest of its fields depend on it.

use crate::base::{BrokerId, Offset, RecordId, TopicPartition};
use crate::client::payload::record_id_of;
use crate::node::{Event, FaultMark, MessageSummary, RemovalReason};
use crate::protocol::StateBatch;
use crate::record::RecordBatch;
use crate::session::{EventView, Session};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// An event as JavaScript gets it.
#[derive(Serialize)]
pub struct Happening {
    id: u64,
    time_us: u64,
    node: Value,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<u64>,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// Events as JavaScript gets them.
pub fn all<'a>(session: &mut Session, events: impl Iterator<Item = &'a EventView>) -> Vec<Happening> {
    let view = session.view();
    let names = Names { session, names: view.nodes.iter().map(|node| &*node.name).collect() };
    events.map(|event| one(event, &names)).collect()
}

/// Names for numbers.
struct Names<'a> {
    session: &'a Session,
    names: Vec<&'a str>,
}

impl Names<'_> {
    /// A node's name; the last node is the administrator's client.
    fn node(&self, id: u16) -> Value {
        self.names.get(usize::from(id)).copied().unwrap_or("admin").into()
    }

    fn partition(&self, id: TopicPartition) -> Value {
        self.session.partition_name(id).as_ref().into()
    }

    fn partitions(&self, ids: &[TopicPartition]) -> Value {
        ids.iter().map(|id| self.partition(*id)).collect()
    }
}

fn one(event: &EventView, names: &Names<'_>) -> Happening {
    let (word, fields) = said(&event.event, names);
    Happening {
        id: event.id,
        time_us: event.at_us,
        node: names.node(event.node),
        event: word,
        cause: (event.cause != 0).then_some(event.cause),
        fields: if let Value::Object(fields) = fields { fields } else { Map::new() },
    }
}

fn ids(records: &[RecordId]) -> Value {
    records.iter().map(|record| record.0).collect()
}

fn brokers(ids: &[BrokerId]) -> Value {
    ids.iter().map(|broker| broker.0).collect()
}

/// The generator's records in a batch.
fn records(batch: &RecordBatch) -> Value {
    let values = batch.records().filter_map(Result::ok).filter(|_| !batch.is_control());
    values.filter_map(|record| record_id_of(record.value.as_deref()?)).map(|record| record.0).collect()
}

fn batch(partition: Value, batch: &RecordBatch) -> Value {
    json!({ "partition": partition, "offset": batch.base_offset(), "records": records(batch), "leader_epoch": batch.leader_epoch(),
            "marker": batch.is_control() })
}

fn record(record: RecordId, partition: Value, offset: Offset) -> Value {
    json!({ "records": [record.0], "partition": partition, "offset": offset })
}

/// The same and what else there is to say.
fn and(fields: Value, key: &str, value: impl Into<Value>) -> Value {
    let Value::Object(mut fields) = fields else { return fields };
    fields.insert(key.to_owned(), value.into());
    Value::Object(fields)
}

/// Its word and its fields.
fn said(event: &Event, names: &Names<'_>) -> (&'static str, Value) {
    let at = |id: &TopicPartition| names.partition(*id);
    match event {
        Event::Sent { record, partition } => ("sent", json!({ "records": [record.0], "partition": at(partition) })),
        Event::BatchSent { partition, to, attempt, base_sequence, records } => (
            "batch-sent",
            json!({ "records": ids(records), "partition": at(partition), "to": names.node(to.0 as u16), "attempt": attempt,
                    "base_sequence": base_sequence }),
        ),
        Event::Acked { record: it, partition, offset } => ("acked", record(*it, at(partition), *offset)),
        Event::SendFailed { record, partition, error } => (
            "send-failed",
            json!({ "records": [record.0], "partition": partition.as_ref().map(at), "error": error.name() }),
        ),
        Event::Retry { partition, error, records, at: again } => (
            "retry",
            json!({ "records": ids(records), "partition": at(partition), "error": error.name(),
                    "again_us": again.us_since_origin() }),
        ),
        Event::Delivered { record: it, partition, offset } => ("delivered", record(*it, at(partition), *offset)),
        Event::Processing { record: it, partition, offset } => ("processing", record(*it, at(partition), *offset)),
        Event::Processed { record: it, partition, offset, by } => {
            ("processed", and(record(*it, at(partition), *offset), "by", names.node(by.0)))
        }
        Event::SinkRefused { record: it, partition, offset, by } => {
            ("sink-refused", and(record(*it, at(partition), *offset), "by", names.node(by.0)))
        }
        Event::HandlerFailed { record: it, partition, offset, error } => {
            ("handler-failed", and(record(*it, at(partition), *offset), "error", error.name()))
        }
        Event::Acknowledged { record: it, partition, offset, kind } => {
            ("acknowledged", and(record(*it, at(partition), *offset), "type", kind.name()))
        }
        Event::OffsetsCommitted { partition, offset } => {
            ("offsets-committed", json!({ "partition": at(partition), "offset": offset }))
        }
        Event::PositionSet { partition, offset, from_commit } => {
            ("position-set", json!({ "partition": at(partition), "offset": offset, "from_commit": from_commit }))
        }
        Event::ConsumerFailed { error } => ("consumer-failed", json!({ "error": error.name() })),
        Event::ProducerFailed { error } => ("producer-failed", json!({ "error": error.name() })),
        Event::RequestFailed { api, peer, error } => {
            ("request-failed", json!({ "api": api.name(), "to": names.node(peer.0), "error": error.name() }))
        }
        _ => server(event, names),
    }
}

/// Of brokers and controllers.
fn server(event: &Event, names: &Names<'_>) -> (&'static str, Value) {
    let at = |id: &TopicPartition| names.partition(*id);
    match event {
        Event::Appended { partition, leader, batch: it } => {
            (if *leader { "appended" } else { "replicated" }, batch(at(partition), it))
        }
        Event::DuplicateIgnored { partition, base_offset, batch: it } => {
            ("duplicate-ignored", json!({ "partition": at(partition), "offset": base_offset, "records": records(it) }))
        }
        Event::HighWatermark { partition, leader, offset } => (
            if *leader { "committed" } else { "high-watermark" },
            json!({ "partition": at(partition), "offset": offset }),
        ),
        Event::BecameLeader { partition, leader_epoch, log_end_offset, isr } => (
            "became-leader",
            json!({ "partition": at(partition), "leader_epoch": leader_epoch, "offset": log_end_offset, "isr": brokers(isr) }),
        ),
        Event::BecameFollower { partition, leader_epoch, leader } => {
            ("became-follower", json!({ "partition": at(partition), "leader_epoch": leader_epoch, "leader": leader.0 }))
        }
        Event::Truncated { partition, from, to, records } => (
            "truncated",
            json!({ "partition": at(partition), "offset": from, "end_offset": to,
                    "records": records.iter().map(|(_, record)| record.0).collect::<Vec<_>>() }),
        ),
        Event::LogStartMoved { partition, offset, .. } => {
            ("log-start-moved", json!({ "partition": at(partition), "offset": offset }))
        }
        Event::Compacted { partition, to, bytes } => {
            ("compacted", json!({ "partition": at(partition), "end_offset": to, "bytes": bytes }))
        }
        Event::IsrChanged { partition, isr, partition_epoch } => (
            "isr-changed",
            json!({ "partition": at(partition), "isr": brokers(isr), "partition_epoch": partition_epoch }),
        ),
        Event::IsrProposed { partition, isr } => {
            ("isr-proposed", json!({ "partition": at(partition), "isr": brokers(isr) }))
        }
        Event::LogDirFailed => ("log-dir-failed", Value::Null),
        Event::ProduceRefused { partition, error } => {
            ("produce-refused", json!({ "partition": at(partition), "error": error.name() }))
        }
        Event::LogRecovered { partition, log_end_offset, lost_bytes } => (
            "log-recovered",
            json!({ "partition": at(partition), "end_offset": log_end_offset, "lost_bytes": lost_bytes }),
        ),
        Event::BrokerFenced { broker } => ("broker-fenced", json!({ "broker": broker.0 })),
        Event::BrokerUnfenced { broker } => ("broker-unfenced", json!({ "broker": broker.0 })),
        Event::PartitionChanged { partition, leader, leader_epoch, isr, partition_epoch, unclean } => (
            "partition-changed",
            json!({ "partition": at(partition), "leader": leader.0, "leader_epoch": leader_epoch, "isr": brokers(isr),
                    "partition_epoch": partition_epoch, "unclean": unclean }),
        ),
        Event::QuorumChanged { role, epoch, leader } => (
            "quorum-changed",
            json!({ "role": role.name(), "epoch": epoch, "leader": leader.map(|it| names.node(it.0)) }),
        ),
        Event::ControllerActive { epoch } => ("controller-active", json!({ "epoch": epoch })),
        _ => transaction(event, names),
    }
}

/// Of transactions and groups.
fn transaction(event: &Event, names: &Names<'_>) -> (&'static str, Value) {
    match event {
        Event::TransactionsInitialized { transactional_id, producer_id, producer_epoch } => (
            "transactions-initialized",
            json!({ "transactional_id": transactional_id, "producer_id": producer_id, "producer_epoch": producer_epoch }),
        ),
        Event::TransactionBegun { transactional_id, producer_id, producer_epoch } => (
            "transaction-begun",
            json!({ "transactional_id": transactional_id, "producer_id": producer_id, "producer_epoch": producer_epoch }),
        ),
        Event::TransactionEnding { transactional_id, committed } => {
            ("transaction-ending", json!({ "transactional_id": transactional_id, "committed": committed }))
        }
        Event::TransactionEnded { transactional_id, producer_id, producer_epoch, committed } => (
            "transaction-ended",
            json!({ "transactional_id": transactional_id, "producer_id": producer_id, "producer_epoch": producer_epoch,
                    "committed": committed }),
        ),
        Event::OffsetsSent { group, offsets } => {
            let offsets = offsets
                .iter()
                .map(|(id, offset)| (names.session.partition_name(*id).to_string(), Value::from(*offset)));
            ("offsets-sent", json!({ "group": group, "offsets": offsets.collect::<Map<_, _>>() }))
        }
        Event::TransactionChanged { transactional_id, producer_id, producer_epoch, state, partitions } => (
            "transaction-changed",
            json!({ "transactional_id": transactional_id, "producer_id": producer_id, "producer_epoch": producer_epoch,
                    "state": state.name(), "partitions": names.partitions(partitions) }),
        ),
        Event::TransactionalIdExpired { transactional_id } => {
            ("transactional-id-expired", json!({ "transactional_id": transactional_id }))
        }
        Event::GroupJoined { group, generation, member_id } => {
            ("group-joined", json!({ "group": group, "member_id": member_id, "epoch": generation }))
        }
        Event::PartitionsAssigned { partitions } => {
            ("partitions-assigned", json!({ "partitions": names.partitions(partitions) }))
        }
        Event::PartitionsRevoked { partitions } => {
            ("partitions-revoked", json!({ "partitions": names.partitions(partitions) }))
        }
        Event::PartitionsLost { partitions } => {
            ("partitions-lost", json!({ "partitions": names.partitions(partitions) }))
        }
        Event::MemberLeft { group, reason } => ("member-left", json!({ "group": group, "reason": reason })),
        Event::GroupChanged { group, state, epoch } => {
            ("group-changed", json!({ "group": group, "state": state.name(), "epoch": epoch }))
        }
        Event::MemberJoined { group, member_id } => {
            ("member-joined", json!({ "group": group, "member_id": member_id }))
        }
        Event::MemberRemoved { group, member_id, reason } => {
            let reason = match reason {
                RemovalReason::Left => "left",
                RemovalReason::SessionTimeout => "session-timeout",
                RemovalReason::RebalanceTimeout => "rebalance-timeout",
                RemovalReason::Replaced => "replaced",
                RemovalReason::GroupFull => "group-full",
            };
            ("member-removed", json!({ "group": group, "member_id": member_id, "reason": reason }))
        }
        _ => share(event, names),
    }
}

fn states(batches: &[StateBatch]) -> Value {
    let all = batches.iter().map(|it| {
        let state = match it.delivery_state {
            StateBatch::ACKNOWLEDGED => "acknowledged",
            StateBatch::ARCHIVED => "archived",
            _ => "available",
        };
        json!({ "first_offset": it.first_offset, "last_offset": it.last_offset, "state": state,
                "deliveries": it.delivery_count })
    });
    all.collect()
}

/// Of share groups.
fn share(event: &Event, names: &Names<'_>) -> (&'static str, Value) {
    let at = |id: &TopicPartition| names.partition(*id);
    match event {
        Event::RecordsAcquired { group, member_id, partition, records } => {
            let ranges = records.iter().map(|it| {
                json!({ "first_offset": it.first_offset, "last_offset": it.last_offset, "deliveries": it.delivery_count })
            });
            (
                "records-acquired",
                json!({ "group": group, "member_id": member_id, "partition": at(partition),
                        "ranges": ranges.collect::<Value>() }),
            )
        }
        Event::RecordsAcknowledged { group, partition, batches } => {
            ("records-acknowledged", json!({ "group": group, "partition": at(partition), "ranges": states(batches) }))
        }
        Event::AcquisitionLockExpired { group, partition, batches } => (
            "acquisition-lock-expired",
            json!({ "group": group, "partition": at(partition), "ranges": states(batches) }),
        ),
        Event::SharePartitionLoaded { group, partition, start_offset } => {
            ("share-partition-loaded", json!({ "group": group, "partition": at(partition), "offset": start_offset }))
        }
        _ => world(event, names),
    }
}

/// Of messages and faults.
fn world(event: &Event, names: &Names<'_>) -> (&'static str, Value) {
    match event {
        Event::MessageSent { message, to, summary, .. } => {
            let MessageSummary { api, response, error, answers, records, quiet } = &**summary;
            let error = error.is_error().then(|| error.name());
            (
                "message-sent",
                json!({ "message": message.0, "to": names.node(to.0), "api": api.name(), "response": response,
                        "error": error, "answers": answers.map(|it| it.0), "records": ids(records), "quiet": quiet }),
            )
        }
        Event::MessageDelivered { message } => ("message-delivered", json!({ "message": message.0 })),
        Event::MessageLost { message } => ("message-lost", json!({ "message": message.0 })),
        Event::Disconnected { peer, .. } => ("disconnected", json!({ "to": names.node(peer.0) })),
        Event::Fault(mark) => ("fault", fault(mark, names)),
        Event::Started => ("started", Value::Null),
        // Everything else was told by the floors above.
        _ => ("other", Value::Null),
    }
}

fn fault(mark: &FaultMark, names: &Names<'_>) -> Value {
    let of = |word: &str| json!({ "fault": word });
    match mark {
        FaultMark::Crashed => of("crashed"),
        FaultMark::ShuttingDown => of("shutting-down"),
        FaultMark::Stopped => of("stopped"),
        FaultMark::Asked(api) => and(of("asked"), "api", api.name()),
        FaultMark::PowerLost => of("power-lost"),
        FaultMark::Paused => of("paused"),
        FaultMark::Resumed => of("resumed"),
        FaultMark::LinkCut(to) => and(of("link-cut"), "to", names.node(to.0)),
        FaultMark::LinkHealed(to) => and(of("link-healed"), "to", names.node(to.0)),
        FaultMark::Reset(message) => and(of("reset"), "message", message.0),
        FaultMark::Stalled(message) => and(of("stalled"), "message", message.0),
        FaultMark::Delayed(message) => and(of("delayed"), "message", message.0),
        FaultMark::Slowed(to) => and(of("slowed"), "to", to.map_or(Value::Null, |it| names.node(it.0))),
        FaultMark::ClockSkewed(by_ms) => and(of("clock-skewed"), "by_ms", *by_ms),
        FaultMark::Corrupted(partition) => and(of("corrupted"), "partition", names.partition(*partition)),
        FaultMark::DiskSlowed(by) => and(of("disk-slowed"), "by_us", by.0),
        FaultMark::DiskFull => of("disk-full"),
        FaultMark::DiskFreed => of("disk-freed"),
    }
}
