//! The application's calls that say what it wants to read, and as whom: `assign`, `subscribe`, `unsubscribe`, `close`,
//! and the rebalance listener.
//!
//! In Kafka: `ClassicKafkaConsumer`, `ConsumerCoordinator.close`.

use super::io::Io;
use super::{CommitKind, Consumer, RebalanceCallback, Subscribed};
use crate::base::Pattern;
use crate::base::config::GroupProtocol;
use crate::base::{Duration, SortedSet, Time};
use crate::client::producer::GroupMetadata;
use crate::node::{ClientError, Outbox};
use std::rc::Rc;

/// `CloseOptions.timeout`, if the application says nothing.
const DEFAULT_CLOSE_TIMEOUT: Duration = Duration::from_millis(30_000);

/// What `close()` does to the membership (`CloseOptions.GroupMembershipOperation`, KIP-1092).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum MembershipOperation {
    /// A dynamic member leaves; a static one does not, or says that it will be back.
    #[default]
    Default,
    /// It leaves for good.
    LeaveGroup,
    /// It stays until its session ends (in the consumer protocol a static member says that it will be back).
    RemainInGroup,
}

/// How far `close()` is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Closing {
    /// Waits for commits, at most until then.
    Commits(Time, MembershipOperation),
    /// The listener runs; then the member leaves.
    Listener(Time, MembershipOperation),
    /// Waits for the answer to LeaveGroup, at most until then.
    Leaving(Time),
    /// It has returned.
    Done,
}

impl Consumer {
    /// Assigns all partitions of these topics, as soon as metadata tells which there are, and those that come later.
    pub fn assign(&mut self, now: Time, topics: Vec<Rc<str>>) {
        for topic in &topics {
            self.net.metadata.add_topic(topic, now);
        }
        self.subscription.set_subscribed(Subscribed::Assigned(topics));
    }

    /// Becomes a member of the group, or changes what it reads as one, with the next `poll()`.
    pub fn subscribe(&mut self, now: Time, topics: impl IntoIterator<Item = Rc<str>>) {
        let topics: SortedSet<Rc<str>> = topics.into_iter().collect();
        for topic in topics.iter() {
            self.net.metadata.add_topic(topic, now);
        }
        self.subscription.set_subscribed(Subscribed::Topics(topics.into()));
    }

    /// As [`Self::subscribe`], to every topic whose name matches, now and later. Internal topics are left out
    /// (`exclude.internal.topics`).
    pub fn subscribe_pattern(&mut self, pattern: Pattern) {
        self.net.metadata.want_all_topics();
        self.subscription.set_subscribed(Subscribed::Pattern(pattern.into(), Rc::default()));
        self.subscription.match_topics(self.net.metadata.topic_names());
    }

    /// As [`Self::subscribe`], to every topic that a pattern matches as the coordinator reads it (`SubscriptionPattern`).
    /// The consumer protocol alone has that.
    ///
    /// Departure: metadata of all topics are asked for; Kafka asks for those whose ids it is assigned.
    pub fn subscribe_regex(&mut self, regex: Rc<str>) -> Result<(), ClientError> {
        if self.config.group_protocol == GroupProtocol::Classic {
            let text = "UnsupportedOperationException: Subscribe to RE2/J pattern is not supported when using the CLASSIC \
                        protocol defined in config group.protocol";
            return Err(ClientError::Exception(text.into()));
        }
        self.net.metadata.want_all_topics();
        self.subscription.set_subscribed(Subscribed::Regex(regex, Rc::default()));
        Ok(())
    }

    /// Leaves the group, and reads nothing any more.
    pub fn unsubscribe(&mut self, now: Time, out: &mut Outbox<'_>) {
        let mut wake = None;
        let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.give_up_all(&self.subscription);
            coordinator.changes.run_all(&mut self.subscription, io.out);
            if self.subscription.subscribed().is_auto_assigned() {
                let why = ("the consumer unsubscribed from all topics", MembershipOperation::Default);
                coordinator.leave(why, &self.config, &mut io);
            }
        }
        self.subscription.set_subscribed(Subscribed::Nothing);
        self.subscription.assign([]);
        self.background(now, out, wake);
    }

    /// `groupMetadata()`, for `sendOffsetsToTransaction()`: as of the last assignment. None without group.
    pub fn group_metadata(&self) -> Option<&GroupMetadata> {
        self.coordinator.as_ref().map(super::Coordinator::group_metadata)
    }

    // ---- the rebalance listener ----

    /// The application does something in its `ConsumerRebalanceListener`: from now on `poll()` (or `close()`) blocks
    /// while [`Self::rebalance_callback`] tells what it is called with, until [`Self::rebalance_callback_done`].
    pub fn listen(&mut self) {
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.changes.listen();
        }
    }

    /// What the listener is called with now.
    pub fn rebalance_callback(&self) -> Option<&RebalanceCallback> {
        self.coordinator.as_ref()?.changes.callback()
    }

    /// The listener returned; `poll()` goes on with the next call.
    pub fn rebalance_callback_done(&mut self, now: Time, out: &mut Outbox<'_>) {
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.changes.returned(&mut self.subscription);
        }
        self.background(now, out, None);
    }

    // ---- close ----

    /// Commits (with automatic commit), gives up its partitions, leaves the group and ends fetch sessions; see
    /// [`Self::is_closed`].
    pub fn close(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.close_with(now, MembershipOperation::Default, out);
    }

    /// The same, and says what becomes of the membership.
    pub fn close_with(&mut self, now: Time, operation: MembershipOperation, out: &mut Outbox<'_>) {
        let deadline = now + DEFAULT_CLOSE_TIMEOUT.min(self.config.request_timeout_ms);
        self.closing = Some(Closing::Commits(deadline, operation));
        self.polls = false;
        if let Some(coordinator) = &mut self.coordinator
            && coordinator.next_auto_commit().is_some()
            && !coordinator.commits.has(CommitKind::Sync)
        {
            coordinator.commit(CommitKind::Sync, self.subscription.all_consumed().into(), deadline);
        }
        let mut wake = None;
        let mut io = Io { net: &mut self.net, now, out, wake: &mut wake };
        self.fetcher.close(&self.config, &mut io);
        self.background(now, out, wake);
    }

    /// `close()` has returned.
    pub fn is_closed(&self) -> bool {
        self.closing == Some(Closing::Done)
    }

    pub(super) fn go_on_closing(&mut self, now: Time, out: &mut Outbox<'_>, wake: &mut Option<Time>) {
        let Some(closing) = self.closing.filter(|closing| *closing != Closing::Done) else { return };
        let Some(coordinator) = &mut self.coordinator else {
            self.closing = Some(Closing::Done);
            return;
        };
        let mut io = Io { net: &mut self.net, now, out, wake };
        let next = match closing {
            Closing::Commits(deadline, _) if deadline > now && coordinator.commits().next().is_some() => {
                io.wake_at(deadline);
                return;
            }
            Closing::Commits(deadline, operation) => {
                // The heartbeat thread ends first, so nobody says that this member lives while its listener runs.
                coordinator.member.heartbeat.disable();
                coordinator.give_up_all(&self.subscription);
                Closing::Listener(deadline, operation)
            }
            Closing::Listener(deadline, operation) => {
                if !coordinator.changes.run(&mut self.subscription, io.out) {
                    return;
                }
                if self.subscription.subscribed().is_auto_assigned() {
                    coordinator.leave(("the consumer is being closed", operation), &self.config, &mut io);
                }
                self.subscription.set_subscribed(Subscribed::Nothing);
                Closing::Leaving(deadline)
            }
            Closing::Leaving(deadline) if deadline > now && coordinator.is_leaving() => {
                io.wake_at(deadline);
                return;
            }
            Closing::Leaving(_) | Closing::Done => Closing::Done,
        };
        self.closing = Some(next);
        self.go_on_closing(now, out, wake);
    }
}
