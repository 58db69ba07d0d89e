//! A follower's log: records, high watermarks, truncation.

use super::*;

/// Follows A in epoch 1.
fn follower() -> Lab {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 1);
    lab
}

fn last_fetch(lab: &Lab, node: NodeId) -> FetchPartition {
    match lab.last_to(node).1 {
        Request::Fetch(request) => request.partitions[0],
        other => panic!("{other:?}"),
    }
}

#[test]
fn test_follower_replication() {
    let mut lab = follower();
    lab.answer_fetch(A, |answer| {
        answer.records = vec![batch(0, 1, &["a", "b"]), batch(2, 1, &["c"])];
        answer.high_watermark = 2;
    });
    assert_eq!((lab.raft.log().end_offset(), lab.raft.high_watermark()), (3, 2));
    let next = last_fetch(&lab, A);
    assert_eq!((next.fetch_offset, next.last_fetched_epoch, next.high_watermark), (3, 1, 2));
    lab.answer_fetch(A, |answer| answer.high_watermark = 9);
    assert_eq!(lab.raft.high_watermark(), 3, "no further than its own log");
}

#[test]
fn test_records_are_on_disk_before_the_next_fetch_says_so() {
    let mut lab = follower();
    lab.answer_fetch(A, |answer| answer.records = vec![batch(0, 1, &["a", "b"])]);
    lab.restart(Crash::PowerLoss);
    assert_eq!((lab.raft.log().end_offset(), lab.raft.high_watermark()), (2, 0), "what is committed is not known");
    lab.expect(QuorumRole::Follower, 1, Some(A));
}

#[test]
fn test_follower_truncates_to_the_end_of_a_common_epoch() {
    let state = ElectionState { epoch: 4, leader: Some(A), voted: None };
    for ((epoch, end_offset), expected) in [((1, 2), 2), ((2, 2), 2), ((3, 3), 3), ((1, 1), 1)] {
        // Own: epoch 1 at 0 and 1, epoch 3 at 2 and 3.
        let mut lab = Lab::found(&[1, 1, 3, 3], state);
        lab.answer_fetch(A, |answer| answer.diverging_epoch = Some(EpochEndOffset { epoch, end_offset }));
        assert_eq!(lab.raft.log().end_offset(), expected, "epoch {epoch} ends at {end_offset}");
        assert_eq!(last_fetch(&lab, A).fetch_offset, expected, "and asks again from there");
        assert!(lab.events.contains(&Event::Truncated { partition: LOG, from: 4, to: expected, records: Rc::new([]) }));
    }
}

#[test]
#[should_panic(expected = "what is committed is not cut off")]
fn test_follower_refuses_to_truncate_what_is_committed() {
    let mut lab = follower();
    lab.answer_fetch(A, |answer| {
        answer.records = vec![batch(0, 1, &["a", "b"])];
        answer.high_watermark = 2;
    });
    lab.answer_fetch(A, |answer| answer.diverging_epoch = Some(EpochEndOffset { epoch: 1, end_offset: 1 }));
}

#[test]
fn test_fetch_should_be_treated_as_leader_endorsement() {
    let mut lab = Lab::new();
    let (node, ..) = lab.sent[0];
    let other = if node == A { B } else { A };
    lab.answer_fetch(node, |answer| {
        answer.error = ErrorCode::FencedLeaderEpoch;
        answer.current_leader = Some(leader(Some(other), 6));
    });
    lab.expect(QuorumRole::Follower, 6, Some(other));
    assert_eq!(last_fetch(&lab, other).current_leader_epoch, 6);
}

#[test]
fn test_fetch_from_another_voter_while_the_leader_does_not_answer() {
    let mut lab = follower();
    let gone = ConnectionId { client: ME, server: A, channel: Channel::Quorum, generation: 0 };
    lab.event(|raft, now, _| raft.on_disconnect(now, A, gone));
    let (node, ..) = lab.sent.last().expect("somebody is asked");
    assert_eq!(*node, B);
    lab.pass(25);
    lab.answer_fetch(B, |answer| {
        answer.error = ErrorCode::NotLeaderOrFollower;
        answer.current_leader = Some(leader(Some(A), 1));
    });
    lab.expect(QuorumRole::Follower, 1, Some(A));
    assert_eq!(lab.sent.last().expect("a request").0, A, "its pause is over");
}

#[test]
fn test_follower_stays_while_it_hears_from_the_leader() {
    let mut lab = follower();
    for _ in 0..5 {
        lab.pass(1_500);
        lab.answer_fetch(A, |_| {});
    }
    lab.expect(QuorumRole::Follower, 1, Some(A));
}

#[test]
fn test_a_damaged_batch_is_asked_for_again() {
    let mut lab = follower();
    lab.answer_fetch(A, |answer| answer.records = vec![batch(0, 1, &["a"]).corrupted(70)]);
    assert_eq!(lab.raft.log().end_offset(), 0);
    assert_eq!(last_fetch(&lab, A).fetch_offset, 0);
}
