//! What the application asked for: partitions by hand, topics by name, or topics by pattern (its own, or one for the
//! coordinator).
//!
//! In Kafka: the subscription type of `SubscriptionState`. With `assign()` all partitions of some topics are meant here,
//! as soon as metadata tells which there are.

use crate::base::Pattern;
use crate::base::SortedSet;
use std::rc::Rc;

/// See the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Subscribed {
    /// Nothing (yet, or any more).
    Nothing,
    /// `assign()`: all partitions of these topics, in this order; no member of a group.
    Assigned(Vec<Rc<str>>),
    /// `subscribe()`.
    Topics(Rc<SortedSet<Rc<str>>>),
    /// `subscribe(SubscriptionPattern)`: the coordinator knows what it matches. No topics by name.
    Regex(Rc<str>, Rc<SortedSet<Rc<str>>>),
    /// `subscribe(Pattern)`, and the topics that it matches as far as known.
    Pattern(Rc<Pattern>, Rc<SortedSet<Rc<str>>>),
}

impl Subscribed {
    /// Partitions are assigned by a group (`hasAutoAssignedPartitions`).
    pub fn is_auto_assigned(&self) -> bool {
        matches!(self, Subscribed::Topics(_) | Subscribed::Regex(..) | Subscribed::Pattern(..))
    }

    /// The topics subscribed to; none with `assign()`.
    pub fn topics(&self) -> Option<&Rc<SortedSet<Rc<str>>>> {
        match self {
            Subscribed::Topics(topics) | Subscribed::Regex(_, topics) | Subscribed::Pattern(_, topics) => Some(topics),
            Subscribed::Nothing | Subscribed::Assigned(_) => None,
        }
    }

    /// The pattern that the coordinator evaluates, if there is one.
    pub fn regex(&self) -> Option<&Rc<str>> {
        match self {
            Subscribed::Regex(regex, _) => Some(regex),
            _ => None,
        }
    }

    /// Whether partitions of this topic may be assigned (`checkAssignmentMatchedSubscription`).
    pub fn covers(&self, topic: &str) -> bool {
        match self {
            Subscribed::Topics(topics) => topics.contains(topic),
            Subscribed::Pattern(pattern, _) => pattern.matches(topic),
            Subscribed::Nothing | Subscribed::Assigned(_) | Subscribed::Regex(..) => false,
        }
    }

    /// Takes over which topics the pattern matches now. True if that is news.
    pub(super) fn match_topics<'a>(&mut self, known: impl Iterator<Item = &'a Rc<str>>) -> bool {
        let Subscribed::Pattern(pattern, topics) = self else { return false };
        let matched: SortedSet<Rc<str>> = known.filter(|name| pattern.matches(name)).cloned().collect();
        let news = matched != **topics;
        if news {
            *topics = Rc::new(matched);
        }
        news
    }
}
