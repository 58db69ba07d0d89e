//! Share groups by hand: the replica manager of the [`Bench`](super::bench::Bench), a group coordinator, and what is there for
//! share groups beside it. Broker 1 leads all there is; what it sends to share coordinators comes back to itself.

use super::bench::{Bench, LOCAL};
use super::requests::fetch;
use crate::base::config::ShareAcquireMode;
use crate::base::{BrokerId, Duration, TopicId, TopicPartition};
use crate::broker::context::Context;
use crate::broker::group_coordinator::GroupCoordinator;
use crate::broker::replica_manager::ReplicaManager;
use crate::broker::share::{SharePartition, Shares};
use crate::coordinator::share::SharePartitionState;
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, MetadataRecord, PartitionRegistration, SHARE_GROUP_STATE_TOPIC};
use crate::node::{ConnectionId, RequestContext};
use crate::protocol::{
    AcknowledgeType, AcknowledgementBatch, ErrorCode, FetchReplica, FetchSession, InitializeShareGroupStateRequest,
    InitializeStatePartition, Request, Response, ShareAcknowledgeRequest, ShareFetchRequest, ShareFetchResponse,
    SharePartitionAcknowledgements,
};

pub const ID: TopicPartition = super::bench::ID;
pub const OFFSETS: TopicPartition = TopicPartition::new(TopicId(2), 0);
pub const STATE: TopicPartition = TopicPartition::new(TopicId(4), 0);

pub struct Lab {
    pub bench: Bench,
    pub shares: Shares,
    pub group: GroupCoordinator,
    /// Requests to the share coordinator arrive.
    pub online: bool,
    /// Requests at the share coordinator: its number for each, and the sender's.
    open: Vec<(u32, u32)>,
    pub topic_wanted: u32,
}

impl Lab {
    /// Everything is on broker 1 alone; groups begin with the first record.
    pub fn new(settings: &[(&str, &str)]) -> Lab {
        let all: Vec<(&str, &str)> =
            [("share.auto.offset.reset", "earliest")].iter().chain(settings).copied().collect();
        let mut lab = Lab::without_state(&all);
        lab.bench.follow(&[MetadataRecord::Topic { name: SHARE_GROUP_STATE_TOPIC.into(), topic: STATE.topic }]);
        lab.lead(STATE, &[1], 1, 0);
        lab
    }

    /// `__share_group_state` does not exist.
    pub fn without_state(settings: &[(&str, &str)]) -> Lab {
        let bench = Bench::new(settings);
        let group = GroupCoordinator::new(bench.config());
        let shares = Shares::default();
        let mut lab = Lab { bench, shares, group, online: true, open: Vec::new(), topic_wanted: 0 };
        lab.bench.follow(&[MetadataRecord::Topic { name: CONSUMER_OFFSETS_TOPIC.into(), topic: OFFSETS.topic }]);
        lab.lead(ID, &[1], 1, 0);
        lab.lead(OFFSETS, &[1], 1, 0);
        lab
    }

    pub fn lead(&mut self, id: TopicPartition, replicas: &[i32], leader: i32, leader_epoch: i32) {
        let ids = |list: &[i32]| list.iter().map(|id| BrokerId(*id)).collect::<Vec<_>>();
        let mut registration = PartitionRegistration::new(ids(replicas), ids(replicas));
        (registration.leader, registration.leader_epoch) = (BrokerId(leader), leader_epoch);
        registration.partition_epoch = leader_epoch;
        self.bench.follow(&[MetadataRecord::Partition(registration.to_record(id))]);
        self.settle();
    }

    pub fn run(&mut self, run: impl FnOnce(&mut Shares, Context<'_, '_>, &mut ReplicaManager) -> bool) {
        self.run_alone(run);
        self.settle();
    }

    fn run_alone(&mut self, run: impl FnOnce(&mut Shares, Context<'_, '_>, &mut ReplicaManager) -> bool) {
        let shares = &mut self.shares;
        let wanted = self.bench.run(|replicas, _, ctx| {
            let (requests, out) = (&mut *ctx.requests, &mut *ctx.out);
            let Context { now, id, broker_epoch, config, image, disk_full, .. } = *ctx;
            run(shares, Context { now, id, broker_epoch, config, image, disk_full, requests, out }, replicas)
        });
        self.topic_wanted += u32::from(wanted);
    }

    pub fn run_group(&mut self, run: impl FnOnce(&mut GroupCoordinator, &mut ReplicaManager, &mut Context<'_, '_>)) {
        let group = &mut self.group;
        self.bench.run(|replicas, _, ctx| run(group, replicas, ctx));
        self.settle();
    }

    pub fn settle(&mut self) {
        loop {
            let news = self.bench.replicas.take_coordinator_news();
            let mut idle = news.is_empty();
            for news in news {
                if news.partition().is_some_and(|id| id.topic == OFFSETS.topic) {
                    self.group_alone(|group, replicas, ctx| group.on_news(news, replicas, ctx));
                } else {
                    self.run_alone(|shares, ctx, replicas| shares.on_news(&news, ctx, replicas));
                }
            }
            if let Some(task) = self.group.take_state_task() {
                self.run_alone(|shares, ctx, replicas| shares.tell(task, ctx, replicas));
                idle = false;
            }
            for (what, known) in self.shares.take_initialized() {
                self.group_alone(|group, replicas, ctx| group.share_initialized(&what, known, replicas, ctx));
                idle = false;
            }
            if !self.deliver() && idle {
                return;
            }
        }
    }

    fn group_alone(&mut self, run: impl FnOnce(&mut GroupCoordinator, &mut ReplicaManager, &mut Context<'_, '_>)) {
        let group = &mut self.group;
        self.bench.run(|replicas, _, ctx| run(group, replicas, ctx));
    }

    /// Carries one request to the share coordinator, or one answer from it.
    fn deliver(&mut self) -> bool {
        let answered = self.open.iter().position(|(at, _)| self.bench.responses.contains_key(at));
        if let Some(place) = answered {
            let (at, correlation) = self.open.remove(place);
            let response = self.bench.responses.remove(&at).expect("just seen");
            self.run_alone(|shares, ctx, replicas| shares.on_response(LOCAL, correlation, response, ctx, replicas));
            return true;
        }
        let is_state = |request: &Request| {
            let read = matches!(request, Request::ReadShareGroupState(_) | Request::WriteShareGroupState(_));
            read || matches!(request, Request::InitializeShareGroupState(_) | Request::DeleteShareGroupState(_))
        };
        let sent = self.bench.sent.iter().position(|(_, _, request)| is_state(request)).filter(|_| self.online);
        let Some(place) = sent else { return false };
        let (_, correlation, request) = self.bench.sent.remove(place);
        let context = self.bench.context();
        self.open.push((context.correlation_id, correlation));
        self.run_alone(|shares, ctx, replicas| shares.coordinate(context, &request, ctx, replicas));
        true
    }

    /// Time passes, and the timers are due.
    pub fn pass(&mut self, millis: u64) {
        self.bench.advance(millis);
        self.run(Shares::on_timer);
    }

    /// The group has been initialised.
    pub fn initialize(&mut self, group: &str) {
        let partitions = vec![InitializeStatePartition { partition: ID, state_epoch: 1, start_offset: -1 }];
        let request = InitializeShareGroupStateRequest { group: group.into(), partitions };
        let context = self.bench.context();
        let request = Request::InitializeShareGroupState(request);
        self.run(|shares, ctx, replicas| shares.coordinate(context, &request, ctx, replicas));
        assert_eq!(self.error(context.correlation_id), Some(ErrorCode::None));
    }

    pub fn append(&mut self, records: i64) {
        self.bench.append(records);
        self.settle();
    }

    /// A follower of `__share_group_state` has everything up to there.
    pub fn replicate_state(&mut self, offset: i64) {
        let mut request = fetch(STATE, offset, FetchSession::NONE);
        request.replica = Some(FetchReplica { id: BrokerId(2), epoch: 102 });
        request.partitions[0].log_start_offset = 0;
        self.bench.request(Request::Fetch(request));
        self.settle();
    }

    // ---- requests: the number of each ----

    pub fn fetch_with(
        &mut self,
        member: &str,
        epoch: i32,
        acknowledged: &[AcknowledgementBatch],
        edit: impl FnOnce(&mut ShareFetchRequest),
    ) -> (u32, ConnectionId) {
        let partitions = vec![SharePartitionAcknowledgements { partition: ID, batches: acknowledged.to_vec() }];
        let mut request = ShareFetchRequest {
            group: "mail".into(),
            member_id: member.into(),
            session_epoch: epoch,
            max_wait: Duration::from_millis(500),
            min_bytes: 1,
            max_bytes: 1 << 20,
            max_records: 500,
            batch_size: 500,
            acquire_mode: ShareAcquireMode::BatchOptimized,
            is_renew_ack: false,
            partitions: if epoch == 0 || !acknowledged.is_empty() { partitions } else { Vec::new() },
            forgotten: Vec::new(),
        };
        edit(&mut request);
        let context = self.bench.context();
        self.run(|shares, ctx, replicas| shares.fetch(context, &request, ctx, replicas));
        (context.correlation_id, context.connection)
    }

    pub fn fetch(&mut self, member: &str, epoch: i32) -> u32 {
        self.fetch_with(member, epoch, &[], |_| {}).0
    }

    pub fn acknowledge(&mut self, member: &str, epoch: i32, first: i64, last: i64, kind: AcknowledgeType) -> u32 {
        let request = ShareAcknowledgeRequest {
            group: "mail".into(),
            member_id: member.into(),
            session_epoch: epoch,
            is_renew_ack: kind == AcknowledgeType::Renew,
            partitions: vec![SharePartitionAcknowledgements { partition: ID, batches: vec![says(first, last, kind)] }],
        };
        let context: RequestContext = self.bench.context();
        self.run(|shares, ctx, replicas| shares.acknowledge(context, &request, ctx, replicas));
        context.correlation_id
    }

    // ---- answers and state ----

    pub fn error(&self, request: u32) -> Option<ErrorCode> {
        self.bench.responses.get(&request).map(Response::error)
    }

    pub fn fetched(&self, request: u32) -> Option<&ShareFetchResponse> {
        match self.bench.responses.get(&request)? {
            Response::ShareFetch(response) => Some(response),
            other => panic!("{other:?}"),
        }
    }

    /// First, last and delivery count of what was acquired; none while there is no answer.
    pub fn acquired(&self, request: u32) -> Option<Vec<(i64, i64, i16)>> {
        let all = self.fetched(request)?.partitions.iter().flat_map(|it| &it.acquired);
        Some(all.map(|it| (it.first_offset, it.last_offset, it.delivery_count)).collect())
    }

    pub fn share_partition(&self) -> Option<&SharePartition> {
        self.shares.manager().partitions().next().map(|(_, partition)| partition)
    }

    /// What the share coordinator knows of the only share-partition.
    pub fn written(&self) -> Option<&SharePartitionState> {
        self.shares.coordinator().shards().find_map(|(_, shard)| shard.states().next()).map(|(_, state)| state)
    }
}

pub fn says(first_offset: i64, last_offset: i64, kind: AcknowledgeType) -> AcknowledgementBatch {
    AcknowledgementBatch { first_offset, last_offset, types: vec![kind] }
}
