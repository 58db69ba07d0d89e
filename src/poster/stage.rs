//! The stage of a poster: who sends on the left, brokers with their logs in the middle, who reads and acts on the right.
//!
//! It is coarser than the page's: one strip a broker, a few cells, the messages that carry records.

use super::moment::Observed;
use super::svg::Svg;
use crate::tell::i18n::Texts;
use crate::tell::words::{lines, node_name, records};
use crate::view::{
    BrokerView, CellKind, CellView, ClusterView, MessageFate, MessageView, NodeBody, NodeStatus, NodeView,
    PartitionView, SinkRow, SinkView, hidden,
};

const MARGIN: i32 = 12;
const TOP: i32 = 48;
const TALL: i32 = 246;
const SIDE: i32 = 130;
const BROKERS: (i32, i32) = (178, 244);
const GAP: i32 = 8;
/// A cell's width and height, and from one to the next.
const CELL: (i32, i32) = (30, 28);
const PITCH: i32 = 32;
/// A strip has so many.
const CELLS: usize = 7;
/// A line of text.
const LINE: i32 = 22;

/// A node and its place.
#[derive(Clone, Copy)]
struct Card<'a> {
    node: &'a NodeView,
    x: i32,
    y: i32,
    w: i32,
    h: i32,
}

impl Card<'_> {
    /// Where a wire meets it.
    fn middle(&self) -> i32 {
        self.y + (self.h / 2).min(48)
    }
}

pub(super) fn draw(svg: &mut Svg, seen: &Observed, t: &Texts) {
    let view = &*seen.view;
    let shown = partition_shown(view, seen.record);
    let cards = lay_out(view);
    let leads = |card: &&Card<'_>| {
        broker(card).is_some_and(|it| it.partitions.iter().any(|it| *it.name == *shown && is_leader(it)))
    };
    if let Some(leader) = cards.iter().find(leads) {
        cards.iter().filter(|card| talks(card)).for_each(|card| wire(svg, view, card, leader));
    }
    for card in &cards {
        frame(svg, card);
        match &card.node.body {
            NodeBody::Broker(it) => broker_card(svg, card, it, &shown, seen.record, t),
            NodeBody::Sink(it) => actor(svg, card, Some(it), seen.record, t),
            NodeBody::Consumer(it) => actor(svg, card, it.sink.as_ref(), seen.record, t),
            NodeBody::Processor(it) => actor(svg, card, it.sink.as_ref(), seen.record, t),
            NodeBody::Producer(it) => {
                head(svg, card);
                let acked = format!("{}/{}", it.acked, it.total);
                let acked = if acked.len() > 5 { acked } else { format!("acked {acked}") };
                svg.fitted_mono("m z", card.x + 8, card.y + 24 + LINE, card.w - 14, 17, &acked);
                say(svg, card, 24 + 2 * LINE, t);
            }
            NodeBody::Controller(_) => {}
        }
    }
    pills(svg, view, &cards);
}

fn broker<'a>(card: &Card<'a>) -> Option<&'a BrokerView> {
    if let NodeBody::Broker(it) = &card.node.body { Some(it) } else { None }
}

fn is_leader(partition: &PartitionView) -> bool {
    partition.role == crate::view::ReplicaRole::Leader
}

/// Applications talk to brokers; controllers and sinks have no wire of their own here.
fn talks(card: &Card<'_>) -> bool {
    matches!(card.node.body, NodeBody::Producer(_) | NodeBody::Consumer(_) | NodeBody::Processor(_))
}

/// The partition of which the strips tell: the broken record's, else that to which most was written last.
fn partition_shown(view: &ClusterView, record: Option<u32>) -> String {
    let of_record = record.and_then(|record| view.ledger.rows.get(record as usize)?.partition.clone());
    let all = view.nodes.iter().filter_map(|node| match &node.body {
        NodeBody::Broker(it) => Some(it.partitions.iter().filter(|it| !it.internal && is_leader(it))),
        _ => None,
    });
    let fullest = || all.flatten().max_by_key(|it| (it.log_end_offset, it.name.clone())).map(|it| it.name.clone());
    of_record.or_else(fullest).map_or_else(String::new, |name| name.to_string())
}

fn lay_out(view: &ClusterView) -> Vec<Card<'_>> {
    let of =
        |wanted: fn(&NodeBody) -> bool| view.nodes.iter().map(|node| &**node).filter(move |node| wanted(&node.body));
    let readers: Vec<&NodeView> = of(|it| matches!(it, NodeBody::Consumer(_))).collect();
    let processors: Vec<&NodeView> = of(|it| matches!(it, NodeBody::Processor(_))).collect();
    let mut left: Vec<&NodeView> = of(|it| matches!(it, NodeBody::Producer(_))).collect();
    let mut right = Vec::new();
    // Who both reads and writes stands where there is room.
    if readers.is_empty() {
        right.extend(processors)
    } else {
        left.extend(processors)
    }
    right.extend(readers);
    right.extend(of(|it| matches!(it, NodeBody::Sink(_))));
    let brokers: Vec<&NodeView> = of(|it| matches!(it, NodeBody::Broker(_))).collect();
    let mut cards = column(&brokers, BROKERS.0, BROKERS.1, 82);
    cards.extend(column(&left, MARGIN, SIDE, 150));
    cards.extend(column(&right, super::SIZE.0 - MARGIN - SIDE, SIDE, 150));
    cards
}

fn column<'a>(nodes: &[&'a NodeView], x: i32, w: i32, tallest: i32) -> Vec<Card<'a>> {
    let count = nodes.len().max(1) as i32;
    let h = ((TALL - GAP * (count - 1)) / count).min(tallest);
    let place = |(at, node): (usize, &&'a NodeView)| Card { node, x, y: TOP + at as i32 * (h + GAP), w, h };
    nodes.iter().enumerate().map(place).collect()
}

fn frame(svg: &mut Svg, card: &Card<'_>) {
    let Card { x, y, w, h, .. } = *card;
    svg.rect("r", (x, y, w, h), 8);
    match card.node.status {
        NodeStatus::Up => {}
        NodeStatus::Paused | NodeStatus::Fenced => svg.rect("odd", (x, y, w, h), 8),
        NodeStatus::Crashed | NodeStatus::Stopped | NodeStatus::PoweredOff => {
            svg.rect("dead", (x, y, w, h), 8);
            svg.path("dead", &format!("M{x} {}L{} {y}", y + h, x + w));
        }
    }
}

fn tone(node: &NodeView) -> &'static str {
    match node.status {
        NodeStatus::Up => "n",
        NodeStatus::Paused | NodeStatus::Fenced => "n O",
        _ => "n R",
    }
}

fn head(svg: &mut Svg, card: &Card<'_>) {
    svg.fitted(tone(card.node), card.x + 8, card.y + 24, card.w - 14, 18, &node_name(&card.node.name));
}

/// What it is doing, in as many lines as there is room for.
fn say(svg: &mut Svg, card: &Card<'_>, from: i32, t: &Texts) {
    let room = (card.h - from - 6) / LINE + 1;
    if room < 1 || from > card.h - 6 {
        return;
    }
    let (class, text) = match card.node.status {
        NodeStatus::Up => ("z", (t.activity)(&card.node.doing, 0)),
        status => ("R", (t.status)(status).to_owned()),
    };
    for (at, line) in lines(&text, 17.5, f64::from(card.w - 14), room as usize).iter().enumerate() {
        svg.text(class, card.x + 8, card.y + from + at as i32 * LINE, line);
    }
}

/// Who reads, with the last effects; or an external system.
fn actor(svg: &mut Svg, card: &Card<'_>, sink: Option<&SinkView>, record: Option<u32>, t: &Texts) {
    head(svg, card);
    let Some(sink) = sink.filter(|it| !it.rows.is_empty() && card.h >= 66) else {
        return say(svg, card, 24 + LINE, t);
    };
    let counted = card.h >= 92;
    for (at, row) in rows(sink, record).iter().enumerate() {
        let x = card.x + 9 + at as i32 * 40;
        let class = if row.effects > 1 { "k d" } else { "k" };
        svg.rect(class, (x, card.y + 34, CELL.0, CELL.1), 5);
        number(svg, "c w", x, card.y + 34, row.record);
        if counted {
            let count = if row.refused > 0 {
                format!("{}⊘{}", row.effects, row.refused)
            } else {
                format!("×{}", row.effects)
            };
            let class = if row.effects > 1 { "c O" } else { "c z" };
            svg.text(class, x + CELL.0 / 2, card.y + 82, &count);
        }
    }
    say(svg, card, if counted { 106 } else { 84 }, t);
}

/// Three rows of a sink: the broken record's or those that are odd, then the latest.
fn rows(sink: &SinkView, record: Option<u32>) -> Vec<&SinkRow> {
    let odd = |row: &&SinkRow| Some(row.record) == record || row.effects > 1 || row.refused > 0;
    let mut chosen: Vec<&SinkRow> = sink.rows.iter().filter(odd).take(2).collect();
    for row in sink.rows.iter().rev() {
        if chosen.len() < 3 && !chosen.iter().any(|it| it.record == row.record) {
            chosen.push(row);
        }
    }
    chosen.sort_by_key(|row| row.record);
    chosen
}

fn number(svg: &mut Svg, class: &str, x: i32, y: i32, record: u32) {
    svg.text(class, x + CELL.0 / 2, y + 21, &record.to_string());
}

fn broker_card(svg: &mut Svg, card: &Card<'_>, it: &BrokerView, shown: &str, record: Option<u32>, t: &Texts) {
    let Some(partition) = it.partitions.iter().find(|it| *it.name == *shown) else {
        head(svg, card);
        return say(svg, card, 24 + LINE, t);
    };
    let star = if is_leader(partition) { "★" } else { "" };
    svg.text(tone(card.node), card.x + 8, card.y + 22, &format!("{}{star}", node_name(&card.node.name)));
    let (hw, leo, lso) = (partition.high_watermark, partition.log_end_offset, partition.last_stable_offset);
    let flags = match () {
        () if lso < hw => format!("LSO {lso} HW {hw}"),
        () if leo > hw => format!("HW {hw} LEO {leo}"),
        () => format!("HW {hw}"),
    };
    svg.text("m e", card.x + card.w - 8, card.y + 22, &flags);
    strip(svg, partition, record, card.x + 11, card.y + card.h.min(82) - 38);
}

/// The cells of a log, with its flags.
fn strip(svg: &mut Svg, partition: &PartitionView, record: Option<u32>, left: i32, top: i32) {
    let cells = &partition.cells;
    let gone: Vec<u32> = partition
        .cut
        .iter()
        .filter(|(offset, _)| *offset >= partition.log_end_offset)
        .map(|(_, it)| *it)
        .take(2)
        .collect();
    let first = window(cells, record, CELLS - gone.len());
    let shown = &cells[first..cells.len().min(first + CELLS - gone.len())];
    let (hw, lso) = (partition.high_watermark, partition.last_stable_offset);
    for at in 0..CELLS {
        let x = left + at as i32 * PITCH;
        match (shown.get(at), gone.get(at.wrapping_sub(shown.len()))) {
            (Some(cell), _) => cell_box(svg, cell, x, top, hidden(lso, hw, cell.offset)),
            (None, Some(record)) => {
                svg.rect("g", (x, top, CELL.0, CELL.1), 5);
                number(svg, "c R", x, top, *record);
            }
            (None, None) => svg.rect("q", (x, top, CELL.0, CELL.1), 5),
        }
    }
    let Some(base) = shown.first().map(|cell| cell.offset) else { return };
    let mut flag = |class: &str, offset: i64| {
        let at = offset - base;
        if (0..=CELLS as i64).contains(&at) {
            svg.path(class, &format!("M{} {}v{}", left + at as i32 * PITCH - 1, top - 3, CELL.1 + 6));
        }
    };
    if lso < hw {
        flag("u", lso);
    }
    flag("f", hw);
    if partition.log_end_offset > hw {
        flag("l", partition.log_end_offset);
    }
}

/// The first cell in sight: the broken record's places are, or the gap where it should be; else the end of the log.
fn window(cells: &[CellView], record: Option<u32>, room: usize) -> usize {
    let last = cells.len().saturating_sub(room);
    let Some(record) = record else { return last };
    let has = |cell: &CellView| cell.record == Some(record);
    let places = cells.iter().position(has).zip(cells.iter().rposition(has));
    match places {
        Some((first, second)) if second - first + 2 <= room => first.saturating_sub(1).min(last),
        Some((_, second)) => (second + 2).saturating_sub(room).min(last),
        None => {
            let after = cells.iter().position(|cell| cell.record.is_some_and(|it| it > record));
            after.map_or(last, |after| after.saturating_sub(room / 2).min(last))
        }
    }
}

fn cell_box(svg: &mut Svg, cell: &CellView, x: i32, y: i32, veiled: bool) {
    if cell.kind.is_control() {
        let class = if cell.kind == CellKind::AbortMarker { "u" } else { "t" };
        return svg.path(class, &format!("M{} {}l10 10l-10 10l-10 -10z", x + CELL.0 / 2, y + 4));
    }
    let (shape, text) = match () {
        () if cell.kind == CellKind::Aborted => ("x", "c P"),
        () if veiled => ("v", "c"),
        () if cell.committed => ("k", "c w"),
        () => ("a", "c"),
    };
    let class = if cell.duplicate { format!("{shape} d") } else { shape.to_owned() };
    svg.rect(&class, (x, y, CELL.0, CELL.1), 5);
    if let Some(record) = cell.record {
        number(svg, text, x, y, record);
    }
}

/// From an application to the leader.
fn wire(svg: &mut Svg, view: &ClusterView, card: &Card<'_>, leader: &Card<'_>) {
    let (a, b) = (card.node.id, leader.node.id);
    let cut = view.links.iter().any(|it| it.cut && ((it.a, it.b) == (a, b) || (it.b, it.a) == (a, b)));
    let (from, to) = ends(card, leader);
    svg.path(if cut { "cut" } else { "i" }, &format!("M{} {}L{} {}", from.0, from.1, to.0, to.1));
}

fn ends(card: &Card<'_>, broker: &Card<'_>) -> ((i32, i32), (i32, i32)) {
    if card.x < broker.x {
        ((card.x + card.w, card.middle()), (broker.x, broker.middle()))
    } else {
        ((card.x, card.middle()), (broker.x + broker.w, broker.middle()))
    }
}

/// Messages that carry records, between the columns; of those that would lie on each other the first.
fn pills(svg: &mut Svg, view: &ClusterView, cards: &[Card<'_>]) {
    let place = |message: &MessageView| {
        let at = |id: u16| cards.iter().find(|card| card.node.id == id);
        let (from, to) = (at(message.from)?, at(message.to)?);
        let (app, broker_card) = if broker(from).is_some() { (to, from) } else { (from, to) };
        broker(broker_card).filter(|_| talks(app))?;
        let (one, other) = ends(app, broker_card);
        Some(((one.0 + other.0) / 2, (one.1 + other.1) / 2))
    };
    let mut taken: Vec<(i32, i32)> = Vec::new();
    let mut wanted: Vec<&MessageView> =
        view.messages.iter().map(|it| &**it).filter(|it| !it.quiet && !it.records.is_empty()).collect();
    // What hangs or is lost is what the picture is about.
    wanted.sort_by_key(|it| it.fate == MessageFate::Flying);
    for message in wanted {
        let Some((x, y)) = place(message) else { continue };
        if taken.iter().any(|it| it.0 == x && (it.1 - y).abs() < 30) {
            continue;
        }
        taken.push((x, y));
        let (shape, text) = if message.response { ("s", "c") } else { ("k", "c w") };
        svg.rect(shape, (x - 17, y - 13, 34, 26), 13);
        svg.text(text, x, y + 6, &short(&message.records));
        if message.fate != MessageFate::Flying {
            svg.path("sr", &format!("M{} {}L{} {}", x - 19, y + 14, x + 19, y - 14));
        }
    }
}

/// Of several records the first, and, where there is room, that there are more.
fn short(list: &[u32]) -> String {
    let all = records(list);
    let first = list.first().copied().unwrap_or_default();
    match all.chars().count() {
        0..=2 => all,
        _ if first < 10 => format!("{first}…"),
        _ => first.to_string(),
    }
}
