//! A broker's connections to the controller, one per purpose (Kafka's `NodeToControllerChannelManager`).
//!
//! Each channel has one request in flight and a queue behind it. A request that meets a broken connection, a timeout or
//! `NOT_CONTROLLER` is sent again, to whoever the metadata log says is the controller then, until its retry time is over;
//! then its sender is told.
//! Invariant: an answer counts only if its correlation id is that of the request in flight.

use crate::base::{Duration, NodeId, Time};
use crate::node::{Channel, Outbox};
use crate::protocol::Request;
use std::collections::VecDeque;

const RECONNECT_BACKOFF: Duration = Duration::from_millis(50);
/// How often it looks for a controller while none is known.
const NO_CONTROLLER_BACKOFF: Duration = Duration::from_millis(100);

/// One channel.
#[derive(Clone, Hash, Debug)]
pub struct ControllerChannel {
    channel: Channel,
    /// The active controller as the metadata log has it.
    known: Option<NodeId>,
    /// The one that is asked, until it turns out not to answer.
    target: Option<NodeId>,
    /// How long a request may stay unanswered.
    request_timeout: Duration,
    /// How long it is tried again; none for ever.
    retry_timeout: Option<Duration>,
    correlation: u32,
    in_flight: Option<InFlight>,
    queue: VecDeque<Queued>,
    /// Send the head of the queue not before.
    backoff_until: Option<Time>,
}

#[derive(Clone, Hash, Debug)]
struct InFlight {
    correlation: u32,
    deadline: Time,
    queued: Queued,
}

#[derive(Clone, Hash, Debug)]
struct Queued {
    request: Request,
    created: Time,
}

impl ControllerChannel {
    /// A channel with nothing to send.
    pub fn new(
        channel: Channel,
        known: Option<NodeId>,
        request_timeout: Duration,
        retry_timeout: Option<Duration>,
    ) -> Self {
        ControllerChannel {
            channel,
            known,
            target: None,
            request_timeout: retry_timeout.map_or(request_timeout, |retry| retry.min(request_timeout)),
            retry_timeout,
            correlation: 0,
            in_flight: None,
            queue: VecDeque::new(),
            backoff_until: None,
        }
    }

    /// There is another active controller, or none.
    pub fn set_controller(&mut self, now: Time, known: Option<NodeId>, out: &mut Outbox<'_>) {
        self.known = known;
        self.pump(now, out);
    }

    /// Sends a request, or queues it.
    pub fn send(&mut self, now: Time, request: Request, out: &mut Outbox<'_>) {
        self.queue.push_back(Queued { request, created: now });
        self.pump(now, out);
    }

    /// An answer came: the request it belongs to, unless it is stale.
    pub fn answered(&mut self, now: Time, correlation: u32, out: &mut Outbox<'_>) -> Option<Request> {
        let in_flight = self.in_flight.take_if(|in_flight| in_flight.correlation == correlation)?;
        self.pump(now, out);
        Some(in_flight.queued.request)
    }

    /// The answer was `NOT_CONTROLLER`: asks whoever is known then.
    pub fn not_controller(&mut self, now: Time, request: Request) {
        self.target = None;
        self.queue.push_front(Queued { request, created: now });
        self.backoff_until = Some(now + RECONNECT_BACKOFF);
    }

    /// The connection to `peer` broke.
    pub fn disconnected(&mut self, now: Time, peer: NodeId) {
        if Some(peer) == self.target
            && let Some(in_flight) = self.in_flight.take()
        {
            self.retry_later(now, in_flight.queued);
        }
    }

    /// Deadlines that have passed: closes a silent connection, sends what waited for a back-off. Returns requests that
    /// were given up.
    pub fn on_timer(&mut self, now: Time, out: &mut Outbox<'_>) -> Option<Request> {
        if let Some(in_flight) = self.in_flight.take_if(|in_flight| in_flight.deadline <= now) {
            out.disconnect(self.target.expect("invariant: somebody was asked"), self.channel);
            self.retry_later(now, in_flight.queued);
        }
        let given_up = match (self.queue.front(), self.retry_timeout) {
            (Some(head), Some(timeout)) if self.in_flight.is_none() && now >= head.created + timeout => {
                self.queue.pop_front().map(|queued| queued.request)
            }
            _ => None,
        };
        self.pump(now, out);
        given_up
    }

    /// When to call [`Self::on_timer`].
    pub fn deadline(&self) -> Option<Time> {
        match &self.in_flight {
            Some(in_flight) => Some(in_flight.deadline),
            None => self.queue.front().map(|_| self.backoff_until.unwrap_or(Time::ZERO)),
        }
    }

    fn retry_later(&mut self, now: Time, queued: Queued) {
        self.target = None;
        self.queue.push_front(queued);
        self.backoff_until = Some(now + RECONNECT_BACKOFF);
    }

    fn pump(&mut self, now: Time, out: &mut Outbox<'_>) {
        if self.in_flight.is_some() || self.backoff_until.is_some_and(|until| now < until) {
            return;
        }
        self.backoff_until = None;
        if self.queue.is_empty() {
            return;
        }
        self.target = self.target.or(self.known);
        let Some(target) = self.target else {
            self.backoff_until = Some(now + NO_CONTROLLER_BACKOFF);
            return;
        };
        let Some(queued) = self.queue.pop_front() else { return };
        self.correlation = self.correlation.wrapping_add(1);
        out.request(target, self.channel, self.correlation, queued.request.clone());
        let deadline = now + self.request_timeout;
        self.in_flight = Some(InFlight { correlation: self.correlation, deadline, queued });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Prng;
    use crate::node::Effect;
    use crate::protocol::CreateTopicsRequest;

    const A: NodeId = NodeId(7);
    const B: NodeId = NodeId(8);

    struct Lab {
        channel: ControllerChannel,
        now: Time,
        sent: Vec<(NodeId, u32)>,
        closed: Vec<NodeId>,
    }

    impl Lab {
        fn new(known: Option<NodeId>) -> Lab {
            let (timeout, retry) = (Duration::from_millis(1_000), Some(Duration::from_millis(5_000)));
            let channel = ControllerChannel::new(Channel::Forwarding, known, timeout, retry);
            Lab { channel, now: Time(0), sent: Vec::new(), closed: Vec::new() }
        }

        fn run<R>(&mut self, run: impl FnOnce(&mut ControllerChannel, Time, &mut Outbox<'_>) -> R) -> R {
            let (mut effects, mut random) = (Vec::new(), Prng::split(1, "channel"));
            let result = run(&mut self.channel, self.now, &mut Outbox::new(&mut effects, &mut random));
            for effect in effects {
                match effect {
                    Effect::Request { to, correlation_id, .. } => self.sent.push((to, correlation_id)),
                    Effect::Disconnect { peer, .. } => self.closed.push(peer),
                    other => panic!("{other:?}"),
                }
            }
            result
        }

        fn send(&mut self) {
            let request = Request::CreateTopics(CreateTopicsRequest { topics: Vec::new() });
            self.run(|channel, now, out| channel.send(now, request, out));
        }

        fn pass(&mut self, ms: u64) -> Option<Request> {
            self.now += Duration::from_millis(ms);
            self.run(ControllerChannel::on_timer)
        }
    }

    #[test]
    fn test_requests_wait_until_there_is_a_controller() {
        let mut lab = Lab::new(None);
        lab.send();
        lab.pass(100);
        assert!(lab.sent.is_empty());
        lab.run(|channel, now, out| channel.set_controller(now, Some(A), out));
        lab.pass(100);
        assert_eq!(lab.sent, [(A, 1)]);
    }

    #[test]
    fn test_controller_changed_after_not_controller() {
        let mut lab = Lab::new(Some(A));
        lab.send();
        let request = lab.run(|channel, now, out| channel.answered(now, 1, out)).expect("it was in flight");
        lab.run(|channel, now, out| {
            channel.not_controller(now, request);
            channel.set_controller(now, Some(B), out);
        });
        lab.pass(50);
        assert_eq!(lab.sent, [(A, 1), (B, 2)]);
    }

    #[test]
    fn test_request_in_flight_stays_with_its_controller_until_the_connection_breaks() {
        let mut lab = Lab::new(Some(A));
        lab.send();
        lab.run(|channel, now, out| channel.set_controller(now, Some(B), out));
        lab.pass(50);
        assert_eq!(lab.sent, [(A, 1)]);
        lab.run(|channel, now, _| channel.disconnected(now, A));
        lab.pass(50);
        assert_eq!(lab.sent, [(A, 1), (B, 2)]);
        assert_eq!(lab.run(|channel, now, out| channel.answered(now, 1, out)), None, "that answer is stale");
    }

    #[test]
    fn test_request_timeout_closes_the_connection_and_retry_timeout_gives_up() {
        let mut lab = Lab::new(Some(A));
        lab.send();
        lab.pass(1_000);
        assert_eq!(lab.closed, [A]);
        for _ in 0..3 {
            lab.pass(50);
            assert_eq!(lab.pass(1_000), None);
        }
        lab.pass(50);
        assert!(lab.pass(1_000).is_some(), "five seconds are over");
    }
}
