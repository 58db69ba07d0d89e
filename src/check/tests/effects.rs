//! One effect for each record, shown to fail on effects that are more or fewer.

use super::super::invariants::{Invariant, Invariants};
use super::made::{BILLING, BROKER, Book, INVOICES, MAILER, TP, batch, consumer, processor, producer, setup};
use crate::app::{
    CommitMode, ConsumerAppSetup, Dedupe, HandOver, OffsetsMode, ProcessorAppSetup, Refusal, SinkSetup, Writes,
};
use crate::base::config::{AutoOffsetReset, BrokerConfig};
use crate::base::{NodeId, Time};
use crate::protocol::NewTopic;
use std::rc::Rc;

fn mailer(sink: SinkSetup) -> ConsumerAppSetup {
    ConsumerAppSetup { sink, ..consumer(&[("auto.offset.reset", "earliest")], CommitMode::AfterSync) }
}

/// How many of the records 0, 1 (twice) and 2 (never) break the promise.
fn broken(apps: Vec<ConsumerAppSetup>, ended: bool) -> usize {
    let mut book = Book::new(true);
    book.sent(&[0, 1, 2]).appended(BROKER, batch(0, 0, &[0, 1, 2])).committed(BROKER, 3).processed(&[0, 1, 1]);
    let setup = setup(vec![producer(&[], 10)], apps);
    let found = Invariants::new(&setup).check_effects(&book.ledger, &setup, Time::ORIGIN, |_| ended);
    assert!(found.iter().all(|it| it.invariant == Invariant::EffectOnce));
    found.len()
}

#[test]
fn a_strategy_that_works_lets_each_effect_happen_once() {
    for dedupe in [Dedupe::UniqueKey, Dedupe::ProcessedIds, Dedupe::OffsetWithOutput] {
        assert_eq!(broken(vec![mailer(dedupe.into())], true), 2, "{dedupe:?}: 1 twice, 2 never");
        assert_eq!(broken(vec![mailer(dedupe.into())], false), 1, "{dedupe:?}: 2 may still come");
    }
    assert_eq!(broken(vec![mailer(Dedupe::Version.into())], true), 1, "a newer one may stand for 2");
}

#[test]
fn nothing_is_promised_where_the_strategy_has_a_hole() {
    let ids = SinkSetup::from(Dedupe::ProcessedIds);
    for sink in [
        Dedupe::None.into(),
        SinkSetup { window_records: Some(3), ..ids },
        SinkSetup { writes: Writes::EffectFirst, ..ids },
        SinkSetup { writes: Writes::IdentityFirst, ..ids },
    ] {
        assert_eq!(broken(vec![mailer(sink)], true), 0, "{sink:?}");
    }
    let roomy = mailer(SinkSetup { window_records: Some(10), ..ids });
    assert_eq!(broken(vec![roomy], true), 2, "of ten records it remembers all");
    let worker = ConsumerAppSetup { hand_over: HandOver::Worker, ..mailer(ids) };
    assert_eq!(broken(vec![worker], true), 1, "a worker's queue may be lost, but nothing is repeated");
    let on = |node| ConsumerAppSetup { sink_node: Some(NodeId(node)), ..mailer(ids) };
    assert_eq!(broken(vec![on(8), on(9)], true), 0, "two sinks know nothing of each other");
    assert_eq!(broken(vec![on(8), on(8)], true), 2, "one for both does");
}

/// A processor acts on `orders`, and a consumer on the `invoices` that came of them.
#[test]
fn processors_and_what_comes_after_them_promise_it_too() {
    let billing = |dedupe: Dedupe, auto_offset_reset| {
        let reset = [("auto.offset.reset", auto_offset_reset)];
        let sink = Some(SinkSetup::from(dedupe));
        ProcessorAppSetup { sink, ..processor(&[], &reset, OffsetsMode::After) }
    };
    let broken = |billing: ProcessorAppSetup, dedupe: Dedupe| {
        let reader = ConsumerAppSetup { topics: vec!["invoices".into()], ..mailer(dedupe.into()) };
        let mut book = Book::through(billing.clone(), &["invoices"]);
        book.sent(&[0, 1]).appended(BROKER, batch(0, 0, &[0, 1])).committed(BROKER, 2);
        book.acts(BILLING, 0, TP, 0).acts(BILLING, 0, TP, 0);
        book.invoiced(batch(0, 0, &[0, 0, 1]));
        for offset in 0..3 {
            book.acts(MAILER, 0, INVOICES, offset);
        }
        let mut setup = setup(vec![producer(&[], 10)], vec![reader]);
        setup.topics.push(NewTopic { name: "invoices".into(), ..setup.topics[0].clone() });
        setup.processors = vec![billing];
        let found = Invariants::new(&setup).check_effects(&book.ledger, &setup, Time::ORIGIN, |_| true);
        found.iter().map(|it| it.detail.to_string()).collect::<Vec<_>>()
    };
    let [twice, never] = ["billing: record 0 had its effect 2 times", "billing: record 1 never had its effect"];
    assert_eq!(broken(billing(Dedupe::UniqueKey, "earliest"), Dedupe::None), [twice, never]);
    assert_eq!(broken(billing(Dedupe::UniqueKey, "latest"), Dedupe::None), [twice]);
    let [thrice, lost] = ["mailer: record 0 had its effect 3 times", "mailer: record 1 never had its effect"];
    assert_eq!(broken(billing(Dedupe::None, "earliest"), Dedupe::UniqueKey), [thrice, lost]);
    assert_eq!(
        broken(billing(Dedupe::None, "earliest"), Dedupe::OffsetWithOutput),
        [thrice, lost],
        "it has two places"
    );
}

/// Of the records 0, 1 (twice) and 2 (never), those that break what the moment of the commit promises.
fn undelivered(change: impl Fn(&mut ConsumerAppSetup), commit: CommitMode, ended: bool) -> Vec<Invariant> {
    let mut book = Book::new(true);
    book.sent(&[0, 1, 2]).appended(BROKER, batch(0, 0, &[0, 1, 2])).committed(BROKER, 3).processed(&[0, 1, 1]);
    let mut app = ConsumerAppSetup { commit, ..mailer(Dedupe::None.into()) };
    change(&mut app);
    let mut setup = setup(vec![producer(&[], 10)], vec![app]);
    let share_auto_offset_reset = AutoOffsetReset::Earliest;
    setup.broker_config = Rc::new(BrokerConfig { share_auto_offset_reset, ..(*setup.broker_config).clone() });
    let found = Invariants::new(&setup).check_deliveries(&book.ledger, &setup, Time::ORIGIN, |_| ended);
    found.iter().map(|it| it.invariant).collect()
}

#[test]
fn who_commits_after_processing_leaves_nothing_out() {
    for commit in [CommitMode::AfterSync, CommitMode::AfterAsync, CommitMode::Auto] {
        assert_eq!(undelivered(|_| {}, commit, true), [Invariant::AtLeastOnce], "{commit:?}");
        assert_eq!(undelivered(|_| {}, commit, false), [], "{commit:?}: it may still come");
        assert_eq!(undelivered(|app| app.hand_over = HandOver::Worker, commit, true), [], "{commit:?}: a queue may go");
        assert_eq!(undelivered(|app| app.sink.poison_every = 5, commit, true).is_empty(), commit == CommitMode::Auto);
    }
}

#[test]
fn who_commits_first_repeats_nothing() {
    assert_eq!(undelivered(|_| {}, CommitMode::Before, true), [Invariant::AtMostOnce]);
    assert_eq!(undelivered(|app| app.sink.fail_every = 5, CommitMode::Before, true), [], "its handler tries again");
}

#[test]
fn a_share_group_leaves_out_only_what_it_gave_up() {
    let share = |app: &mut ConsumerAppSetup| app.share = Some(Refusal::Release);
    assert_eq!(undelivered(share, CommitMode::Auto, true), [Invariant::AtLeastOnce]);
    assert_eq!(undelivered(share, CommitMode::Before, true), [], "acknowledged, and then perhaps not done");
    let worker = |app: &mut ConsumerAppSetup| {
        share(app);
        app.hand_over = HandOver::Worker;
    };
    assert_eq!(undelivered(worker, CommitMode::Auto, true), []);
}
