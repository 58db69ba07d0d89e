//! What the scenario asks, what to watch, and what to try next.

use crate::ui::edit::{apply, changes};
use crate::ui::hooks::{use_lab, use_lang};
use crate::ui::state::{Action, Notice};
use delivery_lab::scenario::Scenario;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct LedeProps {
    pub scenario: Rc<Scenario>,
    pub written: Rc<Scenario>,
    pub touched: bool,
}

#[component]
pub fn Lede(props: &LedeProps) -> Html {
    let (lab, lang) = (use_lab(), use_lang());
    let t = lang.texts();
    let Some(about) = props.scenario.about.clone() else { return html! {} };
    let next = about.try_next.as_deref().and_then(|change| {
        let new = apply(&props.scenario, change)?;
        let changed = changes(&props.scenario, &new);
        let (name, key, _, value) = changed.first()?.clone();
        let onclick = Callback::from({
            let lab = lab.clone();
            move |_| {
                if lab.load(t.the_setting, new.clone(), false) {
                    lab.tell(Action::Notice(Notice::Changed(changed.clone().into())));
                    lab.play(true);
                }
            }
        });
        Some(html! {
            <> { " " }<button class="link try" {onclick}>{ (t.try_setting)(&name, &key, &value) }</button>{ t.run_again }</>
        })
    });
    html! {
        <p class="lede">
            <b>{ lang.of(&about.question) }</b>
            { " " }
            if props.touched {
                { lang.of(&about.watch) }
                { for next }
            } else {
                <span class="invite">{ t.invite }</span>
            }
        </p>
    }
}
