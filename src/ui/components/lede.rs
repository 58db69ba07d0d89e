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
    let go = |new: Scenario| {
        let (lab, changed) = (lab.clone(), changes(&props.scenario, &new));
        Callback::from(move |_: MouseEvent| {
            if lab.load(t.the_setting, new.clone(), false) {
                lab.tell(Action::Notice(Notice::Changed(changed.clone().into())));
                lab.play(true);
            }
        })
    };
    let next = match about.try_next.as_slice() {
        [one] => apply(&props.scenario, one).and_then(|new| {
            let (name, key, _, value) = changes(&props.scenario, &new).first()?.clone();
            Some(html! {
                <> { " " }<button class="link try" onclick={go(new)}>{ (t.try_setting)(&name, &key, &value) }</button>{ t.run_again }</>
            })
        }),
        // Siblings: each is what was written with one setting changed.
        many => {
            let siblings = many.iter().filter_map(|change| Some((change, apply(&props.written, change)?)));
            let siblings = siblings.map(|(change, new)| (change.split_once('.').map_or(&**change, |(_, rest)| rest), new));
            let siblings = [(t.as_written, (*props.written).clone())].into_iter().chain(siblings);
            let links = siblings.map(|(name, new)| {
                let now = new == *props.scenario;
                html! {
                    <> { " " }<button key={name.to_owned()} class="link try" aria-pressed={now.to_string()} disabled={now} onclick={go(new)}>{ name.to_owned() }</button></>
                }
            });
            (!many.is_empty()).then(|| html! { <span class="siblings"><br />{ t.compare }{ for links }</span> })
        }
    };
    html! {
        <p class={classes!("lede", (about.try_next.len() > 1).then_some("more"))}>
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
