//! Hooks: the animation frame, the size of an element, the keyboard, the host of an embedded page.

mod animation_frame;
mod contexts;
mod host;
mod keyboard;
mod width;

pub use animation_frame::use_animation_frame;
pub use contexts::{use_lab, use_lang, use_texts};
pub use host::use_host;
pub use keyboard::use_keyboard;
pub use width::use_width;
