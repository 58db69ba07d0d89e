//! Disks that are full, slow, corrupt or lose power; and links that are cut one way: on a real cluster, watched.

use super::super::liveness;
use super::super::run::Run;
use super::made::{TP, calm, producer};
use crate::app::ConsumerApp;
use crate::base::config::{BrokerConfig, Properties};
use crate::base::{BrokerId, Duration, NodeId, Offset, Time};
use crate::node::Event;
use crate::protocol::ErrorCode;
use crate::sim::{Action, Fault, World, WorldSetup};
use std::rc::Rc;

const LEADER: NodeId = NodeId(0);
const FOLLOWER: NodeId = NodeId(1);

fn ms(ms: u64) -> Time {
    Time::from_origin_us(ms * 1_000)
}

fn span(ms: u64) -> Option<Duration> {
    Some(Duration::from_millis(ms))
}

/// Sessions and lag limits of a second or two, so that things happen soon.
fn hasty() -> WorldSetup {
    let pairs = [
        ("replica.lag.time.max.ms", "1000"),
        ("broker.session.timeout.ms", "2000"),
        ("broker.heartbeat.interval.ms", "500"),
    ];
    let properties: Properties = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut setup = calm();
    setup.producers[0].records = 200;
    setup.broker_config = Rc::new(BrokerConfig::parse(&properties).expect("good settings"));
    setup
}

/// Runs to the end and until all is well again: what happened.
fn story(faults: &[(u64, Action)]) -> (Run, Vec<(NodeId, Event)>) {
    story_of(hasty(), faults)
}

fn story_of(mut setup: WorldSetup, faults: &[(u64, Action)]) -> (Run, Vec<(NodeId, Event)>) {
    setup.faults = (0..).zip(faults).map(|(id, (at, action))| Fault::at(id, ms(*at), action.clone())).collect();
    let mut run = Run::new(World::new(setup).expect("it boots"));
    let mut events = Vec::new();
    while !run.world.is_quiet() || !liveness(&run.world).is_empty() {
        let Some(step) = run.step_before(ms(100_000)) else { break };
        events.extend(step.events.iter().map(|it| (it.node, it.event.clone())));
    }
    assert_eq!(liveness(&run.world), []);
    assert!(run.invariants.violations().is_empty(), "{:?}", run.invariants.violations());
    let verdict = run.verdict();
    assert!(verdict.holds && verdict.lost.is_empty(), "{verdict:?}");
    (run, events)
}

fn place(events: &[(NodeId, Event)], is_it: impl Fn(NodeId, &Event) -> bool) -> usize {
    events.iter().position(|(node, event)| is_it(*node, event)).expect("it happened")
}

/// The controller or a leader decided on that ISR; sorted.
fn isr_was(event: &Event, expected: &[i32]) -> bool {
    let Event::PartitionChanged { partition: TP, isr, .. } = event else { return false };
    let mut ids: Vec<i32> = isr.iter().map(|broker| broker.0).collect();
    ids.sort_unstable();
    ids == expected
}

#[test]
fn a_full_disk_fails_the_append_and_halts_the_broker_until_there_is_room() {
    // Without consumers, whose commits the broker would have to append as a follower.
    let setup = WorldSetup { consumers: Vec::new(), ..hasty() };
    let (run, events) = story_of(setup, &[(1_000, Action::FullDisk { node: LEADER, duration: span(8_000) })]);
    let failed = place(&events, |node, event| node == LEADER && *event == Event::LogDirFailed);
    let refused = events.iter().any(|(_, event)| match event {
        Event::ProduceRefused { error, .. } => *error == ErrorCode::KafkaStorageError,
        _ => false,
    });
    assert!(refused, "the producer is told KAFKA_STORAGE_ERROR");
    let led =
        place(&events, |node, event| node != LEADER && matches!(event, Event::BecameLeader { partition: TP, .. }));
    let back = events.iter().rposition(|(node, event)| *node == LEADER && *event == Event::Started).expect("restarted");
    assert!(failed < led && led < back);
    assert_eq!(run.world.process(LEADER), crate::sim::Process::Running);
}

#[test]
fn a_followers_full_disk_costs_only_the_follower() {
    let (_, events) = story(&[(1_000, Action::FullDisk { node: FOLLOWER, duration: span(8_000) })]);
    assert!(events.contains(&(FOLLOWER, Event::LogDirFailed)));
    let is_refusal = |event: &Event| matches!(event, Event::ProduceRefused { partition: TP, .. });
    assert!(!events.iter().any(|(_, event)| is_refusal(event)));
    assert!(events.iter().any(|(_, event)| isr_was(event, &[0, 2])) && isr_was(&last_isr(&events), &[0, 1, 2]));
}

fn last_isr(events: &[(NodeId, Event)]) -> Event {
    let changes = events.iter().filter(|(_, event)| matches!(event, Event::PartitionChanged { partition: TP, .. }));
    changes.last().expect("it changed").1.clone()
}

/// Without traffic it is the checkpoint of the high watermarks that finds the disk full.
#[test]
fn a_broker_with_nothing_to_append_finds_its_disk_full_at_the_next_checkpoint() {
    let mut setup = hasty();
    (setup.producers, setup.consumers) = (Vec::new(), Vec::new());
    setup.faults = vec![Fault::at(0, ms(100), Action::FullDisk { node: FOLLOWER, duration: None })];
    let mut run = Run::new(World::new(setup).expect("it boots"));
    let mut failed = None;
    while run.world.now() < ms(20_000) && failed.is_none() {
        let Some(step) = run.step() else { break };
        failed = step.events.iter().find(|it| it.event == Event::LogDirFailed).map(|it| it.at);
    }
    assert!(failed.is_some_and(|at| at <= ms(5_200)), "{failed:?}");
    // Started by hand, it halts again: recovery has to write, too.
    run.inject(Fault::at(1, run.world.now(), Action::Restart { node: FOLLOWER }));
    run.step();
    assert_eq!(run.world.process(FOLLOWER), crate::sim::Process::Crashed);
    run.inject(Fault::at(2, run.world.now(), Action::Heal { a: FOLLOWER, b: None }));
    run.step();
    assert_eq!(run.world.process(FOLLOWER), crate::sim::Process::Running, "whoever made room starts it");
}

#[test]
fn a_follower_with_a_slow_disk_leaves_the_isr_and_its_broker_stays_alive() {
    let slow = Action::SlowDisk { node: FOLLOWER, by: Duration::from_millis(2_500), duration: span(5_000) };
    let (_, events) = story(&[(500, slow)]);
    assert!(events.iter().any(|(_, event)| isr_was(event, &[0, 2])));
    assert!(!events.iter().any(|(_, event)| matches!(event, Event::BrokerFenced { .. })), "heartbeats touch no disk");
    assert!(isr_was(&last_isr(&events), &[0, 1, 2]));
}

#[test]
fn one_way_cut_followers_leave_the_isr_though_all_brokers_live() {
    let cut = |a| Action::Partition { a: NodeId(a), b: Some(LEADER), duration: span(4_000), symmetric: false };
    let (_, events) = story(&[(500, cut(1)), (500, cut(2))]);
    assert!(events.iter().any(|(_, event)| isr_was(event, &[0])));
    assert!(!events.iter().any(|(_, event)| matches!(event, Event::BrokerFenced { .. })));
    assert!(isr_was(&last_isr(&events), &[0, 1, 2]));
}

fn end_of(run: &Run, broker: NodeId) -> Offset {
    run.world.broker(BrokerId::from(broker)).and_then(|it| it.log(TP)).expect("hosted").end_offset()
}

/// A batch that does not match its CRC is found when the broker recovers: it and all behind it are cut off, and fetched anew.
#[test]
fn recovery_cuts_a_corrupt_batch_off_and_replication_brings_it_back() {
    let corrupt = Action::Corrupt { node: FOLLOWER, log: Some(("orders".into(), 0)), offset: Some(10) };
    let crash = Action::Crash { node: FOLLOWER, restart_after: span(1_000) };
    let (run, events) = story(&[(1_000, corrupt), (1_000, crash)]);
    place(&events, |node, event| match event {
        Event::LogRecovered { partition: TP, log_end_offset, lost_bytes } => {
            node == FOLLOWER && *log_end_offset == 10 && *lost_bytes > 0
        }
        _ => false,
    });
    assert_eq!(end_of(&run, FOLLOWER), end_of(&run, LEADER));
}

/// A follower checks the CRC of all it fetches: what is corrupt on the leader's disk does not spread.
#[test]
fn followers_and_consumers_refuse_a_corrupt_batch() {
    let mut setup = hasty();
    setup.producers = vec![producer(&[("acks", "1")], 200)];
    // Cut off, the followers have not got the batch when it rots.
    let cut = |id, a| {
        Fault::at(
            id,
            ms(400),
            Action::Partition { a: NodeId(a), b: Some(LEADER), duration: span(500), symmetric: true },
        )
    };
    let rot = Action::Corrupt { node: LEADER, log: Some(("orders".into(), 0)), offset: Some(30) };
    setup.faults = vec![cut(0, 1), cut(1, 2), Fault::at(2, ms(700), rot)];
    let mut run = Run::new(World::new(setup).expect("it boots"));
    while run.world.now() < ms(2_000) && run.step().is_some() {}
    assert!(end_of(&run, LEADER) > 50);
    for follower in [FOLLOWER, NodeId(2)] {
        assert!(end_of(&run, follower) <= 30, "it fetches it again and again, and refuses all that comes with it");
    }
    // The leader alone in the ISR commits it, and the consumer meets it.
    while run.world.now() < ms(6_000) && run.step().is_some() {}
    let thrown = |app: &ConsumerApp| app.has_failed();
    assert!(run.world.consumers().all(|(_, app)| thrown(app)), "poll() throws at offset 30");
    assert_eq!(run.verdict().processed, 30);
}

/// What a power loss takes from one replica the others still have.
#[test]
fn a_power_loss_of_the_leader_takes_nothing_that_was_acknowledged() {
    let (run, events) = story(&[(1_500, Action::PowerLoss { node: LEADER, restart_after: span(3_000) })]);
    place(&events, |node, event| match event {
        Event::LogRecovered { partition: TP, log_end_offset: 0, .. } => node == LEADER,
        _ => false,
    });
    assert_eq!(end_of(&run, LEADER), end_of(&run, FOLLOWER));
}
