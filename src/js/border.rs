//! The border to JavaScript: plain objects out, and errors.
//!
//! Invariant: nothing but an `Error` is thrown. A panic (a bug of ours) is told as one as well, and from then on every call
//! says so: nothing that was in the middle of something is used again. A fresh copy of the module is needed, such as a new
//! Worker.

use crate::scenario::Mistake;
use js_sys::{Array, Error, Object, Reflect};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use std::cell::{Cell, RefCell};
use std::sync::Once;
use wasm_bindgen::JsValue;

thread_local! {
    /// Inside a call from JavaScript.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// What a panic said.
    static BUG: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The name of all errors.
const NAME: &str = "DeliveryLabError";

/// Does what JavaScript asks for.
pub fn guard<T>(work: impl FnOnce() -> Result<T, Vec<Mistake>>) -> Result<T, JsValue> {
    static HOOK: Once = Once::new();
    HOOK.call_once(watch_for_panics);
    if let Some(bug) = BUG.with_borrow(Clone::clone) {
        return Err(error(&[stopped(bug)]));
    }
    INSIDE.set(true);
    let done = work();
    INSIDE.set(false);
    done.map_err(|mistakes| error(&mistakes))
}

/// A panic inside a call leaves it as an exception, since wasm cannot unwind; elsewhere it is not ours.
fn watch_for_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !INSIDE.get() {
            return before(info);
        }
        INSIDE.set(false);
        let bug = info.to_string();
        BUG.set(Some(bug.clone()));
        wasm_bindgen::throw_val(error(&[stopped(bug)]));
    }));
}

fn stopped(bug: String) -> Mistake {
    let problem = format!(
        "it found a bug in itself and stopped; this copy of the module cannot go on, a new one (a new Worker, say) can. {bug}"
    );
    Mistake { place: "engine".to_owned(), problem }
}

/// `Error` with `mistakes: [{ place, problem }]`; its message tells them all.
fn error(mistakes: &[Mistake]) -> JsValue {
    let lines: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
    let error = Error::new(&lines.join("\n"));
    error.set_name(NAME);
    let list: Array = mistakes
        .iter()
        .map(|mistake| {
            let item = Object::new();
            set(&item, "place", &mistake.place);
            set(&item, "problem", &mistake.problem);
            item
        })
        .collect();
    let _ = Reflect::set(&error, &"mistakes".into(), &list);
    error.into()
}

/// A fresh object takes every key.
fn set(object: &Object, key: &str, value: &str) {
    let _ = Reflect::set(object, &key.into(), &value.into());
}

/// As plain objects, arrays, numbers, texts and `null`.
pub(super) fn plain(value: &impl Serialize) -> JsValue {
    let all = value.serialize(&Serializer::json_compatible());
    all.expect("invariant: all keys are texts, and all numbers are small enough for JavaScript")
}
