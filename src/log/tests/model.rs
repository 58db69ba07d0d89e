//! The log against a list of batches, under random appends, truncations, moves of its start, retention, reads, crashes and
//! power losses.

use super::*;
use crate::base::Prng;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Action {
    Append { records: u32 },
    Replicate { gap: i64, records: u32 },
    Truncate { back: i64 },
    TruncateFully { at: i64 },
    Advance { high_watermark: i64 },
    DeleteRecords { before: i64 },
    Retention,
    CheckpointStart,
    Read { from: i64, max_bytes: u32, bound: i64 },
    Flush,
    Wait { seconds: u64 },
    NewEpoch,
    Crash,
    Close,
    PowerLoss { seed: u64 },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (1..6_u32).prop_map(|records| Action::Append { records }),
        3 => (0..3_i64, 1..4_u32).prop_map(|(gap, records)| Action::Replicate { gap, records }),
        2 => (0..12_i64).prop_map(|back| Action::Truncate { back }),
        1 => (0..50_i64).prop_map(|at| Action::TruncateFully { at }),
        3 => (0..60_i64).prop_map(|high_watermark| Action::Advance { high_watermark }),
        2 => (0..60_i64).prop_map(|before| Action::DeleteRecords { before }),
        3 => Just(Action::Retention),
        1 => Just(Action::CheckpointStart),
        6 => (-2..60_i64, 0..900_u32, 0..60_i64)
            .prop_map(|(from, max_bytes, bound)| Action::Read { from, max_bytes, bound }),
        1 => Just(Action::Flush),
        2 => (1..20_u64).prop_map(|seconds| Action::Wait { seconds }),
        1 => Just(Action::NewEpoch),
        1 => Just(Action::Crash),
        1 => Just(Action::Close),
        1 => any::<u64>().prop_map(|seed| Action::PowerLoss { seed }),
    ]
}

/// The naive log.
struct Model {
    batches: Vec<(RecordBatch, Time)>,
    /// Where the segments begin.
    bases: Vec<Offset>,
    start: Offset,
    /// The start that a crash brings back, if the segments agree.
    written_start: Offset,
    /// Before it, leader epochs may have been forgotten.
    epochs_from: Offset,
    end: Offset,
    high_watermark: Offset,
    /// Before it, all is on the medium.
    flushed: Offset,
    /// Before it, nothing needs to be flushed: it is, or it cannot be read any more.
    recovery_point: Offset,
    epoch: i32,
    now: Time,
}

impl Model {
    fn batch(&self, records: u32) -> RecordBatch {
        builder(records, self.now.wall_clock_ms()).build()
    }

    fn push(&mut self, batch: RecordBatch, rolled: bool) {
        if rolled {
            self.roll(batch.base_offset());
        }
        self.end = batch.next_offset();
        self.batches.push((batch, self.now));
    }

    fn roll(&mut self, at: Offset) {
        self.bases.push(at);
        (self.flushed, self.recovery_point) = (at, at);
    }

    fn flush(&mut self) {
        if self.recovery_point < self.end {
            (self.flushed, self.recovery_point) = (self.end, self.end);
        }
    }

    fn move_start(&mut self, to: Offset) {
        self.start = self.start.max(to);
        self.epochs_from = self.epochs_from.max(self.start);
        self.recovery_point = self.recovery_point.max(self.start);
    }

    fn segment(&self, index: usize) -> impl Iterator<Item = &RecordBatch> {
        let upper = self.bases.get(index + 1).copied().unwrap_or(Offset::MAX);
        let range = self.bases[index]..upper;
        self.batches.iter().map(|(batch, _)| batch).filter(move |batch| range.contains(&batch.base_offset()))
    }

    fn size(&self, index: usize) -> u64 {
        self.segment(index).map(|batch| u64::from(batch.size_in_bytes())).sum()
    }

    /// Deletes segments while `wanted` says so of the first one (its index is 0 then).
    fn delete_while(&mut self, wanted: impl Fn(&Model) -> bool) {
        loop {
            let next = self.bases.get(1).copied();
            let is_empty_end = next.is_none() && self.size(0) == 0;
            if self.high_watermark < next.unwrap_or(self.end) || is_empty_end || !wanted(self) {
                return;
            }
            if next.is_none() {
                self.roll(self.end);
            }
            self.bases.remove(0);
            let base = self.bases[0];
            self.batches.retain(|(batch, _)| batch.base_offset() >= base);
            self.move_start(base);
        }
    }

    fn retention(&mut self, config: &LogConfig) {
        let total = |model: &Model| (0..model.bases.len()).map(|index| model.size(index)).sum::<u64>();
        self.delete_while(|model| model.bases.get(1).is_some_and(|next| *next <= model.start));
        let limit = config.retention_bytes.unwrap();
        self.delete_while(|model| total(model) >= limit && total(model) - model.size(0) >= limit);
        let oldest = self.now.wall_clock_ms() - config.retention_ms.unwrap();
        self.delete_while(|model| {
            let newest = model.segment(0).map(RecordBatch::max_timestamp).max();
            newest.is_none_or(|newest| newest < oldest)
        });
    }

    fn truncate(&mut self, to: Offset) {
        if to < self.bases[0] {
            return self.truncate_fully(to);
        }
        if to < self.end {
            self.bases.retain(|base| *base <= to);
            self.epochs_from = self.epochs_from.min(to);
            self.batches.retain(|(batch, _)| batch.next_offset() <= to);
            self.end = to;
            self.start = self.start.min(to);
            self.high_watermark = self.high_watermark.min(to);
            self.flushed = self.flushed.min(to);
            self.recovery_point = self.recovery_point.min(to);
        }
    }

    fn truncate_fully(&mut self, at: Offset) {
        self.batches.clear();
        self.bases = vec![at];
        (self.start, self.end, self.high_watermark, self.epochs_from) = (at, at, at, at);
        self.flushed = self.flushed.min(at);
        self.recovery_point = self.recovery_point.min(at);
    }

    /// An empty active segment still says where the log goes on. A log that ends before its start begins anew there.
    fn reopen(&mut self) {
        let active = *self.bases.last().expect("there is one");
        self.end = self.batches.last().map_or(active, |(batch, _)| batch.next_offset().max(active));
        self.start = self.written_start.max(self.bases[0]);
        if self.end < self.start {
            let at = self.start;
            self.truncate_fully(at);
        }
        self.epochs_from = self.epochs_from.max(self.start);
        self.high_watermark = self.high_watermark.clamp(self.start, self.end);
        self.flushed = self.flushed.min(self.end);
        self.recovery_point = self.recovery_point.clamp(self.start, self.end);
    }

    fn written_start(&self) -> Offset {
        if self.start > self.bases[0] { self.start } else { 0 }
    }

    fn lose_power(&mut self) {
        let (flushed, now) = (self.flushed, self.now);
        let durable = |batch: &RecordBatch, at: Time| {
            batch.base_offset() < flushed || now.since(at) >= Duration::from_millis(30_000)
        };
        let kept = self.batches.iter().take_while(|(batch, at)| durable(batch, *at)).count();
        let lost = self.batches.get(kept).map(|(batch, _)| batch.base_offset());
        self.batches.truncate(kept);
        // The segment that lost something is the last one.
        self.bases.retain(|base| lost.is_none_or(|lost| *base <= lost));
    }

    fn read(&self, from: Offset, upper: Offset) -> Result<Vec<RecordBatch>, ErrorCode> {
        if from < self.start || from > self.end {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        let wanted = |batch: &&RecordBatch| batch.last_offset() >= from && batch.last_offset() < upper && from < upper;
        Ok(self.batches.iter().map(|(batch, _)| batch).filter(wanted).cloned().collect())
    }
}

fn run(actions: Vec<Action>, segment_bytes: u32) {
    let config = LogConfig { segment_bytes, index_interval_bytes: 100, ..LogConfig::default() };
    let (retention_ms, retention_bytes) = (Some(30_000), Some(2_000));
    let config = Rc::new(LogConfig { retention_ms, retention_bytes, ..config });
    let mut log = UnifiedLog::create(PARTITION, config.clone(), NOW);
    let mut model = Model {
        batches: vec![],
        bases: vec![0],
        start: 0,
        written_start: 0,
        epochs_from: 0,
        end: 0,
        high_watermark: 0,
        flushed: 0,
        recovery_point: 0,
        epoch: 0,
        now: NOW,
    };
    for action in actions {
        step(&mut log, &mut model, action, &config);
        check(&log, &model);
    }
}

fn step(log: &mut UnifiedLog, model: &mut Model, action: Action, config: &Rc<LogConfig>) {
    match action {
        Action::Append { records } => {
            let segments = log.segments().last().cloned();
            let result = log.append_as_leader(model.batch(records), model.epoch, AppendOrigin::Client, model.now);
            let info = result.expect("the append is fine");
            assert_eq!(info.first_offset, model.end);
            model.push(info.batch, is_new_base(log, segments));
        }
        Action::Replicate { gap, records } => {
            let segments = log.segments().last().cloned();
            let batch = model.batch(records).with_offset_and_epoch(model.end + gap, model.epoch);
            log.append_as_follower(std::slice::from_ref(&batch), model.epoch, model.now).expect("it follows");
            model.push(batch, is_new_base(log, segments));
        }
        Action::Truncate { back } => {
            let to = (model.end - back).max(0);
            assert_eq!(log.truncate_to(to, model.now), to < model.end);
            model.truncate(to);
        }
        Action::TruncateFully { at } => {
            log.truncate_fully_and_start_at(at, model.now);
            model.truncate_fully(at);
        }
        Action::Advance { high_watermark } => {
            log.maybe_advance_high_watermark(high_watermark);
            model.high_watermark = model.high_watermark.max(high_watermark.min(model.end));
        }
        Action::DeleteRecords { before } => {
            let moved = log.maybe_advance_log_start_offset(before);
            if before > model.high_watermark {
                assert_eq!(moved, Err(ErrorCode::OffsetOutOfRange));
            } else {
                assert_eq!(moved, Ok(before > model.start));
                model.move_start(before);
            }
        }
        Action::Retention => {
            let expected = log.has_old_segments(model.now);
            assert_eq!(log.delete_old_segments(model.now) > 0, expected);
            model.retention(config);
            assert!(!log.has_old_segments(model.now), "once is enough");
        }
        Action::CheckpointStart => {
            log.checkpoint_log_start();
            model.written_start = model.written_start();
        }
        Action::Read { from, max_bytes, bound } => read(log, model, from, max_bytes, bound),
        Action::Flush => {
            log.flush();
            model.flush();
        }
        Action::Wait { seconds } => model.now += Duration::from_millis(seconds * 1_000),
        Action::NewEpoch => {
            model.epoch += 1;
            log.assign_epoch_start_offset(model.epoch, model.end);
        }
        Action::Crash => {
            *log = UnifiedLog::open(log.clone().into_directory(), config.clone(), model.high_watermark, model.now).0;
            model.reopen();
        }
        Action::Close => {
            *log = UnifiedLog::open(log.clone().close(), config.clone(), model.high_watermark, model.now).0;
            model.flush();
            model.written_start = model.written_start();
            model.reopen();
        }
        Action::PowerLoss { seed } => {
            let mut directory = log.clone().into_directory();
            directory.power_loss(model.now, &mut Prng::split(seed, "disk"));
            *log = UnifiedLog::open(directory, config.clone(), model.high_watermark, model.now).0;
            model.lose_power();
            model.reopen();
            model.flushed = model.end;
        }
    }
}

/// Was a segment begun at another offset than that of the last one before?
fn is_new_base(log: &UnifiedLog, before: Option<Rc<Segment>>) -> bool {
    log.segments().last().map(|segment| segment.base_offset()) != before.map(|segment| segment.base_offset())
}

/// A read gives a prefix of what the model has: never nothing if there is something, never more than asked.
fn read(log: &UnifiedLog, model: &Model, from: Offset, max_bytes: u32, bound: Offset) {
    let upper = bound.min(model.end);
    let expected = model.read(from, upper);
    for min_one in [true, false] {
        let found = log.read(from, max_bytes, upper, min_one);
        let (Ok(found), Ok(expected)) = (&found, &expected) else {
            assert_eq!(found, expected);
            continue;
        };
        assert!(expected.starts_with(found), "{found:?} is no prefix of {expected:?}");
        assert!(!min_one || found.is_empty() == expected.is_empty());
        let size: u32 = found.iter().map(RecordBatch::size_in_bytes).sum();
        assert!(size <= max_bytes || (min_one && found.len() == 1));
    }
}

fn check(log: &UnifiedLog, model: &Model) {
    let stored: Vec<&RecordBatch> = log.batches_from(0).collect();
    assert_eq!(stored, model.batches.iter().map(|(batch, _)| batch).collect::<Vec<_>>());
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (model.start, model.end));
    assert_eq!(log.high_watermark(), model.high_watermark);
    assert_eq!(log.last_stable_offset(), model.high_watermark);
    let epochs = log.epoch_entries();
    assert!(epochs.windows(2).all(|pair| pair[0].epoch < pair[1].epoch));
    assert!(epochs.windows(2).all(|pair| pair[0].start_offset < pair[1].start_offset));
    assert_eq!(bases(log), model.bases);
    for batch in stored.into_iter().filter(|batch| batch.base_offset() >= model.epochs_from) {
        assert_eq!(log.epoch_for_offset(batch.base_offset()), Some(batch.leader_epoch()), "{epochs:?} {batch:?}");
    }
    for segment in log.segments() {
        let mut position = 0;
        for stored in segment.batches().iter() {
            assert_eq!(stored.position, position);
            position += stored.batch.size_in_bytes();
        }
        assert_eq!(segment.size_in_bytes(), position);
        assert!(segment.next_offset() >= segment.base_offset());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_a_list_of_batches(
        actions in prop::collection::vec(action(), 1..60),
        segment_bytes in 400..1_500_u32,
    ) {
        run(actions, segment_bytes);
    }
}
