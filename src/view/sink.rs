//! External systems, projected.

use super::project::partition_name;
use super::{Activity, NodeBody};
use crate::app::{Dedupe, Sink, SinkNode};
use crate::base::NodeId;
use crate::check::Run;
use crate::sim::World;
use serde::Serialize;
use std::rc::Rc;

/// How many rows of a sink are shown.
const SINK_ROWS: usize = 64;

/// A sink: where effects happen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SinkView {
    /// `none`, `unique-key`, …; of a store with a window also that: `processed-ids · 3`.
    pub dedupe: Rc<str>,
    /// By record; the last of them.
    pub rows: Vec<SinkRow>,
    /// The applications that act on it, if it is a node of its own.
    pub users: Vec<u16>,
    /// `offset-with-output`: the next offset to read of each partition, as it is stored here.
    pub offsets: Vec<(Rc<str>, i64)>,
    /// `version`: the version of each entity, which is the number of its latest record.
    pub versions: Vec<(Rc<str>, u32)>,
}

/// One record at a sink.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SinkRow {
    /// Which.
    pub record: u32,
    /// How often its effect happened.
    pub effects: u32,
    /// How often the sink refused or ignored it.
    pub refused: u32,
    /// It happened, and its id has fallen out of the store of processed ids.
    pub forgotten: bool,
    /// It was ignored as an older version: of this entity, which had that version by then.
    pub older_than: Option<(Rc<str>, u32)>,
}

pub(super) fn sink(world: &World, sink: &Sink) -> SinkView {
    let dedupe = match sink.dedupe() {
        Dedupe::None => "none",
        Dedupe::UniqueKey => "unique-key",
        Dedupe::Version => "version",
        Dedupe::ProcessedIds => "processed-ids",
        Dedupe::OffsetWithOutput => "offset-with-output",
    };
    let recent = sink.rows().rev().take(SINK_ROWS);
    let text = |bytes: &[u8]| Rc::<str>::from(String::from_utf8_lossy(bytes));
    let rows = recent.map(|row| SinkRow {
        record: row.record.0,
        effects: row.effects,
        refused: row.refused,
        forgotten: sink.setup().has_store() && row.effects > 0 && !sink.remembers(world.now(), row.record),
        older_than: sink.ignored(row.record).map(|(entity, version)| (text(entity), version.0)),
    });
    let mut rows: Vec<_> = rows.collect();
    rows.reverse();
    // A store that forgets says after how much.
    let setup = sink.setup();
    let window = setup.has_store().then_some((setup.window_records, setup.window));
    let dedupe = match window {
        Some((Some(records), _)) => Rc::from(format!("{dedupe} · {records}")),
        Some((None, Some(span))) => Rc::from(format!("{dedupe} · {} ms", span.as_millis())),
        _ => Rc::from(dedupe),
    };
    let offsets = sink.offsets().iter().map(|(partition, offset)| (partition_name(world, *partition), *offset));
    let versions = sink.versions().iter().map(|(entity, version)| (text(entity), version.0));
    SinkView { dedupe, rows, users: Vec::new(), offsets: offsets.collect(), versions: versions.collect() }
}

/// An external system with a node of its own.
pub(super) fn sink_node(run: &Run, node: &SinkNode) -> (Activity, NodeBody) {
    let setup = run.world.setup();
    let at = |sink_node: Option<NodeId>| sink_node == Some(node.setup().node);
    let consumers = setup.consumers.iter().filter(|app| at(app.sink_node)).map(|app| app.node.0);
    let processors = setup.processors.iter().filter(|app| at(app.sink_node)).map(|app| app.node.0);
    let users = consumers.chain(processors).collect();
    let doing = if node.replying() > 0 { Activity::Replying } else { Activity::Idle };
    (doing, NodeBody::Sink(SinkView { users, ..sink(&run.world, node.table()) }))
}
