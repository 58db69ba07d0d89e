//! One more node in the world of the fake broker: it answers, and keeps time.

use super::{Arrival, Fake};
use crate::base::{SortedMap, Time};
use crate::node::{Body, Effect, Node, Outbox, RequestContext, Timer};

/// Another node that the one under test talks to. Whoever wants to look at it keeps a handle of its own.
pub(super) struct Peer {
    node: Box<dyn Node>,
    pub(super) timers: SortedMap<Timer, (Time, u64)>,
}

impl<N: Node> Fake<N> {
    /// Puts another node beside it, and starts that one.
    pub fn beside(&mut self, node: Box<dyn Node>) {
        self.peer = Some(Peer { node, timers: SortedMap::new() });
        self.with_peer(|node, now, out| node.on_start(now, out));
    }

    /// Lets the other node do something.
    pub fn with_peer(&mut self, act: impl FnOnce(&mut dyn Node, Time, &mut Outbox<'_>)) {
        let Some(peer) = &mut self.peer else { return };
        let mut effects = Vec::new();
        act(&mut *peer.node, self.now, &mut Outbox::new(&mut effects, &mut self.random));
        for effect in effects {
            self.sequence += 1;
            match effect {
                Effect::Emit(event) => self.events.push(event),
                Effect::SetTimer(timer, at) => {
                    if let Some(peer) = &mut self.peer {
                        peer.timers.insert(timer, (at.max(self.now), self.sequence));
                    }
                }
                Effect::Respond { to, response } => {
                    let RequestContext { connection, correlation_id, .. } = to;
                    self.push(Arrival { connection, correlation_id, body: Body::Response(response) });
                }
                other => unreachable!("a peer only answers, and does not {other:?}"),
            }
        }
    }
}
