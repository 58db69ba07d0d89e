//! Processing by a worker: the polling thread fills its queue, and polls on.

use super::handler::Next;
use super::{ConsumerApp, Doing, tell_processing};
use crate::base::Time;
use crate::node::{LoopTimer, Outbox, Timer};

impl ConsumerApp {
    pub(super) fn hand_over(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.work(now, out);
        let Some(running) = &mut self.running else { return };
        while running.worker.has_room() {
            match running.batch.pop_front() {
                Some(record) => running.worker.put(record),
                None => break,
            }
        }
        if !running.batch.is_empty() {
            running.doing = Doing::HandingOver;
            return;
        }
        running.pause(Doing::BatchDone, now, out);
        self.work(now, out);
    }

    /// The worker takes its next record, if it is free.
    pub(super) fn work(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        if let Some((record, until)) = running.worker.begin(now, self.setup.processing) {
            tell_processing(record, out);
            out.set_timer(Timer::Loop(LoopTimer::Worker), until);
        }
    }

    pub(super) fn finish_work(&mut self, now: Time, out: &mut Outbox<'_>) {
        let next = self.handle(now, out);
        self.after_work(next, now, out);
    }

    pub(super) fn after_work(&mut self, next: Next, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match next {
            Next::At(until) => {
                running.worker.wait(until);
                return out.set_timer(Timer::Loop(LoopTimer::Worker), until);
            }
            Next::Blocked => return,
            Next::Done | Next::Throws(_) | Next::Fenced(_) => running.worker.finish(),
        }
        self.work(now, out);
        if matches!(self.running.as_ref().map(|running| &running.doing), Some(Doing::HandingOver)) {
            self.hand_over(now, out);
        } else if self.running.as_ref().is_some_and(|running| running.listener.is_busy()) {
            // It may have waited for this.
            self.unblock(now, out);
        }
    }
}
