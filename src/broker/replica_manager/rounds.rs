//! What is done to all logs from time to time (Kafka's `LogManager`): retention, compaction, silent producers, log starts.

use super::ReplicaManager;
use crate::base::TopicPartition;
use crate::broker::context::Context;
use crate::broker::partition::Partition;
use crate::log::UnifiedLog;
use crate::node::Event;
use std::rc::Rc;

impl ReplicaManager {
    /// Deletes the segments that are to be kept no longer. Compacted logs are the cleaner's.
    pub fn delete_old_segments(&mut self, compacted: bool, ctx: &mut Context<'_, '_>) {
        let now = ctx.now;
        let old = self.where_log(|log| log.config().compact == compacted && log.has_old_segments(now));
        for id in old {
            let Some(partition) = self.partition_mut(id) else { continue };
            let before = partition.log().log_start_offset();
            partition.log_mut().delete_old_segments(now);
            if partition.log().log_start_offset() != before {
                partition.emit_log_start(ctx);
                self.touch(id);
                self.fetchers.log_start_moved(id);
            }
        }
    }

    /// Compacts the logs that are dirty enough, then deletes what compacted logs keep no longer (Kafka's `LogCleaner`). All
    /// at once, where Kafka's thread takes the filthiest first.
    pub fn clean_logs(&mut self, ctx: &mut Context<'_, '_>) {
        if !ctx.config.log_cleaner_enable {
            return;
        }
        let now = ctx.now;
        for id in self.where_log(|log| log.to_clean(now).is_some()) {
            let Some(partition) = self.partition_mut(id) else { continue };
            let Some(what) = partition.log().to_clean(now) else { continue };
            // A log that cannot be read is left as it is.
            if let Ok(bytes) = partition.log_mut().clean(&what, now) {
                ctx.out.emit(Event::Compacted { partition: id, to: what.first_uncleanable_offset, bytes });
            }
        }
        self.delete_old_segments(true, ctx);
    }

    /// Forgets producers that have been silent for too long.
    pub fn expire_producers(&mut self, ctx: &Context<'_, '_>) {
        let now = ctx.now;
        for id in self.where_log(|log| log.has_expired_producers(now)) {
            if let Some(partition) = self.partition_mut(id) {
                partition.log_mut().remove_expired_producers(now);
            }
        }
    }

    /// Writes `log-start-offset-checkpoint`.
    pub fn checkpoint_log_starts(&mut self) {
        for id in self.where_log(UnifiedLog::log_start_is_unwritten) {
            if let Some(partition) = self.partition_mut(id) {
                partition.log_mut().checkpoint_log_start();
            }
        }
    }

    /// The partitions whose log it is true of; the others stay shared with checkpoints.
    pub(super) fn where_log(&self, holds: impl Fn(&UnifiedLog) -> bool) -> Vec<TopicPartition> {
        let matching = |partition: &&Rc<Partition>| holds(partition.log());
        self.partitions.values().filter(matching).map(|partition| partition.id()).collect()
    }
}
