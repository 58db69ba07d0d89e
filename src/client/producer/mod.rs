//! The producer client.

/// A producer client.
#[derive(Clone, Hash, Debug)]
pub struct Producer {}
