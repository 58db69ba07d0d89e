//! The tabs below: events, inspector.

use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::state::{Action, Tab};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct TabsProps {
    pub tab: Tab,
}

#[component]
pub fn Tabs(props: &TabsProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let onkeydown = {
        let (lab, tab) = (lab.clone(), props.tab);
        Callback::from(move |event: KeyboardEvent| {
            if matches!(&*event.key(), "ArrowLeft" | "ArrowRight" | "Home" | "End") {
                event.prevent_default();
                let (next, id) = match tab {
                    Tab::Events => (Tab::Inspector, "tab-inspector"),
                    Tab::Inspector => (Tab::Events, "tab-events"),
                };
                lab.tell(Action::Tab(next));
                dom::focus_id(id);
            }
        })
    };
    let tab = |tab: Tab, id: &'static str, name: &'static str| {
        let selected = props.tab == tab;
        let lab = lab.clone();
        let onclick = Callback::from(move |_| lab.tell(Action::Tab(tab)));
        html! {
            <button {id} role="tab" aria-selected={selected.to_string()} aria-controls="panel" tabindex={if selected { "0" } else { "-1" }} {onclick}>{ name }</button>
        }
    };
    html! {
        <div class="tabs" role="tablist" {onkeydown}>
            { tab(Tab::Events, "tab-events", t.events) }
            { tab(Tab::Inspector, "tab-inspector", t.inspector) }
        </div>
    }
}
