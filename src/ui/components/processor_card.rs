//! A processor on the stage: it stands between topics, and is a consumer and a producer at once.

use super::broker_card::{CardProps, crossed, node_classes};
use super::client_card::{head, loose_cells, manager_lines, pair, position_lines, say, sink};
use super::stage::opener;
use crate::ui::geometry::{CardShape, processor_height, sink_gap};
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::state::Target;
use crate::ui::words::shorten;
use delivery_lab::view::ProcessorView;
use yew::prelude::*;

/// The card, and the external system behind it where it acts on one.
pub fn processor(props: &CardProps, it: &ProcessorView, lab: &Lab, t: &Texts) -> Html {
    let node = &*props.node;
    let (area, cell) = (props.shape.area, props.shape.cell_width);
    let (onclick, onkeydown) = opener(lab, Target::Node(node.id));
    let flow = format!("{} → {}", it.from.join(", "), it.to.join(", "));
    let doing = (t.activity)(&node.doing, props.left_us);
    let label = (t.node_label)(&node.name, &format!("{}, {flow}", t.processor), &doing);
    let h = processor_height(it);
    let lines = lines(it, t);
    // What changes all the time is above, what stays is below.
    let first = if it.writer.manager.is_some() { 162.0 } else { 150.0 };
    let out: Vec<u32> = it.writer.buffer.iter().map(|(record, _)| *record).collect();
    // What it has read on the left, what it is about to write on the right.
    let half = (area.w - 32.0) / 2.0;
    let held = |name: &'static str, records: &[u32], x: f64| {
        html! {
            <g transform={format!("translate({x:.1},60)")}>
                <text class="kv" y="2">{ name }</text>
                <g transform="translate(0,8)">{ loose_cells(records, half - 22.0, cell) }</g>
            </g>
        }
    };
    html! {
        <g class={node_classes(node, "processor", props.selected)} transform={format!("translate({:.1},{:.1})", area.x, area.y)} data-node={node.name.clone()}>
            if it.sink.is_some() { <path class="wire" d={format!("M{:.1} {h:.1} v{:.1}", area.w / 2.0, sink_gap(false))} /> }
            <rect class="card" width={area.w.to_string()} height={h.to_string()} rx="10" />
            { crossed(node, area.w, h) }
            <g class="head" role="button" tabindex="0" aria-label={label} {onclick} {onkeydown}>
                <rect class="hit" x="3" y="3" width={(area.w - 6.0).to_string()} height="46" rx="8" />
                { head(node, &t.processor.to_ascii_lowercase(), area.w) }
                <text class="tp" x="16" y="44">{ " " }{ shorten(&flow, 11.5, area.w - 30.0) }</text>
            </g>
            { for lines.iter().enumerate().map(|(at, (key, value, changed))| pair(first + 18.0 * at as f64, area.w, key, value, *changed)) }
            { held(t.pending, &it.reader.pending, 16.0) }
            if !out.is_empty() { <text class="dim" x={half.to_string()} y="84">{ "→" }</text> }
            { held(t.buffer, &out, 16.0 + half + 6.0) }
            { say(node, t, props.left_us, 113.0, area.w) }
            if let Some(it) = &it.sink { { sink(it, h + sink_gap(false), &CardShape { compact: false, ..props.shape }, t) } }
        </g>
    }
}

/// Where it reads, when it commits, and how its transaction stands.
fn lines(it: &ProcessorView, t: &Texts) -> Vec<(String, String, bool)> {
    let mut lines = position_lines(&it.reader, t);
    lines.push(("offsets".to_owned(), it.offsets.to_owned(), false));
    if let Some(manager) = &it.writer.manager {
        lines.push(("transactional.id".to_owned(), manager.transactional_id.to_string(), false));
    }
    lines.extend(manager_lines(&it.writer));
    lines
}
