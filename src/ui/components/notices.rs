//! What the page has to tell: refused inputs with what, where and why; settings that a button changed.

use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::same::Same;
use crate::ui::state::{Action, Notice};
use delivery_lab::scenario::Scenario;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct NoticesProps {
    pub notices: Same<Vec<Notice>>,
    pub written: Rc<Scenario>,
}

#[component]
pub fn Notices(props: &NoticesProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let items = props.notices.iter().enumerate().map(|(index, notice)| {
        let dismiss = Callback::from({
            let lab = lab.clone();
            move |_| lab.tell(Action::Dismiss(index))
        });
        let close = html! { <button class="icon small" onclick={dismiss.clone()} aria-label={t.dismiss} title={t.dismiss}>{ "✕" }</button> };
        match notice {
            Notice::Refused { what, mistakes } => html! {
                <div class="notice bad" key={index} role="alert">
                    <div>
                        <b>{ (t.refused)(what) }</b>
                        <ul>{ for mistakes.iter().map(|it| html! { <li><code>{ &it.place }</code>{ ": " }{ &it.problem }</li> }) }</ul>
                    </div>
                    { close }
                </div>
            },
            Notice::Changed(changes) => {
                let back = Callback::from({
                    let (lab, written) = (lab.clone(), props.written.clone());
                    move |event| {
                        lab.load("", (*written).clone(), true);
                        dismiss.emit(event);
                    }
                });
                html! {
                    <div class="notice" key={index} role="status">
                        <div class="changes">
                            <b>{ t.changed }</b>
                            { for changes.iter().map(|(name, key, was, is)| html! {
                                <code>{ if name.is_empty() { String::new() } else { format!("{name}: ") } }{ key }{ "=" }<b>{ is }</b>
                                    if !was.is_empty() { <s>{ was }</s> }
                                </code>
                            }) }
                        </div>
                        <button class="link" onclick={back}>{ t.back_to_written }</button>
                        { close }
                    </div>
                }
            }
        }
    });
    html! { <div class="notices">{ for items }</div> }
}
