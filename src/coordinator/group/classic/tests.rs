//! GroupMetadataManagerTest: the classic protocol. Members are named by the requests they sent last.

use super::*;
use crate::base::config::Properties;
use crate::base::{Duration, NodeId};
use crate::node::{Channel, ConnectionId, MessageId};
use crate::protocol::{
    GroupState, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeavingMember,
    SyncGroupRequest, SyncGroupResponse,
};

mod cases;
mod membership;
mod model;
mod statics;

const NONE: ErrorCode = ErrorCode::None;

/// The groups of a partition, and a log that commits at once (unless told otherwise).
struct Lab {
    now: Time,
    config: BrokerConfig,
    random: Prng,
    groups: ClassicGroups,
    answers: SortedMap<u32, Response>,
    log: Vec<CoordinatorRecord>,
    /// Written, and not yet committed.
    uncommitted: Vec<AfterWrite>,
    hold: bool,
    requests: u32,
}

impl Lab {
    fn new(settings: &[(&str, &str)]) -> Lab {
        let properties: Properties = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Lab {
            now: Time::ORIGIN,
            config: BrokerConfig::parse(&properties).expect("good settings"),
            random: Prng::split(1, "groups"),
            groups: ClassicGroups::default(),
            answers: SortedMap::new(),
            log: Vec::new(),
            uncommitted: Vec::new(),
            hold: false,
            requests: 0,
        }
    }

    fn context(&mut self) -> RequestContext {
        self.requests += 1;
        let (client, server, channel, generation) = (NodeId(9), NodeId(0), Channel::Coordinator, self.requests);
        let connection = ConnectionId { client, server, channel, generation };
        RequestContext { connection, correlation_id: self.requests, request: MessageId(0) }
    }

    fn work<R>(&mut self, run: impl FnOnce(&mut ClassicGroups, &mut Work<'_>) -> R) -> R {
        let mut work = Work::new(self.now, &self.config, &mut self.random);
        let result = run(&mut self.groups, &mut work);
        let (answers, writes) = (work.answers, work.writes);
        for (context, response) in answers {
            let before = self.answers.insert(context.correlation_id, response);
            assert!(before.is_none(), "a request is answered once");
        }
        for (record, then) in writes {
            self.log.push(record);
            self.uncommitted.push(then);
        }
        if !self.hold {
            self.end_writes(Ok(()));
        }
        result
    }

    fn end_writes(&mut self, result: Result<(), ErrorCode>) {
        for then in std::mem::take(&mut self.uncommitted) {
            self.work(|groups, work| groups.written(&then, result, work));
        }
    }

    /// Time passes, and things happen when they are due.
    fn advance(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(due) = self.groups.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            while let Some((group, due)) = self.groups.due(self.now) {
                self.work(|groups, work| groups.expire(&group, due, work));
            }
        }
        self.now = end;
    }

    /// Another broker takes the partition over.
    fn fail_over(&mut self) {
        let old = std::mem::take(&mut self.groups);
        self.work(|_, work| old.unload(work));
        for record in &self.log {
            self.groups.load(record).expect("its own record");
        }
        self.work(|groups, work| groups.loaded(work));
    }

    fn join(&mut self, request: &JoinGroupRequest) -> u32 {
        let context = self.context();
        self.work(|groups, work| groups.join(context, request, false, work));
        context.correlation_id
    }

    fn sync(&mut self, request: &SyncGroupRequest) -> u32 {
        let context = self.context();
        self.work(|groups, work| groups.sync(context, request, work));
        context.correlation_id
    }

    fn heartbeat(&mut self, member_id: &str, generation: i32) -> ErrorCode {
        let request =
            HeartbeatRequest { group: "mail".into(), generation, member_id: member_id.into(), instance_id: None };
        self.groups.heartbeat(&request, self.now)
    }

    fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> ErrorCode {
        let member = LeavingMember { member_id: member_id.into(), instance_id: instance_id.map(Into::into) };
        let request = LeaveGroupRequest { group: "mail".into(), members: vec![member] };
        self.work(|groups, work| groups.leave(&request, work)).members[0].1
    }

    fn joined(&self, request: u32) -> Option<&JoinGroupResponse> {
        match self.answers.get(&request)? {
            Response::JoinGroup(response) => Some(response),
            other => panic!("{other:?}"),
        }
    }

    fn synced(&self, request: u32) -> Option<&SyncGroupResponse> {
        match self.answers.get(&request)? {
            Response::SyncGroup(response) => Some(response),
            other => panic!("{other:?}"),
        }
    }

    fn error(&self, request: u32) -> Option<ErrorCode> {
        self.answers.get(&request).map(Response::error)
    }

    fn group(&self) -> &ClassicGroup {
        self.groups.group("mail").expect("it exists")
    }

    fn state(&self) -> GroupState {
        self.group().state()
    }

    /// A dynamic member gets its id.
    fn member_id(&mut self) -> Rc<str> {
        let request = self.join(&join(""));
        let response = self.joined(request).expect("at once");
        assert_eq!(response.error, ErrorCode::MemberIdRequired);
        response.member_id.clone()
    }

    /// So many members join, and all learn of the first generation. The leader comes first.
    fn completing(&mut self, members: usize) -> Vec<Rc<str>> {
        let ids: Vec<Rc<str>> = (0..members).map(|_| self.member_id()).collect();
        let joins: Vec<u32> = ids.iter().map(|id| self.join(&join(id))).collect();
        while self.error(joins[0]).is_none() {
            self.advance(1_000);
        }
        joins.iter().for_each(|join| assert_eq!(self.error(*join), Some(NONE)));
        assert_eq!(self.state(), GroupState::CompletingRebalance);
        self.leader_first(ids)
    }

    fn leader_first(&self, mut ids: Vec<Rc<str>>) -> Vec<Rc<str>> {
        let leader = self.group().leader().expect("somebody").clone();
        ids.sort_by_key(|id| *id != leader);
        ids
    }

    /// A stable group.
    fn stable(&mut self, members: usize) -> Vec<Rc<str>> {
        let ids = self.completing(members);
        self.sync_all(&ids);
        ids
    }

    fn sync_all(&mut self, ids: &[Rc<str>]) {
        let generation = self.group().generation();
        for id in ids.iter().rev() {
            self.sync(&assign(id, generation, ids));
        }
        assert_eq!(self.state(), GroupState::Stable);
    }
}

fn join(member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group: "mail".into(),
        client_id: "mailer".into(),
        session_timeout: Duration::from_millis(45_000),
        rebalance_timeout: Duration::from_millis(60_000),
        member_id: member_id.into(),
        instance_id: None,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range", b"orders")],
    }
}

fn protocol(name: &str, metadata: &'static [u8]) -> JoinGroupProtocol {
    JoinGroupProtocol { name: name.into(), metadata: Bytes::from_static(metadata) }
}

fn sync(member_id: &str, generation: i32) -> SyncGroupRequest {
    SyncGroupRequest {
        group: "mail".into(),
        generation,
        member_id: member_id.into(),
        instance_id: None,
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: Vec::new(),
    }
}

/// The leader assigns to everyone its own id.
fn assign(member_id: &Rc<str>, generation: i32, ids: &[Rc<str>]) -> SyncGroupRequest {
    let own = |id: &Rc<str>| (id.clone(), Bytes::copy_from_slice(id.as_bytes()));
    let assignments = if *member_id == ids[0] { ids.iter().map(own).collect() } else { Vec::new() };
    SyncGroupRequest { assignments, ..sync(member_id, generation) }
}
