use super::*;
use crate::base::{Duration, TopicId};

const TP: TopicPartition = TopicPartition::new(TopicId(1), 0);

fn write(record: u32, offset: Offset, key: Option<&Bytes>) -> SinkWrite {
    SinkWrite { record: RecordId(record), partition: TP, offset, key: key.cloned() }
}

fn at(ms: u64) -> Time {
    Time::ORIGIN + Duration::from_millis(ms)
}

fn request(ask: SinkAsk, generation: Generation, write: SinkWrite) -> SinkWriteRequest {
    SinkWriteRequest { ask, generation, writes: vec![write] }
}

impl Sink {
    fn ask(&mut self, ask: SinkAsk, write: SinkWrite) -> Option<ErrorCode> {
        self.request(at(0), &request(ask, 1, write), |_, _| {}).map(|response| response.error)
    }

    /// Whether the effect happened.
    fn apply(&mut self, now: Time, write: SinkWrite) -> bool {
        let mut happened = false;
        self.request(now, &request(SinkAsk::First, 1, write), |_, it| happened = it);
        happened
    }
}

fn sink(setup: impl Into<SinkSetup>) -> Sink {
    Sink::new(setup.into())
}

#[test]
fn without_help_a_sink_repeats() {
    let mut sink = sink(Dedupe::None);
    for record in [3, 1, 3] {
        assert!(sink.apply(at(0), write(record, 0, None)));
    }
    let rows: Vec<(u32, u32)> = sink.rows().map(|row| (row.record.0, row.effects)).collect();
    assert_eq!(rows, [(1, 1), (3, 2)]);
}

#[test]
fn identities_are_refused_the_second_time() {
    for dedupe in [Dedupe::UniqueKey, Dedupe::ProcessedIds, Dedupe::Version] {
        let mut sink = sink(dedupe);
        assert!(sink.apply(at(0), write(3, 0, None)));
        assert!(!sink.apply(at(0), write(3, 0, None)), "{dedupe:?}");
        assert_eq!(sink.row(RecordId(3)), Some(&SinkRow { record: RecordId(3), effects: 1, refused: 1 }));
    }
}

#[test]
fn an_older_version_is_refused_even_if_it_is_new() {
    let (mut sink, key) = (sink(Dedupe::Version), Bytes::from_static(b"entity-0"));
    assert!(sink.apply(at(0), write(5, 0, Some(&key))));
    assert!(!sink.apply(at(0), write(4, 1, Some(&key))));
    assert!(sink.apply(at(0), write(6, 2, Some(&key))));
}

#[test]
fn an_offset_stored_with_the_output_refuses_what_is_below() {
    let mut sink = sink(Dedupe::OffsetWithOutput);
    assert!(sink.apply(at(0), write(0, 7, None)));
    assert!(!sink.apply(at(0), write(0, 7, None)));
    assert_eq!(sink.offsets().values().copied().collect::<Vec<_>>(), [8]);
}

/// The next owner has read the stored offset and goes on from there; then the former one, which was asleep, writes.
#[test]
fn who_lost_its_partition_may_still_write() {
    let zombie = |fencing: Fencing| {
        let mut sink = sink(SinkSetup { fencing, ..Dedupe::OffsetWithOutput.into() });
        let mut ask = |generation, record: u32| {
            let request = request(SinkAsk::First, generation, write(record, i64::from(record), None));
            sink.request(at(0), &request, |_, _| {}).map(|response| response.error)
        };
        assert_eq!(ask(1, 0), Some(ErrorCode::None));
        let owns = SinkOffsetsRequest { generation: 2, partitions: vec![TP] };
        assert_eq!(sink.read_offsets(&owns).offsets, [(TP, 1)]);
        let mut ask = |generation, record: u32| {
            let request = request(SinkAsk::First, generation, write(record, i64::from(record), None));
            sink.request(at(0), &request, |_, _| {}).map(|response| response.error)
        };
        let told = [ask(2, 1), ask(2, 2), ask(1, 1), ask(2, 3), ask(1, 4), ask(2, 4)];
        let effects: Vec<u32> = sink.rows().map(|row| row.effects).collect();
        (told.map(|error| error == Some(ErrorCode::IllegalGeneration)), effects, sink.offsets()[&TP])
    };
    let unfenced = [false; 6];
    assert_eq!(zombie(Fencing::None), (unfenced, vec![1, 2, 1, 1, 2], 5), "twice");
    assert_eq!(zombie(Fencing::Offset), (unfenced, vec![1; 5], 5), "once, but record 4 is the zombie's");
    let generation = [false, false, true, false, true, false];
    assert_eq!(zombie(Fencing::Generation), (generation, vec![1; 5], 5));
}

#[test]
fn a_store_forgets_the_oldest_id_when_it_is_full() {
    let mut sink = sink(SinkSetup { window_records: Some(2), ..Dedupe::ProcessedIds.into() });
    for record in [0, 1, 2] {
        assert!(sink.apply(at(0), write(record, 0, None)));
    }
    assert!(!sink.apply(at(0), write(1, 0, None)), "one of the last two");
    assert!(!sink.apply(at(0), write(2, 0, None)), "a refused id takes no room");
    assert!(sink.apply(at(0), write(0, 0, None)), "forgotten: a duplicate");
}

#[test]
fn an_id_expires_so_long_after_it_was_stored() {
    let mut sink = sink(SinkSetup { window: Some(Duration::from_millis(50)), ..Dedupe::ProcessedIds.into() });
    assert!(sink.apply(at(10), write(0, 0, None)));
    assert!(!sink.apply(at(59), write(0, 0, None)));
    assert!(sink.apply(at(60), write(0, 0, None)), "forgotten: a duplicate");
}

/// The effects after a crash between both writes and all over again.
fn crash_between(dedupe: Dedupe, writes: Writes) -> u32 {
    let mut sink = sink(SinkSetup { writes, ..dedupe.into() });
    let fresh = sink.request(at(0), &request(SinkAsk::First, 1, write(0, 0, None)), |_, _| {});
    assert_eq!(fresh.map(|response| response.fresh), Some(vec![true]));
    let again = sink.request(at(1), &request(SinkAsk::First, 1, write(0, 0, None)), |_, _| {});
    if again.is_some_and(|response| response.fresh == [true]) {
        assert_eq!(sink.ask(SinkAsk::Second, write(0, 0, None)), Some(ErrorCode::None));
    }
    sink.row(RecordId(0)).map_or(0, |row| row.effects)
}

#[test]
fn two_writes_repeat_or_lose_by_their_order() {
    for dedupe in [Dedupe::ProcessedIds, Dedupe::OffsetWithOutput] {
        assert_eq!(crash_between(dedupe, Writes::EffectFirst), 2, "{dedupe:?}");
        assert_eq!(crash_between(dedupe, Writes::IdentityFirst), 0, "{dedupe:?}");
    }
    assert_eq!(crash_between(Dedupe::UniqueKey, Writes::EffectFirst), 1, "a row cannot be apart from its key");
}

#[test]
fn a_refusal_changes_nothing_and_a_lost_reply_does() {
    let mut sink = sink(SinkSetup { fail_every: 2, lose_reply_every: 3, poison_every: 10, ..Dedupe::None.into() });
    let mut ask = |record| sink.ask(SinkAsk::First, write(record, 0, None));
    let (refused, poison) = (Some(ErrorCode::UnknownServerError), Some(ErrorCode::InvalidRecord));
    assert_eq!([ask(0), ask(1), ask(2), ask(9)], [Some(ErrorCode::None), refused, None, poison]);
    assert_eq!(sink.rows().map(|row| row.record.0).collect::<Vec<_>>(), [0, 2]);
}
