//! What the fault verbs do.

use super::engine::{Engine, Machine, Process};
use super::fault::Action;
use super::network::State;
use super::post::{HELD, Parcel};
use super::queue::What;
use super::task::AdminTask;
use super::transport::Target;
use crate::base::{Duration, NodeId, Prng, Time, sort_short};
use crate::node::{ConnectionId, Crash, Event, FaultMark};

impl<N: Machine> Engine<N> {
    /// A fault takes effect. Whether it did anything.
    pub fn strike(&mut self, action: &Action, target: Option<Target>, cause: u64) -> bool {
        if action.needs_message() {
            let on_its_way = |it: &Target| self.post.get(it.parcel).is_some_and(|parcel| parcel.order == it.order);
            return target.filter(on_its_way).is_some_and(|target| self.strike_message(action, target, cause));
        }
        match *action {
            Action::Crash { node, restart_after } => self.crash(node, Crash::Process, restart_after, cause),
            Action::Shutdown { node, restart_after } => self.shutdown(node, restart_after, cause),
            Action::Admin(ref task) => self.administer(task, cause),
            Action::PowerLoss { node, restart_after } => self.crash(node, Crash::PowerLoss, restart_after, cause),
            Action::Restart { node } => self.start(node, cause),
            Action::Pause { node, duration } => self.pause(node, duration, cause),
            Action::Resume { node } => self.slot(node).paused_until.is_some() && self.resume(node, cause),
            Action::Partition { a, b, duration, symmetric } => self.partition(a, b, duration, symmetric, cause),
            Action::Heal { a, b } => self.heal_both_ways(a, b, cause),
            Action::Slow { a, b, by, duration } => self.slow(a, b, by, duration, cause),
            Action::SkewClock { node, by_ms } => {
                self.slot_mut(node).skew_us = by_ms.saturating_mul(1_000);
                self.mark(node, cause, FaultMark::ClockSkewed(by_ms))
            }
            Action::Corrupt { node, ref log, offset } => {
                // A stream of its own: the node's chance stays as it is.
                let mut luck = Prng::split(self.now.0 ^ self.next_event, "corrupt");
                let log = log.as_ref().map(|(topic, partition)| (&**topic, *partition));
                let hit = self.slot_mut(node).node.corrupt(log, offset, &mut luck);
                hit.is_some_and(|partition| self.mark(node, cause, FaultMark::Corrupted(partition)))
            }
            Action::SlowDisk { node, by, duration } => {
                let until = self.until(duration);
                self.slot_mut(node).disk.slow(by, until);
                self.mark(node, cause, FaultMark::DiskSlowed(by))
            }
            Action::FullDisk { node, duration } => self.fill_disk(node, duration, cause),
            Action::Reset | Action::Stall | Action::Delay { .. } => false,
        }
    }

    fn until(&self, duration: Option<Duration>) -> Time {
        duration.map_or(Time::MAX, |duration| self.now + duration)
    }

    fn mark(&mut self, node: NodeId, cause: u64, mark: FaultMark) -> bool {
        self.record(node, cause, Event::Fault(mark));
        true
    }

    // ---- messages ----

    fn strike_message(&mut self, action: &Action, target: Target, cause: u64) -> bool {
        let Some(parcel) = self.post.get(target.parcel) else { return false };
        let (from, arrives) = (parcel.from, parcel.arrives);
        match *action {
            Action::Delay { by } => {
                self.mark(from, cause, FaultMark::Delayed(target.message));
                // It may have arrived already, and wait for a node that is paused.
                let due = arrives.max(self.now);
                self.postpone(target.parcel, due + by);
            }
            Action::Stall => self.stall(target, cause),
            _ => self.reset(target, cause),
        }
        true
    }

    fn stall(&mut self, target: Target, cause: u64) {
        let Some(first) = self.post.get(target.parcel).cloned() else { return };
        let mark = self.record(first.from, cause, Event::Fault(FaultMark::Stalled(target.message)));
        let Some(connection) = self.network.current(first.connection) else {
            // Its sender closed the connection long ago: nobody will send it again.
            self.lose(target.parcel, mark);
            return;
        };
        let flow = connection.flow_mut(first.request);
        flow.stalled_from = flow.stalled_from.min(first.order);
        for place in self.post.select(|parcel| parcel.is_not_before(&first)) {
            if let Some(parcel) = self.post.get_mut(place) {
                parcel.sequence = HELD;
            }
        }
    }

    fn reset(&mut self, target: Target, cause: u64) {
        let Some(&Parcel { from, connection: id, .. }) = self.post.get(target.parcel) else { return };
        let mark = self.record(from, cause, Event::Fault(FaultMark::Reset(target.message)));
        self.lose_all(mark, |parcel| parcel.connection == id);
        let state = self.network.current(id).map(|connection| {
            connection.requests.stalled_from = u64::MAX;
            connection.responses.stalled_from = u64::MAX;
            connection.state
        });
        // A server that broke the connection itself, or never knew it, has nothing to learn.
        let forgotten = self.network.current(id).is_some_and(|connection| connection.forgotten);
        if state != Some(State::Broken) && !forgotten {
            self.tell(id, true, mark);
        }
        if state.is_some() {
            self.break_for_client(id, mark);
        }
    }

    // ---- processes ----

    /// The last node is the administrator.
    fn administer(&mut self, task: &AdminTask, cause: u64) -> bool {
        let Some(admin) = self.node_ids().last() else { return false };
        let asked = self.record(admin, cause, Event::Fault(FaultMark::Asked(task.api())));
        self.run(admin, asked, |it, now, out| it.administer(now, task, out));
        true
    }

    fn shutdown(&mut self, node: NodeId, restart_after: Option<Duration>, cause: u64) -> bool {
        let slot = self.slot_mut(node);
        if slot.process != Process::Running {
            return false;
        }
        (slot.stopping, slot.restart_after) = (true, restart_after);
        self.record(node, cause, Event::Fault(FaultMark::ShuttingDown));
        // Not at once: the node may be in the middle of something that struck this fault.
        self.plan_for(self.now, What::Terminate(node));
        true
    }

    /// The process has ended by itself.
    pub fn stopped(&mut self, node: NodeId, cause: u64) {
        let restart_after = self.slot(node).restart_after;
        self.end(node, Crash::Process, FaultMark::Stopped, restart_after, cause);
    }

    fn crash(&mut self, node: NodeId, crash: Crash, restart_after: Option<Duration>, cause: u64) -> bool {
        let process = self.slot(node).process;
        let ended = matches!(process, Process::Crashed | Process::Stopped);
        let can = process == Process::Running || ended && crash == Crash::PowerLoss;
        if can {
            let mark = if crash == Crash::Process { FaultMark::Crashed } else { FaultMark::PowerLost };
            self.end(node, crash, mark, restart_after, cause);
        }
        can
    }

    fn end(&mut self, node: NodeId, crash: Crash, mark: FaultMark, restart_after: Option<Duration>, cause: u64) {
        let now = self.now;
        let slot = self.slot_mut(node);
        let was_running = slot.process == Process::Running;
        let clock = slot.clock(now);
        slot.process = match crash {
            Crash::PowerLoss => Process::PoweredOff,
            Crash::Process if mark == FaultMark::Stopped => Process::Stopped,
            Crash::Process => Process::Crashed,
        };
        slot.timers.clear();
        slot.waiting.clear();
        slot.paused_until = None;
        slot.start_at = None;
        slot.stopping = false;
        slot.node.on_crash(clock, crash, &mut slot.random);
        let mark = self.record(node, cause, Event::Fault(mark));
        if was_running {
            for id in self.network.connections_of(node) {
                self.end_with(id, node, crash, mark);
            }
        }
        let patient = crash == Crash::PowerLoss;
        for place in self.post.select(|parcel| parcel.to == node) {
            let Some(parcel) = self.post.get(place) else { continue };
            let keep = patient && parcel.request && parcel.is_message();
            if !keep || self.network.current(parcel.connection).is_none() {
                self.lose(place, mark);
            }
        }
        if let Some(after) = restart_after {
            self.start_at(node, now + after);
        }
    }

    /// What becomes of a connection when one end dies.
    fn end_with(&mut self, id: ConnectionId, node: NodeId, crash: Crash, cause: u64) {
        match (id.client == node, crash) {
            (true, Crash::Process) => self.close_by_client(id, cause),
            (true, Crash::PowerLoss) => {
                self.lose_all(cause, |it| it.connection == id && it.request && it.sequence == HELD);
                if let Some(connection) = self.network.current(id) {
                    connection.state = State::Closed;
                }
            }
            (false, Crash::Process) => {
                if self.network.current(id).is_some_and(|it| it.state == State::Open && !it.forgotten) {
                    self.break_for_client(id, cause);
                }
            }
            (false, Crash::PowerLoss) => {
                if let Some(connection) = self.network.current(id) {
                    connection.forgotten = true;
                }
            }
        }
    }

    fn pause(&mut self, node: NodeId, duration: Option<Duration>, cause: u64) -> bool {
        let until = self.until(duration);
        let slot = self.slot_mut(node);
        if slot.process != Process::Running || slot.paused_until.is_some_and(|already| already >= until) {
            return false;
        }
        slot.paused_until = Some(until);
        if duration.is_some() {
            self.plan_for(until, What::Resume(node));
        }
        self.mark(node, cause, FaultMark::Paused)
    }

    /// What waited happens now, in the order in which it came up.
    pub fn resume(&mut self, node: NodeId, cause: u64) -> bool {
        let now = self.now;
        let slot = &mut self.nodes[usize::from(node.0)];
        slot.paused_until = None;
        for entry in slot.waiting.drain(..) {
            self.queue.postpone(entry, now);
        }
        if slot.stopping {
            self.plan_for(now, What::Terminate(node));
        }
        self.mark(node, cause, FaultMark::Resumed)
    }

    // ---- disks ----

    fn fill_disk(&mut self, node: NodeId, duration: Option<Duration>, cause: u64) -> bool {
        let until = self.until(duration);
        let slot = self.slot_mut(node);
        if slot.disk.full_until.is_some_and(|already| already >= until) || !slot.node.set_disk_full(true) {
            return false;
        }
        slot.disk.full_until = Some(until);
        if duration.is_some() {
            self.plan_for(until, What::FreeDisk(node));
        }
        self.mark(node, cause, FaultMark::DiskFull)
    }

    /// There is room again; whoever made it starts the process that had ended itself.
    pub fn free_disk(&mut self, node: NodeId, cause: u64) -> bool {
        let slot = self.slot_mut(node);
        slot.disk.full_until = None;
        slot.node.set_disk_full(false);
        let starts = std::mem::take(&mut slot.disk.halted) && slot.process == Process::Crashed;
        self.mark(node, cause, FaultMark::DiskFreed);
        if starts && self.slot(node).start_at.is_none() {
            self.start(node, cause);
        }
        true
    }

    /// Whatever is wrong with a node's disk is so no more, except for bytes that changed.
    fn mend_disk(&mut self, node: NodeId, cause: u64) -> bool {
        let now = self.now;
        let disk = &mut self.slot_mut(node).disk;
        let was_slow = disk.slower_by(now) > Duration::ZERO;
        disk.slow(Duration::ZERO, Time::ZERO);
        if disk.full_until.is_some() {
            return self.free_disk(node, cause);
        }
        was_slow && self.mark(node, cause, FaultMark::DiskFreed)
    }

    /// A process ends itself.
    pub fn halt(&mut self, node: NodeId, cause: u64) {
        if self.crash(node, Crash::Process, None, cause) {
            self.slot_mut(node).disk.halted = true;
        }
    }

    // ---- links ----

    /// The links from `a` to `b`, or to all others; every link if both are absent.
    fn links(&self, a: Option<NodeId>, b: Option<NodeId>) -> Vec<(NodeId, NodeId)> {
        let pairs = self.node_ids().flat_map(|from| self.node_ids().map(move |to| (from, to)));
        let chosen =
            |(from, to): &(NodeId, NodeId)| from != to && a.is_none_or(|a| a == *from) && b.is_none_or(|b| b == *to);
        pairs.filter(chosen).collect()
    }

    fn both_ways(&self, a: Option<NodeId>, b: Option<NodeId>) -> Vec<(NodeId, NodeId)> {
        let mut links = self.links(a, b);
        links.extend(self.links(b, a));
        sort_short(&mut links, |a, b| a < b);
        links.dedup();
        links
    }

    fn partition(
        &mut self,
        a: NodeId,
        b: Option<NodeId>,
        duration: Option<Duration>,
        symmetric: bool,
        cause: u64,
    ) -> bool {
        let until = self.until(duration);
        let links = if symmetric { self.both_ways(Some(a), b) } else { self.links(Some(a), b) };
        for &(from, to) in &links {
            self.network.cut(from, to, until);
            self.mark(from, cause, FaultMark::LinkCut(to));
            if duration.is_some() {
                self.plan_for(until, What::Heal(from, to));
            }
        }
        !links.is_empty()
    }

    fn heal_both_ways(&mut self, a: NodeId, b: Option<NodeId>, cause: u64) -> bool {
        let mut healed = false;
        for (from, to) in self.both_ways(Some(a), b) {
            let quickened = self.network.quicken(from, to, self.now);
            if self.network.link(from, to).is_cut(self.now) {
                healed |= self.heal(from, to, cause);
            } else if quickened {
                healed |= self.mark(from, cause, FaultMark::LinkHealed(to));
            }
        }
        healed | (b.is_none() && self.mend_disk(a, cause))
    }

    /// The link works again.
    pub fn heal(&mut self, from: NodeId, to: NodeId, cause: u64) -> bool {
        self.network.heal(from, to);
        self.mark(from, cause, FaultMark::LinkHealed(to));
        self.release(from, to);
        true
    }

    fn slow(
        &mut self,
        a: Option<NodeId>,
        b: Option<NodeId>,
        by: Duration,
        duration: Option<Duration>,
        cause: u64,
    ) -> bool {
        let until = self.until(duration);
        for (from, to) in self.both_ways(a, b) {
            self.network.slow(from, to, by, until);
        }
        let (node, peer) = match (a, b) {
            (Some(a), b) => (a, b),
            (None, Some(b)) => (b, None),
            (None, None) => (NodeId(0), None),
        };
        self.mark(node, cause, FaultMark::Slowed(peer))
    }
}
