//! The swim lanes of transactional ids below the nodes' lanes: a band for each state, a diamond for each marker, a mark where
//! a producer met the fence.

use super::lanes::Scale;
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::state::{Action, Selection};
use crate::ui::words::{node_name, shorten, text_width};
use delivery_lab::view::{BandView, TransactionLane, TransactionMark, TransactionMarkKind};
use std::rc::Rc;
use yew::prelude::*;

/// A band's height.
const BAND: f64 = 17.0;

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
