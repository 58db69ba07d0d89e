//! Snapshots in a whole cluster: written, log cut, fetched by whoever lags.

use crate::lab::{Lab, setup};
use delivery_lab::base::{BrokerId, Duration, NodeId};
use delivery_lab::sim::Action;

/// A snapshot for each kilobyte of records; no more than one, and the log before it is cut.
pub const SMALL: &[(&str, &str)] =
    &[("metadata.log.max.record.bytes.between.snapshots", "1000"), ("metadata.max.retention.bytes", "1")];

/// A broker goes and comes, which writes records.
fn churn(lab: &mut Lab, broker: u16) {
    lab.strike(Action::Crash { node: NodeId(broker), restart_after: Some(Duration::from_millis(11_000)) });
    lab.pass(25_000);
}

#[test]
fn a_lagging_controller_gets_the_snapshot() {
    let mut lab = Lab::of(setup(7, 400, SMALL));
    let active = lab.active();
    let lagging = lab.others(active)[0];
    lab.strike(Action::Crash { node: lagging, restart_after: None });
    let end = lab.controller(lagging).raft().log().end_offset();
    (0..3).for_each(|broker| churn(&mut lab, broker));
    let start = lab.controller(lab.active()).log().log_start_offset();
    assert!(start > end, "the log begins at {start}, the dead controller's ends at {end}");
    lab.strike(Action::Restart { node: lagging });
    lab.pass(5_000);
    let late = lab.controller(lagging);
    assert!(late.log().log_start_offset() >= start && late.raft().log().latest_snapshot().is_some());
    assert_eq!(late.committed_image(), lab.run.world.image().expect("committed metadata"));
    lab.finish();
}

#[test]
fn a_restarted_broker_gets_the_snapshot() {
    let mut lab = Lab::of(setup(8, 400, SMALL));
    (0..3).for_each(|broker| churn(&mut lab, broker));
    assert!(lab.controller(lab.active()).log().log_start_offset() > 0);
    churn(&mut lab, 1);
    lab.finish();
    let image = lab.run.world.broker(BrokerId(1)).expect("a broker").image();
    assert_eq!(image, lab.run.world.image().expect("committed metadata"));
}

#[test]
fn all_controllers_begin_with_their_snapshots() {
    let mut lab = Lab::of(setup(9, 400, SMALL));
    (0..2).for_each(|broker| churn(&mut lab, broker));
    let image = lab.run.world.image().expect("committed metadata").clone();
    let nodes: Vec<NodeId> = lab.run.world.controllers().map(|(node, _)| node).collect();
    for node in nodes {
        lab.strike(Action::PowerLoss { node, restart_after: Some(Duration::from_millis(1_000)) });
    }
    lab.until("a controller is active again", |lab| lab.run.world.active_controller().is_some());
    let (_, active) = lab.run.world.active_controller().expect("it was seen");
    assert!(active.committed_image().topics().eq(image.topics()));
    assert!(active.committed_image().next_producer_id() >= image.next_producer_id());
    lab.finish();
}

#[test]
fn so_does_a_controller_that_is_alone() {
    let mut setup = setup(10, 400, SMALL);
    setup.controllers = 1;
    let mut lab = Lab::of(setup);
    (0..2).for_each(|broker| churn(&mut lab, broker));
    let node = lab.active();
    assert!(lab.controller(node).log().log_start_offset() > 0);
    lab.strike(Action::PowerLoss { node, restart_after: Some(Duration::from_millis(1_000)) });
    lab.finish();
}
