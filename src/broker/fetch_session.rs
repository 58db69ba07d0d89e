//! Fetch sessions (KIP-227): what a fetcher asked for before, so that neither side repeats it.
//!
//! Kafka walks all partitions of a session on each fetch. Here a session keeps the list of those that may have news, its
//! *dirty* ones, and a fetch looks at these only. Invariant: for a clean partition the fetcher stands at the end of what
//! it may read, it was told the current high watermark and log start, and (a follower) it is in the committed ISR.
//! Whatever may end that calls [`FetchSessions::mark_dirty`].
//!
//! A fetch without a session gets one with a negative id, for as long as it is being served.
//!
//! Departures: eviction looks only at age and privilege, not at size.

use crate::base::config::IsolationLevel;
use crate::base::{BrokerId, Duration, Offset, Prng, SortedMap, Time, TopicPartition};
use crate::node::RequestContext;
use crate::protocol::{ErrorCode, FetchPartition, FetchPartitionResponse, FetchReplica, FetchRequest};
use std::rc::Rc;

const EVICTION_AGE: Duration = Duration::from_millis(120_000);

/// All sessions of a broker.
#[derive(Clone, Hash, Debug)]
pub struct FetchSessions {
    slots: u32,
    ephemeral: i32,
    sessions: SortedMap<i32, Rc<FetchSession>>,
    /// Changes seldom, so that checkpoints share it.
    watchers: Rc<Watchers>,
}

type Watchers = SortedMap<TopicPartition, Rc<[i32]>>;

/// One fetcher's session.
#[derive(Clone, Hash, Debug)]
pub struct FetchSession {
    /// Positive; negative for a fetch without a session.
    pub id: i32,
    /// The epoch the next request must carry.
    epoch: i32,
    /// Set for a follower.
    pub replica: Option<FetchReplica>,
    /// Up to where this fetcher may read.
    pub isolation: IsolationLevel,
    /// Where this consumer is (`client.rack`).
    pub rack: Option<Rc<str>>,
    /// When its last request came.
    pub last_fetch: Time,
    /// The next response carries all partitions.
    full: bool,
    partitions: SortedMap<TopicPartition, CachedPartition>,
    dirty: Vec<TopicPartition>,
    /// The request that waits in the fetch purgatory.
    pub parked: Option<ParkedFetch>,
}

/// A fetch that waits for data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ParkedFetch {
    /// Whom to answer.
    pub context: RequestContext,
    /// When to answer whatever there is.
    pub deadline: Time,
    /// Answer when that much is there.
    pub min_bytes: u32,
    /// And not more than this.
    pub max_bytes: u32,
}

/// What a session remembers of a partition.
#[derive(Clone, Hash, Debug)]
struct CachedPartition {
    request: FetchPartition,
    high_watermark: Offset,
    log_start_offset: Offset,
    dirty: bool,
}

impl FetchSessions {
    /// No sessions, and room for `slots`.
    pub fn new(slots: u32) -> Self {
        FetchSessions { slots, ephemeral: 0, sessions: SortedMap::new(), watchers: Rc::default() }
    }

    /// The session of a request that came in, with the request's changes made to it. A replaced session may have had a
    /// request parked; that is returned too, for it has to be answered.
    pub fn begin(
        &mut self,
        now: Time,
        request: &FetchRequest,
        random: &mut Prng,
    ) -> (Result<i32, ErrorCode>, Option<ParkedFetch>) {
        let asked = request.session;
        if asked.epoch > 0 {
            return (self.go_on(now, request), None);
        }
        let orphan = if asked.id == 0 { None } else { self.remove(asked.id) };
        let keep = asked.epoch == 0 && self.make_room(now, request.replica.is_some());
        let id = if keep { self.new_id(random) } else { self.new_ephemeral_id() };
        self.create(id, now, request);
        (Ok(id), orphan)
    }

    fn go_on(&mut self, now: Time, request: &FetchRequest) -> Result<i32, ErrorCode> {
        let session = self.sessions.get_mut(&request.session.id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != request.session.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        let session = Rc::make_mut(session);
        session.epoch = if session.epoch == i32::MAX { 1 } else { session.epoch + 1 };
        session.last_fetch = now;
        session.isolation = request.isolation;
        session.replica = request.replica;
        session.rack = request.rack.clone();
        for partition in &request.partitions {
            if session.update(partition) {
                watch(&mut self.watchers, partition.partition, session.id);
            }
        }
        for partition in &request.forgotten {
            if session.partitions.remove(partition).is_some() {
                session.dirty.retain(|dirty| dirty != partition);
                unwatch(&mut self.watchers, *partition, session.id);
            }
        }
        if !session.partitions.is_empty() {
            return Ok(request.session.id);
        }
        // Nothing is left in it: Kafka closes the session and answers without one.
        self.remove(request.session.id);
        let id = self.new_ephemeral_id();
        self.create(id, now, request);
        Ok(id)
    }

    fn create(&mut self, id: i32, now: Time, request: &FetchRequest) {
        let mut session = FetchSession {
            id,
            epoch: 1,
            replica: request.replica,
            isolation: request.isolation,
            rack: request.rack.clone(),
            last_fetch: now,
            full: true,
            partitions: SortedMap::new(),
            dirty: Vec::with_capacity(request.partitions.len()),
            parked: None,
        };
        for partition in &request.partitions {
            if session.update(partition) {
                watch(&mut self.watchers, partition.partition, id);
            }
        }
        self.sessions.insert(id, Rc::new(session));
    }

    /// Forgets a session; returns the request parked in it.
    pub fn remove(&mut self, id: i32) -> Option<ParkedFetch> {
        let session = self.sessions.remove(&id)?;
        for partition in session.partitions.keys() {
            unwatch(&mut self.watchers, *partition, id);
        }
        session.parked
    }

    fn make_room(&mut self, now: Time, follower: bool) -> bool {
        let kept = self.sessions.len() - self.sessions.range(..0).count();
        if kept < self.slots as usize {
            return true;
        }
        let evictable = self.sessions.range(0..).filter(|(_, session)| {
            let stale = now.since(session.last_fetch) > EVICTION_AGE;
            session.parked.is_none() && (stale || (follower && session.replica.is_none()))
        });
        let Some(id) = evictable.min_by_key(|(_, session)| session.last_fetch).map(|(id, _)| *id) else { return false };
        self.remove(id);
        true
    }

    fn new_id(&self, random: &mut Prng) -> i32 {
        loop {
            let id = random.between(1, i32::MAX as u64) as i32;
            if !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    fn new_ephemeral_id(&mut self) -> i32 {
        self.ephemeral = if self.ephemeral == i32::MIN { -1 } else { self.ephemeral - 1 };
        self.ephemeral
    }

    /// A session, to change it.
    pub fn get_mut(&mut self, id: i32) -> Option<&mut FetchSession> {
        self.sessions.get_mut(&id).map(Rc::make_mut)
    }

    /// A session.
    pub fn get(&self, id: i32) -> Option<&FetchSession> {
        self.sessions.get(&id).map(Rc::as_ref)
    }

    /// The sessions that read this partition.
    pub fn watchers(&self, partition: TopicPartition) -> Option<Rc<[i32]>> {
        self.watchers.get(&partition).cloned()
    }

    /// There may be news of this partition. `idle` hears of followers whose session fetched while it was clean.
    pub fn mark_dirty(&mut self, partition: TopicPartition, mut idle: impl FnMut(BrokerId, Time)) {
        let Some(watchers) = self.watchers.get(&partition) else { return };
        for id in watchers.iter() {
            let Some(session) = self.sessions.get_mut(id) else { continue };
            if session.partitions.get(&partition).is_none_or(|cached| cached.dirty) {
                continue;
            }
            let session = Rc::make_mut(session);
            session.make_dirty(partition);
            if let Some(replica) = session.replica {
                idle(replica.id, session.last_fetch);
            }
        }
    }

    /// The earliest deadline of a parked fetch.
    pub fn deadline(&self) -> Option<Time> {
        self.sessions.values().filter_map(|session| session.parked.map(|parked| parked.deadline)).min()
    }

    /// A session whose parked fetch has waited long enough.
    pub fn expired(&self, now: Time) -> Option<i32> {
        let late = |session: &FetchSession| session.parked.is_some_and(|parked| parked.deadline <= now);
        self.sessions.iter().find(|(_, session)| late(session)).map(|(id, _)| *id)
    }

    /// How many fetches wait.
    pub fn parked(&self) -> usize {
        self.sessions.values().filter(|session| session.parked.is_some()).count()
    }
}

impl FetchSession {
    /// What the client is told.
    pub fn response_id(&self) -> i32 {
        self.id.max(0)
    }

    /// Takes the request's view of a partition over; true if it is new here.
    fn update(&mut self, request: &FetchPartition) -> bool {
        let partition = request.partition;
        if let Some(cached) = self.partitions.get_mut(&partition) {
            cached.request = *request;
            self.make_dirty(partition);
            return false;
        }
        let cached = CachedPartition { request: *request, high_watermark: -1, log_start_offset: -1, dirty: true };
        self.partitions.insert(partition, cached);
        self.dirty.push(partition);
        true
    }

    fn make_dirty(&mut self, partition: TopicPartition) {
        if let Some(cached) = self.partitions.get_mut(&partition).filter(|cached| !cached.dirty) {
            cached.dirty = true;
            self.dirty.push(partition);
        }
    }

    /// The partitions to look at, with what was asked of them.
    pub fn take_dirty(&mut self) -> Vec<TopicPartition> {
        std::mem::take(&mut self.dirty)
    }

    /// The request parks: the partitions looked at stay dirty.
    pub fn put_back_dirty(&mut self, mut dirty: Vec<TopicPartition>) {
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    /// The partitions that may have news.
    pub fn dirty(&self) -> &[TopicPartition] {
        &self.dirty
    }

    /// What was asked of a partition.
    pub fn request(&self, partition: TopicPartition) -> Option<FetchPartition> {
        self.partitions.get(&partition).map(|cached| cached.request)
    }

    /// All partitions of the session.
    pub fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// The response is on its way.
    pub fn responded(&mut self) {
        self.full = false;
    }

    /// Notes what the fetcher is being told; `settled` says that the partition has nothing more to tell for now.
    /// Returns whether the response has to mention it at all.
    pub fn tell(&mut self, response: &FetchPartitionResponse, settled: bool) -> bool {
        let Some(cached) = self.partitions.get_mut(&response.partition) else { return true };
        let moved = cached.high_watermark != response.high_watermark;
        let started = cached.log_start_offset != response.log_start_offset;
        let failed = response.error.is_error();
        cached.high_watermark = if failed { -1 } else { response.high_watermark };
        cached.log_start_offset = response.log_start_offset;
        cached.dirty = !settled;
        if !settled {
            self.dirty.push(response.partition);
        }
        let news = moved || started || failed || !response.records.is_empty();
        self.full || news || response.diverging_epoch.is_some() || response.preferred_read_replica != BrokerId::NONE
    }
}

fn watch(watchers: &mut Rc<Watchers>, partition: TopicPartition, id: i32) {
    let old = Rc::make_mut(watchers).entry(partition).or_default();
    *old = old.iter().copied().chain([id]).collect();
}

fn unwatch(watchers: &mut Rc<Watchers>, partition: TopicPartition, id: i32) {
    let watchers = Rc::make_mut(watchers);
    if let Some(old) = watchers.get_mut(&partition) {
        *old = old.iter().copied().filter(|watcher| *watcher != id).collect();
        if old.is_empty() {
            watchers.remove(&partition);
        }
    }
}
