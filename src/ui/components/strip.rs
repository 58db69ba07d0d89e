//! A replica's log as a strip of numbered cells with its flags.
//!
//! A cell says by its shape what it is: hatched = appended, solid = committed, orange border = the record stands here
//! twice, a corner = its transaction is open, crossed hatching = aborted; a full diamond commits, a hollow one aborts. What
//! lies between LSO and HW is pale: it is replicated, but read_committed does not see it. The number in a cell is the record's,
//! the one below it the offset. Tips below the cells are readers' positions, hollow ones what their groups have committed.

use super::inspector_group::own_class;
use crate::ui::geometry::{CELL, CELL_GAP, CardShape, DENSE_LABEL};
use crate::ui::lab::Lab;
use crate::ui::state::{Action, Selection};
use crate::ui::words::mono_width;
use delivery_lab::view::{CellKind, CellView, PartitionView, hidden};
use std::rc::Rc;
use yew::prelude::*;

/// The class of a kind of cell, where it has one.
pub fn kind_class(kind: CellKind) -> Option<&'static str> {
    match kind {
        CellKind::Plain | CellKind::Kept => None,
        CellKind::Open => Some("open"),
        CellKind::Aborted => Some("aborted"),
        CellKind::CommitMarker => Some("control commits"),
        CellKind::AbortMarker => Some("control aborts"),
        CellKind::Control => Some("control"),
    }
}

/// One cell at a place in the strip.
fn cell(view: &CellView, x: f64, width: f64, offset: bool, veiled: bool, onclick: Callback<MouseEvent>) -> Html {
    let class = classes!(
        "cell",
        if view.committed { "committed" } else { "appended" },
        view.duplicate.then_some("dup"),
        kind_class(view.kind),
        veiled.then_some("veiled"),
    );
    let middle = width / 2.0;
    let number = view.record.map(|record| record.to_string());
    let transform = format!("translate({x:.1},0)");
    html! {
        <g key={view.offset.to_string()} {class} {transform} data-r={number.clone()} {onclick}>
            if view.kind.is_control() {
                <path class="tip" d={format!("M{middle} 3 l9 9 l-9 9 l-9 -9 z")} />
            } else {
                <rect width={width.to_string()} height={CELL.to_string()} rx="4" />
                <text class="num" x={middle.to_string()} y="16.5">{ number.unwrap_or_else(|| "·".to_owned()) }</text>
                if view.kind == CellKind::Open { <path class="corner" d={format!("M{:.1} 0 h5 a4 4 0 0 1 4 4 v5 z", width - 9.0)} /> }
            }
            if offset { <text class="off" x={middle.to_string()} y="36">{ view.offset }</text> }
        </g>
    }
}

/// The strip with cells, flags and offsets; its origin is the upper left corner of the cells.
pub fn strip(partition: &Rc<PartitionView>, shape: &CardShape, broker: u16, lab: &Lab) -> Html {
    let (width, pitch) = (shape.cell_width, shape.cell_width + CELL_GAP);
    // Room for the last flag's text, with the card's margin.
    let flag_cells = if shape.dense { 0 } else { (26.0 / pitch).ceil() as usize };
    let count = shape.cells.saturating_sub(flag_cells).max(2);
    // What was cut off a moment ago, where nothing else stands yet.
    let gone: Vec<_> =
        partition.cut.iter().filter(|(offset, _)| *offset >= partition.log_end_offset).take(count / 2).collect();
    let skipped = (partition.cells.len() + gone.len()).saturating_sub(count);
    let shown = &partition.cells[skipped..];
    let first = shown.first().map_or(partition.log_end_offset, |cell| cell.offset);
    let x_of = |offset: i64| (offset.max(first) - first) as f64 * pitch - CELL_GAP / 2.0;
    let (hw, leo, lso) = (partition.high_watermark, partition.log_end_offset, partition.last_stable_offset);
    let cells = shown.iter().enumerate().map(|(at, view)| {
        let (lab, name, base) = (lab.clone(), partition.name.clone(), view.batch);
        let onclick = Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            lab.tell(Action::Select(Selection::Batch(broker, name.clone(), base)));
        });
        cell(view, at as f64 * pitch, width, !shape.dense, hidden(lso, hw, view.offset), onclick)
    });
    let cut = gone.iter().enumerate().map(|(at, (_, record))| {
        let x = (shown.len() + at) as f64 * pitch;
        html! {
            <g key={format!("c{at}")} class="cell cut" data-r={record.to_string()} transform={format!("translate({x:.1},0)")}>
                <rect width={width.to_string()} height={CELL.to_string()} rx="4" />
                <text class="num" x={(width / 2.0).to_string()} y="16.5">{ record }</text>
                <path d={format!("M-1 -1 L{:.1} {:.1}", width + 1.0, CELL + 1.0)} />
            </g>
        }
    });
    let empty = (shown.len() + gone.len()..count).map(|at| {
        let x = at as f64 * pitch;
        html! { <rect key={format!("e{at}")} class="cell empty" x={format!("{x:.1}")} width={width.to_string()} height={CELL.to_string()} rx="4" /> }
    });
    // Where a transaction is or was, the LSO is worth a word also while it is the high watermark.
    let both = lso == hw && has_transactions(partition);
    let mut flags = Vec::with_capacity(3);
    let mut taken = -9.0;
    let mut flag = |class: &'static str, offset: i64, name: &str, before: f64| {
        let x = x_of(offset);
        let behind = if offset < first { "◂" } else { "" };
        let text = format!("{behind}{name} {offset}");
        let width = mono_width(&text, 10.0);
        // Texts make way for each other, from left to right.
        let left = (x - before * width + (1.0 - 2.0 * before) * 2.0).max(taken);
        taken = left + width + 5.0;
        flags.push(html! {
            <g key={class} class={classes!("mark", class)} transform={format!("translate({x:.1},0)")}>
                <path d="M0 -5 v34" /><text x={format!("{:.1}", left - x)} y="-8">{ text }</text>
            </g>
        });
    };
    if !shape.dense {
        if lso != hw {
            flag("lso", lso, "LSO", 1.0);
        }
        flag("hw", hw, if both { "LSO HW" } else { "HW" }, 0.5);
        if leo != hw {
            flag("leo", leo, "LEO", 0.0);
        }
    }
    // Small tips below the cells: where readers are, and what groups have committed.
    let seen = || partition.readers.iter().filter(|it| it.offset >= first);
    let readers = seen().enumerate().map(|(at, it)| {
        // Of several groups at one place each can be seen.
        let before = seen().take(at).filter(|other| other.offset == it.offset && other.node.is_some() == it.node.is_some());
        let x = x_of(it.offset) + 4.0 * before.count().min(3) as f64;
        let class = it.node.map_or_else(|| "reader stored".to_owned(), |node| format!("reader {}", own_class(Some(node))));
        let what = if it.node.is_some() { "position" } else { "committed" };
        html! {
            <path {class} d={format!("M{x:.1} 24.5 l3.6 5.6 h-7.2 z")}><title>{ format!("{}: {what} {}", it.who, it.offset) }</title></path>
        }
    });
    let veil = (x_of(lso), x_of(hw));
    html! {
        <>
            if first > partition.log_start_offset { <text class="more" x="-4" y="16">{ "‹" }</text> }
            { for empty }
            { for cells }
            { for cut }
            if veil.0 < veil.1 { <path class="veil" d={format!("M{:.1} -3.5 H{:.1}", veil.0, veil.1)} /> }
            { for flags }
            { for readers }
        </>
    }
}

/// Whether a transaction is in what is shown of the log, or was ever aborted in it.
pub fn has_transactions(partition: &PartitionView) -> bool {
    !partition.aborted.is_empty() || partition.cells.iter().any(|cell| cell.kind.is_transactional())
}

/// What stands before a dense strip: name, HW and LEO as text.
pub fn dense_label(partition: &PartitionView, leader: bool) -> Html {
    let star = if leader { "★ " } else { "" };
    html! {
        <>
            <text class="tp" x="16" y="11">{ star }{ &partition.name }</text>
            <text class="dim" x="16" y="24">{ " " }{ format!("HW {} LEO {}", partition.high_watermark, partition.log_end_offset) }</text>
        </>
    }
}

/// Where the cells of a dense strip begin.
pub const DENSE_X: f64 = 16.0 + DENSE_LABEL;
