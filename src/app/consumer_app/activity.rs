//! What the program is doing, for eyes.

use super::{ConsumerApp, Doing};
use crate::base::{RecordId, Time};
use crate::client::consumer::WaitsFor;
use crate::node::ClientError;

/// What the program is doing now.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ConsumerActivity {
    /// The process is not running.
    Stopped,
    /// Inside `poll()`: learns which partitions there are.
    WaitingForMetadata,
    /// Inside `poll()`: looks for its group's coordinator.
    WaitingForCoordinator,
    /// Inside `poll()`: joins its group.
    WaitingForGroup,
    /// Inside `poll()`: asks where to start.
    WaitingForPosition,
    /// Inside `poll()`: waits for records.
    Fetching,
    /// A record's handler runs.
    Processing {
        /// Which; none if no generator made it.
        record: Option<RecordId>,
        /// Until when.
        until: Time,
    },
    /// A record's handler waits for its sink.
    Acting {
        /// Which; none if no generator made it.
        record: Option<RecordId>,
    },
    /// Inside `poll()`: its rebalance listener waits for the sink.
    Restoring,
    /// Between two steps of the loop.
    Returning,
    /// Waits for room in the worker's queue.
    HandingOver,
    /// Inside `commitSync()`.
    Committing,
    /// An exception ended the loop.
    Failed(ClientError),
    /// Inside `close()`, on its way out.
    Closing,
}

impl ConsumerApp {
    /// What its polling thread is doing now; see [`Self::worker`] for the other one.
    pub fn activity(&self) -> ConsumerActivity {
        let Some(running) = &self.running else { return ConsumerActivity::Stopped };
        match &running.doing {
            Doing::Polling if running.listener.is_restoring() => ConsumerActivity::Restoring,
            Doing::Polling => match running.client.waits_for() {
                WaitsFor::Metadata => ConsumerActivity::WaitingForMetadata,
                WaitsFor::Coordinator => ConsumerActivity::WaitingForCoordinator,
                WaitsFor::Group => ConsumerActivity::WaitingForGroup,
                WaitsFor::CommittedOffsets | WaitsFor::OffsetReset | WaitsFor::Validation => {
                    ConsumerActivity::WaitingForPosition
                }
                WaitsFor::Records => ConsumerActivity::Fetching,
            },
            Doing::Processing(until) => {
                let record = running.batch.front().and_then(|record| record.id);
                match running.attempt.is_acting() {
                    true => ConsumerActivity::Acting { record },
                    false => ConsumerActivity::Processing { record, until: *until },
                }
            }
            Doing::Returned | Doing::BatchDone => ConsumerActivity::Returning,
            Doing::HandingOver => ConsumerActivity::HandingOver,
            Doing::CommittingBefore | Doing::CommittingAfter => ConsumerActivity::Committing,
            Doing::Failed(error) => ConsumerActivity::Failed(error.clone()),
            Doing::Closing => ConsumerActivity::Closing,
        }
    }
}
