//! Follows the metadata log of the controllers (Kafka's `MetadataLoader` over a raft observer).
//!
//! Invariant: an image is published (that is, acted upon) only when the log has been read up to the high watermark the
//! controller reported, the first time also not before the controller calls this broker caught up; so a broker never acts
//! on what it was in its former life. After that each answer is published as one delta.
//!
//! Departure: brokers keep no copy of the metadata log; after a start they read all of it again.

use crate::base::config::BrokerConfig;
use crate::base::{BrokerId, NodeId, Time};
use crate::metadata::{CLUSTER_METADATA, MetadataDelta, MetadataImage};
use crate::node::Outbox;
use crate::protocol::Response;
use crate::raft::{Observed, Observer};
use std::rc::Rc;

/// What the broker knows of the cluster.
#[derive(Clone, Hash, Debug)]
pub struct MetadataLoader {
    observer: Observer,
    image: MetadataImage,
    unpublished: MetadataDelta,
    caught_up: bool,
    published: bool,
}

impl MetadataLoader {
    /// Knows nothing yet.
    pub fn new(id: BrokerId, controllers: &Rc<[NodeId]>, config: &BrokerConfig) -> Self {
        let (backoff, timeout) =
            (config.controller_quorum_retry_backoff_ms, config.controller_quorum_request_timeout_ms);
        MetadataLoader {
            observer: Observer::new(id, CLUSTER_METADATA, controllers, backoff, timeout),
            image: MetadataImage::default(),
            unpublished: MetadataDelta::default(),
            caught_up: false,
            published: false,
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

    /// The active controller, as far as it knows.
    pub fn controller(&self) -> Option<NodeId> {
        self.observer.leader()
    }

    /// Asks for what comes next, if nothing is in flight.
    pub fn poll(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.observer.poll(now, out);
    }

    /// When to call [`Self::poll`].
    pub fn deadline(&self) -> Option<Time> {
        self.observer.deadline()
    }

    /// The connection to a controller broke.
    pub fn disconnected(&mut self, now: Time, peer: NodeId) {
        self.observer.disconnected(now, peer);
    }

    /// A controller answered; whether there may be something to publish.
    pub fn on_response(&mut self, now: Time, from: NodeId, correlation: u32, response: Response) -> bool {
        match self.observer.on_response(now, from, correlation, response) {
            Observed::Nothing => return false,
            Observed::Batches(batches) => {
                for batch in &batches {
                    self.image
                        .apply_batch(batch, &mut self.unpublished)
                        .expect("invariant: the controller's log holds what this very program wrote");
                }
            }
            Observed::Snapshot(id, bytes) => {
                self.image
                    .load_snapshot(id.end_offset, bytes, &mut self.unpublished)
                    .expect("invariant: the controller's snapshot holds what this very program wrote");
            }
        }
        self.caught_up |= self.observer.is_caught_up();
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
