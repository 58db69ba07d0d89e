//! What a transactional producer shows of itself at each step.

use super::harness::{Lab, partition};
use crate::base::{NodeId, RecordId};
use crate::client::producer::{Operation, ProducerActivity};
use crate::protocol::{ApiKey, ErrorCode};

#[test]
fn a_transaction_is_seen_step_by_step() {
    let mut lab = Lab::transactional(1, &[]);
    assert!(Lab::new(&[]).producer.transaction().is_none());
    lab.coordinator.hold = vec![ApiKey::AddPartitionsToTxn, ApiKey::AddOffsetsToTxn, ApiKey::EndTxn];
    lab.begin().unwrap();
    lab.send(0);
    let seen = lab.producer.transaction().expect("transactional");
    assert_eq!((&**seen.transactional_id, seen.state, seen.transaction_v2), ("shop-1", "IN_TRANSACTION", false));
    assert_eq!((seen.in_flight, seen.pending.len()), (Some("AddPartitionsToTxn"), 0));
    assert_eq!((seen.partitions.len(), seen.adding), (0, vec![partition(0)]));
    assert_eq!((seen.coordinator, seen.group_coordinator), (Some(NodeId(0)), None));
    let adding = ProducerActivity::AddingPartitions { records: vec![RecordId(0)] };
    assert_eq!(lab.producer.activity(lab.now), adding);
    lab.send_offsets(1);
    let seen = lab.producer.transaction().expect("transactional");
    assert_eq!(seen.pending, ["AddOffsetsToTxn"]);
    assert_eq!(seen.call.map(|call| call.0), Some(Operation::SendOffsets));
    lab.release(ErrorCode::None);
    let seen = lab.producer.transaction().expect("transactional");
    assert_eq!((seen.partitions, seen.in_flight), (vec![partition(0)], Some("AddOffsetsToTxn")));
    lab.release(ErrorCode::None);
    let seen = lab.producer.transaction().expect("transactional");
    assert_eq!((seen.offsets.len(), seen.pending.last()), (1, Some(&"TxnOffsetCommit")));
    assert_eq!(lab.ended(), Some(Ok(())));
    lab.store_all();
    lab.commit();
    assert_eq!(lab.producer.transaction().expect("transactional").in_flight, Some("EndTxn"));
    let until = lab.now + lab.producer.config().max_block_ms;
    let committing = ProducerActivity::InCall { operation: Operation::CommitTransaction, until };
    assert_eq!(lab.producer.activity(lab.now), committing);
    lab.release(ErrorCode::None);
    let seen = lab.producer.transaction().expect("transactional");
    assert_eq!((seen.state, seen.partitions.len(), seen.offsets.len(), seen.call), ("READY", 0, 0, None));
}

#[test]
fn an_error_is_seen_and_told_by_every_call_after_it() {
    let mut lab = Lab::transactional(2, &[]);
    lab.begin().unwrap();
    lab.send(0);
    lab.answer_one(ErrorCode::InvalidRecord, -1);
    let seen = lab.producer.transaction().expect("transactional");
    assert_eq!((seen.state, seen.error.map(|error| error.name())), ("ABORTABLE_ERROR", Some("INVALID_RECORD")));
    assert_eq!(lab.producer.activity(lab.now), ProducerActivity::Idle, "the program will abort");
    lab.script(ApiKey::EndTxn, &[ErrorCode::ProducerFenced]);
    lab.abort();
    assert_eq!(lab.ended(), Some(Err("PRODUCER_FENCED".into())));
    assert!(matches!(lab.producer.activity(lab.now), ProducerActivity::Failed(_)));
}

/// A call that is made again after a timeout is told again, and its end once.
#[test]
fn events_tell_of_calls_and_of_their_ends() {
    let mut lab = Lab::transactional(2, &[("max.block.ms", "300")]);
    lab.begin().unwrap();
    lab.send(0);
    lab.store_all();
    lab.coordinator.hold = vec![ApiKey::EndTxn];
    lab.abort();
    lab.advance(300);
    lab.release(ErrorCode::None);
    assert_eq!(lab.transaction_events().last().map(String::as_str), Some("ending false"), "nobody waits for the end");
    lab.abort();
    let events = lab.transaction_events();
    assert_eq!(events[events.len() - 3..], ["ending false", "ending false", "ended 1 false"]);
}
