//! A record's way through processors: lives and verdicts from events made by hand.

use super::super::claim::{Guarantee, Reason, claim};
use super::super::flow::End;
use super::super::life::StoryKind;
use super::made::{
    BILLING, BROKER, Book, INVOICES, MAILER, TP, batch, consumer, ids, marker, processor, producer, transactional,
};
use crate::app::{CommitMode, Dedupe, OffsetsMode, ProcessorAppSetup};
use crate::base::{RecordId, TopicId};
use crate::node::Event;
use std::rc::Rc;

fn billing() -> ProcessorAppSetup {
    processor(&[], &[], OffsetsMode::After)
}

/// Records 0 and 1 stand in `orders`.
fn ordered(book: &mut Book) -> &mut Book {
    book.sent(&[0, 1]).appended(BROKER, batch(0, 0, &[0, 1])).committed(BROKER, 2).acked(0, 0).acked(1, 1)
}

fn sent_on(book: &mut Book, record: u32) -> &mut Book {
    book.at(BILLING, Event::Sent { record: RecordId(record), partition: INVOICES })
}

#[test]
fn a_way_ends_where_the_last_group_reads() {
    let mut book = Book::through(billing(), &["invoices"]);
    assert_eq!(book.ledger.flow().ends(TopicId(1)), [End::Sink(0)]);
    ordered(&mut book).acts(BILLING, 0, TP, 0);
    sent_on(&mut book, 0).invoiced(batch(0, 0, &[0]));
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.lost, verdict.acked_lost), (ids(&[0, 1]), ids(&[0, 1])), "nobody has mailed anything");
    book.acts(MAILER, 0, INVOICES, 0);
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.lost, verdict.processed, verdict.delivered), (ids(&[1]), 1, 2), "its handler is no effect");
    assert_eq!((verdict.sent, verdict.appended), (2, 3));
    let life = book.ledger.life(RecordId(0)).expect("it lived");
    assert_eq!(life.partition, Some(TP), "where its generator sent it");
    assert!(life.story.iter().any(|step| step.kind == StoryKind::Handled));
    let elsewhere: Vec<_> = life.story.iter().filter(|step| step.elsewhere().is_some()).collect();
    assert_eq!(elsewhere[0].kind, StoryKind::SentOn);
    assert!(elsewhere.iter().all(|step| step.elsewhere() == Some(TopicId(2))));
    assert_eq!(elsewhere.len(), 5, "sent on, appended, delivered, processing, processed");
}

#[test]
fn a_way_ends_in_a_topic_that_nobody_reads() {
    let mut book = Book::through(billing(), &[]);
    assert_eq!(book.ledger.flow().ends(TopicId(1)), [End::Log(TopicId(2))]);
    ordered(&mut book).invoiced(batch(0, 0, &[0])).invoiced(batch(1, 0, &[0]));
    let verdict = book.verdict(Guarantee::AtLeastOnce);
    assert_eq!((verdict.lost, verdict.duplicated, verdict.log_duplicated), (ids(&[1]), ids(&[0]), ids(&[0])));
    // In both topics once is not twice.
    book.invoiced(batch(2, 0, &[1]));
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).duplicated, ids(&[0]));
}

#[test]
fn output_that_was_aborted_is_no_effect() {
    let mut book = Book::through(billing(), &[]);
    ordered(&mut book).invoiced(transactional(0, 0, 7, &[0, 1])).invoiced(marker(2, 0, 7, false));
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).lost, ids(&[0, 1]));
    book.invoiced(transactional(3, 0, 7, &[0, 1]));
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).lost, ids(&[0, 1]), "nor is what is open");
    book.invoiced(marker(5, 0, 7, true));
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert!(verdict.holds && verdict.lost.is_empty() && verdict.duplicated.is_empty());
    assert_eq!(verdict.aborted, 2);
}

#[test]
fn the_sink_of_a_processor_is_an_end_of_its_own() {
    let acting = ProcessorAppSetup { sink: Some(Dedupe::None.into()), ..billing() };
    let mut book = Book::through(acting, &["invoices"]);
    assert_eq!(book.ledger.flow().ends(TopicId(1)), [End::Sink(1), End::Sink(0)]);
    ordered(&mut book).acts(BILLING, 0, TP, 0).acts(BILLING, 0, TP, 0).invoiced(batch(0, 0, &[0]));
    book.acts(MAILER, 0, INVOICES, 0);
    let verdict = book.verdict(Guarantee::ExactlyOnce);
    assert_eq!((verdict.duplicated, verdict.processed, verdict.holds), (ids(&[0]), 3, false));
    // It acted on 1, but has not sent it on.
    book.acts(BILLING, 1, TP, 1);
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).lost, ids(&[1]));
}

#[test]
fn the_same_group_at_two_topics_counts_twice_over() {
    let mut book = Book::through(billing(), &["orders", "invoices"]);
    assert_eq!(book.ledger.flow().on_the_way(TopicId(1)).len(), 3);
    ordered(&mut book).invoiced(batch(0, 0, &[0, 1]));
    for record in [0, 1] {
        book.acts(MAILER, record, TP, i64::from(record));
    }
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).duplicated, ids(&[]));
}

#[test]
fn a_processor_that_acts_on_what_is_aborted_read_in_vain() {
    let mut book = Book::through(billing(), &["invoices"]);
    book.sent(&[0]).appended(BROKER, transactional(0, 0, 7, &[0])).acts(BILLING, 0, TP, 0);
    book.appended(BROKER, marker(1, 0, 7, false));
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).aborted_read, ids(&[0]));
}

#[test]
fn order_is_kept_or_not_where_the_partitions_are_the_same() {
    let mut book = Book::through(billing(), &["invoices"]);
    ordered(&mut book).invoiced(batch(0, 0, &[1, 0])).acts(MAILER, 1, INVOICES, 0).acts(MAILER, 0, INVOICES, 1);
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).reordered, ids(&[1]));
    // In another partition of the output it was never promised.
    let mut book = Book::through(billing(), &["invoices"]);
    let other = crate::base::TopicPartition::new(TopicId(2), 1);
    ordered(&mut book).invoiced(batch(0, 0, &[0]));
    book.at(BROKER, Event::Appended { partition: other, leader: true, batch: batch(0, 0, &[1]) });
    book.acts(MAILER, 1, other, 0).acts(MAILER, 0, INVOICES, 0);
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).reordered, ids(&[]));
    let mut book = Book::through(billing(), &[]);
    ordered(&mut book).invoiced(batch(0, 0, &[1, 0]));
    assert_eq!(book.verdict(Guarantee::AtLeastOnce).reordered, ids(&[1]), "in the log, where nobody reads");
}

#[test]
fn exactly_once_is_claimed_by_transactions_all_the_way() {
    let shop = || producer(&[("transactional.id", "shop")], 1);
    let mailer = |level| consumer(&[("isolation.level", level)], CommitMode::AfterSync);
    let billing = |offsets, level| processor(&[("transactional.id", "b")], &[("isolation.level", level)], offsets);
    let of = |processor, mailer| claim(&[shop()], &[mailer], &[processor]);
    let (yes, no) = ("read_committed", "read_uncommitted");
    let all = of(billing(OffsetsMode::Transaction, yes), mailer(yes));
    assert_eq!((all.guarantee, all.why), (Guarantee::ExactlyOnce, vec![Reason::Transactional]));
    let (name, b): (Rc<str>, Rc<str>) = ("mailer".into(), "billing".into());
    let cases = [
        (of(billing(OffsetsMode::Transaction, yes), mailer(no)), Reason::ReadsUncommitted(name)),
        (of(billing(OffsetsMode::Transaction, no), mailer(yes)), Reason::ReadsUncommitted(b.clone())),
        (
            of(billing(OffsetsMode::After, yes), mailer(yes)),
            Reason::CommitsOutsideTransaction(b.clone(), ("offsets", "after")),
        ),
        (
            claim(&[shop()], &[], &[processor(&[], &[("isolation.level", yes)], OffsetsMode::Transaction)]),
            Reason::NotTransactional(b.clone()),
        ),
        (
            claim(
                &[shop()],
                &[],
                &[processor(
                    &[("transactional.id", "b")],
                    &[("isolation.level", yes), ("enable.auto.commit", "true")],
                    OffsetsMode::Transaction,
                )],
            ),
            Reason::CommitsOutsideTransaction(b.clone(), ("enable.auto.commit", "true")),
        ),
    ];
    for (claim, reason) in cases {
        assert_eq!((claim.guarantee, claim.why), (Guarantee::AtLeastOnce, vec![reason]));
    }
    let before = of(billing(OffsetsMode::Before, yes), mailer(yes));
    assert_eq!((before.guarantee, before.why), (Guarantee::AtMostOnce, vec![Reason::CommitsBeforeProcessing(b)]));
}
