//! What happens at the node while the share consumer lives there: responses, lost connections, timers.

use super::membership::Io;
use super::{Closing, Pending, ShareConsumer};
use crate::base::Time;
use crate::client::network_client::Completed;
use crate::client::network_events::NetworkEvent;
use crate::node::{ConsumerTimer, Outbox};

impl ShareConsumer {
    /// Something happened.
    pub fn on_event(&mut self, now: Time, event: NetworkEvent, out: &mut Outbox<'_>) {
        for completed in event.completed(&mut self.net, &mut self.timers, now, out) {
            self.on_completed(now, completed, out);
        }
        self.background(now, out, None);
    }

    fn on_completed(&mut self, now: Time, completed: Completed<Pending>, out: &mut Outbox<'_>) {
        let (node, outcome) = (completed.node, completed.outcome);
        let mut wake = None;
        let io = &mut Io { net: &mut self.net, now, out, wake: &mut wake };
        match completed.context {
            Pending::FindCoordinator => {
                if let Err(error) = self.membership.on_lookup(&outcome, &self.config, io) {
                    self.raised = Some(error);
                }
            }
            Pending::Heartbeat => self.membership.on_heartbeat(outcome, &self.config, io),
            Pending::Fetch { renews } => self.requests.on_fetch(node, outcome, renews, io),
            Pending::Acknowledge { kind, renews } => {
                self.requests.on_acknowledge(node, outcome, (kind, renews), &self.config, io);
            }
        }
    }

    /// What the network thread would do at any time; then sets the timers.
    pub(super) fn background(&mut self, now: Time, out: &mut Outbox<'_>, mut wake: Option<Time>) {
        self.net.poll(now, out);
        let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
        self.membership.turn(self.polls, &self.config, &mut io);
        self.requests.turn(&mut self.membership, &self.config, &mut io);
        self.go_on_closing(now, out, &mut wake);
        // Whoever lost the coordinator wants to know of others first.
        self.net.poll(now, out);
        let wake = [wake, self.net.next_poll(now)].into_iter().flatten().min();
        self.timers.arm(ConsumerTimer::Wakeup, wake, out);
        let beat = self.membership.next_beat().filter(|at| *at > now);
        self.timers.arm(ConsumerTimer::Heartbeat, beat, out);
        self.timers.arm(ConsumerTimer::RequestTimeout, self.net.next_timeout(), out);
    }

    fn go_on_closing(&mut self, now: Time, out: &mut Outbox<'_>, wake: &mut Option<Time>) {
        let mut io = Io { net: &mut self.net, now, out, wake };
        if let Some(Closing::Sessions(deadline)) = self.closing {
            let unknown = self.membership.member_id().is_none();
            if deadline > now && !unknown && !self.requests.acknowledging.is_empty() {
                return io.wake_at(deadline);
            }
            self.membership.leave("the consumer is being closed", &mut io);
            self.closing = Some(Closing::Leaving(deadline));
        }
        if let Some(Closing::Leaving(deadline)) = self.closing {
            if deadline > now && self.membership.is_leaving() {
                return io.wake_at(deadline);
            }
            self.closing = Some(Closing::Done);
        }
    }
}
