//! The header: which scenario, which guarantee, share, language, theme.

use crate::ui::app::open_text;
use crate::ui::dom;
use crate::ui::edit::{Guarantee, changes, guarantee, guarantee_of};
use crate::ui::hooks::{use_lab, use_lang};
use crate::ui::query;
use crate::ui::state::{Action, Notice, Theme};
use delivery_lab::scenario::{Scenario, library};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct HeaderProps {
    pub scenario: Rc<Scenario>,
    pub written: Rc<Scenario>,
    pub theme: Theme,
}

#[component]
pub fn Header(props: &HeaderProps) -> Html {
    let (lab, lang) = (use_lab(), use_lang());
    let t = lang.texts();
    let other = lang.other();
    let on_lang = Callback::from({
        let lab = lab.clone();
        move |_| {
            query::choose("lang", other.word());
            lab.tell(Action::Lang(other));
        }
    });
    let next = props.theme.next();
    let on_theme = Callback::from({
        let lab = lab.clone();
        move |_| {
            query::choose("theme", next.word());
            lab.tell(Action::Theme(next));
        }
    });
    let theme_name = match props.theme {
        Theme::Auto => t.theme_auto,
        Theme::Light => t.theme_light,
        Theme::Dark => t.theme_dark,
    };
    let on_share = Callback::from({
        let lab = lab.clone();
        move |_| {
            // The link is to the moment that is shown: it must not run away.
            lab.play_stops();
            lab.tell(Action::Share(true));
        }
    });
    let on_help = Callback::from({
        let lab = lab.clone();
        move |_| lab.tell(Action::Help(true))
    });
    html! {
        <header class="top">
            <h1>{ "Delivery Lab" }</h1>
            <Picker scenario={props.written.clone()} />
            <Guarantees scenario={props.scenario.clone()} />
            <span class="grow" />
            <button id="share" onclick={on_share} title={t.share_title} aria-haspopup="dialog">{ t.share }</button>
            <button id="lang" onclick={on_lang} lang={other.word()} title={t.other_language}>{ t.other_language }</button>
            <button id="theme" class="icon" onclick={on_theme} title={(t.theme)(theme_name)} aria-label={(t.theme)(theme_name)}>
                { match props.theme { Theme::Auto => "◐", Theme::Light => "☀", Theme::Dark => "☾" } }
            </button>
            <button class="icon" onclick={on_help} aria-label={t.help} title={t.help}>{ "?" }</button>
        </header>
    }
}

#[derive(Properties, PartialEq)]
struct OneScenario {
    scenario: Rc<Scenario>,
}

/// The title of a scenario in a language.
fn title(scenario: &Scenario, lang: crate::ui::i18n::Lang) -> Rc<str> {
    match &scenario.about {
        Some(about) => lang.of(&about.title),
        None => scenario.id.clone().unwrap_or_else(|| Rc::from(lang.texts().own_scenario)),
    }
}

#[component]
fn Picker(props: &OneScenario) -> Html {
    let (lab, lang) = (use_lab(), use_lang());
    let t = lang.texts();
    let open = use_state(|| false);
    let list = use_memo((), |()| library::ids().filter_map(library::get).collect::<Vec<Scenario>>());
    let shut = {
        let open = open.clone();
        Callback::from(move |()| {
            open.set(false);
            dom::focus_id("picker");
        })
    };
    let toggle = {
        let open = open.clone();
        Callback::from(move |_: MouseEvent| open.set(!*open))
    };
    let onkeydown = {
        let (shut, is_open) = (shut.clone(), *open);
        Callback::from(move |event: KeyboardEvent| {
            if event.key() == "Escape" && is_open {
                event.prevent_default();
                event.stop_propagation();
                shut.emit(());
            }
        })
    };
    let onfocusout = {
        let open = open.clone();
        Callback::from(move |event: FocusEvent| {
            let inside =
                dom::element(event.related_target()).is_some_and(|to| to.closest(".picker").ok().flatten().is_some());
            if !inside && event.related_target().is_some() {
                open.set(false);
            }
        })
    };
    let on_file = {
        let (lab, shut) = (lab.clone(), shut.clone());
        Callback::from(move |event: Event| {
            let input = event.target().and_then(|it| it.dyn_into::<web_sys::HtmlInputElement>().ok());
            let Some(input) = input else { return };
            if let Some(file) = input.files().and_then(|files| files.get(0)) {
                let lab = lab.clone();
                dom::read_file(&file, move |text| open_text(&lab, lang, &text));
            }
            input.set_value("");
            shut.emit(());
        })
    };
    let current = props.scenario.id.as_deref();
    let items = list.iter().map(|scenario| {
        let id = scenario.id.clone().unwrap_or_default();
        let chosen = current == Some(&*id);
        let onclick = {
            let (lab, shut, scenario) = (lab.clone(), shut.clone(), scenario.clone());
            Callback::from(move |_| {
                lab.load(t.scenario, scenario.clone(), true);
                shut.emit(());
            })
        };
        let question = scenario.about.as_ref().map(|about| lang.of(&about.question));
        html! {
            <li key={&*id}>
                <button {onclick} data-id={id} aria-current={chosen.then_some("true")}>
                    <b>{ title(scenario, lang) }</b>
                    <small>{ question }</small>
                </button>
            </li>
        }
    });
    html! {
        <div class="picker" {onkeydown} {onfocusout}>
            <button id="picker" class="pick" onclick={toggle} aria-expanded={open.to_string()} aria-controls="scenarios"
                title={t.scenario}>
                { title(&props.scenario, lang) }<span aria-hidden="true">{ " ▾" }</span>
            </button>
            if *open {
                <div id="scenarios" class="menu">
                    <ul>{ for items }</ul>
                    <label class="file">
                        { t.open_scenario }
                        <input type="file" accept=".json,application/json" onchange={on_file} />
                    </label>
                    <p class="soft">{ t.open_hint }</p>
                </div>
            }
        </div>
    }
}

#[component]
fn Guarantees(props: &OneScenario) -> Html {
    let lab = use_lab();
    let t = use_lang().texts();
    let current = guarantee_of(&props.scenario);
    let buttons = Guarantee::ALL.map(|which| {
        let (name, title) = match which {
            Guarantee::AtMostOnce => (t.at_most_once, t.at_most_once_title),
            Guarantee::AtLeastOnce => (t.at_least_once, t.at_least_once_title),
            Guarantee::ExactlyOnce => (t.exactly_once, t.exactly_once_title),
        };
        let onclick = {
            let (lab, scenario) = (lab.clone(), props.scenario.clone());
            Callback::from(move |_| {
                let new = guarantee(&scenario, which);
                let changed = changes(&scenario, &new);
                if lab.load(t.the_setting, new, false) && !changed.is_empty() {
                    lab.tell(Action::Notice(Notice::Changed(changed.into())));
                }
            })
        };
        let pressed = (current == Some(which)).to_string();
        html! { <button key={name} {onclick} {title} aria-pressed={pressed}>{ name }</button> }
    });
    let custom = Callback::from(|_| dom::focus_id("search-settings"));
    html! {
        <div class="seg" role="group" aria-label={t.guarantee}>
            { for buttons }
            <button onclick={custom} title={t.custom_title} aria-pressed={current.is_none().to_string()}>{ t.custom }</button>
        </div>
    }
}
