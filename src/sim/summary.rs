//! What a timeline says of a message: computed once, when it leaves, and only while somebody watches.

use crate::base::RecordId;
use crate::base::SortedMap;
use crate::client::payload::record_id_of;
use crate::node::{Body, Channel, Message, MessageId, MessageSummary};
use crate::protocol::{ApiKey, ErrorCode, ProduceRequest, Request, Response};
use crate::record::RecordBatch;
use std::rc::Rc;

/// Produce requests whose records are remembered for their responses, at most.
const REMEMBERED: usize = 4_096;

/// Builds summaries. No part of the world's state.
#[derive(Clone, Debug)]
pub(super) struct Tracer {
    pub enabled: bool,
    /// The records of Produce requests that are not answered yet.
    produced: SortedMap<MessageId, Rc<[RecordId]>>,
    nothing: Rc<[RecordId]>,
}

impl Tracer {
    pub fn new() -> Self {
        Tracer { enabled: true, produced: SortedMap::new(), nothing: Rc::new([]) }
    }

    /// The summary of a message, which answers another if it is a response; none while nobody watches.
    pub fn summarize(&mut self, message: &Message, answers: Option<MessageId>) -> Option<Rc<MessageSummary>> {
        if !self.enabled {
            return None;
        }
        let summary = match &message.body {
            Body::Request(request) => MessageSummary {
                api: request.api(),
                response: false,
                error: ErrorCode::None,
                answers: None,
                records: self.of_request(message.id, request),
                quiet: request_is_quiet(request),
            },
            Body::Response(response) => {
                let records = self.of_response(message.connection.channel, response, answers);
                let error = response.error();
                let quiet = !error.is_error() && response_is_quiet(response.api(), &records);
                MessageSummary { api: response.api(), response: true, error, answers, records, quiet }
            }
        };
        Some(Rc::new(summary))
    }

    fn of_request(&mut self, id: MessageId, request: &Request) -> Rc<[RecordId]> {
        let Request::Produce(ProduceRequest { acks, partitions, .. }) = request else { return self.nothing.clone() };
        let records: Rc<[RecordId]> = partitions.iter().flat_map(|it| records_of(&it.batch)).collect();
        if *acks != 0 {
            self.produced.insert(id, records.clone());
            if self.produced.len() > REMEMBERED {
                self.produced.pop_first();
            }
        }
        records
    }

    fn of_response(&mut self, channel: Channel, response: &Response, answers: Option<MessageId>) -> Rc<[RecordId]> {
        match response {
            Response::Produce(_) => answers.and_then(|request| self.produced.remove(&request)),
            Response::Fetch(fetch) if channel == Channel::Consumer => {
                Some(fetch.partitions.iter().flat_map(|it| &it.records).flat_map(records_of).collect())
            }
            _ => None,
        }
        .unwrap_or_else(|| self.nothing.clone())
    }
}

/// A fetch shows when it brings something; until then it is one of many.
fn request_is_quiet(request: &Request) -> bool {
    matches!(request.api(), ApiKey::Fetch | ApiKey::Metadata | ApiKey::BrokerHeartbeat | ApiKey::Heartbeat)
}

fn response_is_quiet(api: ApiKey, records: &[RecordId]) -> bool {
    match api {
        ApiKey::Fetch => records.is_empty(),
        ApiKey::Metadata | ApiKey::BrokerHeartbeat | ApiKey::Heartbeat => true,
        _ => false,
    }
}

/// The generated records of a batch, read from its bytes.
pub fn records_of(batch: &RecordBatch) -> impl Iterator<Item = RecordId> + '_ {
    batch.records().filter_map(|record| record_id_of(record.ok()?.value.as_deref()?))
}
