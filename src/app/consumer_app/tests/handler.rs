//! What slow, forgetful and failing sinks cost, and what becomes of records that cannot be handled.

use super::*;
use crate::client::payload::record_id_of;
use crate::record::RecordBatch;

const SPLITTABLE: [Dedupe; 2] = [Dedupe::ProcessedIds, Dedupe::OffsetWithOutput];

fn with_sink(sink: SinkSetup) -> ConsumerAppSetup {
    ConsumerAppSetup { sink, ..manual(CommitMode::AfterSync) }
}

fn failing(sink: SinkSetup, retries: u32) -> ConsumerAppSetup {
    ConsumerAppSetup { on_failure: OnFailure { retries, ..OnFailure::default() }, ..with_sink(sink) }
}

/// Every third record is poison, and the fake's other topic takes what is given up.
fn giving_up(hand_over: HandOver) -> ConsumerAppSetup {
    let producer = Some(crate::base::config::ProducerConfig::parse(&Properties::new()).expect("defaults"));
    let dead_letter_topic = Some("invoices".into());
    let setup = with_sink(SinkSetup { poison_every: 3, ..Dedupe::None.into() });
    let on_failure = OnFailure { retries: 1, dead_letter_topic, producer, ..OnFailure::default() };
    ConsumerAppSetup { hand_over, on_failure, ..setup }
}

impl Lab {
    fn handler_failures(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::HandlerFailed { .. })).count()
    }

    /// The records in the dead letter topic.
    fn dead(&self) -> Vec<u32> {
        let records = self.broker.invoices.iter().flat_map(RecordBatch::raw_records);
        records.filter_map(|record| record_id_of(record.ok()?.value?)).map(|id| id.0).collect()
    }
}

#[test]
fn two_writes_repeat_or_lose_by_their_order() {
    for dedupe in SPLITTABLE {
        let outcomes = |writes| crash_everywhere(&with_sink(SinkSetup { writes, ..dedupe.into() }));
        let effect_first = outcomes(Writes::EffectFirst);
        assert!(effect_first.iter().any(|outcome| repeats(outcome)), "{dedupe:?}");
        assert!(!effect_first.iter().any(|outcome| loses(outcome)), "{dedupe:?}");
        let identity_first = outcomes(Writes::IdentityFirst);
        assert!(identity_first.iter().any(|outcome| loses(outcome)), "{dedupe:?}");
        assert!(!identity_first.iter().any(|outcome| repeats(outcome)), "{dedupe:?}");
    }
}

#[test]
fn a_window_that_is_too_small_repeats() {
    let crashed = |sink: SinkSetup| {
        let mut lab = lab(with_sink(sink));
        lab.run_to(|event| matches!(event, Event::Processed { record: RecordId(1), .. }));
        lab.crash_and_restart();
        lab.effects()
    };
    let plain = SinkSetup::from(Dedupe::ProcessedIds);
    assert_eq!(crashed(SinkSetup { window_records: Some(2), ..plain }), [1; RECORDS as usize]);
    assert_eq!(crashed(SinkSetup { window_records: Some(1), ..plain }), [2, 2, 1, 1, 1, 1], "0 pushes 1 out in turn");
    assert_eq!(crashed(SinkSetup { window: Some(Duration::from_millis(900)), ..plain }), [1; RECORDS as usize]);
    assert_eq!(crashed(SinkSetup { window: Some(Duration::from_millis(5)), ..plain }), [2, 2, 1, 1, 1, 1]);
}

#[test]
fn a_crash_before_the_reply_leaves_an_effect_that_the_program_does_not_know_of() {
    let slow = |dedupe: Dedupe| with_sink(SinkSetup { latency: Duration::from_millis(50), ..dedupe.into() });
    let mut slow_lab = lab(slow(Dedupe::None));
    slow_lab.run_to(|event| matches!(event, Event::Processed { record: RecordId(0), .. }));
    slow_lab.run_ms(49);
    assert!(matches!(slow_lab.node.activity(), ConsumerActivity::Acting { record: Some(RecordId(0)) }));
    assert_eq!(slow_lab.effects()[..2], [1, 0], "the next record waits for the reply");
    slow_lab.crash_and_restart();
    assert_eq!(slow_lab.effects(), [2, 1, 1, 1, 1, 1]);
    for dedupe in [Dedupe::UniqueKey, Dedupe::Version, Dedupe::ProcessedIds, Dedupe::OffsetWithOutput] {
        let outcomes = crash_everywhere(&slow(dedupe));
        assert!(outcomes.iter().all(|outcome| !repeats(outcome) && !loses(outcome)), "{dedupe:?}");
    }
}

#[test]
fn a_sink_that_fails_now_and_then_is_asked_again_in_place() {
    let sink = SinkSetup { fail_every: 3, ..Dedupe::None.into() };
    let mut patient = lab(failing(sink, 1));
    patient.run_ms(10_000);
    assert_eq!((patient.effects(), patient.handler_failures()), (vec![1; RECORDS as usize], 2));
    let mut hasty = lab(failing(sink, 0));
    hasty.run_ms(10_000);
    assert!(matches!(hasty.node.activity(), ConsumerActivity::Failed(_)), "{:?}", hasty.node.activity());
    assert_eq!((hasty.effects(), hasty.broker.committed.get(&TP)), (vec![1, 1, 0, 0, 0, 0], Some(&2)));
    hasty.crash_and_restart();
    assert_eq!(hasty.effects()[2], 1, "a restart reads it again");
}

#[test]
fn a_lost_reply_repeats_the_effect_unless_the_sink_recognises_it() {
    let effects = |dedupe: Dedupe| {
        let mut lab = lab(failing(SinkSetup { lose_reply_every: 3, ..dedupe.into() }, 1));
        lab.run_ms(10_000);
        lab.effects()
    };
    assert_eq!(effects(Dedupe::None), [1, 1, 2, 1, 2, 1]);
    assert_eq!(effects(Dedupe::UniqueKey), [1; RECORDS as usize]);
    assert_eq!(effects(Dedupe::ProcessedIds), [1; RECORDS as usize]);
}

#[test]
fn what_cannot_be_handled_goes_to_the_dead_letter_topic_and_the_loop_goes_on() {
    for hand_over in [HandOver::Inline, HandOver::Worker] {
        let mut lab = lab(giving_up(hand_over));
        lab.run_ms(10_000);
        assert_eq!((lab.effects(), lab.dead()), (vec![1, 1, 0, 1, 1, 0], vec![2, 5]), "{hand_over:?}");
        assert_eq!(lab.handler_failures(), 4, "each was tried twice");
        assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)));
        assert!(lab.node.is_done());
    }
}

#[test]
fn a_crash_never_loses_a_record_on_its_way_to_the_dead_letter_topic() {
    let mut repeated = false;
    for steps in 0.. {
        let mut lab = lab(giving_up(HandOver::Inline));
        lab.run_steps(steps);
        if lab.broker.committed.get(&TP) == Some(&i64::from(RECORDS)) && lab.node.is_done() {
            break;
        }
        lab.crash_and_restart();
        let (effects, dead) = (lab.effects(), lab.dead());
        for (id, effects) in (0..).zip(effects) {
            assert!(effects > 0 || dead.contains(&id), "after {steps} steps {id} is nowhere");
        }
        repeated |= dead.len() > 2;
    }
    assert!(repeated, "acknowledged there, but not yet committed here");
}

#[test]
fn a_dead_letter_topic_that_takes_nothing_ends_the_loop() {
    let mut lab = lab(giving_up(HandOver::Inline));
    lab.broker.errors.insert(ApiKey::Produce, [crate::protocol::ErrorCode::TopicAuthorizationFailed].into());
    lab.run_ms(10_000);
    assert!(matches!(lab.node.activity(), ConsumerActivity::Failed(_)), "{:?}", lab.node.activity());
    assert_eq!((lab.dead(), lab.broker.committed.get(&TP)), (vec![], Some(&2)), "nothing is passed over");
}

#[test]
fn a_batch_happens_at_once_and_again_as_a_whole() {
    let setup = ConsumerAppSetup { batch: true, ..manual(CommitMode::AfterSync) };
    let outcomes = crash_everywhere(&setup);
    assert!(outcomes.iter().any(|outcome| repeats(outcome)));
    for outcome in outcomes {
        assert!(outcome.chunks(2).all(|polled| polled[0] == polled[1]) && !loses(&outcome), "{outcome:?}");
    }
    let mut lab = lab(setup);
    lab.run_to(|event| matches!(event, Event::Processed { record: RecordId(0), .. }));
    assert_eq!(lab.effects(), [1, 1, 0, 0, 0, 0], "one request for both");
}

#[test]
fn a_batch_with_poison_in_it_fails_as_a_whole() {
    let mut lab = lab(ConsumerAppSetup { batch: true, ..giving_up(HandOver::Inline) });
    lab.run_ms(10_000);
    assert_eq!((lab.effects(), lab.dead()), (vec![1, 1, 0, 0, 0, 0], vec![2, 3, 4, 5]));
}

#[test]
fn nobody_hears_of_an_exception_in_a_worker() {
    let sink = SinkSetup { fail_every: 3, ..Dedupe::None.into() };
    let mut lab = lab(ConsumerAppSetup { hand_over: HandOver::Worker, ..failing(sink, 0) });
    lab.run_ms(10_000);
    assert_eq!(lab.effects(), [1, 1, 0, 1, 1, 0]);
    assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)), "committed, and lost");
    assert!(lab.node.is_done());
}

#[test]
fn a_slow_sink_holds_up_the_worker_and_not_the_commits() {
    let sink = SinkSetup { latency: Duration::from_millis(500), ..Dedupe::None.into() };
    let mut lab = lab(ConsumerAppSetup { hand_over: HandOver::Worker, ..with_sink(sink) });
    lab.run_ms(600);
    assert_eq!(lab.broker.committed.get(&TP), Some(&i64::from(RECORDS)));
    assert_eq!(lab.effects(), [1, 1, 0, 0, 0, 0]);
    assert!(!lab.node.is_done());
    lab.run_ms(10_000);
    assert_eq!(lab.effects(), [1; RECORDS as usize]);
    assert!(lab.node.is_done());
}
