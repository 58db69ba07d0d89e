//! The same loop with a share consumer.

use super::*;
use crate::protocol::AcknowledgeType::{Accept, Reject, Release, Renew};
use crate::protocol::{AcknowledgeType, ErrorCode, Request};

fn worker(settings: &[(&str, &str)], commit: CommitMode, sink: SinkSetup) -> ConsumerAppSetup {
    let pairs = settings.iter().chain(&[("group.id", "work"), ("max.poll.records", "2")]);
    let pairs = pairs.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let config = ConsumerConfig::parse_share(&pairs.collect::<Properties>()).expect("valid settings");
    let (group, share) = (Some("work".into()), Some(Refusal::Release));
    ConsumerAppSetup { group, share, assign: false, sink, config, ..setup(commit, &[]) }
}

const EXPLICIT: (&str, &str) = ("share.acknowledgement.mode", "explicit");

impl Lab {
    fn acknowledged(&self, id: u32) -> Vec<AcknowledgeType> {
        let all = self.broker.share.acknowledged.iter();
        all.filter(|(offset, _)| *offset == i64::from(id)).map(|(_, kind)| *kind).collect()
    }
}

#[test]
fn every_mode_accepts_each_record_once_if_nothing_fails() {
    use CommitMode::{AfterAsync, AfterSync, Auto};
    for commit in [AfterSync, AfterAsync, Auto] {
        for settings in [&[][..], &[EXPLICIT]] {
            let mut lab = lab(worker(settings, commit, Dedupe::None.into()));
            lab.run_ms(10_000);
            assert_eq!(lab.effects(), [1; RECORDS as usize], "{commit:?} {settings:?}");
            assert!((0..RECORDS).all(|id| lab.acknowledged(id) == [Accept]), "{commit:?} {settings:?}");
            assert!(lab.node.is_done());
        }
    }
}

/// Wherever the crash falls, what was not acknowledged comes again; implicitly accepted is only what was processed.
#[test]
fn a_crash_repeats_but_does_not_lose() {
    for settings in [&[][..], &[EXPLICIT]] {
        for commit in [CommitMode::AfterSync, CommitMode::Auto] {
            let outcomes = crash_everywhere(&worker(settings, commit, Dedupe::None.into()));
            assert!(!outcomes.iter().any(|outcome| loses(outcome)), "{commit:?} {settings:?}");
            assert!(outcomes.iter().any(|outcome| repeats(outcome)), "{commit:?} {settings:?}");
        }
    }
}

/// `commitSync()` right after `poll()`: everything counts as done before it is.
#[test]
fn committing_before_processing_loses() {
    let outcomes = crash_everywhere(&worker(&[], CommitMode::Before, Dedupe::None.into()));
    assert!(outcomes.iter().any(|outcome| loses(outcome)));
    assert!(!outcomes.iter().any(|outcome| repeats(outcome)));
}

#[test]
fn a_handler_that_throws_releases_or_rejects_its_record_alone() {
    let poison = SinkSetup { poison_every: 4, ..Dedupe::None.into() };
    for (share, said) in [(Refusal::Release, Release), (Refusal::Reject, Reject)] {
        let setup = ConsumerAppSetup { share: Some(share), ..worker(&[EXPLICIT], CommitMode::Auto, poison) };
        let mut lab = lab(setup);
        lab.run_ms(2_000);
        assert_eq!(lab.effects(), [1, 1, 1, 0, 1, 1], "{share:?}");
        assert_eq!(lab.acknowledged(3)[0], said);
        assert_eq!(lab.acknowledged(3).len() > 1, share == Refusal::Release, "released is delivered again");
        assert!((0..RECORDS).filter(|id| *id != 3).all(|id| lab.acknowledged(id) == [Accept]));
        assert!(!matches!(lab.node.activity(), ConsumerActivity::Failed(_)));
    }
}

/// Implicitly nobody can say of one record what became of it: the exception ends the loop, and `close()` the session.
#[test]
fn without_explicit_acknowledgement_an_exception_ends_the_loop() {
    let poison = SinkSetup { poison_every: 4, ..Dedupe::None.into() };
    let mut lab = lab(worker(&[], CommitMode::Auto, poison));
    lab.run_ms(5_000);
    assert!(matches!(lab.node.activity(), ConsumerActivity::Failed(_)));
    assert_eq!(lab.effects(), [1, 1, 1, 0, 0, 0]);
    let ends = |request: &Request| matches!(request, Request::ShareAcknowledge(it) if it.session_epoch == -1);
    assert!(lab.requests.iter().any(ends));
    assert_eq!(lab.acknowledged(2), [], "it was done, but nobody said so: another member does it again");
}

/// What a worker has in its queue counts as done: the next poll() accepts it.
#[test]
fn handed_over_is_accepted() {
    let handing =
        ConsumerAppSetup { hand_over: HandOver::Worker, ..worker(&[], CommitMode::Auto, Dedupe::None.into()) };
    assert!(crash_everywhere(&handing).iter().any(|outcome| loses(outcome)));
}

/// A poll brings two records, and each takes 40 s.
fn slow(renew_every: Option<u64>) -> Lab {
    let renew_every = renew_every.map(Duration::from_millis);
    let setup = worker(&[EXPLICIT], CommitMode::Auto, Dedupe::None.into());
    lab(ConsumerAppSetup { renew_every, processing: Duration::from_millis(40_000), ..setup })
}

#[test]
fn a_handler_that_takes_longer_than_the_lock_renews_what_it_has() {
    let mut lab = slow(Some(10_000));
    lab.run_ms(250_000);
    assert_eq!(lab.effects(), [1; RECORDS as usize]);
    let renewals = |id| lab.acknowledged(id).iter().filter(|kind| **kind == Renew).count();
    assert_eq!(renewals(0), 3, "at 10, 20 and 30 s");
    assert_eq!(renewals(1), 7, "as long as it waits, too");
    assert!((0..RECORDS).all(|id| lab.acknowledged(id).last() == Some(&Accept)));
    let delivered = lab.events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
    assert_eq!(delivered, RECORDS as usize, "a renewal is no delivery");
    assert!(!matches!(lab.node.activity(), ConsumerActivity::Failed(_)) && lab.node.is_done());
}

/// The handler ends, and its records have not come back yet.
#[test]
fn who_renews_acknowledges_when_the_records_are_back() {
    let mut lab = slow(Some(20_000));
    lab.run_to(|event| matches!(event, Event::Acknowledged { record: RecordId(0), kind: Renew, .. }));
    lab.hold.insert(ApiKey::ShareAcknowledge);
    lab.run_to(|event| matches!(event, Event::Processed { record: RecordId(0), .. }));
    lab.run_ms(1_000);
    assert_eq!(lab.acknowledged(0).last(), Some(&Renew));
    lab.release();
    lab.hold.clear();
    lab.run_ms(300_000);
    assert_eq!(lab.effects(), [1; RECORDS as usize]);
    assert!((0..RECORDS).all(|id| lab.acknowledged(id).last() == Some(&Accept)));
}

/// What could not be renewed is somebody else's: nothing is said of it any more, and what has not begun does not begin.
#[test]
fn what_is_lost_is_not_acknowledged() {
    let mut lab = slow(Some(10_000));
    lab.broker.share.acknowledge_errors.push_back(ErrorCode::InvalidRecordState);
    lab.run_ms(250_000);
    assert!(!matches!(lab.node.activity(), ConsumerActivity::Failed(_)));
    assert_eq!(lab.effects(), [1, 0, 1, 1, 1, 1]);
    assert_eq!((lab.acknowledged(0), lab.acknowledged(1)), (vec![], vec![]));
    assert!((2..RECORDS).all(|id| lab.acknowledged(id).last() == Some(&Accept)));
}
