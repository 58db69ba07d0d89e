//! Asking in advance, before an epoch is disturbed (KIP-996).

use super::*;

#[test]
fn test_follower_grants_pre_vote_if_it_has_not_fetched_yet() {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 2);
    assert!(lab.ask_vote(B, 2, (0, 0), true).vote_granted, "it has not heard from its leader");
    lab.expect(QuorumRole::Follower, 2, Some(A));
    lab.answer_fetch(A, |_| {});
    assert!(!lab.ask_vote(B, 2, (0, 0), true).vote_granted, "it has");
    assert!(!lab.ask_vote(B, 2, (0, 0), false).vote_granted);
}

#[test]
fn test_handle_pre_vote_request_as_unattached_prospective_candidate_and_resigned() {
    let granted = |lab: &mut Lab, log| lab.ask_vote(B, lab.raft.epoch(), log, true).vote_granted;
    let state = ElectionState { epoch: 2, leader: None, voted: Some(A) };
    let mut lab = Lab::found(&[1], state);
    assert!(granted(&mut lab, (1, 1)), "a vote in advance is no vote");
    assert!(!granted(&mut lab, (1, 0)));
    lab.become_prospective();
    assert!(granted(&mut lab, (1, 1)) && !granted(&mut lab, (0, 9)));
    lab.become_candidate();
    assert!(granted(&mut lab, (1, 1)) && !granted(&mut lab, (0, 9)));
    assert_eq!(lab.election(), (3, None, Some(ME)), "none of this changed anything");
    lab.answer_vote(A, true);
    assert!(!granted(&mut lab, (3, 9)), "a leader grants nothing");
    lab.event(|raft, _, _| raft.resign());
    assert!(granted(&mut lab, (3, 9)));
}

#[test]
fn test_pre_vote_request_with_a_higher_epoch_moves_the_epoch() {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 2);
    assert!(lab.ask_vote(B, 5, (0, 0), true).vote_granted);
    lab.expect(QuorumRole::Unattached, 5, None);
}

#[test]
fn test_prospective_becomes_candidate_only_with_a_majority() {
    let mut lab = Lab::new();
    lab.become_prospective();
    assert_eq!(lab.raft.epoch(), 0, "the epoch is not disturbed");
    let (_, request) = lab.last_to(A);
    let Request::Vote(VoteRequest { pre_vote, replica_epoch, .. }) = request else { panic!("{request:?}") };
    assert_eq!((pre_vote, replica_epoch), (true, 0));
    lab.answer_vote(A, false);
    assert_eq!(lab.role(), QuorumRole::Prospective);
    lab.answer_vote(B, true);
    lab.expect(QuorumRole::Candidate, 1, None);
}

#[test]
fn test_prospective_without_votes_returns_to_its_leader() {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 2);
    lab.become_prospective();
    lab.expect(QuorumRole::Prospective, 2, Some(A));
    lab.answer_vote(A, false);
    lab.answer_vote(B, false);
    lab.expect(QuorumRole::Follower, 2, Some(A));
    let mut lab = Lab::new();
    lab.become_prospective();
    lab.answer_vote(A, false);
    lab.answer_vote(B, false);
    lab.expect(QuorumRole::Unattached, 0, None);
}

#[test]
fn test_prospective_election_timeout() {
    let mut lab = Lab::new();
    lab.begin_epoch(A, 2);
    lab.become_prospective();
    lab.pass(2_000);
    lab.expect(QuorumRole::Follower, 2, Some(A));
}

#[test]
fn test_prospective_grants_a_vote_of_its_epoch() {
    let mut lab = Lab::found(&[1], ElectionState { epoch: 3, leader: None, voted: None });
    lab.become_prospective();
    assert!(lab.ask_vote(B, 3, (1, 1), false).vote_granted);
    assert_eq!(lab.election(), (3, None, Some(B)));
    assert_eq!(lab.role(), QuorumRole::Prospective);
    assert!(!lab.ask_vote(A, 3, (1, 1), false).vote_granted);
}

#[test]
fn test_prospective_learns_of_its_leader_from_a_response() {
    let mut lab = Lab::new();
    lab.become_prospective();
    let current_leader = leader(Some(B), 0);
    lab.answer(A, Response::Vote(VoteResponse { error: ErrorCode::None, current_leader, vote_granted: false }));
    lab.expect(QuorumRole::Follower, 0, Some(B));
}
