//! Whatever members do and whatever becomes of what is written: a group stays consistent, every request is answered, and who
//! is assigned something in a generation was assigned it by that generation's leader.

use super::*;
use crate::base::SortedSet;
use GroupState::{CompletingRebalance, Empty, PreparingRebalance, Stable};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Action {
    /// Somebody new, perhaps an instance.
    Appear(Option<u8>),
    /// One of those who were ever given an id joins, perhaps with other metadata.
    Join(usize, bool),
    Sync(usize),
    Heartbeat(usize),
    Leave(usize),
    Wait(u64),
    /// From now on nothing that is written is committed.
    Hold,
    /// It is; or it fails.
    Settle(bool),
    FailOver,
}

/// Four times out of five.
fn mostly(answer: bool) -> impl Strategy<Value = bool> {
    prop_oneof![4 => Just(answer), 1 => Just(!answer)]
}

fn action() -> impl Strategy<Value = Action> {
    let who = 0..12_usize;
    prop_oneof![
        3 => prop::option::of(0..2_u8).prop_map(Action::Appear),
        8 => (who.clone(), mostly(false)).prop_map(|(who, changed)| Action::Join(who, changed)),
        8 => who.clone().prop_map(Action::Sync),
        3 => who.clone().prop_map(Action::Heartbeat),
        1 => who.prop_map(Action::Leave),
        6 => prop_oneof![1..4_000_u64, 1..70_000_u64].prop_map(Action::Wait),
        1 => Just(Action::Hold),
        2 => mostly(true).prop_map(Action::Settle),
        1 => Just(Action::FailOver),
    ]
}

/// A member as it knows itself.
#[derive(Clone)]
struct Known {
    id: Rc<str>,
    instance: Option<u8>,
}

struct Model {
    lab: Lab,
    known: Vec<Known>,
    joins: SortedMap<u32, Option<u8>>,
    /// The generation of each SyncGroup.
    syncs: SortedMap<u32, i32>,
    /// Each member's last JoinGroup and SyncGroup: who asks again has given up the connection on which it asked before.
    last: SortedMap<(Rc<str>, bool), u32>,
    /// What the leaders of generations assigned.
    assigned: SortedSet<(i32, Bytes)>,
    generation: i32,
    held_since: Time,
}

impl Model {
    fn request(member: &Known, changed: bool) -> JoinGroupRequest {
        let metadata: &'static [u8] = if changed { b"bills" } else { b"orders" };
        let instance_id = member.instance.map(|instance| Rc::from(format!("i{instance}")));
        JoinGroupRequest { instance_id, protocols: vec![protocol("range", metadata)], ..join(&member.id) }
    }

    fn act(&mut self, action: &Action) {
        let pick = |known: &[Known], who: usize| known.len().checked_sub(1).map(|last| known[who.min(last)].clone());
        match *action {
            Action::Appear(instance) => {
                let request = self.lab.join(&Model::request(&Known { id: "".into(), instance }, false));
                self.joins.insert(request, instance);
            }
            Action::Join(who, changed) => {
                let Some(member) = pick(&self.known, who) else { return };
                let request = self.lab.join(&Model::request(&member, changed));
                self.joins.insert(request, member.instance);
                self.last.insert((member.id, true), request);
            }
            Action::Sync(who) => {
                let (Some(member), Some(group)) = (pick(&self.known, who), self.lab.groups.group("mail")) else {
                    return;
                };
                let generation = group.generation();
                // An assignment names its generation, and the moment at which it was made.
                let what = Bytes::from(format!("{generation}@{}", self.lab.now.0));
                if group.is_leader(&member.id) && group.state() == CompletingRebalance {
                    self.assigned.insert((generation, what.clone()));
                }
                let ids = group.members.keys().map(|id| (id.clone(), what.clone()));
                let request = SyncGroupRequest { assignments: ids.collect(), ..sync(&member.id, generation) };
                let request = self.lab.sync(&request);
                self.syncs.insert(request, generation);
                self.last.insert((member.id, false), request);
            }
            Action::Heartbeat(who) => {
                if let (Some(member), Some(group)) = (pick(&self.known, who), self.lab.groups.group("mail")) {
                    let generation = group.generation();
                    self.lab.heartbeat(&member.id, generation);
                }
            }
            Action::Leave(who) => {
                if let Some(member) = pick(&self.known, who) {
                    self.lab.leave(&member.id, None);
                    // As in Kafka nobody answers a SyncGroup of who has left; it would have to come over another connection.
                    self.last.remove(&(member.id, false));
                }
            }
            Action::Wait(millis) => {
                let end = self.lab.now + Duration::from_millis(millis);
                if self.lab.hold && end.since(self.held_since) >= Duration::from_millis(5_000) {
                    // offsets.commit.timeout.ms
                    self.act(&Action::Settle(false));
                }
                self.lab.advance(millis);
            }
            Action::Hold if !self.lab.hold => (self.lab.hold, self.held_since) = (true, self.lab.now),
            Action::Hold => {}
            Action::Settle(committed) => {
                self.lab.hold = false;
                self.lab.end_writes(if committed { Ok(()) } else { Err(ErrorCode::NotCoordinator) });
            }
            Action::FailOver => {
                self.lab.uncommitted.clear();
                self.lab.fail_over();
                self.generation = 0;
            }
        }
    }

    /// Takes note of the answers, and checks them.
    fn learn(&mut self) {
        for (request, response) in self.lab.answers.iter() {
            if let (Response::JoinGroup(joined), Some(instance)) = (response, self.joins.get(request)) {
                let named = matches!(joined.error, ErrorCode::None | ErrorCode::MemberIdRequired);
                if named && self.known.iter().all(|known| known.id != joined.member_id) {
                    self.known.push(Known { id: joined.member_id.clone(), instance: *instance });
                }
            }
            if let (Response::SyncGroup(synced), Some(generation)) = (response, self.syncs.get(request))
                && synced.error == NONE
                && !synced.assignment.is_empty()
            {
                assert!(self.assigned.contains(&(*generation, synced.assignment.clone())), "{synced:?}");
            }
        }
    }

    fn check(&mut self) {
        let Some(group) = self.lab.groups.group("mail") else {
            self.generation = 0;
            return;
        };
        assert!(group.generation() >= self.generation, "generations rise while it is led");
        self.generation = group.generation();
        assert_eq!(group.state() == Empty, group.members.is_empty() && group.state() != PreparingRebalance);
        assert_eq!(group.leader().is_some(), !group.members.is_empty());
        assert!(group.leader().is_none_or(|leader| group.members.contains_key(leader)));
        assert!(group.pending_joins.keys().all(|id| !group.members.contains_key(id)));
        assert_eq!(group.static_members.len(), group.members().filter(|member| member.is_static()).count());
        for (instance, id) in group.static_members.iter() {
            assert_eq!(group.members.get(id).and_then(|member| member.instance_id.as_ref()), Some(instance));
        }
        if matches!(group.state(), CompletingRebalance | Stable) {
            let protocol = group.protocol_name().expect("chosen");
            assert!(group.members().all(|member| member.metadata(protocol).is_some()));
            assert!(group.join_timer.is_none());
        }
        if group.state() == PreparingRebalance {
            assert!(group.join_timer.is_some() && group.sync_timer.is_none(), "something ends it");
            assert!(group.members().all(|member| member.syncing.is_none()));
        }
        let watched = |member: &ClassicGroupMember| member.session_end.is_some() || member.has_satisfied_heartbeat();
        assert!(group.members().all(watched), "nobody is a member for ever");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn groups_stay_consistent_and_answer_everybody(actions in prop::collection::vec(action(), 1..80)) {
        let (lab, known, joins) = (Lab::new(&[]), Vec::new(), SortedMap::new());
        let (syncs, assigned, generation) = (SortedMap::new(), SortedSet::new(), 0);
        let last = SortedMap::new();
        let mut model = Model { lab, known, joins, syncs, last, assigned, generation, held_since: Time::ZERO };
        for action in &actions {
            model.act(action);
            model.learn();
            model.check();
        }
        model.act(&Action::Settle(true));
        // Nobody does anything any more.
        model.lab.advance(20 * 60_000);
        model.check();
        for request in model.last.values() {
            assert!(model.lab.answers.contains_key(request), "a request waits for ever");
        }
        if let Some(group) = model.lab.groups.group("mail") {
            assert_eq!((group.state(), group.next_due()), (Empty, None));
        }
    }
}
