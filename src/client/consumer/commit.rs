//! Commits under way, and how their answers are read.
//!
//! A synchronous commit retries retriable errors until its deadline; an asynchronous one never does, since a retry could
//! overtake a newer commit. In Kafka: `ConsumerCoordinator.commitOffsetsSync`, `commitOffsetsAsync`,
//! `OffsetCommitResponseHandler`.

use super::member::MemberGeneration;
use super::subscription::OffsetAndEpoch;
use crate::base::{Time, TopicPartition};
use crate::client::network_client::Outcome;
use crate::node::ClientError;
use crate::protocol::{ErrorCode, OffsetCommitResponse, Response};
use std::rc::Rc;

/// Offsets to commit, in the order of partitions.
pub type Offsets = Rc<[(TopicPartition, OffsetAndEpoch)]>;

/// Who asked for a commit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CommitKind {
    /// `commitSync()`.
    Sync,
    /// `commitAsync()`.
    Async,
    /// `enable.auto.commit`.
    Auto,
}

/// Where a commit stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CommitPhase {
    /// Waits for the coordinator, and not before this time.
    Queued(Time),
    /// Sent.
    InFlight,
}

/// A commit that is not finished.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Commit {
    /// Counts the commits of this client.
    pub id: u32,
    /// Who asked for it.
    pub kind: CommitKind,
    /// What to commit.
    pub offsets: Offsets,
    /// Where it stands.
    pub phase: CommitPhase,
    /// How often it was tried.
    pub attempts: u32,
    /// When `commitSync()` gives up.
    pub deadline: Time,
    /// The generation it was sent in; none if it was not sent, or by a consumer that is no member.
    pub generation: Option<Rc<MemberGeneration>>,
}

/// What a commit's callback is told.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CommitCallback {
    /// Who asked for it.
    pub kind: CommitKind,
    /// What was to be committed.
    pub offsets: Offsets,
    /// Why it was not.
    pub error: Option<ClientError>,
}

/// Why an attempt failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    pub(super) error: ClientError,
    pub(super) retriable: bool,
    /// The coordinator objects to the member, not to the offsets.
    pub(super) refused: Option<ErrorCode>,
    /// The coordinator has to be looked up again.
    pub(super) coordinator_lost: Option<Lost>,
}

/// How the coordinator was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lost {
    /// The connection is gone.
    Disconnected,
    /// It said so: the connection is closed.
    Told,
}

/// Reads the end of an OffsetCommit request.
pub(super) fn result_of(outcome: &Outcome) -> Result<(), Failure> {
    match outcome {
        Outcome::Response(Response::OffsetCommit(response)) => result_of_response(response),
        Outcome::TimedOut => Err(disconnected(ClientError::Timeout)),
        _ => Err(disconnected(ClientError::Broker(ErrorCode::NetworkException))),
    }
}

/// The connection ended before the answer.
pub(super) fn disconnected(error: ClientError) -> Failure {
    Failure { error, retriable: true, refused: None, coordinator_lost: Some(Lost::Disconnected) }
}

fn result_of_response(response: &OffsetCommitResponse) -> Result<(), Failure> {
    let mut unauthorized = Ok(());
    for error in response.partitions.iter().map(|partition| partition.error) {
        let failure = |error, retriable| Failure { error, retriable, refused: None, coordinator_lost: None };
        match error {
            ErrorCode::None => {}
            ErrorCode::TopicAuthorizationFailed => unauthorized = Err(failure(ClientError::Broker(error), false)),
            ErrorCode::CoordinatorLoadInProgress | ErrorCode::UnknownTopicOrPartition => {
                return Err(failure(ClientError::Broker(error), true));
            }
            ErrorCode::CoordinatorNotAvailable | ErrorCode::NotCoordinator | ErrorCode::RequestTimedOut => {
                let told = failure(ClientError::Broker(error), true);
                return Err(Failure { coordinator_lost: Some(Lost::Told), ..told });
            }
            ErrorCode::GroupAuthorizationFailed
            | ErrorCode::OffsetMetadataTooLarge
            | ErrorCode::InvalidCommitOffsetSize => return Err(failure(ClientError::Broker(error), false)),
            ErrorCode::FencedInstanceId
            | ErrorCode::RebalanceInProgress
            | ErrorCode::UnknownMemberId
            | ErrorCode::IllegalGeneration
            | ErrorCode::StaleMemberEpoch => {
                let thrown = match error {
                    ErrorCode::FencedInstanceId => ClientError::Broker(error),
                    ErrorCode::RebalanceInProgress => rebalance_in_progress(),
                    _ => commit_failed(),
                };
                return Err(Failure { refused: Some(error), ..failure(thrown, false) });
            }
            error => {
                let text = format!("KafkaException: Unexpected error in commit: {}", error.description());
                return Err(failure(exception(&text), false));
            }
        }
    }
    unauthorized
}

/// The member's partitions may be somebody else's already.
pub(super) fn commit_failed() -> ClientError {
    exception("CommitFailedException")
}

/// `poll()` first, then perhaps again.
pub(super) fn rebalance_in_progress() -> ClientError {
    exception("RebalanceInProgressException")
}

fn exception(text: &str) -> ClientError {
    ClientError::Exception(text.into())
}
