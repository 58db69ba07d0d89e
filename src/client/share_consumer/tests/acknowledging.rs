//! What the application says of its records, and how that reaches the leader.

use super::*;

#[test]
fn implicitly_the_next_poll_accepts_everything() {
    let mut lab = lab(&[]);
    (0..3).for_each(|id| lab.append(id));
    assert_eq!(lab.offsets(), [0, 1, 2]);
    lab.run_ms(1_000);
    assert!(lab.broker.share.acknowledged.is_empty(), "nobody polled");
    lab.nothing(5);
    assert_eq!(lab.broker.share.acknowledged, [(0, Accept), (1, Accept), (2, Accept)]);
    assert!(lab.acknowledges().is_empty(), "it travelled with the fetch");
    assert_eq!(lab.fetches()[1].partitions[0].batches[0].types, [Accept]);
    let refused = lab.node.0.acknowledge((TP, 0), Accept);
    let text = "IllegalStateException: Implicit acknowledgement of delivery is being used.";
    assert_eq!(refused, Err(ClientError::Exception(text.into())));
}

#[test]
fn explicitly_every_record_must_be_acknowledged() {
    let mut lab = lab(&[EXPLICIT]);
    (0..3).for_each(|id| lab.append(id));
    lab.offsets();
    lab.acknowledge(0, Accept);
    let text = "IllegalStateException: All records must be acknowledged in explicit acknowledgement mode.";
    assert_eq!(lab.poll(), Polled::Failed(ClientError::Exception(text.into())));
    lab.acknowledge(1, Release);
    lab.acknowledge(2, Reject);
    let refused = lab.node.0.acknowledge((TP, 3), Accept);
    let text = "IllegalStateException: The record cannot be acknowledged.";
    assert_eq!(refused, Err(ClientError::Exception(text.into())));
    assert_eq!(lab.records(), [(1, 2)], "what was released is delivered again");
    assert_eq!(lab.broker.share.acknowledged, [(0, Accept), (1, Release), (2, Reject)]);
    assert!(lab.broker.share.acquired.contains_key(&1));
}

#[test]
fn the_last_word_counts() {
    let mut lab = lab(&[EXPLICIT]);
    lab.append(0);
    lab.offsets();
    lab.acknowledge(0, Release);
    lab.acknowledge(0, Accept);
    lab.nothing(5);
    assert_eq!(lab.broker.share.acknowledged, [(0, Accept)]);
}

#[test]
fn commit_sync_waits_for_the_leader_and_nothing_is_fetched_meanwhile() {
    let mut lab = lab(&[]);
    lab.append(0);
    lab.offsets();
    let before = lab.fetches().len();
    assert_eq!(lab.commit_sync(), [(TP, ErrorCode::None)]);
    assert_eq!((lab.acknowledges().len(), lab.fetches().len()), (1, before));
    assert_eq!(lab.acknowledges()[0].session_epoch, 1);
    assert_eq!(lab.broker.share.acknowledged, [(0, Accept)]);
    assert_eq!(lab.commit_sync(), [], "there is nothing to say");
    lab.nothing(5);
    assert_eq!(lab.broker.share.acknowledged.len(), 1);
}

/// The broker lost the lock: the record is somebody else's, and `commitSync()` says so without throwing.
#[test]
fn an_expired_lock_is_told_by_partition() {
    let mut lab = lab(&[EXPLICIT]);
    lab.append(0);
    lab.offsets();
    lab.acknowledge(0, Accept);
    lab.broker.share.acknowledge_errors.push_back(ErrorCode::InvalidRecordState);
    assert_eq!(lab.commit_sync(), [(TP, ErrorCode::InvalidRecordState)]);
    lab.nothing(5);
    assert_eq!(lab.acknowledges().len(), 1, "it is not said again");
}

#[test]
fn commit_async_is_repeated_while_the_reason_may_pass() {
    let mut lab = lab(&[]);
    lab.node.0.set_acknowledgement_commit_callback();
    lab.append(0);
    lab.offsets();
    lab.broker
        .share
        .acknowledge_errors
        .extend([ErrorCode::CoordinatorNotAvailable, ErrorCode::CoordinatorLoadInProgress]);
    lab.with(|node, now, out| node.0.commit_async(now, out));
    lab.run_ms(1_000);
    assert_eq!(lab.acknowledges().len(), 3);
    assert_eq!(lab.broker.share.acknowledged, [(0, Accept)]);
    lab.nothing(2);
    let told = lab.node.0.take_callbacks();
    assert_eq!(told, [AcknowledgementCommit { partition: TP, offsets: vec![0], error: ErrorCode::None }]);
}

#[test]
fn a_commit_gives_up_after_default_api_timeout() {
    let mut lab = lab(&[("default.api.timeout.ms", "1000")]);
    lab.append(0);
    lab.offsets();
    lab.broker.share.acknowledge_errors.extend([ErrorCode::CoordinatorNotAvailable; 50]);
    assert_eq!(lab.commit_sync(), [(TP, ErrorCode::RequestTimedOut)]);
}

/// KIP-1222: who needs more time renews the lock, and the next poll() returns the record again.
#[test]
fn a_renewed_record_comes_back() {
    let mut lab = lab(&[EXPLICIT]);
    (0..2).for_each(|id| lab.append(id));
    lab.offsets();
    lab.acknowledge(0, Renew);
    lab.acknowledge(1, Accept);
    assert_eq!(lab.records(), [(0, 1)], "the same delivery");
    let renewal = lab.fetches()[1];
    assert!(renewal.is_renew_ack);
    assert_eq!((renewal.max_records, renewal.max_wait), (0, Duration::ZERO));
    lab.acknowledge(0, Accept);
    // It waits behind the fetch that asks for more.
    lab.nothing(600);
    assert_eq!(lab.broker.share.acknowledged, [(0, Renew), (1, Accept), (0, Accept)]);
}

#[test]
fn a_renewal_that_fails_is_the_end_of_it() {
    let mut lab = lab(&[EXPLICIT]);
    lab.append(0);
    lab.offsets();
    lab.acknowledge(0, Renew);
    lab.broker.share.acknowledge_errors.push_back(ErrorCode::InvalidRecordState);
    lab.nothing(20);
    lab.append(1);
    assert_eq!(lab.offsets(), [1]);
}

/// A session begins with a fetch: whatever was acquired in a lost one is not ours any more.
#[test]
fn acknowledgements_do_not_survive_their_session() {
    let mut lab = lab(&[]);
    lab.append(0);
    lab.offsets();
    let id = ConnectionId { client: NodeId(9), server: BROKER, channel: crate::node::Channel::Consumer, generation: 0 };
    lab.broker.errors.insert(ApiKey::ShareAcknowledge, [ErrorCode::ShareSessionNotFound].into());
    lab.with(|node, now, out| node.0.on_event(now, id.into(), out));
    lab.run_ms(1_000);
    assert_eq!(lab.commit_sync(), [(TP, ErrorCode::NotLeaderOrFollower)]);
    assert_eq!(lab.acknowledges().len(), 1, "tried once, and then the session is known to be gone");
}
