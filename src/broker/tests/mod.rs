//! Brokers as a whole, with a real controller, on the small network of [`cluster`]; and one replica manager alone, on the
//! [`bench`].

mod bench;
mod chaos;
mod cluster;
mod coordinator;
mod follower_cases;
mod leader_cases;
mod replication;
