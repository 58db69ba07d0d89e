//! The share-partitions of the partitions led here, and the requests about them (`SharePartitionManager`).
//!
//! A share-partition is loaded from its share coordinator when it is first fetched from, and forgotten when its partition is
//! not led here any more, when a write shows that somebody else writes it, or when its group has no session left here.

use super::Host;
use super::fetch::Fetch;
use super::partition::{ShareLimits, SharePartition, StateWrite};
use super::persister::Persisted;
use super::session::{Place, SessionKey, ShareSessions};
use crate::base::config::{AutoOffsetReset, IsolationLevel};
use crate::base::{LeaderEpoch, Offset, SortedMap, Time, TopicPartition};
use crate::broker::context::Context;
use crate::broker::replica_manager::{CoordinatorNews, ReplicaManager};
use crate::coordinator::share::SharePartitionKey;
use crate::node::{ConnectionId, Event, RequestContext};
use crate::protocol::{ErrorCode, ListOffsetsPartition, ReadStatePartition, WriteStatePartition};
use std::rc::Rc;

/// Share sessions, share-partitions, and requests that wait.
#[derive(Clone, Hash, Debug, Default)]
pub struct SharePartitionManager {
    pub(super) sessions: ShareSessions,
    pub(super) partitions: SortedMap<SharePartitionKey, Rc<Cached>>,
    pub(super) requests: SortedMap<u64, Rc<Pending>>,
    pub(super) next: u64,
    /// No write of a share-partition that was forgotten has a greater number.
    last_write: u32,
}

/// A share-partition, or the place of one that is being loaded.
#[derive(Clone, Hash, Debug)]
pub(super) enum Cached {
    /// For a leader in this epoch.
    Loading(LeaderEpoch),
    Active(SharePartition),
}

/// A ShareFetch or ShareAcknowledge that is not answered yet.
#[derive(Clone, Hash, Debug)]
pub(super) struct Pending {
    pub context: RequestContext,
    pub session: SessionKey,
    pub session_epoch: i32,
    /// What it acknowledges: where, which write it waits for, and how it ended.
    pub acknowledged: Vec<(TopicPartition, Option<u32>, ErrorCode)>,
    /// None of a ShareAcknowledge.
    pub fetch: Option<(Place, Fetch)>,
}

/// What the settings allow a share group.
pub(super) fn limits(group: &str, host: &Host<'_, '_>) -> ShareLimits {
    let config = host.ctx.group_config(group);
    ShareLimits {
        lock: config.share_record_lock_duration_ms,
        deliveries: i16::try_from(config.share_delivery_count_limit).unwrap_or(i16::MAX),
        in_flight: i64::from(config.share_partition_max_record_locks),
        may_renew: config.share_renew_acknowledge_enable,
    }
}

impl SharePartitionManager {
    /// Was nothing ever asked?
    pub(super) fn is_new(&self) -> bool {
        self.next == 0 && self.sessions.is_new()
    }

    /// The share-partitions that are loaded.
    pub fn partitions(&self) -> impl Iterator<Item = (&SharePartitionKey, &SharePartition)> {
        self.partitions.iter().filter_map(|(key, cached)| match cached.as_ref() {
            Cached::Active(partition) => Some((key, partition)),
            Cached::Loading(_) => None,
        })
    }

    pub(super) fn active_mut(&mut self, key: &SharePartitionKey) -> Option<&mut SharePartition> {
        match self.partitions.get_mut(key).map(Rc::make_mut) {
            Some(Cached::Active(partition)) => Some(partition),
            _ => None,
        }
    }

    /// Writes a change of a share-partition.
    pub(super) fn persist(&self, key: &SharePartitionKey, write: StateWrite, host: &mut Host<'_, '_>) {
        let Some(Cached::Active(partition)) = self.partitions.get(key).map(Rc::as_ref) else { return };
        let state = WriteStatePartition {
            partition: key.1,
            state_epoch: partition.state_epoch(),
            leader_epoch: partition.leader_epoch(),
            start_offset: partition.start_offset(),
            delivery_complete_count: partition.delivery_complete_count(),
            state_batches: write.batches.clone(),
        };
        host.persister.write(key.clone(), state, write, host.ctx.image, host.ctx.now);
    }

    /// A share coordinator has answered, or cannot be reached.
    pub(super) fn on_persisted(&mut self, persisted: Persisted, host: &mut Host<'_, '_>) {
        match persisted {
            Persisted::Read(key, epoch, read) => {
                let loading = |cached: &Rc<Cached>| matches!(**cached, Cached::Loading(of) if of == epoch);
                if !self.partitions.get(&key).is_some_and(loading) {
                    return;
                }
                match read.and_then(|read| self.load(&key, epoch, &read, host)) {
                    Ok(partition) => {
                        let ((group, id), start_offset) = (key.clone(), partition.start_offset());
                        host.ctx.out.emit(Event::SharePartitionLoaded { group, partition: id, start_offset });
                        self.partitions.insert(key.clone(), Rc::new(Cached::Active(partition)));
                    }
                    Err(error) => {
                        self.forget(&key, host.replicas);
                        self.fail_fetches(&key, error);
                    }
                }
                self.complete_fetches(&key, host);
            }
            Persisted::Written(key, write, error) => self.written(&key, &write, error, host),
            Persisted::Initialized(..) => {}
        }
    }

    fn load(
        &self,
        (group, id): &SharePartitionKey,
        epoch: LeaderEpoch,
        read: &ReadStatePartition,
        host: &Host<'_, '_>,
    ) -> Result<SharePartition, ErrorCode> {
        let start = match read.start_offset {
            -1 => first_offset(group, *id, host.replicas, &host.ctx)?,
            known => known,
        };
        let partition = SharePartition::load(epoch, read, start, self.last_write);
        partition.map_err(|_| ErrorCode::UnknownServerError)
    }

    fn written(&mut self, key: &SharePartitionKey, write: &StateWrite, error: ErrorCode, host: &mut Host<'_, '_>) {
        let mut moved = false;
        let limits = limits(&key.0, host);
        if let Some(partition) = self.active_mut(key) {
            moved = partition.written(write, !error.is_error(), limits, host.ctx.now);
            if let Some(lock) = partition.deadline() {
                host.wake_at(lock);
            }
        }
        if !error.is_error() && !write.settled {
            let (group, partition) = key.clone();
            let batches = write.batches.as_slice().into();
            host.ctx.out.emit(Event::RecordsAcknowledged { group, partition, batches });
        }
        let fenced = matches!(
            error,
            ErrorCode::NotLeaderOrFollower | ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition
        );
        if fenced && !write.settled {
            self.forget(key, host.replicas);
        }
        let waits = |pending: &Pending| {
            let mut all = pending.acknowledged.iter();
            pending.session.0 == key.0 && all.any(|(at, id, _)| *at == key.1 && *id == Some(write.id))
        };
        let waiting = self.requests.iter().find(|(_, pending)| waits(pending)).map(|(id, _)| *id);
        if let Some(pending) = waiting.and_then(|id| self.requests.get_mut(&id)).map(Rc::make_mut) {
            for (at, id, ended) in &mut pending.acknowledged {
                if *at == key.1 && *id == Some(write.id) {
                    (*id, *ended) = (None, error);
                }
            }
        }
        if let Some(waiting) = waiting {
            self.maybe_respond(waiting, host);
        }
        if moved {
            self.complete_fetches(key, host);
        }
    }

    /// Forgets a share-partition; whoever fetches from it next loads it anew.
    pub(super) fn forget(&mut self, key: &SharePartitionKey, replicas: &mut ReplicaManager) {
        if let Some(Cached::Active(partition)) = self.partitions.remove(key).map(Rc::unwrap_or_clone) {
            self.last_write = self.last_write.max(partition.last_write());
        }
        if self.partitions.keys().all(|(_, partition)| *partition != key.1) {
            replicas.set_shared(key.1, false);
        }
    }

    /// Something happened to a partition from which share groups read.
    pub(super) fn on_news(&mut self, news: &CoordinatorNews, host: &mut Host<'_, '_>) {
        let (CoordinatorNews::Advanced(id) | CoordinatorNews::Resigned(id)) = news else { return };
        let of_partition = self.partitions.keys().filter(|(_, partition)| partition == id);
        let keys: Vec<SharePartitionKey> = of_partition.cloned().collect();
        for key in keys {
            match news {
                CoordinatorNews::Advanced(_) => self.complete_fetches(&key, host),
                _ => self.forget(&key, host.replicas),
            }
        }
    }

    /// Ends a session; what its member had acquired is released.
    pub(super) fn release_session(&mut self, session: &SessionKey, host: &mut Host<'_, '_>) {
        let limits = limits(&session.0, host);
        for partition in self.sessions.remove(session).unwrap_or_default() {
            let key = (session.0.clone(), partition);
            if let Some(write) = self.active_mut(&key).and_then(|partition| partition.release(&session.1, limits)) {
                self.persist(&key, write, host);
            }
            self.complete_fetches(&key, host);
        }
    }

    /// A connection broke, and with it perhaps a session.
    pub(super) fn on_disconnect(&mut self, connection: ConnectionId, host: &mut Host<'_, '_>) {
        let Some((session, open, others)) = self.sessions.disconnected(connection) else { return };
        if open {
            self.release_session(&session, host);
        }
        if !others {
            let of_group = self.partitions.keys().filter(|(group, _)| *group == session.0);
            let keys: Vec<SharePartitionKey> = of_group.cloned().collect();
            keys.iter().for_each(|key| self.forget(key, host.replicas));
        }
    }

    /// Locks whose time is up, fetches that have waited long enough.
    pub(super) fn on_timer(&mut self, host: &mut Host<'_, '_>) {
        let now = host.ctx.now;
        let due = self.partitions().filter(|(_, partition)| partition.deadline().is_some_and(|due| due <= now));
        let due: Vec<SharePartitionKey> = due.map(|(key, _)| key.clone()).collect();
        for key in due {
            let limits = limits(&key.0, host);
            let write = self.active_mut(&key).and_then(|partition| partition.expire_locks(limits, now));
            let Some(write) = write else { continue };
            let (group, partition) = key.clone();
            let batches = write.batches.as_slice().into();
            host.ctx.out.emit(Event::AcquisitionLockExpired { group, partition, batches });
            self.persist(&key, write, host);
            self.complete_fetches(&key, host);
        }
        let is_late = |pending: &Pending| {
            let waits = pending.fetch.as_ref().and_then(|(_, fetch)| fetch.deadline());
            waits.is_some_and(|due| due <= now)
        };
        let late: Vec<u64> = self.requests.iter().filter(|(_, pending)| is_late(pending)).map(|(id, _)| *id).collect();
        late.into_iter().for_each(|id| self.end_of_patience(id, host));
    }

    /// When the first of these happens.
    pub(super) fn deadline(&self) -> Option<Time> {
        let locks = self.partitions().filter_map(|(_, partition)| partition.deadline());
        let fetches = self.requests.values().filter_map(|pending| pending.fetch.as_ref()?.1.deadline());
        locks.chain(fetches).min()
    }
}

/// Where a group begins to read a partition of which nothing is known (`share.auto.offset.reset`).
fn first_offset(
    group: &str,
    id: TopicPartition,
    replicas: &ReplicaManager,
    ctx: &Context<'_, '_>,
) -> Result<Offset, ErrorCode> {
    let partition = replicas.partition(id).ok_or_else(|| ctx.not_hosted(id))?;
    let find = |timestamp| {
        let asked = ListOffsetsPartition { partition: id, current_leader_epoch: -1, timestamp };
        let found = partition.list_offset(&asked, false, IsolationLevel::ReadUncommitted);
        if found.error.is_error() { Err(found.error) } else { Ok(found.offset) }
    };
    match ctx.group_config(group).share_auto_offset_reset {
        AutoOffsetReset::Earliest => find(ListOffsetsPartition::EARLIEST),
        AutoOffsetReset::ByDuration(age) => {
            match find(ctx.now.wall_clock_ms().saturating_sub_unsigned(age.as_millis()))? {
                -1 => find(ListOffsetsPartition::LATEST),
                found => Ok(found),
            }
        }
        AutoOffsetReset::Latest | AutoOffsetReset::None => find(ListOffsetsPartition::LATEST),
    }
}
