//! Words every floor uses: identifiers, virtual time, chance, settings, a stable hash.
//!
//! Invariants: nothing here reads a clock or the global random generator; nothing iterates over a hash table.

pub mod config;
mod hash;
mod ids;
mod prng;
mod sorted;
mod time;

pub use hash::{StableHasher, StateHash};
pub use ids::{
    BrokerId, Generation, LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, RecordId, TopicId, TopicPartition,
};
pub use prng::{Prng, Ratio};
pub use sorted::{SortedMap, SortedSet};
pub use time::{Duration, Time};

/// A vector whose clone costs almost nothing: clones share structure. Logs, ledgers and timelines are made of it, which
/// is what makes a checkpoint cheap.
pub type Vector<T> = imbl::GenericVector<T, archery::RcK>;
/// A sorted map whose clone costs almost nothing.
pub type OrdMap<K, V> = imbl::GenericOrdMap<K, V, archery::RcK>;
