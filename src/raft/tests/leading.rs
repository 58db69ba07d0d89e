//! Fetches answered by a leader, and by who is none.

use super::*;

#[test]
fn test_fetch_request_moves_the_high_watermark_only_beyond_the_epoch_start() {
    let mut lab = Lab::found(&[1, 1], ElectionState { epoch: 1, leader: None, voted: None });
    lab.become_leader();
    let response = lab.fetch(A, 2, 1).expect("there is the LeaderChange");
    assert_eq!((response.error, response.records.len(), response.high_watermark), (ErrorCode::None, 1, -1));
    assert_eq!(lab.raft.high_watermark(), 0, "two voters have offset 1, but it is of an older epoch");
    let response = lab.fetch(A, 3, 2).expect("the high watermark moved");
    assert_eq!((response.high_watermark, lab.raft.high_watermark()), (3, 3));
    assert!(lab.events.contains(&Event::HighWatermark { partition: LOG, leader: true, offset: 3 }));
}

#[test]
fn test_fetch_is_parked_until_there_are_records() {
    let mut lab = Lab::new();
    lab.become_leader();
    assert!(lab.fetch(A, 1, 1).is_some());
    assert_eq!(lab.fetch_knowing(A, 1, 1, 1), None);
    lab.responses.clear();
    lab.append(&["a"]);
    let response = fetched(lab.responses.pop().expect("an answer"));
    assert_eq!((response.records[0].base_offset(), response.high_watermark), (1, 1));
}

#[test]
fn test_fetch_is_parked_until_the_high_watermark_moves() {
    let mut lab = Lab::new();
    lab.become_leader();
    lab.fetch(A, 1, 1);
    lab.append(&["a"]);
    assert_eq!(lab.fetch_knowing(NodeId(9), 2, 1, 1), None, "an observer has all, and knows all");
    let response = lab.fetch_knowing(A, 2, 1, 1).expect("its own fetch moved it");
    assert_eq!(response.high_watermark, 2);
    assert_eq!(lab.responses.len(), 1, "so the observer learns of it");
    assert_eq!(fetched(lab.responses.remove(0)).high_watermark, 2);
}

#[test]
fn test_purgatory_fetch_times_out() {
    let mut lab = Lab::new();
    lab.become_leader();
    lab.fetch(A, 1, 1);
    assert_eq!(lab.fetch_knowing(A, 1, 1, 1), None);
    lab.responses.clear();
    lab.pass(500);
    let response = fetched(lab.responses.pop().expect("an answer"));
    assert_eq!((response.error, response.records.len()), (ErrorCode::None, 0));
}

#[test]
fn test_purgatory_fetch_completed_by_follower_transition() {
    let mut lab = Lab::new();
    lab.become_leader();
    lab.fetch(A, 1, 1);
    assert_eq!(lab.fetch_knowing(A, 1, 1, 1), None);
    lab.begin_epoch(B, 2);
    let refused = lab.responses.first().cloned().expect("the parked fetch");
    let refused = fetched(refused);
    assert_eq!((refused.error, refused.current_leader), (ErrorCode::NotLeaderOrFollower, Some(leader(Some(B), 2))));
}

#[test]
fn test_fetch_request_epochs_are_validated() {
    let mut lab = Lab::new();
    lab.become_leader();
    let mut ask = |epoch, last| {
        let (fetch_offset, log_start_offset, partition_max_bytes, high_watermark) = (0, -1, 0, -1);
        let partition = FetchPartition {
            partition: LOG,
            current_leader_epoch: epoch,
            fetch_offset,
            last_fetched_epoch: last,
            log_start_offset,
            partition_max_bytes,
            high_watermark,
        };
        fetched(lab.ask(A, raft_fetch(id(A), partition)).expect("at once")).error
    };
    assert_eq!(ask(0, 0), ErrorCode::FencedLeaderEpoch);
    assert_eq!(ask(2, 0), ErrorCode::UnknownLeaderEpoch);
    assert_eq!(ask(1, 2), ErrorCode::InvalidRequest, "nothing is newer than the epoch it knows");
    assert_eq!(ask(1, -1), ErrorCode::InvalidRequest);
    assert_eq!(ask(1, 0), ErrorCode::None);
    let mut lab = Lab::new();
    lab.begin_epoch(A, 1);
    let response = lab.fetch(B, 0, 0).expect("at once");
    assert_eq!((response.error, response.current_leader), (ErrorCode::NotLeaderOrFollower, Some(leader(Some(A), 1))));
}

#[test]
fn test_fetch_response_with_diverging_epoch() {
    let mut lab = Lab::found(&[1, 1, 3], ElectionState { epoch: 3, leader: None, voted: None });
    lab.become_leader();
    // Epochs 1 (offsets 0, 1), 3 (offset 2), 4 (the LeaderChange at 3).
    for (offset, epoch, diverging) in [
        (3, 2, Some((1, 2))),
        (5, 1, Some((1, 2))),
        (4, 3, Some((3, 3))),
        (9, 4, Some((4, 4))),
        (3, 3, None),
        (1, 1, None),
    ] {
        let found = lab.fetch(A, offset, epoch).expect("at once").diverging_epoch;
        assert_eq!(found.map(|end| (end.epoch, end.end_offset)), diverging, "offset {offset} in epoch {epoch}");
    }
    let before = lab.raft.describe(lab.now).expect("it leads").0[1].log_end_offset;
    assert_eq!(before, Some(1), "only a fetch that agrees counts");
}

#[test]
fn test_describe_quorum() {
    let mut lab = Lab::new();
    assert_eq!(lab.raft.describe(lab.now), None, "only a leader knows");
    lab.become_leader();
    lab.fetch(A, 1, 1);
    lab.fetch(NodeId(7), 0, 0);
    let (voters, observers) = lab.raft.describe(lab.now).expect("it leads");
    let ends: Vec<_> = voters.iter().map(|voter| (voter.node, voter.log_end_offset)).collect();
    assert_eq!(ends, [(ME, Some(1)), (A, Some(1)), (B, None)]);
    assert_eq!(voters[1].last_caught_up, Some(lab.now));
    assert_eq!(observers.len(), 1);
}
