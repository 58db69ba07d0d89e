//! The most telling moment of a run.
//!
//! Where records broke it is the moment at which the first of them did; in a run without a break the one with the most to
//! see: dead or paused nodes, clients in trouble, transactions, messages on their way.

use crate::scenario::{Mistake, Scenario};
use crate::session::{Command, Session};
use crate::tell::lines::{Line, names};
use crate::tell::why::{Why, accused, why};
use crate::view::{Activity, CellKind, ClusterView, MessageFate, NodeBody, NodeStatus, hidden};
use std::rc::Rc;

/// So many moments are looked at.
const LOOKS: u64 = 96;

/// What was seen of a run.
pub(super) struct Observed {
    /// At the moment.
    pub view: Rc<ClusterView>,
    /// At the end; none if it did not run.
    pub end: Option<Rc<ClusterView>>,
    /// The first record that broke.
    pub record: Option<u32>,
    /// Why it did.
    pub why: Option<Why>,
}

/// Before anything has happened.
pub(super) fn beginning(scenario: Scenario) -> Result<Observed, Vec<Mistake>> {
    let mut session = Session::new(scenario)?;
    session.dispatch(Command::SeekTime(0))?;
    Ok(Observed { view: session.view(), end: None, record: None, why: None })
}

/// Runs it, and goes back to the moment.
pub(super) fn observe(scenario: Scenario) -> Result<Observed, Vec<Mistake>> {
    let mut session = Session::new(scenario)?;
    session.dispatch(Command::SeekTime(0))?;
    let first = session.position();
    while session.next_us().is_some() {
        session.dispatch(Command::Advance { until_us: u64::MAX / 4, max_events: 10_000 })?;
    }
    let (end, last) = (session.view(), session.position());
    let record = accused(&end).and_then(|(_, list)| list.first().copied());
    let why = record.and_then(|record| reason(&mut session, &end, record));
    let moment = match record {
        Some(record) => breaks(&mut session, record, first, last)?,
        None => most_to_see(&mut session, first, last)?,
    };
    session.dispatch(Command::SeekEvent(moment))?;
    Ok(Observed { view: session.view(), end: Some(end), record, why })
}

/// Why a record ended as it did, as the page says it.
fn reason(session: &mut Session, end: &ClusterView, record: u32) -> Option<Why> {
    let names = names(end);
    let row = end.ledger.rows.get(record as usize)?;
    let story = session.story(record);
    let story: Vec<Line> = story.into_iter().map(|event| Line::new(event, session, &names)).collect();
    why(row, &story)
}

/// The first position at which a record's row says what it says in the end.
fn breaks(session: &mut Session, record: u32, first: u64, last: u64) -> Result<u64, Vec<Mistake>> {
    let mut status = |at: u64| -> Result<_, Vec<Mistake>> {
        session.dispatch(Command::SeekEvent(at))?;
        Ok(session.view().ledger.rows.get(record as usize).map(|row| row.status))
    };
    let fate = status(last)?;
    let (mut before, mut after) = (first, last);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        if status(middle)? == fate { after = middle } else { before = middle }
    }
    Ok(after)
}

fn most_to_see(session: &mut Session, first: u64, last: u64) -> Result<u64, Vec<Mistake>> {
    let mut best = (0, first);
    for look in 1..=LOOKS {
        let at = first + (last - first) * look / LOOKS;
        session.dispatch(Command::SeekEvent(at))?;
        let interest = interest(&session.view());
        if interest > best.0 {
            best = (interest, at);
        }
    }
    Ok(best.1)
}

/// How much there is to see.
fn interest(view: &ClusterView) -> usize {
    let nodes = view.nodes.iter().map(|node| {
        let down = 3 * usize::from(node.status != NodeStatus::Up);
        let troubled = matches!(
            node.doing,
            Activity::Retrying { .. }
                | Activity::BackingOff { .. }
                | Activity::Failed { .. }
                | Activity::Fenced
                | Activity::ProducerFenced
                | Activity::JoiningGroup
        );
        let cells = match &node.body {
            NodeBody::Broker(it) => it.partitions.iter().filter(|it| !it.internal).map(|it| {
                let odd = |offset| hidden(it.last_stable_offset, it.high_watermark, offset);
                let odd = it.cells.iter().filter(|cell| cell.kind == CellKind::Aborted || odd(cell.offset)).count();
                odd.min(3) + it.cells.len().min(3)
            }),
            _ => return down + 3 * usize::from(troubled),
        };
        down + 3 * usize::from(troubled) + cells.max().unwrap_or(0)
    });
    let messages = view.messages.iter().filter(|it| !it.quiet && !it.records.is_empty());
    let messages = messages.map(|it| if it.fate == MessageFate::Flying { 1 } else { 3 }).sum::<usize>();
    nodes.sum::<usize>() + messages.min(6) + 2 * view.links.len().min(2)
}
