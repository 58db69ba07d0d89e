//! Draws sequences of requests to a group at random, of both protocols: members that come, go, forget, and mistake each other's
//! generations, epochs and partitions.
//!
//! The engine plays each step as soon as it is drawn, so that the next can say what a client would say then (or something near it). The
//! scripts are concrete: Kafka answers them without any engine. Members have minutes to answer, so nothing depends on real time. Nor
//! does anything on the member ids that Kafka makes up: a leader does not leave others (who leads then is the first in a hash map), and
//! answers with new ids are looked at before those that list members.

use crate::draw_share;
use crate::player::{LANES, Play};
use crate::script::{Sequence, sequence, step};
use delivery_lab::base::Prng;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::path::Path;

const SEEDS: u64 = 12;
const STEPS: usize = 80;

/// Writes all families.
pub fn write_all(folder: &Path) {
    let classic: Vec<Value> = (0..SEEDS).map(|seed| Draw::new(seed, "classic").script(Draw::classic)).collect();
    write(&folder.join("groups-classic-random.json"), &header("a group of the classic protocol"), &classic);
    let consumer: Vec<Value> = (0..SEEDS).map(|seed| Draw::new(seed, "consumer").script(Draw::consumer)).collect();
    write(&folder.join("groups-consumer-random.json"), &header("a group of the consumer protocol"), &consumer);
    let share: Vec<Value> = (0..SEEDS / 2).map(draw_share::script).collect();
    write(&folder.join("share-random.json"), &draw_share::header(), &share);
}

fn write(path: &Path, head: &Map<String, Value>, scripts: &[Value]) {
    let mut text = String::from("{\n");
    for (seed, steps) in scripts.iter().enumerate() {
        writeln!(text, "  \"seed-{seed}\": {{").expect("a string takes all");
        for (key, value) in head {
            writeln!(text, "    \"{key}\": {value},").expect("a string takes all");
        }
        let steps: Vec<String> = steps.as_array().into_iter().flatten().map(|step| format!("      {step}")).collect();
        let comma = if seed + 1 < scripts.len() { "," } else { "" };
        write!(text, "    \"steps\": [\n{}\n    ]\n  }}{comma}\n", steps.join(",\n")).expect("a string takes all");
    }
    text.push_str("}\n");
    std::fs::write(path, text).expect("a writable folder");
}

fn header(what: &str) -> Map<String, Value> {
    let about = format!("Drawn at random: {what}");
    let replicas = json!([[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2]]);
    let head = json!({ "about": about, "topics": { "t": { "replicas": replicas } },
        "settings": { "group.consumer.assignment.interval.ms": "0" } });
    head.as_object().expect("an object").clone()
}

/// A member, as the one who draws knows it.
#[derive(Clone, Default)]
struct Member {
    id: String,
    instance: Option<String>,
    /// Of the classic protocol: it has joined once; it is none any more; for this generation it has asked for its assignment.
    joined: bool,
    gone: bool,
    synced: i64,
    /// Of the consumer protocol: its epoch and what it has, as it was last told.
    epoch: i64,
    assigned: Vec<i64>,
}

struct Draw {
    random: Prng,
    play: Play,
    sequence: Sequence,
    steps: Vec<Value>,
    members: Vec<Member>,
    /// Requests that wait, and whose they are.
    parked: Vec<(String, String)>,
    generation: i64,
    leader: String,
    commits: i64,
}

impl Draw {
    fn new(seed: u64, protocol: &str) -> Draw {
        let mut head = header("");
        head.insert("steps".into(), json!([]));
        let sequence = sequence("drawn", &head.into());
        let play = Play::new(&sequence);
        let random = Prng::split(seed, protocol);
        Draw {
            random,
            play,
            sequence,
            steps: Vec::new(),
            members: Vec::new(),
            parked: Vec::new(),
            generation: 0,
            leader: String::new(),
            commits: 0,
        }
    }

    fn script(mut self, draw: impl Fn(&mut Draw)) -> Value {
        while self.steps.len() < STEPS {
            draw(&mut self);
        }
        // Whoever waits is answered when everybody leaves.
        let instances = [json!(["", "i"]), json!(["", "j"])];
        let all: Vec<Value> = self.members.iter().map(|it| json!([it.id, null])).chain(instances).collect();
        if !self.parked.is_empty() {
            self.say(json!({ "leave": "g", "members": all }));
            let last: Vec<String> = self.steps.iter().rev().take(30).rev().map(Value::to_string).collect();
            assert!(self.parked.is_empty(), "{:?} still wait\n{}", self.parked, last.join("\n"));
        }
        self.say(json!({ "committed": "g", "partitions": [0, 1, 2, 3] }));
        self.steps.into()
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.random.below(list.len() as u64) as usize].clone()
    }

    /// One in so many.
    fn rarely(&mut self, bound: u64) -> bool {
        self.random.below(bound) == 0
    }

    /// Plays a step, and then takes the answers that came to those that waited.
    fn say(&mut self, json: Value) -> Value {
        let answer = self.play.answer(&self.sequence, &step("drawn", &json));
        self.steps.push(json);
        let response = answer.map_or(Value::Null, |answer| answer.response);
        self.learn(&response);
        if !self.parked.is_empty() {
            self.play.answer(&self.sequence, &step("drawn", &json!({ "sleep": 200 })));
        }
        let answered = |draw: &Draw, new: bool| {
            let is_next = |(name, whose): &(String, String)| (!new || whose.contains(' ')) && draw.play.is_answered(name);
            draw.parked.iter().position(is_next)
        };
        while let Some(at) = answered(self, true).or_else(|| answered(self, false)) {
            let (name, _) = self.parked.remove(at);
            self.say(json!({ "wait": name }));
        }
        response
    }

    fn learn(&mut self, response: &Value) {
        if let Some(generation) = response["generationId"].as_i64().filter(|it| *it > 0) {
            self.generation = generation;
            self.leader = response["leader"].as_str().unwrap_or_default().to_string();
        }
        let Some(id) = response["memberId"].as_str().filter(|id| !id.is_empty()) else { return };
        if self.members.iter().all(|member| member.id != id) {
            let joined = response["errorCode"] == "NONE";
            self.members.push(Member { id: id.into(), joined, ..Member::default() });
        }
        let joined = response["members"].as_array().into_iter().flatten();
        for member in joined.filter(|it| it["groupInstanceId"].is_string()) {
            if let Some(known) = self.members.iter_mut().find(|known| member["memberId"] == *known.id) {
                known.instance = member["groupInstanceId"].as_str().map(str::to_string);
                known.joined = true;
            }
        }
    }

    /// Sends what may wait.
    fn park(&mut self, mut json: Value, whose: &str) {
        let name = format!("{}{}", if json.get("join").is_some() { 'j' } else { 's' }, self.steps.len());
        json["as"] = json!(name);
        self.parked.push((name, whose.into()));
        self.say(json);
    }

    fn near(&mut self, right: i64) -> i64 {
        let of_ten = self.random.below(10);
        right + if of_ten == 0 { 1 } else { -i64::from(of_ten == 1) }
    }

    // ---- the classic protocol ----

    fn classic(&mut self) {
        let protocols = [
            json!([["range", "a"]]),
            json!([["range", "a"]]),
            json!([["range", "b"], ["sticky", "c"]]),
            json!([["sticky", "d"], ["range", "e"]]),
        ];
        let what = self.random.below(100);
        if self.members.is_empty() || what < 6 {
            self.say(json!({ "join": "g", "session": 300_000 }));
            return;
        }
        if what < 14 && self.parked.len() < LANES.len() {
            let (instance, protocols) = (self.pick(&["i", "j"]), self.pick(&protocols));
            let place = format!("instance {instance}");
            return self.park(
                json!({ "join": "g", "instance": instance, "protocols": protocols,
                "session": 300_000, "rebalance": 300_000 }),
                &place,
            );
        }
        let all = self.members.clone();
        let is_there: Vec<Member> = all.iter().filter(|it| !it.gone).cloned().collect();
        let among = if is_there.is_empty() || self.rarely(12) { &all } else { &is_there };
        let mut member = self.pick(among);
        if self.random.below(2) == 0
            && let Some((next, request)) = self.obvious(&is_there, &protocols)
        {
            return self.ask(request, &next);
        }
        if self.rarely(12) {
            member.instance = self.pick(&[None, Some("i".to_string()), Some("j".to_string())]);
        }
        let waits = self.parked.len() == LANES.len() || self.parked.iter().any(|(_, whose)| *whose == member.id);
        let generation = self.near(self.generation);
        let request = match what {
            14..36 if !waits => {
                json!({ "join": "g", "protocols": self.pick(&protocols), "session": 300_000, "rebalance": 300_000 })
            }
            36..50 if !waits => self.sync(generation),
            50..80 => json!({ "heartbeat": "g", "generation": generation }),
            80..88 => {
                self.commits += 1;
                let generation = if self.rarely(5) { -1 } else { generation };
                json!({ "commit": "g", "generation": generation, "offset": self.commits, "partition": self.random.below(4) })
            }
            88..91 => json!({ "committed": "g", "partitions": [0, 1, 2, 3] }),
            91..96 if member.id != self.leader || is_there.len() < 2 => json!({ "leave": "g" }),
            _ => json!({ "heartbeat": "g", "generation": self.generation }),
        };
        if request.get("committed").is_some() {
            self.say(request);
        } else {
            self.ask(request, &member);
        }
    }

    /// What brings the group forward.
    fn obvious(&mut self, members: &[Member], protocols: &[Value]) -> Option<(Member, Value)> {
        if self.parked.len() == LANES.len() {
            return None;
        }
        let idle: Vec<&Member> =
            members.iter().filter(|it| self.parked.iter().all(|(_, whose)| *whose != it.id)).collect();
        let others_join = self.parked.iter().any(|(name, _)| name.starts_with('j'));
        if let Some(next) = idle.iter().find(|it| !it.joined || others_join) {
            let protocols = self.pick(&protocols[..2]);
            return Some((
                (*next).clone(),
                json!({ "join": "g", "protocols": protocols, "session": 300_000, "rebalance": 300_000 }),
            ));
        }
        let next = idle.iter().find(|it| it.synced < self.generation)?;
        Some(((*next).clone(), self.sync(self.generation)))
    }

    fn sync(&self, generation: i64) -> Value {
        let there = self.members.iter().filter(|it| !it.gone);
        let assign = there.map(|it| (it.id.clone(), json!(format!("{} {}", it.id, self.steps.len()))));
        json!({ "sync": "g", "generation": generation, "assign": assign.collect::<Map<String, Value>>() })
    }

    /// A request of a member.
    fn ask(&mut self, mut request: Value, member: &Member) {
        request["id"] = json!(member.id);
        if let Some(instance) = &member.instance {
            request["instance"] = json!(instance);
        }
        let (joins, syncs) = (request.get("join").is_some(), request.get("sync").is_some());
        let (generation, leaves) = (self.generation, request.get("leave").is_some());
        if let Some(known) = self.members.iter_mut().find(|it| it.id == member.id) {
            known.joined |= joins;
            known.gone |= leaves;
            if syncs {
                known.synced = generation;
            }
        }
        if joins || syncs {
            return self.park(request, &member.id);
        }
        let response = self.say(request);
        let gone = ["UNKNOWN_MEMBER_ID", "FENCED_INSTANCE_ID"].contains(&response["errorCode"].as_str().unwrap_or(""));
        if let Some(known) = self.members.iter_mut().find(|it| it.id == member.id).filter(|it| it.joined) {
            known.gone |= gone;
        }
    }

    // ---- the consumer protocol ----

    fn consumer(&mut self) {
        let what = self.random.below(100);
        let names = [("a", None), ("b", None), ("c", None), ("d", Some("i")), ("e", Some("i")), ("f", Some("j"))];
        let (id, instance) = self.pick(&names);
        let known = self.members.iter().position(|it| it.id == id);
        let mut member = match known {
            Some(at) => self.members[at].clone(),
            None => Member { id: id.into(), instance: instance.map(str::to_string), ..Member::default() },
        };
        let wrong_instance = self.rarely(25);
        let instance = if wrong_instance { self.pick(&[None, Some("i"), Some("j")]) } else { instance };
        let subscriptions = [json!(["t"]), json!(["t"]), json!(["t"]), json!(["t", "u"]), json!([])];
        let mut request = match what {
            _ if member.epoch <= 0 && what < 60 => self.entering(&subscriptions),
            0..4 => self.entering(&subscriptions),
            4..9 => json!({ "member": "g", "epoch": -1 }),
            9..14 if instance.is_some() => json!({ "member": "g", "epoch": -2 }),
            14..24 => {
                self.commits += 1;
                let epoch = self.near(member.epoch);
                json!({ "commit": "g", "generation": epoch, "offset": self.commits, "partition": self.random.below(4) })
            }
            24..28 => {
                let epoch = self.near(member.epoch);
                json!({ "committed": "g", "epoch": epoch, "partitions": [0, 1, 2, 3] })
            }
            28..33 => {
                let epoch = self.near(member.epoch);
                json!({ "member": "g", "epoch": epoch, "topics": self.pick(&subscriptions) })
            }
            33..37 => json!({ "member": "g", "epoch": member.epoch, "assignor": self.pick(&["range", "uniform"]) }),
            _ => {
                let epoch = self.near(member.epoch);
                let mut owned = member.assigned.clone();
                match self.random.below(12) {
                    0 => owned.push(self.random.below(4) as i64),
                    1 => owned.truncate(owned.len().saturating_sub(1)),
                    2 => owned.clear(),
                    _ => {}
                }
                owned.sort();
                owned.dedup();
                let silent = self.rarely(4);
                if silent {
                    json!({ "member": "g", "epoch": epoch })
                } else {
                    json!({ "member": "g", "epoch": epoch, "owned": owned })
                }
            }
        };
        request["id"] = json!(id);
        if let Some(instance) = instance.filter(|_| request.get("committed").is_none()) {
            request["instance"] = json!(instance);
        }
        let left = request["epoch"].as_i64().is_some_and(|epoch| epoch < 0);
        let response = self.say(request);
        if let Some(epoch) = response["memberEpoch"].as_i64().filter(|_| response["errorCode"] == "NONE") {
            member.epoch = epoch;
            let partitions = &response["assignment"]["topicPartitions"];
            if let Some(topics) = partitions.as_array() {
                let all = topics.iter().flat_map(|topic| topic["partitions"].as_array().into_iter().flatten());
                member.assigned = all.filter_map(Value::as_i64).collect();
            }
        }
        if left || response["errorCode"] == "FENCED_MEMBER_EPOCH" || response["errorCode"] == "UNKNOWN_MEMBER_ID" {
            (member.epoch, member.assigned) = (0, Vec::new());
        }
        self.members.retain(|it| it.id != id);
        self.members.push(member);
    }

    fn entering(&mut self, subscriptions: &[Value]) -> Value {
        json!({ "enter": "g", "topics": self.pick(subscriptions), "rebalance": 300_000 })
    }
}
