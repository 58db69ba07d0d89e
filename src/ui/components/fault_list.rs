//! What goes wrong: the scenario's faults, which can be edited and removed, and those made by hand in this run.

use super::fault_form::FaultForm;
use super::messages;
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::same::Same;
use crate::ui::words::clock;
use delivery_lab::scenario::Scenario;
use delivery_lab::scenario::format::Fault;
use delivery_lab::session::Done;
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct ListProps {
    pub scenario: Rc<Scenario>,
    pub inputs: Same<Vec<Done>>,
    pub names: Vec<Rc<str>>,
}

/// What the form is for.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Closed,
    Add,
    Edit(usize),
}

#[component]
pub fn FaultList(props: &ListProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let form = use_state(|| Form::Closed);
    let save = {
        let (lab, form, scenario) = (lab.clone(), form.clone(), props.scenario.clone());
        Callback::from(move |fault: Option<Fault>| {
            let Some(fault) = fault else {
                form.set(Form::Closed);
                return;
            };
            let mut new = (*scenario).clone();
            match *form {
                Form::Edit(index) if index < new.faults.len() => new.faults[index] = fault,
                _ => new.faults.push(fault),
            }
            if lab.load(t.faults, new, false) {
                form.set(Form::Closed);
            }
        })
    };
    let items = props.scenario.faults.iter().enumerate().map(|(index, fault)| {
        if *form == Form::Edit(index) {
            return html! { <li key={index}><FaultForm fault={Some(fault.clone())} names={props.names.clone()} done={save.clone()} /></li> };
        }
        let edit = {
            let form = form.clone();
            Callback::from(move |_| form.set(Form::Edit(index)))
        };
        let remove = {
            let (lab, scenario) = (lab.clone(), props.scenario.clone());
            Callback::from(move |_| {
                let mut new = (*scenario).clone();
                new.faults.remove(index);
                lab.load(t.faults, new, false);
            })
        };
        let what = (t.what)(&fault.what);
        html! {
            <li key={index}>
                <div class="fault">
                    <span><b>{ &what }</b>{ " " }<small>{ (t.when)(&fault.when) }</small></span>
                    <button class="icon small" onclick={edit} aria-label={format!("{}: {what}", t.edit)} title={t.edit}>{ "✎" }</button>
                    <button class="icon small" onclick={remove} aria-label={format!("{}: {what}", t.remove)} title={t.remove}>{ "✕" }</button>
                </div>
            </li>
        }
    });
    let add = {
        let form = form.clone();
        Callback::from(move |_| form.set(Form::Add))
    };
    html! {
        <>
            if props.scenario.faults.is_empty() && props.inputs.is_empty() { <p class="soft">{ t.no_faults }</p> }
            <ol class="faults">{ for items }</ol>
            if !props.inputs.is_empty() {
                <h3>{ t.by_hand }</h3>
                <ul class="faults by-hand">
                    { for props.inputs.iter().enumerate().map(|(index, input)| html! {
                        <li key={index}><b>{ input_text(input, &props.names, t) }</b>{ " " }<small><code>{ clock(input.input.at.us) }{ " s" }</code></small></li>
                    }) }
                </ul>
            }
            if *form == Form::Add {
                <FaultForm fault={None::<Fault>} names={props.names.clone()} done={save} />
            } else {
                <button class="add" onclick={add}>{ "+ " }{ t.add_fault }</button>
            }
        </>
    }
}

fn input_text(done: &Done, names: &[Rc<str>], t: &crate::ui::i18n::Texts) -> String {
    let what = &done.input.what;
    let message = done.message.as_deref();
    message.map_or_else(|| (t.what)(what), |it| (t.what_message)(what, &messages::label_among(it, names, t)))
}
