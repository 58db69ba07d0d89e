//! What people are told, in English and Korean: sentences about events, why a record ended as it did, the names of things.
//!
//! Invariants: Kafka's terms stay as they are; a text that one language lacks does not compile; nothing here draws, and
//! nothing here knows a browser. The page and the posters say the same because both say it from here.

pub mod i18n;
pub mod lines;
pub mod why;
pub mod words;
