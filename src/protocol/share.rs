//! Share groups (KIP-932), what their members send: ShareGroupHeartbeat (API 76), ShareGroupDescribe (77), ShareFetch (78),
//! ShareAcknowledge (79). What brokers send to the share coordinator is in [`super::share_state`].
//!
//! A share session is known by group and member, and lives on one connection to one broker.

use super::{CurrentLeader, ErrorCode, MemberEpoch};
pub use crate::base::config::ShareAcquireMode;
use crate::base::{Duration, Offset, TopicPartition};
use crate::record::RecordBatch;
use std::rc::Rc;

/// I am alive, and this is what I read. What is `None` has not changed since the last heartbeat.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareGroupHeartbeatRequest {
    /// The share group.
    pub group: Rc<str>,
    /// Made by the client, a UUID.
    pub member_id: Rc<str>,
    /// The member's, or one of [`JOIN_EPOCH`](super::JOIN_EPOCH), [`LEAVE_EPOCH`](super::LEAVE_EPOCH).
    pub member_epoch: MemberEpoch,
    /// `client.rack`.
    pub rack_id: Option<Rc<str>>,
    /// The topics it subscribes to.
    pub subscribed_topics: Option<Vec<Rc<str>>>,
    /// `client.id`, from the request's header.
    pub client_id: Rc<str>,
}

/// This is what you shall read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareGroupHeartbeatResponse {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// None on error.
    pub member_id: Option<Rc<str>>,
    /// The member's now; 0 on error.
    pub member_epoch: MemberEpoch,
    /// Until the next heartbeat; 0 on error.
    pub heartbeat_interval: Duration,
    /// None if it has not changed.
    pub assignment: Option<Vec<TopicPartition>>,
}

impl ShareGroupHeartbeatResponse {
    /// No member, or not at this epoch.
    pub fn failed(error: ErrorCode) -> ShareGroupHeartbeatResponse {
        let heartbeat_interval = Duration::ZERO;
        ShareGroupHeartbeatResponse { error, member_id: None, member_epoch: 0, heartbeat_interval, assignment: None }
    }
}

/// How are these groups?
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareGroupDescribeRequest {
    /// Their ids.
    pub groups: Vec<Rc<str>>,
}

/// So.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareGroupDescribeResponse {
    /// In the order of the request.
    pub groups: Vec<DescribedShareGroup>,
}

/// One group of a [`ShareGroupDescribeResponse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribedShareGroup {
    /// `NONE` or why not.
    pub error: ErrorCode,
    /// Its id.
    pub group: Rc<str>,
    /// `Empty`, `Stable` or `Dead`; empty on error.
    pub state: &'static str,
    /// Counts its changes; 0 on error.
    pub group_epoch: i32,
    /// Of the target assignment; 0 on error.
    pub assignment_epoch: i32,
    /// `simple`; empty on error.
    pub assignor: &'static str,
    /// None on error.
    pub members: Vec<DescribedShareMember>,
}

/// One member of a [`DescribedShareGroup`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DescribedShareMember {
    /// Its id.
    pub member_id: Rc<str>,
    /// `client.rack`.
    pub rack_id: Option<Rc<str>>,
    /// The epoch it has reached.
    pub member_epoch: MemberEpoch,
    /// `client.id`.
    pub client_id: Rc<str>,
    /// What it subscribes to.
    pub subscribed_topics: Vec<Rc<str>>,
    /// What it reads.
    pub assignment: Vec<TopicPartition>,
}

/// What became of a record that was delivered (`AcknowledgeType`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(i8)]
pub enum AcknowledgeType {
    /// There is no record at this offset that a consumer could see.
    Gap = 0,
    /// It was processed.
    Accept = 1,
    /// It was not: deliver it again, to whomever.
    Release = 2,
    /// It was not and never will be: do not deliver it again.
    Reject = 3,
    /// It is still being processed: extend the acquisition lock (KIP-1222).
    Renew = 4,
}

impl AcknowledgeType {
    /// As Kafka spells it.
    pub const fn name(self) -> &'static str {
        match self {
            AcknowledgeType::Gap => "gap",
            AcknowledgeType::Accept => "accept",
            AcknowledgeType::Release => "release",
            AcknowledgeType::Reject => "reject",
            AcknowledgeType::Renew => "renew",
        }
    }
}

/// Offsets `first ..= last` and what became of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AcknowledgementBatch {
    /// The first.
    pub first_offset: Offset,
    /// The last, inclusive.
    pub last_offset: Offset,
    /// One for all, or one for each offset.
    pub types: Vec<AcknowledgeType>,
}

/// The epoch of who opens a share session.
pub const SHARE_SESSION_INITIAL_EPOCH: i32 = 0;
/// The epoch of who closes it.
pub const SHARE_SESSION_FINAL_EPOCH: i32 = -1;

/// Acquire records of the session's partitions, after acknowledging some.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareFetchRequest {
    /// The share group.
    pub group: Rc<str>,
    /// The member.
    pub member_id: Rc<str>,
    /// [`SHARE_SESSION_INITIAL_EPOCH`] opens a session, [`SHARE_SESSION_FINAL_EPOCH`] closes it, else it counts its requests.
    pub session_epoch: i32,
    /// How long the broker may hold the request for `min_bytes`.
    pub max_wait: Duration,
    /// Answer at once when this much is there.
    pub min_bytes: u32,
    /// Do not return more, except for one whole first batch.
    pub max_bytes: u32,
    /// Do not acquire more; as `acquire_mode` understands it.
    pub max_records: u32,
    /// Acquire in batches of about so many.
    pub batch_size: u32,
    /// How strictly `max_records` is meant.
    pub acquire_mode: ShareAcquireMode,
    /// Among the acknowledgements are [`AcknowledgeType::Renew`]; then nothing is fetched.
    pub is_renew_ack: bool,
    /// What the session shall have in addition, and what is acknowledged.
    pub partitions: Vec<SharePartitionAcknowledgements>,
    /// Leave the session.
    pub forgotten: Vec<TopicPartition>,
}

/// One partition of a [`ShareFetchRequest`] or a [`ShareAcknowledgeRequest`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SharePartitionAcknowledgements {
    /// Which.
    pub partition: TopicPartition,
    /// In the order of the offsets; of a fetch mostly none.
    pub batches: Vec<AcknowledgementBatch>,
}

/// What was acquired.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ShareFetchResponse {
    /// Of the session.
    pub error: ErrorCode,
    /// So long the acquired records are locked: `share.record.lock.duration.ms`.
    pub acquisition_lock_timeout: Duration,
    /// All partitions of the session that have something to say.
    pub partitions: Vec<ShareFetchPartitionResponse>,
}

/// One partition of a [`ShareFetchResponse`].
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct ShareFetchPartitionResponse {
    /// Which.
    pub partition: TopicPartition,
    /// Of the fetch.
    pub error: ErrorCode,
    /// Of the acknowledgements that came with it.
    pub acknowledge_error: ErrorCode,
    /// With a leadership error: who leads (KIP-951).
    pub current_leader: Option<CurrentLeader>,
    /// Whole batches; they may hold records that were not acquired.
    pub records: Vec<RecordBatch>,
    /// Which of them are yours.
    pub acquired: Vec<AcquiredRecords>,
}

/// Offsets `first ..= last`, now locked for the member that fetched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AcquiredRecords {
    /// The first.
    pub first_offset: Offset,
    /// The last, inclusive.
    pub last_offset: Offset,
    /// How often they have been delivered, this time included.
    pub delivery_count: i16,
}

/// This became of what I was given.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareAcknowledgeRequest {
    /// The share group.
    pub group: Rc<str>,
    /// The member.
    pub member_id: Rc<str>,
    /// As in [`ShareFetchRequest`], of the same session; [`SHARE_SESSION_INITIAL_EPOCH`] is not allowed.
    pub session_epoch: i32,
    /// Among the acknowledgements are [`AcknowledgeType::Renew`].
    pub is_renew_ack: bool,
    /// What is acknowledged.
    pub partitions: Vec<SharePartitionAcknowledgements>,
}

/// Noted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ShareAcknowledgeResponse {
    /// Of the session.
    pub error: ErrorCode,
    /// So long renewed records are locked: `share.record.lock.duration.ms`.
    pub acquisition_lock_timeout: Duration,
    /// In the order of the request.
    pub partitions: Vec<ShareAcknowledgePartitionResponse>,
}

/// One partition of a [`ShareAcknowledgeResponse`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShareAcknowledgePartitionResponse {
    /// Which.
    pub partition: TopicPartition,
    /// `NONE`, or `INVALID_RECORD_STATE` if not all are (any more) acquired by this member: then nothing is done.
    pub error: ErrorCode,
    /// With a leadership error: who leads (KIP-951).
    pub current_leader: Option<CurrentLeader>,
}
