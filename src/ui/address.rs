//! The address follows the run, so that a reload, a bookmark and "back" bring it back.
//!
//! Invariants: nothing is written before something was changed, so the address that the page was opened with stays as it
//! is; while it plays nothing is written at all; another scenario or setting is a step of the browser's history, a moment
//! is none. In a frame it never begins: the host's history is not ours.

use super::query;
use delivery_lab::scenario::link::Link;
use gloo::timers::callback::Timeout;
use std::cell::{Cell, RefCell};

/// Browsers allow two hundred changes in half a minute; and nobody reads faster.
const AFTER_MS: u32 = 300;

/// What the address says, and what it is going to say.
#[derive(Default)]
pub struct Address {
    on: Cell<bool>,
    said: RefCell<Option<Link>>,
    due: RefCell<Option<Timeout>>,
}

impl Address {
    /// From now on it follows. It says this already.
    pub fn begin(&self, link: Link) {
        self.on.set(true);
        self.said(link);
    }

    /// It says this by itself: the page was opened with it, or "back" led there.
    pub fn said(&self, link: Link) {
        *self.due.borrow_mut() = None;
        *self.said.borrow_mut() = Some(link);
    }

    /// Says it now; `push` if "back" is to lead to what it said before.
    pub fn say(&self, link: Link, push: bool) {
        if self.on.get() && self.said.borrow().as_ref() != Some(&link) {
            query::remember(&link, push);
            self.said(link);
        }
    }

    /// Says something in a moment, unless something else is said before.
    pub fn later(&self, say: impl FnOnce() + 'static) {
        if self.on.get() {
            *self.due.borrow_mut() = Some(Timeout::new(AFTER_MS, say));
        }
    }

    /// Whether there is something that it does not say yet.
    pub fn is_due(&self) -> bool {
        self.due.borrow().is_some()
    }
}
