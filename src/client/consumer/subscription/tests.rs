//! Which transitions happen, and which do not.

use super::*;
use crate::base::TopicId;

const TP: TopicPartition = TopicPartition::new(TopicId(1), 0);
const OTHER: TopicPartition = TopicPartition::new(TopicId(1), 1);

fn assigned() -> Subscription {
    let mut subscription = Subscription::new(AutoOffsetReset::Earliest);
    subscription.assign([TP, OTHER]);
    subscription
}

#[test]
fn only_a_valid_position_is_committed() {
    let mut subscription = assigned();
    subscription.seek_validated(TP, FetchPosition::at(7));
    subscription.request_reset(OTHER);
    assert_eq!(subscription.all_consumed(), [(TP, OffsetAndEpoch { offset: 7, leader_epoch: -1 })]);
    assert!(!subscription.has_all_positions());
}

#[test]
fn a_seek_makes_an_outstanding_reset_moot() {
    let mut subscription = assigned();
    subscription.request_reset(TP);
    subscription.seek_validated(TP, FetchPosition::at(3));
    assert!(!subscription.complete_reset(TP, AutoOffsetReset::Earliest, FetchPosition::at(0)));
    assert_eq!(subscription.position(TP).map(|p| p.offset), Some(3));
}

#[test]
fn a_new_leader_validates_a_position_with_an_epoch() {
    let mut subscription = assigned();
    let first = Leader { id: Some(BrokerId(0)), epoch: 4 };
    let second = Leader { id: Some(BrokerId(1)), epoch: 5 };
    subscription.seek_validated(TP, FetchPosition { offset: 3, offset_epoch: -1, leader: first });
    subscription.leader_is(TP, second);
    assert_eq!(subscription.get(TP).map(PartitionState::state), Some(FetchState::Fetching));
    subscription.advance(TP, FetchPosition { offset: 4, offset_epoch: 5, leader: second });
    subscription.leader_is(TP, first);
    assert_eq!(subscription.get(TP).map(PartitionState::state), Some(FetchState::AwaitValidation));
    subscription.complete_validation(TP);
    assert!(subscription.is_fetchable(TP));
}

#[test]
fn the_order_rotates() {
    let mut subscription = assigned();
    subscription.move_to_end(TP);
    assert_eq!(subscription.iter().map(|(tp, _)| tp).collect::<Vec<_>>(), [OTHER, TP]);
}
