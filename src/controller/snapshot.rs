//! Snapshots of the metadata.

use super::Controller;

/// When and where the last one was written.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Generator {}

impl Controller {
    /// Replays the newest snapshot, if the log no longer holds what comes next.
    pub(super) fn load_snapshot(&mut self) {}
}
