//! The column of settings: every key of every producer, consumer, topic and of the cluster; then the faults.

use super::fault_list::FaultList;
use super::settings_group::SettingsGroup;
use crate::ui::dom;
use crate::ui::edit::{Place, places};
use crate::ui::hooks::use_texts;
use crate::ui::same::Same;
use delivery_lab::scenario::Scenario;
use delivery_lab::session::Done;
use delivery_lab::view::ClusterView;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct SettingsProps {
    pub scenario: Rc<Scenario>,
    pub written: Rc<Scenario>,
    pub inputs: Same<Vec<Done>>,
    pub view: Same<ClusterView>,
}

#[component]
pub fn Settings(props: &SettingsProps) -> Html {
    let names = crate::ui::lines::names(&props.view);
    html! { <SettingsColumn scenario={props.scenario.clone()} written={props.written.clone()} inputs={props.inputs.clone()} names={names.to_vec()} /> }
}

#[derive(Properties, PartialEq)]
struct ColumnProps {
    scenario: Rc<Scenario>,
    written: Rc<Scenario>,
    inputs: Same<Vec<Done>>,
    names: Vec<Rc<str>>,
}

/// Does not see the running view: it is drawn again only when a setting, a fault or a name changes.
#[component]
fn SettingsColumn(props: &ColumnProps) -> Html {
    let t = use_texts();
    let search = use_state(|| AttrValue::from(""));
    let on_search = {
        let search = search.clone();
        Callback::from(move |event: InputEvent| search.set(dom::value_of(event.target()).to_ascii_lowercase().into()))
    };
    let key = (props.scenario.id.clone(), props.written.clone());
    let group = |place: Place| {
        // Another scenario has other groups: what was typed into the old ones is not carried over.
        let key = format!("{:?}-{place:?}", key.0);
        let open = matches!(place, Place::Producer(0));
        html! { <SettingsGroup {key} {place} {open} scenario={props.scenario.clone()} search={(*search).clone()} /> }
    };
    let hits = places(&props.scenario).iter().any(|place| {
        place.keys().iter().any(|it| it.name.contains(&**search))
            || crate::ui::edit::workload(&props.scenario, *place).iter().any(|it| it.key.contains(&**search))
    });
    html! {
        <aside class="settings" aria-label={t.settings}>
            <h2>{ t.settings }</h2>
            <input id="search-settings" class="search" type="search" placeholder={t.search_settings} aria-label={t.search_settings}
                oninput={on_search} value={(*search).clone()} autocomplete="off" spellcheck="false" />
            { for places(&props.scenario).into_iter().map(group) }
            if !hits { <p class="soft">{ (t.none_match)(&search) }</p> }
            <h2>{ t.faults }</h2>
            <FaultList scenario={props.scenario.clone()} inputs={props.inputs.clone()} names={props.names.clone()} />
        </aside>
    }
}
