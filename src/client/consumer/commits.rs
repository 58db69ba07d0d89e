//! The commits of one consumer: when they leave, how they end, and whom that concerns.
//!
//! Invariants: commits leave in the order in which they were asked for; at most one `commitSync()` is under way;
//! callbacks run in the order in which commits ended, and only inside a later call of the application.

use super::backoff;
use super::commit::{Commit, CommitCallback, CommitKind, CommitPhase, Failure, Offsets};
use super::io::{Io, Pending};
use super::member::MemberGeneration;
use super::subscription::{OffsetAndEpoch, Subscription};
use crate::base::config::{ConsumerConfig, GroupProtocol};
use crate::base::{Generation, NodeId, Time, TopicPartition};
use crate::node::{Channel, ClientError, Event};
use crate::protocol::{ErrorCode, OffsetCommitPartition, OffsetCommitRequest, Request};
use std::collections::VecDeque;
use std::rc::Rc;

/// The generation of a consumer that is no member.
const NO_GENERATION: Generation = -1;

/// As whom a consumer commits.
pub(super) enum CommitsAs {
    /// One that assigned its partitions itself.
    Anybody,
    /// A member, perhaps a static one.
    Member(Rc<MemberGeneration>, Option<Rc<str>>),
    /// It may not.
    Nobody(ClientError),
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Commits {
    last_id: u32,
    queue: VecDeque<Commit>,
    sync_result: Option<Result<(), ClientError>>,
    callbacks: VecDeque<CommitCallback>,
    next_auto: Option<Time>,
    /// The automatic commit before a rebalance, and how it ended: an error may be retriable.
    watched: Option<(u32, Option<Result<(), bool>>)>,
    /// An asynchronous commit found that another instance has taken over.
    fenced: bool,
}

impl Commits {
    pub(super) fn new(next_auto: Option<Time>) -> Self {
        Commits {
            last_id: 0,
            queue: VecDeque::new(),
            sync_result: None,
            callbacks: VecDeque::new(),
            next_auto,
            watched: None,
            fenced: false,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Commit> {
        self.queue.iter()
    }

    pub(super) fn has(&self, kind: CommitKind) -> bool {
        self.queue.iter().any(|commit| commit.kind == kind)
    }

    pub(super) fn next_auto(&self) -> Option<Time> {
        self.next_auto
    }

    /// `group.instance.id` belongs to another instance now: every `poll()` says so.
    pub(super) fn is_fenced(&self) -> bool {
        self.fenced
    }

    /// The interval begins anew: partitions were assigned.
    pub(super) fn restart_auto(&mut self, config: &ConsumerConfig, now: Time) {
        if let Some(next) = &mut self.next_auto {
            *next = now + config.auto_commit_interval_ms;
        }
    }

    /// Begins an automatic commit whose end [`Self::watched`] tells.
    pub(super) fn begin_watched(&mut self, offsets: Offsets) -> u32 {
        let id = self.last_id + 1;
        self.watched = Some((id, None));
        self.begin(CommitKind::Auto, offsets, Time::MAX);
        id
    }

    /// How the watched commit ended, if it did; of an error, whether it is retriable.
    pub(super) fn watched(&self) -> Option<Result<(), bool>> {
        self.watched.and_then(|(_, ended)| ended)
    }

    /// Begins a commit.
    pub(super) fn begin(&mut self, kind: CommitKind, offsets: Offsets, deadline: Time) {
        self.last_id += 1;
        if kind == CommitKind::Sync {
            assert!(!self.has(CommitKind::Sync), "invariant: commitSync() blocks its caller");
            self.sync_result = None;
        }
        let (id, phase) = (self.last_id, CommitPhase::Queued(Time::ZERO));
        let commit = Commit { id, kind, offsets, phase, attempts: 0, deadline, generation: None };
        // Even of nothing it returns after the callbacks of earlier commits (`invokePendingAsyncCommits`).
        if commit.offsets.is_empty() && (kind != CommitKind::Sync || self.queue.is_empty()) {
            self.finish(commit, Ok(()));
        } else {
            self.queue.push_back(commit);
        }
    }

    /// How the last `commitSync()` ended, once.
    pub(super) fn take_sync_result(&mut self) -> Option<Result<(), ClientError>> {
        self.sync_result.take()
    }

    /// Runs the callbacks of commits that ended; the application gets its own.
    pub(super) fn run_callbacks(&mut self, config: &ConsumerConfig, now: Time) -> Vec<CommitCallback> {
        let mut for_application = Vec::new();
        while let Some(callback) = self.callbacks.pop_front() {
            match callback.kind {
                CommitKind::Auto if callback.error.as_ref().is_some_and(is_retriable) => {
                    self.next_auto = Some(now + config.retry_backoff_ms);
                }
                CommitKind::Auto | CommitKind::Sync => {}
                CommitKind::Async => for_application.push(callback),
            }
        }
        for_application
    }

    /// Inside `poll()`: commits the current positions if the interval is over. Those are the positions that earlier
    /// polls returned up to; what this poll is about to return is not among them.
    pub(super) fn maybe_auto(&mut self, config: &ConsumerConfig, subscription: &Subscription, io: &mut Io<'_, '_>) {
        let Some(due) = self.next_auto else { return };
        // The newer protocol's consumer waits for the answer first; the classic one only for the interval.
        let waits = config.group_protocol == GroupProtocol::Consumer && self.has(CommitKind::Auto);
        let mut next = due;
        if due <= io.now && !waits {
            next = io.now + config.auto_commit_interval_ms;
            self.begin(CommitKind::Auto, subscription.all_consumed().into(), Time::MAX);
        }
        self.next_auto = Some(next);
        io.wake_at(next);
    }

    /// Sends what may be sent, to the coordinator if there is one.
    pub(super) fn send(
        &mut self,
        group: &Rc<str>,
        commits_as: &CommitsAs,
        coordinator: Option<NodeId>,
        io: &mut Io<'_, '_>,
    ) {
        self.expire_sync(io.now);
        if let CommitsAs::Nobody(error) = commits_as
            && coordinator.is_some()
        {
            return self.refuse(error);
        }
        for commit in &mut self.queue {
            if commit.kind == CommitKind::Sync {
                io.wake_at(commit.deadline);
            }
            if commit.offsets.is_empty() {
                continue;
            }
            let CommitPhase::Queued(not_before) = commit.phase else { continue };
            if not_before > io.now {
                io.wake_at(not_before);
                continue;
            }
            let Some(node) = coordinator.filter(|node| io.ready(*node, Channel::Coordinator)) else { continue };
            if let CommitsAs::Member(generation, _) = commits_as {
                commit.generation = Some(Rc::clone(generation));
            }
            let request = Request::OffsetCommit(request(group, commits_as, &commit.offsets));
            io.send(node, Channel::Coordinator, request, Pending::OffsetCommit(commit.id));
            commit.phase = CommitPhase::InFlight;
        }
    }

    /// Who is no active member cannot commit; nothing is sent.
    fn refuse(&mut self, error: &ClientError) {
        let waits = |commit: &Commit| matches!(commit.phase, CommitPhase::Queued(_)) && !commit.offsets.is_empty();
        while let Some(at) = self.queue.iter().position(waits)
            && let Some(commit) = self.queue.remove(at)
        {
            self.finish(commit, Err(error.clone()));
        }
    }

    /// An answer that comes after the deadline finds nobody waiting; the coordinator may have committed all the same.
    fn expire_sync(&mut self, now: Time) {
        let late = |commit: &Commit| commit.kind == CommitKind::Sync && commit.deadline <= now;
        if let Some(at) = self.queue.iter().position(late)
            && let Some(commit) = self.queue.remove(at)
        {
            self.finish(commit, Err(ClientError::Timeout));
        }
    }

    /// The coordinator confirmed a commit.
    pub(super) fn confirm(&self, id: u32, subscription: &mut Subscription, io: &mut Io<'_, '_>) {
        let Some(commit) = self.queue.iter().find(|commit| commit.id == id) else { return };
        for (partition, committed) in commit.offsets.iter() {
            subscription.set_committed(*partition, committed.offset);
            io.out.emit(Event::OffsetsCommitted { partition: *partition, offset: committed.offset });
        }
    }

    /// One attempt at a commit ended: it is over, unless `commitSync()` tries again.
    pub(super) fn finish_attempt(
        &mut self,
        id: u32,
        result: Result<(), Failure>,
        config: &ConsumerConfig,
        io: &mut Io<'_, '_>,
    ) {
        let Some(at) = self.queue.iter().position(|commit| commit.id == id) else { return };
        let commit = &mut self.queue[at];
        if commit.kind == CommitKind::Sync && matches!(&result, Err(failure) if failure.retriable) {
            let pause = backoff(config).backoff(commit.attempts, io.out.random());
            commit.attempts += 1;
            commit.phase = CommitPhase::Queued(io.now + pause);
        } else if let Some(commit) = self.queue.remove(at) {
            self.finish(commit, result.map_err(|failure| failure.error));
        }
    }

    /// Asynchronous commits do not wait for a second lookup of the coordinator.
    pub(super) fn fail_queued_async(&mut self) {
        let fails = |commit: &Commit| commit.kind != CommitKind::Sync && matches!(commit.phase, CommitPhase::Queued(_));
        while let Some(at) = self.queue.iter().position(fails)
            && let Some(commit) = self.queue.remove(at)
        {
            self.finish(commit, Err(ClientError::Broker(ErrorCode::CoordinatorNotAvailable)));
        }
    }

    fn finish(&mut self, commit: Commit, result: Result<(), ClientError>) {
        if let Some((id, ended)) = &mut self.watched
            && *id == commit.id
        {
            let stale = |error: &ClientError| *error == ClientError::Broker(ErrorCode::StaleMemberEpoch);
            *ended = Some(result.as_ref().map_err(|error| is_retriable(error) || stale(error)).copied());
        }
        self.fenced |=
            commit.kind != CommitKind::Sync && result == Err(ClientError::Broker(ErrorCode::FencedInstanceId));
        match commit.kind {
            CommitKind::Sync => self.sync_result = Some(result),
            CommitKind::Async | CommitKind::Auto => {
                let (kind, offsets, error) = (commit.kind, commit.offsets, result.err());
                self.callbacks.push_back(CommitCallback { kind, offsets, error });
            }
        }
        if self.queue.iter().all(|left| left.offsets.is_empty())
            && let Some(of_nothing) = self.queue.pop_front()
        {
            self.finish(of_nothing, Ok(()));
        }
    }
}

fn request(group: &Rc<str>, commits_as: &CommitsAs, offsets: &Offsets) -> OffsetCommitRequest {
    let (generation, member_id, instance_id) = match commits_as {
        CommitsAs::Member(member, instance) => (member.id, Rc::clone(&member.member_id), instance.clone()),
        CommitsAs::Anybody | CommitsAs::Nobody(_) => (NO_GENERATION, "".into(), None),
    };
    let partition = |(tp, offset): &(TopicPartition, OffsetAndEpoch)| OffsetCommitPartition {
        partition: *tp,
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata: "".into(),
    };
    OffsetCommitRequest {
        group: Rc::clone(group),
        generation,
        member_id,
        instance_id,
        offsets: offsets.iter().map(partition).collect(),
    }
}

fn is_retriable(error: &ClientError) -> bool {
    match error {
        ClientError::Broker(code) => code.is_retriable(),
        ClientError::Timeout => true,
        ClientError::Exception(_) => false,
    }
}
