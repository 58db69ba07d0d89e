//! Patterns of topics that the coordinator evaluates for members (`SubscribedTopicRegex`).
//!
//! A heartbeat only says that patterns are to be resolved; what they match is a record of its own, after that of the
//! heartbeat, and the group's epoch moves when it differs. All patterns of a group are resolved together, at most every
//! 10 s: when one is new, when there are new topics, or after ten minutes.
//!
//! In Kafka: `GroupMetadataManager.maybeUpdateRegularExpressions`, `handleRegularExpressionsResult`, `TopicRegexResolver`.
//! Departure: resolving takes no time.

use super::group::ConsumerGroup;
use super::record::{ConsumerGroupKey as Key, GroupValue, group_record, regex_record};
use super::{ConsumerGroupMember, ConsumerGroups, Surroundings, metadata_hash};
use crate::base::{Offset, Pattern, SortedMap, SortedSet, TopicId};
use crate::coordinator::CoordinatorRecord;
use crate::metadata::MetadataImage;
use crate::protocol::ErrorCode;
use std::rc::Rc;

/// Milliseconds between two resolutions, at least (`REGEX_BATCH_REFRESH_MIN_INTERVAL_MS`).
const MIN_INTERVAL_MS: i64 = 10_000;

/// After so long they are looked at again in any case (`group.consumer.regex.refresh.interval.ms`, an internal setting).
const REFRESH_INTERVAL_MS: i64 = 600_000;

/// What a pattern matches (`ResolvedRegularExpression`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ResolvedRegex {
    /// By name.
    pub topics: SortedSet<Rc<str>>,
    /// Of the metadata in which it was looked for.
    pub version: Offset,
    /// When, milliseconds on the wall clock.
    pub timestamp: i64,
}

/// By pattern.
pub(super) type ResolvedRegexes = Rc<SortedMap<Rc<str>, ResolvedRegex>>;

/// What a heartbeat changes about patterns (`UpdateRegularExpressionStatus`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RegexUpdate {
    Unchanged,
    /// To one that is yet to be resolved.
    Changed,
    /// To none, or to one that is resolved: the assignment changes at once.
    Resolved,
}

impl ConsumerGroupMember {
    /// Its pattern, if it has one.
    pub(super) fn regex(&self) -> Option<&Rc<str>> {
        self.subscribed_regex.as_ref().filter(|regex| !regex.is_empty())
    }
}

impl ConsumerGroup {
    /// The patterns of its members that are resolved.
    pub fn regexes(&self) -> &SortedMap<Rc<str>, ResolvedRegex> {
        &self.regexes
    }

    fn subscribers(&self, regex: &str) -> usize {
        self.members.values().filter(|member| member.regex().is_some_and(|it| **it == *regex)).count()
    }

    /// The names that a member reads: those of its subscription, and what its pattern matches as far as known.
    pub(super) fn topic_names(&self, member: &ConsumerGroupMember) -> SortedSet<Rc<str>> {
        topic_names([member].into_iter(), &self.regexes)
    }

    /// The topics that it reads and that exist.
    pub(super) fn topic_ids(&self, member: &ConsumerGroupMember, image: &MetadataImage) -> SortedSet<TopicId> {
        self.topic_names(member).iter().filter_map(|name| image.topic_id(name)).collect()
    }

    /// The hash of all that these members read.
    pub(super) fn hash_of<'a>(
        &self,
        members: impl Iterator<Item = &'a ConsumerGroupMember>,
        image: &MetadataImage,
    ) -> i64 {
        metadata_hash::metadata_hash(topic_names(members, &self.regexes).iter(), image)
    }

    /// Forgets a pattern that nobody has any more, and says whether the member has another one now. A new one must be one.
    pub(super) fn update_regex(
        &self,
        member: &ConsumerGroupMember,
        updated: &ConsumerGroupMember,
        records: &mut Vec<CoordinatorRecord>,
    ) -> Result<RegexUpdate, ErrorCode> {
        if member.subscribed_regex == updated.subscribed_regex {
            return Ok(RegexUpdate::Unchanged);
        }
        if let Some(old) = member.regex().filter(|regex| self.subscribers(regex) == 1) {
            records.push(Key::Regex(self.id.clone(), old.clone()).tombstone());
        }
        match updated.regex() {
            Some(new) if self.subscribers(new) == 0 => {
                Pattern::parse(new).map(|_| RegexUpdate::Changed).ok_or(ErrorCode::InvalidRegularExpression)
            }
            Some(new) if self.regexes.contains_key(new) => Ok(RegexUpdate::Resolved),
            None if member.regex().is_some() => Ok(RegexUpdate::Resolved),
            Some(_) | None => Ok(RegexUpdate::Changed),
        }
    }

    /// The records that forget the pattern of a member that goes, if it was the last one with it.
    pub(super) fn forget_regex_of(&self, members: &[Rc<str>]) -> Vec<CoordinatorRecord> {
        let gone = |id: &Rc<str>| members.contains(id);
        let regexes: SortedSet<&Rc<str>> = members.iter().filter_map(|id| self.members.get(id)?.regex()).collect();
        let remains = |regex: &Rc<str>| self.members.iter().any(|(id, it)| !gone(id) && it.regex() == Some(regex));
        let forgotten = regexes.iter().filter(|regex| !remains(regex));
        forgotten.map(|regex| Key::Regex(self.id.clone(), (*regex).clone()).tombstone()).collect()
    }
}

/// The names that members read.
pub(super) fn topic_names<'a>(
    members: impl Iterator<Item = &'a ConsumerGroupMember>,
    regexes: &SortedMap<Rc<str>, ResolvedRegex>,
) -> SortedSet<Rc<str>> {
    let mut names = SortedSet::new();
    for member in members {
        names.extend(member.subscribed_topics.iter().cloned());
        let matched = member.regex().and_then(|regex| regexes.get(regex));
        names.extend(matched.into_iter().flat_map(|it| it.topics.iter().cloned()));
    }
    names
}

/// When topics were last seen to be new.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct NewTopics {
    next: Option<TopicId>,
    version: Offset,
}

impl NewTopics {
    fn seen(&mut self, image: &MetadataImage) {
        if self.next != Some(image.next_topic_id()) {
            *self = NewTopics { next: Some(image.next_topic_id()), version: image.offset() };
        }
    }
}

impl ConsumerGroups {
    /// Is it time to resolve the patterns of a group, with the one that a member has brought or given up just now?
    pub(super) fn wants_resolution(
        &mut self,
        group: &ConsumerGroup,
        updated: &ConsumerGroupMember,
        around: Surroundings<'_>,
    ) -> bool {
        let members = group.members_with(updated);
        let regexes: SortedSet<&Rc<str>> = members.values().filter_map(|member| member.regex()).collect();
        if regexes.is_empty() {
            return false;
        }
        self.new_topics.seen(around.image);
        let Some(last) = group.regexes.values().next() else { return true };
        let since = around.now.wall_clock_ms() - last.timestamp;
        let is_new = updated.regex().is_some_and(|regex| group.subscribers(regex) == 0);
        since > MIN_INTERVAL_MS
            && (is_new
                || regexes.len() != group.regexes.len()
                || last.version < self.new_topics.version
                || since > REFRESH_INTERVAL_MS)
    }

    /// Resolves the patterns of a group: the records that say what they match, and that the group's epoch moves on.
    pub fn resolve(&mut self, group: &str, around: Surroundings<'_>) -> Vec<CoordinatorRecord> {
        let Some(group) = self.groups.get_mut(group).map(Rc::make_mut) else { return Vec::new() };
        let wanted: SortedSet<Rc<str>> = group.members.values().filter_map(|it| it.regex().cloned()).collect();
        let (version, timestamp) = (around.image.offset(), around.now.wall_clock_ms());
        let (mut records, mut regexes, mut changed) = (Vec::new(), SortedMap::new(), false);
        for regex in wanted.iter() {
            let pattern = Pattern::parse(regex);
            let names = around.image.topics().map(|(_, topic)| &topic.name);
            let matched = names.filter(|name| pattern.as_ref().is_some_and(|pattern| pattern.matches(name)));
            let resolved = ResolvedRegex { topics: matched.cloned().collect(), version, timestamp };
            let old = group.regexes.get(regex);
            changed |= old.map_or(!resolved.topics.is_empty(), |old| old.topics != resolved.topics);
            records.push(regex_record(&group.id, regex, &resolved));
            regexes.insert(regex.clone(), resolved);
        }
        let names = topic_names(group.members.values(), &regexes);
        let metadata_hash = metadata_hash::metadata_hash(names.iter(), around.image);
        if changed || metadata_hash != group.epoch.metadata_hash {
            let epoch = group.epoch.epoch + 1;
            records.push(group_record(&group.id, GroupValue { epoch, metadata_hash }));
            group.metadata_seen = Some((version, epoch));
        }
        records
    }
}
