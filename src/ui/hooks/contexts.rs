//! The two contexts: the lab's handle, which never changes, and the language, which rarely does.

use crate::ui::i18n::{Lang, Texts};
use crate::ui::lab::Lab;
use yew::prelude::*;

/// The handle to the session and to the reducer.
#[hook]
pub fn use_lab() -> Lab {
    use_context().expect("invariant: the app provides the lab")
}

/// The language.
#[hook]
pub fn use_lang() -> Lang {
    use_context().expect("invariant: the app provides the language")
}

/// The texts of the language.
#[hook]
pub fn use_texts() -> &'static Texts {
    use_lang().texts()
}
