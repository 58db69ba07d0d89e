//! Kafka's cases on one replica manager alone, driven by hand on the [`bench`]. Whole brokers with a real controller are in
//! `tests/broker`.

mod bench;
mod consumer_cases;
mod coordinator_cases;
mod coordinator_lab;
mod follower_cases;
mod group_admin_cases;
mod group_bench;
mod leader_cases;
mod marker_answer_cases;
mod marker_cases;
mod membership_cases;
mod offset_cases;
mod rack_cases;
mod requests;
mod share_bench;
mod share_cases;
mod state_cases;
mod transaction_cases;
