//! The one door: commands in, views and events out. The page, the command line and an embedding all use it.
//!
//! Invariants: a command that is refused changes nothing; a view never borrows the engine.

use crate::node::Event;
use crate::scenario::format::What;
use crate::scenario::{Mistake, Scenario};
use crate::view::{BranchView, ClusterView, TimelineView};
use std::rc::Rc;

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
    Advance { until_us: u64, max_events: u32 },
    /// To a moment.
    SeekTime(u64),
    /// To a number of events.
    SeekEvent(u64),
    /// Something goes wrong, here and now; in the past this opens a branch.
    Fault(What),
    /// Something goes wrong with a message in flight: [`What::Reset`], [`What::Stall`] or [`What::Delay`].
    MessageFault { message: u64, what: What },
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

/// A batch, byte by byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchView {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// What they mean: (first byte, byte after the last, name, value).
    pub fields: Vec<(u32, u32, Rc<str>, Rc<str>)>,
}

/// A run that can be looked at, moved in time and disturbed.
pub struct Session {
    scenario: Scenario,
}

#[allow(missing_docs, unused_variables, clippy::missing_errors_doc)]
impl Session {
    /// Sets a scenario up, at its beginning.
    pub fn new(scenario: Scenario) -> Result<Session, Vec<Mistake>> {
        Ok(Session { scenario })
    }
    /// The scenario that runs.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }
    /// Does what is asked for, or says why not.
    pub fn dispatch(&mut self, command: Command) -> Result<(), Vec<Mistake>> {
        Ok(())
    }
    /// The picture at the cursor. Unchanged sections are the same `Rc`s as last time.
    pub fn view(&mut self) -> Rc<ClusterView> {
        unreachable!("skeleton")
    }
    /// The lanes of a span of time, up to the cursor's branch's head.
    pub fn timeline(&mut self, from_us: u64, to_us: u64) -> Rc<TimelineView> {
        unreachable!("skeleton")
    }
    /// What happened up to the cursor, newest first, at most `limit`; without message traffic unless `messages`.
    pub fn events(&mut self, limit: usize, messages: bool) -> Vec<Rc<EventView>> {
        Vec::new()
    }
    /// All that happened to one record up to the cursor, oldest first.
    pub fn story(&mut self, record: u32) -> Vec<Rc<EventView>> {
        Vec::new()
    }
    /// The name of a partition: `orders-0`.
    pub fn partition_name(&self, partition: crate::base::TopicPartition) -> Rc<str> {
        Rc::from("")
    }
    /// The branches of history.
    pub fn branches(&self) -> Vec<BranchView> {
        Vec::new()
    }
    /// The moment of the cursor, and of the end of what has been run on its branch.
    pub fn span_us(&self) -> (u64, u64) {
        (0, 0)
    }
    /// A batch in the log of a broker.
    pub fn batch(&self, broker: u16, partition: &str, base_offset: i64) -> Option<BatchView> {
        None
    }
    /// The hash of the state at the cursor, in 16 hex digits.
    pub fn state_hash(&self) -> String {
        String::new()
    }
}
