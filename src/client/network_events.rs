//! What happens at the node while a consumer lives there (either kind): responses, lost connections, timers. Whatever it is, the
//! network thread gets its turn afterwards.

use super::network_client::{Completed, NetworkClient};
use crate::base::Time;
use crate::node::{ConnectionId, ConsumerTimer, Message, Outbox, Timer};

/// For when the node's timers of a consumer are set.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Timers {
    pub heartbeat: Option<Time>,
    pub wakeup: Option<Time>,
    pub request_timeout: Option<Time>,
}

impl Timers {
    /// Sets a timer, unless an earlier one is set: that one fires in vain and sets the next.
    pub fn arm(&mut self, timer: ConsumerTimer, at: Option<Time>, out: &mut Outbox<'_>) {
        let set = self.of(timer);
        if let Some(at) = at
            && set.is_none_or(|set| at < set)
        {
            *set = Some(at);
            out.set_timer(Timer::Consumer(timer), at);
        }
    }

    fn of(&mut self, timer: ConsumerTimer) -> &mut Option<Time> {
        match timer {
            ConsumerTimer::Heartbeat => &mut self.heartbeat,
            ConsumerTimer::Wakeup => &mut self.wakeup,
            ConsumerTimer::RequestTimeout => &mut self.request_timeout,
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum NetworkEvent {
    /// A response arrived.
    Message(Message),
    /// A connection broke.
    Disconnect(ConnectionId),
    /// A timer is due.
    Timer(ConsumerTimer),
}

impl From<Message> for NetworkEvent {
    fn from(message: Message) -> Self {
        NetworkEvent::Message(message)
    }
}

impl From<ConnectionId> for NetworkEvent {
    fn from(connection: ConnectionId) -> Self {
        NetworkEvent::Disconnect(connection)
    }
}

impl From<ConsumerTimer> for NetworkEvent {
    fn from(timer: ConsumerTimer) -> Self {
        NetworkEvent::Timer(timer)
    }
}

impl NetworkEvent {
    /// The requests that it ends.
    pub(super) fn completed<T>(
        self,
        net: &mut NetworkClient<T>,
        timers: &mut Timers,
        now: Time,
        out: &mut Outbox<'_>,
    ) -> Vec<Completed<T>> {
        match self {
            NetworkEvent::Message(message) => net.on_response(now, message, out).into_iter().collect(),
            NetworkEvent::Disconnect(connection) => net.on_disconnect(now, connection, out),
            NetworkEvent::Timer(timer) => {
                *timers.of(timer) = None;
                if timer == ConsumerTimer::RequestTimeout { net.on_timeout(now, out) } else { Vec::new() }
            }
        }
    }
}
