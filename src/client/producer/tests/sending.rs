//! Accumulator and sender: linger, batches, limits, time-outs, retries, acks.

use super::harness::{Lab, partition};
use crate::base::{BrokerId, Duration, NodeId, RecordId, TopicPartition};
use crate::client::payload::record_id_of;
use crate::client::producer::{ProducerActivity, SendOutcome, partition_for_key};
use crate::node::Event;
use crate::protocol::{CurrentLeader, ErrorCode};

/// No idempotence, no linger unless asked for.
const PLAIN: (&str, &str) = ("enable.idempotence", "false");

#[test]
fn a_record_is_sent_and_acknowledged_with_default_settings() {
    let mut lab = Lab::new(&[]);
    lab.warm_up();
    assert_eq!(lab.send(7), SendOutcome::Buffered(partition(0)));
    lab.advance(4);
    assert!(matches!(lab.producer.activity(lab.now), ProducerActivity::Lingering { .. }));
    lab.advance(1);
    let sent = lab.take_one();
    assert_eq!((sent.request.acks, sent.base_sequence(), sent.epoch()), (-1, 0, 0));
    let batch = &sent.request.partitions[0].batch;
    assert!(batch.validate_crc());
    let values: Vec<_> = batch.records().map(|r| r.ok().and_then(|r| record_id_of(&r.value?))).collect();
    assert_eq!(values, [Some(RecordId(7))]);
    let in_flight = ProducerActivity::InFlight { records: vec![RecordId(7)], attempt: 1 };
    assert_eq!(lab.producer.activity(lab.now), in_flight);
    lab.answer(&sent, ErrorCode::None, 42);
    assert_eq!(lab.acked(), [(7, 42)]);
    assert!(lab.producer.is_idle());
    let (free, all) = lab.producer.memory();
    assert_eq!(free, all);
}

#[test]
fn records_of_one_linger_share_a_batch() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "10")]);
    lab.warm_up();
    for record in 0..3 {
        lab.send(record);
        lab.advance(3);
    }
    assert!(lab.take_sent().is_empty());
    lab.advance(1);
    let sent = lab.take_one();
    assert_eq!((sent.record_count(), sent.base_sequence()), (3, -1));
    lab.answer(&sent, ErrorCode::None, 5);
    assert_eq!(lab.acked(), [(0, 5), (1, 6), (2, 7)]);
}

#[test]
fn a_full_batch_does_not_linger() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "1000"), ("batch.size", "300")]);
    lab.warm_up();
    lab.send_record(0, None, None, Some(100));
    lab.send_record(1, None, None, Some(100));
    assert!(lab.take_sent().is_empty());
    lab.send_record(2, None, None, Some(100));
    assert_eq!(lab.take_one().record_count(), 2);
    lab.act(|producer, now, out| producer.flush(now, out));
    assert_eq!(lab.take_one().record_count(), 1, "flush sends what lingers");
    assert!(!lab.producer.is_flushed());
}

#[test]
fn one_request_per_node_with_one_batch_per_partition() {
    let mut lab = Lab::with_partitions(&[PLAIN, ("linger.ms", "5")], &[0, 1, 0]);
    lab.warm_up();
    for index in 0..3 {
        lab.send_record(index, Some(index), None, None);
    }
    // The first record connects to its broker; its batch's linger ends meanwhile.
    lab.advance(5);
    let mut sent: Vec<_> = lab.take_sent();
    sent.sort_by_key(|sent| sent.to);
    let partitions =
        |i: usize| -> Vec<TopicPartition> { sent[i].request.partitions.iter().map(|p| p.partition).collect() };
    assert_eq!(sent.len(), 2);
    assert_eq!((sent[0].to, partitions(0)), (NodeId(0), vec![partition(0), partition(2)]));
    assert_eq!((sent[1].to, partitions(1)), (NodeId(1), vec![partition(1)]));
}

#[test]
fn max_in_flight_requests_are_kept() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0"), ("max.in.flight.requests.per.connection", "2")]);
    lab.warm_up();
    for record in 0..5 {
        lab.send(record);
    }
    let sent = lab.take_sent();
    assert_eq!(sent.len(), 2);
    lab.answer(&sent[0], ErrorCode::None, 0);
    let third = lab.take_one();
    assert_eq!(third.record_count(), 3, "what waited went together");
}

#[test]
fn one_request_in_flight_keeps_the_order_over_retries() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0"), ("max.in.flight.requests.per.connection", "1")]);
    lab.warm_up();
    lab.send(0);
    lab.send(1);
    let first = lab.take_one();
    lab.answer(&first, ErrorCode::NotEnoughReplicas, -1);
    assert!(lab.take_sent().is_empty(), "the second waits behind the first's back-off");
    lab.advance(120);
    let again = lab.take_one();
    assert_eq!(again.request, first.request);
    lab.answer(&again, ErrorCode::None, 0);
    lab.answer_one(ErrorCode::None, 1);
    assert_eq!(lab.acked(), [(0, 0), (1, 1)]);
}

/// Without idempotence and with several requests in flight, a retry overtakes nobody: it is overtaken.
#[test]
fn more_in_flight_without_idempotence_reorders() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0")]);
    lab.warm_up();
    lab.send(0);
    lab.send(1);
    let sent = lab.take_sent();
    lab.answer(&sent[0], ErrorCode::NotEnoughReplicas, -1);
    lab.answer(&sent[1], ErrorCode::None, 0);
    lab.advance(120);
    lab.answer_one(ErrorCode::None, 1);
    assert_eq!(lab.acked(), [(1, 0), (0, 1)]);
}

#[test]
fn retries_back_off_and_run_out() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0"), ("retries", "2")]);
    lab.warm_up();
    lab.send(0);
    for attempt in 0..2_u64 {
        let sent = lab.take_one();
        lab.answer(&sent, ErrorCode::NotEnoughReplicasAfterAppend, -1);
        let (_, at) = lab.retries()[attempt as usize];
        let wait = at.since(lab.now).as_millis();
        let base = 100 << attempt;
        assert!((base * 8 / 10..base * 12 / 10).contains(&wait), "attempt {attempt}: {wait} ms");
        let next = attempt as u32 + 2;
        let records = vec![RecordId(0)];
        assert_eq!(lab.producer.activity(lab.now), ProducerActivity::BackingOff { records, attempt: next, until: at });
        lab.advance(wait - 1);
        assert!(lab.take_sent().is_empty());
        lab.advance(2);
    }
    lab.answer_one(ErrorCode::NotEnoughReplicasAfterAppend, -1);
    assert_eq!(lab.failed(), [(0, "NOT_ENOUGH_REPLICAS_AFTER_APPEND".into())]);
    assert!(lab.producer.is_idle());
}

#[test]
fn an_error_that_is_not_retriable_fails_at_once() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0")]);
    lab.warm_up();
    lab.send(0);
    lab.answer_one(ErrorCode::InvalidRecord, -1);
    assert_eq!(lab.failed(), [(0, "INVALID_RECORD".into())]);
}

#[test]
fn a_known_new_leader_cuts_the_back_off() {
    let mut lab = Lab::with_partitions(&[PLAIN, ("linger.ms", "0"), ("retry.backoff.ms", "1000")], &[0, 1]);
    lab.warm_up();
    lab.send_record(0, Some(0), None, None);
    let sent = lab.take_one();
    let leader = CurrentLeader { leader: BrokerId(1), epoch: 1 };
    lab.answer_with_leader(&sent, ErrorCode::NotLeaderOrFollower, leader);
    let again = lab.take_one();
    assert_eq!((again.to, again.at), (NodeId(1), sent.at));
}

#[test]
fn without_the_hint_metadata_is_refreshed_first() {
    let mut lab = Lab::with_partitions(&[PLAIN, ("linger.ms", "0")], &[0, 1]);
    lab.warm_up();
    lab.send_record(0, Some(0), None, None);
    let sent = lab.take_one();
    lab.leaders[0] = (BrokerId(1), 1);
    lab.answer(&sent, ErrorCode::NotLeaderOrFollower, -1);
    assert_eq!(lab.take_one().to, NodeId(1));
}

#[test]
fn an_unanswered_request_times_out_and_is_sent_again() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0"), ("request.timeout.ms", "1000")]);
    lab.warm_up();
    lab.send(0);
    let sent = lab.take_one();
    lab.advance(999);
    assert!(lab.retries().is_empty());
    lab.advance(1);
    assert_eq!(lab.closed_by_client, [NodeId(0)]);
    assert_eq!(lab.retries()[0].0, ErrorCode::RequestTimedOut);
    lab.advance(200);
    assert_eq!(lab.take_one().request, sent.request);
}

#[test]
fn a_broken_connection_fails_everything_on_it_in_order() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0")]);
    lab.warm_up();
    lab.send(0);
    lab.send(1);
    assert_eq!(lab.take_sent().len(), 2);
    lab.disconnect(0);
    let codes: Vec<_> = lab.retries().iter().map(|(error, _)| *error).collect();
    assert_eq!(codes, [ErrorCode::NetworkException; 2]);
    let failed = |e: &&Event| matches!(e, Event::RequestFailed { error: ErrorCode::NetworkException, .. });
    assert_eq!(lab.events.iter().filter(failed).count(), 2);
    lab.advance(300);
    assert_eq!(lab.take_sent().len(), 2);
}

#[test]
fn delivery_timeout_counts_from_the_batch() {
    let settings = [
        PLAIN,
        ("linger.ms", "0"),
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "2500"),
        ("retry.backoff.ms", "10"),
    ];
    let mut lab = Lab::new(&settings);
    lab.warm_up();
    lab.send(0);
    lab.advance(2_499);
    assert!(lab.failed().is_empty());
    lab.advance(1);
    assert_eq!(lab.failed(), [(0, "REQUEST_TIMED_OUT".into())]);
    assert!(lab.producer.is_idle());
    lab.advance(10_000);
    assert_eq!(lab.failed().len(), 1);
    let (free, all) = lab.producer.memory();
    assert_eq!(free, all, "memory came back when the last request ended");
}

#[test]
fn nothing_is_drained_to_a_broker_that_does_not_answer() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0"), ("delivery.timeout.ms", "40000")]);
    lab.warm_up();
    lab.send(0);
    lab.answer_one(ErrorCode::None, 0);
    lab.silent = vec![NodeId(0)];
    lab.disconnect(0);
    lab.send(1);
    lab.advance(30_000);
    assert!(matches!(lab.producer.activity(lab.now), ProducerActivity::WaitingForLeader { .. }));
    lab.advance(10_000);
    assert_eq!(lab.failed(), [(1, "REQUEST_TIMED_OUT".into())]);
    assert!(!lab.events.iter().any(|e| matches!(e, Event::BatchSent { records, .. } if records[0] == RecordId(1))));
}

#[test]
fn acks_0_completes_without_an_offset_right_after_sending() {
    let mut lab = Lab::new(&[("acks", "0"), ("linger.ms", "0")]);
    lab.warm_up();
    for record in 0..10 {
        lab.send(record);
    }
    assert_eq!(lab.take_sent().len(), 10, "no limit in flight");
    assert_eq!(lab.acked(), (0..10).map(|record| (record, -1)).collect::<Vec<_>>());
    let before = lab.metadata_requests;
    lab.disconnect(0);
    lab.advance(300);
    assert!(lab.metadata_requests > before, "a closed connection is all it hears of an error");
    assert!(lab.failed().is_empty());
}

#[test]
fn keys_choose_partitions_and_no_key_sticks() {
    let mut lab = Lab::with_partitions(&[PLAIN, ("linger.ms", "0"), ("batch.size", "1000")], &[0; 8]);
    lab.warm_up();
    for key in ["a", "b", "key"] {
        let expected = partition(partition_for_key(key.as_bytes(), 8));
        assert_eq!(lab.send_record(0, None, Some(key), None), SendOutcome::Buffered(expected));
    }
    let mut partitions = Vec::new();
    for record in 0..40 {
        let SendOutcome::Buffered(at) = lab.send_record(record, None, None, Some(100)) else { panic!("blocked") };
        partitions.push(at.partition);
        for sent in lab.take_sent() {
            lab.answer(&sent, ErrorCode::None, 0);
        }
    }
    // Each batch holds one record here, 169 bytes or so: six of them reach batch.size.
    let mut runs: Vec<usize> = partitions.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    runs.pop();
    assert!(runs.iter().all(|run| run % 6 == 0), "{partitions:?}");
    assert!(runs.len() > 2, "{partitions:?}");
}

#[test]
fn send_waits_for_metadata_and_gives_up() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "0"), ("max.block.ms", "500")]);
    lab.silent = vec![NodeId(0)];
    lab.disconnect(0);
    assert_eq!(lab.send(0), SendOutcome::Blocked);
    assert_eq!(lab.send(1), SendOutcome::Blocked);
    assert!(matches!(lab.producer.activity(lab.now), ProducerActivity::WaitingForMetadata { .. }));
    lab.advance(500);
    assert_eq!(lab.failed(), [(0, "REQUEST_TIMED_OUT".into())], "the second is its thread's next send()");
    lab.silent.clear();
    assert!(lab.producer.is_blocked(), "the silent connection is still being made");
    lab.disconnect(0);
    lab.advance(300);
    assert_eq!(lab.take_one().record_count(), 1);
    assert_eq!(lab.failed().len(), 1);
}

#[test]
fn send_waits_for_memory() {
    let settings = [PLAIN, ("linger.ms", "1000"), ("batch.size", "1000"), ("buffer.memory", "1500")];
    let mut lab = Lab::new(&settings);
    lab.warm_up();
    assert!(matches!(lab.send_record(0, None, None, Some(900)), SendOutcome::Buffered(_)));
    assert_eq!(lab.send_record(1, None, None, Some(900)), SendOutcome::Blocked);
    let sent = lab.take_one();
    assert_eq!(sent.record_count(), 1, "out of memory, nothing lingers");
    lab.answer(&sent, ErrorCode::None, 0);
    assert!(!lab.producer.is_blocked());
    lab.send_record(2, None, None, Some(900));
    lab.advance(60_000);
    assert_eq!(lab.failed().len(), 1, "{:?}", lab.failed());
}

#[test]
fn a_record_over_max_request_size_is_refused() {
    let mut lab = Lab::new(&[PLAIN, ("max.request.size", "500")]);
    lab.warm_up();
    assert_eq!(lab.send_record(0, None, None, Some(500)), SendOutcome::Failed);
    assert!(lab.failed()[0].1.starts_with("RecordTooLargeException: The message is"));
}

#[test]
fn close_sends_what_is_left_and_goes_quiet() {
    let mut lab = Lab::new(&[PLAIN, ("linger.ms", "1000")]);
    lab.warm_up();
    lab.send(0);
    lab.act(|producer, now, out| producer.close(now, out));
    assert!(!lab.producer.is_closed());
    lab.answer_one(ErrorCode::None, 0);
    assert!(lab.producer.is_closed());
    assert_eq!(lab.producer.activity(lab.now), ProducerActivity::Closed);
    let before = lab.events.len();
    lab.advance(Duration::from_millis(600_000).as_millis());
    assert_eq!(lab.events.len(), before);
    assert_eq!(lab.send(1), SendOutcome::Failed);
}
