//! Faults as data: what happens, and what it waits for.

use super::task::AdminTask;
use crate::base::{Duration, NodeId, Offset, Time};
use crate::node::{Body, Event, MessageId};
use crate::protocol::ApiKey;
use std::rc::Rc;

/// Something that goes wrong, once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fault {
    /// Chosen by whoever made the list; names the fault to people.
    pub id: u32,
    /// When.
    pub trigger: Trigger,
    /// What.
    pub action: Action,
}

/// When a fault takes effect. Messages and events are counted from the scenario's origin, the first is 1.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Trigger {
    /// At a time; at once, if that is past.
    At(Time),
    /// At the moment in which the `nth` such message leaves. A fault on a response therefore comes after what the request
    /// did.
    OnMessage {
        /// Which kind.
        kind: MessageKind,
        /// Only from there.
        from: Option<NodeId>,
        /// Only to there.
        to: Option<NodeId>,
        /// How-manieth of them, from 1.
        nth: u32,
    },
    /// At the `nth` such event, at once: what the node would send after it in the same breath is not sent if it dies of it.
    OnEvent {
        /// Which kind.
        kind: EventKind,
        /// Only there.
        node: Option<NodeId>,
        /// How-manieth of them, from 1.
        nth: u32,
    },
    /// On this message, not before that moment: at once if it is on its way then, else when it leaves. Nothing happens if
    /// it arrived already.
    OnMessageId(MessageId, Time),
}

/// A kind of message, as `ProduceResponse` names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageKind {
    /// Which API.
    pub api: ApiKey,
    /// Response or request.
    pub response: bool,
}

impl MessageKind {
    /// The kind that is called `name`: `ProduceRequest`, `ProduceResponse`, …
    pub fn from_name(name: &str) -> Option<MessageKind> {
        Self::all().find(|kind| kind.name() == name)
    }

    /// All kinds.
    pub fn all() -> impl Iterator<Item = MessageKind> {
        ApiKey::ALL.iter().flat_map(|api| [false, true].map(|response| MessageKind { api: *api, response }))
    }

    /// `ProduceRequest`, `ProduceResponse`, …
    pub const fn name(self) -> &'static str {
        if self.response { self.api.response_name() } else { self.api.request_name() }
    }

    /// The kind of `body`.
    pub const fn of(body: &Body) -> MessageKind {
        match body {
            Body::Request(request) => MessageKind { api: request.api(), response: false },
            Body::Response(response) => MessageKind { api: response.api(), response: true },
        }
    }
}

/// An event that a fault can wait for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// A leader appended a batch of a client to its log (internal topics do not count).
    Appended,
    /// A leader's high watermark moved.
    Committed,
    /// A record came out of `poll()`.
    Delivered,
    /// An application began to process a record.
    Processing,
    /// The effect of a record happened.
    Processed,
    /// A commit of offsets was confirmed.
    OffsetsCommitted,
    /// `send()` took a record.
    Sent,
    /// `initTransactions()` returned.
    TransactionsInitialized,
    /// `beginTransaction()` returned.
    TransactionBegun,
    /// `sendOffsetsToTransaction()` returned.
    OffsetsSent,
    /// `commitTransaction()` or `abortTransaction()` was called.
    TransactionEnding,
    /// It returned.
    TransactionEnded,
    /// A transaction coordinator committed a new state of a transactional id.
    TransactionChanged,
    /// A call of a transactional producer threw an exception.
    ProducerFailed,
    /// A consumer joined a generation of its group.
    GroupJoined,
    /// A member was assigned partitions.
    PartitionsAssigned,
    /// A member gave up partitions.
    PartitionsRevoked,
    /// A member lost its partitions.
    PartitionsLost,
    /// A member left its group.
    MemberLeft,
    /// A record's handler threw an exception.
    HandlerFailed,
}

impl EventKind {
    /// All of them, with their names in scenarios.
    pub const ALL: &'static [(EventKind, &'static str)] = &[
        (EventKind::Appended, "appended"),
        (EventKind::Committed, "committed"),
        (EventKind::Delivered, "delivered"),
        (EventKind::Processing, "processing"),
        (EventKind::Processed, "processed"),
        (EventKind::OffsetsCommitted, "offsets-committed"),
        (EventKind::Sent, "sent"),
        (EventKind::TransactionsInitialized, "transactions-initialized"),
        (EventKind::TransactionBegun, "transaction-begun"),
        (EventKind::OffsetsSent, "offsets-sent"),
        (EventKind::TransactionEnding, "transaction-ending"),
        (EventKind::TransactionEnded, "transaction-ended"),
        (EventKind::TransactionChanged, "transaction-changed"),
        (EventKind::ProducerFailed, "producer-failed"),
        (EventKind::GroupJoined, "group-joined"),
        (EventKind::PartitionsAssigned, "partitions-assigned"),
        (EventKind::PartitionsRevoked, "partitions-revoked"),
        (EventKind::PartitionsLost, "partitions-lost"),
        (EventKind::MemberLeft, "member-left"),
        (EventKind::HandlerFailed, "handler-failed"),
    ];

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<EventKind> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The kind of `event`, if a fault can wait for it.
    pub fn of(event: &Event) -> Option<EventKind> {
        match event {
            Event::Appended { leader: true, .. } => Some(EventKind::Appended),
            Event::HighWatermark { leader: true, .. } => Some(EventKind::Committed),
            Event::Delivered { .. } => Some(EventKind::Delivered),
            Event::Processing { .. } => Some(EventKind::Processing),
            Event::Processed { .. } => Some(EventKind::Processed),
            Event::HandlerFailed { .. } => Some(EventKind::HandlerFailed),
            Event::OffsetsCommitted { .. } => Some(EventKind::OffsetsCommitted),
            Event::Sent { .. } => Some(EventKind::Sent),
            Event::TransactionsInitialized { .. } => Some(EventKind::TransactionsInitialized),
            Event::TransactionBegun { .. } => Some(EventKind::TransactionBegun),
            Event::OffsetsSent { .. } => Some(EventKind::OffsetsSent),
            Event::TransactionEnding { .. } => Some(EventKind::TransactionEnding),
            Event::TransactionEnded { .. } => Some(EventKind::TransactionEnded),
            Event::TransactionChanged { .. } => Some(EventKind::TransactionChanged),
            Event::ProducerFailed { .. } => Some(EventKind::ProducerFailed),
            Event::GroupJoined { .. } => Some(EventKind::GroupJoined),
            Event::PartitionsAssigned { .. } => Some(EventKind::PartitionsAssigned),
            Event::PartitionsRevoked { .. } => Some(EventKind::PartitionsRevoked),
            Event::PartitionsLost { .. } => Some(EventKind::PartitionsLost),
            Event::MemberLeft { .. } => Some(EventKind::MemberLeft),
            _ => None,
        }
    }
}

/// What goes wrong. `None` for a duration means: until something ends it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// The process dies. Its peers see their connections break.
    Crash {
        /// Which.
        node: NodeId,
        /// It starts again after this time.
        restart_after: Option<Duration>,
    },
    /// A dead process starts again.
    Restart {
        /// Which.
        node: NodeId,
    },
    /// The process is asked to stop (SIGTERM): a broker first hands over what it leads.
    Shutdown {
        /// Which.
        node: NodeId,
        /// It starts again so long after it has stopped.
        restart_after: Option<Duration>,
    },
    /// An administrator asks for something.
    Admin(AdminTask),
    /// The machine dies: what was not flushed is gone, and its peers hear nothing at all.
    PowerLoss {
        /// Which.
        node: NodeId,
        /// It starts again after this time.
        restart_after: Option<Duration>,
    },
    /// The process stands still: nothing arrives, no timer fires.
    Pause {
        /// Which.
        node: NodeId,
        /// For how long.
        duration: Option<Duration>,
    },
    /// A paused process goes on.
    Resume {
        /// Which.
        node: NodeId,
    },
    /// A link carries nothing.
    Partition {
        /// One end.
        a: NodeId,
        /// The other, or all others.
        b: Option<NodeId>,
        /// For how long.
        duration: Option<Duration>,
        /// Both ways; else only from `a`.
        symmetric: bool,
    },
    /// A cut or slow link works again, both ways; of a whole node its disk does, too.
    Heal {
        /// One end.
        a: NodeId,
        /// The other, or all others.
        b: Option<NodeId>,
    },
    /// The connection breaks with the message on it. Needs a trigger on a message.
    Reset,
    /// The message and all behind it hang until the connection is closed. Needs a trigger on a message.
    Stall,
    /// The message, and so all behind it, arrives later. Needs a trigger on a message.
    Delay {
        /// By this much.
        by: Duration,
    },
    /// A link becomes slower, both ways.
    Slow {
        /// One end, or every link.
        a: Option<NodeId>,
        /// The other, or all others.
        b: Option<NodeId>,
        /// Added to the latency.
        by: Duration,
        /// For how long.
        duration: Option<Duration>,
    },
    /// A node's clock is wrong from now on.
    SkewClock {
        /// Which.
        node: NodeId,
        /// By this much, in all.
        by_ms: i64,
    },
    /// A byte of a batch on a broker's disk changes.
    Corrupt {
        /// Which.
        node: NodeId,
        /// In the log of that topic and partition; none for any log that holds something.
        log: Option<(Rc<str>, u32)>,
        /// The batch with this offset; none for any that is not flushed yet, so that recovery looks at it.
        offset: Option<Offset>,
    },
    /// A node's disk becomes slower: its appends and reads take longer, though its heartbeats do not.
    SlowDisk {
        /// Which.
        node: NodeId,
        /// By this much each time.
        by: Duration,
        /// For how long.
        duration: Option<Duration>,
    },
    /// A broker's disk is full: the next append fails, and the broker halts. It starts again when there is room.
    FullDisk {
        /// Which.
        node: NodeId,
        /// For how long.
        duration: Option<Duration>,
    },
}

impl Fault {
    /// `action` at `at`.
    pub fn at(id: u32, at: Time, action: Action) -> Fault {
        Fault { id, trigger: Trigger::At(at), action }
    }

    /// `action` on the `nth` message `kind` from `from` to `to`.
    pub fn on_message(
        id: u32,
        kind: MessageKind,
        from: Option<NodeId>,
        to: Option<NodeId>,
        nth: u32,
        action: Action,
    ) -> Fault {
        Fault { id, trigger: Trigger::OnMessage { kind, from, to, nth }, action }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_name() {
        let kind = MessageKind::from_name("ProduceResponse").expect("known");
        assert_eq!(kind, MessageKind { api: ApiKey::Produce, response: true });
        assert_eq!(MessageKind::from_name("produce"), None);
        for (kind, name) in EventKind::ALL {
            assert_eq!(EventKind::from_name(name), Some(*kind));
            assert_eq!(kind.name(), *name);
        }
    }
}
