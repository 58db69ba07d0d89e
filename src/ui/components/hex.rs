//! A batch, byte by byte: the bytes with their fields told apart, and each field with its name and value.

use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::lab::session::BatchView;
use crate::ui::state::{Action, Selection};
use std::fmt::Write;
use std::rc::Rc;
use yew::prelude::*;

/// More bytes than this are not listed.
const MOST: usize = 4_096;

#[derive(Properties, PartialEq)]
pub struct HexProps {
    pub broker: u16,
    pub partition: Rc<str>,
    pub batch: Option<Rc<BatchView>>,
    pub base_offset: i64,
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3);
    for (at, byte) in bytes.iter().enumerate() {
        let _ = write!(out, "{}{byte:02x}", if at == 0 { "" } else { " " });
    }
    out
}

#[component]
pub fn Hex(props: &HexProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let hot = use_state_eq(|| None::<usize>);
    let Some(batch) = &props.batch else { return html! { <p class="soft pad">{ t.hex_none }</p> } };
    let over = |index: usize| {
        let hot = hot.clone();
        Callback::from(move |_: PointerEvent| hot.set(Some(index)))
    };
    let select = {
        let (lab, broker, partition) = (lab, props.broker, props.partition.clone());
        move |offset: i64| lab.tell(Action::Select(Selection::Batch(broker, partition.clone(), offset)))
    };
    let step = |to: Option<i64>, sign: &'static str, label: &'static str| {
        let select = select.clone();
        let onclick = Callback::from(move |_: MouseEvent| to.into_iter().for_each(&select));
        html! { <button {onclick} disabled={to.is_none()} aria-label={label} title={label}>{ sign }</button> }
    };
    let typed = {
        let select = select.clone();
        Callback::from(move |event: Event| {
            dom::value_of(event.target()).trim().parse().into_iter().for_each(&select);
        })
    };
    let slice = |from: u32, to: u32| {
        batch.bytes.get(from as usize..(to as usize).min(MOST).max(from as usize)).unwrap_or_default()
    };
    let class = |index: usize| {
        classes!(if index.is_multiple_of(2) { "even" } else { "odd" }, (*hot == Some(index)).then_some("hot"))
    };
    let dump = batch.fields.iter().enumerate().map(|(index, (from, to, name, value))| html! {
        <span key={index} class={class(index)} title={format!("{name} = {value}")} onpointerenter={over(index)}>{ hex(slice(*from, *to)) }{ " " }</span>
    });
    let rows = batch.fields.iter().enumerate().map(|(index, (from, to, name, value))| html! {
        <tr key={index} class={class(index)} onpointerenter={over(index)}>
            <td class="soft">{ if to - 1 > *from { format!("{from}–{}", to - 1) } else { from.to_string() } }</td>
            <th scope="row">{ &**name }</th>
            <td>{ &**value }</td>
            <td class="bytes">{ hex(slice(*from, (*to).min(from + 16))) }{ if to - from > 16 { " …" } else { "" } }</td>
        </tr>
    });
    html! {
        <section class="hex">
            <h3>{ (t.hex_of)(batch.base_offset) }<small>{ format!(" {} B", batch.bytes.len()) }</small></h3>
            <p class="walk">
                { step(batch.previous, "‹", t.previous_batch) }
                <label>{ t.batch_with_offset }{ " " }<input type="number" min="0" value={batch.base_offset.to_string()} onchange={typed} /></label>
                { step(batch.next, "›", t.next_batch) }
            </p>
            <div class="dump" tabindex="0" role="region" aria-label={(t.hex_of)(batch.base_offset)} data-scroll="dump">{ for dump }</div>
            <div class="scroll" tabindex="0" role="region" aria-label={t.inspector} data-scroll="fields"><table class="plain"><tbody>{ for rows }</tbody></table></div>
        </section>
    }
}
