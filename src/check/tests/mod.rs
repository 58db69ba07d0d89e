//! The ledger and the invariants: from events made by hand, and on a real cluster.

mod cluster;
mod disks;
mod effects;
mod failovers;
mod fates;
mod groups;
mod invariants;
mod ledger;
mod made;
mod outputs;
mod processors;
mod shares;
mod transactions;
