//! Scenarios: the data format, the library, and the way from names to a world.
//!
//! Invariants: parsing reports every mistake with its place and loses nothing that is good; [`to_json`] and [`parse`]
//! are inverse; nothing here runs anything.

pub mod format;
pub mod library;
mod parse;
mod reader;
mod write;


pub use format::Scenario;
pub use parse::{VERSION, parse, parse_value};
pub use reader::Mistake;
pub use write::to_json;
