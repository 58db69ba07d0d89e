//! Random faults of controllers, over many seeds (Kafka's `RaftEventSimulationTest`). Raft's properties are checked after
//! every event; when all is healed, there must be an active controller, and the cluster must be whole.

use crate::lab::{Lab, setup};
use crate::snapshots::SMALL;
use delivery_lab::base::{Duration, NodeId, Prng, Time};
use delivery_lab::scenario::{self, library};
use delivery_lab::session::sweep;
use delivery_lab::sim::{Action, Fault};

/// Faults begin within this much of the origin.
const HORIZON_MS: u64 = 20_000;

fn faults(seed: u64, brokers: u16) -> Vec<Fault> {
    let mut random = Prng::split(seed, "quorum faults");
    let count = random.between(3, 9) as u32;
    let fault = |id| {
        let at = Time::ORIGIN + Duration::from_millis(random.below(HORIZON_MS));
        let duration = Some(Duration::from_millis(random.between(100, 8_000)));
        let mut controller = || NodeId(brokers + random.below(3) as u16);
        let (node, other) = (controller(), controller());
        let action = match random.below(9) {
            0 | 1 => Action::Crash { node, restart_after: duration },
            2 => Action::PowerLoss { node, restart_after: duration },
            3 => Action::Pause { node, duration },
            4 => Action::Partition { a: node, b: None, duration, symmetric: random.below(2) == 0 },
            5 | 6 if node != other => {
                Action::Partition { a: node, b: Some(other), duration, symmetric: random.below(2) == 0 }
            }
            7 => Action::Shutdown { node, restart_after: duration },
            _ => {
                let broker = NodeId(random.below(u64::from(brokers)) as u16);
                Action::Crash { node: broker, restart_after: duration }
            }
        };
        Fault::at(id, at, action)
    };
    (0..count).map(fault).collect()
}

fn run(seed: u64) {
    let mut setup = setup(seed, 200, if seed.is_multiple_of(2) { &[] } else { SMALL });
    setup.faults = faults(seed, setup.brokers);
    let text = format!("{:?}", setup.faults);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut lab = Lab::of(setup);
        lab.pass(HORIZON_MS + 9_000);
        lab.finish();
        assert_eq!(lab.run.final_verdict().acked_lost.len(), 0, "with two of three in sync, nothing acked is lost");
    }));
    assert!(outcome.is_ok(), "seed {seed}: {text}");
}

fn seeds() -> std::ops::Range<u64> {
    match std::env::var("QUORUM_SEEDS").ok().and_then(|text| text.parse().ok()) {
        Some(count) => 0..count,
        None => 0..100,
    }
}

#[test]
fn every_fault_there_is_breaks_nothing_under_three_controllers() {
    let mut scenario = library::get("commit-after").expect("it is in the library");
    for set in ["cluster.controllers=3", "shop.enable.idempotence=true"] {
        scenario::set(&mut scenario, set).expect("a valid setting");
    }
    let seeds = seeds();
    let outcome = sweep::run(&scenario, (seeds.end - seeds.start) / 2, |_| {}).expect("a valid scenario");
    assert_eq!(outcome.broken, None);
}

#[test]
fn can_make_progress_after_random_crashes_pauses_and_partitions() {
    seeds().for_each(run);
}
