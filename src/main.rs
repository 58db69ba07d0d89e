//! Stub until the page is in.
fn main() {}
