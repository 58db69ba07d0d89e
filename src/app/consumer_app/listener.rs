//! The rebalance listener of a consumer, `ConsumerRebalanceListener`: what it does when partitions come and go.
//!
//! When they come: where offsets are stored with the output, it reads them there and goes to where they point (with `assign()`,
//! before the first `poll()` returns). A sink that does not answer is asked again, as long as it takes: without its answer nobody
//! knows where to read. When they go ([`OnRevoke`]): it commits, perhaps after its worker is done with their records. When they are
//! lost it does the same (`onPartitionsLost` calls `onPartitionsRevoked` unless people say otherwise), and its commit is refused.
//! `close()` gives everything up, and so calls it, too, also when an exception ended the loop: its `commitSync()` then commits
//! positions behind records that nobody has processed.
//!
//! Invariant: while it waits, `poll()` does not come back, and `max.poll.interval.ms` runs; nor does `close()`, and in the classic
//! protocol there are no heartbeats any more.

use super::Running;
use crate::app::sink_client::{Answer, SinkClient};
use crate::app::{ConsumerAppSetup, Dedupe, OnRevoke};
use crate::base::{Duration, Generation, Time, TopicPartition};
use crate::client::consumer::{Consumer, RebalanceCallback};
use crate::node::{Event, LoopTimer, Message, Outbox, Timer};
use std::rc::Rc;

/// How long it waits before it asks again.
const PAUSE: Duration = Duration(100_000);

/// What is being restored.
#[derive(Clone, PartialEq, Hash, Debug)]
struct Asking {
    partitions: Vec<TopicPartition>,
    generation: Generation,
}

/// See the module.
#[derive(Clone, PartialEq, Hash, Debug)]
pub(super) struct Listener {
    /// Where offsets are stored with the output.
    sink: Option<SinkClient>,
    asking: Option<Asking>,
    /// With `assign()`: it has done its work.
    restored: bool,
    on_revoke: OnRevoke,
    leaving: Option<Leaving>,
}

/// How far it is with giving partitions up.
#[derive(Clone, PartialEq, Hash, Debug)]
enum Leaving {
    /// The worker has records of theirs.
    Working(Rc<[TopicPartition]>),
    /// Inside `commitSync()`.
    Committing,
}

impl Listener {
    /// As the program is told.
    pub fn new(setup: &ConsumerAppSetup) -> Listener {
        let stores = setup.sink.dedupe == Dedupe::OffsetWithOutput;
        let sink = setup.sink_node.filter(|_| stores).map(|node| SinkClient::for_offsets(node, &setup.sink));
        Listener { sink, asking: None, restored: false, on_revoke: setup.on_revoke, leaving: None }
    }

    /// Whether it does anything at all.
    pub fn is_needed(&self) -> bool {
        self.sink.is_some() || self.on_revoke != OnRevoke::Nothing
    }

    /// `poll()` waits for it.
    pub fn is_busy(&self) -> bool {
        self.asking.is_some() || self.leaving.is_some()
    }

    /// It waits for the sink.
    pub fn is_restoring(&self) -> bool {
        self.asking.is_some()
    }

    /// Partitions go, and it is not done with them.
    pub fn is_giving_up(&self) -> bool {
        self.leaving.is_some()
    }

    /// Positions were taken over from the sink.
    pub fn is_done(&self) -> bool {
        self.restored
    }

    fn ask(&mut self, now: Time, out: &mut Outbox<'_>) {
        if let (Some(sink), Some(asking)) = (&mut self.sink, &self.asking) {
            sink.read(now, asking.generation, asking.partitions.clone(), out);
        }
    }

    /// The connection to the sink broke.
    pub fn on_disconnect(&mut self, now: Time, out: &mut Outbox<'_>) {
        if self.sink.as_mut().is_some_and(|sink| sink.on_disconnect(out).is_some()) {
            out.set_timer(Timer::Loop(LoopTimer::SinkOffsets), now + PAUSE);
        }
    }

    /// Its timer is due: it waited long enough for an answer, or before it asks again.
    pub fn on_timer(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(sink) = &mut self.sink else { return };
        sink.on_timer(now, out);
        if !sink.is_waiting() {
            self.ask(now, out);
        }
    }
}

impl Running {
    /// Inside `close()`: partitions go as they do in `poll()`; of those that come nobody wants to know any more.
    pub(super) fn let_go(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.listener.asking = None;
        self.give_up(now, out);
        while !self.listener.is_busy()
            && let Some(callback) = self.client.plain().and_then(Consumer::rebalance_callback)
        {
            match callback {
                RebalanceCallback::Assigned(_) => self.leave_listener(now, out),
                RebalanceCallback::Revoked(_) | RebalanceCallback::Lost(_) => drop(self.listen(now, out)),
            }
        }
    }

    /// Goes on with giving partitions up, if it is at that.
    pub(super) fn give_up(&mut self, now: Time, out: &mut Outbox<'_>) {
        match &self.listener.leaving {
            None => return,
            Some(Leaving::Working(partitions)) => {
                if self.listener.on_revoke == OnRevoke::Wait && self.worker.has_any(partitions) {
                    return;
                }
                self.listener.leaving = Some(Leaving::Committing);
                self.client.commit_sync(now, out);
            }
            Some(Leaving::Committing) => {}
        }
        let Some(result) = self.client.commit_sync_result(now) else { return };
        if let Err(error) = result {
            out.emit(Event::ConsumerFailed { error });
        }
        self.listener.leaving = None;
        self.leave_listener(now, out);
    }

    fn leave_listener(&mut self, now: Time, out: &mut Outbox<'_>) {
        match self.client.plain_mut().filter(|client| client.rebalance_callback().is_some()) {
            Some(client) => client.rebalance_callback_done(now, out),
            None => self.listener.restored = true,
        }
    }

    /// What the sink says of the stored offsets.
    pub(super) fn hear_offsets(&mut self, now: Time, message: Message, out: &mut Outbox<'_>) {
        let answer = self.listener.sink.as_mut().and_then(|sink| sink.on_response(now, message, out));
        let (Some(answer), Some(client)) = (answer, self.client.plain_mut()) else { return };
        let Some(Asking { partitions, .. }) = self.listener.asking.take() else { return };
        // Without an answer somebody newer owns them; `poll()` will tell.
        if let Ok(Answer::Offsets(offsets)) = answer {
            for (partition, offset) in offsets.into_iter().filter(|(it, _)| partitions.contains(it)) {
                client.seek(partition, offset, out);
            }
        }
        self.leave_listener(now, out);
    }

    /// `poll()` came back, or did not because the listener is called. True if it was: `poll()` goes on as soon as the listener is
    /// not busy.
    pub(super) fn listen(&mut self, now: Time, out: &mut Outbox<'_>) -> bool {
        let Some(client) = self.client.plain().filter(|_| self.listener.is_needed()) else { return false };
        let subscription = client.subscription();
        let stores = self.listener.sink.is_some();
        let partitions: Vec<TopicPartition> = match client.rebalance_callback() {
            Some(RebalanceCallback::Assigned(partitions)) if stores => partitions.to_vec(),
            Some(RebalanceCallback::Revoked(partitions) | RebalanceCallback::Lost(partitions))
                if self.listener.on_revoke != OnRevoke::Nothing && !partitions.is_empty() =>
            {
                self.listener.leaving = Some(Leaving::Working(Rc::clone(partitions)));
                self.give_up(now, out);
                return true;
            }
            Some(_) => Vec::new(),
            None if !stores => return false,
            None if subscription.subscribed().is_auto_assigned() => return false,
            None if self.listener.restored || subscription.is_empty() => return false,
            None => subscription.iter().map(|(partition, _)| partition).collect(),
        };
        if partitions.is_empty() {
            self.leave_listener(now, out);
            return true;
        }
        self.listener.asking = Some(Asking { partitions, generation: self.client.generation() });
        self.listener.ask(now, out);
        true
    }
}
