//! The contract between a node and the world: a state machine without I/O.
//!
//! Invariants: a node learns the time, chance and every message as an argument; all it does goes into the [`Outbox`];
//! two runs with the same inputs do the same. Absent on purpose: clocks, threads, async, shared state.

mod event;
mod message;
mod outbox;
mod timer;

pub use event::{ClientError, Event, FaultMark, MessageSummary, QuorumRole, RemovalReason};
pub use message::{Body, Channel, ConnectionId, Message, MessageId, RequestContext};
pub use outbox::{Effect, Outbox};
pub use timer::{BrokerTimer, ConsumerTimer, ControllerTimer, LoopTimer, ProducerTimer, Timer};

use crate::base::{NodeId, Prng, Time};

/// How a process ends against its will.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Crash {
    /// The process dies; its disk and the operating system's page cache stay.
    Process,
    /// The machine dies: only what was flushed stays, possibly with a torn last batch.
    PowerLoss,
}

/// A broker, a controller or an application.
pub trait Node {
    /// The process starts, for the first time or again; only durable state is there.
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>);
    /// A message arrived. A request is answered with [`Outbox::respond`], now or later.
    fn on_message(&mut self, now: Time, from: NodeId, message: Message, out: &mut Outbox<'_>);
    /// A connection with `peer` broke, or could not be made. Everything in flight on it is gone.
    fn on_disconnect(&mut self, now: Time, peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>);
    /// A timer set through the outbox is due.
    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>);
    /// The process is asked to stop (SIGTERM). It ends with [`Outbox::exit`], now or later.
    fn on_shutdown(&mut self, _now: Time, out: &mut Outbox<'_>) {
        out.exit();
    }
    /// The process dies, or has ended by [`Outbox::exit`]: forget all that is not durable. No outbox: the dead do not speak.
    fn on_crash(&mut self, now: Time, crash: Crash, random: &mut Prng);
}
