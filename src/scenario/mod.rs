//! Scenarios: the data format, the library, and the way from names to a world.
//!
//! Invariants: parsing reports every mistake with its place and loses nothing that is good; [`to_json`] and [`parse`]
//! are inverse; nothing here runs anything.

mod apps;
mod build;
pub mod format;
mod groups;
pub mod library;
pub mod link;
mod members;
mod parse;
mod reader;
mod set;
mod share;
mod sink;
mod trial;
mod write;

pub use build::{Names, build, fault_now};
pub use format::Scenario;
pub use parse::{VERSION, parse, parse_fault, parse_value};
pub use reader::Mistake;
pub use set::set;
pub use trial::Trial;
pub use write::{fault_to_json, to_json};
