//! An application that reads, processes and writes, projected: a consumer and a producer in one.

use super::application;
use super::groups::named;
use super::transactions::{is_fence, manager};
use super::{Activity, ConsumerView, NodeBody, ProducerView, SinkView};
use crate::app::{OffsetsMode, ProcessorActivity, ProcessorApp};
use crate::base::Offset;
use crate::base::config::IsolationLevel;
use crate::check::Run;
use crate::client::Producer;
use crate::client::consumer::WaitsFor;
use crate::coordinator::group::OffsetKey;
use serde::Serialize;
use std::rc::Rc;

/// An application that reads, processes and writes.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ProcessorView {
    /// What it reads.
    pub from: Vec<Rc<str>>,
    /// What it writes.
    pub to: Vec<Rc<str>>,
    /// When it commits offsets: `transaction`, `after`, `before`.
    pub offsets: &'static str,
    /// The external system that it acts on, if there is one and it is no node of its own.
    pub sink: Option<SinkView>,
    /// Its reading half; its sink is [`Self::sink`].
    pub reader: ConsumerView,
    /// Its writing half: what is buffered and in flight. It knows no total.
    pub writer: ProducerView,
}

pub(super) fn processor(run: &Run, app: &ProcessorApp) -> (Activity, NodeBody) {
    let setup = app.setup();
    let isolation = setup.consumer.isolation_level;
    let mut positions = application::positions(&run.world, app.consumer(), isolation);
    if setup.offsets == OffsetsMode::Transaction {
        positions.iter_mut().for_each(|it| it.committed = stored(run, &setup.group, &it.partition).or(it.committed));
    }
    let sink = app.sink().map(|it| super::sink::sink(&run.world, it));
    let offsets = match setup.offsets {
        OffsetsMode::Transaction => "transaction",
        OffsetsMode::After => "after",
        OffsetsMode::Before => "before",
    };
    let reader = ConsumerView {
        share: false,
        group: Some(Rc::clone(&setup.group)),
        membership: super::groups::membership(app.consumer()),
        settings: vec![
            application::setting("offsets", offsets, false),
            application::setting(
                "isolation.level",
                application::isolation_name(isolation),
                isolation == IsolationLevel::ReadUncommitted,
            ),
        ],
        positions,
        pending: app.batch().filter_map(|record| Some(record.id?.0)).collect(),
        worker: Vec::new(),
        sink: sink.clone(),
    };
    let client = app.producer();
    let manager = manager(&run.world, client, &setup.producer);
    let writer = ProducerView {
        topic: setup.to.join(", ").into(),
        settings: application::producer_settings(&setup.producer, manager.as_ref()),
        buffer: application::buffered(&run.world, client),
        in_flight: application::in_flight(client),
        max_in_flight: setup.producer.max_in_flight_requests_per_connection,
        sent: 0,
        total: 0,
        acked: 0,
        failed: 0,
        producer_id: application::identity(client),
        manager,
    };
    let (from, to) = (setup.from.clone(), setup.to.clone());
    let view = ProcessorView { from, to, offsets, sink, reader, writer };
    (activity(run, app), NodeBody::Processor(Box::new(view)))
}

/// What the group's coordinator has stored; a former one, which does not know that it is, may be behind. Of offsets that were
/// committed with a transaction the consumer itself hears nothing.
fn stored(run: &Run, group: &str, partition: &str) -> Option<Offset> {
    let shards = run.world.brokers().flat_map(|(_, broker)| broker.group_shards());
    let offsets = shards.flat_map(|(_, shard)| shard.offsets.offsets());
    let is_it = |key: &OffsetKey| *key.group == *group && *named(&key.topic, key.partition) == *partition;
    offsets.filter(|(key, _)| is_it(key)).map(|(_, stored)| stored.offset).max()
}

fn activity(run: &Run, app: &ProcessorApp) -> Activity {
    match app.activity() {
        ProcessorActivity::Stopped => Activity::Dead,
        ProcessorActivity::Initializing => Activity::InitializingTransactions,
        ProcessorActivity::Polling(WaitsFor::Metadata) => Activity::WaitingForMetadata,
        ProcessorActivity::Polling(WaitsFor::Records) => writing(run, app.producer()).unwrap_or(Activity::Polling),
        ProcessorActivity::Polling(WaitsFor::Group) => Activity::JoiningGroup,
        ProcessorActivity::Polling(_) => Activity::WaitingForCoordinator,
        ProcessorActivity::Processing { record: Some(record), until } => {
            Activity::Processing { record: record.0, until_us: until.us_since_origin() }
        }
        ProcessorActivity::Acting { .. } => Activity::WaitingForSink,
        ProcessorActivity::Sending { record } => {
            Activity::Buffering { records: record.iter().map(|record| record.0).collect() }
        }
        ProcessorActivity::Flushing => writing(run, app.producer()).unwrap_or(Activity::Polling),
        ProcessorActivity::Committing => Activity::Committing,
        ProcessorActivity::SendingOffsets => Activity::SendingOffsets,
        ProcessorActivity::Ending { committed } => Activity::EndingTransaction { committed },
        ProcessorActivity::Failed(error) if is_fence(&error) => Activity::ProducerFenced,
        ProcessorActivity::Failed(error) => Activity::Failed { error: Rc::from(error.name()) },
        ProcessorActivity::Processing { .. } | ProcessorActivity::Returning => Activity::Polling,
    }
}

/// What its producer does, if it does something.
fn writing(run: &Run, client: Option<&Producer>) -> Option<Activity> {
    let client = client.filter(|client| !client.is_idle())?;
    application::client_activity(client, run.world.now())
}
