//! ShareFetch and ShareAcknowledge (`KafkaApis.handleShareFetchRequest`, `DelayedShareFetch`).
//!
//! A request acknowledges first, then acquires; it is answered when what it acknowledged is written and it has acquired
//! something, or has waited long enough. As in Kafka, a fetch that waits is not called off when its connection breaks: what
//! it acquires then is locked for nobody.
//!
//! Departure: what is left when the bytes of a request are divided by its partitions goes to none of them.

use super::Host;
use super::manager::{Cached, Pending, SharePartitionManager, limits};
use super::partition::Acquirer;
use super::session::Place;
use crate::base::{Duration, Offset, Time, TopicPartition};
use crate::broker::partition::{Partition, ReadOptions};
use crate::coordinator::share::SharePartitionKey;
use crate::node::{Event, RequestContext};
use crate::protocol::{
    AcknowledgeType, AcknowledgementBatch, AcquiredRecords, ErrorCode, FetchPartition, Response,
    SHARE_SESSION_FINAL_EPOCH, ShareAcknowledgePartitionResponse, ShareAcknowledgeRequest, ShareAcknowledgeResponse,
    ShareFetchPartitionResponse, ShareFetchRequest, ShareFetchResponse, SharePartitionAcknowledgements,
};
use crate::record::RecordBatch;
use std::rc::Rc;

/// The fetching part of a request.
#[derive(Clone, Hash, Debug)]
pub(super) enum Fetch {
    Waiting(Wait),
    Done(ErrorCode, Vec<ShareFetchPartitionResponse>),
}

/// A fetch that has not acquired anything yet.
#[derive(Clone, Hash, Debug)]
pub(super) struct Wait {
    deadline: Time,
    min_bytes: u32,
    max_bytes: u32,
    who: Acquirer,
    partitions: Vec<TopicPartition>,
    errors: Vec<(TopicPartition, ErrorCode)>,
    /// What it will be told when it has waited.
    error: ErrorCode,
}

impl Fetch {
    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Fetch::Waiting(wait) => Some(wait.deadline),
            Fetch::Done(..) => None,
        }
    }
}

impl SharePartitionManager {
    /// Handles a ShareFetch to the end, or lets it wait.
    pub(super) fn handle_fetch(
        &mut self,
        context: RequestContext,
        request: &ShareFetchRequest,
        host: &mut Host<'_, '_>,
    ) {
        let wants = request.max_bytes != 0
            || request.min_bytes != 0
            || request.max_records != 0
            || request.max_wait != crate::base::Duration::ZERO;
        if request.member_id.is_empty() || (request.is_renew_ack && wants) {
            return refuse(context, ErrorCode::InvalidRequest, host);
        }
        let session = (request.group.clone(), request.member_id.clone());
        let add: Vec<TopicPartition> = request.partitions.iter().map(|it| it.partition).collect();
        let said = || request.partitions.iter().filter(|it| !it.batches.is_empty());
        let most = host.ctx.config.group_share_max_share_sessions;
        let (change, epoch) = ((&add[..], &request.forgotten[..]), request.session_epoch);
        let place = self.sessions.fetch(&session, epoch, change, said().next().is_some(), context.connection, most);
        let mut wait = Wait {
            deadline: host.ctx.now + request.max_wait,
            min_bytes: request.min_bytes.min(request.max_bytes),
            max_bytes: request.max_bytes.min(host.ctx.config.fetch_max_bytes),
            who: Acquirer {
                member: request.member_id.clone(),
                mode: request.acquire_mode,
                batch_size: i64::from(request.batch_size),
                max_records: i64::from(request.max_records),
            },
            partitions: Vec::new(),
            errors: Vec::new(),
            error: ErrorCode::None,
        };
        let (place, acknowledged) = match place {
            Ok(place) => (place, self.acknowledge_all(&session, request.is_renew_ack, said(), host)),
            // Who is refused for lack of room shall not come back at once.
            Err(error @ ErrorCode::ShareSessionLimitReached) => {
                wait.error = error;
                (Place::Final, Vec::new())
            }
            Err(error) => return refuse(context, error, host),
        };
        if place != Place::Final && !request.is_renew_ack {
            let partitions = self.sessions.partitions(&session, epoch);
            self.prepare(&session.0, partitions, &mut wait, host);
        }
        let waits =
            wait.error.is_error() || (wait.who.max_records > 0 && wait.max_bytes > 0 && !wait.partitions.is_empty());
        let fetch = if waits { Fetch::Waiting(wait) } else { Fetch::Done(ErrorCode::None, failed(&wait.errors)) };
        let fetch = Some((place, fetch));
        let id = self.enqueue(Pending { context, session, session_epoch: epoch, acknowledged, fetch });
        self.try_fetch(id, host);
        if let Some(deadline) = self.requests.get(&id).and_then(|pending| pending.fetch.as_ref()?.1.deadline()) {
            if deadline <= host.ctx.now {
                self.end_of_patience(id, host);
            } else {
                host.wake_at(deadline);
            }
        }
        self.maybe_respond(id, host);
    }

    /// Handles a ShareAcknowledge.
    pub(super) fn handle_acknowledge(
        &mut self,
        context: RequestContext,
        request: &ShareAcknowledgeRequest,
        host: &mut Host<'_, '_>,
    ) {
        let session = (request.group.clone(), request.member_id.clone());
        let error = match request.member_id.is_empty() {
            true => Err(ErrorCode::InvalidRequest),
            false => self.sessions.acknowledge(&session, request.session_epoch),
        };
        if let Err(error) = error {
            let (acquisition_lock_timeout, partitions) = (Duration::ZERO, Vec::new());
            let response = ShareAcknowledgeResponse { error, acquisition_lock_timeout, partitions };
            return host.ctx.requests.respond(context, Response::ShareAcknowledge(response), host.ctx.out);
        }
        let mut acknowledged = self.acknowledge_all(&session, request.is_renew_ack, request.partitions.iter(), host);
        // Nothing is said of partitions of which nothing was, unless of others something was.
        if request.partitions.iter().all(|it| it.batches.is_empty()) {
            acknowledged.retain(|(_, _, error)| error.is_error());
        }
        let session_epoch = request.session_epoch;
        let id = self.enqueue(Pending { context, session, session_epoch, acknowledged, fetch: None });
        self.maybe_respond(id, host);
    }

    fn enqueue(&mut self, pending: Pending) -> u64 {
        self.next += 1;
        self.requests.insert(self.next, Rc::new(pending));
        self.next
    }

    fn acknowledge_all<'a>(
        &mut self,
        (group, member): &(Rc<str>, Rc<str>),
        may_renew: bool,
        said: impl Iterator<Item = &'a SharePartitionAcknowledgements>,
        host: &mut Host<'_, '_>,
    ) -> Vec<(TopicPartition, Option<u32>, ErrorCode)> {
        let limits = limits(group, host);
        let mut all = Vec::new();
        for SharePartitionAcknowledgements { partition: id, batches } in said {
            let key = (group.clone(), *id);
            let checked = if host.ctx.image.topic(id.topic).is_none() {
                Err(ErrorCode::UnknownTopicId)
            } else if !are_valid(batches, may_renew) {
                Err(ErrorCode::InvalidRequest)
            } else if host.ctx.image.partition(*id).is_none() {
                Err(ErrorCode::UnknownTopicOrPartition)
            } else if batches.is_empty() {
                Ok(None)
            } else if !self.partitions.contains_key(&key) {
                Err(ErrorCode::UnknownTopicOrPartition)
            } else {
                let partition = self.active_mut(&key).ok_or(ErrorCode::InvalidRecordState);
                partition.and_then(|partition| partition.acknowledge(member, batches, limits, host.ctx.now))
            };
            let write = checked.as_ref().ok().and_then(|write| write.as_ref().map(|write| write.id));
            all.push((*id, write, checked.as_ref().err().copied().unwrap_or(ErrorCode::None)));
            if let Ok(Some(write)) = checked {
                self.persist(&key, write, host);
            }
            self.complete_fetches(&key, host);
        }
        all
    }

    /// Finds, or begins to load, what is to be fetched from.
    fn prepare(&mut self, group: &Rc<str>, partitions: Vec<TopicPartition>, wait: &mut Wait, host: &mut Host<'_, '_>) {
        for id in partitions {
            let key = (group.clone(), id);
            let unknown = match host.ctx.image.topic(id.topic) {
                None => Some(ErrorCode::UnknownTopicId),
                Some(_) => host.ctx.image.partition(id).is_none().then_some(ErrorCode::UnknownTopicOrPartition),
            };
            let leads = host.replicas.partition(id).filter(|partition| partition.is_leader());
            match leads.map(Partition::leader_epoch) {
                _ if unknown.is_some() => wait.errors.extend(unknown.map(|error| (id, error))),
                None => wait.errors.push((id, ErrorCode::NotLeaderOrFollower)),
                Some(epoch) => {
                    wait.partitions.push(id);
                    if !self.partitions.contains_key(&key) {
                        self.partitions.insert(key.clone(), Rc::new(Cached::Loading(epoch)));
                        host.replicas.set_shared(id, true);
                        host.persister.read(key, epoch, host.ctx.image, host.ctx.now);
                    }
                }
            }
        }
    }

    /// A share-partition cannot be loaded: who waits for it is told when it has waited.
    pub(super) fn fail_fetches(&mut self, (group, id): &SharePartitionKey, error: ErrorCode) {
        for pending in self.requests.values_mut().filter(|pending| pending.session.0 == *group) {
            if let Some((_, Fetch::Waiting(wait))) = &mut Rc::make_mut(pending).fetch
                && wait.partitions.contains(id)
            {
                wait.partitions.retain(|partition| partition != id);
                wait.errors.push((*id, error));
            }
        }
    }

    /// Something happened to a share-partition: fetches that wait for it may go on.
    pub(super) fn complete_fetches(&mut self, (group, id): &SharePartitionKey, host: &mut Host<'_, '_>) {
        let waits = |pending: &Pending| match &pending.fetch {
            Some((_, Fetch::Waiting(wait))) => pending.session.0 == *group && wait.partitions.contains(id),
            _ => false,
        };
        let waiting: Vec<u64> = self.requests.iter().filter(|(_, pending)| waits(pending)).map(|(id, _)| *id).collect();
        for id in waiting {
            self.try_fetch(id, host);
            self.maybe_respond(id, host);
        }
    }

    /// Acquires, if that is worth an answer.
    fn try_fetch(&mut self, id: u64, host: &mut Host<'_, '_>) {
        let Some(pending) = self.requests.get(&id).cloned() else { return };
        let Some((_, Fetch::Waiting(wait))) = &pending.fetch else { return };
        let acquirable = self.acquirable(&pending.session.0, wait, host);
        if !acquirable.is_empty() && is_worthwhile(&pending.session.0, wait, &acquirable, host) {
            self.acquire(id, &pending.session.0, wait, acquirable, host);
        }
    }

    /// Acquires whatever there is.
    pub(super) fn end_of_patience(&mut self, id: u64, host: &mut Host<'_, '_>) {
        let Some(pending) = self.requests.get(&id).cloned() else { return };
        let Some((_, Fetch::Waiting(wait))) = &pending.fetch else { return };
        let acquirable = self.acquirable(&pending.session.0, wait, host);
        self.acquire(id, &pending.session.0, wait, acquirable, host);
        self.maybe_respond(id, host);
    }

    /// From where to read which partitions: those that are loaded, and have something or room for more.
    fn acquirable(&self, group: &Rc<str>, wait: &Wait, host: &Host<'_, '_>) -> Vec<(TopicPartition, Offset)> {
        let limits = limits(group, host);
        let next = |id: &TopicPartition| match self.partitions.get(&(group.clone(), *id))?.as_ref() {
            Cached::Active(partition) if partition.can_acquire(limits) => Some((*id, partition.next_fetch_offset())),
            _ => None,
        };
        wait.partitions.iter().filter_map(next).collect()
    }

    fn acquire(
        &mut self,
        id: u64,
        group: &Rc<str>,
        wait: &Wait,
        acquirable: Vec<(TopicPartition, Offset)>,
        host: &mut Host<'_, '_>,
    ) {
        let mut responses = failed(&wait.errors);
        let most = wait.max_bytes / u32::try_from(acquirable.len().max(1)).unwrap_or(u32::MAX);
        let (mut count, mut bytes) = (0, 0);
        for (partition, offset) in acquirable {
            let who = Acquirer { max_records: wait.who.max_records - count, ..wait.who.clone() };
            let (response, read) = self.acquire_one((group.clone(), partition), &who, offset, (most, bytes == 0), host);
            bytes += read;
            count += response.acquired.iter().map(|it| it.last_offset - it.first_offset + 1).sum::<i64>();
            responses.push(response);
        }
        if let Some((_, fetch)) = self.requests.get_mut(&id).and_then(|pending| Rc::make_mut(pending).fetch.as_mut()) {
            *fetch = Fetch::Done(wait.error, responses);
        }
    }

    fn acquire_one(
        &mut self,
        key: SharePartitionKey,
        who: &Acquirer,
        offset: Offset,
        (max_bytes, min_one): (u32, bool),
        host: &mut Host<'_, '_>,
    ) -> (ShareFetchPartitionResponse, u32) {
        let id = key.1;
        let isolation = host.ctx.group_config(&key.0).share_isolation_level;
        let options = ReadOptions { replica: None, isolation, max_bytes, min_one, first: true };
        let Some(partition) = host.replicas.partition_mut(id).filter(|partition| partition.is_leader()) else {
            return (empty(id, ErrorCode::NotLeaderOrFollower), 0);
        };
        let read = partition.fetch(&request_at(id, offset, max_bytes), options, &mut host.ctx);
        let log_start_offset = partition.log().log_start_offset();
        let limits = limits(&key.0, host);
        let Some(share) = self.active_mut(&key) else { return (empty(id, ErrorCode::None), 0) };
        if read.response.error == ErrorCode::OffsetOutOfRange {
            // The log begins later by now: the next fetch will do.
            share.log_start_moved(log_start_offset);
            return (empty(id, ErrorCode::None), 0);
        }
        if read.response.error.is_error() {
            return (empty(id, read.response.error), 0);
        }
        let (records, aborted) = (read.response.records, read.response.aborted_transactions);
        let acquired = share.acquire(who, offset, &records, &aborted, limits, host.ctx.now);
        if acquired.is_empty() {
            return (empty(id, ErrorCode::None), 0);
        }
        host.wake_at(host.ctx.now + limits.lock);
        let (group, member_id) = (key.0, who.member.clone());
        let records_acquired = Rc::from(acquired.as_slice());
        host.ctx.out.emit(Event::RecordsAcquired { group, member_id, partition: id, records: records_acquired });
        let records = slice(records, &acquired);
        (ShareFetchPartitionResponse { records, acquired, ..empty(id, ErrorCode::None) }, read.bytes)
    }

    /// Answers a request if there is nothing that it waits for.
    pub(super) fn maybe_respond(&mut self, id: u64, host: &mut Host<'_, '_>) {
        let Some(pending) = self.requests.get(&id) else { return };
        let waits = pending.fetch.as_ref().is_some_and(|(_, fetch)| matches!(fetch, Fetch::Waiting(_)));
        if waits || pending.acknowledged.iter().any(|(_, write, _)| write.is_some()) {
            return;
        }
        let Some(pending) = self.requests.remove(&id).map(Rc::unwrap_or_clone) else { return };
        let Pending { context, session, session_epoch, acknowledged, fetch } = pending;
        let response = match fetch {
            None => Response::ShareAcknowledge(acknowledge_response(&session.0, acknowledged, host)),
            Some((place, Fetch::Done(error, mut partitions))) => {
                if place == Place::Subsequent {
                    partitions
                        .retain(|it| self.sessions.must_tell(&session, it.partition, it.error, !it.records.is_empty()));
                }
                Response::ShareFetch(fetch_response(&session.0, error, partitions, acknowledged, host))
            }
            Some((_, Fetch::Waiting(_))) => return,
        };
        host.ctx.requests.respond(context, response, host.ctx.out);
        if session_epoch == SHARE_SESSION_FINAL_EPOCH {
            self.release_session(&session, host);
        }
    }
}

/// Is there an error to tell, or are there bytes enough?
fn is_worthwhile(group: &str, wait: &Wait, acquirable: &[(TopicPartition, Offset)], host: &Host<'_, '_>) -> bool {
    let isolation = host.ctx.group_config(group).share_isolation_level;
    let mut bytes = 0;
    for (id, offset) in acquirable {
        let Some(partition) = host.replicas.partition(*id).filter(|partition| partition.is_leader()) else {
            return true;
        };
        let (log, end) = (partition.log(), partition.readable_end(false, isolation));
        if *offset > end || *offset < log.log_start_offset() {
            return true;
        }
        if *offset < end {
            let is_old = log.segments().last().is_some_and(|active| *offset < active.base_offset());
            if wait.min_bytes <= 1 || is_old {
                return true;
            }
            let read = log.read(*offset, wait.max_bytes, end, true);
            bytes += read.iter().flatten().map(RecordBatch::size_in_bytes).sum::<u32>();
        }
    }
    bytes >= wait.min_bytes
}

/// Are they in order, and does each say something that may be said? (`validateAcknowledgementBatches`)
fn are_valid(batches: &[AcknowledgementBatch], may_renew: bool) -> bool {
    let mut last = -1;
    batches.iter().all(|batch| {
        let count = batch.types.len() as i64;
        let valid = batch.first_offset <= batch.last_offset
            && batch.first_offset >= last
            && (count == 1 || count == batch.last_offset - batch.first_offset + 1)
            && (may_renew || !batch.types.contains(&AcknowledgeType::Renew));
        last = batch.last_offset;
        valid
    })
}

fn request_at(partition: TopicPartition, fetch_offset: Offset, partition_max_bytes: u32) -> FetchPartition {
    FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes,
        high_watermark: -1,
    }
}

/// Without the batches before and after what was acquired.
fn slice(records: Vec<RecordBatch>, acquired: &[AcquiredRecords]) -> Vec<RecordBatch> {
    let (Some(first), Some(last)) = (acquired.first(), acquired.last()) else { return Vec::new() };
    let overlaps =
        |batch: &RecordBatch| batch.last_offset() >= first.first_offset && batch.base_offset() <= last.last_offset;
    records.into_iter().filter(overlaps).collect()
}

fn empty(partition: TopicPartition, error: ErrorCode) -> ShareFetchPartitionResponse {
    ShareFetchPartitionResponse {
        partition,
        error,
        acknowledge_error: ErrorCode::None,
        current_leader: None,
        records: Vec::new(),
        acquired: Vec::new(),
    }
}

fn failed(errors: &[(TopicPartition, ErrorCode)]) -> Vec<ShareFetchPartitionResponse> {
    errors.iter().map(|(partition, error)| empty(*partition, *error)).collect()
}

fn is_leadership(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::NotLeaderOrFollower | ErrorCode::FencedLeaderEpoch)
}

fn fetch_response(
    group: &str,
    error: ErrorCode,
    mut partitions: Vec<ShareFetchPartitionResponse>,
    acknowledged: Vec<(TopicPartition, Option<u32>, ErrorCode)>,
    host: &Host<'_, '_>,
) -> ShareFetchResponse {
    for response in partitions.iter_mut().filter(|it| is_leadership(it.error)) {
        response.current_leader = host.ctx.leader_in_metadata(response.partition);
    }
    for (id, _, acknowledge_error) in acknowledged {
        match partitions.iter_mut().find(|it| it.partition == id) {
            Some(response) => response.acknowledge_error = acknowledge_error,
            None => partitions.push(ShareFetchPartitionResponse { acknowledge_error, ..empty(id, ErrorCode::None) }),
        }
    }
    let lock = host.ctx.group_config(group).share_record_lock_duration_ms;
    let acquisition_lock_timeout = if error.is_error() { Duration::ZERO } else { lock };
    ShareFetchResponse { error, acquisition_lock_timeout, partitions }
}

fn acknowledge_response(
    group: &str,
    acknowledged: Vec<(TopicPartition, Option<u32>, ErrorCode)>,
    host: &Host<'_, '_>,
) -> ShareAcknowledgeResponse {
    let one = |(partition, _, error): (TopicPartition, Option<u32>, ErrorCode)| {
        let current_leader = if is_leadership(error) { host.ctx.leader_in_metadata(partition) } else { None };
        ShareAcknowledgePartitionResponse { partition, error, current_leader }
    };
    let acquisition_lock_timeout = host.ctx.group_config(group).share_record_lock_duration_ms;
    let partitions = acknowledged.into_iter().map(one).collect();
    ShareAcknowledgeResponse { error: ErrorCode::None, acquisition_lock_timeout, partitions }
}

fn refuse(context: RequestContext, error: ErrorCode, host: &mut Host<'_, '_>) {
    let response = fetch_response("", error, Vec::new(), Vec::new(), host);
    host.ctx.requests.respond(context, Response::ShareFetch(response), host.ctx.out);
}
