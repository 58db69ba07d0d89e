//! Parcels on their way: messages, and the news that a connection ended. A slab, so that queue entries stay small.

use crate::base::{NodeId, Time, sort_short};
use crate::node::{ConnectionId, Message, MessageSummary};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// The sequence of a parcel that waits for something other than time.
pub(super) const HELD: u64 = u64::MAX;

/// What a parcel holds.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) enum Content {
    /// A message.
    Message(Message),
    /// The receiver's end of the connection is closed.
    Closed,
}

/// One thing on its way on one connection.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub from: NodeId,
    pub to: NodeId,
    pub connection: ConnectionId,
    /// From the client to the server.
    pub request: bool,
    /// Rises in the order of sending.
    pub order: u64,
    /// Of its live queue entry, or [`HELD`].
    pub sequence: u64,
    pub sent: Time,
    /// When it arrives, or would have.
    pub arrives: Time,
    /// The event that sent it.
    pub cause: u64,
    pub content: Content,
    /// Only while tracing; no part of the state.
    pub summary: Option<Rc<MessageSummary>>,
}

impl Parcel {
    pub fn is_message(&self) -> bool {
        matches!(self.content, Content::Message(_))
    }

    /// Whether it is on the same way of the same connection, at `other` or behind it.
    pub fn is_not_before(&self, other: &Parcel) -> bool {
        self.connection == other.connection && self.request == other.request && self.order >= other.order
    }
}

impl Hash for Parcel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (
            self.from,
            self.to,
            self.connection,
            self.request,
            self.order,
            self.sequence,
            self.sent,
            self.arrives,
            self.cause,
        )
            .hash(state);
        self.content.hash(state);
    }
}

/// All parcels on their way.
#[derive(Clone, Hash, Debug, Default)]
pub(super) struct Post {
    parcels: Vec<Option<Parcel>>,
    free: Vec<u32>,
}

impl Post {
    pub fn insert(&mut self, parcel: Parcel) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.parcels[slot as usize] = Some(parcel);
            return slot;
        }
        let slot = u32::try_from(self.parcels.len()).expect("invariant: fewer than 2^32 messages are on their way");
        self.parcels.push(Some(parcel));
        slot
    }

    pub fn get(&self, slot: u32) -> Option<&Parcel> {
        self.parcels[slot as usize].as_ref()
    }

    pub fn get_mut(&mut self, slot: u32) -> Option<&mut Parcel> {
        self.parcels[slot as usize].as_mut()
    }

    pub fn remove(&mut self, slot: u32) -> Option<Parcel> {
        let parcel = self.parcels[slot as usize].take();
        if parcel.is_some() {
            self.free.push(slot);
        }
        parcel
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &Parcel)> {
        (0..).zip(&self.parcels).filter_map(|(slot, parcel)| Some((slot, parcel.as_ref()?)))
    }

    /// The slots of the parcels that `select` picks, in the order of sending. For rare occasions: it looks at all.
    pub fn select(&self, select: impl Fn(&Parcel) -> bool) -> Vec<u32> {
        let mut found: Vec<(u64, u32)> =
            self.iter().filter(|(_, parcel)| select(parcel)).map(|(slot, parcel)| (parcel.order, slot)).collect();
        sort_short(&mut found, |a, b| a < b);
        found.into_iter().map(|(_, slot)| slot).collect()
    }
}
