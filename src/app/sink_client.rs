//! A program's connection to its sink: it makes one call, and waits.
//!
//! Invariants: one call at a time; it ends exactly once, with an answer or an error. Who gives up waiting closes the connection, as
//! drivers of databases do: what was asked for may happen yet. Where effect and bookkeeping are two writes, a call is two requests,
//! and only the second's answer ends it.

use super::{SinkSetup, Writes};
use crate::base::{Duration, Generation, NodeId, Offset, Time, TopicPartition};
use crate::node::{Body, Channel, LoopTimer, Message, Outbox, Timer};
use crate::protocol::{
    ErrorCode, Request, Response, SinkAsk, SinkOffsetsRequest, SinkWrite, SinkWriteRequest, SinkWriteResponse,
};

/// Why a call failed, as far as the program can tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SinkError {
    /// The sink refused it: nothing happened.
    Unavailable,
    /// The sink takes this record never.
    Poison,
    /// No reply came: what was asked for may have happened, the program cannot know.
    ReplyLost,
    /// The same, and it knows sooner.
    Disconnected,
    /// Another member owns the partition now: nothing happened.
    Fenced,
}

impl SinkError {
    /// The exception that the handler throws.
    pub const fn message(self) -> &'static str {
        match self {
            SinkError::Unavailable => "SinkException: the sink is unavailable",
            SinkError::Poison => "SinkException: the sink refuses this record",
            SinkError::ReplyLost => "SinkException: timed out waiting for the sink's reply",
            SinkError::Disconnected => "SinkException: the connection to the sink broke",
            SinkError::Fenced => "SinkException: another generation owns the partition",
        }
    }

    fn of(code: ErrorCode) -> SinkError {
        match code {
            ErrorCode::InvalidRecord => SinkError::Poison,
            ErrorCode::IllegalGeneration => SinkError::Fenced,
            _ => SinkError::Unavailable,
        }
    }
}

/// What the sink said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// It is done.
    Written,
    /// The stored offsets.
    Offsets(Vec<(TopicPartition, Offset)>),
}

#[derive(Clone, PartialEq, Hash, Debug)]
struct Call {
    correlation_id: u32,
    deadline: Time,
    /// What is left to be asked for after the first of two requests.
    second: Option<SinkWriteRequest>,
}

/// See the module.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) struct SinkClient {
    node: NodeId,
    timeout: Duration,
    two_writes: bool,
    channel: Channel,
    timer: LoopTimer,
    next_correlation_id: u32,
    call: Option<Call>,
}

impl SinkClient {
    /// For a handler.
    pub fn for_writes(node: NodeId, setup: &SinkSetup) -> Self {
        Self::new(node, setup, Channel::Sink, LoopTimer::Sink)
    }

    /// For a rebalance listener.
    pub fn for_offsets(node: NodeId, setup: &SinkSetup) -> Self {
        Self::new(node, setup, Channel::SinkOffsets, LoopTimer::SinkOffsets)
    }

    fn new(node: NodeId, setup: &SinkSetup, channel: Channel, timer: LoopTimer) -> Self {
        let two_writes = setup.writes() != Writes::Together;
        SinkClient { node, timeout: setup.timeout, two_writes, channel, timer, next_correlation_id: 0, call: None }
    }

    /// Begins to act on these records.
    pub fn write(&mut self, now: Time, generation: Generation, writes: Vec<SinkWrite>, out: &mut Outbox<'_>) {
        let request = SinkWriteRequest { ask: SinkAsk::First, generation, writes };
        let second = self.two_writes.then(|| SinkWriteRequest { ask: SinkAsk::Second, ..request.clone() });
        self.call(now, Request::SinkWrite(request), second, out);
    }

    /// Begins to ask for stored offsets.
    pub fn read(&mut self, now: Time, generation: Generation, partitions: Vec<TopicPartition>, out: &mut Outbox<'_>) {
        self.call(now, Request::SinkOffsets(SinkOffsetsRequest { generation, partitions }), None, out);
    }

    fn call(&mut self, now: Time, request: Request, second: Option<SinkWriteRequest>, out: &mut Outbox<'_>) {
        assert!(self.call.is_none(), "invariant: one call at a time");
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1);
        let deadline = now + self.timeout;
        self.call = Some(Call { correlation_id, deadline, second });
        out.request(self.node, self.channel, correlation_id, request);
        out.set_timer(Timer::Loop(self.timer), deadline);
    }

    /// A message came on its connection: how the call ended, if it did.
    pub fn on_response(
        &mut self,
        now: Time,
        message: Message,
        out: &mut Outbox<'_>,
    ) -> Option<Result<Answer, SinkError>> {
        let call = self.call.take_if(|call| call.correlation_id == message.correlation_id)?;
        out.cancel_timer(Timer::Loop(self.timer));
        match message.body {
            Body::Response(Response::SinkWrite(SinkWriteResponse { error, .. })) if error.is_error() => {
                Some(Err(SinkError::of(error)))
            }
            Body::Response(Response::SinkWrite(response)) => {
                let mut rest = call.second;
                if let Some(rest) = &mut rest {
                    let mut fresh = response.fresh.iter();
                    rest.writes.retain(|_| fresh.next().is_some_and(|it| *it));
                }
                match rest.filter(|rest| !rest.writes.is_empty()) {
                    Some(rest) => {
                        self.call(now, Request::SinkWrite(rest), None, out);
                        None
                    }
                    None => Some(Ok(Answer::Written)),
                }
            }
            Body::Response(Response::SinkOffsets(response)) if response.error.is_error() => {
                Some(Err(SinkError::of(response.error)))
            }
            Body::Response(Response::SinkOffsets(response)) => Some(Ok(Answer::Offsets(response.offsets))),
            other => unreachable!("invariant: a sink does not send a {}", other.name()),
        }
    }

    /// Its connection broke: why the call failed, if there was one.
    pub fn on_disconnect(&mut self, out: &mut Outbox<'_>) -> Option<SinkError> {
        self.call.take()?;
        out.cancel_timer(Timer::Loop(self.timer));
        Some(SinkError::Disconnected)
    }

    /// It waits for an answer.
    pub fn is_waiting(&self) -> bool {
        self.call.is_some()
    }

    /// Its timer is due: why the call failed, if it waited long enough. (It did not if the clock was set back meanwhile.)
    pub fn on_timer(&mut self, now: Time, out: &mut Outbox<'_>) -> Option<SinkError> {
        let deadline = self.call.as_ref()?.deadline;
        if deadline > now {
            out.set_timer(Timer::Loop(self.timer), deadline);
            return None;
        }
        self.call = None;
        out.disconnect(self.node, self.channel);
        Some(SinkError::ReplyLost)
    }
}
