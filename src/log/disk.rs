//! One machine's disk while its broker is down: the directories of all logs, and the checkpoint files beside them.

use super::LogDirectory;
use crate::base::{Offset, Prng, SortedMap, Time, TopicPartition};
use std::rc::Rc;

/// A log directory (`log.dirs`) with everything in it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Disk {
    /// While the broker runs, its logs hold their directories, and this is empty.
    directories: SortedMap<TopicPartition, Rc<LogDirectory>>,
    /// `.kafka_cleanshutdown`: the epoch of the broker that stopped in an orderly way (KIP-966).
    clean_shutdown_epoch: Option<i64>,
    /// `replication-offset-checkpoint`, as it was last written (and flushed).
    high_watermarks: Rc<SortedMap<TopicPartition, Offset>>,
    full: bool,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Disk {
        Disk::default()
    }

    /// Writes the high watermarks, all at once, and flushes them.
    pub fn write_high_watermarks(&mut self, high_watermarks: impl IntoIterator<Item = (TopicPartition, Offset)>) {
        self.high_watermarks = Rc::new(high_watermarks.into_iter().collect());
    }

    /// The high watermark last written for a partition; 0 if none was.
    pub fn high_watermark(&self, partition: TopicPartition) -> Offset {
        self.high_watermarks.get(&partition).copied().unwrap_or(0)
    }

    /// Writes the epoch of a broker that stops in an orderly way.
    pub fn write_clean_shutdown(&mut self, broker_epoch: i64) {
        self.clean_shutdown_epoch = Some(broker_epoch);
    }

    /// The epoch that the last broker left behind when it stopped; none if it did not stop in an orderly way.
    pub fn clean_shutdown_epoch(&self) -> Option<i64> {
        self.clean_shutdown_epoch
    }

    /// A broker opens its logs: from now on only another orderly stop makes them clean.
    pub fn forget_clean_shutdown(&mut self) {
        self.clean_shutdown_epoch = None;
    }

    /// Puts back the directory of a log whose process ended.
    pub fn put(&mut self, directory: LogDirectory) {
        self.directories.insert(directory.partition(), Rc::new(directory));
    }

    /// Whether it takes no more bytes.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// It takes no more bytes, or takes them again: a fault.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// Flips a byte of the batch that holds `offset`, while the broker is down. Says whether there is one.
    pub fn corrupt(&mut self, partition: TopicPartition, offset: Offset, byte: usize) -> bool {
        self.directories.get_mut(&partition).is_some_and(|directory| Rc::make_mut(directory).corrupt(offset, byte))
    }

    /// Takes a directory in order to open its log.
    pub fn take(&mut self, partition: TopicPartition) -> Option<LogDirectory> {
        self.directories.remove(&partition).map(Rc::unwrap_or_clone)
    }

    /// Takes all directories, in order to open their logs.
    pub fn take_all(&mut self) -> Vec<LogDirectory> {
        std::mem::take(&mut self.directories).into_values().map(Rc::unwrap_or_clone).collect()
    }

    /// The directories there are, for inspection.
    pub fn directories(&self) -> impl Iterator<Item = (&TopicPartition, &LogDirectory)> {
        self.directories.iter().map(|(partition, directory)| (partition, &**directory))
    }

    /// One directory, for inspection.
    pub fn directory(&self, partition: TopicPartition) -> Option<&LogDirectory> {
        self.directories.get(&partition).map(|directory| &**directory)
    }

    /// Deletes the files of all partitions that `stays` does not know (Kafka's stray replicas).
    pub fn remove_strays(&mut self, stays: impl Fn(TopicPartition) -> bool) {
        let strays: Vec<_> = self.directories.keys().copied().filter(|partition| !stays(*partition)).collect();
        for partition in strays {
            self.remove(partition);
        }
    }

    /// Deletes a partition's files.
    pub fn remove(&mut self, partition: TopicPartition) -> bool {
        Rc::make_mut(&mut self.high_watermarks).remove(&partition);
        self.directories.remove(&partition).is_some()
    }

    /// The machine loses power: what was not flushed is gone; of a log that was closed, nothing. A process crash needs no call: the page cache survives it.
    pub fn power_loss(&mut self, now: Time, random: &mut Prng) {
        for directory in self.directories.values_mut().filter(|directory| !directory.is_clean()) {
            Rc::make_mut(directory).power_loss(now, random);
        }
    }
}
