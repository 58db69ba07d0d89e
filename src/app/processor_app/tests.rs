//! What a crash costs, by when offsets are committed, against a broker that answers from a list.

use super::*;
use crate::app::Dedupe;
use crate::base::Duration;
use crate::base::config::{ConsumerConfig, ProducerConfig, Properties};
use crate::client::consumer::fake::{BROKER, CLIENT, Fake, TP, batch};
use crate::client::payload::record_id_of;
use crate::node::Event;
use crate::protocol::{ApiKey, ErrorCode};

type Lab = Fake<ProcessorApp>;

const RECORDS: u32 = 4;

fn properties(settings: &[(&str, &str)]) -> Properties {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn setup(offsets: OffsetsMode) -> ProcessorAppSetup {
    let consumer = [("group.id", "billing"), ("auto.offset.reset", "earliest"), ("enable.auto.commit", "false")];
    let consumer = properties(&[&consumer[..], &[("max.poll.records", "2")]].concat());
    ProcessorAppSetup {
        node: CLIENT,
        name: "billing".into(),
        group: "billing".into(),
        from: vec!["orders".into()],
        assign: true,
        to: vec!["invoices".into()],
        processing: Duration::from_millis(20),
        offsets,
        sink: Some(Dedupe::None.into()),
        sink_node: None,
        producer: ProducerConfig::parse(&Properties::new()).expect("defaults are valid"),
        consumer: ConsumerConfig::parse(&consumer).expect("valid settings"),
        transaction_version: 2,
        start: None,
        brokers: [BROKER].into(),
    }
}

fn lab(setup: ProcessorAppSetup) -> Lab {
    let mut lab = Fake::new(ProcessorApp::new(setup));
    lab.broker.log = (0..RECORDS).map(|id| batch(i64::from(id), &[id])).collect();
    lab.start();
    lab
}

impl Lab {
    /// How often each record's output stands in the log of `invoices`.
    fn outputs(&self) -> Vec<usize> {
        let records = self.broker.invoices.iter().flat_map(|batch| batch.records().map(|it| it.expect("readable")));
        let ids: Vec<_> = records.filter_map(|record| record_id_of(record.value.as_deref()?)).collect();
        (0..RECORDS).map(|id| ids.iter().filter(|it| it.0 == id).count()).collect()
    }
}

impl Lab {
    fn crash_and_restart(&mut self) {
        self.crash();
        self.start();
        self.run_ms(60_000);
        assert!(self.node.is_done(), "{:?}", self.node.activity());
    }

    /// How often each record's effect happened.
    fn effects(&self) -> Vec<u32> {
        let sink = self.node.sink().expect("it was given one");
        (0..RECORDS).map(|id| sink.row(RecordId(id)).map_or(0, |row| row.effects)).collect()
    }
}

/// The outputs after a crash following each single step of the run.
fn crash_everywhere(setup: &ProcessorAppSetup) -> Vec<Vec<usize>> {
    let mut outcomes = Vec::new();
    loop {
        let mut lab = lab(setup.clone());
        lab.run_steps(outcomes.len());
        if lab.outputs().iter().all(|outputs| *outputs > 0) && lab.node.is_done() {
            return outcomes;
        }
        lab.crash_and_restart();
        outcomes.push(lab.outputs());
    }
}

#[test]
fn every_record_is_sent_on_with_its_number() {
    for offsets in [OffsetsMode::After, OffsetsMode::Before] {
        let mut lab = lab(setup(offsets));
        lab.run_ms(10_000);
        assert_eq!((lab.outputs(), lab.effects()), (vec![1; 4], vec![1; 4]), "{offsets:?}");
        assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)));
        assert!(lab.node.is_done());
        assert_eq!(lab.node.activity(), ProcessorActivity::Polling(WaitsFor::Records));
    }
}

#[test]
fn offsets_committed_after_the_acks_repeat_and_never_lose() {
    let outcomes = crash_everywhere(&setup(OffsetsMode::After));
    assert!(outcomes.iter().any(|outcome| outcome.iter().any(|outputs| *outputs > 1)));
    assert!(outcomes.iter().all(|outcome| !outcome.contains(&0)));
}

#[test]
fn offsets_committed_before_lose_and_never_repeat() {
    let outcomes = crash_everywhere(&setup(OffsetsMode::Before));
    assert!(outcomes.iter().any(|outcome| outcome.contains(&0)));
    assert!(outcomes.iter().all(|outcome| outcome.iter().all(|outputs| *outputs <= 1)));
}

#[test]
fn what_could_not_be_written_is_read_again() {
    let mut setup = setup(OffsetsMode::After);
    setup.producer.retries = 0;
    setup.producer.enable_idempotence = false;
    let mut lab = lab(setup);
    lab.broker.errors.insert(ApiKey::Produce, [ErrorCode::NotEnoughReplicas].into());
    lab.run_ms(10_000);
    assert_eq!(lab.effects(), [2, 2, 1, 1], "the first batch of a poll was undone and read again");
    assert!(lab.outputs().iter().all(|outputs| *outputs > 0), "{:?}", lab.outputs());
    assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)));
}

#[test]
fn several_outputs_of_a_record_are_steps_of_their_own() {
    let mut setup = setup(OffsetsMode::After);
    setup.to = vec!["invoices".into(), "invoices".into()];
    let mut lab = lab(setup);
    lab.run_to(|event| matches!(event, Event::Sent { record: RecordId(0), .. }));
    assert_eq!(lab.node.activity(), ProcessorActivity::Sending { record: Some(RecordId(0)) });
    lab.run_ms(10_000);
    assert_eq!(lab.outputs(), [2; RECORDS as usize]);
}

// ---- in transactions ----

fn transactional(offsets: OffsetsMode) -> ProcessorAppSetup {
    let producer = ProducerConfig::parse(&properties(&[("transactional.id", "billing-1")])).expect("valid settings");
    ProcessorAppSetup { producer, ..setup(offsets) }
}

fn exceptions(lab: &Lab) -> Vec<String> {
    let failed = lab.events.iter().filter_map(|event| match event {
        Event::ProducerFailed { error } => Some(error.name().to_owned()),
        _ => None,
    });
    failed.collect()
}

#[test]
fn the_transaction_holds_output_and_offsets_together() {
    let mut lab = lab(transactional(OffsetsMode::Transaction));
    assert_eq!(lab.node.activity(), ProcessorActivity::Initializing);
    lab.run_to(|event| matches!(event, Event::OffsetsSent { .. }));
    assert_eq!(lab.broker.committed.get(&TP), None, "pending, until the transaction ends");
    lab.run_ms(10_000);
    assert_eq!((lab.outputs(), lab.effects()), (vec![1; 4], vec![1; 4]));
    assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)));
    assert_eq!((lab.count(ApiKey::OffsetCommit), lab.count(ApiKey::TxnOffsetCommit)), (0, 2));
    assert!(lab.node.is_done());
}

#[test]
fn a_crash_at_each_step_of_a_transaction_leaves_one_output() {
    let outcomes = crash_everywhere(&transactional(OffsetsMode::Transaction));
    assert!(outcomes.len() > 30, "many steps");
    assert!(outcomes.iter().all(|outcome| *outcome == [1; RECORDS as usize]), "{outcomes:?}");
}

#[test]
fn a_crash_between_transaction_and_commit_of_offsets_repeats() {
    let outcomes = crash_everywhere(&transactional(OffsetsMode::After));
    assert!(outcomes.iter().any(|outcome| outcome.contains(&2)));
    assert!(outcomes.iter().all(|outcome| !outcome.contains(&0)));
    let outcomes = crash_everywhere(&transactional(OffsetsMode::Before));
    assert!(outcomes.iter().any(|outcome| outcome.contains(&0)));
    assert!(outcomes.iter().all(|outcome| !outcome.contains(&2)));
}

#[test]
fn an_abortable_error_is_undone_and_read_again() {
    let mut lab = lab(transactional(OffsetsMode::Transaction));
    lab.broker.errors.insert(ApiKey::Produce, [ErrorCode::InvalidTxnState].into());
    lab.run_to(|event| matches!(event, Event::TransactionEnded { committed: false, .. }));
    assert_eq!(lab.outputs(), [0; RECORDS as usize]);
    lab.run_ms(10_000);
    assert_eq!((lab.outputs(), lab.effects()), (vec![1; 4], vec![2, 2, 1, 1]));
    assert_eq!(exceptions(&lab).len(), 1);
    assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)));
}

#[test]
fn what_was_committed_is_not_read_again_after_an_abort() {
    let mut lab = lab(transactional(OffsetsMode::Transaction));
    let third = [ErrorCode::None, ErrorCode::None, ErrorCode::InvalidTxnState];
    lab.broker.errors.insert(ApiKey::Produce, third.into());
    lab.run_ms(10_000);
    assert_eq!(exceptions(&lab).len(), 1);
    assert_eq!((lab.outputs(), &lab.effects()[..2]), (vec![1; 4], &[1, 1][..]));
    assert!(lab.effects()[2] > 1);
}

#[test]
fn who_is_fenced_stops() {
    let mut lab = lab(transactional(OffsetsMode::Transaction));
    lab.broker.errors.insert(ApiKey::EndTxn, [ErrorCode::ProducerFenced].into());
    lab.run_ms(60_000);
    assert_eq!(exceptions(&lab), ["PRODUCER_FENCED"]);
    assert!(lab.node.has_failed() && lab.node.is_done());
    assert!(matches!(lab.node.activity(), ProcessorActivity::Failed(_)));
    assert_eq!(lab.count(ApiKey::EndTxn), 1, "nothing more is tried");
}

#[test]
fn a_commit_that_takes_too_long_is_asked_for_again() {
    let mut setup = transactional(OffsetsMode::Transaction);
    setup.producer.max_block_ms = Duration::from_millis(500);
    let mut lab = lab(setup);
    lab.hold.insert(ApiKey::EndTxn);
    lab.run_ms(2_000);
    assert_eq!(lab.node.activity(), ProcessorActivity::Ending { committed: true });
    assert!(exceptions(&lab).iter().all(|error| error == "REQUEST_TIMED_OUT") && exceptions(&lab).len() > 2);
    lab.release();
    lab.run_ms(10_000);
    assert_eq!(lab.outputs(), [1; RECORDS as usize]);
    assert!(lab.node.is_done());
}
