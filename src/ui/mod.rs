//! The page. It knows the engine only through [`delivery_lab::session`], shows plain views, and sends commands.
//!
//! Invariants: nothing here decides what happens in the cluster; a component is a function of its props; the session
//! lives outside the component tree, in [`lab::Lab`], and whatever it says reaches the tree through one reducer.

mod address;
mod app;
mod components;
mod dom;
mod edit;
mod embed;
mod fault_draft;
mod geometry;
mod hooks;
mod lab;
mod measure;
mod pace;
mod panic_card;
mod player;
mod query;
mod same;
mod state;
#[cfg(all(test, feature = "ui-test"))]
mod tests;

// The words are a floor of their own; here they are part of the page.
use delivery_lab::tell::{i18n, lines, why, words};

/// Puts the page into the document's body.
pub fn run() {
    panic_card::install();
    yew::Renderer::<app::App>::new().render();
}
