//! What an inspector sees of a quorum.

use delivery_lab::scenario::library;
use delivery_lab::session::{Command, Session};
use delivery_lab::view::{Activity, ControllerView, NodeBody};

fn controllers(session: &mut Session) -> Vec<(Activity, ControllerView)> {
    let view = session.view();
    let bodies = view.nodes.iter().filter_map(|node| match &node.body {
        NodeBody::Controller(it) => Some((node.doing.clone(), it.clone())),
        _ => None,
    });
    bodies.collect()
}

#[test]
fn an_inspector_sees_the_quorum_and_the_log_in_words() {
    let scenario = library::get("controller-failover").expect("it is in the library");
    let mut session = Session::new(scenario).expect("a valid scenario");
    let before = controllers(&mut session);
    let (doing, active) = &before[0];
    assert_eq!(*doing, Activity::Controlling { alive: 3 });
    let quorum = &active.quorum;
    assert_eq!((quorum.role, quorum.active, quorum.leader), (Some("leader"), true, Some(3)));
    assert_eq!((quorum.log_end_offset, quorum.high_watermark), (active.metadata_offset, active.metadata_offset));
    let nodes = |replicas: &[delivery_lab::view::QuorumReplicaView]| {
        replicas.iter().map(|it| (it.node, it.lag)).collect::<Vec<_>>()
    };
    assert_eq!(nodes(&quorum.voters), [(3, Some(0)), (4, Some(0)), (5, Some(0))]);
    assert_eq!(quorum.observers.len(), 3, "the brokers");
    let (doing, standby) = &before[1];
    assert_eq!(*doing, Activity::Standby { role: "follower", epoch: quorum.epoch });
    assert!(standby.quorum.voters.is_empty(), "only the leader knows");
    let words = |view: &ControllerView| view.records.iter().map(|it| it.text.to_string()).collect::<Vec<_>>();
    assert_eq!(words(standby), words(active));
    let last = words(active).pop().expect("records");
    let fits = last.starts_with("Partition: topic 2, 49: replicas ");
    assert!(fits && active.records.iter().all(|it| it.committed), "{last}");

    let mut moment = |at_us| {
        session.dispatch(Command::SeekTime(at_us)).expect("a moment of the scenario");
        controllers(&mut session)
    };
    let elected = moment(5_000_000);
    assert_eq!((elected[0].0.clone(), elected[0].1.quorum.role), (Activity::Dead, None));
    let (_, new) = elected.iter().find(|(_, it)| it.quorum.active).expect("another one is active");
    assert!(new.quorum.epoch > quorum.epoch && new.quorum.epochs.len() == quorum.epochs.len() + 1);
    let change = format!("LeaderChange: {} leads, by the votes of", new.quorum.leader.expect("itself"));
    assert!(words(new).iter().any(|text| text.starts_with(&change)), "{:?}", words(new));
    let fenced = moment(9_000_000);
    let (_, new) = fenced.iter().find(|(_, it)| it.quorum.active).expect("it still is");
    assert!(words(new).iter().any(|text| text.starts_with("PartitionChange: topic ")), "{:?}", words(new));
    assert!(new.brokers.iter().any(|(id, _, fenced)| (*id, *fenced) == (0, true)));
}
