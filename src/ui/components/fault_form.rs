//! A fault to be written: when, and what.

use crate::ui::dom;
use crate::ui::fault_draft::{Draft, Field, Kind, Problem, VERBS, WHENS, strikes_message};
use crate::ui::hooks::use_texts;
use delivery_lab::scenario::format::Fault;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct FormProps {
    pub fault: Option<Fault>,
    pub names: Vec<Rc<str>>,
    /// The fault, or none for "never mind".
    pub done: Callback<Option<Fault>>,
}

/// Puts what was typed where it belongs.
type Put = Rc<dyn Fn(&mut Draft, String)>;

#[component]
pub fn FaultForm(props: &FormProps) -> Html {
    let t = use_texts();
    let draft = {
        let (fault, names) = (props.fault.clone(), props.names.clone());
        use_state(move || Draft::new(fault.as_ref(), &names))
    };
    let problem = use_state(|| None::<Problem>);
    use_effect_with((), |()| dom::focus_id("fault-when"));
    let change = |put: Put| {
        let draft = draft.clone();
        Callback::from(move |event: Event| {
            let mut new = (*draft).clone();
            put(&mut new, dom::value_of(event.target()));
            draft.set(new);
        })
    };
    let choose = |label: &str, id: &'static str, value: &str, options: Vec<(String, String)>, onchange| {
        html! {
            <label for={id}>{ label }<select {id} {onchange}>
                { for options.into_iter().map(|(word, name)| html! { <option key={word.clone()} value={word.clone()} selected={word == value}>{ name }</option> }) }
            </select></label>
        }
    };
    let entry = |field: &'static Field| {
        let onchange = change(Rc::new(|draft: &mut Draft, value| draft.set(field.id, value)));
        let (label, value) = (field.label(t), draft.get(field));
        if let Some(options) = field.options(&props.names, t) {
            return choose(label, field.id, value, options, onchange);
        }
        let wrong = *problem == Some(Problem::NotANumber(field.id));
        let inputmode = if field.kind == Kind::Text { "text" } else { "numeric" };
        html! {
            <label for={field.id}>{ label }<input id={field.id} type="text" {inputmode} value={value.to_owned()} {onchange}
                aria-invalid={wrong.then_some("true")} autocomplete="off" /></label>
        }
    };
    let whens = [t.fault_at_ms, t.fault_on_message, t.fault_on_event];
    let whens = WHENS.iter().zip(whens).map(|((word, _), name)| ((*word).to_owned(), name.to_owned())).collect();
    let verbs = VERBS.iter().map(|(verb, _)| *verb).filter(|verb| {
        // Settings are changed in files and links; here they are kept.
        (draft.when == "message" || !strikes_message(verb)) && (*verb != "alter_config" || draft.verb == *verb)
    });
    let verbs = verbs.map(|verb| (verb.to_owned(), (t.verb)(verb).to_owned())).collect();
    // The fields of the moment come first, then the verb, then its fields.
    let moment = WHENS.iter().find(|(word, _)| *word == draft.when).map_or(0, |(_, fields)| fields.len());
    let save = {
        let (draft, problem, done) = (draft.clone(), problem.clone(), props.done.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            match draft.fault() {
                Ok(fault) => done.emit(Some(fault)),
                Err(found) => problem.set(Some(found)),
            }
        })
    };
    let cancel = {
        let done = props.done.clone();
        Callback::from(move |_| done.emit(None))
    };
    let told = problem.as_ref().map(|problem| match problem {
        Problem::NotANumber(field) => {
            format!("{field}: {}", (t.expected_number)(u64::from(*field == "nth"), 4_294_967_295))
        }
        Problem::Refused(text) => text.clone(),
    });
    html! {
        <form class="fault-form" onsubmit={save}>
            { choose(t.fault_when, "fault-when", draft.when, whens, change(Rc::new(|draft, value| draft.set_when(&value)))) }
            { for draft.fields().take(moment).map(entry) }
            { choose(t.fault_do, "fault-do", draft.verb, verbs, change(Rc::new(|draft, value| draft.set_verb(&value)))) }
            { for draft.fields().skip(moment).map(entry) }
            if let Some(told) = told { <p class="error" role="alert">{ told }</p> }
            <div class="row">
                <button class="primary" type="submit">{ t.apply }</button>
                <button type="button" onclick={cancel}>{ t.cancel }</button>
            </div>
        </form>
    }
}
