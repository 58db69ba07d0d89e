//! Small sorted maps and sets, kept in one vector.
//!
//! Almost every map of the engine is small: a broker's partitions, a client's connections. A sorted vector finds, walks,
//! hashes and clones such a map faster than a B-tree, and compiles to a fraction of its code, which the page downloads.
//! The names and meanings are those of `BTreeMap` and `BTreeSet`.
//!
//! Invariant: keys are strictly increasing. Inserting in the middle costs as much as what stands behind it.

mod map;
mod set;
#[cfg(test)]
mod tests;

pub use map::SortedMap;
pub use set::SortedSet;
