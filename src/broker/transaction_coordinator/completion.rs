//! From the decision to the end: markers to every partition, then the record that all are written (§5.6).
//!
//! In Kafka: `TransactionMarkerChannelManager`, `TransactionMarkerRequestCompletionHandler`. Departure: a marker waits for a
//! partition that has no leader, as up to 4.2 and as the text of Kafka 4.3 says; its `KRaftMetadataCache` takes such a
//! partition for a deleted one, says that the transaction is complete, and leaves it hanging there.

use super::append::{Asker, Retry, Then, answer_end};
use super::markers::{Answered, Marker};
use super::{Host, TransactionCoordinator};
use crate::base::{BrokerId, Duration, SortedMap, TopicPartition};
use crate::coordinator::transaction::EndOfTransaction;
use crate::protocol::{ErrorCode, Response, TransactionState, TxnMarker};
use std::rc::Rc;

/// How long a marker waits after a broken connection (`TransactionMarkerChannelManager`'s reconnect back-off).
const RECONNECT_BACKOFF: Duration = Duration::from_millis(50);
/// How long it waits for a leader that is not known, or is still the one that could not write it. (Kafka does not wait.)
const RETRY_BACKOFF: Duration = Duration::from_millis(100);

impl TransactionCoordinator {
    /// PrepareCommit or PrepareAbort is committed: answers, and sends the markers.
    pub(super) fn decided(
        &mut self,
        shard: TopicPartition,
        transactional_id: &Rc<str>,
        end: EndOfTransaction,
        asker: Asker,
        host: &mut Host<'_, '_>,
    ) {
        let now_ms = host.now_ms();
        let Some(metadata) = self.metadata_mut(shard, transactional_id) else { return };
        let to = match metadata.decided(end, now_ms) {
            Ok(to) => to,
            Err(error) => return answer_end(asker, Err(error), host),
        };
        // Versions 0 and 1 leave the producer with what it has.
        let goes_on = if end.transaction_version >= 2 { (to.producer_id, to.producer_epoch) } else { (-1, -1) };
        answer_end(asker, Ok(goes_on), host);
        if let Some(shard) = self.shard_mut(shard) {
            shard.completing.insert(transactional_id.clone(), to);
        }
        self.write_markers(shard, transactional_id, host);
        self.send_markers(host);
    }

    /// Makes markers for all partitions that have none yet; the caller sends them.
    pub(super) fn write_markers(&mut self, id: TopicPartition, transactional_id: &Rc<str>, host: &mut Host<'_, '_>) {
        let Some(shard) = self.shards.get(&id) else { return };
        let Some(metadata) = shard.transactions.get(transactional_id) else { return };
        let marker = TxnMarker {
            producer_id: metadata.producer_id,
            producer_epoch: metadata.producer_epoch,
            committed: metadata.state == TransactionState::PrepareCommit,
            coordinator_epoch: shard.epoch,
            transaction_version: metadata.transaction_version,
            partitions: metadata.partitions.to_vec(),
        };
        self.route(Marker { shard: id, transactional_id: transactional_id.clone(), marker }, host);
        self.complete_if_written(id, transactional_id, host);
    }

    /// Splits a marker by the leaders of its partitions. A partition that is gone needs none.
    fn route(&mut self, marker: Marker, host: &mut Host<'_, '_>) {
        let mut leaders: SortedMap<BrokerId, Vec<TopicPartition>> = SortedMap::new();
        let mut gone = Vec::new();
        for partition in &marker.marker.partitions {
            match host.ctx.image.partition(*partition) {
                Some(registration) => leaders.entry(registration.leader).or_default().push(*partition),
                None => gone.push(*partition),
            }
        }
        for (leader, partitions) in leaders.iter_mut() {
            let partitions = std::mem::take(partitions);
            let part = Marker { marker: TxnMarker { partitions, ..marker.marker.clone() }, ..marker.clone() };
            if host.ctx.image.broker(*leader).is_some() {
                self.markers.push(*leader, part);
            } else {
                self.park(RETRY_BACKOFF, part, host);
            }
        }
        if !gone.is_empty() {
            let Some(metadata) = self.metadata_mut(marker.shard, &marker.transactional_id) else { return };
            gone.into_iter().for_each(|partition| metadata.remove_partition(partition));
            self.complete_if_written(marker.shard, &marker.transactional_id, host);
        }
    }

    fn park(&mut self, pause: Duration, marker: Marker, host: &mut Host<'_, '_>) {
        let due = host.ctx.now + pause;
        self.markers.park(due, marker);
        self.arm(due, host);
    }

    /// Sends what can be sent; records that could not be appended are tried again on the way.
    pub(super) fn send_markers(&mut self, host: &mut Host<'_, '_>) {
        for retry in std::mem::take(&mut self.retries) {
            self.write(retry.shard, &retry.transactional_id, retry.to, Then::Complete, host);
        }
        let (now, timeout) = (host.ctx.now, host.ctx.config.request_timeout_ms);
        if self.markers.send(now, timeout, host.ctx.out) {
            self.arm(now + timeout, host);
        }
    }

    /// Kafka's sender looks again when it is next awake, which is after its request timeout at the latest.
    pub(super) fn retry_later(&mut self, retry: Retry, host: &mut Host<'_, '_>) {
        let due = retry.due + host.ctx.config.request_timeout_ms;
        self.retries.push(Retry { due, ..retry });
        self.arm(due, host);
    }

    /// If no marker is missing, says so in the log.
    fn complete_if_written(&mut self, id: TopicPartition, transactional_id: &Rc<str>, host: &mut Host<'_, '_>) {
        let Some(shard) = self.shard_mut(id) else { return };
        let missing = shard.transactions.get(transactional_id).is_none_or(|metadata| !metadata.partitions.is_empty());
        if missing {
            return;
        }
        if let Some(to) = shard.completing.remove(transactional_id) {
            self.write(id, transactional_id, to, Then::Complete, host);
        }
    }

    /// A leader answered WriteTxnMarkers.
    pub fn on_markers_response(
        &mut self,
        from: BrokerId,
        correlation: u32,
        response: Response,
        host: &mut Host<'_, '_>,
    ) {
        let Response::WriteTxnMarkers(response) = response else { return };
        let (answered, unanswered) = self.markers.answered(from, correlation, response);
        for answered in answered {
            if self.is_of_this_epoch(&answered.marker) {
                self.on_marker_answer(from, answered, host);
            }
        }
        self.put_back(unanswered, host);
        self.send_markers(host);
    }

    /// The connection to a leader broke.
    pub fn on_markers_disconnect(&mut self, broker: BrokerId, host: &mut Host<'_, '_>) {
        let markers = self.markers.disconnected(broker);
        self.put_back(markers, host);
    }

    pub(super) fn put_back(&mut self, markers: Vec<Marker>, host: &mut Host<'_, '_>) {
        for marker in markers {
            if self.is_of_this_epoch(&marker) {
                self.park(RECONNECT_BACKOFF, marker, host);
            }
        }
    }

    /// Is there a marker that new metadata may send on its way?
    pub fn waits_for_metadata(&self) -> bool {
        self.markers.has_parked()
    }

    /// The metadata changed: leaders may be known that were not.
    pub fn on_metadata(&mut self, host: &mut Host<'_, '_>) {
        self.unpark(true, host);
    }

    pub(super) fn unpark(&mut self, news: bool, host: &mut Host<'_, '_>) {
        for marker in self.markers.unpark(host.ctx.now, news) {
            self.route(marker, host);
        }
        self.send_markers(host);
    }

    fn is_of_this_epoch(&self, marker: &Marker) -> bool {
        self.shards.get(&marker.shard).is_some_and(|shard| {
            shard.epoch == marker.marker.coordinator_epoch && shard.transactions.contains_key(&marker.transactional_id)
        })
    }

    fn on_marker_answer(&mut self, from: BrokerId, answered: Answered, host: &mut Host<'_, '_>) {
        let Answered { marker, partitions } = answered;
        let (mut again, mut fenced) = (Vec::new(), false);
        for (partition, error) in partitions {
            match error {
                ErrorCode::None | ErrorCode::UnsupportedForMessageFormat | ErrorCode::UnsupportedVersion => {
                    if let Some(metadata) = self.metadata_mut(marker.shard, &marker.transactional_id) {
                        metadata.remove_partition(partition);
                    }
                }
                // The transaction is somebody else's now: it stays as it is.
                ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced => fenced = true,
                // Those that Kafka lists, and those it throws IllegalStateException for.
                _ => again.push(partition),
            }
        }
        if fenced {
            if let Some(shard) = self.shard_mut(marker.shard) {
                shard.completing.remove(&marker.transactional_id);
            }
        } else if again.is_empty() {
            self.complete_if_written(marker.shard, &marker.transactional_id, host);
        } else {
            self.write_again(from, &marker, again, host);
        }
    }

    /// At once if somebody else leads by now, else after a pause.
    fn write_again(
        &mut self,
        from: BrokerId,
        marker: &Marker,
        partitions: Vec<TopicPartition>,
        host: &mut Host<'_, '_>,
    ) {
        let image = host.ctx.image;
        let (same, moved): (Vec<_>, Vec<_>) = partitions
            .into_iter()
            .partition(|partition| image.partition(*partition).is_some_and(|it| it.leader == from));
        let with = |partitions| Marker { marker: TxnMarker { partitions, ..marker.marker.clone() }, ..marker.clone() };
        if !same.is_empty() {
            self.park(RETRY_BACKOFF, with(same), host);
        }
        if !moved.is_empty() {
            self.route(with(moved), host);
        }
    }
}
