//! Who owned which partition while, as bands; and what that cost: the times when nobody read.

use crate::base::{Generation, NodeId, Time, TopicPartition, sort_short};
use crate::check::{GroupOwners, OwnedRow, Ownership, TurnKind};
use serde::Serialize;
use std::rc::Rc;

/// One group in a span of time.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct GroupLane {
    /// Which.
    pub group: Rc<str>,
    /// Its members join epochs (consumer protocol), not generations.
    pub by_epochs: bool,
    /// One for each partition.
    pub rows: Vec<OwnerRow>,
    /// Points worth a mark.
    pub marks: Vec<GroupMark>,
    /// From when on its coordinator says which state it is in, by Kafka's name.
    pub states: Vec<(u64, &'static str)>,
}

/// Who owned a partition when.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OwnerRow {
    /// `orders-0`.
    pub partition: Rc<str>,
    /// One after the other, without a gap.
    pub bands: Vec<OwnerBand>,
}

/// Owners while they were the same.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OwnerBand {
    /// From here, perhaps before the span,
    pub from_us: u64,
    /// to here, perhaps after it; none: still.
    pub to_us: Option<u64>,
    /// None: nobody reads. More than one: a member that does not know yet that it was thrown out.
    pub owners: Vec<u16>,
    /// Nobody reads, and nobody ever has: the group has yet to begin.
    pub before: bool,
}

/// A point on the lane of a group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct GroupMark {
    /// When.
    pub at_us: u64,
    /// Which member.
    pub node: u16,
    /// What.
    pub kind: GroupMarkKind,
    /// Which generation it joined; 0 where there is none.
    pub generation: Generation,
}

/// What a mark on such a lane says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupMarkKind {
    /// It is in a generation.
    Joined,
    /// It found that it was thrown out.
    Lost,
    /// It left.
    Left,
}

/// A time in which the group did not read everything: gaps of partitions that overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stop {
    /// From here
    pub from_us: u64,
    /// to here, or to now.
    pub to_us: u64,
    /// It is not over.
    pub open: bool,
    /// How many partitions nobody read for a while.
    pub partitions: usize,
    /// The longest of their gaps.
    pub longest_us: u64,
    /// All of their gaps.
    pub total_us: u64,
}

impl OwnerBand {
    /// How long it lasted until now.
    pub fn lasted_us(&self, now_us: u64) -> u64 {
        self.to_us.unwrap_or(now_us.max(self.from_us)) - self.from_us
    }

    /// Nobody reads although the group has begun.
    pub fn is_gap(&self) -> bool {
        self.owners.is_empty() && !self.before
    }
}

impl GroupLane {
    /// When it did not read everything, one time after the other.
    pub fn stops(&self, now_us: u64) -> Vec<Stop> {
        let gaps = self.rows.iter().enumerate();
        let gaps = gaps.flat_map(|(row, it)| it.bands.iter().filter(|band| band.is_gap()).map(move |band| (row, band)));
        let mut gaps: Vec<(usize, &OwnerBand)> = gaps.collect();
        sort_short(&mut gaps, |a, b| (a.1.from_us, a.0) < (b.1.from_us, b.0));
        let mut stops: Vec<Stop> = Vec::new();
        let mut rows = Vec::new();
        for (row, gap) in gaps {
            let (from_us, to_us, lasted) = (gap.from_us, gap.to_us.unwrap_or(now_us), gap.lasted_us(now_us));
            if stops.last().is_none_or(|last| from_us > last.to_us) {
                rows.clear();
                stops.push(Stop { from_us, to_us, open: false, partitions: 0, longest_us: 0, total_us: 0 });
            }
            let Some(stop) = stops.last_mut() else { continue };
            if !rows.contains(&row) {
                rows.push(row);
            }
            *stop = Stop {
                from_us: stop.from_us,
                to_us: stop.to_us.max(to_us),
                open: stop.open || gap.to_us.is_none(),
                partitions: rows.len(),
                longest_us: stop.longest_us.max(lasted),
                total_us: stop.total_us + lasted,
            };
        }
        stops
    }
}

/// The lanes from one moment to another. One member that has one partition has nothing to share, and no lane.
pub fn owner_lanes(
    ownership: &Ownership,
    from: Time,
    to: Time,
    name: impl Fn(TopicPartition) -> Rc<str>,
) -> Vec<GroupLane> {
    let shared = ownership.groups().iter().filter(|it| it.members.len() > 1 || it.rows.len() > 1);
    shared.map(|it| lane(it, from, to, &name)).collect()
}

fn lane(owners: &GroupOwners, from: Time, to: Time, name: &dyn Fn(TopicPartition) -> Rc<str>) -> GroupLane {
    let owned = |row: &OwnedRow| row.changes.iter().find(|(_, owners)| !owners.is_empty()).map(|(at, _)| *at);
    let begins = owners.rows.values().filter_map(owned).min();
    let rows = owners
        .rows
        .iter()
        .map(|(partition, row)| OwnerRow { partition: name(*partition), bands: bands(row, from, to, begins) });
    let turns = owners.turns.iter().filter(|it| it.at >= from && it.at <= to);
    let marks = turns.map(|it| {
        let (kind, generation) = match it.kind {
            TurnKind::Joined(generation) => (GroupMarkKind::Joined, generation),
            TurnKind::Lost => (GroupMarkKind::Lost, 0),
            TurnKind::Left => (GroupMarkKind::Left, 0),
        };
        GroupMark { at_us: it.at.us_since_origin(), node: it.node.0, kind, generation }
    });
    GroupLane {
        group: Rc::clone(&owners.group),
        by_epochs: owners.by_epochs,
        rows: rows.collect(),
        marks: marks.collect(),
        states: owners.states.iter().map(|(at, state)| (at.us_since_origin(), state.name())).collect(),
    }
}

/// The bands of a row that lie in the span, each in its whole length.
fn bands(row: &OwnedRow, from: Time, to: Time, begins: Option<Time>) -> Vec<OwnerBand> {
    let ends = row.changes.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
    let spans =
        row.changes.iter().zip(ends).filter(|((since, _), end)| *since <= to && end.is_none_or(|end| end > from));
    // Bands of the same owners are one.
    let mut bands: Vec<OwnerBand> = Vec::new();
    for ((since, owners), end) in spans {
        let to_us = end.map(Time::us_since_origin);
        let owners: Vec<u16> = owners.iter().map(|NodeId(node)| *node).collect();
        let before = owners.is_empty() && begins.is_none_or(|begins| *since < begins);
        match bands.last_mut().filter(|last| last.owners == owners && last.before == before) {
            Some(last) => last.to_us = to_us,
            None => bands.push(OwnerBand { from_us: since.us_since_origin(), to_us, owners, before }),
        }
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(changes: &[(u64, &[u16])]) -> OwnedRow {
        let change = |it: &(u64, &[u16])| (Time::from_origin_us(it.0), it.1.iter().map(|node| NodeId(*node)).collect());
        OwnedRow { changes: changes.iter().map(change).collect() }
    }

    fn shown(row: &OwnedRow, from: u64, to: u64, begins: u64) -> Vec<OwnerBand> {
        bands(row, Time::from_origin_us(from), Time::from_origin_us(to), Some(Time::from_origin_us(begins)))
    }

    fn group(rows: &[OwnedRow], begins: u64) -> GroupLane {
        let rows =
            rows.iter().map(|it| OwnerRow { partition: "orders-0".into(), bands: shown(it, 0, u64::MAX / 2, begins) });
        GroupLane {
            group: "mail".into(),
            by_epochs: false,
            rows: rows.collect(),
            marks: Vec::new(),
            states: Vec::new(),
        }
    }

    #[test]
    fn a_gap_that_reaches_out_of_the_span_keeps_its_length() {
        let row = row(&[(0, &[]), (100, &[7]), (200, &[]), (900, &[8])]);
        let seen = shown(&row, 300, 400, 100);
        assert_eq!(seen, [OwnerBand { from_us: 200, to_us: Some(900), owners: vec![], before: false }]);
        assert_eq!(seen[0].lasted_us(400), 700);
    }

    #[test]
    fn before_its_first_assignment_a_group_does_not_pause() {
        let lane = group(&[row(&[(0, &[]), (100, &[7])]), row(&[(0, &[]), (100, &[7])])], 100);
        assert!(lane.rows[0].bands[0].before && lane.stops(500).is_empty());
    }

    #[test]
    fn gaps_that_overlap_are_one_stop() {
        let one = row(&[(0, &[7]), (200, &[]), (260, &[7]), (500, &[]), (520, &[7])]);
        let other = row(&[(0, &[8]), (210, &[]), (300, &[7]), (600, &[])]);
        let stops = group(&[one, other], 0).stops(1_000);
        let stop = |from_us, to_us, open, partitions, longest_us, total_us| Stop {
            from_us,
            to_us,
            open,
            partitions,
            longest_us,
            total_us,
        };
        assert_eq!(stops[0], stop(200, 300, false, 2, 90, 150));
        assert_eq!(stops[1..], [stop(500, 520, false, 1, 20, 20), stop(600, 1_000, true, 1, 400, 400)]);
    }
}
