//! Changes of the assignment, and the listener that is told of them.
//!
//! A listener's method runs inside `poll()`, and the assignment changes around it: partitions are revoked or lost after
//! the listener heard of it (so it can still commit), assigned before. An application that does something there says so
//! ([`super::Consumer::listen`]): then `poll()` blocks while [`super::Consumer::rebalance_callback`] tells what the
//! listener is called with, until [`super::Consumer::rebalance_callback_done`]. Without it the listener returns at once.
//!
//! In Kafka: `ConsumerRebalanceListenerInvoker`.

use super::subscription::Subscription;
use crate::base::TopicPartition;
use crate::node::{Event, Outbox};
use std::collections::VecDeque;
use std::rc::Rc;

/// A method of `ConsumerRebalanceListener`, with what it is called with.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum RebalanceCallback {
    /// `onPartitionsRevoked`.
    Revoked(Rc<[TopicPartition]>),
    /// `onPartitionsLost`.
    Lost(Rc<[TopicPartition]>),
    /// `onPartitionsAssigned`.
    Assigned(Rc<[TopicPartition]>),
}

impl RebalanceCallback {
    fn event(&self) -> Option<Event> {
        Some(match self {
            RebalanceCallback::Revoked(partitions) | RebalanceCallback::Lost(partitions) if partitions.is_empty() => {
                return None;
            }
            RebalanceCallback::Revoked(partitions) => Event::PartitionsRevoked { partitions: partitions.clone() },
            RebalanceCallback::Lost(partitions) => Event::PartitionsLost { partitions: partitions.clone() },
            RebalanceCallback::Assigned(partitions) => Event::PartitionsAssigned { partitions: partitions.clone() },
        })
    }
}

/// One call, and the assignment that goes with it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Change {
    callback: RebalanceCallback,
    assignment: Rc<[TopicPartition]>,
    called: bool,
}

/// What is still to be told and changed, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Changes {
    queue: VecDeque<Change>,
    listening: bool,
}

impl Changes {
    pub(super) fn listen(&mut self) {
        self.listening = true;
    }

    /// What the listener is doing.
    pub fn callback(&self) -> Option<&RebalanceCallback> {
        self.queue.front().filter(|change| change.called).map(|change| &change.callback)
    }

    /// Nothing is left to tell.
    pub fn is_done(&self) -> bool {
        self.queue.is_empty()
    }

    /// Tells the listener, and makes this the assignment: before an `Assigned`, after any other.
    pub(super) fn push(&mut self, callback: RebalanceCallback, assignment: Rc<[TopicPartition]>) {
        self.queue.push_back(Change { callback, assignment, called: false });
    }

    /// The listener returned.
    pub(super) fn returned(&mut self, subscription: &mut Subscription) {
        if let Some(change) = self.queue.pop_front_if(|change| change.called)
            && !matches!(change.callback, RebalanceCallback::Assigned(_))
        {
            subscription.assign(change.assignment.iter().copied());
        }
    }

    /// As if no listener took time: `unsubscribe()` does not come back before it returns.
    pub(super) fn run_all(&mut self, subscription: &mut Subscription, out: &mut Outbox<'_>) {
        while !self.run(subscription, out) {
            self.returned(subscription);
        }
    }

    /// Goes on until a listener runs (false) or all is done.
    pub(super) fn run(&mut self, subscription: &mut Subscription, out: &mut Outbox<'_>) -> bool {
        while let Some(change) = self.queue.front_mut() {
            if change.called {
                return false;
            }
            change.called = true;
            if let RebalanceCallback::Assigned(_) = change.callback {
                subscription.assign(change.assignment.iter().copied());
            }
            if let Some(event) = change.callback.event() {
                out.emit(event);
            }
            if !self.listening {
                self.returned(subscription);
            }
        }
        true
    }
}
