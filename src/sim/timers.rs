//! One node's timers: a table of deadlines, and at most one live queue entry for each.
//!
//! Moving a timer to a later time only changes the table; its entry, when it comes up, is pushed again (lazily). Moving it
//! to an earlier time pushes a new entry; the old one finds another sequence in the table and is dropped.

use super::queue::{Entry, Queue, What};
use crate::base::{NodeId, Time};
use crate::node::{LoopTimer, Timer};

/// More than any role has.
const TIMERS: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Deadline {
    /// When it fires; `Time::MAX` if it is not set.
    due: Time,
    /// When its live queue entry comes up; `Time::MAX` if it has none.
    queued: Time,
    /// The sequence of that entry.
    sequence: u64,
    /// The event in which it was set.
    cause: u64,
}

const UNSET: Deadline = Deadline { due: Time::MAX, queued: Time::MAX, sequence: 0, cause: 0 };

/// The table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Timers([Deadline; TIMERS]);

/// The place in the table. Brokers, controllers and applications do not share a node, so they share places.
fn index(timer: Timer) -> usize {
    match timer {
        Timer::Broker(timer) => timer as usize,
        Timer::Controller(timer) => timer as usize,
        Timer::Producer(timer) => timer as usize,
        Timer::Consumer(timer) => 4 + timer as usize,
        // Whoever keeps locks generates nothing.
        Timer::Loop(LoopTimer::Renew) => index(Timer::Loop(LoopTimer::Generate)),
        Timer::Loop(timer) => 10 + timer as usize,
    }
}

impl Timers {
    pub fn new() -> Self {
        Timers([UNSET; TIMERS])
    }

    /// Sets or moves a timer.
    pub fn set(&mut self, node: NodeId, timer: Timer, at: Time, cause: u64, queue: &mut Queue) {
        let deadline = &mut self.0[index(timer)];
        deadline.due = at;
        deadline.cause = cause;
        if at < deadline.queued {
            deadline.queued = at;
            deadline.sequence = queue.push(at, What::Timer(node, timer));
        }
    }

    pub fn cancel(&mut self, timer: Timer) {
        self.0[index(timer)].due = Time::MAX;
    }

    /// The process died: nothing is set, and entries still queued mean nothing.
    pub fn clear(&mut self) {
        self.0 = [UNSET; TIMERS];
    }

    /// When it fires, if it is set.
    #[cfg(test)]
    pub fn due(&self, timer: Timer) -> Option<Time> {
        Some(self.0[index(timer)].due).filter(|due| *due != Time::MAX)
    }

    /// Whether `entry` is the one that speaks for its timer.
    pub fn is_live(&self, timer: Timer, entry: Entry) -> bool {
        self.0[index(timer)].sequence == entry.sequence
    }

    /// A live entry came up: the event that set the timer, if it fires now.
    pub fn fire(&mut self, node: NodeId, timer: Timer, now: Time, queue: &mut Queue) -> Option<u64> {
        let deadline = &mut self.0[index(timer)];
        if deadline.due > now {
            let again = deadline.due;
            deadline.queued = again;
            deadline.sequence = if again == Time::MAX { 0 } else { queue.push(again, What::Timer(node, timer)) };
            return None;
        }
        let cause = deadline.cause;
        *deadline = UNSET;
        Some(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::ControllerTimer::Session;

    const NODE: NodeId = NodeId(3);
    const TIMER: Timer = Timer::Controller(Session);

    /// Pops entries until the queue is empty; the times at which the timer fired.
    fn fired(timers: &mut Timers, queue: &mut Queue) -> Vec<u64> {
        let mut times = Vec::new();
        while let Some(entry) = queue.pop() {
            if timers.is_live(TIMER, entry) && timers.fire(NODE, TIMER, entry.at, queue).is_some() {
                times.push(entry.at.0);
            }
        }
        times
    }

    #[test]
    fn a_timer_moved_back_and_forth_fires_once_at_its_last_time() {
        let (mut timers, mut queue) = (Timers::new(), Queue::new());
        for at in [50, 90, 20, 70] {
            timers.set(NODE, TIMER, Time(at), 1, &mut queue);
        }
        assert_eq!(timers.due(TIMER), Some(Time(70)));
        assert_eq!(fired(&mut timers, &mut queue), [70]);
    }

    #[test]
    fn a_cancelled_timer_does_not_fire_and_can_be_set_again() {
        let (mut timers, mut queue) = (Timers::new(), Queue::new());
        timers.set(NODE, TIMER, Time(50), 1, &mut queue);
        timers.cancel(TIMER);
        timers.set(NODE, TIMER, Time(60), 1, &mut queue);
        timers.cancel(TIMER);
        assert_eq!(fired(&mut timers, &mut queue), [0; 0]);
        timers.set(NODE, TIMER, Time(80), 1, &mut queue);
        assert_eq!(fired(&mut timers, &mut queue), [80]);
    }

    #[test]
    fn entries_from_before_a_crash_mean_nothing() {
        let (mut timers, mut queue) = (Timers::new(), Queue::new());
        timers.set(NODE, TIMER, Time(50), 1, &mut queue);
        timers.clear();
        timers.set(NODE, TIMER, Time(40), 1, &mut queue);
        assert_eq!(fired(&mut timers, &mut queue), [40]);
    }
}
