//! Starts, votes, elections, resignations.

use super::*;

fn state(epoch: LeaderEpoch, leader: Option<NodeId>, voted: Option<NodeId>) -> ElectionState {
    ElectionState { epoch, leader, voted }
}

#[test]
fn test_initialize_single_member_quorum() {
    let mut lab = Lab::asleep(1);
    lab.start();
    lab.expect(QuorumRole::Leader, 1, Some(ME));
    assert_eq!((lab.raft.high_watermark(), lab.raft.log().end_offset()), (1, 1), "its LeaderChange is committed");
    lab.append(&["a", "b"]);
    assert_eq!(lab.raft.high_watermark(), 3);
    assert!(lab.sent.is_empty() && lab.timer.is_none() && lab.events.is_empty(), "nobody is there to be told");
    lab.restart(Crash::PowerLoss);
    lab.expect(QuorumRole::Leader, 2, Some(ME));
    assert_eq!(lab.raft.high_watermark(), 4);
}

#[test]
fn test_initialize_unattached_asks_who_leads() {
    let lab = Lab::new();
    lab.expect(QuorumRole::Unattached, 0, None);
    assert!(matches!(lab.sent[..], [(_, _, Request::Fetch(_))]));
}

#[test]
fn test_initialize_as_resigned_and_become_candidate() {
    let mut lab = Lab::found(&[1], state(2, Some(ME), None));
    lab.expect(QuorumRole::Resigned, 2, Some(ME));
    assert_eq!(lab.sent.iter().filter(|sent| matches!(sent.2, Request::EndQuorumEpoch(_))).count(), 2);
    lab.pass(2_000);
    assert!(lab.raft.epoch() == 3, "it does not follow itself");
    lab.become_candidate();
    assert_eq!(lab.election(), (4, None, Some(ME)));
}

#[test]
fn test_initialize_as_candidate_and_become_leader() {
    let mut lab = Lab::found(&[1], state(2, None, Some(ME)));
    lab.expect(QuorumRole::Candidate, 2, None);
    lab.answer_vote(B, true);
    lab.expect(QuorumRole::Leader, 2, Some(ME));
    let last = lab.raft.log().log().batches_from(1).last().expect("a batch").clone();
    let change = ControlRecord::of_batch(&last).expect("a control batch");
    let expected = ControlRecord::LeaderChange {
        leader: id(ME),
        voters: vec![id(ME), id(A), id(B)],
        granting_voters: vec![id(ME), id(B)],
    };
    assert_eq!((change, last.leader_epoch()), (Some(expected), 2));
}

#[test]
fn test_initialize_as_follower_and_as_voted() {
    let lab = Lab::found(&[1], state(2, Some(A), Some(B)));
    lab.expect(QuorumRole::Follower, 2, Some(A));
    assert!(matches!(lab.sent[..], [(A, _, Request::Fetch(_))]));
    let mut lab = Lab::found(&[1], state(2, None, Some(B)));
    lab.expect(QuorumRole::Unattached, 2, None);
    assert!(!lab.ask_vote(A, 2, (1, 9), false).vote_granted, "that vote is given");
    assert!(lab.ask_vote(B, 2, (1, 9), false).vote_granted, "and given again");
}

#[test]
fn test_initialize_with_an_epoch_from_the_log() {
    let lab = Lab::found(&[1, 5], state(3, None, Some(A)));
    assert_eq!(lab.election(), (5, None, None));
}

#[test]
fn test_grant_votes_from_higher_epoch_once_an_epoch() {
    let mut lab = Lab::new();
    assert!(lab.votes_for(A, 3));
    assert_eq!(lab.election(), (3, None, Some(A)));
    assert!(!lab.votes_for(B, 3));
    assert!(lab.votes_for(A, 3));
    lab.restart(Crash::PowerLoss);
    assert!(!lab.votes_for(B, 3), "no power loss makes it vote twice");
    assert!(lab.votes_for(B, 4));
    assert_eq!(lab.ask_vote(A, 3, (0, 0), false).error, ErrorCode::FencedLeaderEpoch);
}

#[test]
fn test_vote_request_requires_an_up_to_date_log() {
    for (log, granted) in [((1, 9), false), ((2, 1), false), ((2, 2), true), ((3, 1), true)] {
        let mut lab = Lab::found(&[1, 2], state(2, None, None));
        assert_eq!(lab.ask_vote(A, 4, log, false).vote_granted, granted, "{log:?}");
        assert_eq!(lab.raft.epoch(), 4, "the epoch is new in any case");
    }
}

#[test]
fn test_invalid_vote_request() {
    let mut lab = Lab::new();
    assert_eq!(lab.ask_vote(A, 3, (3, 1), false).error, ErrorCode::InvalidRequest, "a candidate's epoch is unused");
    assert_eq!(lab.ask_vote(A, 3, (3, 1), true).error, ErrorCode::None, "but not that of who asks in advance");
    assert_eq!(lab.ask_vote(A, 3, (4, 1), true).error, ErrorCode::InvalidRequest);
    assert_eq!(lab.ask_vote(A, 3, (0, -1), false).error, ErrorCode::InvalidRequest);
    let (replica, voter) = (id(A), id(B));
    let request =
        VoteRequest { replica, replica_epoch: 5, voter, last_offset_epoch: 0, last_offset: 9, pre_vote: false };
    let Some(Response::Vote(response)) = lab.ask(A, Request::Vote(request)) else { panic!("an answer") };
    assert_eq!((response.error, response.vote_granted), (ErrorCode::InvalidVoterKey, false));
}

#[test]
fn test_voter_become_candidate_after_fetch_timeout() {
    let mut lab = Lab::new();
    assert_eq!(lab.begin_epoch(A, 1), ErrorCode::None);
    lab.expect(QuorumRole::Follower, 1, Some(A));
    lab.pass(1_999);
    assert_eq!(lab.role(), QuorumRole::Follower);
    lab.become_candidate();
    assert_eq!(lab.election(), (2, None, Some(ME)));
}

#[test]
fn test_become_candidate_backs_off_when_rejected() {
    let mut lab = Lab::new();
    lab.become_candidate();
    lab.answer_vote(A, false);
    lab.answer_vote(B, false);
    lab.expect(QuorumRole::Candidate, 1, None);
    let asked = lab.sent.len();
    lab.pass(900);
    assert_eq!(lab.sent.len(), asked, "it asks nobody any more");
    lab.pass(1_100);
    lab.expect(QuorumRole::Prospective, 1, None);
}

#[test]
fn test_candidate_ignores_votes_of_an_older_epoch() {
    let mut lab = Lab::new();
    lab.become_candidate();
    let vote = VoteResponse { error: ErrorCode::None, current_leader: leader(None, 0), vote_granted: true };
    lab.answer(A, Response::Vote(vote));
    assert_eq!(lab.role(), QuorumRole::Candidate);
}

#[test]
fn a_candidate_that_followed_and_started_again_is_refused_in_its_old_epoch() {
    let mut lab = Lab::found(&[1, 2], ElectionState { epoch: 2, leader: Some(A), voted: Some(ME) });
    lab.expect(QuorumRole::Candidate, 2, None);
    let refused =
        VoteResponse { error: ErrorCode::InvalidRequest, current_leader: leader(None, 2), vote_granted: false };
    lab.answer(A, Response::Vote(refused));
    lab.answer(B, Response::Vote(refused));
    assert_eq!(lab.role(), QuorumRole::Candidate);
    lab.pass(2_000);
    lab.expect(QuorumRole::Prospective, 2, None);
}

#[test]
fn test_candidate_learns_of_a_leader() {
    let mut lab = Lab::new();
    lab.become_candidate();
    assert_eq!(lab.begin_epoch(B, 1), ErrorCode::None);
    assert_eq!(lab.election(), (1, Some(B), Some(ME)));
    assert_eq!(lab.role(), QuorumRole::Follower);
    let mut lab = Lab::new();
    lab.become_candidate();
    let vote =
        VoteResponse { error: ErrorCode::FencedLeaderEpoch, current_leader: leader(Some(B), 7), vote_granted: false };
    lab.answer(A, Response::Vote(vote));
    lab.expect(QuorumRole::Follower, 7, Some(B));
}

#[test]
fn test_begin_quorum_epoch_request_from_an_older_epoch() {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 5);
    assert_eq!(lab.begin_epoch(B, 4), ErrorCode::FencedLeaderEpoch);
    assert_eq!(lab.end_epoch(B, 4, &[ME]), ErrorCode::FencedLeaderEpoch);
    lab.expect(QuorumRole::Follower, 5, Some(A));
}

#[test]
fn test_end_quorum_starts_new_election_by_place_in_the_list() {
    for (successors, wait_ms) in [(&[ME, B][..], 0), (&[B, ME], 500), (&[B], 1_000)] {
        let mut lab = Lab::new();
        lab.begin_epoch(A, 1);
        assert_eq!(lab.end_epoch(A, 1, successors), ErrorCode::None);
        if wait_ms > 0 {
            lab.pass(wait_ms - 1);
            assert_eq!(lab.role(), QuorumRole::Follower, "{successors:?}");
            lab.pass(1);
        }
        assert_eq!(lab.role(), QuorumRole::Prospective, "{successors:?}");
    }
}

#[test]
fn test_leader_resigns_when_no_majority_fetches_for_one_and_a_half_fetch_timeouts() {
    let mut lab = Lab::new();
    lab.become_leader();
    lab.fetch(A, 1, 1);
    lab.fetch(B, 0, 0);
    lab.pass(2_500);
    lab.fetch(B, 1, 1);
    lab.pass(2_999);
    lab.expect(QuorumRole::Leader, 1, Some(ME));
    lab.pass(1);
    lab.expect(QuorumRole::Resigned, 1, Some(ME));
    let (_, request) = lab.last_to(A);
    let Request::EndQuorumEpoch(request) = request else { panic!("{request:?}") };
    assert_eq!(request.preferred_candidates, [id(A), id(B)], "the longer log first, then the smaller id");
}

#[test]
fn test_resigned_leader_refuses_and_moves_on_to_the_next_epoch() {
    let mut lab = Lab::new();
    lab.become_leader();
    lab.event(|raft, _, _| raft.resign());
    lab.expect(QuorumRole::Resigned, 1, Some(ME));
    assert_eq!(lab.fetch(A, 1, 1).expect("at once").error, ErrorCode::NotLeaderOrFollower);
    let current_leader = leader(Some(ME), 1);
    lab.answer(A, Response::EndQuorumEpoch(EndQuorumEpochResponse { error: ErrorCode::None, current_leader }));
    let told = lab.sent.len();
    lab.pass(2_000);
    lab.expect(QuorumRole::Prospective, 2, None);
    assert!(lab.sent[told..].iter().all(|sent| sent.0 != A || !matches!(sent.2, Request::EndQuorumEpoch(_))));
}

#[test]
fn test_leader_steps_down_for_a_higher_epoch() {
    let mut lab = Lab::new();
    lab.become_leader();
    assert!(lab.ask_vote(B, 2, (1, 1), false).vote_granted);
    lab.expect(QuorumRole::Unattached, 2, None);
    lab.begin_epoch(B, 2);
    lab.expect(QuorumRole::Follower, 2, Some(B));
}

#[test]
fn test_begin_quorum_epoch_is_repeated_to_who_does_not_fetch() {
    let mut lab = Lab::new();
    lab.become_leader();
    let told = |lab: &Lab, node| {
        lab.sent.iter().filter(|sent| sent.0 == node && matches!(sent.2, Request::BeginQuorumEpoch(_))).count()
    };
    assert_eq!((told(&lab, A), told(&lab, B)), (1, 1));
    let response = BeginQuorumEpochResponse { error: ErrorCode::None, current_leader: leader(Some(ME), 1) };
    lab.answer(A, Response::BeginQuorumEpoch(response));
    lab.answer(B, Response::BeginQuorumEpoch(response));
    lab.pass(500);
    lab.fetch(A, 1, 1);
    lab.pass(600);
    assert_eq!((told(&lab, A), told(&lab, B)), (1, 2), "A has fetched a moment ago");
}

#[test]
fn test_a_request_that_times_out_closes_its_connection() {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 1);
    lab.sent.clear();
    lab.pass(1_999);
    assert!(lab.disconnected.is_empty());
    lab.pass(5);
    assert!(lab.disconnected.contains(&A));
}
