//! What a crash costs, by commit mode and hand-over, against a broker that answers from a list.

use super::*;
use crate::app::{Dedupe, OnFailure, OnRevoke, SinkNode, SinkNodeSetup, SinkSetup, WORKER_QUEUE_CAPACITY, Writes};
use crate::base::config::{ConsumerConfig, Properties};
use crate::base::{Duration, RecordId};
use crate::client::consumer::fake::{BROKER, CLIENT, Fake, TP, batch};
use crate::protocol::ApiKey;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

mod handler;
mod members;
mod share;

/// The program, its broker, and its sink if that is a node of its own.
struct Lab {
    fake: Fake<ConsumerApp>,
    sink: Option<Rc<RefCell<SinkNode>>>,
}

impl Deref for Lab {
    type Target = Fake<ConsumerApp>;

    fn deref(&self) -> &Self::Target {
        &self.fake
    }
}

impl DerefMut for Lab {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.fake
    }
}

/// Where the sink is.
const SINK: NodeId = NodeId(8);

/// A sink that a test keeps a hand on.
struct Held(Rc<RefCell<SinkNode>>);

impl Node for Held {
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.0.borrow_mut().on_start(now, out);
    }

    fn on_message(&mut self, now: Time, from: NodeId, message: Message, out: &mut Outbox<'_>) {
        self.0.borrow_mut().on_message(now, from, message, out);
    }

    fn on_disconnect(&mut self, now: Time, peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
        self.0.borrow_mut().on_disconnect(now, peer, connection, out);
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        self.0.borrow_mut().on_timer(now, timer, out);
    }

    fn on_crash(&mut self, now: Time, crash: Crash, random: &mut Prng) {
        self.0.borrow_mut().on_crash(now, crash, random);
    }
}

const RECORDS: u32 = 6;

fn config(settings: &[(&str, &str)]) -> ConsumerConfig {
    let mut properties = Properties::new();
    for (key, value) in [("group.id", "mail"), ("auto.offset.reset", "earliest")].iter().chain(settings) {
        properties.insert((*key).to_owned(), (*value).to_owned());
    }
    ConsumerConfig::parse(&properties).expect("valid settings")
}

fn setup(commit: CommitMode, settings: &[(&str, &str)]) -> ConsumerAppSetup {
    ConsumerAppSetup {
        node: CLIENT,
        name: "mailer".into(),
        group: Some("mail".into()),
        topics: vec!["orders".into()],
        pattern: None,
        assign: true,
        processing: Duration::from_millis(20),
        commit,
        hand_over: HandOver::Inline,
        on_revoke: OnRevoke::Nothing,
        batch: false,
        sink: Dedupe::None.into(),
        sink_node: None,
        on_failure: OnFailure::default(),
        share: None,
        renew_every: None,
        config: config(settings),
        start: None,
        brokers: [BROKER].into(),
    }
}

fn lab(mut setup: ConsumerAppSetup) -> Lab {
    setup.sink_node = (!setup.sink.is_plain()).then_some(SINK);
    let sink = setup.sink_node.map(|node| {
        let sink = SinkNodeSetup { node, name: "mail-sink".into(), sink: setup.sink };
        Rc::new(RefCell::new(SinkNode::new(sink)))
    });
    let mut fake = Fake::new(ConsumerApp::new(setup));
    fake.broker.log = (0..RECORDS).map(|id| batch(i64::from(id), &[id])).collect();
    if let Some(sink) = &sink {
        fake.beside(Box::new(Held(Rc::clone(sink))));
    }
    fake.start();
    Lab { fake, sink }
}

/// At most two records a poll, so that there are several rounds.
fn manual(commit: CommitMode) -> ConsumerAppSetup {
    setup(commit, &[("enable.auto.commit", "false"), ("max.poll.records", "2")])
}

fn auto(hand_over: HandOver) -> ConsumerAppSetup {
    let settings = [("auto.commit.interval.ms", "30"), ("max.poll.records", "2")];
    ConsumerAppSetup { hand_over, ..setup(CommitMode::Auto, &settings) }
}

impl Lab {
    /// What the sink holds.
    fn table(&self) -> Sink {
        let held = self.sink.as_ref().map(|sink| sink.borrow().table().clone());
        held.or_else(|| self.node.sink().cloned()).expect("in the program or beside it")
    }

    /// How often each record's effect happened.
    fn effects(&self) -> Vec<u32> {
        let table = self.table();
        (0..RECORDS).map(|id| table.row(RecordId(id)).map_or(0, |row| row.effects)).collect()
    }

    fn crash_and_restart(&mut self) {
        self.crash();
        assert_eq!(self.node.activity(), ConsumerActivity::Stopped);
        self.start();
        self.run_ms(60_000);
        assert!(self.node.is_done(), "{:?}", self.node.activity());
    }
}

/// The effects after a crash following each single step of the run.
fn crash_everywhere(setup: &ConsumerAppSetup) -> Vec<Vec<u32>> {
    let mut outcomes = Vec::new();
    loop {
        let mut lab = lab(setup.clone());
        lab.run_steps(outcomes.len());
        if lab.effects().iter().all(|effects| *effects > 0) && lab.node.is_done() {
            return outcomes;
        }
        lab.crash_and_restart();
        outcomes.push(lab.effects());
    }
}

fn loses(outcome: &[u32]) -> bool {
    outcome.contains(&0)
}

fn repeats(outcome: &[u32]) -> bool {
    outcome.iter().any(|effects| *effects > 1)
}

#[test]
fn every_mode_processes_each_record_once_if_nothing_fails() {
    use CommitMode::{AfterAsync, AfterSync, Auto, Before};
    for commit in [Before, AfterSync, AfterAsync, Auto] {
        for hand_over in [HandOver::Inline, HandOver::Worker] {
            let mut lab = lab(ConsumerAppSetup { hand_over, ..setup(commit, &[]) });
            lab.run_ms(10_000);
            assert_eq!(lab.effects(), [1; RECORDS as usize], "{commit:?} {hand_over:?}");
            assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)), "{commit:?} {hand_over:?}");
            assert!(lab.node.is_done());
        }
    }
}

#[test]
fn commit_before_may_lose_and_never_repeats() {
    let outcomes = crash_everywhere(&manual(CommitMode::Before));
    assert!(outcomes.iter().any(|outcome| loses(outcome)));
    assert!(!outcomes.iter().any(|outcome| repeats(outcome)));
}

#[test]
fn commit_after_may_repeat_and_never_loses() {
    for commit in [CommitMode::AfterSync, CommitMode::AfterAsync] {
        let outcomes = crash_everywhere(&manual(commit));
        assert!(outcomes.iter().any(|outcome| repeats(outcome)), "{commit:?}");
        assert!(!outcomes.iter().any(|outcome| loses(outcome)), "{commit:?}");
    }
}

#[test]
fn commit_before_crash_between_commit_and_effect_skips_the_records() {
    let mut lab = lab(manual(CommitMode::Before));
    lab.run_to(|event| matches!(event, Event::OffsetsCommitted { .. }));
    lab.crash_and_restart();
    assert_eq!(lab.effects(), [0, 0, 1, 1, 1, 1]);
}

#[test]
fn commit_before_crash_between_poll_and_commit_costs_nothing() {
    let mut lab = lab(manual(CommitMode::Before));
    lab.run_to(|event| matches!(event, Event::Delivered { .. }));
    lab.crash_and_restart();
    assert_eq!(lab.effects(), [1; RECORDS as usize]);
}

#[test]
fn commit_after_crash_between_effect_and_commit_repeats_the_batch() {
    let mut lab = lab(manual(CommitMode::AfterSync));
    lab.run_to(|event| matches!(event, Event::Processed { record: RecordId(1), .. }));
    lab.crash_and_restart();
    assert_eq!(lab.effects(), [2, 2, 1, 1, 1, 1]);
}

#[test]
fn commit_after_crash_while_processing_repeats_only_what_had_happened() {
    let mut lab = lab(manual(CommitMode::AfterSync));
    lab.run_to(|event| matches!(event, Event::Processing { record: RecordId(1), .. }));
    assert!(matches!(lab.node.activity(), ConsumerActivity::Processing { record: Some(RecordId(1)), .. }));
    lab.crash_and_restart();
    assert_eq!(lab.effects(), [2, 1, 1, 1, 1, 1]);
}

#[test]
fn commit_sync_whose_answer_is_lost_with_the_process_still_counts() {
    let mut lab = lab(manual(CommitMode::AfterSync));
    lab.hold.insert(ApiKey::OffsetCommit);
    lab.run_ms(500);
    assert_eq!(lab.node.activity(), ConsumerActivity::Committing);
    lab.crash();
    lab.release();
    lab.crash_and_restart();
    assert_eq!(lab.effects(), [1; RECORDS as usize]);
}

#[test]
fn auto_commit_inline_repeats_but_never_loses() {
    let outcomes = crash_everywhere(&auto(HandOver::Inline));
    assert!(outcomes.iter().any(|outcome| repeats(outcome)));
    assert!(!outcomes.iter().any(|outcome| loses(outcome)));
}

#[test]
fn auto_commit_with_a_worker_loses() {
    let outcomes = crash_everywhere(&auto(HandOver::Worker));
    assert!(outcomes.iter().any(|outcome| loses(outcome)));
}

#[test]
fn without_a_group_a_restart_begins_again() {
    let mut setup = setup(CommitMode::AfterSync, &[]);
    (setup.group, setup.config.group_id) = (None, None);
    let mut lab = lab(setup);
    lab.run_ms(5_000);
    lab.crash_and_restart();
    assert_eq!(lab.effects(), [2; RECORDS as usize]);
    assert_eq!(lab.count(ApiKey::OffsetCommit), 0);
}

#[test]
fn a_sink_that_recognises_repetitions_cures_them() {
    for dedupe in [Dedupe::UniqueKey, Dedupe::Version, Dedupe::ProcessedIds, Dedupe::OffsetWithOutput] {
        let setup = ConsumerAppSetup { sink: dedupe.into(), ..manual(CommitMode::AfterSync) };
        let outcomes = crash_everywhere(&setup);
        assert!(outcomes.iter().all(|outcome| !repeats(outcome) && !loses(outcome)), "{dedupe:?}");
    }
}

#[test]
fn offsets_in_the_sink_decide_where_a_restart_begins() {
    let setup = ConsumerAppSetup { sink: Dedupe::OffsetWithOutput.into(), ..manual(CommitMode::AfterSync) };
    let mut lab = lab(setup);
    lab.run_to(|event| matches!(event, Event::Processed { record: RecordId(1), .. }));
    lab.crash_and_restart();
    assert!(lab.table().rows().all(|row| row.refused == 0));
}

#[test]
fn a_full_worker_queue_blocks_the_loop() {
    let mut setup = auto(HandOver::Worker);
    (setup.processing, setup.config.max_poll_records) = (Duration::from_millis(1_000), 500);
    let mut lab = lab(setup);
    let many: Vec<u32> = (0..WORKER_QUEUE_CAPACITY as u32 + 50).collect();
    lab.broker.log = many.iter().map(|id| batch(i64::from(*id), &[*id])).collect();
    lab.run_ms(900);
    assert_eq!(lab.node.activity(), ConsumerActivity::HandingOver);
    assert_eq!(lab.node.worker().map(|worker| worker.queue().len()), Some(WORKER_QUEUE_CAPACITY));
    lab.run_ms(60_000);
    assert!(lab.table().rows().count() > 50);
    assert_eq!(lab.node.activity(), ConsumerActivity::Fetching);
}

#[test]
fn an_exception_ends_the_loop() {
    let mut lab = lab(setup(CommitMode::AfterSync, &[("auto.offset.reset", "none")]));
    lab.run_ms(1_000);
    assert!(matches!(lab.node.activity(), ConsumerActivity::Failed(_)));
    assert!(lab.events.iter().any(|event| matches!(event, Event::ConsumerFailed { .. })));
    assert!(lab.node.is_done());
}
