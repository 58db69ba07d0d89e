//! Calls back before each frame, while it is asked to.

use gloo::render::{AnimationFrame, request_animation_frame};
use std::cell::RefCell;
use std::rc::Rc;
use yew::prelude::*;

/// Calls `on_frame` with the browser's clock (ms) before each frame while `active`. The request is cancelled when its
/// handle is dropped: at teardown, and when `active` ends.
#[hook]
pub fn use_animation_frame(active: bool, on_frame: Callback<f64>) {
    use_effect_with(active, move |active| {
        let handle: Rc<RefCell<Option<AnimationFrame>>> = Rc::default();
        if *active {
            ask(handle.clone(), on_frame);
        }
        move || drop(handle.borrow_mut().take())
    });
}

fn ask(handle: Rc<RefCell<Option<AnimationFrame>>>, on_frame: Callback<f64>) {
    let next = handle.clone();
    let frame = request_animation_frame(move |time| {
        // The next request first: what `on_frame` changes may end all this, and then drops it.
        let own = next.borrow_mut().take();
        ask(next, on_frame.clone());
        on_frame.emit(time);
        drop(own);
    });
    *handle.borrow_mut() = Some(frame);
}
