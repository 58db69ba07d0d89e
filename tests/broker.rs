//! Brokers as a whole, with a real controller, on a small network: replication, failover, coordinators, and crashes at
//! random moments (J1 and J5 of `kafka-cases.md`).

#[path = "broker/chaos.rs"]
mod chaos;
#[path = "broker/cleanup.rs"]
mod cleanup;
#[path = "broker/cluster.rs"]
mod cluster;
#[path = "broker/coordinator.rs"]
mod coordinator;
#[path = "broker/replication.rs"]
mod replication;
#[path = "broker/requests.rs"]
mod requests;
#[path = "broker/shutdown.rs"]
mod shutdown;
#[path = "broker/transaction_chaos.rs"]
mod transaction_chaos;
#[path = "broker/transaction_coordinator.rs"]
mod transaction_coordinator;
#[path = "broker/transactions.rs"]
mod transactions;
