//! What happens at the node while the consumer lives there: responses, lost connections, timers.
//!
//! Answers are put where the application's next call finds them; an error it has to hear is thrown by its next `poll()`.

use super::io::{Io, Pending};
use super::{Consumer, Coordinator, offset_lookup};
use crate::base::Time;
use crate::client::network_client::Completed;
use crate::node::{ConnectionId, ConsumerTimer, Message, Outbox, Timer};

impl Consumer {
    /// A response arrived.
    pub fn on_message(&mut self, now: Time, message: Message, out: &mut Outbox<'_>) {
        if let Some(completed) = self.net.on_response(now, message, out) {
            self.on_completed(now, completed, out);
        }
        self.background(now, out, None);
    }

    /// A connection broke.
    pub fn on_disconnect(&mut self, now: Time, connection: ConnectionId, out: &mut Outbox<'_>) {
        for completed in self.net.on_disconnect(now, connection, out) {
            self.on_completed(now, completed, out);
        }
        self.background(now, out, None);
    }

    /// A timer is due.
    pub fn on_timer(&mut self, now: Time, timer: ConsumerTimer, out: &mut Outbox<'_>) {
        match timer {
            ConsumerTimer::Wakeup => self.wakeup_at = None,
            ConsumerTimer::RequestTimeout => {
                self.timeout_at = None;
                for completed in self.net.on_timeout(now, out) {
                    self.on_completed(now, completed, out);
                }
            }
            ConsumerTimer::Heartbeat => self.heartbeat_at = None,
        }
        self.background(now, out, None);
    }

    fn on_completed(&mut self, now: Time, completed: Completed<Pending>, out: &mut Outbox<'_>) {
        let (node, outcome) = (completed.node, completed.outcome);
        let mut wake = None;
        let io = &mut Io { net: &mut self.net, now, out, wake: &mut wake };
        let (config, subscription) = (&self.config, &mut self.subscription);
        let result = match completed.context {
            Pending::Fetch => {
                self.fetcher.on_completed(node, outcome, subscription, io);
                Ok(())
            }
            Pending::CloseSession => Ok(()),
            Pending::ListOffsets(resets) => offset_lookup::on_resets(&resets, outcome, config, subscription, io),
            Pending::Validate(positions) => {
                offset_lookup::on_validations(&positions, outcome, config, subscription, io)
            }
            of_group => {
                let coordinator = self.coordinator.as_mut().expect("invariant: only a group asks its coordinator");
                coordinator.on_completed(of_group, (node, outcome), config, subscription, io)
            }
        };
        if let Err(error) = result {
            self.raised = Some(error);
        }
    }

    /// What the network thread would do at any time: metadata, coordinator, commits; then sets the timers.
    pub(super) fn background(&mut self, now: Time, out: &mut Outbox<'_>, mut wake: Option<Time>) {
        self.net.poll(now, out);
        let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.turn(self.polls, &self.config, &mut self.subscription, &mut io);
        }
        self.go_on_closing(now, out, &mut wake);
        // Whoever lost the coordinator wants to know of others first.
        self.net.poll(now, out);
        let wake = [wake, self.net.next_poll(now)].into_iter().flatten().min();
        arm(&mut self.wakeup_at, wake, ConsumerTimer::Wakeup, out);
        let beat = self.coordinator.as_ref().and_then(Coordinator::next_beat);
        arm(&mut self.heartbeat_at, beat.filter(|at| *at > now), ConsumerTimer::Heartbeat, out);
        arm(&mut self.timeout_at, self.net.next_timeout(), ConsumerTimer::RequestTimeout, out);
    }
}

/// Sets a timer, unless an earlier one is set: that one fires in vain and sets the next.
pub(in crate::client) fn arm(set: &mut Option<Time>, at: Option<Time>, timer: ConsumerTimer, out: &mut Outbox<'_>) {
    if let Some(at) = at
        && set.is_none_or(|set| at < set)
    {
        *set = Some(at);
        out.set_timer(Timer::Consumer(timer), at);
    }
}
