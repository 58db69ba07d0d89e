//! Reads the metadata log from the controller and follows it (Kafka's `MetadataLoader` over a raft observer).
//!
//! Invariant: an image is published (that is, acted upon) only when the log has been read up to the high watermark the
//! controller reported, the first time also not before the controller calls this broker caught up; so a broker never acts
//! on what it was in its former life. After that each answer is published as one delta.
//!
//! Departure: brokers keep no copy of the metadata log; after a start they read all of it again.

use super::controller_channel::ControllerChannel;
use crate::base::config::IsolationLevel;
use crate::base::{BrokerId, Duration, Offset, Time};
use crate::metadata::{CLUSTER_METADATA, MetadataDelta, MetadataImage};
use crate::node::{BrokerTimer, Outbox, Timer};
use crate::protocol::{
    ErrorCode, FetchPartition, FetchPartitionResponse, FetchReplica, FetchRequest, FetchResponse, FetchSession, Request,
};

const MAX_FETCH_WAIT: Duration = Duration::from_millis(500);
const MAX_FETCH_BYTES: u32 = 8 * 1024 * 1024;

/// What the broker knows of the cluster.
#[derive(Clone, Hash, Debug)]
pub struct MetadataLoader {
    image: MetadataImage,
    unpublished: MetadataDelta,
    caught_up: bool,
    published: bool,
    retry_backoff: Duration,
    /// To the controller.
    pub channel: ControllerChannel,
}

impl MetadataLoader {
    /// Knows nothing yet.
    pub fn new(channel: ControllerChannel, retry_backoff: Duration) -> Self {
        MetadataLoader {
            image: MetadataImage::default(),
            unpublished: MetadataDelta::default(),
            caught_up: false,
            published: false,
            retry_backoff,
            channel,
        }
    }

    /// The cluster as read so far.
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// Whether the first image has been acted upon.
    pub fn is_published(&self) -> bool {
        self.published
    }

    /// Asks for what comes next.
    pub fn fetch(&mut self, now: Time, id: BrokerId, broker_epoch: i64, out: &mut Outbox<'_>) {
        if self.channel.is_busy() {
            return;
        }
        let partition = FetchPartition {
            partition: CLUSTER_METADATA,
            current_leader_epoch: -1,
            fetch_offset: self.image.offset() + 1,
            last_fetched_epoch: -1,
            log_start_offset: 0,
            partition_max_bytes: MAX_FETCH_BYTES,
        };
        let request = FetchRequest {
            replica: Some(FetchReplica { id, epoch: broker_epoch }),
            max_wait: MAX_FETCH_WAIT,
            min_bytes: 0,
            max_bytes: MAX_FETCH_BYTES,
            isolation: IsolationLevel::ReadUncommitted,
            session: FetchSession::NONE,
            partitions: vec![partition],
            forgotten: Vec::new(),
            rack: None,
        };
        self.channel.send(now, Request::Fetch(request), out);
    }

    /// The controller answered; false if the caller has to wait for the timer before it fetches again.
    pub fn on_response(&mut self, now: Time, response: &FetchResponse, out: &mut Outbox<'_>) -> bool {
        let partition = response.partitions.first().filter(|_| !response.error.is_error());
        let good = partition.is_some_and(|partition| self.replay(partition));
        if !good {
            out.set_timer(Timer::Broker(BrokerTimer::Metadata), now + self.retry_backoff);
        }
        good
    }

    fn replay(&mut self, partition: &FetchPartitionResponse) -> bool {
        if partition.error != ErrorCode::None {
            return false;
        }
        for batch in &partition.records {
            if batch.last_offset() > self.image.offset() {
                self.image
                    .apply_batch(batch, &mut self.unpublished)
                    .expect("invariant: the controller's log holds what this very program wrote");
            }
        }
        let end: Offset = self.image.offset() + 1;
        self.caught_up |= end >= partition.high_watermark;
        true
    }

    /// What to act upon now; `ready` says that the controller has called this broker caught up.
    pub fn publish(&mut self, ready: bool) -> Option<MetadataDelta> {
        if !self.caught_up || !(ready || self.published) {
            return None;
        }
        let first = !self.published;
        self.published = true;
        let delta = std::mem::take(&mut self.unpublished);
        (first || !delta.is_empty()).then_some(delta)
    }
}
