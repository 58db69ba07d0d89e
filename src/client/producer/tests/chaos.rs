//! Random trouble against a model of a partition leader: whatever happens, every record ends once; and with idempotence
//! the log holds every acknowledged record once, in order.

use super::harness::{Lab, Sent};
use crate::base::{Offset, Prng, SortedMap};
use crate::client::payload::record_id_of;
use crate::protocol::ErrorCode;
use crate::record::{RecordBatch, increment_sequence};
use std::collections::VecDeque;

/// What a leader keeps of a producer: its epoch and its last five batches (first and last sequence, base offset).
#[derive(Default)]
struct ProducerState {
    epoch: i16,
    batches: VecDeque<(i32, i32, Offset)>,
}

#[derive(Default)]
struct Leader {
    log: Vec<u32>,
    producers: SortedMap<i64, ProducerState>,
}

impl Leader {
    fn append(&mut self, batch: &RecordBatch) -> Result<Offset, ErrorCode> {
        let base_offset = self.log.len() as Offset;
        if batch.has_producer_id() {
            let unknown = !self.producers.contains_key(&batch.producer_id());
            let state = self.producers.entry(batch.producer_id()).or_default();
            let sequences = (batch.base_sequence(), batch.last_sequence());
            if batch.producer_epoch() == state.epoch
                && let Some(known) = state.batches.iter().find(|known| (known.0, known.1) == sequences)
            {
                return Ok(known.2);
            }
            if batch.producer_epoch() < state.epoch {
                return Err(ErrorCode::InvalidProducerEpoch);
            }
            let newer = batch.producer_epoch() > state.epoch;
            let expected = state.batches.back().filter(|_| !newer).map_or(0, |last| increment_sequence(last.1, 1));
            if sequences.0 != expected && !unknown {
                return Err(ErrorCode::OutOfOrderSequenceNumber);
            }
            if newer {
                state.batches.clear();
            }
            state.epoch = batch.producer_epoch();
            state.batches.push_back((sequences.0, sequences.1, base_offset));
            if state.batches.len() > 5 {
                state.batches.pop_front();
            }
        }
        for record in batch.records() {
            let value = record.ok().and_then(|record| record.value).unwrap_or_default();
            self.log.push(record_id_of(&value).expect("the test's own records").0);
        }
        Ok(base_offset)
    }
}

/// Serves one request, or part of it, or breaks its connection. False if the connection broke.
fn serve(lab: &mut Lab, leader: &mut Leader, sent: &Sent, random: &mut Prng, trouble: u64) -> bool {
    let luck = random.below(100);
    let batch = &sent.request.partitions[0].batch;
    if luck < trouble {
        lab.disconnect(0);
        return false;
    }
    if luck < 2 * trouble {
        lab.answer(sent, ErrorCode::NotEnoughReplicas, -1);
        return true;
    }
    let outcome = leader.append(batch);
    if luck < 3 * trouble {
        lab.disconnect(0);
        return false;
    }
    match outcome {
        Ok(_) if luck < 4 * trouble => lab.answer(sent, ErrorCode::NotEnoughReplicasAfterAppend, -1),
        Ok(base_offset) => lab.answer(sent, ErrorCode::None, base_offset),
        Err(error) => lab.answer(sent, error, -1),
    }
    true
}

fn run(settings: &[(&str, &str)], seed: u64) -> (Lab, Leader) {
    let mut random = Prng::split(seed, "chaos");
    let (mut lab, mut leader) = (Lab::new(settings), Leader::default());
    lab.warm_up();
    let mut queue: VecDeque<Sent> = VecDeque::new();
    // The first record arrives in peace: a leader that knows nothing of a producer takes any sequence, so a refusal of
    // the very first batch while the second is in flight would shut it out for good. Kafka has the same gap.
    lab.send(0);
    lab.advance(10);
    let first = lab.take_one();
    assert!(serve(&mut lab, &mut leader, &first, &mut random, 0));
    let mut next = 1;
    let mut idle_rounds = 0;
    while idle_rounds < 50 {
        let calm = next >= 100;
        for _ in 0..random.below(4) {
            if next < 100 {
                lab.send(next);
                next += 1;
            }
        }
        queue.extend(lab.take_sent());
        // A connection's requests are served in order; a pause now and then lets requests time out.
        for _ in 0..random.below(5) {
            let Some(sent) = queue.pop_front() else { break };
            if !serve(&mut lab, &mut leader, &sent, &mut random, if calm { 0 } else { 6 }) {
                queue.clear();
            }
            queue.extend(lab.take_sent());
        }
        let before = lab.closed_by_client.len();
        let pause = if !calm && random.below(20) == 0 { 1_500 } else { random.below(80) };
        lab.advance(pause);
        if lab.closed_by_client.len() > before {
            // What was on the wire when the client gave up still arrives, up to some point.
            let arrive = random.below(queue.len() as u64 + 1) as usize;
            for sent in std::mem::take(&mut queue).into_iter().take(arrive) {
                let _answer_goes_nowhere = leader.append(&sent.request.partitions[0].batch);
            }
        }
        idle_rounds += u32::from(calm && lab.producer.is_idle());
    }
    let (free, all) = lab.producer.memory();
    assert_eq!(free, all, "seed {seed}: memory leaks");
    let mut ended: Vec<u32> = lab.acked().iter().map(|(record, _)| *record).collect();
    ended.extend(lab.failed().iter().map(|(record, _)| *record));
    ended.sort_unstable();
    assert_eq!(ended, (0..100).collect::<Vec<_>>(), "seed {seed}: every record ends once");
    (lab, leader)
}

const PATIENT: [(&str, &str); 3] = [("linger.ms", "5"), ("request.timeout.ms", "1000"), ("retry.backoff.ms", "20")];
const HASTY: [(&str, &str); 4] =
    [("linger.ms", "0"), ("request.timeout.ms", "300"), ("delivery.timeout.ms", "400"), ("retry.backoff.ms", "20")];

#[test]
fn idempotence_stores_every_record_once_and_in_order() {
    for seed in 0..60 {
        let (lab, leader) = run(&PATIENT, seed);
        assert!(lab.failed().is_empty(), "seed {seed}: {:?}", lab.failed());
        assert_eq!(leader.log, (0..100).collect::<Vec<_>>(), "seed {seed}");
        for (record, offset) in lab.acked() {
            assert!(offset < 0 || leader.log[offset as usize] == record, "seed {seed}");
        }
    }
}

#[test]
fn records_given_up_do_not_make_others_twice() {
    let mut failed = 0;
    for seed in 0..60 {
        let (lab, leader) = run(&HASTY, seed);
        failed += lab.failed().len();
        for (record, _) in lab.acked() {
            let copies = leader.log.iter().filter(|logged| **logged == record).count();
            assert!(copies >= 1, "seed {seed}: record {record} was acknowledged and is not there");
        }
    }
    assert!(failed > 0, "the test should give some up");
}

#[test]
fn without_idempotence_nothing_acknowledged_is_missing() {
    let mut twice = 0;
    for (index, in_flight) in ["1", "5"].into_iter().enumerate() {
        for seed in 0..30 {
            let plain = [("enable.idempotence", "false"), ("max.in.flight.requests.per.connection", in_flight)];
            let settings: Vec<_> = plain.into_iter().chain(PATIENT).collect();
            let (lab, leader) = run(&settings, seed);
            assert!(lab.failed().is_empty(), "seed {seed}");
            let mut firsts = leader.log.clone();
            twice += firsts.len() - 100;
            firsts.dedup();
            let mut all = leader.log.clone();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all, (0..100).collect::<Vec<_>>(), "{index} seed {seed}");
        }
    }
    assert!(twice > 0, "retries without idempotence write twice");
}
