//! The stage: nodes, wires and messages at one moment.

use super::broker_card::NodeCard;
use super::messages::Messages;
use super::strip::has_transactions;
use crate::ui::dom;
use crate::ui::geometry::{Stage, Wire, lay_out, shown};
use crate::ui::hooks::{use_lab, use_texts, use_width};
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::same::Same;
use crate::ui::state::{Action, Popover, Selection, Target};
use crate::ui::words::node_name;
use delivery_lab::view::{Activity, ClusterView, LinkView, NodeBody};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct StageProps {
    pub view: Same<ClusterView>,
    pub clock_us: u64,
    pub traffic: bool,
    pub selection: Selection,
    /// In another page.
    #[prop_or_default]
    pub figure: bool,
}

/// Opens the popover of a target beside the element that was used.
pub fn open_popover(lab: &Lab, target: Target, event: &web_sys::Event) {
    let mut at = (40.0, 120.0);
    // Events are delegated: their current target is the page's root.
    let used = dom::element(event.target()).and_then(|it| it.closest("[role=button], button").ok().flatten());
    if let Some(element) = used {
        let rect = element.get_bounding_client_rect();
        at = (rect.left() + rect.width().min(160.0) * 0.5, rect.bottom() + 6.0);
    }
    lab.play_stops();
    lab.tell(Action::Open(Popover { target, at }));
}

/// Whether a key presses a button.
pub fn presses(event: &KeyboardEvent) -> bool {
    matches!(&*event.key(), "Enter" | " ")
}

/// Callbacks for an SVG element that opens a popover, by pointer and by key.
pub fn opener(lab: &Lab, target: Target) -> (Callback<MouseEvent>, Callback<KeyboardEvent>) {
    let (pointer, keys) = (lab.clone(), lab.clone());
    let onclick = Callback::from(move |event: MouseEvent| {
        event.stop_propagation();
        open_popover(&pointer, target, &event);
    });
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        if presses(&event) {
            event.prevent_default();
            open_popover(&keys, target, &event);
        }
    });
    (onclick, onkeydown)
}

#[component]
pub fn StageBox(props: &StageProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let holder = use_node_ref();
    let width = use_width(&holder, 880.0);
    let last = use_mut_ref(|| None::<Rc<Stage>>);
    let view = &props.view;
    let stage = {
        let largest = view.ledger.rows.len() as u32;
        let new = lay_out(&view.nodes, largest, width, props.figure);
        let mut last = last.borrow_mut();
        match &*last {
            Some(old) if **old == new => old.clone(),
            _ => last.insert(Rc::new(new)).clone(),
        }
    };
    let cards = view.nodes.iter().zip(&stage.cards).map(|(node, shape)| {
        let until = match node.doing {
            Activity::Processing { until_us, .. } | Activity::BackingOff { until_us, .. } => until_us,
            _ => 0,
        };
        // Only those who count down need to know the time.
        let left_us = until.saturating_sub(props.clock_us) / 1_000 * 1_000;
        let (key, shape) = (node.id, *shape);
        let selected = props.selection == Selection::Node(node.id);
        let node: Same<_> = node.into();
        let partition = match &props.selection {
            Selection::Partition(at, name) | Selection::Batch(at, name, _) if *at == node.id => Some(name.clone()),
            _ => None,
        };
        html! { <NodeCard {key} {node} {shape} {left_us} {selected} {partition} /> }
    });
    let names: Vec<Rc<str>> = view.nodes.iter().map(|node| node.name.clone()).collect();
    let count = |wanted: fn(&NodeBody) -> bool| view.nodes.iter().filter(|node| wanted(&node.body)).count();
    let label = (t.stage_of)(
        count(|body| matches!(body, NodeBody::Producer(_))),
        count(|body| matches!(body, NodeBody::Broker(_))),
        count(|body| matches!(body, NodeBody::Processor(_))),
        count(|body| matches!(body, NodeBody::Consumer(_))),
    );
    let on_traffic = {
        let lab = lab.clone();
        Callback::from(move |event: Event| lab.show_traffic(dom::checked(event.target())))
    };
    let (w, h) = (stage.width, stage.height);
    html! {
        <section id="stage" class="stagebox" tabindex="-1" aria-label={t.stage}>
            <div class="measure" ref={holder}>
                <div class="canvas" style={format!("width:{w}px;height:{h}px")}>
                <svg class="stage" width={w.to_string()} height={h.to_string()} viewBox={format!("0 0 {w} {h}")} role="group" aria-label={label}>
                    <defs>
                        <pattern id="hatch" width="6" height="6" patternTransform="rotate(45)" patternUnits="userSpaceOnUse">
                            <rect width="6" height="6" class="hatchbg" /><rect width="2.4" height="6" class="hatchfg" />
                        </pattern>
                        <pattern id="hatch-dup" width="6" height="6" patternTransform="rotate(45)" patternUnits="userSpaceOnUse">
                            <rect width="6" height="6" class="hatchbg" /><rect width="2.4" height="6" class="hatchdup" />
                        </pattern>
                        <pattern id="hatch-abort" width="6" height="6" patternTransform="rotate(45)" patternUnits="userSpaceOnUse">
                            <rect width="6" height="6" class="hatchbg" /><path class="hatchabort" d="M0 3 H6 M3 0 V6" />
                        </pattern>
                        <pattern id="hatch-nobody" width="6" height="6" patternTransform="rotate(45)" patternUnits="userSpaceOnUse"><path class="hatchnobody" d="M0 0 V6" /></pattern>
                    </defs>
                    <Wires stage={Same(stage.clone())} links={Same(view.links.clone())} {names} traffic={props.traffic} />
                    { for cards }
                </svg>
                <Messages {stage} view={view.clone()} clock_us={props.clock_us} traffic={props.traffic} />
                </div>
            </div>
            <div class="legend">
                { legend(t, transactional(view)) }
                <label class="check"><input type="checkbox" checked={props.traffic} onchange={on_traffic} />{ t.show_traffic }</label>
            </div>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct WiresProps {
    stage: Same<Stage>,
    links: Same<Vec<LinkView>>,
    names: Vec<Rc<str>>,
    traffic: bool,
}

#[component]
fn Wires(props: &WiresProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    let state = |wire: &Wire| {
        props.links.iter().find(|link| (link.a, link.b) == (wire.a, wire.b) || (link.b, link.a) == (wire.a, wire.b))
    };
    let name = |id: u16| props.names.get(usize::from(id)).map_or_else(String::new, |name| node_name(name));
    let wires = props.stage.wires.iter().map(|wire| {
        let broken = state(wire);
        let (onclick, onkeydown) = opener(&lab, Target::Link(wire.a, wire.b));
        let mut label = (t.link_label)(&name(wire.a), &name(wire.b));
        if let Some(link) = broken {
            label = format!("{label}: {}", (t.link_state)(link));
        }
        let class = classes!(
            "link",
            wire.inner.then_some("inner"),
            broken.map(|link| if link.cut { "cut" } else { "slowed" }),
            (wire.inner && !props.traffic).then_some("faint"),
        );
        let (x, y) = wire.at(0.5);
        let d = wire.path();
        let data = format!("{}-{}", wire.a, wire.b);
        html! {
            <g key={data.clone()} {class} role="button" tabindex="0" aria-label={label} {onclick} {onkeydown} data-link={data}>
                <path class="hit" d={d.clone()} />
                <path class="wire" {d} />
                if let Some(link) = broken {
                    <g class="badge" transform={format!("translate({x:.1},{y:.1})")}>
                        if link.cut { <path d="M-7 -7 L7 7 M7 -7 L-7 7" /> } else { <circle r="8" /><path class="hands" d="M0 -4.5 V0 L3.5 2" /> }
                    </g>
                }
            </g>
        }
    });
    html! { <g class="links">{ for wires }</g> }
}

/// Whether there is a transaction to be seen.
pub fn transactional(view: &ClusterView) -> bool {
    view.nodes.iter().any(|node| match &node.body {
        NodeBody::Broker(it) => shown(it).any(|partition| has_transactions(partition)),
        NodeBody::Producer(it) => it.manager.is_some(),
        NodeBody::Processor(it) => it.writer.manager.is_some(),
        _ => false,
    })
}

const SWATCHES: [&str; 12] = [
    "buffered",
    "appended",
    "committed",
    "duplicated",
    "lost",
    "position",
    "stored",
    "open",
    "veiled",
    "aborted",
    "commits",
    "aborts",
];

fn legend(t: &Texts, transactional: bool) -> Html {
    let items = SWATCHES.into_iter().zip(t.legend_items).enumerate();
    let items = items.filter(|(at, _)| *at < 7 || transactional);
    html! {
        <ul class="swatches" aria-label={t.legend}>
            { for items.map(|(_, (class, text))| html! { <li key={class}><i class={class} aria-hidden="true"></i>{ text }</li> }) }
        </ul>
    }
}
