//! Delivery Lab: Kafka's delivery semantics, running for real.
//!
//! A house with one staircase; each floor uses only the floors below it (`tests/tidy.rs` holds this):
//!
//! ```text
//! ui, js, lab  ►  poster  ►  tell  ►  session  ►  view  ►  history  ►  scenario  ►  check  ►  sim
//!    ►  controller, broker, app  ►  metadata, raft, coordinator, client  ►  node  ►  log  ►  protocol  ►  record  ►  base
//! ```
#![warn(missing_docs)]
#![deny(unsafe_code)]

pub mod app;
pub mod base;
pub mod broker;
pub mod check;
pub mod client;
pub mod controller;
pub mod coordinator;
pub mod history;
#[cfg(feature = "js")]
pub mod js;
pub mod log;
pub mod metadata;
pub mod node;
pub mod poster;
pub mod protocol;
pub mod raft;
pub mod record;
pub mod scenario;
pub mod session;
pub mod sim;
pub mod tell;
pub mod view;
