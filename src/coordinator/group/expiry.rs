//! Offsets that nobody commits any more, and groups without members and offsets, are forgotten (`cleanupGroupMetadata`).
//!
//! An offset is kept for `offsets.retention.minutes`: from when its group became empty if that ever had members, else from
//! the commit (KIP-211). What a live group subscribes to never expires, nor what an open transaction is about to replace.

use super::GroupShard;
use super::offset_records::{OffsetKey, offset_tombstone};
use super::offsets::OffsetsShard;
use crate::base::{Duration, SortedSet, Time};
use crate::coordinator::CoordinatorRecord;
use std::rc::Rc;

/// Which of a group's offsets may expire.
pub(super) struct ExpiryRule {
    /// Milliseconds on the wall clock from which the retention counts; from the commit if there is none.
    pub since: Option<i64>,
    /// The topics of which offsets stay; none for all.
    pub subscribed: Option<SortedSet<Rc<str>>>,
}

impl GroupShard {
    /// The records that forget what has expired.
    pub fn cleanup(&self, retention: Duration, now: Time) -> Vec<CoordinatorRecord> {
        let mut records = Vec::new();
        for id in self.ids().iter() {
            if let Some(group) = self.consumers.group(id) {
                let rule = ExpiryRule { since: None, subscribed: Some(group.subscribed_topics()) };
                if self.offsets.expire(id, Some(rule), retention, now, &mut records) && group.members().len() == 0 {
                    records.extend(group.tombstones());
                }
                continue;
            }
            let group = self.groups.group(id);
            let rule = match group {
                Some(group) => group.expiry_rule(),
                None => Some(ExpiryRule { since: None, subscribed: Some(SortedSet::new()) }),
            };
            if self.offsets.expire(id, rule, retention, now, &mut records) && group.is_none_or(|it| it.is_empty()) {
                records.push(super::classic::group_tombstone(id));
            }
        }
        records
    }
}

impl OffsetsShard {
    /// Forgets the offsets of a group that have expired; whether none is left.
    fn expire(
        &self,
        group: &Rc<str>,
        rule: Option<ExpiryRule>,
        retention: Duration,
        now: Time,
        records: &mut Vec<CoordinatorRecord>,
    ) -> bool {
        let nothing_pending = || self.pending.iter().all(|(_, key, _)| key.group != *group);
        let Some(offsets) = self.groups.get(group) else { return nothing_pending() };
        let Some(rule) = rule else { return false };
        let (now, retention, mut all) = (now.wall_clock_ms(), retention.as_millis() as i64, true);
        for ((topic, partition), stored) in offsets.iter() {
            let offset = &stored.value;
            let expired = match offset.expire_timestamp {
                Some(at) => now >= at,
                None => now - rule.since.unwrap_or(offset.commit_timestamp) >= retention,
            };
            let key = OffsetKey { group: group.clone(), topic: topic.clone(), partition: *partition };
            let subscribed = rule.subscribed.as_ref().is_none_or(|topics| topics.contains(topic));
            if expired && !subscribed && !self.pending.contains(&key) {
                records.push(offset_tombstone(&key));
            } else {
                all = false;
            }
        }
        all && nothing_pending()
    }
}

#[cfg(test)]
#[path = "expiry_tests.rs"]
mod tests;
