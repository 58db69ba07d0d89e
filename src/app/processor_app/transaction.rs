//! The calls of the transactional producer: how they end, and what the loop does when they throw.

use super::{Doing, OffsetsMode, ProcessorApp, Running};
use crate::app::transactions::{Recovery, after_exception};
use crate::base::{Time, sort_short};
use crate::node::{ClientError, Event, Outbox};
use crate::protocol::OffsetCommitPartition;
use std::rc::Rc;

impl ProcessorApp {
    /// Makes a call that blocks: what the program is doing says which.
    pub(super) fn call(&mut self, doing: Doing, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match &doing {
            Doing::Initializing => running.producer.init_transactions(now, out),
            Doing::Ending(true) => running.producer.commit_transaction(now, out),
            Doing::Ending(false) => running.producer.abort_transaction(now, out),
            _ => {
                let group = running.group.clone().expect("invariant: a processor has a group");
                running.producer.send_offsets_to_transaction(now, running.read.to_vec(), group, out);
            }
        }
        running.doing = doing;
        self.await_transaction(now, out);
    }

    pub(super) fn await_transaction(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        match running.producer.transaction_result(now) {
            None => {}
            Some(Err(error)) => self.threw(error, now, out),
            Some(Ok(())) => match running.doing {
                Doing::Initializing => self.poll(now, out),
                Doing::SendingOffsets => {
                    let offsets = running.read.iter().map(|it| (it.partition, it.offset)).collect();
                    out.emit(Event::OffsetsSent { group: Rc::clone(&self.setup.group), offsets });
                    running.pause(Doing::OffsetsSent, now, out);
                }
                Doing::Ending(committed) => {
                    if committed && self.setup.offsets == OffsetsMode::Transaction {
                        running.committed.extend(running.read.iter().map(|it| (it.partition, it.offset)));
                    }
                    running.pause(Doing::Ended(committed), now, out);
                }
                _ => {}
            },
        }
    }

    /// A call threw: what can be undone is undone, and then everything is read again.
    pub(super) fn threw(&mut self, error: ClientError, now: Time, out: &mut Outbox<'_>) {
        let Some(running) = &mut self.running else { return };
        out.emit(Event::ProducerFailed { error: error.clone() });
        let settled_elsewhere = matches!(running.doing, Doing::Initializing | Doing::Ending(_));
        match after_exception(&running.producer, settled_elsewhere, &error) {
            Recovery::Retry => {
                let doing = running.doing.clone();
                self.call(doing, now, out);
            }
            Recovery::Abort if running.doing != Doing::Initializing => self.call(Doing::Ending(false), now, out),
            Recovery::Abort | Recovery::Stop => {
                running.producer.close(now, out);
                running.close_reader(now, out);
                running.doing = Doing::Failed(error);
            }
        }
    }
}

impl Running {
    /// The next offset to read of each partition.
    pub(super) fn consumed(&self) -> Rc<[OffsetCommitPartition]> {
        let offsets = self.consumer.subscription().iter().filter_map(|(partition, state)| {
            let position = state.position()?;
            let (offset, leader_epoch) = (position.offset, position.offset_epoch);
            Some(OffsetCommitPartition { partition, offset, leader_epoch, metadata: Rc::from("") })
        });
        let mut offsets: Vec<_> = offsets.collect();
        sort_short(&mut offsets, |a, b| a.partition < b.partition);
        offsets.into()
    }
}
