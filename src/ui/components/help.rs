//! Help: the keys, and what this is.

use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::state::Action;
use web_sys::Element;
use yew::prelude::*;

#[component]
pub fn HelpDialog() -> Html {
    let (lab, t) = (use_lab(), use_texts());
    use_effect_with((), |()| {
        let before: Option<Element> = dom::document().active_element();
        dom::focus_id("help-close");
        move || {
            if let Some(before) = before {
                dom::focus(&before);
            }
        }
    });
    let close = Callback::from(move |_: MouseEvent| lab.tell(Action::Help(false)));
    // One button is all that can have the focus in here.
    let onkeydown = Callback::from(|event: KeyboardEvent| {
        if event.key() == "Tab" {
            event.prevent_default();
        }
    });
    html! {
        <>
            <div class="veil dark" onclick={close.clone()}></div>
            <div class="dialog" role="dialog" aria-modal="true" aria-labelledby="help-title" {onkeydown}>
                <div class="popover-head"><h2 id="help-title">{ t.help_title }</h2>
                    <button id="help-close" class="icon small" onclick={close} aria-label={t.close} title={t.close}>{ "✕" }</button></div>
                <dl class="keys">{ for t.keys.iter().map(|(key, what)| html! { <><dt><kbd>{ *key }</kbd></dt><dd>{ *what }</dd></> }) }</dl>
                <p>{ t.about }</p>
            </div>
        </>
    }
}
