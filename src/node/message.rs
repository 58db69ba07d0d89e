//! What travels: a request or a response on a connection.

use crate::base::NodeId;
use crate::protocol::{Request, Response};

/// Identifies a message for the whole run, in the order of sending.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId(pub u64);

/// Which of its connections to a peer a process uses. A broker serves the requests of one connection strictly one after
/// the other, so a parked Fetch must not share one with a heartbeat; Kafka separates them likewise.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Channel {
    /// A producer's, to any broker.
    Producer,
    /// A consumer's, for metadata, fetches and offsets lookups.
    Consumer,
    /// A consumer's, to its group coordinator.
    Coordinator,
    /// A follower's, for replica fetches.
    Replication,
    /// A broker's to the controller: registration and heartbeats (`BrokerLifecycleManager`).
    Lifecycle,
    /// A broker's to the controller: ISR changes (`AlterPartitionManager`).
    AlterPartition,
    /// A broker's to the controller: forwarded requests, topic creation, producer id blocks.
    Forwarding,
    /// A broker's to the controller: the metadata log.
    Metadata,
    /// Between controllers.
    Quorum,
    /// A broker's to a transaction coordinator (`AddPartitionsToTxnManager`).
    Transactions,
    /// A transaction coordinator's to a partition's leader (`TransactionMarkerChannelManager`).
    Markers,
    /// A broker's to a share coordinator (`PersisterStateManager`).
    ShareState,
    /// An application's to the external system on which it acts: what its handler asks.
    Sink,
    /// The same: what its rebalance listener asks.
    SinkOffsets,
}

/// A TCP connection: who opened it, to whom, for what, and the how-manieth time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId {
    /// Opened it, sends requests.
    pub client: NodeId,
    /// Accepted it, sends responses.
    pub server: NodeId,
    /// What for.
    pub channel: Channel,
    /// Counts reconnections.
    pub generation: u32,
}

/// A message as it arrives.
#[derive(Clone, PartialEq, Hash, Debug)]
pub struct Message {
    /// Which message of the run.
    pub id: MessageId,
    /// The connection it arrived on.
    pub connection: ConnectionId,
    /// Chosen by the client, echoed in the response.
    pub correlation_id: u32,
    /// The content.
    pub body: Body,
}

/// Request or response.
#[derive(Clone, PartialEq, Hash, Debug)]
pub enum Body {
    /// From client to server.
    Request(Request),
    /// From server to client.
    Response(Response),
}

/// What a server keeps of a request in order to answer it later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestContext {
    /// Where the answer goes; if the connection is gone by then, so is the answer.
    pub connection: ConnectionId,
    /// Of the request.
    pub correlation_id: u32,
    /// The request's message.
    pub request: MessageId,
}

impl Message {
    /// What to keep in order to answer this request.
    pub fn context(&self) -> RequestContext {
        RequestContext { connection: self.connection, correlation_id: self.correlation_id, request: self.id }
    }
}

impl Body {
    /// `ProduceRequest`, `FetchResponse`, …: how a fault names it.
    pub const fn name(&self) -> &'static str {
        match self {
            Body::Request(request) => request.api().request_name(),
            Body::Response(response) => response.api().response_name(),
        }
    }
}
