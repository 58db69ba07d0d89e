//! The way to share coordinators (`DefaultStatePersister`, `PersisterStateManager`).
//!
//! Invariants: to each coordinator one request of a kind and a group is under way, with everything that waited for it, each
//! share-partition once; every question comes back once, as a [`Persisted`], after at most five attempts.
//!
//! Departures: no jitter in the back-off; where `__share_group_state` does not exist this broker asks for it itself, not by a FindCoordinator request to
//! any broker.

use super::coordinator::place_of;
use super::partition::StateWrite;
use crate::base::{BrokerId, Duration, LeaderEpoch, SortedMap, Time, TopicPartition};
use crate::broker::context::Context;
use crate::coordinator::group::share::Initialize;
use crate::coordinator::share::SharePartitionKey;
use crate::metadata::{MetadataImage, SHARE_GROUP_STATE_TOPIC};
use crate::node::Channel;
use crate::protocol::{
    DeleteShareGroupStateRequest, ErrorCode, InitializeShareGroupStateRequest, InitializeStatePartition,
    ReadShareGroupStateRequest, ReadStatePartition, Request, Response, WriteShareGroupStateRequest,
    WriteStatePartition,
};
use std::rc::Rc;

/// `MAX_FIND_COORD_ATTEMPTS`
const MAX_ATTEMPTS: u32 = 5;
/// `REQUEST_BACKOFF_MS`
const BACKOFF: Duration = Duration::from_millis(1_000);

/// Questions to share coordinators.
#[derive(Clone, Hash, Debug, Default)]
pub(super) struct Persister {
    correlation: u32,
    lanes: SortedMap<LaneId, Lane>,
    /// They wait to be put again.
    parked: Vec<(Time, Question)>,
    initialising: SortedMap<u32, Initialising>,
    next: u32,
}

/// A coordinator, a kind of request, a group.
type LaneId = (BrokerId, u8, Rc<str>);

#[derive(Clone, Hash, Debug, Default)]
struct Lane {
    correlation: u32,
    unsent: Vec<Question>,
    in_flight: Vec<Question>,
    /// Of what is in flight.
    deadline: Time,
}

#[derive(Clone, Hash, Debug)]
struct Question {
    key: SharePartitionKey,
    ask: Ask,
    attempts: u32,
}

#[derive(Clone, Hash, Debug)]
enum Ask {
    /// For one of `initialising`.
    Initialize(u32, InitializeStatePartition),
    Read(LeaderEpoch),
    Write(Rc<WriteStatePartition>, StateWrite),
    Delete,
}

/// Partitions of a group whose states are to be initialised, and how many have not been yet.
#[derive(Clone, Hash, Debug)]
struct Initialising {
    what: Initialize,
    missing: usize,
    failed: bool,
}

/// What has become of a question.
#[derive(Debug)]
pub(super) enum Persisted {
    /// The share coordinators know all of these partitions, or not all.
    Initialized(Initialize, bool),
    /// This is what a share coordinator knows.
    Read(SharePartitionKey, LeaderEpoch, Result<ReadStatePartition, ErrorCode>),
    /// It is written, or why not.
    Written(SharePartitionKey, StateWrite, ErrorCode),
}

impl Ask {
    fn kind(&self) -> u8 {
        match self {
            Ask::Initialize(..) => 0,
            Ask::Read(_) => 1,
            Ask::Write(..) => 2,
            Ask::Delete => 3,
        }
    }
}

impl Persister {
    pub(super) fn is_new(&self) -> bool {
        self.correlation == 0 && self.parked.is_empty()
    }

    /// Tells the share coordinators of partitions that a group begins to read.
    pub(super) fn initialize(&mut self, what: Initialize, image: &MetadataImage, now: Time) {
        self.next = self.next.wrapping_add(1);
        let id = self.next;
        let missing = what.partitions.len();
        for partition in what.partitions.clone() {
            let ask = InitializeStatePartition { partition, state_epoch: what.state_epoch, start_offset: -1 };
            self.put((what.group.clone(), partition), Ask::Initialize(id, ask), image, now);
        }
        self.initialising.insert(id, Initialising { what, missing, failed: false });
    }

    /// Asks what is known of a share-partition.
    pub(super) fn read(&mut self, key: SharePartitionKey, epoch: LeaderEpoch, image: &MetadataImage, now: Time) {
        self.put(key, Ask::Read(epoch), image, now);
    }

    /// Notes what has changed.
    pub(super) fn write(
        &mut self,
        key: SharePartitionKey,
        state: WriteStatePartition,
        write: StateWrite,
        image: &MetadataImage,
        now: Time,
    ) {
        self.put(key, Ask::Write(Rc::new(state), write), image, now);
    }

    /// A group is gone. Nobody waits for that.
    pub(super) fn delete(
        &mut self,
        group: &Rc<str>,
        partitions: Vec<TopicPartition>,
        image: &MetadataImage,
        now: Time,
    ) {
        partitions.into_iter().for_each(|partition| self.put((group.clone(), partition), Ask::Delete, image, now));
    }

    fn put(&mut self, key: SharePartitionKey, ask: Ask, image: &MetadataImage, now: Time) {
        self.place(Question { key, ask, attempts: 0 }, image, now);
    }

    /// Puts a question into its coordinator's lane; where none is known it waits.
    fn place(&mut self, mut question: Question, image: &MetadataImage, now: Time) {
        let leader = place_of(&question.key, image).and_then(|place| Some(image.partition(place)?.leader));
        match leader.filter(|leader| image.is_unfenced(*leader)) {
            Some(leader) => {
                let lane = (leader, question.ask.kind(), question.key.0.clone());
                self.lanes.entry(lane).or_default().unsent.push(question);
            }
            None => {
                question.attempts += 1;
                self.parked.push((now + backoff(question.attempts), question));
            }
        }
    }

    /// Sends what can be sent. Says whether the topic has to be created first.
    pub(super) fn send(&mut self, ctx: &mut Context<'_, '_>) -> bool {
        for ((broker, _, group), lane) in self.lanes.iter_mut() {
            if lane.unsent.is_empty() || !lane.in_flight.is_empty() {
                continue;
            }
            // What comes twice for a share-partition waits for the next request.
            let mut seen: Vec<TopicPartition> = Vec::new();
            let first = |question: &mut Question| {
                let is_first = !seen.contains(&question.key.1);
                seen.push(question.key.1);
                is_first
            };
            lane.in_flight = lane.unsent.extract_if(.., first).collect();
            lane.deadline = ctx.now + ctx.config.request_timeout_ms;
            self.correlation = self.correlation.wrapping_add(1);
            lane.correlation = self.correlation;
            let request = request_of(group.clone(), &lane.in_flight);
            ctx.out.request(broker.node(), Channel::ShareState, lane.correlation, request);
        }
        !self.parked.is_empty() && ctx.image.topic_id(SHARE_GROUP_STATE_TOPIC).is_none()
    }

    /// A coordinator answered.
    pub(super) fn answered(
        &mut self,
        from: BrokerId,
        correlation: u32,
        response: Response,
        now: Time,
    ) -> Vec<Persisted> {
        let lane = self.lanes.iter_mut().find(|((broker, ..), lane)| {
            *broker == from && lane.correlation == correlation && !lane.in_flight.is_empty()
        });
        let questions = lane.map(|(_, lane)| std::mem::take(&mut lane.in_flight)).unwrap_or_default();
        let mut persisted = Vec::new();
        for (at, question) in questions.into_iter().enumerate() {
            let (error, read) = match &response {
                Response::InitializeShareGroupState(response)
                | Response::WriteShareGroupState(response)
                | Response::DeleteShareGroupState(response) => (response.partitions.get(at).map(|it| it.1), None),
                Response::ReadShareGroupState(response) => {
                    let read = response.partitions.get(at);
                    (read.map(|it| it.error), read.cloned())
                }
                _ => (None, None),
            };
            let error = error.unwrap_or(ErrorCode::UnknownServerError);
            persisted.extend(self.outcome(question, error, read, now));
        }
        persisted
    }

    /// The connection to a coordinator broke.
    pub(super) fn disconnected(&mut self, broker: BrokerId, now: Time) -> Vec<Persisted> {
        let of_broker = |((to, ..), _): &(&LaneId, &mut Lane)| *to == broker;
        let lanes = self.lanes.iter_mut().filter(of_broker);
        let lost: Vec<Question> = lanes.flat_map(|(_, lane)| std::mem::take(&mut lane.in_flight)).collect();
        lost.into_iter().filter_map(|it| self.outcome(it, ErrorCode::NetworkException, None, now)).collect()
    }

    /// Gives up what was in flight for too long, and puts again what has waited.
    pub(super) fn on_timer(&mut self, ctx: &mut Context<'_, '_>) -> Vec<Persisted> {
        let mut persisted = Vec::new();
        let late = self.lanes.iter().filter(|(_, lane)| !lane.in_flight.is_empty() && lane.deadline <= ctx.now);
        let late: Vec<BrokerId> = late.map(|((broker, ..), _)| *broker).collect();
        for broker in late {
            ctx.out.disconnect(broker.node(), Channel::ShareState);
            persisted.extend(self.disconnected(broker, ctx.now));
        }
        let now = ctx.now;
        let due: Vec<(Time, Question)> = self.parked.extract_if(.., |(due, _)| *due <= now).collect();
        for (_, question) in due {
            if question.attempts < MAX_ATTEMPTS {
                self.place(question, ctx.image, now);
            } else {
                persisted.extend(self.failed(question, ErrorCode::CoordinatorNotAvailable));
            }
        }
        persisted
    }

    /// When something is overdue, or waits no longer.
    pub(super) fn deadline(&self) -> Option<Time> {
        let in_flight = self.lanes.values().filter(|lane| !lane.in_flight.is_empty()).map(|lane| lane.deadline);
        in_flight.chain(self.parked.iter().map(|(due, _)| *due)).min()
    }

    /// What an answer means; none if the question is to be put again.
    fn outcome(
        &mut self,
        mut question: Question,
        error: ErrorCode,
        read: Option<ReadStatePartition>,
        now: Time,
    ) -> Option<Persisted> {
        question.attempts += 1;
        let retriable = matches!(
            error,
            ErrorCode::CoordinatorNotAvailable
                | ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::NotCoordinator
                | ErrorCode::UnknownTopicOrPartition
                | ErrorCode::NetworkException
        );
        if retriable && question.attempts < MAX_ATTEMPTS {
            self.parked.push((now + backoff(question.attempts), question));
            return None;
        }
        match (&question.ask, read) {
            (Ask::Read(epoch), Some(read)) if !error.is_error() => {
                Some(Persisted::Read(question.key, *epoch, Ok(read)))
            }
            _ => self.failed(question, error),
        }
    }

    /// The end of a question, with an error or (where there is nothing to read) without.
    fn failed(&mut self, question: Question, error: ErrorCode) -> Option<Persisted> {
        match question.ask {
            Ask::Read(epoch) => Some(Persisted::Read(question.key, epoch, Err(persister_error(error)))),
            Ask::Delete => None,
            Ask::Write(_, write) => Some(Persisted::Written(question.key, write, persister_error(error))),
            Ask::Initialize(id, _) => {
                let all = self.initialising.get_mut(&id)?;
                all.missing -= 1;
                all.failed |= error.is_error();
                let all = if all.missing == 0 { self.initialising.remove(&id) } else { None }?;
                Some(Persisted::Initialized(all.what, !all.failed))
            }
        }
    }
}

/// Twice as long each time (Kafka shifts it by up to a fifth).
fn backoff(attempts: u32) -> Duration {
    BACKOFF * (1 << attempts.saturating_sub(1).min(4))
}

fn request_of(group: Rc<str>, questions: &[Question]) -> Request {
    let (mut initialize, mut read, mut write) = (Vec::new(), Vec::new(), Vec::new());
    for question in questions {
        match &question.ask {
            Ask::Initialize(_, partition) => initialize.push(*partition),
            Ask::Read(epoch) => read.push((question.key.1, *epoch)),
            Ask::Write(partition, _) => write.push((**partition).clone()),
            Ask::Delete => {}
        }
    }
    match questions.first().map(|question| &question.ask) {
        Some(Ask::Initialize(..)) => {
            Request::InitializeShareGroupState(InitializeShareGroupStateRequest { group, partitions: initialize })
        }
        Some(Ask::Delete) => {
            let partitions = questions.iter().map(|question| question.key.1).collect();
            Request::DeleteShareGroupState(DeleteShareGroupStateRequest { group, partitions })
        }
        Some(Ask::Write(..)) => Request::WriteShareGroupState(WriteShareGroupStateRequest { group, partitions: write }),
        _ => Request::ReadShareGroupState(ReadShareGroupStateRequest { group, partitions: read }),
    }
}

/// How a share coordinator's error looks to a member (`SharePartition.fetchPersisterError`).
fn persister_error(error: ErrorCode) -> ErrorCode {
    match error {
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::FencedLeaderEpoch | ErrorCode::FencedStateEpoch => ErrorCode::NotLeaderOrFollower,
        ErrorCode::None | ErrorCode::GroupIdNotFound | ErrorCode::UnknownTopicOrPartition => error,
        _ => ErrorCode::UnknownServerError,
    }
}
