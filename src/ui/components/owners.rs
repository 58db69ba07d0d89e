//! Who owned which partition while, as bands over time: on the timeline, and in a group's panel from the beginning on.
//!
//! Hatched is what nobody read. Above the bands stands how many partitions were not read and for how long, a thin strip while the
//! coordinator says that the group rebalances, and where members joined, left, or learned that they were thrown out.

use super::inspector_group::own_class;
use crate::ui::i18n::Texts;
use crate::ui::words::{node_name, shorten, span, text_width};
use delivery_lab::view::{GroupLane, GroupMark, GroupMarkKind, OwnerBand, Stop};
use std::rc::Rc;
use yew::prelude::*;

/// What stands above the partitions: a line for members, a line for pauses.
const HEAD: f64 = 35.0;

/// From time to place, and what of it is seen.
pub struct Frame<'a> {
    /// Where a moment is.
    pub x: &'a dyn Fn(u64) -> f64,
    /// Where bands begin; names stand before it.
    pub left: f64,
    /// Seen from here
    pub from: u64,
    /// to here.
    pub to: u64,
    /// More has not happened yet.
    pub now: u64,
    /// Of nodes.
    pub names: &'a [Rc<str>],
}

impl Frame<'_> {
    fn name(&self, node: u16) -> String {
        self.names.get(usize::from(node)).map_or_else(String::new, |name| node_name(name))
    }

    /// Where a span is seen to begin, and how wide it is; at least a little.
    fn place(&self, from_us: u64, to_us: u64, least: f64) -> (f64, f64) {
        let (from, to) = ((self.x)(from_us.max(self.from)), (self.x)(to_us.min(self.to)));
        (from, (to - from).max(least))
    }
}

/// The height of a partition among so many.
fn row_height(rows: usize) -> f64 {
    (130.0 / rows.max(1) as f64).clamp(3.0, 15.0)
}

/// The height of a lane with so many partitions.
pub fn height(rows: usize) -> f64 {
    HEAD + rows as f64 * row_height(rows)
}

/// A group's lane; its origin is the upper left corner.
pub fn draw(lane: &GroupLane, frame: &Frame<'_>, clip: &'static str, t: &Texts) -> Html {
    let each = row_height(lane.rows.len());
    let rows = lane.rows.iter().enumerate().map(|(at, row)| {
        let y = HEAD + at as f64 * each;
        html! {
            <g key={&*row.partition} data-owned={row.partition.clone()} transform={format!("translate(0,{y:.1})")}>
                if each > 9.0 { <text class="lane row" x={(frame.left - 8.0).to_string()} y={(each - 4.0).to_string()}>{ shorten(&row.partition, 10.0, frame.left - 18.0) }</text> }
                <g clip-path={clip}>{ for row.bands.iter().map(|it| band(it, &row.partition, frame, each, t)) }</g>
            </g>
        }
    });
    html! {
        <>
            { for rows }
            <g clip-path={clip}>{ states(lane, frame) }{ stops(lane, frame, t) }{ marks(lane, frame, t) }</g>
        </>
    }
}

/// Owners of a partition while they were the same. Two are drawn one above the other.
fn band(it: &OwnerBand, partition: &str, frame: &Frame<'_>, height: f64, t: &Texts) -> Html {
    let (from, width) = frame.place(it.from_us, it.to_us.unwrap_or(frame.now), if it.is_gap() { 2.0 } else { 1.0 });
    let who = it.owners.iter().map(|node| frame.name(*node)).collect::<Vec<_>>().join(", ");
    let lasted = span(it.lasted_us(frame.now));
    let (class, says) = match it.owners.len() {
        0 if it.before => ("before", t.nobody_reads.to_owned()),
        0 => ("nobody", t.nobody_reads.to_owned()),
        1 => ("one", who),
        _ => ("both", (t.two_read)(&who)),
    };
    let bar = |class: String, y: f64, height: f64| {
        html! { <rect {class} x={format!("{from:.1}")} y={format!("{y:.1}")} width={format!("{width:.1}")} height={format!("{height:.1}")} rx="2" /> }
    };
    let each = (height - 2.0) / it.owners.len().max(1) as f64;
    let mut bars: Vec<Html> = Vec::new();
    for (at, node) in it.owners.iter().enumerate() {
        bars.push(bar(own_class(Some(*node)), 1.0 + at as f64 * each, each));
    }
    if bars.is_empty() {
        bars.push(bar(String::new(), 1.0, height - 2.0));
    }
    let long = if it.is_gap() { format!("{says} · {lasted}") } else { says.clone() };
    let fits = |text: &&&str| height > 11.0 && text_width(text, 10.0) + 8.0 <= width;
    let texts = [long.as_str(), lasted.as_str()];
    let text = texts[..if it.is_gap() { 2 } else { 1 }].iter().find(fits).filter(|_| !it.before);
    html! {
        <g key={it.from_us.to_string()} class={classes!("hold", class)} data-owners={it.owners.len().to_string()}>
            <title>{ format!("{partition}: {says} · {lasted}") }</title>
            { for bars }
            if let Some(text) = text { <text x={format!("{:.1}", from + 4.0)} y={(height - 4.0).to_string()}>{ *text }</text> }
        </g>
    }
}

/// A thin strip for what the coordinator says of the group, unless it is stable.
fn states(lane: &GroupLane, frame: &Frame<'_>) -> Html {
    let ends = lane.states.iter().skip(1).map(|it| it.0).chain([frame.now]);
    let spans = lane.states.iter().zip(ends).filter(|((from, _), to)| *from <= frame.to && *to >= frame.from);
    let rebalancing = spans.filter(|((_, state), _)| !matches!(*state, "Stable" | "Empty" | "Dead"));
    rebalancing.map(|((from_us, state), to_us)| {
        let (from, width) = frame.place(*from_us, to_us, 1.5);
        html! {
            <rect key={from_us.to_string()} class={classes!("gstate", state.to_ascii_lowercase())} x={format!("{from:.1}")} y="13.5" width={format!("{width:.1}")} height="3">
                <title>{ format!("{}: {state} · {}", lane.group, span(to_us.saturating_sub(*from_us))) }</title>
            </rect>
        }
    }).collect()
}

/// A bracket over each time in which the group did not read everything; a number wherever there is room.
fn stops(lane: &GroupLane, frame: &Frame<'_>, t: &Texts) -> Html {
    let seen = |it: &Stop| it.to_us >= frame.from && it.from_us <= frame.to;
    let mut free = f64::MIN;
    let all = lane.stops(frame.now);
    all.iter().filter(|it| seen(it)).map(|it| {
        let (from, width) = frame.place(it.from_us, it.to_us, 3.0);
        let lasted = span(it.to_us - it.from_us);
        let full = (t.stop_of)(it.partitions, lane.rows.len(), &lasted);
        let short = format!("{}/{} · {lasted}", it.partitions, lane.rows.len());
        let next = all.iter().find(|next| next.from_us > it.from_us).map_or(f64::MAX, |next| (frame.x)(next.from_us));
        let texts = [full.as_str(), short.as_str(), lasted.as_str()];
        let fits = |text: &&&str| from >= free && from + text_width(text, 10.5) + 6.0 <= next.max(from + width);
        let text = texts.iter().find(fits).copied();
        if let Some(text) = text {
            free = from + text_width(text, 10.5) + 6.0;
        }
        html! {
            <g key={it.from_us.to_string()} class={classes!("stop", it.open.then_some("open"))}>
                <title>{ &full }</title>
                <path d={format!("M{from:.1} {:.1} v-4 h{width:.1} v4", HEAD - 1.0)} />
                if let Some(text) = text { <text x={format!("{from:.1}")} y={(HEAD - 8.0).to_string()}>{ text }</text> }
            </g>
        }
    }).collect()
}

/// Where members joined, left, or learned that they were thrown out. A generation is named once.
fn marks(lane: &GroupLane, frame: &Frame<'_>, t: &Texts) -> Html {
    let into = |it: &GroupMark| if lane.by_epochs { (t.epoch)(it.generation) } else { (t.generation)(it.generation) };
    // Whoever went is more than a number, and makes way only for others that went.
    let (mut free, mut gone, mut named) = (f64::MIN, f64::MIN, 0);
    let bottom = height(lane.rows.len());
    let seen = lane.marks.iter().enumerate().filter(|(_, it)| it.at_us >= frame.from && it.at_us <= frame.to);
    seen.map(|(at, it)| {
        let x = (frame.x)(it.at_us);
        let joined = it.kind == GroupMarkKind::Joined;
        let text = match joined {
            true if named == it.generation || x < free => String::new(),
            false if x < gone => String::new(),
            true => into(it),
            false => format!("✕ {}", frame.name(it.node)),
        };
        if !text.is_empty() {
            free = x + text_width(&text, 10.5) + 6.0;
            (gone, named) = if joined { (gone, it.generation) } else { (free, named) };
        }
        html! {
            <g key={at} class={classes!("gmark", (!joined).then_some("gone"))} transform={format!("translate({x:.1},0)")}>
                <title>{ (t.group_mark)(it.kind, &frame.name(it.node), &into(it)) }</title>
                <path d={format!("M0 4 V{bottom:.1}")} />
                if x + text_width(&text, 10.5) + 6.0 > (frame.x)(frame.to) {
                    <text class="end" x="-3" y="11">{ text }</text>
                } else {
                    <text x="3" y="11">{ text }</text>
                }
            </g>
        }
    }).collect()
}
