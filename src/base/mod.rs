//! Words every floor uses: identifiers, virtual time, chance, settings, a stable hash.
//!
//! Invariants: nothing here reads a clock or the global random generator; nothing iterates over a hash table.

pub mod config;
mod hash;
mod ids;
mod java_map;
mod pattern;
mod prng;
mod sort;
mod sorted;
mod time;
mod vector;

pub use hash::{StableHasher, StateHash};
pub use ids::{
    BrokerId, Generation, LeaderEpoch, NodeId, Offset, ProducerEpoch, ProducerId, RecordId, TopicId, TopicPartition,
};
pub use java_map::{JavaHash, JavaMap, java_bucket};
pub use pattern::Pattern;
pub use prng::{Prng, Ratio};
pub use sort::{sort_long, sort_short};
pub use sorted::{SortedMap, SortedSet};
pub use time::{Duration, Time};
pub use vector::Vector;
