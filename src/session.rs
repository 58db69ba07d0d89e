//! The one door: commands in, views and events out. The page, the command line and an embedding all use it.
//!
//! Invariants: a command that is refused changes nothing; a view never borrows the engine.

pub mod bench;
mod commands;
mod coordinator_log;
mod happenings;
mod inputs;
pub mod report;
pub mod sweep;
mod swim;
mod tar;
mod trace;
mod turns;

pub use commands::{Command, EventView};
pub use coordinator_log::RecordView;
pub use inputs::{Done, replay};
pub use trace::Trace;

use crate::base::{NodeId, SortedMap, Time, TopicPartition};
use crate::check::Verdict;
use crate::history::{History, Replay};
use crate::log::files::NamedFile;
use crate::record::bytemap;
use crate::scenario::format;
use crate::scenario::{Mistake, Scenario, Trial, build};
use crate::sim::Trigger;
use crate::view::{BranchView, ClusterView, partition_files, partition_name, project, stored_before, stored_from};
use report::{PartitionReport, Report};
use std::rc::Rc;

/// A batch, byte by byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchView {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// What they mean: (first byte, byte after the last, name, value).
    pub fields: Vec<(u32, u32, Rc<str>, Rc<str>)>,
    /// Its first offset.
    pub base_offset: i64,
    /// The first offset of the batch before it in the log.
    pub previous: Option<i64>,
    /// The first offset of the batch after it.
    pub next: Option<i64>,
}

/// A run that can be looked at, moved in time and disturbed.
pub struct Session {
    scenario: Scenario,
    history: History<Trace>,
    /// The last picture, and the place it was taken at.
    shown: Option<(usize, u64, Rc<ClusterView>)>,
    /// What was done to it, on whatever branch.
    done: Vec<Done>,
    /// Something was planned for later, which no link tells.
    planned: bool,
}

impl Session {
    /// Sets a scenario up, at its beginning.
    pub fn new(scenario: Scenario) -> Result<Session, Vec<Mistake>> {
        let history = History::new(Trace::new(Trial::new(&scenario)?));
        Ok(Session { scenario, history, shown: None, done: Vec::new(), planned: false })
    }

    /// The scenario that runs.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    fn trial(&self) -> &Trial {
        self.history.cursor().trial()
    }

    /// Does what is asked for, or says why not.
    pub fn dispatch(&mut self, command: Command) -> Result<(), Vec<Mistake>> {
        match command {
            Command::Load(scenario) => *self = Session::new(*scenario)?,
            Command::Restart => *self = Session::new(self.scenario.clone())?,
            Command::Step => drop(self.history.step()),
            Command::StepBack => drop(self.history.step_back()),
            Command::Advance { until_us, max_events } => {
                self.history.run_until(Time::from_origin_us(until_us), u64::from(max_events));
            }
            Command::SeekTime(us) => self.history.seek_time(Time::from_origin_us(us)),
            Command::SeekEvent(events) => self.history.seek(events),
            Command::Fault { what, at_us } => self.strike(&what, None, at_us)?,
            Command::MessageFault { message, what, at_us } => self.strike(&what, Some(message), at_us)?,
            Command::Plan(fault) => self.plan(fault)?,
            Command::SwitchBranch(branch) => {
                if !self.history.switch(branch as usize) {
                    let problem = format!("there is no branch {branch}; there are {}", self.history.branches().len());
                    return Err(vec![Mistake { place: "branch".to_owned(), problem }]);
                }
            }
        }
        Ok(())
    }

    /// The moment that is shown at the cursor of one that was asked for: not before its event, not after the next one.
    pub fn shown_us(&self, at_us: u64) -> u64 {
        let end = self.next_us().map_or(self.span_us().0, |_| at_us);
        self.shown_at(end, self.history.next_at()).us_since_origin()
    }

    /// A fault as the scenario lists them, checked as those are. One for now is done by hand.
    fn plan(&mut self, fault: format::Fault) -> Result<(), Vec<Mistake>> {
        let what = fault.what.clone();
        let refused = |place: &str, problem: String| Err(vec![Mistake { place: place.to_owned(), problem }]);
        let mut scenario = self.scenario.clone();
        let own = format!("faults[{}]", scenario.faults.len());
        scenario.faults.push(fault);
        let (mut setup, _) = build(&scenario).map_err(|mut mistakes| {
            mistakes.iter_mut().for_each(|it| it.place = it.place.replacen(&own, "fault", 1));
            mistakes
        })?;
        let fault = setup.faults.pop().expect("invariant: it was just put there");
        let (now, deadline) = (self.history.cursor().now(), self.trial().deadline());
        match fault.trigger {
            Trigger::At(at) if at < now => {
                return refused("fault.at.ms", format!("it is {now} s already: go back first, a branch opens there"));
            }
            Trigger::At(at) if at > deadline => {
                return refused("fault.at.ms", format!("the scenario is over at {deadline} s, says its \"until\""));
            }
            Trigger::OnMessage { .. } | Trigger::OnEvent { .. } if self.history.next_at().is_none() => {
                return refused("fault.on", "the run is over: go back first, a branch opens there".to_owned());
            }
            Trigger::At(at) if self.history.next_at().is_none_or(|next| at <= next) => {
                return self.strike(&what, None, at.us_since_origin());
            }
            _ => {}
        }
        self.planned = true;
        self.history.inject(fault, now);
        Ok(())
    }

    /// Whether something was planned for later: [`Session::link`] does not tell it.
    pub fn has_plans(&self) -> bool {
        self.planned
    }

    /// The picture at the cursor. Unchanged sections are the same `Rc`s as last time.
    pub fn view(&mut self) -> Rc<ClusterView> {
        let place = (self.history.current(), self.history.cursor().position());
        if let Some((branch, events, view)) = &self.shown
            && (*branch, *events) == place
        {
            return Rc::clone(view);
        }
        let recent = self.recent();
        let trial = self.trial();
        let before = self.shown.as_ref().map(|(_, _, view)| &**view);
        let view = Rc::new(project(&trial.run, place.1, trial.is_finished(), &recent, before));
        self.shown = Some((place.0, place.1, Rc::clone(&view)));
        view
    }

    /// What the command line says of a run that has ended: of this one, up to the cursor.
    pub fn report(&self) -> Report {
        Report::of(&self.scenario, self.trial())
    }

    /// Claim against observation, up to the cursor.
    pub fn verdict(&self) -> Verdict {
        self.trial().verdict()
    }

    /// The scenario's partitions as the controller and their leaders have them, by name.
    pub fn partitions(&self) -> SortedMap<String, PartitionReport> {
        report::partitions(&self.trial().run.world)
    }

    /// The name of a partition: `orders-0`.
    pub fn partition_name(&self, partition: TopicPartition) -> Rc<str> {
        partition_name(&self.trial().run.world, partition)
    }

    /// The branches of history.
    pub fn branches(&self) -> Vec<BranchView> {
        let all = self.history.branches().iter().enumerate().map(|(id, branch)| BranchView {
            id: id as u32,
            parent: branch.parent.map(|(parent, _, _)| parent as u32),
            fork_event: branch.parent.map_or(0, |(_, event, _)| event),
            fork_us: branch.parent.map_or(0, |(_, _, at)| at.us_since_origin()),
            end_us: branch.end.us_since_origin(),
            current: id == self.history.current(),
        });
        all.collect()
    }

    /// The moment of the cursor, and of the end of what has been run on its branch.
    pub fn span_us(&self) -> (u64, u64) {
        let end = self.history.branches()[self.history.current()].end;
        (self.history.cursor().now().us_since_origin(), end.us_since_origin())
    }

    /// Events handled so far.
    pub fn position(&self) -> u64 {
        self.history.cursor().position()
    }

    /// When the next event may happen, if any will: lets a page skip a pause.
    pub fn next_us(&self) -> Option<u64> {
        self.history.next_at().map(Time::us_since_origin)
    }

    /// The batch that holds `offset` in the log of a broker, in whichever segment it is.
    pub fn batch(&self, broker: u16, partition: &str, offset: i64) -> Option<BatchView> {
        let world = &self.trial().run.world;
        let broker = world.broker(NodeId(broker).into())?;
        let (_, log) = broker.logs().find(|(id, _)| *partition_name(world, **id) == *partition)?;
        let mut stored = stored_from(log, offset);
        let batch = &stored.next().filter(|it| it.batch.base_offset() <= offset)?.batch;
        let base_offset = batch.base_offset();
        let next = stored.next().map(|it| it.batch.base_offset());
        let previous = stored_before(log, base_offset).map(|it| it.batch.base_offset());
        let fields = bytemap(batch).into_iter();
        let fields = fields.map(|field| {
            (field.range.start as u32, field.range.end as u32, Rc::from(field.name), Rc::from(field.value.as_str()))
        });
        Some(BatchView { bytes: batch.bytes().to_vec(), fields: fields.collect(), base_offset, previous, next })
    }

    /// The files of a partition on a node, as Kafka would hold them: names and bytes.
    pub fn files(&self, node: u16, partition: &str) -> Option<Vec<NamedFile>> {
        partition_files(&self.trial().run.world, NodeId(node), partition)
    }

    /// The same as one archive, for downloading.
    pub fn archive(&self, node: u16, partition: &str) -> Option<Vec<u8>> {
        let files = self.files(node, partition)?;
        Some(tar::archive(partition, &files, self.history.cursor().now()))
    }

    /// The hash of the state at the cursor, in 16 hex digits.
    pub fn state_hash(&self) -> String {
        self.trial().state_hash().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::library;

    #[test]
    fn a_message_that_flies_on_is_shared_by_the_next_view() {
        let mut session = Session::new(library::get("lost-ack").expect("in the library")).expect("valid");
        session.dispatch(Command::SeekTime(300_000)).expect("it goes there");
        let mut shared = 0;
        for _ in 0..200 {
            let before = session.view();
            session.dispatch(Command::Step).expect("it goes on");
            let view = session.view();
            assert!(view.messages.is_sorted_by_key(|it| it.id));
            for message in view.messages.iter() {
                if let Some(old) = before.messages.iter().find(|it| *it == message) {
                    assert!(Rc::ptr_eq(old, message), "{message:?}");
                    shared += 1;
                }
            }
        }
        assert!(shared > 100, "{shared}");
    }

    #[test]
    fn events_in_pages_are_the_same_events_wherever_a_page_begins() {
        let mut session = Session::new(library::get("rolling-restart").expect("in the library")).expect("valid");
        session.dispatch(Command::SeekTime(u64::from(u32::MAX))).expect("it goes there");
        session.dispatch(Command::SeekEvent(session.position() - 100)).expect("it goes back");
        let mut all: Vec<EventView> = session.events(usize::MAX, true).iter().map(|it| (**it).clone()).collect();
        all.reverse();
        assert!(all.len() > 4_000, "{}", all.len());
        assert_eq!(session.events_from(0, usize::MAX, true), all);
        for first in [1, all.len() / 3, all.len() - 5] {
            let page = session.events_from(all[first].id, 7, true);
            assert_eq!(page, all[first..all.len().min(first + 7)]);
            // A number between two events that are shown begins with the later one.
            assert_eq!(session.events_from(all[first - 1].id + 1, 1, true), page[..1]);
        }
        assert_eq!(session.events_from(all[all.len() - 1].id + 1, 9, true), []);
        let quiet = session.events(usize::MAX, false).len();
        assert_eq!(session.events_from(0, usize::MAX, false).len(), quiet);
    }

    #[test]
    fn a_fault_for_later_is_checked_as_the_scenarios_own_and_strikes_when_it_says() {
        let crash = |when, node: &str| {
            let what = format::What::Crash { node: Rc::from(node), back_after: None };
            Command::Plan(format::Fault { when, what })
        };
        let at = |ms| format::When::At(Time::ORIGIN + crate::base::Duration::from_millis(ms));
        let mut session = Session::new(library::get("lost-ack").expect("in the library")).expect("valid");
        session.dispatch(Command::SeekTime(700_000)).expect("it goes there");
        let before = session.state_hash();
        for (command, place) in [
            (crash(at(900), "brokr-0"), "fault"),
            (crash(at(100), "broker-0"), "fault.at.ms"),
            (crash(at(1_000_000), "broker-0"), "fault.at.ms"),
        ] {
            let mistakes = session.dispatch(command).expect_err("it cannot be");
            assert_eq!(mistakes[0].place, place, "{mistakes:?}");
        }
        assert_eq!(session.state_hash(), before);
        session.dispatch(crash(at(900), "broker-1")).expect("it can");
        let kind = format::EventWord::Appended;
        session.dispatch(crash(format::When::Event { kind, node: None, nth: 6 }, "broker-2")).expect("it can");
        session.dispatch(Command::SeekTime(u64::from(u32::MAX))).expect("it goes there");
        let events = session.events(usize::MAX, false);
        let faults: Vec<(u64, u16)> = events
            .iter()
            .rev()
            .filter(|it| matches!(it.event, crate::node::Event::Fault(_)))
            .map(|it| (it.at_us, it.node))
            .collect();
        assert!(faults.contains(&(900_000, 1)) && faults.iter().any(|(_, node)| *node == 2), "{faults:?}");
    }
}
