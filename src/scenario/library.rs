//! The library: scenarios that come with the Lab, one JSON file each.

use super::format::Scenario;
use super::parse::parse;

/// The files, in the order of the library.
const FILES: &[(&str, &str)] = &[
    ("fire-and-forget", include_str!("library/fire-and-forget.json")),
    ("leader-only-ack", include_str!("library/leader-only-ack.json")),
    ("all-is-not-all", include_str!("library/all-is-not-all.json")),
    ("durability-refuses", include_str!("library/durability-refuses.json")),
    ("error-but-appended", include_str!("library/error-but-appended.json")),
    ("unclean-election", include_str!("library/unclean-election.json")),
    ("lost-ack", include_str!("library/lost-ack.json")),
    ("reordering", include_str!("library/reordering.json")),
    ("silent-downgrade", include_str!("library/silent-downgrade.json")),
    ("restart-resend", include_str!("library/restart-resend.json")),
    ("forgotten-producer", include_str!("library/forgotten-producer.json")),
    ("commit-first", include_str!("library/commit-first.json")),
    ("commit-after", include_str!("library/commit-after.json")),
    ("auto-commit-truth", include_str!("library/auto-commit-truth.json")),
    ("slow-handler", include_str!("library/slow-handler.json")),
    ("rebalance-styles", include_str!("library/rebalance-styles.json")),
    ("born-too-late", include_str!("library/born-too-late.json")),
    ("aborted-but-read", include_str!("library/aborted-but-read.json")),
    ("blocked-behind-lso", include_str!("library/blocked-behind-lso.json")),
    ("offset-gaps", include_str!("library/offset-gaps.json")),
    ("zombie-fencing", include_str!("library/zombie-fencing.json")),
    ("bad-transactional-id", include_str!("library/bad-transactional-id.json")),
    ("read-process-write", include_str!("library/read-process-write.json")),
    ("late-end-txn", include_str!("library/late-end-txn.json")),
    ("side-effects", include_str!("library/side-effects.json")),
    ("share-group", include_str!("library/share-group.json")),
    ("last-replica-standing", include_str!("library/last-replica-standing.json")),
    ("rolling-restart", include_str!("library/rolling-restart.json")),
    ("gc-pause-leader", include_str!("library/gc-pause-leader.json")),
    ("one-way-cut", include_str!("library/one-way-cut.json")),
    ("torn-tail", include_str!("library/torn-tail.json")),
    ("disk-full", include_str!("library/disk-full.json")),
    ("clock-skew-retention", include_str!("library/clock-skew-retention.json")),
    ("controller-failover", include_str!("library/controller-failover.json")),
];

/// The ids, in order.
pub fn ids() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(id, _)| *id)
}

/// The scenario with that id.
pub fn get(id: &str) -> Option<Scenario> {
    let (_, text) = FILES.iter().find(|(known, _)| *known == id)?;
    Some(parse(text).unwrap_or_else(|mistakes| panic!("invariant: the library reads, but {id} has {mistakes:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{parse_value, to_json};

    #[test]
    fn every_file_reads_names_itself_and_survives_a_round_trip() {
        for id in ids() {
            let scenario = get(id).expect("it is listed");
            assert_eq!(scenario.id.as_deref(), Some(id));
            let about = scenario.about.clone().expect("the library explains itself");
            for text in [&about.title, &about.question, &about.watch] {
                assert!(!text.en.is_empty() && !text.ko.is_empty(), "{id}: a text is missing");
            }
            assert_eq!(parse_value(to_json(&scenario)), Ok(scenario));
        }
    }
}
