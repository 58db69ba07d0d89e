//! The engine with nodes that only talk: no Kafka needed to show what network and faults do.

mod faults;
mod network;
mod probe;
mod state;
