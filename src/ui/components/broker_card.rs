//! A broker on the stage: name, role, its replicas' logs. Dead or not, its log is readable. And the controller's card.

use super::stage::{opener, presses};
use super::strip::{DENSE_X, dense_label, strip};
use super::{client_card, processor_card};
use crate::ui::geometry::{CardShape, HEAD, STRIP, STRIP_DENSE, shown};
use crate::ui::hooks::{use_lab, use_texts};
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::same::Same;
use crate::ui::state::{Action, Selection, Target};
use crate::ui::words::{ids, mono_width, node_name, text_width};
use delivery_lab::view::{
    Activity, BrokerView, ControllerView, NodeBody, NodeStatus, NodeView, PartitionView, ReadFlag, ReplicaRole,
};
use std::rc::Rc;
use yew::prelude::*;

#[derive(Properties, PartialEq)]
pub struct CardProps {
    pub node: Same<NodeView>,
    pub shape: CardShape,
    pub left_us: u64,
    pub selected: bool,
    /// The replica that is selected.
    #[prop_or_default]
    pub partition: Option<Rc<str>>,
}

/// The classes of a node's group.
pub fn node_classes(node: &NodeView, kind: &'static str, selected: bool) -> Classes {
    let status = match node.status {
        NodeStatus::Up if matches!(node.doing, Activity::ProducerFenced | Activity::Failed { .. }) => "failed",
        NodeStatus::Up => "up",
        NodeStatus::Fenced => "fenced",
        NodeStatus::Paused => "paused",
        NodeStatus::Crashed | NodeStatus::Stopped => "crashed",
        NodeStatus::PoweredOff => "crashed powerless",
    };
    classes!("node", kind, status, selected.then_some("selected"))
}

/// The cross over a dead node's card.
pub fn crossed(node: &NodeView, w: f64, h: f64) -> Html {
    let dead = matches!(node.status, NodeStatus::Crashed | NodeStatus::Stopped | NodeStatus::PoweredOff);
    html! { if dead { <path class="crossed" d={format!("M4 4 L{:.1} {:.1} M{:.1} 4 L4 {:.1}", w - 4.0, h - 4.0, w - 4.0, h - 4.0)} /> } }
}

/// The state of a node that is not simply up, as a badge text.
pub fn state_words(node: &NodeView, t: &Texts) -> Option<&'static str> {
    match node.status {
        NodeStatus::Up => node.trouble.map(t.trouble),
        status => Some((t.status)(status)),
    }
}

/// A node on the stage. One component for all kinds: it is drawn again only when its node, place or selection changes.
#[component]
pub fn NodeCard(props: &CardProps) -> Html {
    let (lab, t) = (use_lab(), use_texts());
    match &props.node.body {
        NodeBody::Broker(it) => broker(props, it, &lab, t),
        NodeBody::Controller(it) => controller(props, it, &lab, t),
        NodeBody::Producer(it) => client_card::producer(props, it, &lab, t),
        NodeBody::Consumer(it) => client_card::consumer(props, it, &lab, t),
        NodeBody::Processor(it) => processor_card::processor(props, it, &lab, t),
        NodeBody::Sink(it) => client_card::sink_node(props, it, &lab, t),
    }
}

fn broker(props: &CardProps, broker: &BrokerView, lab: &Lab, t: &Texts) -> Html {
    let node = &*props.node;
    let (area, shape) = (props.shape.area, props.shape);
    let (onclick, onkeydown) = opener(lab, Target::Node(node.id));
    let name = node_name(&node.name);
    let role = role_words(broker, node, t);
    let doing = (t.activity)(&node.doing, props.left_us);
    let height = if shape.dense { STRIP_DENSE } else { STRIP };
    let strips = shown(broker).enumerate().map(|(at, it)| {
        let selected = props.partition.as_ref() == Some(&it.name);
        replica(it, (node.id, &name), HEAD + at as f64 * height, &shape, selected, lab, t)
    });
    // What else there is, as far as there is room beside its role.
    let hidden = broker.partitions.len() - shown(broker).count();
    let used = text_width(&name, 15.0) + text_width(&role, 12.0) + 56.0;
    let mut more = match (broker.transactions.is_empty(), hidden) {
        (false, _) => vec!["◆ txn coordinator".to_owned(), "◆ txn".to_owned()],
        (true, 0) => Vec::new(),
        (true, hidden) => vec![(t.internal_hidden)(hidden), format!("+{hidden}")],
    };
    let coordinated = broker.transactions.iter().map(|it| &*it.transactional_id).collect::<Vec<_>>().join(", ");
    more.retain(|text| used + text_width(text, 11.0) < area.w);
    let beside = state_words(node, t).map(str::to_owned).or_else(|| more.first().cloned()).unwrap_or_default();
    // Its name begins with what can be read on it: people say what they see.
    let label = (t.node_label)(&name, [&*role, &*beside].join(" ").trim(), &doing);
    let class = if state_words(node, t).is_some() { "say end" } else { "dim end" };
    html! {
        <g class={node_classes(node, "broker", props.selected)} transform={format!("translate({:.1},{:.1})", area.x, area.y)} data-node={node.name.clone()}>
            <rect class="card" width={area.w.to_string()} height={area.h.to_string()} rx="10" />
            { crossed(node, area.w, area.h) }
            <g class="head" role="button" tabindex="0" aria-label={label} {onclick} {onkeydown}>
                <rect class="hit" x="3" y="3" width={(area.w - 6.0).to_string()} height="26" rx="8" />
                if !coordinated.is_empty() { <title>{ coordinated }</title> }
                <text class="title" x="16" y="22">{ &name }<tspan class="sub" dx="4">{ " " }{ role }</tspan></text>
                if !beside.is_empty() { <text {class} x={(area.w - 16.0).to_string()} y="22">{ " " }{ beside }</text> }
            </g>
            { for strips }
        </g>
    }
}

/// A replica: a click anywhere selects it, and its label is the button for keys and readers.
fn replica(
    partition: &Rc<PartitionView>,
    (broker, name): (u16, &str),
    y: f64,
    shape: &CardShape,
    selected: bool,
    lab: &Lab,
    t: &Texts,
) -> Html {
    let (w, height) = (shape.area.w, if shape.dense { STRIP_DENSE } else { STRIP });
    let select = {
        let (lab, name) = (lab.clone(), partition.name.clone());
        Callback::from(move |()| lab.tell(Action::Select(Selection::Partition(broker, name.clone()))))
    };
    let onclick = select.reform(|_: MouseEvent| ());
    let onkeydown = Callback::from(move |event: KeyboardEvent| {
        if presses(&event) {
            event.prevent_default();
            select.emit(());
        }
    });
    let leads = partition.role == ReplicaRole::Leader;
    let (epoch, sync) = ((t.epoch)(partition.leader_epoch), sync_words(partition, broker, t));
    let used = mono_width(&partition.name, 11.5) + text_width(&epoch, 11.0) + text_width(&sync, 11.0) + 58.0;
    let (lags, all_lags) = lags(partition, w - used);
    let seen = if shape.dense {
        format!("{} HW {} LEO {}", partition.name, partition.high_watermark, partition.log_end_offset)
    } else {
        format!("{} {epoch} {lags} {sync}", partition.name)
    };
    let said = (t.partition_label)(name, partition.log_end_offset, partition.high_watermark);
    let unseen = partition.high_watermark - partition.last_stable_offset;
    let hidden = if unseen > 0 { format!(". {}", (t.hidden_records)(unseen)) } else { String::new() };
    let strip = strip(partition, shape, broker, lab);
    html! {
        <g key={&*partition.name} class={classes!("partition", selected.then_some("selected"))} {onclick} transform={format!("translate(0,{y:.1})")}>
            <g class="open" role="button" tabindex="0" aria-label={format!("{seen}: {said}{hidden}")} {onkeydown}>
                <rect class="hit" x="6" y="-6" width={(w - 12.0).to_string()} height={(height - 2.0).to_string()} rx="6" />
                if shape.dense {
                    { dense_label(partition, leads) }
                } else {
                    if !all_lags.is_empty() { <title>{ all_lags }</title> }
                    <text class="tp" x="16" y="9">{ &partition.name }
                        <tspan class="dim" dx="4">{ " " }{ epoch }</tspan>
                        if !lags.is_empty() { <tspan class="dim lags" dx="6">{ " " }{ lags }</tspan> }</text>
                    <text class="dim end" x={(w - 16.0).to_string()} y="9">{ " " }{ sync }</text>
                }
            </g>
            // Cell by cell it would be read as a heap of numbers; the inspector has it in order.
            <g aria-hidden="true" transform={if shape.dense { format!("translate({DENSE_X},2)") } else { "translate(16,29)".to_owned() }}>{ strip }</g>
        </g>
    }
}

/// `★ leader`, `follower`, or how many of each.
fn role_words(broker: &BrokerView, node: &NodeView, t: &Texts) -> String {
    let mut partitions = shown(broker).peekable();
    let first = partitions.next();
    match (first, partitions.peek()) {
        (Some(one), None) => match one.role {
            ReplicaRole::Leader => format!("★ {}", t.leader),
            ReplicaRole::Follower => t.follower.to_owned(),
            ReplicaRole::Offline => t.offline.to_owned(),
        },
        _ => (t.activity)(&node.doing, 0),
    }
}

/// How far each group has committed and what is still before it: in as many words as fit, and in full.
fn lags(partition: &PartitionView, room: f64) -> (String, String) {
    let stored: Vec<&ReadFlag> = partition.readers.iter().filter(|it| it.node.is_none()).collect();
    let lag = |it: &ReadFlag| (partition.high_watermark - it.offset).max(0);
    let all = |before: &str, between: &str, each: &dyn Fn(&ReadFlag) -> String| {
        format!("{before}{}", stored.iter().map(|it| each(it)).collect::<Vec<_>>().join(between))
    };
    if stored.is_empty() {
        return Default::default();
    }
    let full = all("", ", ", &|it| format!("{} ✓{} lag {}", it.who, it.offset, lag(it)));
    let texts = [
        full.clone(),
        all("", ", ", &|it| format!("{} lag {}", it.who, lag(it))),
        all("lag ", " · ", &|it| lag(it).to_string()),
    ];
    (texts.into_iter().find(|text| text_width(text, 11.0) <= room).unwrap_or_default(), full)
}

/// The ISR, as the leader has it; whether it is in sync, at a follower.
fn sync_words(partition: &PartitionView, broker: u16, t: &Texts) -> String {
    match partition.role {
        ReplicaRole::Leader => match &partition.pending_isr {
            Some(pending) => format!("ISR {} → {}", ids(&partition.isr), ids(pending)),
            None => format!("ISR {}", ids(&partition.isr)),
        },
        ReplicaRole::Follower if partition.isr.contains(&i32::from(broker)) => t.in_sync.to_owned(),
        ReplicaRole::Follower => t.not_in_sync.to_owned(),
        ReplicaRole::Offline => String::new(),
    }
}

/// A controller's card is at least so wide if it is the only one.
const ALONE: f64 = 260.0;

fn controller(props: &CardProps, it: &ControllerView, lab: &Lab, t: &Texts) -> Html {
    let node = &*props.node;
    let area = props.shape.area;
    let (onclick, onkeydown) = opener(lab, Target::Node(node.id));
    let name = node_name(&node.name);
    let doing = (t.activity)(&node.doing, props.left_us);
    let star = if it.quorum.active { "★ " } else { "" };
    let small = area.w < ALONE && area.h > 40.0;
    let place = format!("{star}{} · {}", it.quorum.role.unwrap_or("–"), it.quorum.epoch);
    let place = state_words(node, t).map(str::to_owned).or(small.then_some(place));
    let label = (t.node_label)(&name, place.as_deref().unwrap_or_default(), &doing);
    html! {
        <g class={node_classes(node, "controller", props.selected)} transform={format!("translate({:.1},{:.1})", area.x, area.y)} data-node={node.name.clone()}>
            <rect class="card" width={area.w.to_string()} height={area.h.to_string()} rx="10" />
            { crossed(node, area.w, area.h) }
            <g class="head" role="button" tabindex="0" aria-label={label} {onclick} {onkeydown}>
                <rect class="hit" x="3" y="3" width={(area.w - 6.0).to_string()} height={(area.h - 6.0).to_string()} rx="8" />
                if small {
                    // One of a quorum: side by side, and small.
                    <text class="small" x="6" y="20">{ &name }</text>
                    <text class="dim" x="6" y="37">{ " " }{ place }</text>
                } else {
                    <text class="title" x="16" y="22">{ &name }<tspan class="sub" dx="4">{ " " }{ place.unwrap_or(doing) }</tspan></text>
                }
            </g>
        </g>
    }
}
