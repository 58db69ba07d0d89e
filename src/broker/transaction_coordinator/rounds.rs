//! What is done from time to time: transactions past their timeout are aborted, transactional ids nobody uses are forgotten
//! (§5.7), and whatever waited too long is seen to.
//!
//! In Kafka: `TransactionCoordinator.abortTimedOutTransactions`, `TransactionStateManager.removeExpiredTransactionalIds`.

use super::append::Asker;
use super::{Host, TransactionCoordinator};
use crate::base::{ProducerEpoch, Time, TopicPartition};
use crate::node::{BrokerTimer, Event, Timer};
use crate::protocol::{ErrorCode, TransactionState};
use std::rc::Rc;

/// How large a batch of tombstones gets, about (`removeExpiredTransactionalIds`).
const TOMBSTONES_BYTES: usize = 16_384;
/// What a tombstone has besides its transactional id.
const TOMBSTONE_OVERHEAD: usize = 16;

/// When the next rounds are.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct Rounds {
    abort: Time,
    expire: Time,
}

impl Rounds {
    fn next(self) -> Time {
        self.abort.min(self.expire)
    }
}

impl TransactionCoordinator {
    pub(super) fn start_rounds(&mut self, host: &mut Host<'_, '_>) {
        if self.rounds.is_some() {
            return;
        }
        let (now, config) = (host.ctx.now, host.ctx.config);
        let rounds = Rounds {
            abort: now + config.transaction_abort_timed_out_transaction_cleanup_interval_ms,
            expire: now + config.transaction_remove_expired_transaction_cleanup_interval_ms,
        };
        self.rounds = Some(rounds);
        self.arm(rounds.next(), host);
    }

    /// The timer is left alone if it is due earlier anyway.
    pub(super) fn arm(&mut self, deadline: Time, host: &mut Host<'_, '_>) {
        if self.timer.is_none_or(|due| deadline < due) {
            self.timer = Some(deadline);
            host.ctx.out.set_timer(Timer::Broker(BrokerTimer::Transactions), deadline);
        }
    }

    /// The timer is due.
    pub fn on_timer(&mut self, host: &mut Host<'_, '_>) {
        self.timer = None;
        let now = host.ctx.now;
        self.load_due(host);
        self.expire_waiting(host);
        let overdue = self.markers.expire(now, host.ctx.out);
        self.put_back(overdue, host);
        if self.retries.iter().any(|retry| retry.due <= now) || self.markers.deadline().is_some_and(|due| due <= now) {
            self.unpark(false, host);
        }
        let Some(mut rounds) = self.rounds else { return };
        if rounds.abort <= now {
            rounds.abort = now + host.ctx.config.transaction_abort_timed_out_transaction_cleanup_interval_ms;
            self.abort_timed_out(host);
        }
        if rounds.expire <= now {
            rounds.expire = now + host.ctx.config.transaction_remove_expired_transaction_cleanup_interval_ms;
            self.expire_transactional_ids(host);
        }
        self.rounds = Some(rounds);
        let waiting = self.shards.values().flat_map(|shard| shard.waiting.iter().map(|waiting| waiting.deadline));
        let retries = self.retries.iter().map(|retry| retry.due);
        let loads = self.loading.values().copied();
        let earliest =
            waiting.chain(retries).chain(loads).chain(self.markers.deadline()).fold(rounds.next(), Time::min);
        self.arm(earliest, host);
    }

    fn load_due(&mut self, host: &mut Host<'_, '_>) {
        let now = host.ctx.now;
        let due: Vec<TopicPartition> = self.loading.iter().filter(|(_, due)| **due <= now).map(|(id, _)| *id).collect();
        due.into_iter().for_each(|id| self.load(id, host));
    }

    /// Their producers are fenced first, so that they learn of it.
    fn abort_timed_out(&mut self, host: &mut Host<'_, '_>) {
        let now_ms = host.now_ms();
        let late = self.transactions().filter(|(_, metadata)| metadata.is_timed_out(now_ms));
        let late: Vec<(TopicPartition, Rc<str>)> =
            late.map(|(shard, metadata)| (shard, metadata.transactional_id.clone())).collect();
        for (shard, transactional_id) in late {
            let Some(metadata) = self.metadata_mut(shard, &transactional_id) else { continue };
            let fence = metadata.prepare_fence_producer_epoch();
            let end = self.fencing_abort(fence.producer_id, fence.producer_epoch, host);
            self.end(&transactional_id, end, Asker::Timeout, host);
        }
    }

    fn expire_transactional_ids(&mut self, host: &mut Host<'_, '_>) {
        let idle = host.ctx.config.transactional_id_expiration_ms.as_millis();
        let before_ms = host.now_ms().saturating_sub(i64::try_from(idle).unwrap_or(i64::MAX));
        let expired = self.transactions().filter(|(_, metadata)| metadata.is_expired(before_ms));
        let expired: Vec<(TopicPartition, Rc<str>)> =
            expired.map(|(shard, metadata)| (shard, metadata.transactional_id.clone())).collect();
        for of_shard in expired.chunk_by(|one, other| one.0 == other.0) {
            let shard = of_shard[0].0;
            let (mut tombstones, mut bytes) = (Vec::new(), 0);
            for (_, transactional_id) in of_shard {
                let Some(metadata) = self.metadata_mut(shard, transactional_id) else { continue };
                let size = TOMBSTONE_OVERHEAD + transactional_id.len();
                let tombstone = (transactional_id.clone(), metadata.prepare_dead().producer_epoch);
                if bytes + size > TOMBSTONES_BYTES && !tombstones.is_empty() {
                    self.write_tombstones(shard, std::mem::take(&mut tombstones), host);
                    bytes = 0;
                }
                tombstones.push(tombstone);
                bytes += size;
            }
            self.write_tombstones(shard, tombstones, host);
        }
    }

    /// Tombstones are committed, or could not be written.
    pub(super) fn forget(
        &mut self,
        id: TopicPartition,
        expired: Vec<(Rc<str>, ProducerEpoch)>,
        error: ErrorCode,
        host: &mut Host<'_, '_>,
    ) {
        let Some(shard) = self.shard_mut(id) else { return };
        for (transactional_id, epoch) in expired {
            let Some(metadata) = shard.transactions.get_mut(&transactional_id) else { continue };
            let unchanged = metadata.pending_state == Some(TransactionState::Dead) && metadata.producer_epoch == epoch;
            if unchanged && !error.is_error() {
                shard.transactions.remove(&transactional_id);
                host.ctx.out.emit(Event::TransactionalIdExpired { transactional_id });
            } else {
                metadata.give_up();
            }
        }
    }
}
