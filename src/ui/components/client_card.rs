//! Producers and consumers on the stage, with what they buffer, await, and have done.

use super::broker_card::{CardProps, crossed, node_classes, state_words};
use super::stage::opener;
use crate::ui::geometry::{
    CELL, CELL_GAP, CardShape, consumer_height, fit, isolation, reader_rows, sink_gap, sink_height, sink_rows,
};
use crate::ui::i18n::Texts;
use crate::ui::lab::Lab;
use crate::ui::state::Target;
use crate::ui::words::{lines, mono_width, node_name, short_member, shorten, shorten_mono, text_width};
use delivery_lab::view::{Activity, ConsumerView, NodeStatus, NodeView, ProducerView, SinkRow, SinkView};
use yew::prelude::*;

/// A key and its value on one line.
pub fn pair(y: f64, w: f64, key: &str, value: &str, changed: bool) -> Html {
    // On a wide card a value stays near its key.
    let w = w.min(340.0);
    // Some values say by themselves what they are; a long one leaves room for the shortest name of its key.
    let short = match key {
        "state" | "isolation" => "",
        "transactional.id" => "txn id",
        _ => key,
    };
    let least = if short == key { 0.0 } else { mono_width(short, 10.2) + 8.0 };
    let value = shorten_mono(value, 10.2, w - 32.0 - least);
    let width = mono_width(&value, 10.2);
    let room = (w - 32.0 - width - 8.0).max(0.0);
    let key = if mono_width(key, 10.2) > room { short } else { key };
    html! {
        <>
            if changed {
                <rect class="tint" x={(w - 20.0 - width).to_string()} y={(y - 12.0).to_string()} width={(width + 8.0).to_string()} height="16" rx="4" />
            }
            <text class="kv" x="16" y={y.to_string()}>{ shorten_mono(key, 10.2, room) }</text>
            <text class="kv v end" x={(w - 16.0).to_string()} y={y.to_string()}>{ value }</text>
        </>
    }
}

/// Cells that are not in a log: buffered, or waiting to be processed.
pub fn loose_cells(records: &[u32], width: f64, cell: f64) -> Html {
    let room = fit(width, cell);
    let cut = records.len() > room;
    let count = if cut { room.saturating_sub(1) } else { records.len() };
    let cells = records[..count].iter().enumerate().map(|(at, record)| {
        let x = at as f64 * (cell + CELL_GAP);
        html! {
            <g key={format!("{at}-{record}")} class="cell queued" transform={format!("translate({x:.1},0)")} data-r={record.to_string()}>
                <rect width={cell.to_string()} height={CELL.to_string()} rx="4" />
                <text class="num" x={(cell / 2.0).to_string()} y="16.5">{ record }</text>
            </g>
        }
    });
    let x = count as f64 * (cell + CELL_GAP) + 3.0;
    html! {
        <>
            { for cells }
            if cut { <text class="dim" x={x.to_string()} y="16">{ format!("+{}", records.len() - count) }</text> }
        </>
    }
}

/// Whether all goes as it should: colour is for what does not.
fn calm(node: &NodeView) -> bool {
    let trouble = matches!(
        node.doing,
        Activity::Retrying { .. } | Activity::BackingOff { .. } | Activity::Fenced | Activity::ProducerFenced
    );
    node.status == NodeStatus::Up && !trouble
}

/// What it is doing, in two lines, or three where there is more to say.
pub fn say(node: &NodeView, t: &Texts, left_us: u64, y: f64, w: f64) -> Html {
    let text = state_words(node, t).map_or_else(|| (t.activity)(&node.doing, left_us), str::to_owned);
    let class = classes!("say", calm(node).then_some("calm"));
    let most = if matches!(node.doing, Activity::ProducerFenced | Activity::Failed { .. }) { 3 } else { 2 };
    lines(&text, 12.5, w - 28.0, most)
        .into_iter()
        .enumerate()
        .map(|(at, line)| {
            html! { <text key={at} class={class.clone()} x="16" y={(y + 15.0 * at as f64).to_string()}>{ line }</text> }
        })
        .collect()
}

/// The first of some texts for which there is room beside a card's name; a few letters and dots would say nothing.
fn beside(node: &NodeView, texts: &[String], w: f64) -> String {
    let name = text_width(&node_name(&node.name), 16.0);
    // The estimate is generous.
    texts.iter().find(|text| (name + text_width(text, 12.0)) * 0.92 + 37.0 <= w).cloned().unwrap_or_default()
}

/// Name, and what stands beside it.
pub fn head(node: &NodeView, kind: &str, w: f64) -> Html {
    let name = shorten(&node_name(&node.name), 16.0, w - 32.0);
    let kind = beside(node, &[kind.to_owned()], w);
    html! { <text class="title" x="16" y="26">{ name }if !kind.is_empty() { <tspan class="sub" dx="3">{ " " }{ kind }</tspan> }</text> }
}

pub fn producer(props: &CardProps, it: &ProducerView, lab: &Lab, t: &Texts) -> Html {
    let node = &*props.node;
    let area = props.shape.area;
    let (onclick, onkeydown) = opener(lab, Target::Node(node.id));
    let doing = (t.activity)(&node.doing, props.left_us);
    let label = (t.node_label)(&node.name, t.producer, &doing);
    let pairs = producer_lines(it, t);
    let after = 50.0 + 18.0 * pairs.len() as f64;
    let buffered: Vec<u32> = it.buffer.iter().map(|(record, _)| *record).collect();
    html! {
        <g class={node_classes(node, "producer", props.selected)} transform={format!("translate({:.1},{:.1})", area.x, area.y)} data-node={node.name.clone()}>
            <rect class="card" width={area.w.to_string()} height={area.h.to_string()} rx="10" />
            { crossed(node, area.w, area.h) }
            <g class="head" role="button" tabindex="0" aria-label={label} {onclick} {onkeydown}>
                <rect class="hit" x="3" y="3" width={(area.w - 6.0).to_string()} height="32" rx="8" />
                { head(node, &t.producer.to_ascii_lowercase(), area.w) }
            </g>
            { for pairs.iter().enumerate().map(|(at, (key, value, changed))| pair(50.0 + 18.0 * at as f64, area.w, key, value, *changed)) }
            <text class="kv" x="16" y={(after + 8.0).to_string()}>{ t.buffer }</text>
            <g transform={format!("translate({:.1},{:.1})", 22.0 + text_width(t.buffer, 11.5), after - 8.0)}>
                { loose_cells(&buffered, area.w - 36.0 - text_width(t.buffer, 11.5), props.shape.cell_width) }
            </g>
            { say(node, t, props.left_us, after + 36.0, area.w) }
        </g>
    }
}

/// The lines of a producer's card: settings worth seeing, then what is on its way.
fn producer_lines(it: &ProducerView, t: &Texts) -> Vec<(String, String, bool)> {
    let mut lines: Vec<(String, String, bool)> = it
        .settings
        .iter()
        .take(6)
        .map(|(key, value, changed)| (key.to_string(), value.to_string(), *changed))
        .collect();
    lines.extend(manager_lines(it));
    lines.push((t.sent_of.to_owned(), format!("{} / {}", it.sent, it.total), false));
    lines.push((t.in_flight.to_owned(), (t.in_flight_of)(it.in_flight.len(), it.max_in_flight), false));
    lines
}

/// The state of a transactional producer, its id and epoch.
pub fn manager_lines(it: &ProducerView) -> Vec<(String, String, bool)> {
    let Some(manager) = &it.manager else { return Vec::new() };
    let identity = it.producer_id.map_or_else(|| "–".to_owned(), |(id, epoch)| format!("{id} · {epoch}"));
    vec![("state".to_owned(), manager.state.to_owned(), false), ("id · epoch".to_owned(), identity, false)]
}

pub fn consumer(props: &CardProps, it: &ConsumerView, lab: &Lab, t: &Texts) -> Html {
    let node = &*props.node;
    let (area, compact) = (props.shape.area, props.shape.compact);
    let (onclick, onkeydown) = opener(lab, Target::Node(node.id));
    let doing = (t.activity)(&node.doing, props.left_us);
    let kind = t.consumer.to_ascii_lowercase();
    // Among many its place in the group is worth more than what kind of node it is.
    let membership = it.membership.as_ref().filter(|it| compact && it.generation >= 0);
    let place = membership.map_or(kind.clone(), |_| beside(node, &[member(it, true), member(it, false)], area.w));
    let said = if place == kind { t.consumer.to_owned() } else { format!("{place}, {}", t.consumer) };
    let label = (t.node_label)(&node.name, said.trim_start_matches(", "), &doing);
    let h = consumer_height(it, compact);
    let sink_y = h + sink_gap(compact);
    let (first, step) = reader_rows(compact);
    let lines = if compact { progress_lines(it, t) } else { position_lines(it, t) };
    let after = first + step * lines.len() as f64;
    let (waiting, name) = if it.worker.is_empty() { (&it.pending, t.pending) } else { (&it.worker, t.worker) };
    let cells_x = 22.0 + text_width(name, 11.5);
    html! {
        <g class={node_classes(node, "consumer", props.selected)} transform={format!("translate({:.1},{:.1})", area.x, area.y)} data-node={node.name.clone()}>
            if it.sink.is_some() { <path class="wire" d={format!("M{:.1} {h:.1} V{sink_y:.1}", area.w / 2.0)} /> }
            <rect class="card" width={area.w.to_string()} height={h.to_string()} rx="10" />
            { crossed(node, area.w, h) }
            <g class="head" role="button" tabindex="0" aria-label={label} {onclick} {onkeydown}>
                <rect class="hit" x="3" y="3" width={(area.w - 6.0).to_string()} height={if compact { "28" } else { "32" }} rx="8" />
                { head(node, &place, area.w) }
            </g>
            { for lines.iter().enumerate().map(|(at, (key, value, changed))| pair(first + step * at as f64, area.w, key, value, *changed)) }
            <text class="kv" x="16" y={(after + 4.0).to_string()}>{ name }</text>
            <g transform={format!("translate({cells_x:.1},{:.1})", after - 12.0)}>
                { loose_cells(waiting, area.w - 14.0 - cells_x, props.shape.cell_width) }
            </g>
            { say(node, t, props.left_us, after + if compact { 27.0 } else { 31.0 }, area.w) }
            if let Some(it) = &it.sink { { sink(it, sink_y, &props.shape, t) } }
        </g>
    }
}

/// The external system behind an application.
pub fn sink(it: &SinkView, y: f64, shape: &CardShape, t: &Texts) -> Html {
    let (w, compact) = (shape.area.w, shape.compact);
    html! {
        <g class="sink" transform={format!("translate(0,{y:.1})")}>
            <rect class="card" width={w.to_string()} height={sink_height(compact).to_string()} rx="10" />
            <text class="title" x="16" y={if compact { "20" } else { "24" }}>{ t.sink }<tspan class="sub" dx="7">{ (t.sink_of)(&it.dedupe) }</tspan></text>
            <g transform={format!("translate(16,{})", if compact { 27 } else { 34 })}>{ effects(&it.rows, w - 32.0, shape.cell_width, sink_rows(compact)) }</g>
        </g>
    }
}

/// An external system with a node of its own.
pub fn sink_node(props: &CardProps, it: &SinkView, lab: &Lab, t: &Texts) -> Html {
    let node = &*props.node;
    let area = props.shape.area;
    let (onclick, onkeydown) = opener(lab, Target::Node(node.id));
    let doing = (t.activity)(&node.doing, props.left_us);
    let dedupe = (t.sink_of)(&it.dedupe);
    let label = (t.node_label)(&node.name, &format!("{dedupe}, {}", t.sink), &doing);
    html! {
        <g class={node_classes(node, "sink", props.selected)} transform={format!("translate({:.1},{:.1})", area.x, area.y)} data-node={node.name.clone()}>
            <rect class="card" width={area.w.to_string()} height={area.h.to_string()} rx="10" />
            { crossed(node, area.w, area.h) }
            <g class="head" role="button" tabindex="0" aria-label={label} {onclick} {onkeydown}>
                <rect class="hit" x="3" y="3" width={(area.w - 6.0).to_string()} height="32" rx="8" />
                { head(node, &dedupe, area.w) }
            </g>
            <g transform="translate(16,38)">{ effects(&it.rows, area.w - 32.0, props.shape.cell_width, sink_rows(false)) }</g>
            if beside(node, std::slice::from_ref(&dedupe), area.w).is_empty() && calm(node) && node.doing == Activity::Idle {
                <text class="kv" x="16" y={(area.h - 12.0).to_string()}>{ dedupe }</text>
            } else {
                { say(node, t, props.left_us, area.h - 12.0, area.w) }
            }
        </g>
    }
}

/// Its generation, and its member id, short, if wanted.
fn member(it: &ConsumerView, with_id: bool) -> String {
    match it.membership.as_ref().filter(|it| it.generation >= 0) {
        Some(it) => {
            // Here is little room: half of what the group's table shows tells members apart as well.
            let id = short_member(&it.member_id);
            let id = if with_id { format!("{} · ", id.get(..4).unwrap_or(id)) } else { String::new() };
            let counter = if it.by_epochs { "epoch" } else { "gen" };
            format!("{}{id}{counter} {}", if it.leader { "★ " } else { "" }, it.generation)
        }
        None => "–".to_owned(),
    }
}

/// Where it stands in its group, how far it is in each partition, and what it may read where there are transactions.
pub fn position_lines(it: &ConsumerView, t: &Texts) -> Vec<(String, String, bool)> {
    let mut lines = Vec::new();
    if it.group.is_some() {
        lines.push((t.member.to_owned(), member(it, true), false));
    }
    // A member of a share group has no position: records are given to it one by one.
    let share = it.settings.iter().find(|(key, ..)| &**key == "share.acknowledgement.mode");
    lines.extend(share.map(|(_, mode, changed)| ("share".to_owned(), mode.to_string(), *changed)));
    lines.extend(progress_lines(it, t));
    lines
}

/// How far it is in each partition, and what it may read.
fn progress_lines(it: &ConsumerView, t: &Texts) -> Vec<(String, String, bool)> {
    let number = |it: Option<i64>| it.map_or_else(|| "–".to_owned(), |it| it.to_string());
    let mut lines = Vec::new();
    match it.positions.as_slice() {
        [] if it.share => {}
        [] => lines.push((t.position.to_owned(), "–".to_owned(), false)),
        [one] => {
            lines.push((t.position.to_owned(), number(one.position), false));
            lines.push((t.committed.to_owned(), number(one.committed), false));
        }
        all => lines.extend(all.iter().take(4).map(|one| {
            (one.partition.to_string(), format!("{} · ✓{}", number(one.position), number(one.committed)), false)
        })),
    }
    lines.extend(isolation(it).map(|(_, value, changed)| ("isolation".to_owned(), value.to_string(), *changed)));
    lines
}

/// The last effects of a sink, each with how often it happened.
fn effects(rows: &[SinkRow], width: f64, cell: f64, count: usize) -> Html {
    let each_row = fit(width, cell);
    let room = each_row * count;
    // A broken row stays in view, the latest fill the rest.
    let odd = |row: &SinkRow| row.effects > 1 || row.refused > 0;
    let skipped = rows.len().saturating_sub(room);
    let mut shown: Vec<&SinkRow> = rows[..skipped].iter().filter(|row| odd(row)).take(room / 2).collect();
    let latest = room - shown.len();
    shown.extend(&rows[rows.len().saturating_sub(latest)..]);
    shown.iter().enumerate().map(|(at, row)| {
        let x = (at % each_row) as f64 * (cell + CELL_GAP);
        let y = (at / each_row) as f64 * 42.0;
        let class = classes!("cell", "committed", (row.effects > 1).then_some("dup"), (row.refused > 0).then_some("refused"), row.forgotten.then_some("forgotten"));
        let count = if row.refused > 0 { format!("{}⊘{}", row.effects, row.refused) } else { format!("×{}", row.effects) };
        html! {
            <g key={row.record} {class} transform={format!("translate({x:.1},{y:.1})")} data-r={row.record.to_string()}>
                <rect width={cell.to_string()} height={CELL.to_string()} rx="4" />
                <text class="num" x={(cell / 2.0).to_string()} y="16.5">{ row.record }</text>
                <text class="off" x={(cell / 2.0).to_string()} y="36">{ count }</text>
            </g>
        }
    }).collect()
}
