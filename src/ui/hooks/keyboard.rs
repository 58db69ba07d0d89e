//! Keys that work wherever the focus is, unless something there needs them itself.

use crate::ui::dom;
use gloo::events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent};
use yew::prelude::*;

/// Calls back with each key that no field or button wants; a key that was used (`true`) does nothing else.
#[hook]
pub fn use_keyboard(on_key: Callback<String, bool>) {
    use_effect_with(on_key, |on_key| {
        let on_key = on_key.clone();
        let options = EventListenerOptions::enable_prevent_default();
        let listener = EventListener::new_with_options(&dom::document(), "keydown", options, move |event| {
            let Some(event) = event.dyn_ref::<KeyboardEvent>() else { return };
            if event.default_prevented() || event.ctrl_key() || event.meta_key() || event.alt_key() {
                return;
            }
            let key = event.key();
            let wanted = dom::element(event.target()).is_some_and(|at| is_wanted(&at, &key));
            if !wanted && on_key.emit(key) {
                event.prevent_default();
            }
        });
        move || drop(listener)
    });
}

/// Whether the focused element needs this key itself.
fn is_wanted(at: &Element, key: &str) -> bool {
    let within = |selector: &str| at.closest(selector).ok().flatten().is_some();
    if key == "Escape" {
        return false;
    }
    if within("input:not([type=checkbox]), textarea, select, [contenteditable]") {
        return true;
    }
    match key {
        " " => within("button, summary, a, [role=button], [role=tab], input"),
        "ArrowLeft" | "ArrowRight" | "Home" | "End" => within("[role=tablist], [role=radiogroup], [data-scroll]"),
        _ => false,
    }
}
