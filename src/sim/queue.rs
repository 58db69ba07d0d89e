//! The event queue. Total order: (time, sequence). Entries are small; messages wait in the [post](super::post).

use crate::base::{NodeId, Time};
use crate::node::Timer;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::hash::{Hash, Hasher};

/// What is to happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum What {
    /// A process starts.
    Start(NodeId),
    /// A parcel arrives.
    Deliver(u32),
    /// A timer is due.
    Timer(NodeId, Timer),
    /// A fault of the plan takes effect.
    Fault(u32),
    /// A process hears that it is to stop.
    Terminate(NodeId),
    /// A pause ends.
    Resume(NodeId),
    /// A cut link works again.
    Heal(NodeId, NodeId),
    /// There is room on a full disk again.
    FreeDisk(NodeId),
}

/// What is to happen when.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Entry {
    pub at: Time,
    pub sequence: u64,
    pub what: What,
}

impl Ord for Entry {
    /// The earliest is the greatest: the heap of the standard library gives back the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Sequences below this belong to inputs: at equal times they go first, so that a click on a message that is about to
/// arrive still meets it.
const FIRST_SEQUENCE: u64 = 1 << 32;

/// The queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    heap: BinaryHeap<Entry>,
    next: u64,
    next_urgent: u64,
}

impl Queue {
    pub fn new() -> Self {
        Queue { heap: BinaryHeap::with_capacity(256), next: FIRST_SEQUENCE, next_urgent: 0 }
    }

    /// After everything that is queued for the same time. Returns the sequence.
    pub fn push(&mut self, at: Time, what: What) -> u64 {
        let sequence = self.next;
        self.next += 1;
        self.heap.push(Entry { at, sequence, what });
        sequence
    }

    /// Before everything that is queued for the same time, apart from earlier urgent entries.
    pub fn push_urgent(&mut self, at: Time, what: What) {
        let sequence = self.next_urgent;
        self.next_urgent += 1;
        assert!(sequence < FIRST_SEQUENCE, "invariant: inputs are fewer than 2^32");
        self.heap.push(Entry { at, sequence, what });
    }

    /// The same entry again, later: it keeps its sequence and so its place among those that waited with it.
    pub fn postpone(&mut self, entry: Entry, at: Time) {
        self.heap.push(Entry { at, ..entry });
    }

    pub fn pop(&mut self) -> Option<Entry> {
        self.heap.pop()
    }

    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|entry| entry.at)
    }
}

impl Hash for Queue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The heap's inner order follows from the order of operations, so it is as deterministic as the rest.
        self.heap.as_slice().hash(state);
        self.next.hash(state);
        self.next_urgent.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_then_sequence_and_inputs_first() {
        let mut queue = Queue::new();
        queue.push(Time(5), What::Start(NodeId(1)));
        queue.push(Time(3), What::Start(NodeId(2)));
        queue.push(Time(5), What::Start(NodeId(3)));
        queue.push_urgent(Time(5), What::Start(NodeId(4)));
        let order: Vec<What> = std::iter::from_fn(|| queue.pop()).map(|entry| entry.what).collect();
        assert_eq!(order, [2, 4, 1, 3].map(|node| What::Start(NodeId(node))));
    }
}
