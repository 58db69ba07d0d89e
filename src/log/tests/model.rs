//! The log against a list of batches, under random appends, truncations, reads, crashes and power losses.

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
    start: Offset,
    end: Offset,
    high_watermark: Offset,
    /// Before it, all is on the medium.
    flushed: Offset,
    epoch: i32,
    now: Time,
}

impl Model {
    fn push(&mut self, batch: RecordBatch, rolled: bool) {
        if rolled {
            self.flushed = batch.base_offset();
        }
        self.end = batch.next_offset();
        self.batches.push((batch, self.now));
    }

    fn truncate(&mut self, to: Offset) {
        if to < self.end {
            self.batches.retain(|(batch, _)| batch.next_offset() <= to);
            self.end = to;
            self.start = self.start.min(to);
            self.high_watermark = self.high_watermark.min(to);
            self.flushed = self.flushed.min(to);
        }
    }

    /// An empty active segment still says where the log goes on.
    fn reopen(&mut self, log: &UnifiedLog) {
        let active = log.segments().last().expect("there is one").base_offset();
        self.end = self.batches.last().map_or(active, |(batch, _)| batch.next_offset().max(active));
        self.high_watermark = self.high_watermark.min(self.end);
        self.flushed = self.flushed.min(self.end);
    }

    fn lose_power(&mut self) {
        let (flushed, now) = (self.flushed, self.now);
        let durable = |batch: &RecordBatch, at: Time| {
            batch.base_offset() < flushed || now.since(at) >= Duration::from_millis(30_000)
        };
        let kept = self.batches.iter().take_while(|(batch, at)| durable(batch, *at)).count();
        self.batches.truncate(kept);
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
    let config = Rc::new(LogConfig { segment_bytes, index_interval_bytes: 100, ..LogConfig::default() });
    let mut log = UnifiedLog::create(PARTITION, config.clone(), NOW);
    let mut model = Model { batches: vec![], start: 0, end: 0, high_watermark: 0, flushed: 0, epoch: 0, now: NOW };
    for action in actions {
        step(&mut log, &mut model, action, &config);
        check(&log, &model);
    }
}

fn step(log: &mut UnifiedLog, model: &mut Model, action: Action, config: &Rc<LogConfig>) {
    match action {
        Action::Append { records } => {
            let segments = log.segments().len();
            let result = log.append_as_leader(plain(records), model.epoch, AppendOrigin::Client, model.now);
            let info = result.expect("the append is fine");
            assert_eq!(info.first_offset, model.end);
            model.push(info.batch, log.segments().len() > segments);
        }
        Action::Replicate { gap, records } => {
            let segments = log.segments().len();
            let batch = plain(records).with_offset_and_epoch(model.end + gap, model.epoch);
            log.append_as_follower(std::slice::from_ref(&batch), model.epoch, model.now).expect("it follows");
            model.push(batch, log.segments().len() > segments);
        }
        Action::Truncate { back } => {
            let to = (model.end - back).max(0);
            assert_eq!(log.truncate_to(to, NOW), to < model.end);
            model.truncate(to);
        }
        Action::TruncateFully { at } => {
            log.truncate_fully_and_start_at(at, NOW);
            model.batches.clear();
            (model.start, model.end, model.high_watermark) = (at, at, at);
            model.flushed = model.flushed.min(at);
        }
        Action::Advance { high_watermark } => {
            log.maybe_advance_high_watermark(high_watermark);
            model.high_watermark = model.high_watermark.max(high_watermark.min(model.end));
        }
        Action::Read { from, max_bytes, bound } => read(log, model, from, max_bytes, bound),
        Action::Flush => {
            log.flush();
            model.flushed = model.end;
        }
        Action::Wait { seconds } => model.now += Duration::from_millis(seconds * 1_000),
        Action::NewEpoch => {
            model.epoch += 1;
            log.assign_epoch_start_offset(model.epoch, model.end);
        }
        Action::Crash => {
            *log = UnifiedLog::open(log.clone().into_directory(), config.clone(), model.high_watermark, model.now).0;
            model.reopen(log);
        }
        Action::Close => {
            *log = UnifiedLog::open(log.clone().close(), config.clone(), model.high_watermark, model.now).0;
            model.flushed = model.end;
            model.reopen(log);
        }
        Action::PowerLoss { seed } => {
            let mut directory = log.clone().into_directory();
            directory.power_loss(model.now, &mut Prng::split(seed, "disk"));
            *log = UnifiedLog::open(directory, config.clone(), model.high_watermark, model.now).0;
            model.lose_power();
            model.reopen(log);
            model.flushed = model.end;
        }
    }
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
    for batch in stored {
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
