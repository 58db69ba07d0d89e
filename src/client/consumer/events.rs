//! What happens at the node while the consumer lives there: responses, lost connections, timers.
//!
//! Answers are put where the application's next call finds them; an error it has to hear is thrown by its next `poll()`.

use super::io::{Io, Pending};
use super::{Consumer, Coordinator, offset_lookup};
use crate::base::Time;
use crate::client::network_client::Completed;
use crate::client::network_events::NetworkEvent;
use crate::node::{ConsumerTimer, Outbox};

impl Consumer {
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
        self.timers.arm(ConsumerTimer::Wakeup, wake, out);
        let beat = self.coordinator.as_ref().and_then(Coordinator::next_beat);
        self.timers.arm(ConsumerTimer::Heartbeat, beat.filter(|at| *at > now), out);
        self.timers.arm(ConsumerTimer::RequestTimeout, self.net.next_timeout(), out);
    }
}
