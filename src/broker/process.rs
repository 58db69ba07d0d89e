//! The running process: everything that a crash forgets, and the loop that hands events to its parts.

use super::BrokerSetup;
use super::alter_partition::AlterPartitionManager;
use super::context::Context;
use super::controller_channel::ControllerChannel;
use super::forwarding::Forwarding;
use super::group_coordinator::GroupCoordinator;
use super::lifecycle::{BrokerState, Lifecycle};
use super::metadata_loader::MetadataLoader;
use super::producer_id_manager::ProducerIdManager;
use super::replica_manager::{CoordinatorNews, ReplicaManager};
use super::request_queue::RequestQueue;
use super::share::Shares;
use super::transaction_coordinator::{Host, TransactionCoordinator};
use crate::base::{BrokerId, Duration, NodeId, Time};
use crate::log::Disk;
use crate::node::{Body, BrokerTimer, Channel, ConnectionId, Event, Message, Outbox, Timer};
use crate::protocol::{BrokerRegistrationRequest, ErrorCode, Request, Response};

/// How long a forwarded request is tried.
const FORWARDING_RETRY: Duration = Duration::from_millis(60_000);
/// `controller.socket.timeout.ms`.
const CONTROLLER_SOCKET_TIMEOUT: Duration = Duration::from_millis(30_000);

/// A broker process.
#[derive(Clone, Hash, Debug)]
pub struct Process {
    pub(super) requests: RequestQueue,
    pub(super) replicas: ReplicaManager,
    pub(super) lifecycle: Lifecycle,
    pub(super) loader: MetadataLoader,
    pub(super) forwarding: Forwarding,
    pub(super) group: GroupCoordinator,
    pub(super) transactions: TransactionCoordinator,
    pub(super) producer_ids: ProducerIdManager,
    pub(super) shares: Shares,
    /// Every append fails.
    pub(super) disk_full: bool,
    /// When the timer for unanswered requests to the controller is due.
    controller_timer: Option<Time>,
}

impl Process {
    /// A process that has just started: it registers and reads the metadata.
    pub fn start(setup: &BrokerSetup, disk: &Disk, now: Time, out: &mut Outbox<'_>) -> Self {
        let config = &setup.config;
        let loader = MetadataLoader::new(setup.id, &setup.controllers, config);
        let channel = |channel, timeout, retry| ControllerChannel::new(channel, loader.controller(), timeout, retry);
        let registration = BrokerRegistrationRequest {
            broker: setup.id,
            cluster_id: setup.cluster_id.clone(),
            incarnation: out.random().next_u64(),
            previous_broker_epoch: disk.clean_shutdown_epoch().unwrap_or(-1),
            rack: setup.rack.clone(),
        };
        let heartbeat = config.broker_heartbeat_interval_ms;
        let lifecycle = channel(Channel::Lifecycle, CONTROLLER_SOCKET_TIMEOUT, Some(heartbeat));
        let alter = channel(Channel::AlterPartition, CONTROLLER_SOCKET_TIMEOUT, None);
        let forwarding = channel(Channel::Forwarding, CONTROLLER_SOCKET_TIMEOUT, Some(FORWARDING_RETRY));
        let mut process = Process {
            requests: RequestQueue::default(),
            replicas: ReplicaManager::new(setup.id, config, AlterPartitionManager::new(alter)),
            lifecycle: Lifecycle::new(registration, heartbeat, lifecycle),
            loader,
            forwarding: Forwarding::new(forwarding),
            group: GroupCoordinator::new(config),
            transactions: TransactionCoordinator::default(),
            producer_ids: ProducerIdManager::default(),
            shares: Shares::default(),
            disk_full: false,
            controller_timer: None,
        };
        process.lifecycle.communicate(now, -1, out);
        process.loader.poll(now, out);
        process.arm_controller_timer(out);
        process
    }

    /// The parts that handle data, and what they need of the rest.
    pub(super) fn parts<'a, 'o>(
        &'a mut self,
        setup: &'a BrokerSetup,
        now: Time,
        out: &'a mut Outbox<'o>,
    ) -> (Context<'a, 'o>, &'a mut ReplicaManager, &'a mut GroupCoordinator) {
        let ctx = Context {
            now,
            id: setup.id,
            broker_epoch: self.lifecycle.broker_epoch(),
            config: &setup.config,
            image: self.loader.image(),
            disk_full: self.disk_full,
            requests: &mut self.requests,
            out,
        };
        (ctx, &mut self.replicas, &mut self.group)
    }

    /// Lets the transaction coordinator do something.
    pub(super) fn coordinate(
        &mut self,
        setup: &BrokerSetup,
        now: Time,
        out: &mut Outbox<'_>,
        run: impl FnOnce(&mut TransactionCoordinator, &mut Host<'_, '_>),
    ) {
        let broker_epoch = self.lifecycle.broker_epoch();
        let ctx = Context {
            now,
            id: setup.id,
            broker_epoch,
            config: &setup.config,
            image: self.loader.image(),
            disk_full: self.disk_full,
            requests: &mut self.requests,
            out,
        };
        let mut host = Host { ctx, replicas: &mut self.replicas, ids: &mut self.producer_ids, ids_wanted: false };
        run(&mut self.transactions, &mut host);
        if host.ids_wanted {
            self.forwarding.allocate_producer_ids(now, setup.id, broker_epoch, out);
        }
    }

    /// Lets what is there for share groups do something.
    pub(super) fn share(
        &mut self,
        setup: &BrokerSetup,
        now: Time,
        out: &mut Outbox<'_>,
        run: impl FnOnce(&mut Shares, Context<'_, '_>, &mut ReplicaManager) -> bool,
    ) {
        let ctx = Context {
            now,
            id: setup.id,
            broker_epoch: self.lifecycle.broker_epoch(),
            config: &setup.config,
            image: self.loader.image(),
            disk_full: self.disk_full,
            requests: &mut self.requests,
            out,
        };
        if run(&mut self.shares, ctx, &mut self.replicas) {
            self.forwarding.create_share_topic(now, &setup.config, out);
        }
        for (what, known) in self.shares.take_initialized() {
            let (mut ctx, replicas, group) = self.parts(setup, now, out);
            group.share_initialized(&what, known, replicas, &mut ctx);
        }
    }

    /// A message arrived.
    pub fn on_message(
        &mut self,
        setup: &BrokerSetup,
        disk: &mut Disk,
        now: Time,
        from: NodeId,
        message: Message,
        out: &mut Outbox<'_>,
    ) {
        if let Body::Response(response) = message.body {
            let (channel, correlation) = (message.connection.channel, message.correlation_id);
            self.on_response(setup, disk, now, from, channel, correlation, response, out);
        } else if let Some(message) = self.requests.receive(message) {
            self.handle(setup, now, message, out);
        }
        self.settle(setup, now, out);
    }

    fn handle(&mut self, setup: &BrokerSetup, now: Time, message: Message, out: &mut Outbox<'_>) {
        let context = message.context();
        if let Body::Request(request) = message.body {
            self.route(setup, now, context, request, out);
        }
    }

    /// Until nothing is left to do at this moment: news for coordinators, requests whose connection became free.
    fn settle(&mut self, setup: &BrokerSetup, now: Time, out: &mut Outbox<'_>) {
        loop {
            let news = self.replicas.take_coordinator_news();
            if !news.is_empty() {
                news.into_iter().for_each(|news| self.on_news(setup, now, news, out));
                continue;
            }
            if let Some(task) = self.group.take_state_task() {
                self.share(setup, now, out, |shares, ctx, replicas| shares.tell(task, ctx, replicas));
                continue;
            }
            match self.requests.next() {
                Some(message) => self.handle(setup, now, message, out),
                None => break,
            }
        }
        self.arm_controller_timer(out);
    }

    fn on_news(&mut self, setup: &BrokerSetup, now: Time, news: CoordinatorNews, out: &mut Outbox<'_>) {
        let of_transactions = |id| self.replicas.keeps_transactions(id) || self.transactions.coordinates(id);
        if news.partition().is_some_and(of_transactions) {
            return self.coordinate(setup, now, out, |transactions, host| transactions.on_news(&news, host));
        }
        let of_shares =
            |id| self.replicas.keeps_share_state(id) || self.replicas.is_shared(id) || self.shares.coordinates(id);
        if news.partition().is_some_and(of_shares) {
            return self.share(setup, now, out, |shares, ctx, replicas| shares.on_news(&news, ctx, replicas));
        }
        let (mut ctx, replicas, group) = self.parts(setup, now, out);
        group.on_news(news, replicas, &mut ctx);
    }

    #[allow(clippy::too_many_arguments)]
    fn on_response(
        &mut self,
        setup: &BrokerSetup,
        disk: &mut Disk,
        now: Time,
        from: NodeId,
        channel: Channel,
        correlation: u32,
        response: Response,
        out: &mut Outbox<'_>,
    ) {
        if channel == Channel::Replication {
            let (mut ctx, replicas, _) = self.parts(setup, now, out);
            return replicas.on_leader_response(BrokerId::from(from), correlation, response, &mut ctx);
        }
        if channel == Channel::Transactions {
            let (mut ctx, replicas, _) = self.parts(setup, now, out);
            return replicas.on_coordinator_response(BrokerId::from(from), correlation, response, &mut ctx);
        }
        if channel == Channel::ShareState {
            let from = BrokerId::from(from);
            return self.share(setup, now, out, |shares, ctx, replicas| {
                shares.on_response(from, correlation, response, ctx, replicas)
            });
        }
        if channel == Channel::Markers {
            return self.coordinate(setup, now, out, |transactions, host| {
                transactions.on_markers_response(BrokerId::from(from), correlation, response, host);
            });
        }
        if channel == Channel::Metadata {
            return self.on_metadata(setup, disk, now, from, correlation, response, out);
        }
        let Some(lane) = self.channel_mut(channel) else { return };
        let Some(request) = lane.answered(now, correlation, out) else { return };
        if response.error() == ErrorCode::NotController {
            return lane.not_controller(now, request);
        }
        match (request, response) {
            (_, Response::BrokerRegistration(response)) => self.lifecycle.on_registration(now, &response, out),
            (_, Response::BrokerHeartbeat(response)) => {
                self.lifecycle.on_heartbeat(now, &response, out);
                self.publish(setup, disk, now, out);
            }
            (Request::AlterPartition(request), Response::AlterPartition(response)) => {
                let (mut ctx, replicas, _) = self.parts(setup, now, out);
                replicas.on_alter_partition(request, response, &mut ctx);
            }
            (_, response) => {
                self.forwarding.answered(now, response, &mut self.producer_ids, &mut self.requests, out);
            }
        }
    }

    /// A controller answered a fetch of the metadata log. It may have told of another controller, too.
    #[allow(clippy::too_many_arguments)]
    fn on_metadata(
        &mut self,
        setup: &BrokerSetup,
        disk: &mut Disk,
        now: Time,
        from: NodeId,
        correlation: u32,
        response: Response,
        out: &mut Outbox<'_>,
    ) {
        let before = self.loader.controller();
        let news = self.loader.on_response(now, from, correlation, response);
        if self.loader.controller() != before {
            self.controller_changed(now, out);
        }
        if news {
            self.publish(setup, disk, now, out);
        }
        self.loader.poll(now, out);
    }

    fn controller_changed(&mut self, now: Time, out: &mut Outbox<'_>) {
        let controller = self.loader.controller();
        for channel in [Channel::Lifecycle, Channel::AlterPartition, Channel::Forwarding] {
            if let Some(channel) = self.channel_mut(channel) {
                channel.set_controller(now, controller, out);
            }
        }
    }

    fn channel_mut(&mut self, channel: Channel) -> Option<&mut ControllerChannel> {
        match channel {
            Channel::Lifecycle => Some(&mut self.lifecycle.channel),
            Channel::AlterPartition => Some(&mut self.replicas.alter_partition.channel),
            Channel::Forwarding => Some(&mut self.forwarding.channel),
            _ => None,
        }
    }

    /// Acts on new metadata; the first time this loads the logs, and then the broker asks to be unfenced. Once it has been,
    /// it serves.
    fn publish(&mut self, setup: &BrokerSetup, disk: &mut Disk, now: Time, out: &mut Outbox<'_>) {
        let first = !self.loader.is_published();
        if let Some(delta) = self.loader.publish(self.lifecycle.state() != BrokerState::Starting) {
            if first {
                disk.forget_clean_shutdown();
                let (image, id) = (self.loader.image(), setup.id);
                disk.remove_strays(|at| image.partition(at).is_some_and(|it| it.replicas.contains(&id)));
            }
            let (mut ctx, replicas, _) = self.parts(setup, now, out);
            replicas.apply_delta(&delta, disk, &mut ctx);
            if self.transactions.waits_for_metadata() {
                self.coordinate(setup, now, out, TransactionCoordinator::on_metadata);
            }
        }
        if first && self.loader.is_published() {
            let offset = self.loader.image().offset();
            self.lifecycle.set_ready_to_unfence(now, offset, out);
            self.start_rounds(setup, now, out);
        }
        if matches!(self.lifecycle.state(), BrokerState::Running | BrokerState::PendingControlledShutdown) {
            self.requests.open();
        }
    }

    fn start_rounds(&self, setup: &BrokerSetup, now: Time, out: &mut Outbox<'_>) {
        for timer in ROUNDS {
            let first = match timer {
                BrokerTimer::Retention | BrokerTimer::LogStartCheckpoint => setup.config.log_initial_task_delay_ms,
                _ => round(setup, timer),
            };
            out.set_timer(Timer::Broker(timer), now + first);
        }
    }

    /// Somebody wants the process to stop: first the controller moves its leaderships, unless that is switched off.
    pub fn begin_shutdown(&mut self, setup: &BrokerSetup, now: Time, out: &mut Outbox<'_>) -> bool {
        if setup.config.controlled_shutdown_enable {
            let offset = self.loader.image().offset();
            self.lifecycle.begin_controlled_shutdown(now, offset, out);
            self.arm_controller_timer(out);
        }
        !setup.config.controlled_shutdown_enable || self.lifecycle.may_stop()
    }

    /// A timer is due.
    pub fn on_timer(
        &mut self,
        setup: &BrokerSetup,
        disk: &mut Disk,
        now: Time,
        timer: BrokerTimer,
        out: &mut Outbox<'_>,
    ) {
        match timer {
            BrokerTimer::Lifecycle => {
                let offset = self.loader.image().offset();
                self.lifecycle.communicate(now, offset, out);
            }
            BrokerTimer::ControllerRequest => self.on_controller_timer(now, out),
            BrokerTimer::HighWatermarkCheckpoint if self.disk_full => {
                out.emit(Event::LogDirFailed);
                out.halt();
            }
            BrokerTimer::HighWatermarkCheckpoint => disk.write_high_watermarks(self.replicas.high_watermarks()),
            BrokerTimer::Shares => self.share(setup, now, out, Shares::on_timer),
            BrokerTimer::Transactions => self.coordinate(setup, now, out, TransactionCoordinator::on_timer),
            _ => self.on_data_timer(setup, now, timer, out),
        }
        if ROUNDS.contains(&timer) {
            out.set_timer(Timer::Broker(timer), now + round(setup, timer));
        }
        self.settle(setup, now, out);
    }

    fn on_data_timer(&mut self, setup: &BrokerSetup, now: Time, timer: BrokerTimer, out: &mut Outbox<'_>) {
        let (mut ctx, replicas, group) = self.parts(setup, now, out);
        match timer {
            BrokerTimer::AlterPartition => replicas.propagate(&mut ctx),
            BrokerTimer::IsrShrink => replicas.shrink_isrs(&mut ctx),
            BrokerTimer::Purgatory => replicas.on_purgatory_timer(&mut ctx),
            BrokerTimer::AddPartitionsToTxn => replicas.on_verification_timer(&mut ctx),
            BrokerTimer::Fetcher => replicas.on_fetcher_timer(&mut ctx),
            BrokerTimer::Housekeeping => group.on_timer(replicas, &mut ctx),
            BrokerTimer::Retention => replicas.delete_old_segments(false, &mut ctx),
            BrokerTimer::Cleaner => replicas.clean_logs(&mut ctx),
            BrokerTimer::ProducerExpiry => replicas.expire_producers(&ctx),
            BrokerTimer::LogStartCheckpoint => replicas.checkpoint_log_starts(),
            _ => {}
        }
    }

    /// Requests to the controller that went unanswered, or wait to be sent again.
    fn on_controller_timer(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.controller_timer = None;
        if self.lifecycle.channel.on_timer(now, out).is_some() {
            self.lifecycle.failed(now, out);
        }
        self.replicas.alter_partition.channel.on_timer(now, out);
        self.loader.poll(now, out);
        if let Some(request) = self.forwarding.channel.on_timer(now, out) {
            self.forwarding.given_up(now, &request, &mut self.producer_ids, &mut self.requests, out);
        }
    }

    /// The timer is left alone if it is due earlier anyway.
    fn arm_controller_timer(&mut self, out: &mut Outbox<'_>) {
        let channels = [&self.lifecycle.channel, &self.replicas.alter_partition.channel, &self.forwarding.channel];
        let channels = channels.into_iter().filter_map(ControllerChannel::deadline);
        let earliest = channels.chain(self.loader.deadline()).min();
        if let Some(deadline) = earliest
            && self.controller_timer.is_none_or(|due| deadline < due)
        {
            self.controller_timer = Some(deadline);
            out.set_timer(Timer::Broker(BrokerTimer::ControllerRequest), deadline);
        }
    }

    /// A connection broke.
    pub fn on_disconnect(
        &mut self,
        setup: &BrokerSetup,
        now: Time,
        peer: NodeId,
        connection: ConnectionId,
        out: &mut Outbox<'_>,
    ) {
        if connection.server == setup.id.node() {
            self.requests.disconnected(connection);
            if !self.shares.is_new() {
                self.share(setup, now, out, |shares, ctx, replicas| shares.on_disconnect(connection, ctx, replicas));
            }
        }
        if connection.client != setup.id.node() {
            // Nothing was asked over it.
        } else if connection.channel == Channel::Transactions {
            let (mut ctx, replicas, _) = self.parts(setup, now, out);
            replicas.on_coordinator_disconnect(BrokerId::from(peer), &mut ctx);
        } else if connection.channel == Channel::ShareState {
            let peer = BrokerId::from(peer);
            self.share(setup, now, out, |shares, ctx, replicas| shares.on_coordinator_disconnect(peer, ctx, replicas));
        } else if connection.channel == Channel::Markers {
            let peer = BrokerId::from(peer);
            self.coordinate(setup, now, out, |transactions, host| transactions.on_markers_disconnect(peer, host));
        } else if connection.channel == Channel::Replication {
            self.replicas.fetchers.disconnected(now, BrokerId::from(peer), &setup.config, out);
        } else if connection.channel == Channel::Metadata {
            self.loader.disconnected(now, peer);
            self.loader.poll(now, out);
        } else if let Some(channel) = self.channel_mut(connection.channel) {
            channel.disconnected(now, peer);
        }
        self.settle(setup, now, out);
    }
}

/// What is done from time to time.
const ROUNDS: [BrokerTimer; 6] = [
    BrokerTimer::IsrShrink,
    BrokerTimer::HighWatermarkCheckpoint,
    BrokerTimer::Retention,
    BrokerTimer::Cleaner,
    BrokerTimer::ProducerExpiry,
    BrokerTimer::LogStartCheckpoint,
];

/// How often.
fn round(setup: &BrokerSetup, timer: BrokerTimer) -> Duration {
    let config = &setup.config;
    let pause = match timer {
        BrokerTimer::IsrShrink => config.replica_lag_time_max_ms.0 / 2,
        BrokerTimer::Retention => config.log_retention_check_interval_ms.0,
        BrokerTimer::Cleaner => config.log_cleaner_backoff_ms.0,
        BrokerTimer::ProducerExpiry => config.producer_id_expiration_check_interval_ms.0,
        BrokerTimer::LogStartCheckpoint => config.log_flush_start_offset_checkpoint_interval_ms.0,
        _ => config.replica_high_watermark_checkpoint_interval_ms.0,
    };
    // Time has to go on between two rounds.
    Duration(pause.max(1_000))
}
