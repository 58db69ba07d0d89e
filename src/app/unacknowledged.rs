//! What a program remembers that sends again after a restart: the records that it has handed over and seen no ack for.
//!
//! Invariant: durable, as an outbox table in the program's own database is. What it holds may be stored or not: only the
//! broker knows. So a program that must not lose sends it again, and a new producer id makes it a new record.

use crate::base::{RecordId, SortedSet};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// Records whose fate the program does not know.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Unacknowledged {
    open: SortedSet<RecordId>,
    /// Those that this life of the program has still to send again.
    again: VecDeque<RecordId>,
}

/// Adds nothing while nothing is remembered, so that a program that does not send again has the state hash that it always had.
impl Hash for Unacknowledged {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.open.is_empty() {
            (&self.open, &self.again).hash(state);
        }
    }
}

impl Unacknowledged {
    /// The program starts: all that is open is to be sent again, before anything new.
    pub fn restart(&mut self) {
        self.again = self.open.iter().copied().collect();
    }

    /// Which record is to be sent again next.
    pub fn next(&self) -> Option<RecordId> {
        self.again.front().copied()
    }

    /// The record was handed over. Whether it was one to be sent again.
    pub fn sent(&mut self, record: RecordId) -> bool {
        self.open.insert(record);
        let again = self.next() == Some(record);
        if again {
            self.again.pop_front();
        }
        again
    }

    /// The callback reported success.
    pub fn acked(&mut self, record: RecordId) {
        self.open.remove(&record);
    }
}
