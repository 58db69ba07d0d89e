//! Which partition a record goes to.
//!
//! In Kafka: `BuiltInPartitioner`, `Utils.murmur2`. On purpose different: the load of the partitions is taken when a new
//! one is chosen, not when the sender last looked.

use crate::base::Prng;

/// The partition of a key.
pub fn partition_for_key(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions
}

/// Kafka's 32-bit Murmur2.
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        h = h.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * i);
        }
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

/// How long the queues of a topic's partitions are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartitionLoad {
    /// Partitions that can be chosen, with the batches in their queues.
    pub queues: Vec<(u32, u64)>,
    /// Whether partitions are missing above (no leader, unavailable).
    pub some_left_out: bool,
}

/// The partition for records without a key: the same until `batch.size` bytes went there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StickyPartition {
    partition: u32,
    produced_bytes: u32,
}

impl StickyPartition {
    /// Begins with a partition.
    pub fn new(partition: u32) -> Self {
        StickyPartition { partition, produced_bytes: 0 }
    }

    /// The partition now.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// Counts bytes. True if another partition is due: `batch.size` bytes went here and a batch just ended
    /// (`enable_switch`), or twice as many whatever the batch.
    pub fn update(&mut self, appended_bytes: u32, sticky_batch_size: u32, enable_switch: bool) -> bool {
        self.produced_bytes = self.produced_bytes.saturating_add(appended_bytes);
        let due = self.produced_bytes >= sticky_batch_size && enable_switch;
        due || self.produced_bytes >= sticky_batch_size.saturating_mul(2)
    }
}

/// Chooses among partitions, the shorter queues more often; evenly among `candidates` without `load`, or where all
/// queues are equally long.
pub fn next_partition(candidates: &[u32], load: Option<&PartitionLoad>, random: &mut Prng) -> u32 {
    match load.and_then(cumulative_frequencies) {
        None => candidates[random.below(candidates.len() as u64) as usize],
        Some(table) => {
            let total = table.last().map_or(1, |(_, sum)| *sum);
            let drawn = random.below(total);
            table[table.partition_point(|(_, sum)| *sum <= drawn)].0
        }
    }
}

/// Partitions with the running sum of their weights; the longest queue weighs 1.
fn cumulative_frequencies(load: &PartitionLoad) -> Option<Vec<(u32, u64)>> {
    let queues = &load.queues;
    let all = queues.len() + usize::from(load.some_left_out);
    let (first, longest) = (queues.first()?.1, queues.iter().map(|(_, size)| *size).max()?);
    let all_equal = queues.iter().all(|(_, size)| *size == first);
    if all < 2 || (all_equal && !load.some_left_out) {
        return None;
    }
    let mut sum = 0;
    let weigh = |(partition, size): &(u32, u64)| {
        sum += longest + 1 - size;
        (*partition, sum)
    };
    Some(queues.iter().map(weigh).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_as_in_utils_test() {
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973932308),
            (b"foobar", -790332482),
            (b"a-little-bit-long-string", -985981536),
            (b"a-little-bit-longer-string", -1486304829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
            (b"abc", 479470107),
        ];
        for (data, hash) in cases {
            assert_eq!(murmur2(data) as i32, hash, "{}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn keys_keep_their_partition() {
        for partitions in 1..20 {
            assert!(partition_for_key(b"key", partitions) < partitions);
        }
        // A negative hash is masked, not negated: -973932308 & 0x7fffffff = 1173551340.
        assert_eq!(partition_for_key(b"21", 1_000), 340);
    }

    #[test]
    fn sticky_until_batch_size_at_a_batch_boundary() {
        let mut sticky = StickyPartition::new(3);
        assert!(!sticky.update(60, 100, true));
        assert!(!sticky.update(60, 100, false), "over batch.size, but within a batch");
        assert!(sticky.update(0, 100, true), "the batch ended");
        let mut sticky = StickyPartition::new(3);
        assert!(sticky.update(200, 100, false), "twice batch.size is the hard limit");
    }

    /// `BuiltInPartitionerTest.adaptivePartitionsTest`: each value of the weighted range is drawn once on average.
    #[test]
    fn adaptive_partitions_prefer_short_queues() {
        let sizes = [5, 0, 3, 0, 1];
        let queues = sizes.iter().enumerate().map(|(i, size)| (i as u32, *size)).collect();
        let load = PartitionLoad { queues, some_left_out: false };
        let table = cumulative_frequencies(&load).unwrap_or_default();
        let sums: Vec<u64> = table.iter().map(|(_, sum)| *sum).collect();
        assert_eq!(sums, [1, 7, 10, 16, 21]);
        let mut random = Prng::split(1, "partitioner");
        let mut counts = [0_u64; 5];
        for _ in 0..21_000 {
            counts[next_partition(&[], Some(&load), &mut random) as usize] += 1;
        }
        for (count, size) in counts.iter().zip(sizes) {
            assert!(count.abs_diff((6 - size) * 1_000) < 250, "{counts:?}");
        }
    }

    #[test]
    fn evenly_where_queues_are_equal() {
        let load = PartitionLoad { queues: vec![(0, 1), (1, 1)], some_left_out: false };
        assert_eq!(cumulative_frequencies(&load), None);
        let load = PartitionLoad { queues: vec![(1, 1)], some_left_out: true };
        assert_eq!(next_partition(&[0], Some(&load), &mut Prng::split(1, "x")), 1);
    }
}
