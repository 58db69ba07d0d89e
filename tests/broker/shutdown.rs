//! Controlled shutdown: BrokerLifecycleManagerTest's states, and what a process leaves behind for the next.

use crate::cluster::Cluster;
use crate::requests::produce;
use delivery_lab::base::BrokerId;
use delivery_lab::broker::BrokerState;
use delivery_lab::node::{Crash, Event};
use delivery_lab::protocol::ErrorCode;

const QUICK: (&str, &str) = ("broker.session.timeout.ms", "3000");

fn registered(cluster: &Cluster, broker: i32) -> i64 {
    cluster.controller.image().broker(BrokerId(broker)).expect("registered").epoch
}

#[test]
fn leadership_moves_before_the_process_ends() {
    let (mut cluster, id) = Cluster::with_topic(3, &[QUICK]);
    let leader = cluster.leader(id);
    cluster.call(leader, produce(id, -1, "x"));
    cluster.shut_down(leader);
    assert_eq!(cluster.broker(leader).state(), Some(BrokerState::PendingControlledShutdown));
    cluster.run_for(20);
    assert_ne!(cluster.leader(id), leader, "the controller has moved it");
    assert!(!cluster.isr(id).contains(&leader) && cluster.broker(leader).is_running());
    let answer = cluster.call(leader, produce(id, -1, "y"));
    assert_eq!(answer.error(), ErrorCode::NotLeaderOrFollower, "it still serves, if only to say so");
    // The others show with their next heartbeats that they know.
    cluster.run_for(5_000);
    assert!(!cluster.broker(leader).is_running());
    let fenced = |event: &Event| *event == Event::BrokerFenced { broker: BrokerId(leader) };
    assert!(cluster.events.iter().any(|(_, _, event)| fenced(event)));
    let log = cluster.broker(leader).log(id).expect("its files");
    assert!(log.is_clean() && cluster.broker(leader).disk().high_watermark(id) >= 1, "closed, and checkpointed");
}

#[test]
fn an_orderly_stop_leaves_the_brokers_epoch_and_a_crash_does_not() {
    for orderly in [true, false] {
        let (mut cluster, id) = Cluster::with_topic(2, &[QUICK, ("min.insync.replicas", "2")]);
        let (leader, follower) = (cluster.leader(id), 1 - cluster.leader(id));
        let epoch = registered(&cluster, follower);
        if orderly {
            cluster.shut_down(follower);
            cluster.run_for(1_000);
            assert_eq!(cluster.broker(follower).disk().clean_shutdown_epoch(), Some(epoch));
        } else {
            cluster.crash(follower, Crash::Process);
            assert_eq!(cluster.broker(follower).disk().clean_shutdown_epoch(), None);
        }
        cluster.run_for(4_000);
        let elr = |cluster: &Cluster| cluster.controller.image().partition(id).expect("orders-0").elr.clone();
        assert_eq!((cluster.isr(id), elr(&cluster)), (vec![leader], vec![BrokerId(follower)]));
        // Only then does the leader die: who stopped in an orderly way has all that was committed, and may lead.
        cluster.shut_down(leader);
        cluster.run_for(5_000);
        assert_eq!((cluster.leader(id), cluster.isr(id)), (-1, vec![]));
        cluster.restart(follower);
        cluster.run_for(5_000);
        let (expected, isr) = if orderly { (follower, vec![follower]) } else { (-1, vec![]) };
        assert_eq!((cluster.leader(id), cluster.isr(id)), (expected, isr), "orderly {orderly}");
        assert_eq!(cluster.broker(follower).disk().clean_shutdown_epoch(), None, "its logs are open again");
        cluster.restart(leader);
        cluster.run_for(8_000);
        assert_eq!(cluster.isr(id).len(), 2, "all is well again");
    }
}

#[test]
fn without_controlled_shutdown_it_just_stops() {
    let (mut cluster, id) = Cluster::with_topic(3, &[("controlled.shutdown.enable", "false")]);
    let leader = cluster.leader(id);
    cluster.shut_down(leader);
    assert!(!cluster.broker(leader).is_running(), "at once");
    assert_eq!(cluster.leader(id), leader, "the controller learns of it when the session ends");
    assert!(cluster.broker(leader).log(id).expect("its files").is_clean());
    cluster.run_for(12_000);
    assert_ne!(cluster.leader(id), leader);
}

#[test]
fn a_broker_that_does_not_serve_yet_needs_no_leave() {
    let mut cluster = Cluster::start(1, &[]);
    cluster.crash(0, Crash::Process);
    cluster.restart(0);
    cluster.shut_down(0);
    assert!(!cluster.broker(0).is_running());
    assert_eq!(cluster.broker(0).disk().clean_shutdown_epoch(), None, "it never opened its logs");
}

#[test]
fn the_only_broker_has_nobody_to_hand_over_to() {
    let (mut cluster, id) = Cluster::with_topic(1, &[]);
    cluster.shut_down(0);
    cluster.run_for(1_000);
    // Nobody else can lead: with eligible leader replicas the partition is simply without a leader.
    assert_eq!((cluster.leader(id), cluster.isr(id)), (-1, vec![]));
    assert!(!cluster.broker(0).is_running());
    let (mut cluster, id) = Cluster::with_topic(1, &[("eligible.leader.replicas.version", "0")]);
    cluster.shut_down(0);
    cluster.run_for(1_000);
    assert_eq!((cluster.leader(id), cluster.isr(id)), (-1, vec![0]));
    assert!(!cluster.broker(0).is_running());
}

#[test]
fn who_hears_nothing_from_the_controller_stops_after_five_minutes() {
    let (mut cluster, _) = Cluster::with_topic(2, &[]);
    cluster.cut_off_controller();
    cluster.shut_down(1);
    cluster.run_for(290_000);
    assert!(cluster.broker(1).is_running());
    cluster.run_for(20_000);
    assert!(!cluster.broker(1).is_running());
}
