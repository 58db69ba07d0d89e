//! Applications, projected.

use super::project::partition_name;
use super::transactions::{is_fence, manager, writers};
use super::{Activity, ConsumerView, InFlightView, ManagerView, NodeBody, PositionView, ProducerView};
use super::{groups, share, sink};
use crate::app::{CommitMode, ConsumerActivity, ConsumerApp, ConsumerAppSetup, ProducerActivity, ProducerApp};
use crate::base::config::{Acks, ConsumerConfig, IsolationLevel, ProducerConfig};
use crate::base::{RecordId, Time, sort_short};
use crate::check::Run;
use crate::client::consumer::Consumer;
use crate::client::producer::{Operation, Producer, ProducerActivity as Client, State};
use crate::sim::World;
use std::rc::Rc;

fn ids(records: &[RecordId]) -> Vec<u32> {
    records.iter().map(|record| record.0).collect()
}

pub(super) fn setting(key: &str, value: &str, default: bool) -> (Rc<str>, Rc<str>, bool) {
    (Rc::from(key), Rc::from(value), !default)
}

pub(super) fn producer(run: &Run, app: &ProducerApp) -> (Activity, NodeBody) {
    let world = &run.world;
    let setup = app.setup();
    let counts = run.ledger.lives().filter(|(_, life)| life.producer.is_some_and(|node| node == setup.node));
    let (taken, acked, failed) = counts.fold((0, 0, 0), |(taken, acked, failed), (_, life)| {
        let (is_acked, has_failed) = (life.acked.is_some(), life.failed.is_some());
        (taken + 1, acked + u32::from(is_acked), failed + u32::from(has_failed))
    });
    let client = app.client();
    let manager = manager(world, client, &setup.config);
    let view = ProducerView {
        topic: Rc::clone(&setup.topic),
        settings: producer_settings(&setup.config, manager.as_ref()),
        buffer: buffered(world, client),
        in_flight: in_flight(client),
        max_in_flight: setup.config.max_in_flight_requests_per_connection,
        // A dead program knows nothing any more.
        sent: if app.client().is_some() { app.records_sent() } else { taken },
        total: setup.records,
        acked,
        failed,
        producer_id: identity(client),
        manager,
    };
    (producer_activity(app, world.now()), NodeBody::Producer(view))
}

/// What lies in the accumulator: records and their partitions.
pub(super) fn buffered(world: &World, client: Option<&Producer>) -> Vec<(u32, Rc<str>)> {
    let of_batch = client.into_iter().flat_map(Producer::buffered).flat_map(|buffered| {
        let name = partition_name(world, buffered.batch.partition);
        buffered.batch.records().iter().map(move |record| (record.0, Rc::clone(&name))).collect::<Vec<_>>()
    });
    of_batch.collect()
}

pub(super) fn in_flight(client: Option<&Producer>) -> Vec<InFlightView> {
    let requests = client.into_iter().flat_map(Producer::in_flight_requests).map(|request| InFlightView {
        to: request.node.0,
        // The client counts how often a batch came back.
        attempt: 1 + request.batches.iter().map(|batch| batch.attempts).max().unwrap_or(0),
        records: request.batches.iter().flat_map(|batch| ids(batch.records())).collect(),
        deadline_us: request.deadline.us_since_origin(),
    });
    requests.collect()
}

/// Producer id and epoch.
pub(super) fn identity(client: Option<&Producer>) -> Option<(i64, i16)> {
    client.map(Producer::producer_id_and_epoch).filter(|it| it.is_valid()).map(|it| (it.id, it.epoch))
}

pub(super) fn producer_settings(
    config: &ProducerConfig,
    manager: Option<&ManagerView>,
) -> Vec<(Rc<str>, Rc<str>, bool)> {
    let default = ProducerConfig::default();
    let acks = match config.acks {
        Acks::All => "all",
        Acks::Leader => "1",
        Acks::None => "0",
    };
    let idempotence = if config.enable_idempotence { "true" } else { "false" };
    let mut settings = vec![
        setting("acks", acks, config.acks == default.acks),
        setting("enable.idempotence", idempotence, config.enable_idempotence == default.enable_idempotence),
    ];
    settings.extend(manager.map(|it| setting("transactional.id", &it.transactional_id, false)));
    settings
}

fn producer_activity(app: &ProducerApp, now: Time) -> Activity {
    let Some(client) = app.client() else { return Activity::Dead };
    match app.activity() {
        ProducerActivity::Initializing => return Activity::InitializingTransactions,
        ProducerActivity::Ending { committed } => return Activity::EndingTransaction { committed },
        ProducerActivity::Failed(error) if is_fence(&error) => return Activity::ProducerFenced,
        ProducerActivity::Failed(error) => return Activity::Failed { error: Rc::from(error.name()) },
        _ => {}
    }
    client_activity(client, now).unwrap_or_else(|| match app.activity() {
        ProducerActivity::AllSent => Activity::Finished,
        _ if *client.transaction_manager().map_or(&State::Ready, |it| it.state()) == State::InTransaction => {
            Activity::InTransaction
        }
        _ => Activity::Idle,
    })
}

/// What a producer client does; none if it has nothing to do.
pub(super) fn client_activity(client: &Producer, now: Time) -> Option<Activity> {
    Some(match client.activity(now) {
        Client::Idle | Client::Closed => return None,
        Client::Failed(error) if is_fence(&error) => Activity::ProducerFenced,
        Client::Failed(_) => Activity::Finished,
        Client::WaitingForMetadata { .. } | Client::WaitingForLeader { .. } => Activity::WaitingForMetadata,
        Client::WaitingForProducerId { .. } => Activity::WaitingForProducerId,
        Client::AddingPartitions { .. } => Activity::AddingPartitions,
        Client::InCall { operation, .. } => match operation {
            Operation::InitTransactions => Activity::InitializingTransactions,
            Operation::SendOffsets => Activity::SendingOffsets,
            Operation::CommitTransaction => Activity::EndingTransaction { committed: true },
            Operation::AbortTransaction => Activity::EndingTransaction { committed: false },
        },
        Client::WaitingForMemory { records, .. } | Client::Lingering { records, .. } => {
            Activity::Buffering { records: ids(&records) }
        }
        Client::InFlight { records, attempt: 0 | 1 } => Activity::WaitingForAck { records: ids(&records) },
        Client::InFlight { records, attempt } => Activity::Retrying { attempt: attempt - 1, records: ids(&records) },
        Client::BackingOff { records, attempt, until } => Activity::BackingOff {
            attempt: attempt.saturating_sub(1),
            records: ids(&records),
            until_us: until.us_since_origin(),
        },
    })
}

pub(super) fn consumer(run: &Run, app: &ConsumerApp) -> (Activity, NodeBody) {
    let world = &run.world;
    let setup = app.setup();
    let worker = app.worker();
    let current = worker.and_then(|worker| worker.current()).map(|(record, _)| record);
    let queued = worker.into_iter().flat_map(|worker| worker.queue());
    let view = ConsumerView {
        group: setup.group.clone(),
        share: setup.share.is_some(),
        membership: groups::membership(app.client()).or_else(|| share::membership(app.share_client()?)),
        settings: consumer_settings(world, setup),
        positions: positions(world, app.client(), setup.config.isolation_level),
        pending: app.batch().filter_map(|record| Some(record.id?.0)).collect(),
        worker: current.into_iter().chain(queued).filter_map(|record| Some(record.id?.0)).collect(),
        sink: app.sink().map(|it| sink::sink(world, it)),
    };
    (consumer_activity(app), NodeBody::Consumer(view))
}

/// How far a consumer client is.
pub(super) fn positions(world: &World, client: Option<&Consumer>, isolation: IsolationLevel) -> Vec<PositionView> {
    let states = client.into_iter().flat_map(|client| client.subscription().iter());
    let mut states: Vec<_> = states.collect();
    sort_short(&mut states, |a, b| a.0 < b.0);
    let positions = states.into_iter().map(|(partition, state)| {
        let position = state.position().map(|position| position.offset);
        let end = match isolation {
            IsolationLevel::ReadUncommitted => state.high_watermark(),
            IsolationLevel::ReadCommitted => state.last_stable_offset(),
        };
        PositionView {
            partition: partition_name(world, partition),
            position,
            committed: state.committed(),
            lag: position.map_or(0, |position| (end - position).max(0)),
        }
    });
    positions.collect()
}

fn consumer_settings(world: &World, setup: &ConsumerAppSetup) -> Vec<(Rc<str>, Rc<str>, bool)> {
    if setup.share.is_some() {
        return share::settings(setup);
    }
    let default = ConsumerConfig::default();
    let commit = commit_name(setup.commit);
    let auto = if setup.config.enable_auto_commit { "true" } else { "false" };
    let mut settings = vec![
        setting("enable.auto.commit", auto, setup.config.enable_auto_commit == default.enable_auto_commit),
        setting("commit", commit, setup.commit == CommitMode::Auto),
    ];
    let isolation = setup.config.isolation_level;
    let is_default = isolation == IsolationLevel::ReadUncommitted;
    // Where nothing is written in transactions, both levels read the same.
    if !is_default || writers(world).next().is_some() {
        settings.push(setting("isolation.level", isolation_name(isolation), is_default));
    }
    settings
}

pub(super) fn commit_name(commit: CommitMode) -> &'static str {
    match commit {
        CommitMode::Before => "before",
        CommitMode::AfterSync => "after-sync",
        CommitMode::AfterAsync => "after-async",
        CommitMode::Auto => "auto",
    }
}

pub(super) fn isolation_name(level: IsolationLevel) -> &'static str {
    match level {
        IsolationLevel::ReadCommitted => "read_committed",
        IsolationLevel::ReadUncommitted => "read_uncommitted",
    }
}

fn consumer_activity(app: &ConsumerApp) -> Activity {
    let of_worker = app.worker().and_then(|worker| worker.current()).and_then(|(record, until)| {
        Some(Activity::Processing { record: record.id?.0, until_us: until.us_since_origin() })
    });
    match app.activity() {
        ConsumerActivity::Stopped => Activity::Dead,
        ConsumerActivity::WaitingForMetadata => Activity::WaitingForMetadata,
        ConsumerActivity::WaitingForGroup => Activity::JoiningGroup,
        ConsumerActivity::WaitingForCoordinator | ConsumerActivity::WaitingForPosition => {
            Activity::WaitingForCoordinator
        }
        ConsumerActivity::Processing { record: Some(record), until } => {
            Activity::Processing { record: record.0, until_us: until.us_since_origin() }
        }
        ConsumerActivity::Acting { .. } | ConsumerActivity::Restoring => Activity::WaitingForSink,
        ConsumerActivity::Committing => Activity::Committing,
        _ => of_worker.unwrap_or(Activity::Polling),
    }
}
