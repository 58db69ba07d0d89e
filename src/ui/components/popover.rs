//! What can be done to a message, a node or a link: the popover of the stage.

use super::messages;
use crate::ui::dom;
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::i18n::Texts;
use crate::ui::same::Same;
use crate::ui::state::{Action, Popover, Selection, Target};
use crate::ui::words::{node_name, span};
use delivery_lab::base::Duration;
use delivery_lab::scenario::format::What;
use delivery_lab::view::{ClusterView, MessageFate, NodeBody, NodeStatus, Trouble};
use std::rc::Rc;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct LayerProps {
    pub popover: Popover,
    pub view: Same<ClusterView>,
}

/// One thing that can be done.
struct Deed {
    name: String,
    help: String,
    what: Option<What>,
    possible: bool,
}

/// For how long, in milliseconds; 0 for good.
const SPANS: [u64; 4] = [1_000, 5_000, 30_000, 0];
/// By how much a message or link is delayed.
const DELAYS_MS: [u64; 3] = [10, 100, 1_000];

#[component]
pub fn PopoverLayer(props: &LayerProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let holder = use_node_ref();
    let for_ms = use_state(|| 5_000u64);
    let opener = use_mut_ref(|| None::<Element>);
    let Popover { target, at } = props.popover;
    {
        let holder = holder.clone();
        use_effect_with(props.popover, move |_| {
            // Who opened it gets the keyboard back.
            let opened_by = dom::document().active_element();
            opener.replace(opened_by.clone());
            if let Some(element) = holder.cast::<HtmlElement>() {
                let (left, top) = fitted(&element, at);
                dom::place(&element, left, top);
                if let Ok(Some(first)) = element.query_selector("button:not(:disabled)") {
                    dom::focus(&first);
                }
            }
            move || {
                if let Some(element) = opened_by {
                    if element.is_connected() { dom::focus(&element) } else { dom::focus_id("stage") }
                }
            }
        });
    }
    let close = {
        let lab = lab.clone();
        Callback::from(move |_: MouseEvent| lab.tell(Action::ClosePopover))
    };
    let onfocusout = {
        let lab = lab.clone();
        Callback::from(move |event: FocusEvent| {
            let to = dom::element(event.related_target());
            if to.is_some_and(|to| to.closest(".popover").ok().flatten().is_none()) {
                lab.tell(Action::ClosePopover);
            }
        })
    };
    // Tab goes round inside.
    let onkeydown = {
        let holder = holder.clone();
        Callback::from(move |event: KeyboardEvent| {
            let Some(element) = holder.cast::<HtmlElement>().filter(|_| event.key() == "Tab") else { return };
            if dom::wrap_tab(&element, event.shift_key()) {
                event.prevent_default();
            }
        })
    };
    let title = title(target, &props.view, t);
    let deeds = deeds(target, &props.view, t, *for_ms);
    let timed = !matches!(target, Target::Message(_));
    let buttons = deeds.into_iter().enumerate().map(|(index, deed)| {
        let onclick = {
            let (lab, what) = (lab.clone(), deed.what.clone());
            Callback::from(move |_| {
                lab.tell(Action::ClosePopover);
                let message = if let Target::Message(id) = target { Some(id) } else { None };
                match &what {
                    Some(what) => lab.fault(what.clone(), message),
                    None => lab.tell(Action::Select(selection(target))),
                }
            })
        };
        let verb = deed.what.as_ref().map_or("inspect", verb);
        html! {
            <li key={index}>
                <button {onclick} disabled={!deed.possible} data-verb={verb}>
                    <b>{ deed.name }</b>
                    if !deed.help.is_empty() { <small>{ deed.help }</small> }
                </button>
            </li>
        }
    });
    let on_span = {
        let for_ms = for_ms.clone();
        Callback::from(move |event: Event| for_ms.set(dom::value_of(event.target()).parse().unwrap_or(0)))
    };
    let label = (t.actions_on)(&title);
    html! {
        <>
            <div class="veil" onclick={close.clone()}></div>
            <div class="popover" role="dialog" aria-label={label} ref={holder} {onfocusout} {onkeydown}>
                <div class="popover-head"><b>{ &title }</b>
                    <button class="icon small" onclick={close} aria-label={t.close} title={t.close}>{ "✕" }</button></div>
                <ul>{ for buttons }</ul>
                if timed {
                    <label class="for">{ t.fault_for_ms }
                        <select onchange={on_span}>
                            { for SPANS.map(|ms| html! {
                                <option key={ms} value={ms.to_string()} selected={ms == *for_ms}>{ if ms == 0 { t.for_good.to_owned() } else { span(ms * 1_000) } }</option>
                            }) }
                        </select>
                    </label>
                }
            </div>
        </>
    }
}

/// Beside the point, and inside the window.
fn fitted(element: &HtmlElement, at: (f64, f64)) -> (f64, f64) {
    let size = |value: Result<wasm_bindgen::JsValue, wasm_bindgen::JsValue>| {
        value.ok().and_then(|it| it.as_f64()).unwrap_or(800.0)
    };
    let (width, height) = (size(dom::window().inner_width()), size(dom::window().inner_height()));
    let (own_width, own_height) = (f64::from(element.offset_width()), f64::from(element.offset_height()));
    let left = (at.0 - own_width / 2.0).min(width - own_width - 8.0).max(8.0);
    let top = at.1.min(height - own_height - 8.0).max(8.0);
    (left, top)
}

fn selection(target: Target) -> Selection {
    match target {
        Target::Node(id) | Target::Link(id, _) => Selection::Node(id),
        Target::Message(id) => Selection::Message(id),
    }
}

/// The verb of a fault, for tests and styles.
fn verb(what: &What) -> &'static str {
    match what {
        What::Crash { .. } => "crash",
        What::PowerLoss { .. } => "power_loss",
        What::Shutdown { .. } => "shutdown",
        What::Admin(task) => task.verb(),
        What::Restart { .. } => "restart",
        What::Pause { .. } => "pause",
        What::Resume { .. } => "resume",
        What::Partition { .. } => "partition",
        What::Heal { .. } => "heal",
        What::Reset => "reset",
        What::Stall => "stall",
        What::Delay { .. } => "delay",
        What::Slow { .. } => "slow",
        What::SkewClock { .. } => "skew_clock",
        What::Corrupt { .. } => "corrupt",
        What::SlowDisk { .. } => "slow_disk",
        What::FullDisk { .. } => "full_disk",
    }
}

fn name(view: &ClusterView, id: u16) -> Rc<str> {
    view.nodes.get(usize::from(id)).map_or_else(|| Rc::from(""), |node| node.name.clone())
}

fn title(target: Target, view: &ClusterView, t: &Texts) -> String {
    match target {
        Target::Node(id) => node_name(&name(view, id)),
        Target::Link(a, b) => (t.link_label)(&node_name(&name(view, a)), &node_name(&name(view, b))),
        Target::Message(id) => match view.messages.iter().find(|it| it.id == id) {
            Some(message) => messages::label(message, view, t),
            None => t.message_gone.to_owned(),
        },
    }
}

fn deeds(target: Target, view: &ClusterView, t: &Texts, for_ms: u64) -> Vec<Deed> {
    let deed = |name: &str, help: &str, what: What, possible: bool| Deed {
        name: name.to_owned(),
        help: help.to_owned(),
        what: Some(what),
        possible,
    };
    let duration = (for_ms > 0).then(|| Duration::from_millis(for_ms));
    let mut list = match target {
        Target::Message(id) => {
            let message = view.messages.iter().find(|it| it.id == id);
            let flying = message.is_some_and(|it| it.fate == MessageFate::Flying);
            let alive = message.is_some_and(|it| it.fate != MessageFate::Lost);
            let mut list =
                vec![deed(t.reset, t.reset_help, What::Reset, alive), deed(t.stall, t.stall_help, What::Stall, flying)];
            for ms in DELAYS_MS {
                let by = Duration::from_millis(ms);
                list.push(Deed {
                    name: (t.delay_help)(&span(by.0)),
                    help: String::new(),
                    what: Some(What::Delay { by }),
                    possible: flying,
                });
            }
            list
        }
        Target::Node(id) => {
            let node = name(view, id);
            let status = view.nodes.get(usize::from(id)).map_or(NodeStatus::Up, |node| node.status);
            let runs = matches!(status, NodeStatus::Up | NodeStatus::Fenced);
            let dead = matches!(status, NodeStatus::Crashed | NodeStatus::Stopped | NodeStatus::PoweredOff);
            let cut = view.links.iter().any(|link| link.cut && (link.a == id || link.b == id));
            let (of, back) = (|| node.clone(), duration);
            let trouble = view.nodes.get(usize::from(id)).and_then(|it| it.trouble);
            let trouble = matches!(trouble, Some(Trouble::DiskFull | Trouble::DiskSlow));
            let has_disk = view.nodes.get(usize::from(id)).is_some_and(|it| matches!(it.body, NodeBody::Broker(_)));
            let mut list = vec![
                deed(t.crash, t.crash_help, What::Crash { node: of(), back_after: back }, !dead),
                deed(
                    t.power_loss,
                    t.power_loss_help,
                    What::PowerLoss { node: of(), back_after: back },
                    status != NodeStatus::PoweredOff,
                ),
                deed(t.restart, "", What::Restart { node: of() }, dead),
                deed(t.pause_node, t.pause_help, What::Pause { node: of(), duration }, runs),
                deed(t.resume, "", What::Resume { node: of() }, status == NodeStatus::Paused),
                deed(t.cut_off, t.cut_off_help, What::Partition { a: of(), b: None, one_way: false, duration }, !dead),
                deed(t.heal, "", What::Heal { a: of(), b: None }, cut || trouble),
            ];
            if has_disk {
                let shutdown = What::Shutdown { node: of(), back_after: back };
                list.insert(1, deed(t.shutdown, t.shutdown_help, shutdown, runs));
                let (by, offset) = (Duration::from_millis(1_000), None);
                list.push(deed(t.slow_disk, t.slow_disk_help, What::SlowDisk { node: of(), by, duration }, !dead));
                list.push(deed(t.full_disk, t.full_disk_help, What::FullDisk { node: of(), duration }, !dead));
                let corrupt = What::Corrupt { node: of(), partition: None, offset };
                list.push(deed(t.corrupt, t.corrupt_help, corrupt, true));
            }
            list
        }
        Target::Link(a, b) => {
            let link = view.links.iter().find(|link| (link.a, link.b) == (a, b) || (link.b, link.a) == (a, b));
            let (cut, slow) = (link.is_some_and(|it| it.cut), link.is_some_and(|it| it.slower_us > 0));
            let (one, other) = (name(view, a), name(view, b));
            let by = Duration::from_millis(100);
            let cut_deed = |title: &str, help: &str, (a, b): (&Rc<str>, &Rc<str>), one_way| {
                let what = What::Partition { a: a.clone(), b: Some(b.clone()), one_way, duration };
                deed(title, help, what, !cut)
            };
            vec![
                cut_deed(t.cut, t.cut_off_help, (&one, &other), false),
                cut_deed(&(t.cut_one_way)(&node_name(&one), &node_name(&other)), "", (&one, &other), true),
                cut_deed(&(t.cut_one_way)(&node_name(&other), &node_name(&one)), "", (&other, &one), true),
                deed(
                    t.slow,
                    t.slow_help,
                    What::Slow { a: Some(one.clone()), b: Some(other.clone()), by, duration },
                    !slow,
                ),
                deed(t.heal, "", What::Heal { a: one, b: Some(other) }, cut || slow),
            ]
        }
    };
    if !matches!(target, Target::Link(..)) {
        list.push(Deed { name: t.inspect.to_owned(), help: String::new(), what: None, possible: true });
    }
    list
}
