//! The width of an element, kept up to date.

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, ResizeObserver};
use yew::prelude::*;

/// The inner width of the element behind `node`, in CSS pixels; `guess` until it is known.
#[hook]
pub fn use_width(node: &NodeRef, guess: f64) -> f64 {
    let width = use_state_eq(|| guess);
    let (set, node) = (width.setter(), node.clone());
    use_effect_with((), move |()| {
        let element = node.cast::<Element>();
        let measured = element.clone();
        let closure = Closure::<dyn FnMut()>::new(move || {
            if let Some(element) = &measured {
                set.set(f64::from(element.client_width()).max(240.0));
            }
        });
        let observer = ResizeObserver::new(closure.as_ref().unchecked_ref()).ok();
        if let (Some(observer), Some(element)) = (&observer, &element) {
            observer.observe(element);
        }
        move || {
            if let Some(observer) = observer {
                observer.disconnect();
            }
            drop(closure);
        }
    });
    *width
}
