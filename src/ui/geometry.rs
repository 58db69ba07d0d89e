//! Where things stand on the stage: one CSS pixel is one unit, so that text keeps its size at every width.
//!
//! Wide: producers, brokers and consumers in three columns. Narrow: one below the other, with the wires in gutters at
//! the sides. Nothing here draws.

use delivery_lab::view::{BrokerView, ConsumerView, NodeBody, NodeView, PartitionView, ProcessorView};
use std::rc::Rc;

/// Below this the stage is one column.
pub const NARROW: f64 = 780.0;
/// The same in a figure of another page.
const NARROW_FIGURE: f64 = 680.0;
/// A cell's height, its pitch beyond its width, and the height of a partition's strip in both densities.
pub const CELL: f64 = 24.0;
pub const CELL_GAP: f64 = 3.0;
pub const STRIP: f64 = 72.0;
pub const STRIP_DENSE: f64 = 30.0;
/// A broker's title.
pub const HEAD: f64 = 34.0;
/// The label before a dense strip.
pub const DENSE_LABEL: f64 = 118.0;

const MARGIN: f64 = 10.0;
pub const GAP: f64 = 14.0;
const SIDE: f64 = 186.0;
const SLIM: f64 = 164.0;
const GUTTER: f64 = 36.0;

/// A box on the stage.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Area {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

/// A wire: a cubic Bézier curve from the first to the last point.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wire {
    pub a: u16,
    pub b: u16,
    pub curve: [(f64, f64); 4],
    /// Between brokers, or to a controller.
    pub inner: bool,
}

/// How a node's card is drawn.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CardShape {
    pub area: Area,
    pub dense: bool,
    /// A reader among many says less.
    pub compact: bool,
    /// How many cells of a log fit.
    pub cells: usize,
    pub cell_width: f64,
}

/// The whole stage.
#[derive(Clone, PartialEq, Debug)]
pub struct Stage {
    pub width: f64,
    pub height: f64,
    pub narrow: bool,
    /// By node id.
    pub cards: Vec<CardShape>,
    pub wires: Vec<Wire>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Producers,
    Brokers,
    Consumers,
    Controllers,
    Processors,
    Sinks,
}

fn column(node: &NodeView) -> Column {
    match node.body {
        NodeBody::Broker(_) => Column::Brokers,
        NodeBody::Controller(_) => Column::Controllers,
        NodeBody::Producer(_) => Column::Producers,
        NodeBody::Consumer(_) => Column::Consumers,
        NodeBody::Processor(_) => Column::Processors,
        NodeBody::Sink(_) => Column::Sinks,
    }
}

/// The partitions that the stage shows: internal ones are in the inspector.
pub fn shown(broker: &BrokerView) -> impl Iterator<Item = &Rc<PartitionView>> {
    broker.partitions.iter().filter(|partition| !partition.internal)
}

/// How wide a cell must be for the largest record number.
pub fn cell_width(largest: u32) -> f64 {
    match largest {
        0..=999 => 24.0,
        1_000..=9_999 => 32.0,
        _ => 44.0,
    }
}

/// Sinks show so many rows of cells.
pub const fn sink_rows(compact: bool) -> usize {
    if compact { 1 } else { 2 }
}

/// How tall a sink is: its title, and its rows.
pub fn sink_height(compact: bool) -> f64 {
    if compact { 68.0 } else { 34.0 + 42.0 * sink_rows(compact) as f64 }
}

/// What is between a reader and its sink.
pub const fn sink_gap(compact: bool) -> f64 {
    if compact { 8.0 } else { GAP }
}

/// How many cells fit into so much width.
pub fn fit(width: f64, cell: f64) -> usize {
    ((width + CELL_GAP) / (cell + CELL_GAP)).floor().max(1.0) as usize
}

/// What a consumer may read, where that matters.
pub fn isolation(it: &ConsumerView) -> impl Iterator<Item = &(Rc<str>, Rc<str>, bool)> {
    it.settings.iter().filter(|(key, _, _)| &**key == "isolation.level")
}

/// How many lines the positions of a reader take, with its membership and what it may read.
fn reader_lines(it: &ConsumerView) -> usize {
    let positions = if it.positions.len() == 1 { 2 } else { it.positions.len().clamp(1, 4) };
    positions + isolation(it).count() + usize::from(it.group.is_some())
}

/// The first line of a reader's card, and what is between two.
pub const fn reader_rows(compact: bool) -> (f64, f64) {
    if compact { (42.0, 16.0) } else { (50.0, 18.0) }
}

/// Where the sink's card begins, below its consumer's.
pub fn consumer_height(it: &ConsumerView, compact: bool) -> f64 {
    let (first, step) = reader_rows(compact);
    // Among many its membership stands beside its name, and how it shares goes without saying.
    let elsewhere = if compact { usize::from(it.group.is_some()) + usize::from(it.share) } else { 0 };
    first + step * reader_lines(it).saturating_sub(elsewhere) as f64 + if compact { 48.0 } else { 56.0 }
}

/// Whether there are so many readers that each must be small: decided by what does not change in a run.
fn crowded(nodes: &[Rc<NodeView>]) -> bool {
    let readers = nodes.iter().filter_map(|node| if let NodeBody::Consumer(it) = &node.body { Some(it) } else { None });
    readers.clone().count() > 2 || readers.filter(|it| it.sink.is_some()).count() > 1
}

/// A processor's card, without the external system behind it.
pub fn processor_height(it: &ProcessorView) -> f64 {
    let transactional = if it.writer.manager.is_some() { 3.0 * 18.0 + 12.0 } else { 0.0 };
    148.0 + 18.0 * (reader_lines(&it.reader) as f64 + 1.0) + transactional
}

/// The height of the cards of a quorum, and what is between them.
const QUORUM: f64 = 48.0;
const BETWEEN: f64 = 8.0;

fn height(node: &NodeView, dense: bool, compact: bool) -> f64 {
    let with_sink = |is: bool, compact| if is { sink_gap(compact) + sink_height(compact) } else { 0.0 };
    match &node.body {
        NodeBody::Producer(it) => {
            // A transactional one has two lines more, and room for being fenced.
            let transactional = if it.manager.is_some() { 2.0 * 18.0 + 12.0 } else { 0.0 };
            110.0 + 18.0 * (it.settings.len().min(6) as f64 + 2.0) + transactional
        }
        NodeBody::Consumer(it) => consumer_height(it, compact) + with_sink(it.sink.is_some(), compact),
        NodeBody::Processor(it) => processor_height(it) + with_sink(it.sink.is_some(), false),
        NodeBody::Sink(_) => sink_height(false) + 26.0,
        NodeBody::Controller(_) => 34.0,
        NodeBody::Broker(it) => {
            let strips = shown(it).count().max(1) as f64;
            HEAD + strips * if dense { STRIP_DENSE } else { STRIP } + if dense { 10.0 } else { 4.0 }
        }
    }
}

/// Lays the nodes out in so much width. In a figure columns are kept for longer, and those at the sides are slimmer.
pub fn lay_out(nodes: &[Rc<NodeView>], largest_record: u32, width: f64, figure: bool) -> Stage {
    let slim = figure && width < NARROW;
    let narrow = width < if figure { NARROW_FIGURE } else { NARROW };
    let (column_w, least_gap) = if slim { (SLIM, 40.0) } else { (SIDE, 56.0) };
    let strips = nodes.iter().filter_map(|node| match &node.body {
        NodeBody::Broker(it) => Some(shown(it).count()),
        _ => None,
    });
    let dense = strips.clone().max().unwrap_or(0) > 2 || strips.sum::<usize>() > 9;
    let compact = crowded(nodes);
    let tall = |id: usize| height(&nodes[id], dense, compact);
    let ids = |which: Column| (0..nodes.len()).filter(move |id| column(&nodes[*id]) == which);
    let mut areas = vec![Area::default(); nodes.len()];
    let stack = |areas: &mut [Area], which: Column, x: f64, w: f64, top: f64| -> f64 {
        let mut y = top;
        for id in ids(which) {
            let h = tall(id);
            areas[id] = Area { x, y, w, h };
            y += h + GAP;
        }
        if which == Column::Controllers && ids(which).count() > 1 {
            return row(areas, ids(which), Area { x, y: top, w, h: QUORUM });
        }
        y - GAP
    };
    let height = if narrow {
        let full = width - 2.0 * MARGIN;
        let inner = width - 2.0 * (MARGIN + GUTTER);
        let top =
            beside(&mut areas, nodes, &tall, ids(Column::Producers), Area { x: MARGIN, y: MARGIN, w: full, h: 0.0 });
        let mut y = stack(&mut areas, Column::Brokers, MARGIN + GUTTER, inner, top + 30.0) + GAP;
        y = stack(&mut areas, Column::Controllers, MARGIN + GUTTER, inner, y) + 30.0;
        let readers = ids(Column::Processors).chain(ids(Column::Consumers)).chain(ids(Column::Sinks));
        beside(&mut areas, nodes, &tall, readers, Area { x: MARGIN, y, w: full, h: 0.0 }) + MARGIN
    } else {
        let gap = ((width - 660.0) * 0.12 + least_gap).clamp(least_gap, 120.0);
        let broker_x = MARGIN + column_w + gap;
        let broker_w = width - 2.0 * broker_x;
        let mut bottom = stack(&mut areas, Column::Brokers, broker_x, broker_w, MARGIN);
        bottom = stack(&mut areas, Column::Controllers, broker_x, broker_w, bottom + GAP);
        let mut left = stack(&mut areas, Column::Producers, MARGIN, column_w, MARGIN + 8.0);
        let mut right = stack(&mut areas, Column::Consumers, width - MARGIN - column_w, column_w, MARGIN + 8.0);
        // Processors both read and write: they stand where there is room.
        for id in ids(Column::Processors) {
            let h = tall(id);
            let (side, x) = if left <= right { (&mut left, MARGIN) } else { (&mut right, width - MARGIN - column_w) };
            areas[id] = Area { x, y: *side + GAP, w: column_w, h };
            *side += GAP + h;
        }
        // A sink stands below who acts on it.
        for id in ids(Column::Sinks) {
            let x = users(&nodes[id]).first().map_or(width - MARGIN - column_w, |user| areas[*user].x);
            let h = tall(id);
            let side = if x > MARGIN { &mut right } else { &mut left };
            areas[id] = Area { x, y: *side + GAP, w: column_w, h };
            *side += GAP + h;
        }
        bottom.max(left).max(right) + MARGIN
    };
    let cell = cell_width(largest_record);
    let card = |id: usize, area: Area| {
        let inner =
            if dense && column(&nodes[id]) == Column::Brokers { area.w - 32.0 - DENSE_LABEL } else { area.w - 32.0 };
        CardShape { area, dense, compact, cells: fit(inner, cell), cell_width: cell }
    };
    let cards: Vec<CardShape> = areas.iter().enumerate().map(|(id, area)| card(id, *area)).collect();
    let wires = wires(nodes, &cards, narrow);
    Stage { width, height, narrow, cards, wires }
}

/// Cards side by side, as many as fit; returns where the last row ends below.
fn beside(
    areas: &mut [Area],
    nodes: &[Rc<NodeView>],
    tall: &dyn Fn(usize) -> f64,
    ids: impl Iterator<Item = usize>,
    within: Area,
) -> f64 {
    let ids: Vec<usize> = ids.collect();
    let fit = ((within.w + GAP) / (SIDE + 30.0 + GAP)).floor().max(1.0);
    let columns = (ids.len() as f64).clamp(1.0, fit);
    let w = (within.w - GAP * (columns - 1.0)) / columns;
    let mut y = within.y;
    for row in ids.chunks(columns as usize) {
        let mut bottom = y;
        for (at, id) in row.iter().enumerate() {
            let h = tall(*id);
            areas[*id] = Area { x: within.x + at as f64 * (w + GAP), y, w, h };
            bottom = f64::max(bottom, y + h);
        }
        for id in row.iter().filter(|id| column(&nodes[**id]) == Column::Producers) {
            areas[*id].h = bottom - y;
        }
        y = bottom + GAP;
    }
    (y - GAP).max(within.y)
}

/// A quorum stands side by side; returns where it ends below.
fn row(areas: &mut [Area], ids: impl Iterator<Item = usize> + Clone, within: Area) -> f64 {
    let count = ids.clone().count() as f64;
    let w = (within.w - BETWEEN * (count - 1.0)) / count;
    for (at, id) in ids.enumerate() {
        areas[id] = Area { x: within.x + at as f64 * (w + BETWEEN), w, ..within };
    }
    within.y + within.h
}

fn wires(nodes: &[Rc<NodeView>], cards: &[CardShape], narrow: bool) -> Vec<Wire> {
    let mut wires = Vec::new();
    for a in 0..nodes.len() {
        for b in a + 1..nodes.len() {
            let (from, to) = (column(&nodes[a]), column(&nodes[b]));
            let (one, other) = (cards[a].area, cards[b].area);
            let (curve, inner) = match (from, to) {
                (Column::Brokers, Column::Producers) => (flip(producer_wire(other, one, narrow)), false),
                (Column::Brokers, Column::Processors) if !narrow && other.x < one.x => {
                    (flip(producer_wire(other, one, narrow)), false)
                }
                (Column::Brokers, Column::Consumers | Column::Processors) => (consumer_wire(one, other, narrow), false),
                (Column::Brokers, Column::Controllers) if in_row(nodes, cards, b) => (quorum_wire(one, other), true),
                (Column::Brokers, Column::Brokers | Column::Controllers) => (inner_wire(one, other, b - a), true),
                (Column::Controllers, Column::Controllers) => (below(one, other), true),
                (_, Column::Sinks) if users(&nodes[b]).contains(&a) => (sink_wire(one, other), false),
                _ => continue,
            };
            wires.push(Wire { a: a as u16, b: b as u16, curve, inner });
        }
    }
    wires
}

/// The applications that act on a sink.
fn users(node: &NodeView) -> Vec<usize> {
    let users = if let NodeBody::Sink(it) = &node.body { it.users.as_slice() } else { &[] };
    users.iter().map(|user| usize::from(*user)).collect()
}

/// Straight down to a sink that stands right below, else around what is between.
fn sink_wire(app: Area, sink: Area) -> [(f64, f64); 4] {
    let (end, bottom) = ((sink.x + sink.w * 0.5, sink.y), app.y + app.h);
    if app.x != sink.x || sink.y - bottom <= GAP + 1.0 {
        let start = (app.x + app.w * 0.5, bottom);
        return [start, (start.0, start.1 + 12.0), (end.0, end.1 - 12.0), end];
    }
    let (start, end) = ((app.x, bottom - 24.0), (sink.x, sink.y + 18.0));
    [start, (start.0 - 26.0, start.1 + 20.0), (end.0 - 26.0, end.1 - 20.0), end]
}

fn flip(curve: [(f64, f64); 4]) -> [(f64, f64); 4] {
    let [a, b, c, d] = curve;
    [d, c, b, a]
}

fn producer_wire(producer: Area, broker: Area, narrow: bool) -> [(f64, f64); 4] {
    let end = (broker.x, broker.y + broker.h * 0.5);
    if narrow {
        let start = (producer.x + 16.0, producer.y + producer.h);
        // From wherever it stands into the gutter, and down.
        let gutter = MARGIN + 16.0;
        return [start, (gutter, start.1 + 20.0), (gutter - 2.0, end.1 - 10.0), end];
    }
    let start = (producer.x + producer.w, producer.y + (producer.h * 0.42).min(96.0));
    let bend = (end.0 - start.0) * 0.5;
    [start, (start.0 + bend, start.1), (end.0 - bend, end.1), end]
}

fn consumer_wire(broker: Area, consumer: Area, narrow: bool) -> [(f64, f64); 4] {
    let start = (broker.x + broker.w, broker.y + broker.h * 0.5);
    if narrow {
        let end = (consumer.x + consumer.w - 16.0, consumer.y);
        let gutter = broker.x + broker.w + GUTTER - 16.0;
        // Down the gutter, and to wherever it stands.
        let low = if end.0 < broker.x + broker.w { end.1 - 60.0 } else { start.1 + 10.0 };
        return [start, (gutter + 2.0, low), (gutter, end.1 - 20.0), end];
    }
    let end = (consumer.x, consumer.y + 60.0);
    let bend = (end.0 - start.0) * 0.5;
    [start, (start.0 + bend, start.1), (end.0 - bend, end.1), end]
}

fn inner_wire(a: Area, b: Area, apart: usize) -> [(f64, f64); 4] {
    let bulge = 22.0 + 10.0 * apart.min(4) as f64;
    let (start, end) = ((a.x, a.y + a.h * 0.72), (b.x, b.y + b.h * 0.3));
    [start, (start.0 - bulge, start.1 + 14.0), (end.0 - bulge, end.1 - 14.0), end]
}

/// Whether a controller stands beside others.
fn in_row(nodes: &[Rc<NodeView>], cards: &[CardShape], id: usize) -> bool {
    let beside = |other: usize| column(&nodes[other]) == Column::Controllers && cards[other].area.y == cards[id].area.y;
    (0..nodes.len()).any(|other| other != id && beside(other))
}

/// Around the brokers, and in from below.
fn quorum_wire(broker: Area, controller: Area) -> [(f64, f64); 4] {
    let start = (broker.x, broker.y + broker.h * 0.72);
    let end = (controller.x + controller.w * 0.5, controller.y + controller.h);
    [start, (start.0 - 40.0, start.1 + 30.0), (broker.x - 40.0, end.1 + 24.0), end]
}

fn below(a: Area, b: Area) -> [(f64, f64); 4] {
    let (start, end) = ((a.x + a.w * 0.5, a.y + a.h), (b.x + b.w * 0.5, b.y + b.h));
    [start, (start.0, start.1 + 18.0), (end.0, end.1 + 18.0), end]
}

impl Wire {
    /// The point at a share of the way from `a` to `b`.
    pub fn at(&self, share: f64) -> (f64, f64) {
        let t = share.clamp(0.0, 1.0);
        let u = 1.0 - t;
        let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
        let mut point = (0.0, 0.0);
        for (weight, (x, y)) in weights.iter().zip(self.curve) {
            point.0 += weight * x;
            point.1 += weight * y;
        }
        point
    }

    /// The SVG path.
    pub fn path(&self) -> String {
        let [a, b, c, d] = self.curve;
        format!("M{:.1} {:.1} C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}", a.0, a.1, b.0, b.1, c.0, c.1, d.0, d.1)
    }
}

impl Stage {
    /// The wire between two nodes, and whether it runs from the first to the second.
    pub fn wire(&self, from: u16, to: u16) -> Option<(&Wire, bool)> {
        self.wires.iter().find_map(|wire| match (wire.a, wire.b) {
            (a, b) if a == from && b == to => Some((wire, true)),
            (a, b) if a == to && b == from => Some((wire, false)),
            _ => None,
        })
    }
}
