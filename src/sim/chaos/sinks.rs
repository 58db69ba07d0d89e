//! What can happen to external systems and on the way to them.

use super::Chaos;
use crate::base::{Duration, NodeId, Time};
use crate::protocol::ApiKey;
use crate::sim::fault::{Action, EventKind, MessageKind, Trigger};

impl Chaos<'_> {
    /// A sink, its program while that waits for it, or a word between them.
    pub(super) fn strike_sinks(&mut self, at: Time, long: Duration) {
        let (node, duration) = (self.sink(), Some(long));
        let action = match self.random.below(8) {
            0 => Action::Crash { node, restart_after: duration },
            1 => Action::PowerLoss { node, restart_after: duration },
            2 => Action::Pause { node, duration },
            3 => Action::Partition { a: node, b: None, duration, symmetric: self.random.below(2) == 0 },
            4 => {
                let (kind, nth) = (EventKind::Processed, self.random.between(1, 20) as u32);
                let victim = if self.random.below(2) == 0 { node } else { self.application() };
                let action = Action::Crash { node: victim, restart_after: duration };
                return self.add(Trigger::OnEvent { kind, node: Some(victim), nth }, action);
            }
            _ => {
                let kind = MessageKind { api: ApiKey::SinkWrite, response: self.random.below(2) == 0 };
                let action = match self.random.below(3) {
                    0 => Action::Reset,
                    1 => Action::Stall,
                    _ => Action::Delay { by: long },
                };
                let nth = self.random.between(1, 20) as u32;
                return self.add(Trigger::OnMessage { kind, from: None, to: None, nth }, action);
            }
        };
        self.add(Trigger::At(at), action);
    }

    fn sink(&mut self) -> NodeId {
        let first = self.setup.brokers + self.setup.controllers + self.applications();
        self.pick(first, self.setup.sinks.len() as u16)
    }
}
