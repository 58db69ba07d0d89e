//! J1 and J5 in spirit: crashes at random moments, invariants after every step.

use crate::cluster::Cluster;
use crate::requests::produce;
use delivery_lab::base::{BrokerId, Duration, Prng, TopicPartition};
use delivery_lab::node::{Channel, Crash, Event};
use delivery_lab::record::RecordBatch;

/// The batches of a broker's log below `end`.
fn below(cluster: &Cluster, broker: BrokerId, id: TopicPartition, end: i64) -> Vec<RecordBatch> {
    let log = cluster.broker(broker.0).log(id).expect("hosted");
    let stored = log.segments().iter().flat_map(|segment| segment.batches().iter());
    stored.map(|stored| stored.batch.clone()).filter(|batch| batch.last_offset() < end).collect()
}

/// J1, StrongIsr: below a leader's high watermark all live members of the controller's ISR hold the same.
/// J5, ValidHighWatermark: each of them has at least that much.
fn check(cluster: &Cluster, id: TopicPartition) {
    let Some(registration) = cluster.controller.image().partition(id) else { return };
    for (broker, leader) in &cluster.brokers {
        let Some(partition) = leader.partition(id).filter(|partition| partition.is_leader()) else { continue };
        let high_watermark = partition.log().high_watermark();
        let truth = below(cluster, *broker, id, high_watermark);
        for member in &registration.isr {
            let log = cluster.broker(member.0).log(id).expect("hosted");
            assert!(
                log.end_offset() >= high_watermark,
                "J5: {member} ends at {} below {broker}'s {high_watermark} at {}",
                log.end_offset(),
                cluster.now
            );
            assert_eq!(below(cluster, *member, id, high_watermark), truth, "J1: {member} and {broker} differ");
        }
    }
}

#[test]
fn j1_j5_in_sync_replicas_agree_below_the_high_watermark_whatever_crashes() {
    let mut truncations = 0;
    for seed in 0..12 {
        let (mut cluster, id) = Cluster::with_topic(3, &[("min.insync.replicas", "2")]);
        let mut random = Prng::split(seed, "chaos");
        let mut down: Option<i32> = None;
        for _ in 0..120 {
            for _ in 0..random.below(4) {
                let leader = cluster.leader(id);
                if leader >= 0 && cluster.broker(leader).is_running() {
                    let acks = if random.below(3) == 0 { 1 } else { -1 };
                    cluster.send_request(leader, Channel::Producer, produce(id, acks, "x"));
                }
            }
            match (down, random.below(12)) {
                (None, 0) => {
                    let broker = random.below(3) as i32;
                    if broker == cluster.leader(id) {
                        // It has this one, and nobody else will: the logs diverge.
                        cluster.send_request(broker, Channel::Producer, produce(id, 1, "lost"));
                        cluster.run_until(cluster.now + Duration::from_micros(600));
                    }
                    cluster.crash(broker, Crash::Process);
                    down = Some(broker);
                }
                (Some(broker), 0..=3) => {
                    cluster.restart(broker);
                    down = None;
                }
                _ => {}
            }
            let span = [1, 3, 20, 400, 3_000][random.below(5) as usize];
            for _ in 0..10 {
                cluster.run_for(span / 10 + 1);
                check(&cluster, id);
            }
        }
        if let Some(broker) = down {
            cluster.restart(broker);
        }
        cluster.run_for(60_000);
        check(&cluster, id);
        assert_eq!(cluster.isr(id).len(), 3, "seed {seed}: all come back");
        let ends: Vec<i64> =
            (0..3).map(|broker| cluster.broker(broker).log(id).expect("hosted").end_offset()).collect();
        assert!(ends.iter().all(|end| *end == ends[0] && *end > 0), "seed {seed}: {ends:?}");
        truncations += cluster.events.iter().filter(|(_, _, event)| matches!(event, Event::Truncated { .. })).count();
    }
    assert!(truncations > 0, "logs have to diverge for this to mean anything");
}
