//! The fake broker as transaction coordinator of one transactional id: what was aborted vanishes from its logs.

use super::{FakeBroker, TP};
use crate::base::{Offset, ProducerEpoch, SortedMap, TopicPartition};
use crate::protocol::*;

/// The one transaction.
#[derive(Default)]
pub(super) struct FakeTransaction {
    epoch: ProducerEpoch,
    /// First offsets of its batches.
    open: Vec<(TopicPartition, Offset)>,
    offsets: SortedMap<TopicPartition, Offset>,
}

impl FakeBroker {
    /// A batch was appended.
    pub(super) fn wrote(&mut self, partition: TopicPartition, base_offset: Offset) {
        self.transaction.open.push((partition, base_offset));
    }

    /// The answer to a request about transactions, if it is one.
    pub(super) fn answer_transactional(&mut self, request: &Request, error: ErrorCode) -> Option<Response> {
        Some(match request {
            Request::InitProducerId(InitProducerIdRequest { transactional_id: Some(_), .. }) => {
                self.end_transaction(error, false);
                let producer_epoch = self.transaction.epoch;
                Response::InitProducerId(InitProducerIdResponse { error, producer_id: 7, producer_epoch })
            }
            Request::EndTxn(r) => {
                self.end_transaction(error, r.committed);
                let producer_epoch = self.transaction.epoch;
                Response::EndTxn(EndTxnResponse { error, producer_id: 7, producer_epoch })
            }
            Request::TxnOffsetCommit(r) => {
                if !error.is_error() {
                    self.transaction.offsets.extend(r.offsets.iter().map(|it| (it.partition, it.offset)));
                }
                let result = |it: &OffsetCommitPartition| OffsetCommitResult { partition: it.partition, error };
                Response::TxnOffsetCommit(TxnOffsetCommitResponse {
                    partitions: r.offsets.iter().map(result).collect(),
                })
            }
            _ => return None,
        })
    }

    fn end_transaction(&mut self, error: ErrorCode, committed: bool) {
        if error.is_error() {
            return;
        }
        let FakeTransaction { epoch, open, offsets } = std::mem::take(&mut self.transaction);
        self.transaction.epoch = epoch + 1;
        if committed {
            self.committed.extend(offsets);
            return;
        }
        for (partition, base_offset) in open {
            let log = if partition == TP { &mut self.log } else { &mut self.invoices };
            log.retain(|batch| batch.base_offset() != base_offset);
        }
    }
}
