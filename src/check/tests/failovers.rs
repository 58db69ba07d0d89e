//! Leaders that change quickly: what the TLA+ models of replication (hachikuji/kafka-specification) found unsafe without
//! fencing cannot happen.

use super::super::liveness;
use super::super::run::Run;
use super::made::{calm, producer};
use crate::base::config::{BrokerConfig, Properties};
use crate::base::{Duration, NodeId, Prng, Time};
use crate::node::Event;
use crate::sim::{Action, Fault, World, WorldSetup};
use std::rc::Rc;

/// Sessions so short that a leader falls every second or so; producers that wait for nobody, so that logs diverge.
fn restless(seed: u64) -> WorldSetup {
    let pairs = [
        ("replica.lag.time.max.ms", "600"),
        ("broker.session.timeout.ms", "300"),
        ("broker.heartbeat.interval.ms", "60"),
    ];
    let properties: Properties = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut setup = WorldSetup { seed, ..calm() };
    setup.producers = vec![producer(&[("acks", "1")], 400)];
    setup.broker_config = Rc::new(BrokerConfig::parse(&properties).expect("good settings"));
    setup
}

/// J3: Kip101. Two quick leader changes: the second leader's followers still truncate by what the first one said. Every
/// fetch carries the leader epoch that its sender knows, and is refused by any other leader; so no such answer counts.
#[test]
fn j3_two_quick_leader_changes_do_not_make_logs_diverge_below_the_high_watermark() {
    let (mut truncations, mut leaders) = (0, 0);
    for seed in 0..12 {
        let mut setup = restless(seed);
        let mut random = Prng::split(seed, "failovers");
        let mut at = 500;
        while at < 6_000 {
            // Whoever leads, the next falls before the last one's followers have settled.
            for (node, after) in [(random.below(3), 0), (random.below(3), random.between(1, 400))] {
                let (node, restart_after) = (NodeId(node as u16), Some(Duration::from_millis(random.between(1, 900))));
                let (at, id) = (Time::from_origin_us((at + after) * 1_000), setup.faults.len() as u32);
                let action = match random.below(3) {
                    0 => Action::Pause { node, duration: restart_after },
                    _ => Action::Crash { node, restart_after },
                };
                setup.faults.push(Fault::at(id, at, action));
            }
            at += random.between(300, 1_500);
        }
        let mut run = Run::new(World::new(setup).expect("it boots"));
        let end = Time::from_origin_us(60_000_000);
        while !run.world.is_quiet() || !liveness(&run.world).is_empty() {
            let Some(step) = run.step_before(end) else { break };
            let count = |is_it: fn(&Event) -> bool| step.events.iter().filter(|it| is_it(&it.event)).count();
            truncations += count(|event| matches!(event, Event::Truncated { .. }));
            leaders += count(|event| matches!(event, Event::BecameLeader { .. }));
        }
        assert!(run.invariants.violations().is_empty(), "seed {seed}: {:#?}", run.invariants.violations());
        assert_eq!(liveness(&run.world), [], "seed {seed}");
    }
    assert!(truncations > 10 && leaders > 100, "logs have to diverge: {truncations} truncations, {leaders} leaders");
}
