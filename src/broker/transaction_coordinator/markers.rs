//! The way of markers to the leaders of partitions (`TransactionMarkerChannelManager`'s queues).
//!
//! Invariants: one request in flight per broker, with all that waited for it; a marker is in one place, a lane or among the
//! parked, until it is answered, and comes back from there with its request's fate. Who is answered for a shard that is gone
//! has to notice by the coordinator epoch.

use crate::base::{BrokerId, Duration, SortedMap, Time, TopicPartition};
use crate::node::{Channel, Outbox};
use crate::protocol::{ErrorCode, Request, TxnMarker, WriteTxnMarkersRequest, WriteTxnMarkersResponse};
use std::rc::Rc;

/// All markers under way.
#[derive(Clone, Hash, Debug, Default)]
pub(super) struct MarkerLanes {
    lanes: SortedMap<BrokerId, Lane>,
    /// Nobody is known to lead their partitions, or who does has just failed.
    parked: Vec<(Time, Marker)>,
}

#[derive(Clone, Hash, Debug, Default)]
struct Lane {
    correlation: u32,
    unsent: Vec<Marker>,
    in_flight: Vec<Marker>,
    /// Of what is in flight.
    deadline: Time,
}

/// The end of one transaction on some partitions with the same leader.
#[derive(Clone, Hash, Debug)]
pub(super) struct Marker {
    pub(super) shard: TopicPartition,
    pub(super) transactional_id: Rc<str>,
    pub(super) marker: TxnMarker,
}

/// A marker with the answer of each partition.
pub(super) struct Answered {
    pub(super) marker: Marker,
    pub(super) partitions: Vec<(TopicPartition, ErrorCode)>,
}

impl MarkerLanes {
    /// Lets a marker wait for its turn.
    pub(super) fn push(&mut self, leader: BrokerId, marker: Marker) {
        self.lanes.entry(leader).or_default().unsent.push(marker);
    }

    /// Lets a marker wait for a time, or for news of leaders.
    pub(super) fn park(&mut self, due: Time, marker: Marker) {
        self.parked.push((due, marker));
    }

    /// Does anything wait for news of leaders?
    pub(super) fn has_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Takes back what was parked: all of it if there is news, else what has waited long enough.
    pub(super) fn unpark(&mut self, now: Time, news: bool) -> Vec<Marker> {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.parked).into_iter().partition(|(due, _)| news || *due <= now);
        self.parked = later;
        due.into_iter().map(|(_, marker)| marker).collect()
    }

    /// Sends what waits to the brokers that have nothing in flight; says when the first answer is overdue.
    pub(super) fn send(&mut self, now: Time, timeout: Duration, out: &mut Outbox<'_>) -> bool {
        let mut sent = false;
        for (broker, lane) in self.lanes.iter_mut() {
            if lane.unsent.is_empty() || !lane.in_flight.is_empty() {
                continue;
            }
            lane.in_flight = std::mem::take(&mut lane.unsent);
            lane.deadline = now + timeout;
            lane.correlation = lane.correlation.wrapping_add(1);
            let markers = lane.in_flight.iter().map(|marker| marker.marker.clone()).collect();
            let request = Request::WriteTxnMarkers(WriteTxnMarkersRequest { markers });
            out.request(broker.node(), Channel::Markers, lane.correlation, request);
            sent = true;
        }
        sent
    }

    /// A broker answered. What it said nothing about counts as a broken connection.
    pub(super) fn answered(
        &mut self,
        from: BrokerId,
        correlation: u32,
        response: WriteTxnMarkersResponse,
    ) -> (Vec<Answered>, Vec<Marker>) {
        let Some(lane) = self.lanes.get_mut(&from).filter(|lane| lane.correlation == correlation) else {
            return (Vec::new(), Vec::new());
        };
        let mut results = response.markers.into_iter();
        let (mut answered, mut unanswered) = (Vec::new(), Vec::new());
        for marker in std::mem::take(&mut lane.in_flight) {
            match results.next() {
                Some(result) if result.producer_id == marker.marker.producer_id => {
                    answered.push(Answered { marker, partitions: result.partitions });
                }
                _ => unanswered.push(marker),
            }
        }
        (answered, unanswered)
    }

    /// The connection to a broker broke: all that was on its way there.
    pub(super) fn disconnected(&mut self, broker: BrokerId) -> Vec<Marker> {
        self.lanes.get_mut(&broker).map_or_else(Vec::new, Lane::take)
    }

    /// Gives up what was in flight for too long.
    pub(super) fn expire(&mut self, now: Time, out: &mut Outbox<'_>) -> Vec<Marker> {
        let mut expired = Vec::new();
        for (broker, lane) in self.lanes.iter_mut() {
            if !lane.in_flight.is_empty() && lane.deadline <= now {
                out.disconnect(broker.node(), Channel::Markers);
                expired.append(&mut lane.take());
            }
        }
        expired
    }

    /// A shard is gone; what is in flight for it comes back, and is ignored then.
    pub(super) fn forget(&mut self, shard: TopicPartition) {
        self.parked.retain(|(_, marker)| marker.shard != shard);
        for lane in self.lanes.values_mut() {
            lane.unsent.retain(|marker| marker.shard != shard);
        }
    }

    /// When something is overdue, or waits no longer.
    pub(super) fn deadline(&self) -> Option<Time> {
        let in_flight = self.lanes.values().filter(|lane| !lane.in_flight.is_empty()).map(|lane| lane.deadline);
        in_flight.chain(self.parked.iter().map(|(due, _)| *due)).min()
    }
}

impl Lane {
    fn take(&mut self) -> Vec<Marker> {
        let mut all = std::mem::take(&mut self.in_flight);
        all.append(&mut self.unsent);
        all
    }
}
