//! The swim lanes of transactional ids below the nodes' lanes: a band for each state, a diamond for each marker, a mark where
//! a producer met the fence.

use super::inspector_group::own_class;
use super::lanes::{LEFT, Scale};
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::state::{Action, Selection};
use crate::ui::words::{node_name, shorten, span, text_width};
use delivery_lab::view::{
    BandView, GroupLane, GroupMarkKind, OwnerBand, TransactionLane, TransactionMark, TransactionMarkKind,
};
use std::rc::Rc;
use yew::prelude::*;

/// A band's height.
const BAND: f64 = 17.0;

/// What stands above a group's partitions.
pub const GROUP_HEAD: f64 = 17.0;

/// The height of a partition among so many.
pub fn row_height(rows: usize) -> f64 {
    (130.0 / rows.max(1) as f64).clamp(3.0, 15.0)
}

/// How a state looks.
fn class(state: &str) -> &'static str {
    match state {
        "Ongoing" => "ongoing",
        "PrepareCommit" => "prepare",
        "PrepareAbort" | "PrepareEpochFence" => "prepare undo",
        "CompleteCommit" => "kept",
        "CompleteAbort" => "undone",
        _ => "idle",
    }
}

/// All lanes; the first one lies at `top`.
pub fn lanes(list: &[TransactionLane], scale: &Scale, names: &[Rc<str>], t: &Texts, lab: &Lab) -> Html {
    let lane = |(at, lane): (usize, &TransactionLane)| {
        let y = scale.swim(at);
        let select = {
            let (lab, id) = (lab.clone(), lane.transactional_id.clone());
            Callback::from(move |event: MouseEvent| {
                event.stop_propagation();
                lab.tell(Action::Select(Selection::Transaction(id.clone())));
            })
        };
        html! {
            <g key={&*lane.transactional_id} class="txn" data-txn={lane.transactional_id.clone()} transform={format!("translate(0,{y:.1})")}>
                { for lane.bands.iter().enumerate().map(|(at, it)| band(at, it, scale, &select, t)) }
                { for lane.marks.iter().enumerate().map(|(at, it)| {
                    // One node is named once, if it meets the fence again at once.
                    let told = at.checked_sub(1).and_then(|at| lane.marks.get(at));
                    let told = told.is_some_and(|old| (old.kind, old.node) == (it.kind, it.node) && scale.x(it.at_us) - scale.x(old.at_us) < 90.0);
                    mark(at, it, !told, scale, names, t)
                }) }
            </g>
        }
    };
    html! { <g class="swim" clip-path="url(#in-lanes)">{ for list.iter().enumerate().map(lane) }</g> }
}

fn band(at: usize, it: &BandView, scale: &Scale, select: &Callback<MouseEvent>, t: &Texts) -> Html {
    let (from, to) = (scale.x(it.from_us.max(scale.from)), scale.x(it.to_us.min(scale.to)));
    let epoch = it.epoch.map_or_else(String::new, |epoch| format!(" · {}", (t.epoch)(epoch.into())));
    let partitions = it.partitions.join(", ");
    let full = format!("{}{epoch}{}{partitions}", it.state, if partitions.is_empty() { "" } else { " · " });
    let width = (to - from).max(1.5);
    // As much as fits, or nothing.
    let texts = [full.as_str(), it.state];
    let fits = |text: &&&str| text_width(text, 10.5) + 10.0 <= width;
    let text = texts.iter().find(fits).map_or_else(
        || if width > 60.0 { shorten(it.state, 10.5, width - 10.0) } else { String::new() },
        |text| (*text).to_owned(),
    );
    html! {
        <g key={format!("b{at}")} class={classes!("band", class(it.state))} data-state={it.state} onclick={select.clone()}>
            <title>{ full }</title>
            <rect x={format!("{from:.1}")} y={(-BAND / 2.0).to_string()} width={format!("{width:.1}")} height={BAND.to_string()} rx="3" />
            if !text.is_empty() { <text x={format!("{:.1}", from + 5.0)} y="3.8">{ text }</text> }
        </g>
    }
}

fn mark(at: usize, it: &TransactionMark, named: bool, scale: &Scale, names: &[Rc<str>], t: &Texts) -> Html {
    let node = names.get(usize::from(it.node)).map_or_else(String::new, |name| node_name(name));
    let title = (t.transaction_mark)(it.kind, &it.about, &node);
    let (class, shape) = match it.kind {
        TransactionMarkKind::Commit => ("commits", html! { <path class="tip" d="M0 -5.5 L5.5 0 L0 5.5 L-5.5 0 z" /> }),
        TransactionMarkKind::Abort => ("aborts", html! { <path class="tip" d="M0 -5.5 L5.5 0 L0 5.5 L-5.5 0 z" /> }),
        TransactionMarkKind::Initialized => ("init", html! { <path d="M0 -11 V11 M0 -11 L6 -8 L0 -5" /> }),
        TransactionMarkKind::Fenced => (
            "fence",
            html! { <><path d="M0 -12 V12" />if named { <text x="4" y="-3">{ format!("✕ {node}") }</text> }</> },
        ),
    };
    // Diamonds hang on the band, so that its words can be read.
    let y = if matches!(it.kind, TransactionMarkKind::Commit | TransactionMarkKind::Abort) { BAND / 2.0 } else { 0.0 };
    html! {
        <g key={format!("m{at}")} class={classes!("smark", class)} transform={format!("translate({:.1},{y})", scale.x(it.at_us))}>
            <title>{ title }</title>{ shape }
        </g>
    }
}

/// The lanes of groups.
pub fn groups(list: &[GroupLane], scale: &Scale, names: &[Rc<str>], t: &Texts, lab: &Lab) -> Html {
    let name = |node: u16| names.get(usize::from(node)).map_or_else(String::new, |name| node_name(name));
    let lane = |(at, lane): (usize, &GroupLane)| {
        let height = row_height(lane.rows.len());
        let (lab, to) = (lab.clone(), Selection::Group(lane.group.clone()));
        let onclick = Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            lab.tell(Action::Select(to.clone()));
        });
        let below = height * lane.rows.len() as f64;
        let mut told = (f64::MIN, 0);
        let marks = lane.marks.iter().enumerate().map(|(at, it)| {
            let x = scale.x(it.at_us);
            let text = match it.kind {
                // A generation is named once.
                GroupMarkKind::Joined if told.1 == it.generation || x < told.0 => String::new(),
                GroupMarkKind::Joined => (t.generation)(it.generation),
                GroupMarkKind::Lost | GroupMarkKind::Left => format!("✕ {}", name(it.node)),
            };
            if !text.is_empty() {
                told = (x + text_width(&text, 10.5) + 6.0, it.generation);
            }
            let class = classes!("gmark", (it.kind != GroupMarkKind::Joined).then_some("gone"));
            html! {
                <g key={format!("g{at}")} {class} transform={format!("translate({x:.1},0)")}>
                    <title>{ (t.group_mark)(it.kind, &name(it.node), it.generation) }</title>
                    <path d={format!("M0 4 V{:.1}", GROUP_HEAD + below)} /><text x="3" y="12">{ text }</text>
                </g>
            }
        });
        let marks: Html = marks.collect();
        let rows = lane.rows.iter().enumerate().map(|(at, row)| {
            let y = GROUP_HEAD + at as f64 * height;
            html! {
                <g key={&*row.partition} data-owned={row.partition.clone()} transform={format!("translate(0,{y:.1})")}>
                    if height > 9.0 { <text class="lane" x={(LEFT - 8.0).to_string()} y={(height - 4.0).to_string()}>{ shorten(&row.partition, 10.0, LEFT - 18.0) }</text> }
                    <g clip-path="url(#in-lanes)">{ for row.bands.iter().enumerate().map(|(at, it)| owned(at, it, &row.partition, scale, height, &name, t)) }</g>
                </g>
            }
        });
        html! {
            <g key={&*lane.group} class="groups" data-group={lane.group.clone()} transform={format!("translate(0,{:.1})", scale.group(at))} {onclick}>
                <text class="lane head" x="12" y="12">{ "⬡ " }{ shorten(&lane.group, 10.5, LEFT - 24.0) }</text>
                { for rows }
                <g clip-path="url(#in-lanes)">{ marks }</g>
            </g>
        }
    };
    list.iter().enumerate().map(lane).collect()
}

/// Owners of a partition while they were the same. Two are drawn one above the other.
fn owned(
    at: usize,
    it: &OwnerBand,
    partition: &str,
    scale: &Scale,
    height: f64,
    name: &dyn Fn(u16) -> String,
    t: &Texts,
) -> Html {
    let (from, to) = (scale.x(it.from_us.max(scale.from)), scale.x(it.to_us.min(scale.to)));
    let width = (to - from).max(1.0);
    let who = it.owners.iter().map(|node| name(*node)).collect::<Vec<_>>().join(", ");
    let lasted = span(it.to_us - it.from_us);
    let (class, says) = match it.owners.len() {
        0 => ("nobody", t.nobody_reads.to_owned()),
        1 => ("one", who),
        _ => ("both", (t.two_read)(&who)),
    };
    let each = (height - 2.0) / it.owners.len().max(1) as f64;
    let bars = it.owners.iter().enumerate().map(|(at, node)| {
        html! { <rect class={own_class(Some(*node))} x={format!("{from:.1}")} y={format!("{:.1}", 1.0 + at as f64 * each)} width={format!("{width:.1}")} height={format!("{each:.1}")} rx="2" /> }
    });
    let long = if it.owners.is_empty() { format!("{says} · {lasted}") } else { says.clone() };
    let fits = |text: &&&str| height > 11.0 && text_width(text, 10.0) + 8.0 <= width;
    let text = [long.as_str(), lasted.as_str()];
    let text = text[..if it.owners.is_empty() { 2 } else { 1 }].iter().find(fits);
    html! {
        <g key={format!("o{at}")} class={classes!("hold", class)} data-owners={it.owners.len().to_string()}>
            <title>{ format!("{partition}: {says} · {lasted}") }</title>
            if it.owners.is_empty() { <rect x={format!("{from:.1}")} y="1" width={format!("{width:.1}")} height={format!("{:.1}", height - 2.0)} rx="2" /> } else { { for bars } }
            if let Some(text) = text { <text x={format!("{:.1}", from + 4.0)} y={(height - 4.0).to_string()}>{ *text }</text> }
        </g>
    }
}
