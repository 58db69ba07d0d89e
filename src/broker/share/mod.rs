//! Share groups on a broker (KIP-932): records of a partition are handed out to the members of a group one by one, and each
//! is acknowledged by itself.
//!
//! ```text
//! manager     ShareFetch, ShareAcknowledge: sessions, who waits for what
//!   partition   what a group has done with the offsets of a partition led here
//!   persister     reads and writes that at its share coordinator
//! coordinator   the share coordinator: shards of `__share_group_state`
//! ```
//! Members and assignments are the group coordinator's ([`crate::coordinator::group::share`]).
//!
//! Departures: share groups have no settings of their own, the cluster's `share.*` and `group.share.*` are everybody's;
//! retries wait without jitter.
//!
//! In Kafka: `kafka.server.share`, `org.apache.kafka.server.share`.

mod coordinator;
mod fetch;
mod manager;
mod partition;
mod persister;
mod session;

pub use coordinator::ShareCoordinator;
pub use manager::SharePartitionManager;
pub use partition::{RecordState, SharePartition};

use self::persister::{Persisted, Persister};
use super::context::Context;
use super::replica_manager::{CoordinatorNews, ReplicaManager};
use crate::base::{BrokerId, Time, TopicPartition};
use crate::coordinator::group::share::{Initialize, StateTask};
use crate::node::{BrokerTimer, ConnectionId, RequestContext, Timer};
use crate::protocol::{Request, Response, ShareAcknowledgeRequest, ShareFetchRequest};
use std::hash::{Hash, Hasher};

/// All that a broker does for share groups, members aside.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    manager: SharePartitionManager,
    coordinator: ShareCoordinator,
    persister: Persister,
    timer: Option<Time>,
    /// What the group coordinator waits for.
    initialized: Vec<(Initialize, bool)>,
}

/// Adds nothing while nobody has asked for anything, so that runs without share groups keep the state hash they always had.
impl Hash for Shares {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if !self.is_new() {
            (&self.manager, &self.coordinator, &self.persister, &self.timer, &self.initialized).hash(state);
        }
    }
}

/// What a part needs of the rest while one event is being handled.
pub(super) struct Host<'a, 'o> {
    ctx: Context<'a, 'o>,
    replicas: &'a mut ReplicaManager,
    persister: &'a mut Persister,
    wake: Option<Time>,
}

impl Host<'_, '_> {
    /// Something happens by itself then.
    fn wake_at(&mut self, due: Time) {
        self.wake = Some(self.wake.map_or(due, |wake| wake.min(due)));
    }
}

impl Shares {
    /// Was nothing ever asked?
    pub fn is_new(&self) -> bool {
        self.manager.is_new() && self.coordinator.is_new() && self.persister.is_new()
    }

    /// Does this broker coordinate what is in this partition of `__share_group_state`?
    pub fn coordinates(&self, id: TopicPartition) -> bool {
        self.coordinator.coordinates(id)
    }

    /// The share-partitions of partitions led here.
    pub fn manager(&self) -> &SharePartitionManager {
        &self.manager
    }

    /// The share coordinator.
    pub fn coordinator(&self) -> &ShareCoordinator {
        &self.coordinator
    }

    /// What the group coordinator has waited for: the share coordinators know of partitions, or do not.
    pub fn take_initialized(&mut self) -> Vec<(Initialize, bool)> {
        std::mem::take(&mut self.initialized)
    }

    /// Lets a part do something; then what it asked of share coordinators goes out. Says whether `__share_group_state` has to
    /// be created first.
    fn run(
        &mut self,
        ctx: Context<'_, '_>,
        replicas: &mut ReplicaManager,
        run: impl FnOnce(&mut SharePartitionManager, &mut ShareCoordinator, &mut Host<'_, '_>) -> Vec<Persisted>,
    ) -> bool {
        let mut host = Host { ctx, replicas, persister: &mut self.persister, wake: None };
        let persisted = run(&mut self.manager, &mut self.coordinator, &mut host);
        for persisted in persisted {
            match persisted {
                Persisted::Initialized(what, known) => self.initialized.push((what, known)),
                persisted => self.manager.on_persisted(persisted, &mut host),
            }
        }
        let create = host.persister.send(&mut host.ctx);
        let due = [host.wake, host.persister.deadline(), self.coordinator.deadline()].into_iter().flatten().min();
        if let Some(due) = due
            && self.timer.is_none_or(|timer| due < timer)
        {
            self.timer = Some(due);
            host.ctx.out.set_timer(Timer::Broker(BrokerTimer::Shares), due);
        }
        create
    }

    /// Handles ShareFetch.
    pub fn fetch(
        &mut self,
        context: RequestContext,
        request: &ShareFetchRequest,
        ctx: Context<'_, '_>,
        replicas: &mut ReplicaManager,
    ) -> bool {
        self.run(ctx, replicas, |manager, _, host| {
            manager.handle_fetch(context, request, host);
            Vec::new()
        })
    }

    /// Handles ShareAcknowledge.
    pub fn acknowledge(
        &mut self,
        context: RequestContext,
        request: &ShareAcknowledgeRequest,
        ctx: Context<'_, '_>,
        replicas: &mut ReplicaManager,
    ) -> bool {
        self.run(ctx, replicas, |manager, _, host| {
            manager.handle_acknowledge(context, request, host);
            Vec::new()
        })
    }

    /// Handles what is asked of the share coordinator.
    pub fn coordinate(
        &mut self,
        context: RequestContext,
        request: &Request,
        ctx: Context<'_, '_>,
        replicas: &mut ReplicaManager,
    ) -> bool {
        self.run(ctx, replicas, |_, coordinator, host| {
            coordinator.handle(context, request, host);
            Vec::new()
        })
    }

    /// Tells share coordinators of a group that begins to read partitions, or is gone.
    pub fn tell(&mut self, task: StateTask, ctx: Context<'_, '_>, replicas: &mut ReplicaManager) -> bool {
        self.run(ctx, replicas, |_, _, host| {
            match task {
                StateTask::Initialize(what) => host.persister.initialize(what, host.ctx.image, host.ctx.now),
                StateTask::Delete(group, partitions) => {
                    host.persister.delete(&group, partitions, host.ctx.image, host.ctx.now);
                }
            }
            Vec::new()
        })
    }

    /// Something happened to a partition of `__share_group_state`, or to one that share groups read.
    pub fn on_news(&mut self, news: &CoordinatorNews, ctx: Context<'_, '_>, replicas: &mut ReplicaManager) -> bool {
        self.run(ctx, replicas, |manager, coordinator, host| {
            match news.partition() {
                Some(id) if host.replicas.keeps_share_state(id) || coordinator.coordinates(id) => {
                    coordinator.on_news(news, host);
                }
                _ => manager.on_news(news, host),
            }
            Vec::new()
        })
    }

    /// A share coordinator answered.
    pub fn on_response(
        &mut self,
        from: BrokerId,
        correlation: u32,
        response: Response,
        ctx: Context<'_, '_>,
        replicas: &mut ReplicaManager,
    ) -> bool {
        self.run(ctx, replicas, |_, _, host| host.persister.answered(from, correlation, response, host.ctx.now))
    }

    /// The connection to a share coordinator broke.
    pub fn on_coordinator_disconnect(
        &mut self,
        broker: BrokerId,
        ctx: Context<'_, '_>,
        replicas: &mut ReplicaManager,
    ) -> bool {
        self.run(ctx, replicas, |_, _, host| host.persister.disconnected(broker, host.ctx.now))
    }

    /// A client's connection broke.
    pub fn on_disconnect(
        &mut self,
        connection: ConnectionId,
        ctx: Context<'_, '_>,
        replicas: &mut ReplicaManager,
    ) -> bool {
        self.run(ctx, replicas, |manager, _, host| {
            manager.on_disconnect(connection, host);
            Vec::new()
        })
    }

    /// Something is due.
    pub fn on_timer(&mut self, ctx: Context<'_, '_>, replicas: &mut ReplicaManager) -> bool {
        self.timer = None;
        self.run(ctx, replicas, |manager, coordinator, host| {
            coordinator.expire(host);
            manager.on_timer(host);
            if let Some(due) = manager.deadline() {
                host.wake_at(due);
            }
            host.persister.on_timer(&mut host.ctx)
        })
    }
}
