//! One setting: Kafka's key, its value, its help. Only valid values are applied; what was typed stays.

use crate::ui::dom;
use crate::ui::edit::{Place, WorkField, WorkKind, set_work};
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use delivery_lab::base::config::{ConfigKey, ConfigKind};
use delivery_lab::scenario::Scenario;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, Clone, PartialEq)]
pub struct FieldProps {
    pub place: Place,
    pub setting: &'static ConfigKey,
    pub scenario: Rc<Scenario>,
}

/// The words a setting can be, if it is one of a few.
fn choices(kind: ConfigKind) -> Option<Vec<&'static str>> {
    match kind {
        ConfigKind::Boolean => Some(vec!["true", "false"]),
        ConfigKind::Choice(words) => Some(words.to_vec()),
        _ => None,
    }
}

/// The scenario with a setting changed (none: back to its default), or what Kafka would say.
fn change(props: &FieldProps, value: Option<&str>) -> Result<Scenario, String> {
    let mut new = (*props.scenario).clone();
    let properties = props.place.properties_mut(&mut new);
    match value {
        Some(value) => {
            props.setting.validate(value).map_err(|error| error.message)?;
            properties.insert(props.setting.name.to_owned(), value.to_owned());
        }
        None => drop(properties.remove(props.setting.name)),
    }
    new.drop_empty_groups();
    let before = props.place.check(&props.scenario, props.place.properties(&props.scenario));
    let new_errors: Vec<String> = props
        .place
        .check(&new, props.place.properties(&new))
        .into_iter()
        .filter(|error| !before.contains(error))
        .map(|error| error.message)
        .collect();
    if new_errors.is_empty() { Ok(new) } else { Err(new_errors.join(" ")) }
}

#[component]
pub fn SettingField(props: &FieldProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let draft = use_state(|| None::<String>);
    let problem = use_state(|| None::<String>);
    let key = props.setting;
    let set = props.place.properties(&props.scenario).get(key.name);
    let now = set.cloned().unwrap_or_else(|| key.default.to_owned());
    let changed = set.is_some_and(|value| value.trim() != key.default);
    {
        // Another value from elsewhere (a button, a file) replaces what was typed.
        let (draft, problem) = (draft.clone(), problem.clone());
        use_effect_with(now.clone(), move |_| {
            draft.set(None);
            problem.set(None);
        });
    }
    let try_it = {
        let (draft, problem) = (draft.clone(), problem.clone());
        let props = FieldProps { place: props.place, setting: key, scenario: props.scenario.clone() };
        let lab = lab.clone();
        move |text: Option<String>, apply: bool| {
            let result = match &text {
                Some(text) if text.trim().is_empty() && key.default.is_empty() => change(&props, None),
                other => change(&props, other.as_deref()),
            };
            match result {
                Ok(new) if apply => {
                    let same = text.as_deref().map(str::trim) == Some(set_or_default(&props).trim());
                    if same || lab.load(t.the_setting, new, false) {
                        draft.set(None);
                    } else {
                        draft.set(text);
                    }
                    problem.set(None);
                }
                Ok(_) => {
                    draft.set(text);
                    problem.set(None);
                }
                Err(why) => {
                    draft.set(text);
                    problem.set(Some(why));
                }
            }
        }
    };
    let oninput = Callback::from({
        let try_it = try_it.clone();
        move |event: InputEvent| try_it(Some(dom::value_of(event.target())), false)
    });
    let onchange = Callback::from({
        let try_it = try_it.clone();
        move |event: Event| try_it(Some(dom::value_of(event.target())), true)
    });
    let reset = Callback::from({
        let try_it = try_it.clone();
        move |_| try_it(None, true)
    });
    let id = field_id(props.place, key.name);
    let about = Rc::new(format!("{} {}", key.doc, default_text(t, key.default)));
    let control = match choices(key.kind) {
        Some(words) => select(&id, &words, draft.as_ref().unwrap_or(&now), changed, problem.is_some(), onchange),
        None => html! {
            <input id={id.clone()} type="text" value={draft.as_ref().unwrap_or(&now).clone()} {oninput} {onchange}
                class={changed.then_some("changed")} aria-invalid={problem.is_some().then_some("true")}
                aria-describedby={format!("{id}-doc")} placeholder={t.not_set} spellcheck="false" autocomplete="off" />
        },
    };
    let reset = changed.then(|| {
        let text = (t.to_default)(key.name);
        html! { <button class="icon small" onclick={reset} aria-label={text.clone()} title={text}>{ "↺" }</button> }
    });
    let valid = key.valid_values();
    let doc = if valid.is_empty() { (*about).clone() } else { format!("{about} {valid}") };
    // What Kafka does without saying so is said here.
    let notes =
        props.place.notes(props.place.properties(&props.scenario)).into_iter().filter(|note| note.key == key.name);
    let notes = notes.map(|note| html! { <p class="note">{ (t.note)(&note) }</p> });
    html! { <>{ frame(&id, key.name, &doc, control, reset, (*problem).clone()) }{ for notes }</> }
}

fn set_or_default(props: &FieldProps) -> String {
    let set = props.place.properties(&props.scenario).get(props.setting.name);
    set.cloned().unwrap_or_else(|| props.setting.default.to_owned())
}

fn default_text(t: &Texts, default: &str) -> String {
    (t.default_is)(if default.is_empty() { t.not_set } else { default })
}

fn field_id(place: Place, key: &str) -> String {
    let place: String = format!("{place:?}").chars().filter(char::is_ascii_alphanumeric).collect();
    format!("set-{}-{}", place.to_ascii_lowercase(), key.replace([' ', '.'], "-"))
}

fn select(id: &str, words: &[&'static str], now: &str, changed: bool, wrong: bool, onchange: Callback<Event>) -> Html {
    let known = words.contains(&now);
    html! {
        <select id={id.to_owned()} class={changed.then_some("changed")} {onchange} aria-describedby={format!("{id}-doc")}
            aria-invalid={wrong.then_some("true")}>
            if !known { <option value={now.to_owned()} selected=true>{ now }</option> }
            { for words.iter().map(|word| html! { <option key={*word} value={*word} selected={*word == now}>{ *word }</option> }) }
        </select>
    }
}

/// Label, control, help and error, as every field has them.
fn frame(id: &str, name: &str, doc: &str, control: Html, reset: Option<Html>, problem: Option<String>) -> Html {
    // A long key may break after its dots.
    let pieces = name.split_inclusive('.').map(|piece| html! { <>{ piece }<wbr /></> });
    html! {
        <div class="field">
            <label for={id.to_owned()} title={doc.to_owned()}>{ for pieces }</label>
            { control }
            { for reset }
            <p class="doc" id={format!("{id}-doc")}>{ doc }</p>
            if let Some(problem) = problem { <p class="error" role="alert">{ problem }</p> }
        </div>
    }
}

#[derive(Properties, PartialEq)]
pub struct WorkProps {
    pub place: Place,
    pub field: WorkField,
    pub scenario: Rc<Scenario>,
}

#[component]
pub fn WorkloadField(props: &WorkProps) -> Html {
    let (lab, t): (Lab, _) = (use_lab(), use_texts());
    let draft = use_state(|| None::<String>);
    let problem = use_state(|| None::<String>);
    let field = &props.field;
    {
        let (draft, problem) = (draft.clone(), problem.clone());
        use_effect_with(field.value.clone(), move |_| {
            draft.set(None);
            problem.set(None);
        });
    }
    let take = {
        let (draft, problem) = (draft.clone(), problem.clone());
        let (place, field, scenario) = (props.place, field.clone(), props.scenario.clone());
        move |text: String, apply: bool| match set_work(&scenario, place, &field, &text, t) {
            Ok(new) => {
                let applied = apply && (new == *scenario || lab.load(t.the_setting, new, false));
                draft.set((!applied).then_some(text));
                problem.set(None);
            }
            Err(why) => {
                draft.set(Some(text));
                problem.set(Some(why));
            }
        }
    };
    let oninput = Callback::from({
        let take = take.clone();
        move |event: InputEvent| take(dom::value_of(event.target()), false)
    });
    let onchange = Callback::from(move |event: Event| take(dom::value_of(event.target()), true));
    let id = field_id(props.place, &format!("work-{}", field.key));
    let now = draft.as_ref().unwrap_or(&field.value).clone();
    let changed = field.is_changed().then_some("changed");
    let control = match &field.kind {
        WorkKind::Words(words) => html! {
            <select id={id.clone()} class={changed} {onchange} aria-describedby={format!("{id}-doc")}>
                { for words.iter().map(|word| html! {
                    <option key={&**word} value={word.clone()} selected={**word == *now}>{ if word.is_empty() { (t.unset)(field.key) } else { word } }</option>
                }) }
            </select>
        },
        _ => html! {
            <input id={id.clone()} type="text" class={changed} inputmode={matches!(field.kind, WorkKind::Number(..)).then_some("numeric")}
                value={now} {oninput} {onchange} aria-invalid={problem.is_some().then_some("true")}
                aria-describedby={format!("{id}-doc")} spellcheck="false" autocomplete="off" />
        },
    };
    let mut doc = (t.work_help)(field.key).to_owned();
    if let Some(default) = &field.default {
        let default = if default.is_empty() { (t.unset)(field.key) } else { default };
        doc = format!("{doc} {}", (t.default_is)(default));
    }
    frame(&id, field.key, &doc, control, None, (*problem).clone())
}
