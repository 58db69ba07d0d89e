//! What new metadata do to replicas, and answers of the controller: more of PartitionTest and ReplicaManagerTest.

use super::bench::{Bench, ID, LOCAL};
use super::requests::{batch, fetch, produce};
use crate::base::BrokerId;
use crate::metadata::MetadataRecord;
use crate::node::Event;
use crate::protocol::{ErrorCode, FetchReplica, FetchSession, Request};

fn ids(list: &[i32]) -> Vec<BrokerId> {
    list.iter().map(|id| BrokerId(*id)).collect()
}

fn is_fetching(bench: &Bench) -> bool {
    bench.replicas.fetchers.fetchers().any(|(_, fetcher)| fetcher.partitions().contains_key(&ID))
}

fn caught_up(bench: &Bench, broker: i32) -> Option<crate::base::Time> {
    let state = bench.partition().follower_states().iter().find(|state| state.broker == BrokerId(broker));
    state.expect("a follower").last_caught_up_time
}

/// testReplicasAreStoppedWhileInControlledShutdown
#[test]
fn replicas_are_stopped_while_in_controlled_shutdown() {
    for (isr, leader, follows) in [(&[1, 2][..], 2, true), (&[2], 2, false), (&[1, 2], -1, false)] {
        let mut bench = Bench::new(&[]);
        bench.register_partition(2, 5, 1, &[1, 2], &[1, 2]);
        assert!(is_fetching(&bench));
        bench.register(1, false, true);
        bench.register_partition(leader, 6, 2, &[1, 2], isr);
        assert_eq!(is_fetching(&bench), follows, "ISR {isr:?}, leader {leader}");
        assert_eq!(bench.partition().leader_epoch(), 6, "the state is followed all the same");
    }
}

/// testFetcherAreNotRestartedIfLeaderEpochIsNotBumped
#[test]
fn fetchers_are_not_restarted_if_the_leader_epoch_is_not_bumped() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(2, 5, 1, &[1, 2, 3], &[1, 2, 3]);
    let sent = bench.sent.len();
    bench.register_partition(2, 5, 2, &[1, 2, 3], &[1, 2]);
    assert_eq!(bench.sent.len(), sent);
    bench.register_partition(3, 6, 3, &[1, 2, 3], &[1, 3]);
    assert_eq!(bench.sent.len(), sent + 1);
    assert_eq!(bench.sent.last().expect("a fetch").0, BrokerId(3).node());
}

/// testDoNotResetReplicaStateIfLeaderEpochIsNotBumped, testDoNotUpdateEpochStartOffsetIfLeaderEpochIsNotBumped
#[test]
fn a_leader_keeps_what_it_knows_within_an_epoch() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(4);
    bench.follower_fetch(2, 4);
    let before = caught_up(&bench, 2);
    bench.advance(1_000);
    bench.register_partition(1, 5, 2, &[1, 2, 3], &[1, 2]);
    assert_eq!((caught_up(&bench, 2), bench.partition().leader_epoch_start()), (before, Some(0)));
    bench.register_partition(1, 6, 3, &[1, 2, 3], &[1, 2]);
    assert_eq!(bench.partition().leader_epoch_start(), Some(4), "a new epoch begins at the end of the log");
    assert_eq!(
        (caught_up(&bench, 2), caught_up(&bench, 3)),
        (Some(bench.now), None),
        "who is in sync has time to show it"
    );
}

/// testIgnoreLeaderPartitionStateChangeWithOlderPartitionEpoch, testIgnoreFollowerPartitionStateChangeWithOlderPartitionEpoch
#[test]
fn older_partition_epochs_are_ignored() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 5, &[1, 2], &[1, 2]);
    bench.register_partition(2, 6, 4, &[1, 2], &[1, 2]);
    assert!(bench.partition().is_leader());
    assert_eq!((bench.partition().leader_epoch(), bench.partition().partition_epoch()), (5, 5));
    bench.register_partition(2, 6, 6, &[1, 2], &[1, 2]);
    bench.register_partition(1, 7, 5, &[1, 2], &[1, 2]);
    assert_eq!((bench.partition().leader(), bench.partition().leader_epoch()), (BrokerId(2), 6));
}

/// testFollowerShouldNotHaveAnyRemoteReplicaStates
#[test]
fn a_follower_knows_nothing_of_other_followers() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2, 3], &[1, 2, 3]);
    assert_eq!(bench.partition().follower_states().len(), 2);
    bench.register_partition(2, 6, 2, &[1, 2, 3], &[1, 2, 3]);
    assert!(bench.partition().follower_states().is_empty() && bench.partition().committed_isr().is_empty());
}

/// testDeltaLeaderToNotReplica, testDeltaFollowerToNotReplica
#[test]
fn a_replica_that_was_reassigned_away_is_deleted() {
    for leader in [1, 2] {
        let mut bench = Bench::new(&[]);
        bench.register_partition(leader, 5, 1, &[1, 2], &[1, 2]);
        bench.register_partition(2, 6, 2, &[2, 3], &[2, 3]);
        assert!(bench.replicas.partition(ID).is_none() && !is_fetching(&bench));
        assert!(bench.disk().directory(ID).is_none(), "its files too");
        // It comes back later with an empty log.
        bench.register_partition(2, 7, 3, &[1, 2], &[2]);
        assert_eq!((bench.partition().log().log_end_offset(), is_fetching(&bench)), (0, true));
    }
}

/// testDeltaLeaderToRemovedTopic: who waits hears that the partition is gone.
#[test]
fn a_removed_topic_answers_who_waits() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    let write = bench.request(produce(ID, -1, "x"));
    let read = bench.request(Request::Fetch(fetch(ID, 0, FetchSession::NONE)));
    assert!(!bench.responses.contains_key(&write) && !bench.responses.contains_key(&read));
    bench.follow(&[MetadataRecord::RemoveTopic { topic: ID.topic }]);
    assert_eq!(bench.responses[&write].error(), ErrorCode::NotLeaderOrFollower);
    assert_eq!(bench.responses[&read].error(), ErrorCode::UnknownTopicId);
    assert!(bench.replicas.partition(ID).is_none());
}

/// testIsrNotExpandedIfReplicaIsFencedOrShutdown, testIsrNotExpandedIfReplicaIsInControlledShutdown
#[test]
fn isr_is_not_expanded_by_who_is_fenced_or_about_to_stop() {
    for (fenced, stopping) in [(true, false), (false, true)] {
        let mut bench = Bench::new(&[]);
        bench.register_partition(1, 5, 1, &[1, 2], &[1]);
        bench.register(2, fenced, stopping);
        bench.follower_fetch(2, 0);
        assert!(bench.wishes().is_empty(), "fenced {fenced}, stopping {stopping}");
        bench.register(2, false, false);
        bench.follower_fetch(2, 0);
        assert_eq!(bench.wishes().len(), 1);
    }
}

/// testFenceFollowerFetchWithStaleBrokerEpoch, testIsrCanExpandedIfBrokerEpochsMatchWithKraftMetadataCache
#[test]
fn a_fetch_of_a_former_life_is_refused() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1]);
    let stale = FetchReplica { id: BrokerId(2), epoch: 101 };
    let request = bench.fetch_partition(0);
    assert_eq!(bench.read(request, Some(stale)).error, ErrorCode::NotLeaderOrFollower);
    assert!(bench.wishes().is_empty());
    // A later life than metadata know here: it may read, but not join yet.
    let early = FetchReplica { id: BrokerId(2), epoch: 110 };
    assert_eq!(bench.read(request, Some(early)).error, ErrorCode::None);
    assert!(bench.wishes().is_empty());
    let present = FetchReplica { id: BrokerId(2), epoch: 102 };
    assert_eq!(bench.read(request, Some(present)).error, ErrorCode::None);
    let wish = &bench.wishes()[0].partitions[0];
    assert_eq!(wish.new_isr.iter().map(|member| member.epoch).collect::<Vec<_>>(), [101, 102]);
}

/// testSingleInFlightAlterIsr
#[test]
fn one_isr_change_at_a_time() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2, 3], &[1]);
    bench.follower_fetch(2, 0);
    bench.follower_fetch(3, 0);
    assert_eq!((bench.wishes().len(), bench.partition().maximal_isr()), (1, &ids(&[1, 2])[..]));
    bench.answer_wish(ErrorCode::None, 2);
    bench.follower_fetch(3, 0);
    assert_eq!((bench.wishes().len(), bench.partition().maximal_isr()), (2, &ids(&[1, 2, 3])[..]));
}

/// testAlterIsrNewLeaderElected, testAlterIsrUnknownTopic, testAlterIsrInvalidVersion, testInvalidAlterPartitionRequestsAreNotRetried
#[test]
fn what_the_controller_knows_better_waits_for_metadata() {
    for error in [
        ErrorCode::NewLeaderElected,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
        ErrorCode::InvalidUpdateVersion,
        ErrorCode::InvalidRequest,
        ErrorCode::FencedLeaderEpoch,
    ] {
        let mut bench = Bench::new(&[]);
        bench.register_partition(1, 5, 1, &[1, 2], &[1]);
        bench.append(2);
        bench.follower_fetch(2, 2);
        bench.answer_wish(error, -1);
        bench.follower_fetch(2, 2);
        assert_eq!(bench.wishes().len(), 1, "{error:?} is not asked again");
        assert_eq!(bench.partition().maximal_isr(), ids(&[1, 2]), "{error:?}");
        bench.register_partition(1, 5, 2, &[1, 2], &[1]);
        assert_eq!(bench.partition().maximal_isr(), ids(&[1]));
        bench.follower_fetch(2, 2);
        assert_eq!(bench.wishes().len(), 2);
    }
}

/// testIsrNotShrunkIfUpdateFails, testShouldNotShrinkIsrIfFollowerCaughtUpToLogEnd
#[test]
fn a_shrink_that_fails_keeps_the_high_watermark_back() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(2);
    bench.follower_fetch(2, 2);
    bench.advance(40_000);
    bench.shrink();
    assert!(bench.wishes().is_empty(), "it has everything, however long ago it fetched");
    bench.append(1);
    bench.shrink();
    assert_eq!(bench.wishes().len(), 1);
    bench.answer_wish(ErrorCode::InvalidUpdateVersion, -1);
    assert_eq!(bench.partition().maximal_isr(), ids(&[1, 2]));
    assert_eq!(bench.partition().log().high_watermark(), 2);
    bench.shrink();
    assert_eq!(bench.wishes().len(), 1, "pending until metadata arrive");
    bench.register_partition(1, 5, 2, &[1, 2], &[1]);
    assert_eq!(bench.partition().log().high_watermark(), 3);
}

/// A replica elected uncleanly recovers at once; it says so with its next ISR change (`Partition.makeLeader`).
#[test]
fn an_uncleanly_elected_leader_reports_that_it_has_recovered() {
    let mut bench = Bench::new(&[]);
    let mut registration = crate::metadata::PartitionRegistration::new(ids(&[1, 2]), ids(&[1]));
    registration.leader_recovery_state = crate::protocol::LeaderRecoveryState::Recovering;
    bench.follow(&[MetadataRecord::Partition(registration.to_record(ID))]);
    assert!(bench.partition().is_leader() && bench.wishes().is_empty());
    bench.follower_fetch(2, 0);
    let state = bench.wishes()[0].partitions[0].leader_recovery_state;
    assert_eq!(state, crate::protocol::LeaderRecoveryState::Recovered);
}

/// testMonotonicOffsetsAfterLeaderChange: what consumers may see, and what they are told is the end, never goes back.
#[test]
fn offsets_are_monotonic_after_a_leader_change() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1, 2], &[1, 2]);
    bench.append(3);
    bench.follower_fetch(2, 3);
    bench.append(2);
    assert_eq!(bench.partition().log().high_watermark(), 3);
    bench.register_partition(2, 6, 2, &[1, 2], &[1, 2]);
    bench.register_partition(1, 7, 3, &[1, 2], &[1, 2]);
    let latest = |bench: &Bench| {
        use crate::base::config::IsolationLevel::ReadUncommitted;
        let timestamp = crate::protocol::ListOffsetsPartition::LATEST;
        let request = crate::protocol::ListOffsetsPartition { partition: ID, current_leader_epoch: 7, timestamp };
        let answer = bench.partition().list_offset(&request, false, ReadUncommitted);
        (answer.error, answer.offset, answer.leader_epoch)
    };
    assert_eq!(latest(&bench), (ErrorCode::OffsetNotAvailable, -1, -1), "3 was seen, 5 may come: neither is sure");
    bench.follower_fetch(2, 4);
    assert_eq!(latest(&bench).0, ErrorCode::OffsetNotAvailable);
    bench.follower_fetch(2, 5);
    assert_eq!(latest(&bench), (ErrorCode::None, 5, 7));
}

/// testReplicaFetchToFollower; a follower that has become the leader takes no more of its old leader's records.
#[test]
fn followers_serve_no_followers_and_leaders_follow_nobody() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(2, 5, 1, &[1, 2, 3], &[1, 2, 3]);
    assert_eq!(bench.follower_fetch_with(3, 0, 5, -1).error, ErrorCode::NotLeaderOrFollower);
    assert_eq!(bench.follower_fetch_with(3, 0, 4, -1).error, ErrorCode::FencedLeaderEpoch);
    assert_eq!(bench.follower_fetch_with(3, 0, 6, -1).error, ErrorCode::UnknownLeaderEpoch);
    bench.register_partition(1, 6, 2, &[1, 2, 3], &[1, 2, 3]);
    bench.leader_answers_fetch(2, |part| part.records = vec![batch("late").with_offset_and_epoch(0, 5)]);
    assert_eq!(bench.partition().log().log_end_offset(), 0);
    assert_eq!(bench.partition().leader(), LOCAL);
    let led = |event: &Event| matches!(event, Event::BecameLeader { leader_epoch: 6, .. });
    assert!(bench.events.iter().any(led));
}

/// testUseCheckpointToInitializeHighWatermark
#[test]
fn the_checkpoint_is_where_the_high_watermark_begins() {
    let mut bench = Bench::new(&[]);
    bench.register_partition(1, 5, 1, &[1], &[1]);
    bench.append(6);
    assert_eq!(bench.partition().log().high_watermark(), 6);
    bench.restart_with_high_watermark(4);
    bench.register_partition(2, 6, 2, &[1, 2], &[1, 2]);
    assert_eq!((bench.partition().log().high_watermark(), bench.partition().log().log_end_offset()), (4, 6));
    let Request::Fetch(request) = bench.last_sent(2).1 else { panic!("a fetch") };
    assert_eq!(request.partitions[0].fetch_offset, 6, "it fetches from its end, not from the high watermark");
}
