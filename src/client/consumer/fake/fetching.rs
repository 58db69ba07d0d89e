//! The fake broker's one fetch session.

use super::{FakeBroker, TP};
use crate::base::BrokerId;
use crate::protocol::*;

impl FakeBroker {
    pub(super) fn fetch(&mut self, request: &FetchRequest, error: ErrorCode) -> Option<FetchResponse> {
        if request.session.epoch <= 0 {
            self.session.clear();
        }
        self.session.retain(|known| {
            !request.forgotten.contains(&known.partition)
                && !request.partitions.iter().any(|next| next.partition == known.partition)
        });
        self.session.extend(&request.partitions);
        let full = request.session.epoch <= 0;
        let first = self.session.iter().find(|asked| asked.partition == TP);
        let partition = first.or(self.session.first()).copied();
        let wanted = partition.map_or(0, |partition| partition.fetch_offset);
        let out_of_range = wanted < self.log_start || wanted > self.end();
        let error = if out_of_range { ErrorCode::OffsetOutOfRange } else { error };
        let records: Vec<_> = self.log.iter().filter(|batch| batch.last_offset() >= wanted).cloned().collect();
        let news = error.is_error() || !records.is_empty();
        if !news && request.session.epoch >= 0 {
            return None;
        }
        // A full answer tells of every partition, an incremental one only of those with news.
        let told = |asked: &&FetchPartition| full || news && Some(asked.partition) == partition.map(|it| it.partition);
        let answer = self.session.iter().filter(told).map(|asked| (asked, Some(*asked) == partition));
        let answer = answer.map(|(asked, read)| FetchPartitionResponse {
            partition: asked.partition,
            error: if read { error } else { ErrorCode::None },
            high_watermark: self.end(),
            last_stable_offset: self.end(),
            log_start_offset: self.log_start,
            diverging_epoch: None,
            current_leader: None,
            snapshot_id: None,
            aborted_transactions: self.aborted.clone(),
            preferred_read_replica: BrokerId::NONE,
            records: if error.is_error() || !read { Vec::new() } else { records.clone() },
        });
        Some(FetchResponse { error: ErrorCode::None, session_id: 1, partitions: answer.collect() })
    }
}
