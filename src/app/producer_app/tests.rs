//! Pace, restarts and transactions, against a broker that answers from a list.

use super::*;
use crate::app::TransactionPlan;
use crate::base::Duration;
use crate::base::config::{ProducerConfig, Properties};
use crate::client::consumer::fake::{BROKER, CLIENT, Fake};
use crate::client::payload::record_id_of;
use crate::node::Event;
use crate::protocol::{ApiKey, ErrorCode};

fn lab(key: KeyMode) -> Fake<ProducerApp> {
    lab_with(key, Resend::Never)
}

fn lab_with(key: KeyMode, resend: Resend) -> Fake<ProducerApp> {
    let mut lab = Fake::new(ProducerApp::new(ProducerAppSetup {
        node: CLIENT,
        name: "shop".into(),
        topic: "orders".into(),
        records: 5,
        first_record: RecordId(100),
        interval: Duration::from_millis(100),
        key,
        value_size: Some(32),
        resend,
        config: ProducerConfig::parse(&Properties::new()).expect("defaults are valid"),
        transactions: None,
        start: None,
        brokers: [BROKER].into(),
    }));
    lab.start();
    lab
}

fn logged(lab: &Fake<ProducerApp>) -> Vec<(Option<RecordId>, Option<Bytes>)> {
    let records = lab.broker.log.iter().flat_map(|batch| batch.records().map(|record| record.expect("readable")));
    records.map(|record| (record.value.as_deref().and_then(record_id_of), record.key)).collect()
}

#[test]
fn records_are_numbered_and_paced() {
    let mut lab = lab(KeyMode::Entities(2));
    lab.run_ms(250);
    assert_eq!(lab.node.records_sent(), 3);
    assert!(matches!(lab.node.activity(), ProducerActivity::Waiting { .. }) && !lab.node.is_done());
    lab.run_ms(1_000);
    let key = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let keys = ["entity-0", "entity-1", "entity-0", "entity-1", "entity-0"].map(key);
    let expected: Vec<_> = (100..105).map(|id| Some(RecordId(id))).zip(keys).collect();
    assert_eq!(logged(&lab), expected);
    assert!(lab.node.is_done());
    assert_eq!(lab.node.activity(), ProducerActivity::AllSent);
}

#[test]
fn a_restart_goes_on_with_the_next_record() {
    let mut lab = lab(KeyMode::None);
    lab.run_to(|event| matches!(event, Event::Sent { record: RecordId(102), .. }));
    lab.crash();
    assert!(lab.node.is_done() && lab.node.client().is_none());
    lab.start();
    lab.run_ms(5_000);
    let ids: Vec<_> = logged(&lab).into_iter().filter_map(|(id, _)| id).map(|id| id.0).collect();
    assert_eq!(ids, [100, 101, 103, 104], "102 lay in the accumulator");
    assert_eq!(lab.node.lives(), 2);
}

#[test]
fn a_restart_sends_again_what_was_not_acknowledged() {
    let mut lab = lab_with(KeyMode::None, Resend::Unacknowledged);
    lab.run_to(|event| matches!(event, Event::Acked { record: RecordId(101), .. }));
    lab.hold.insert(ApiKey::Produce);
    lab.run_to(|event| matches!(event, Event::Sent { record: RecordId(103), .. }));
    lab.crash();
    lab.hold.clear();
    lab.start();
    assert!(!lab.node.is_done());
    lab.run_ms(5_000);
    let ids: Vec<_> = logged(&lab).into_iter().filter_map(|(id, _)| id).map(|id| id.0).collect();
    assert!(ids.starts_with(&[100, 101, 102]) && ids.ends_with(&[102, 103, 104]), "{ids:?}");
    assert!(lab.node.is_done());
}

#[test]
fn a_blocked_send_stops_the_program_and_is_repeated_after_a_crash() {
    let mut lab = lab(KeyMode::Unique);
    lab.hold.insert(ApiKey::Metadata);
    lab.run_ms(500);
    assert_eq!(lab.node.activity(), ProducerActivity::Blocked { record: RecordId(100) });
    assert_eq!(lab.node.records_sent(), 0);
    lab.crash();
    lab.hold.clear();
    lab.start();
    lab.run_ms(5_000);
    assert_eq!(logged(&lab).len(), 5);
}

// ---- in transactions ----

/// Five records in transactions of two.
fn transactional(abort_every: u32) -> Fake<ProducerApp> {
    let id: Properties = [("transactional.id".to_owned(), "shop-1".to_owned())].into();
    let setup = ProducerAppSetup {
        config: ProducerConfig::parse(&id).expect("valid settings"),
        transactions: Some(TransactionPlan { records: 2, abort_every, version: 2 }),
        ..(*lab(KeyMode::None).node.setup()).as_ref().clone()
    };
    let mut lab = Fake::new(ProducerApp::new(setup));
    lab.start();
    lab
}

fn logged_ids(lab: &Fake<ProducerApp>) -> Vec<u32> {
    logged(lab).into_iter().filter_map(|(id, _)| Some(id?.0)).collect()
}

fn ends(lab: &Fake<ProducerApp>) -> Vec<bool> {
    let ended = lab.events.iter().filter_map(|event| match event {
        Event::TransactionEnded { committed, .. } => Some(*committed),
        _ => None,
    });
    ended.collect()
}

#[test]
fn transactions_have_so_many_records_and_the_last_one_the_rest() {
    let mut lab = transactional(0);
    assert_eq!(lab.node.activity(), ProducerActivity::Initializing);
    lab.run_ms(5_000);
    assert_eq!((logged_ids(&lab), ends(&lab)), (vec![100, 101, 102, 103, 104], vec![true; 3]));
    assert_eq!((lab.node.records_sent(), lab.node.activity()), (5, ProducerActivity::AllSent));
    assert!(lab.node.is_done());
}

#[test]
fn what_is_aborted_on_purpose_is_not_sent_again() {
    let mut lab = transactional(2);
    lab.run_ms(5_000);
    assert_eq!((logged_ids(&lab), ends(&lab)), (vec![100, 101, 104], vec![true, false, true]));
    assert!(lab.node.is_done());
}

#[test]
fn what_failed_is_sent_again_in_a_new_transaction() {
    let mut lab = transactional(0);
    lab.broker.errors.insert(ApiKey::Produce, [ErrorCode::InvalidProducerEpoch].into());
    lab.run_ms(10_000);
    assert_eq!((logged_ids(&lab), ends(&lab)), (vec![100, 101, 102, 103, 104], vec![false, true, true, true]));
    assert_eq!(lab.events.iter().filter(|event| matches!(event, Event::ProducerFailed { .. })).count(), 1);
}

#[test]
fn a_fenced_program_stops() {
    let mut lab = transactional(0);
    lab.broker.errors.insert(ApiKey::EndTxn, [ErrorCode::ProducerFenced].into());
    lab.run_ms(10_000);
    assert!(matches!(lab.node.activity(), ProducerActivity::Failed(_)) && lab.node.is_done());
    assert_eq!(lab.count(ApiKey::EndTxn), 1);
    assert_eq!(lab.node.records_sent(), 2);
}

#[test]
fn a_restart_sends_again_what_is_not_known_to_be_committed() {
    let mut lab = transactional(0);
    lab.run_to(|event| matches!(event, Event::Sent { record: RecordId(103), .. }));
    assert_eq!(lab.node.records_sent(), 4);
    lab.crash();
    assert_eq!(lab.node.records_sent(), 2);
    lab.start();
    lab.run_ms(5_000);
    assert_eq!(logged_ids(&lab), [100, 101, 102, 103, 104], "the coordinator undid the open transaction");
}
