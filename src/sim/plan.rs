//! Faults that have yet to happen, and how much of what they wait for has been seen.

use super::fault::{Action, EventKind, Fault, MessageKind, Trigger};
use crate::base::NodeId;
use crate::node::MessageId;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Planned {
    fault: Fault,
    seen: u32,
    done: bool,
}

/// The list of faults. It only grows; a fault is named by its place.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Plan {
    faults: Vec<Planned>,
    /// Places of those that wait for a message.
    on_message: Vec<u32>,
    /// Places of those that wait for an event.
    on_event: Vec<u32>,
}

impl Plan {
    /// Adds a fault; its place.
    pub fn add(&mut self, fault: Fault) -> u32 {
        let place = u32::try_from(self.faults.len()).expect("invariant: fewer than 2^32 faults");
        self.faults.push(Planned { fault, seen: 0, done: false });
        place
    }

    /// From now on the fault waits for its message or event.
    pub fn arm(&mut self, place: u32) {
        match self.fault(place).trigger {
            Trigger::At(_) => {}
            Trigger::OnMessage { .. } | Trigger::OnMessageId(..) => self.on_message.push(place),
            Trigger::OnEvent { .. } => self.on_event.push(place),
        }
    }

    pub fn fault(&self, place: u32) -> &Fault {
        &self.faults[place as usize].fault
    }

    /// Takes a fault out of the plan: its action, unless it happened before.
    pub fn take(&mut self, place: u32) -> Option<Action> {
        let planned = &mut self.faults[place as usize];
        let first = !std::mem::replace(&mut planned.done, true);
        first.then(|| planned.fault.action.clone())
    }

    pub fn waits_for_messages(&self) -> bool {
        !self.on_message.is_empty()
    }

    pub fn waits_for_events(&self) -> bool {
        !self.on_event.is_empty()
    }

    /// A message leaves: what happens because of it.
    pub fn on_message(&mut self, id: MessageId, kind: MessageKind, from: NodeId, to: NodeId) -> Vec<Action> {
        let hit = |planned: &mut Planned| match planned.fault.trigger {
            Trigger::OnMessageId(wanted, _) => wanted == id,
            Trigger::OnMessage { kind: wanted, from: sender, to: receiver, nth } => {
                wanted == kind
                    && sender.is_none_or(|sender| sender == from)
                    && receiver.is_none_or(|receiver| receiver == to)
                    && planned.sees(nth)
            }
            _ => false,
        };
        Self::collect(&mut self.faults, &mut self.on_message, hit)
    }

    /// An event happened at the first of these nodes, because of the second: what happens because of it.
    pub fn on_event(&mut self, kind: EventKind, nodes: [NodeId; 2]) -> Vec<Action> {
        let hit = |planned: &mut Planned| match planned.fault.trigger {
            Trigger::OnEvent { kind: wanted, node: place, nth } => {
                wanted == kind && place.is_none_or(|place| nodes.contains(&place)) && planned.sees(nth)
            }
            _ => false,
        };
        Self::collect(&mut self.faults, &mut self.on_event, hit)
    }

    fn collect(
        faults: &mut [Planned],
        waiting: &mut Vec<u32>,
        mut hit: impl FnMut(&mut Planned) -> bool,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        waiting.retain(|place| {
            let planned = &mut faults[*place as usize];
            let now = hit(planned);
            if now && !std::mem::replace(&mut planned.done, true) {
                actions.push(planned.fault.action.clone());
            }
            !now
        });
        actions
    }
}

impl Planned {
    /// One more was seen; whether it is the `nth` (0 means the first, too).
    fn sees(&mut self, nth: u32) -> bool {
        self.seen += 1;
        self.seen >= nth
    }
}
