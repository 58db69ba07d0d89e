//! Stub until the page is in.
