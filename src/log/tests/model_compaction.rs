//! Compaction against the history of all records: whatever is cleaned and when, a reader of committed data ends with the same
//! newest value of each key, at the same offsets, and producers stay known.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Two producers whose batches are transactional, and two whose batches are not.
const TRANSACTIONAL: [i64; 2] = [10, 11];
const PLAIN: [i64; 2] = [20, 21];

/// Key and value; none is a tombstone.
type Pair = (u8, Option<u8>);

#[derive(Clone, Debug)]
enum Action {
    /// Nobody's batch.
    Put(Vec<Pair>),
    /// A batch of an idempotent producer.
    PutBy(usize, Vec<Pair>),
    /// A batch in a transaction.
    PutIn(usize, Vec<Pair>),
    End(usize, bool),
    Advance(i64),
    Roll,
    Wait(u64),
    Clean,
    /// Down to the high watermark at most.
    Truncate(i64),
    /// Without its snapshots.
    Crash,
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let value = prop_oneof![7 => any::<u8>().prop_map(Some), 3 => Just(None)];
    prop::collection::vec((0..5_u8, value), 1..4)
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => pairs().prop_map(Action::Put),
        3 => (0..2_usize, pairs()).prop_map(|(who, pairs)| Action::PutBy(who, pairs)),
        4 => (0..2_usize, pairs()).prop_map(|(who, pairs)| Action::PutIn(who, pairs)),
        3 => (0..2_usize, any::<bool>()).prop_map(|(who, commit)| Action::End(who, commit)),
        4 => (0..80_i64).prop_map(Action::Advance),
        4 => Just(Action::Roll),
        2 => (1..800_u64).prop_map(Action::Wait),
        6 => Just(Action::Clean),
        1 => (0..6_i64).prop_map(Action::Truncate),
        1 => Just(Action::Crash),
    ]
}

/// A record as it was written.
#[derive(Clone, Debug)]
struct Written {
    offset: Offset,
    pair: Pair,
    /// Of a transaction: whose.
    within: Option<i64>,
    aborted: bool,
}

struct Lab {
    log: UnifiedLog,
    now: Time,
    history: Vec<Written>,
    sequences: BTreeMap<i64, i32>,
}

impl Lab {
    fn append(&mut self, pairs: &[Pair], producer: Option<(i64, bool)>) {
        let timestamp = self.now.wall_clock_ms();
        let mut builder = BatchBuilder::new(timestamp);
        for (key, value) in pairs {
            builder.append(timestamp, Some(&[*key]), value.as_ref().map(std::slice::from_ref), &[]);
        }
        if let Some((id, transactional)) = producer {
            let sequence = self.sequences.entry(id).or_default();
            builder = builder.producer(id, 0, *sequence).transactional(transactional);
            *sequence += pairs.len() as i32;
        }
        let info = self.log.append_as_leader(builder.build(), 0, AppendOrigin::Client, self.now).expect("it is fine");
        let within = producer.filter(|(_, transactional)| *transactional).map(|(id, _)| id);
        for (offset, pair) in (info.first_offset..).zip(pairs) {
            self.history.push(Written { offset, pair: *pair, within, aborted: false });
        }
    }

    fn end(&mut self, producer: i64, commit: bool) {
        let from = self.log.producer_state().entry(producer).and_then(|entry| entry.current_txn_first_offset);
        let batch = ControlRecord::marker_batch(commit, producer, 0, 0, self.now.wall_clock_ms());
        append_marker(&mut self.log, batch, 0).expect("it is fine");
        if let Some(from) = from.filter(|_| !commit) {
            for written in self.history.iter_mut().filter(|it| it.within == Some(producer) && it.offset >= from) {
                written.aborted = true;
            }
        }
    }

    fn clean(&mut self) {
        let tombstones = |log: &UnifiedLog, now_ms: i64| {
            let kept = |batch: &&RecordBatch| batch.delete_horizon().is_none_or(|it| it > now_ms);
            let batches = log.batches_from(0).filter(|batch| !batch.is_control()).filter(kept);
            let records = batches.flat_map(RecordBatch::raw_records).flatten();
            records.filter(|record| record.value.is_none()).map(|record| record.offset).collect::<Vec<Offset>>()
        };
        let Some(what) = self.log.to_clean(self.now) else { return };
        let before = tombstones(&self.log, self.now.wall_clock_ms());
        let size = self.log.size_in_bytes();
        let gone = self.log.clean(&what, self.now).expect("it can be read");
        assert_eq!(self.log.size_in_bytes() + gone, size.max(self.log.size_in_bytes()));
        assert!(self.log.to_clean(self.now).is_none(), "once is enough");
        let after = tombstones(&self.log, i64::MIN);
        for offset in before.into_iter().filter(|offset| !after.contains(offset)) {
            let old = self.written(offset);
            let newer = |it: &&Written| it.pair.0 == old.pair.0 && it.offset > offset && !it.aborted;
            assert!(old.aborted || self.history.iter().any(|it| newer(&it)), "tombstone {offset} went before its time");
        }
    }

    fn written(&self, offset: Offset) -> &Written {
        self.history.iter().find(|written| written.offset == offset).expect("it was written")
    }

    /// What a reader of committed data makes of the log.
    fn seen(&self) -> BTreeMap<u8, u8> {
        let upper = self.log.last_stable_offset();
        let mut aborted = self.log.aborted_transactions(0, upper);
        aborted.sort_by_key(|txn| std::cmp::Reverse(txn.first_offset));
        let (mut within, mut seen) = (Vec::new(), BTreeMap::new());
        for batch in self.log.batches_from(0).take_while(|batch| batch.last_offset() < upper) {
            while let Some(txn) = aborted.pop_if(|txn| txn.first_offset <= batch.last_offset()) {
                within.push(txn.producer_id);
            }
            if batch.is_control() {
                let is_abort = matches!(ControlRecord::of_batch(batch), Ok(Some(ControlRecord::Abort { .. })));
                within.retain(|producer| !(is_abort && *producer == batch.producer_id()));
            } else if !(batch.is_transactional() && within.contains(&batch.producer_id())) {
                batch.raw_records().for_each(|record| apply(&mut seen, pair_of(&record.expect("readable"))));
            }
        }
        seen
    }

    fn expected(&self) -> BTreeMap<u8, u8> {
        let mut expected = BTreeMap::new();
        let upper = self.log.last_stable_offset();
        let committed = self.history.iter().filter(|written| written.offset < upper && !written.aborted);
        committed.for_each(|written| apply(&mut expected, written.pair));
        expected
    }

    fn check(&self) {
        assert_eq!(self.seen(), self.expected());
        let mut next = 0;
        for batch in self.log.batches_from(0) {
            assert!(batch.validate_crc() && batch.base_offset() >= next, "{batch:?} after {next}");
            next = batch.next_offset();
            for record in batch.raw_records().filter(|_| !batch.is_control()) {
                let record = record.expect("readable");
                assert_eq!(pair_of(&record), self.written(record.offset).pair);
            }
        }
        assert!(next <= self.log.log_end_offset());
    }

    /// Everything but the batches is lost. All is replicated before: as in Kafka, a restart forgets which markers are not.
    fn crash(&mut self) {
        commit(&mut self.log);
        let known = |log: &UnifiedLog| -> Vec<(i64, i16, i32)> {
            let all = log.producer_state().producers().map(|(id, it)| (id, it.epoch, it.last_sequence()));
            all.filter(|(_, _, sequence)| *sequence >= 0).collect()
        };
        let open = |log: &UnifiedLog| log.ongoing_transactions().map(|it| it.producer_id).collect::<Vec<_>>();
        let (producers, transactions) = (known(&self.log), open(&self.log));
        let (config, high_watermark) = (self.log.config().clone(), self.log.high_watermark());
        let mut directory = self.log.clone().into_directory();
        directory.snapshots.clear();
        self.log = UnifiedLog::open(directory, config, high_watermark, self.now).0;
        assert_eq!(known(&self.log), producers);
        assert_eq!(open(&self.log), transactions);
    }

    fn step(&mut self, action: Action) {
        match action {
            Action::Put(pairs) => self.append(&pairs, None),
            Action::PutBy(who, pairs) => self.append(&pairs, Some((PLAIN[who], false))),
            Action::PutIn(who, pairs) => self.append(&pairs, Some((TRANSACTIONAL[who], true))),
            Action::End(who, commit) => self.end(TRANSACTIONAL[who], commit),
            Action::Advance(to) => {
                // Replicas have whole batches.
                let whole = self.log.batches_from(0).map(RecordBatch::next_offset).take_while(|next| *next <= to);
                let to = whole.last().unwrap_or(0);
                self.log.maybe_advance_high_watermark(to);
            }
            Action::Roll => self.log.roll(self.log.log_end_offset(), self.now),
            Action::Wait(millis) => self.now += Duration::from_millis(millis),
            Action::Clean => self.clean(),
            Action::Truncate(back) => {
                // The cleaner has relied on what producers had written.
                let to = (self.log.log_end_offset() - back).max(self.log.high_watermark());
                let cuts = self.log.batches_from(to).any(RecordBatch::has_producer_id);
                let whole = self.log.batches_from(to).next().is_none_or(|batch| batch.base_offset() == to);
                if !cuts && whole && self.log.truncate_to(to, self.now) {
                    self.history.retain(|written| written.offset < to);
                }
            }
            Action::Crash => self.crash(),
        }
    }
}

fn pair_of(record: &crate::record::RawRecord<'_>) -> Pair {
    (record.key.expect("it has a key")[0], record.value.map(|value| value[0]))
}

fn apply(view: &mut BTreeMap<u8, u8>, (key, value): Pair) {
    match value {
        Some(value) => drop(view.insert(key, value)),
        None => drop(view.remove(&key)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn compaction_keeps_what_a_reader_ends_with(
        actions in prop::collection::vec(action(), 1..80),
        segment_bytes in 200..800_u32,
        delete_retention_ms in 0..1_500_i64,
    ) {
        let mut config = LogConfig { segment_bytes, delete_retention_ms, compact: true, ..LogConfig::default() };
        config.index_interval_bytes = 100;
        config.min_cleanable_dirty_ratio.numerator = 0;
        let log = UnifiedLog::create(PARTITION, Rc::new(config), NOW);
        let mut lab = Lab { log, now: NOW, history: Vec::new(), sequences: BTreeMap::new() };
        for action in actions {
            lab.step(action);
            lab.check();
        }
    }
}
