//! What the run shows: every record's life, the verdict against the claimed guarantee, and properties that must always hold.
//!
//! Invariants: nothing here changes the world; the ledger knows only what events say and reads record identities from the
//! real bytes; a broken invariant is data, never a panic.

mod claim;
mod entries;
mod flow;
mod invariants;
mod ledger;
mod life;
mod liveness;
mod log_entries;
mod ownership;
mod picture;
mod raft;
mod run;
mod settling;
mod share_entries;
#[cfg(test)]
mod tests;
mod verdict;

pub use claim::{Claim, Guarantee, Reason, claim};
pub use flow::{End, Flow, Readers, Reading};
pub use invariants::{Cluster, Invariant, Invariants, Replica, Violation};
pub use ledger::{Ledger, LedgerError};
pub use life::{Ack, Counts, Failure, Life, ShareEnd, StoryKind, StoryStep, Transactional};
pub use liveness::liveness;
pub use ownership::{GroupOwners, OwnedRow, Ownership, Turn, TurnKind};
pub use picture::{Fate, LogEntry, LogPicture, Marker};
pub use raft::Quorum;
pub use run::Run;
pub use verdict::Verdict;
