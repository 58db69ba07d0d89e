//! The consumer client (under construction).
