//! What a node wants done, collected while it handles one event.

use super::{Channel, Event, RequestContext, Timer};
use crate::base::{NodeId, Prng, Time};
use crate::protocol::{Request, Response};

/// One wish of a node, carried out by the world in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Send a request; opens a connection if there is none.
    Request {
        /// To whom.
        to: NodeId,
        /// On which connection.
        channel: Channel,
        /// Echoed in the response.
        correlation_id: u32,
        /// The content.
        request: Request,
    },
    /// Answer a request; lost if its connection is gone.
    Respond {
        /// To what.
        to: RequestContext,
        /// The content.
        response: Response,
    },
    /// Close a connection that this node opened or accepted. The closing side gets no `on_disconnect`.
    Disconnect {
        /// With whom.
        peer: NodeId,
        /// Which.
        channel: Channel,
    },
    /// Set or move a timer.
    SetTimer(Timer, Time),
    /// Forget a timer.
    CancelTimer(Timer),
    /// End this process.
    Exit,
    /// Tell what happened.
    Emit(Event),
    /// The process ends itself, after everything else that it wants done in this event (`Exit.halt`).
    Halt,
}

/// Collects effects, and lends the node its own random stream.
pub struct Outbox<'a> {
    effects: &'a mut Vec<Effect>,
    random: &'a mut Prng,
}

impl<'a> Outbox<'a> {
    /// An outbox that collects into `effects`.
    pub fn new(effects: &'a mut Vec<Effect>, random: &'a mut Prng) -> Self {
        Outbox { effects, random }
    }

    /// Sends a request.
    pub fn request(&mut self, to: NodeId, channel: Channel, correlation_id: u32, request: Request) {
        self.effects.push(Effect::Request { to, channel, correlation_id, request });
    }

    /// Answers a request.
    pub fn respond(&mut self, to: RequestContext, response: Response) {
        self.effects.push(Effect::Respond { to, response });
    }

    /// Closes a connection.
    pub fn disconnect(&mut self, peer: NodeId, channel: Channel) {
        self.effects.push(Effect::Disconnect { peer, channel });
    }

    /// Sets or moves a timer. A time in the past fires at once, after this event.
    pub fn set_timer(&mut self, timer: Timer, at: Time) {
        self.effects.push(Effect::SetTimer(timer, at));
    }

    /// Forgets a timer.
    pub fn cancel_timer(&mut self, timer: Timer) {
        self.effects.push(Effect::CancelTimer(timer));
    }

    /// Ends this process, in an orderly way as far as the node is concerned: whatever it wants to keep is on its disk.
    pub fn exit(&mut self) {
        self.effects.push(Effect::Exit);
    }

    /// Tells what happened, for ledger, timeline and checkers.
    pub fn emit(&mut self, event: Event) {
        self.effects.push(Effect::Emit(event));
    }

    /// Ends the process, after everything else it wants done in this event.
    pub fn halt(&mut self) {
        self.effects.push(Effect::Halt);
    }

    /// The node's own random stream.
    pub fn random(&mut self) -> &mut Prng {
        self.random
    }
}
