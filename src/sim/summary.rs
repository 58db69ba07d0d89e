//! What a timeline says of a message: computed once, when it leaves, and only while somebody watches.

use crate::base::{NodeId, Offset, RecordId, SortedMap, SortedSet, TopicPartition};
use crate::client::payload::record_id_of;
use crate::node::{Body, Channel, ConnectionId, Message, MessageId, MessageSummary};
use crate::protocol::{
    ApiKey, ErrorCode, FetchResponse, InitProducerIdRequest, ProduceRequest, Request, Response,
    SharePartitionAcknowledgements,
};
use crate::record::RecordBatch;
use std::rc::Rc;

/// Such requests whose records are remembered for their responses, at most.
const REMEMBERED: usize = 4_096;

/// Records and where they stand.
type Fetched = Vec<(Offset, RecordId)>;

/// Builds summaries. No part of the world's state.
#[derive(Clone, Debug)]
pub(super) struct Tracer {
    pub enabled: bool,
    /// The records of Produce requests, and those to sinks, that are not answered yet.
    produced: SortedMap<MessageId, Rc<[RecordId]>>,
    /// What clients with a transactional id have fetched and not yet committed, by offset.
    fetched: SortedMap<(NodeId, TopicPartition), Rc<Fetched>>,
    transactional: SortedSet<NodeId>,
    nothing: Rc<[RecordId]>,
}

impl Tracer {
    pub fn new() -> Self {
        Tracer {
            enabled: true,
            produced: SortedMap::new(),
            fetched: SortedMap::new(),
            transactional: SortedSet::new(),
            nothing: Rc::new([]),
        }
    }

    /// The summary of a message, which answers another if it is a response; none while nobody watches.
    pub fn summarize(&mut self, message: &Message, answers: Option<MessageId>) -> Option<Rc<MessageSummary>> {
        if let Body::Request(Request::InitProducerId(InitProducerIdRequest { transactional_id: Some(_), .. })) =
            &message.body
        {
            self.transactional.insert(message.connection.client);
        }
        if !self.enabled {
            return None;
        }
        let summary = match &message.body {
            Body::Request(request) => MessageSummary {
                api: request.api(),
                response: false,
                error: ErrorCode::None,
                answers: None,
                records: self.of_request(message.id, message.connection.client, request),
                quiet: request_is_quiet(request),
            },
            Body::Response(response) => {
                let records = self.of_response(&message.connection, response, answers);
                let error = response.error();
                let quiet = !error.is_error() && response_is_quiet(response.api(), &records);
                MessageSummary { api: response.api(), response: true, error, answers, records, quiet }
            }
        };
        Some(Rc::new(summary))
    }

    fn of_request(&mut self, id: MessageId, client: NodeId, request: &Request) -> Rc<[RecordId]> {
        if let Request::TxnOffsetCommit(commit) = request {
            return commit.offsets.iter().flat_map(|it| self.take_fetched(client, it.partition, it.offset)).collect();
        }
        if let Request::SinkWrite(request) = request {
            let records: Rc<[RecordId]> = request.writes.iter().map(|write| write.record).collect();
            self.remember(id, &records);
            return records;
        }
        let Request::Produce(ProduceRequest { acks, partitions, .. }) = request else { return self.nothing.clone() };
        let records: Rc<[RecordId]> = partitions.iter().flat_map(|it| records_of(&it.batch)).collect();
        if *acks != 0 {
            self.remember(id, &records);
        }
        records
    }

    fn remember(&mut self, id: MessageId, records: &Rc<[RecordId]>) {
        self.produced.insert(id, Rc::clone(records));
        if self.produced.len() > REMEMBERED {
            self.produced.pop_first();
        }
    }

    fn of_response(
        &mut self,
        connection: &ConnectionId,
        response: &Response,
        answers: Option<MessageId>,
    ) -> Rc<[RecordId]> {
        match response {
            Response::Produce(_) | Response::SinkWrite(_) => answers.and_then(|request| self.produced.remove(&request)),
            Response::Fetch(fetch) if connection.channel == Channel::Consumer => {
                if self.transactional.contains(&connection.client) {
                    self.note_fetched(connection.client, fetch);
                }
                Some(fetch.partitions.iter().flat_map(|it| &it.records).flat_map(records_of).collect())
            }
            Response::ShareFetch(fetch) => {
                Some(fetch.partitions.iter().flat_map(|it| &it.records).flat_map(records_of).collect())
            }
            _ => None,
        }
        .unwrap_or_else(|| self.nothing.clone())
    }
}

/// What offsets in a transaction stand for: the records before them that were fetched since the last ones.
impl Tracer {
    fn note_fetched(&mut self, client: NodeId, fetch: &FetchResponse) {
        for partition in &fetch.partitions {
            let Some(first) = partition.records.first().map(RecordBatch::base_offset) else { continue };
            let known = Rc::make_mut(self.fetched.entry((client, partition.partition)).or_default());
            // It may have gone back.
            known.retain(|(offset, _)| *offset < first);
            known.extend(partition.records.iter().flat_map(records_with_offsets));
            let surplus = known.len().saturating_sub(REMEMBERED);
            known.drain(..surplus);
        }
    }

    fn take_fetched(&mut self, client: NodeId, partition: TopicPartition, before: Offset) -> Vec<RecordId> {
        let Some(known) = self.fetched.get_mut(&(client, partition)) else { return Vec::new() };
        let place = known.partition_point(|(offset, _)| *offset < before);
        Rc::make_mut(known).drain(..place).map(|(_, record)| record).collect()
    }
}

/// A fetch shows when it brings something; until then it is one of many.
fn request_is_quiet(request: &Request) -> bool {
    let acknowledges = |it: &SharePartitionAcknowledgements| !it.batches.is_empty();
    match request {
        Request::Fetch(_) => true,
        Request::ShareFetch(fetch) => !fetch.partitions.iter().any(acknowledges),
        other => is_routine(other.api()),
    }
}

fn response_is_quiet(api: ApiKey, records: &[RecordId]) -> bool {
    is_routine(api) || (matches!(api, ApiKey::Fetch | ApiKey::ShareFetch) && records.is_empty())
}

fn is_routine(api: ApiKey) -> bool {
    matches!(api, ApiKey::Metadata | ApiKey::BrokerHeartbeat | ApiKey::Heartbeat | ApiKey::ShareGroupHeartbeat)
}

/// The generated records of a batch, read from its bytes.
pub fn records_of(batch: &RecordBatch) -> impl Iterator<Item = RecordId> + '_ {
    records_with_offsets(batch).map(|(_, record)| record)
}

fn records_with_offsets(batch: &RecordBatch) -> impl Iterator<Item = (Offset, RecordId)> + '_ {
    batch.raw_records().filter_map(|record| {
        let record = record.ok()?;
        Some((record.offset, record_id_of(record.value?)?))
    })
}
