//! What goes in, and what comes out as a list.

use crate::node::Event;
use crate::scenario::Scenario;
use crate::scenario::format::{Fault, What};

/// What a person asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Another scenario, from its beginning.
    Load(Box<Scenario>),
    /// The same scenario from its beginning; branches are forgotten.
    Restart,
    /// One event on.
    Step,
    /// One event back.
    StepBack,
    /// On to a moment, but not more than so many events now: call again while time is left in the frame.
    Advance {
        /// The moment.
        until_us: u64,
        /// At most so many events.
        max_events: u32,
    },
    /// To a moment.
    SeekTime(u64),
    /// To a number of events.
    SeekEvent(u64),
    /// Something goes wrong, here and now; in the past this opens a branch.
    Fault {
        /// What.
        what: What,
        /// The moment that is shown, in microseconds: it may lie between the last event and the next.
        at_us: u64,
    },
    /// Something goes wrong with a message in flight: [`What::Reset`], [`What::Stall`] or [`What::Delay`].
    MessageFault {
        /// Which message.
        message: u64,
        /// What.
        what: What,
        /// The moment that is shown, in microseconds.
        at_us: u64,
    },
    /// A fault as a scenario lists it, for now or for later: at a time, or on a message or event that is yet to come (they
    /// are counted from the scenario's beginning). The cursor goes one event on.
    Plan(Fault),
    /// Another branch, at the same moment.
    SwitchBranch(u32),
}

/// Something that happened, for a list or a story.
#[derive(Clone, PartialEq, Debug)]
pub struct EventView {
    /// Its number in the run.
    pub id: u64,
    /// When.
    pub at_us: u64,
    /// At which node.
    pub node: u16,
    /// The event it follows from; 0 for none.
    pub cause: u64,
    /// What: the page makes a sentence of it.
    pub event: Event,
}
