//! One thing goes wrong, and two of three go on.

use crate::lab::Lab;
use delivery_lab::base::{BrokerId, Duration, NodeId};
use delivery_lab::node::QuorumRole;
use delivery_lab::sim::Action;

const BACK: Option<Duration> = Some(Duration::from_millis(20_000));

fn cut(a: NodeId, b: NodeId, symmetric: bool) -> Action {
    Action::Partition { a, b: Some(b), duration: None, symmetric }
}

#[test]
fn three_controllers_boot_and_agree() {
    let mut lab = Lab::new(20);
    let active = lab.active();
    lab.pass(2_000);
    let leader = lab.controller(active).raft();
    assert_eq!((leader.role(), leader.high_watermark()), (Some(QuorumRole::Leader), leader.log().end_offset()));
    for node in lab.others(active) {
        let follower = lab.controller(node).raft();
        assert_eq!(follower.role(), Some(QuorumRole::Follower));
        assert_eq!(follower.high_watermark(), leader.high_watermark());
        assert_eq!(lab.controller(node).committed_image(), lab.controller(active).image(), "standbys replay");
    }
    let (voters, observers) = leader.describe(lab.now()).expect("it leads");
    assert_eq!((voters.len(), observers.len()), (3, 3), "three voters, and the brokers observe");
    lab.finish();
}

#[test]
fn brokers_keep_producing_while_the_active_controller_is_dead() {
    let mut lab = Lab::new(200);
    lab.pass(1_000);
    let (active, epoch) = (lab.active(), lab.controller(lab.active()).epoch().expect("it is active"));
    lab.strike(Action::Crash { node: active, restart_after: BACK });
    let new = lab.until_active_is_not(active);
    assert!(lab.controller(new).epoch() > Some(epoch));
    // The new controller decides: a broker that dies now is fenced, and its partitions get other leaders.
    lab.strike(Action::Crash { node: NodeId(0), restart_after: BACK });
    lab.until("broker 0 is fenced", |lab| !lab.run.world.image().expect("committed metadata").is_unfenced(BrokerId(0)));
    lab.finish();
    assert_eq!(lab.run.final_verdict().acked_lost.len(), 0);
    assert_eq!(lab.controller(active).raft().role(), Some(QuorumRole::Follower), "it is back, and follows");
}

#[test]
fn a_controller_that_stops_in_an_orderly_way_is_missed_for_a_moment_only() {
    let mut lab = Lab::new(200);
    lab.pass(1_000);
    let (active, began) = (lab.active(), lab.now());
    lab.strike(Action::Shutdown { node: active, restart_after: BACK });
    lab.until_active_is_not(active);
    let missed = lab.now().since(began);
    assert!(missed < Duration::from_millis(500), "no timeout had to pass, but {} ms did", missed.as_millis());
    assert!(!lab.run.world.is_alive(active) || lab.controller(active).epoch().is_none());
    lab.finish();
}

#[test]
fn a_power_loss_of_the_active_controller_takes_nothing_committed() {
    let mut lab = Lab::new(100);
    lab.pass(1_000);
    let active = lab.active();
    let end = lab.controller(active).raft().high_watermark();
    lab.strike(Action::PowerLoss { node: active, restart_after: BACK });
    assert!(lab.controller(active).raft().log().end_offset() >= end);
    lab.until_active_is_not(active);
    lab.finish();
}

#[test]
fn all_controllers_lose_power_and_everything_committed_is_there() {
    let mut lab = Lab::new(100);
    lab.pass(1_000);
    let image = lab.run.world.image().expect("committed metadata").clone();
    let nodes: Vec<NodeId> = lab.run.world.controllers().map(|(node, _)| node).collect();
    for node in nodes {
        lab.strike(Action::PowerLoss { node, restart_after: Some(Duration::from_millis(3_000)) });
    }
    assert_eq!(lab.run.world.image(), Some(&image));
    lab.until("a controller is active again", |lab| lab.run.world.active_controller().is_some());
    lab.finish();
}

#[test]
fn a_controller_without_a_majority_resigns_and_the_majority_goes_on() {
    let mut lab = Lab::new(200);
    lab.pass(1_000);
    let active = lab.active();
    for other in lab.others(active) {
        lab.strike(cut(active, other, true));
    }
    lab.until("the old leader gives up", |lab| lab.controller(active).epoch().is_none());
    let new = lab.until_active_is_not(active);
    let epoch = lab.controller(new).epoch();
    lab.pass(10_000);
    assert_eq!(lab.controller(new).epoch(), epoch, "who was cut off disturbs nobody");
    lab.strike(Action::Heal { a: active, b: None });
    lab.pass(5_000);
    assert_eq!(lab.controller(new).epoch(), epoch, "not even when it comes back: that is what pre-votes are for");
    lab.finish();
}

#[test]
fn what_a_deposed_controller_could_not_commit_is_dropped() {
    let mut lab = Lab::new(400);
    lab.pass(1_000);
    let active = lab.active();
    for other in lab.others(active) {
        lab.strike(cut(active, other, true));
    }
    // It still hears from the brokers, fences the dead one, but nobody agrees.
    let before = lab.run.world.image().expect("committed metadata").offset();
    lab.strike(Action::Crash { node: NodeId(2), restart_after: BACK });
    lab.until("another controller is active", |lab| {
        lab.run.world.active_controller().is_some_and(|(node, _)| node != active)
    });
    lab.pass(15_000);
    assert!(lab.run.world.image().expect("committed metadata").offset() > before);
    lab.strike(Action::Heal { a: active, b: None });
    lab.finish();
}

#[test]
fn an_asymmetric_partition_elects_another_leader_once() {
    // The leader is heard by nobody, though it hears the others.
    let mut lab = Lab::new(200);
    lab.pass(1_000);
    let active = lab.active();
    for other in lab.others(active) {
        lab.strike(cut(active, other, false));
    }
    let new = lab.until_active_is_not(active);
    lab.pass(10_000);
    assert_eq!(lab.active(), new);
    lab.strike(Action::Heal { a: active, b: None });
    lab.finish();
}

#[test]
fn a_follower_that_cannot_reach_the_leader_does_not_depose_it() {
    let mut lab = Lab::new(200);
    lab.pass(1_000);
    let active = lab.active();
    let (epoch, lonely) = (lab.controller(active).epoch(), lab.others(active)[0]);
    lab.strike(cut(active, lonely, true));
    lab.pass(20_000);
    assert_eq!(lab.controller(active).epoch(), epoch, "the other follower is content");
    lab.strike(Action::Heal { a: lonely, b: None });
    lab.finish();
}

#[test]
fn a_paused_controller_finds_that_others_have_gone_on() {
    let mut lab = Lab::new(200);
    lab.pass(1_000);
    let active = lab.active();
    lab.strike(Action::Pause { node: active, duration: BACK });
    let new = lab.until_active_is_not(active);
    lab.pass(25_000);
    assert_eq!(lab.active(), new);
    assert_eq!(lab.controller(active).raft().role(), Some(QuorumRole::Follower));
    lab.finish();
}

#[test]
fn nothing_is_decided_while_two_of_three_are_dead() {
    let mut lab = Lab::new(200);
    lab.pass(1_000);
    let active = lab.active();
    for node in lab.others(active) {
        lab.strike(Action::Crash { node, restart_after: BACK });
    }
    lab.strike(Action::Crash { node: NodeId(0), restart_after: BACK });
    lab.pass(15_000);
    let image = lab.run.world.image().expect("committed metadata");
    assert!(image.is_unfenced(BrokerId(0)), "nobody could fence it");
    lab.finish();
}
