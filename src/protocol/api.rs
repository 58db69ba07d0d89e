//! The sum of all requests, and of all responses.

use super::*;

macro_rules! apis {
    ($($name:ident = $key:literal, $request:ty, $response:ty;)*) => {
        /// Kafka's API keys, and from 1000 on those of external systems (see [`super::sink`]).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum ApiKey { $($name = $key,)* }

        /// A request.
        #[derive(Clone, PartialEq, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum Request { $($name($request),)* }

        /// A response.
        #[derive(Clone, PartialEq, Hash, Debug)]
        #[allow(missing_docs)]
        pub enum Response { $($name($response),)* }

        impl ApiKey {
            /// All that the Lab speaks.
            pub const ALL: &'static [ApiKey] = &[$(ApiKey::$name),*];

            /// `Produce`, `Fetch`, …
            pub const fn name(self) -> &'static str {
                match self { $(ApiKey::$name => stringify!($name)),* }
            }
            /// `ProduceRequest`, …: how a fault names this message.
            pub const fn request_name(self) -> &'static str {
                match self { $(ApiKey::$name => concat!(stringify!($name), "Request")),* }
            }
            /// `ProduceResponse`, …: how a fault names this message.
            pub const fn response_name(self) -> &'static str {
                match self { $(ApiKey::$name => concat!(stringify!($name), "Response")),* }
            }
        }

        impl Request {
            /// Which API this is.
            pub const fn api(&self) -> ApiKey {
                match self { $(Request::$name(_) => ApiKey::$name),* }
            }
        }

        impl Response {
            /// Which API this answers.
            pub const fn api(&self) -> ApiKey {
                match self { $(Response::$name(_) => ApiKey::$name),* }
            }
        }
    };
}

apis! {
    Produce = 0, ProduceRequest, ProduceResponse;
    Fetch = 1, FetchRequest, FetchResponse;
    ListOffsets = 2, ListOffsetsRequest, ListOffsetsResponse;
    Metadata = 3, MetadataRequest, MetadataResponse;
    OffsetCommit = 8, OffsetCommitRequest, OffsetCommitResponse;
    OffsetFetch = 9, OffsetFetchRequest, OffsetFetchResponse;
    FindCoordinator = 10, FindCoordinatorRequest, FindCoordinatorResponse;
    CreateTopics = 19, CreateTopicsRequest, CreateTopicsResponse;
    DeleteRecords = 21, DeleteRecordsRequest, DeleteRecordsResponse;
    InitProducerId = 22, InitProducerIdRequest, InitProducerIdResponse;
    OffsetForLeaderEpoch = 23, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    CreatePartitions = 37, CreatePartitionsRequest, CreatePartitionsResponse;
    ElectLeaders = 43, ElectLeadersRequest, ElectLeadersResponse;
    IncrementalAlterConfigs = 44, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    AlterPartitionReassignments = 45, AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
    ListPartitionReassignments = 46, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
    Vote = 52, VoteRequest, VoteResponse;
    BeginQuorumEpoch = 53, BeginQuorumEpochRequest, BeginQuorumEpochResponse;
    EndQuorumEpoch = 54, EndQuorumEpochRequest, EndQuorumEpochResponse;
    AlterPartition = 56, AlterPartitionRequest, AlterPartitionResponse;
    FetchSnapshot = 59, FetchSnapshotRequest, FetchSnapshotResponse;
    BrokerRegistration = 62, BrokerRegistrationRequest, BrokerRegistrationResponse;
    BrokerHeartbeat = 63, BrokerHeartbeatRequest, BrokerHeartbeatResponse;
    AllocateProducerIds = 67, AllocateProducerIdsRequest, AllocateProducerIdsResponse;
    // Last, so that the hashes of the others stay.
    AddPartitionsToTxn = 24, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
    AddOffsetsToTxn = 25, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
    EndTxn = 26, EndTxnRequest, EndTxnResponse;
    WriteTxnMarkers = 27, WriteTxnMarkersRequest, WriteTxnMarkersResponse;
    TxnOffsetCommit = 28, TxnOffsetCommitRequest, TxnOffsetCommitResponse;
    DescribeProducers = 61, DescribeProducersRequest, DescribeProducersResponse;
    DescribeTransactions = 65, DescribeTransactionsRequest, DescribeTransactionsResponse;
    ListTransactions = 66, ListTransactionsRequest, ListTransactionsResponse;
    JoinGroup = 11, JoinGroupRequest, JoinGroupResponse;
    Heartbeat = 12, HeartbeatRequest, HeartbeatResponse;
    LeaveGroup = 13, LeaveGroupRequest, LeaveGroupResponse;
    SyncGroup = 14, SyncGroupRequest, SyncGroupResponse;
    ConsumerGroupHeartbeat = 68, Box<ConsumerGroupHeartbeatRequest>, ConsumerGroupHeartbeatResponse;
    DescribeGroups = 15, DescribeGroupsRequest, DescribeGroupsResponse;
    ListGroups = 16, ListGroupsRequest, ListGroupsResponse;
    DeleteGroups = 42, DeleteGroupsRequest, DeleteGroupsResponse;
    OffsetDelete = 47, OffsetDeleteRequest, OffsetDeleteResponse;
    ConsumerGroupDescribe = 69, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
    ShareGroupHeartbeat = 76, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse;
    ShareGroupDescribe = 77, ShareGroupDescribeRequest, ShareGroupDescribeResponse;
    ShareFetch = 78, Box<ShareFetchRequest>, ShareFetchResponse;
    ShareAcknowledge = 79, ShareAcknowledgeRequest, ShareAcknowledgeResponse;
    InitializeShareGroupState = 83, InitializeShareGroupStateRequest, ShareGroupStateResponse;
    ReadShareGroupState = 84, ReadShareGroupStateRequest, ReadShareGroupStateResponse;
    WriteShareGroupState = 85, WriteShareGroupStateRequest, ShareGroupStateResponse;
    DeleteShareGroupState = 86, DeleteShareGroupStateRequest, ShareGroupStateResponse;
    ReadShareGroupStateSummary = 87, ReadShareGroupStateRequest, ReadShareGroupStateSummaryResponse;
    SinkWrite = 1000, SinkWriteRequest, SinkWriteResponse;
    SinkOffsets = 1001, SinkOffsetsRequest, SinkOffsetsResponse;
}

impl Response {
    /// The first error it carries, at the top or in a partition: what a picture of the message is labelled with.
    pub fn error(&self) -> ErrorCode {
        fn first(codes: impl Iterator<Item = ErrorCode>) -> ErrorCode {
            codes.into_iter().find(|code| code.is_error()).unwrap_or(ErrorCode::None)
        }
        match self {
            Response::Produce(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::Fetch(r) => first(std::iter::once(r.error).chain(r.partitions.iter().map(|p| p.error))),
            Response::ListOffsets(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::Metadata(r) => first(r.topics.iter().map(|t| t.error)),
            Response::OffsetCommit(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::OffsetFetch(r) => first(std::iter::once(r.error).chain(r.partitions.iter().map(|p| p.error))),
            Response::FindCoordinator(r) => r.error,
            Response::CreateTopics(r) => first(r.topics.iter().map(|t| t.error)),
            Response::DeleteRecords(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::InitProducerId(r) => r.error,
            Response::OffsetForLeaderEpoch(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::CreatePartitions(r) => first(r.topics.iter().map(|t| t.error)),
            Response::ElectLeaders(r) => first(std::iter::once(r.error).chain(r.partitions.iter().map(|p| p.error))),
            Response::IncrementalAlterConfigs(r) => first(r.resources.iter().map(|(_, error)| *error)),
            Response::AlterPartitionReassignments(r) => {
                first(std::iter::once(r.error).chain(r.partitions.iter().map(|p| p.error)))
            }
            Response::ListPartitionReassignments(r) => r.error,
            Response::Vote(r) => r.error,
            Response::BeginQuorumEpoch(r) => r.error,
            Response::EndQuorumEpoch(r) => r.error,
            Response::FetchSnapshot(r) => r.error,
            Response::AlterPartition(r) => first(std::iter::once(r.error).chain(r.partitions.iter().map(|p| p.error))),
            Response::BrokerRegistration(r) => r.error,
            Response::BrokerHeartbeat(r) => r.error,
            Response::AllocateProducerIds(r) => r.error,
            Response::AddPartitionsToTxn(r) => {
                let parts = r.transactions.iter().flat_map(|transaction| &transaction.partitions);
                first(std::iter::once(r.error).chain(parts.map(|(_, error)| *error)))
            }
            Response::AddOffsetsToTxn(r) => r.error,
            Response::EndTxn(r) => r.error,
            Response::WriteTxnMarkers(r) => first(r.markers.iter().flat_map(|it| &it.partitions).map(|it| it.1)),
            Response::TxnOffsetCommit(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::DescribeProducers(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::DescribeTransactions(r) => first(r.transactions.iter().map(|it| it.error)),
            Response::ListTransactions(r) => r.error,
            Response::JoinGroup(r) => r.error,
            Response::Heartbeat(r) => r.error,
            Response::LeaveGroup(r) => first(std::iter::once(r.error).chain(r.members.iter().map(|it| it.1))),
            Response::SyncGroup(r) => r.error,
            Response::ConsumerGroupHeartbeat(r) => r.error,
            Response::DescribeGroups(r) => first(r.groups.iter().map(|it| it.error)),
            Response::ListGroups(r) => r.error,
            Response::DeleteGroups(r) => first(r.groups.iter().map(|it| it.1)),
            Response::OffsetDelete(r) => first(std::iter::once(r.error).chain(r.partitions.iter().map(|it| it.1))),
            Response::ConsumerGroupDescribe(r) => first(r.groups.iter().map(|it| it.error)),
            Response::ShareGroupHeartbeat(r) => r.error,
            Response::ShareGroupDescribe(r) => first(r.groups.iter().map(|it| it.error)),
            Response::ShareFetch(r) => {
                let parts = r.partitions.iter().flat_map(|it| [it.error, it.acknowledge_error]);
                first(std::iter::once(r.error).chain(parts))
            }
            Response::ShareAcknowledge(r) => {
                first(std::iter::once(r.error).chain(r.partitions.iter().map(|p| p.error)))
            }
            Response::InitializeShareGroupState(r)
            | Response::WriteShareGroupState(r)
            | Response::DeleteShareGroupState(r) => first(r.partitions.iter().map(|it| it.1)),
            Response::ReadShareGroupState(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::ReadShareGroupStateSummary(r) => first(r.partitions.iter().map(|p| p.error)),
            Response::SinkWrite(r) => r.error,
            Response::SinkOffsets(r) => r.error,
        }
    }
}
