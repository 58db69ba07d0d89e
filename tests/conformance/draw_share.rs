//! Draws sequences of requests of a share group's members at random, as `draw.rs` does: they fetch, acknowledge in all ways, what is theirs
//! and what is not, mistake their sessions' epochs, close them, while records are written and deleted. It takes seconds, so no lock ends.

use crate::player::Play;
use crate::script::{Sequence, sequence, step};
use delivery_lab::base::Prng;
use serde_json::{Map, Value, json};

const STEPS: usize = 60;

/// What all of them begin with.
pub fn header() -> Map<String, Value> {
    let head = json!({ "about": "Drawn at random: members of a share group and one partition",
        "topics": { "t": { "replicas": [[0, 1, 2]] } }, "settings": { "group.share.assignment.interval.ms": "0" },
        "group": { "share.auto.offset.reset": "earliest" } });
    head.as_object().expect("an object").clone()
}

/// A member: its session's epoch, if it has one, and the records that it has.
#[derive(Clone, Default)]
struct Member {
    epoch: Option<i64>,
    held: Vec<(i64, i64)>,
}

struct Draw {
    random: Prng,
    play: Play,
    sequence: Sequence,
    steps: Vec<Value>,
    members: [Member; 3],
    written: i64,
}

/// The steps of one seed.
pub fn script(seed: u64) -> Value {
    let mut head = header();
    head.insert("steps".into(), json!([]));
    let sequence = sequence("drawn", &head.into());
    let (random, play) = (Prng::split(seed, "share"), Play::new(&sequence));
    let mut draw = Draw { random, play, sequence, steps: Vec::new(), members: Default::default(), written: 0 };
    draw.say(json!({ "shareEnter": "g", "id": "U1" }));
    draw.say(json!({ "sleep": 1500 }));
    draw.say(json!({ "shareMember": "g", "id": "U1", "epoch": 2 }));
    // Now the leader knows the state, and later fetches need not wait for it.
    draw.say(json!({ "shareFetch": "g", "id": "U1", "epoch": 0, "partitions": [0], "wait": 1000 }));
    draw.members[0].epoch = Some(1);
    while draw.steps.len() < STEPS {
        draw.next();
    }
    draw.say(json!({ "shareRead": "g" }));
    draw.steps.into()
}

impl Draw {
    fn say(&mut self, json: Value) -> Value {
        let answer = self.play.answer(&self.sequence, &step("drawn", &json));
        self.steps.push(json);
        answer.map_or(Value::Null, |answer| answer.response)
    }

    fn rarely(&mut self, bound: u64) -> bool {
        self.random.below(bound) == 0
    }

    fn next(&mut self) {
        let at = self.random.below(3) as usize;
        match self.random.below(100) {
            0..18 => {
                let count = self.random.between(1, 4);
                let values: Vec<String> = (0..count).map(|it| (self.written + it as i64).to_string()).collect();
                self.written += count as i64;
                self.say(json!({ "produce": values }));
            }
            18..21 if self.written > 0 => {
                let offset = self.random.below(self.written as u64 + 1);
                self.say(json!({ "delete": offset }));
            }
            21..25 => {
                self.say(json!({ "shareRead": "g" }));
            }
            25..28 => self.close(at),
            28..60 => self.acknowledge(at),
            _ => self.fetch(at),
        }
    }

    fn epoch_of(&mut self, at: usize) -> i64 {
        let right = self.members[at].epoch.unwrap_or(0);
        match self.random.below(15) {
            0 => right + 1,
            1 => 0,
            _ => right,
        }
    }

    fn request(&mut self, word: &str, at: usize, epoch: i64) -> Value {
        json!({ word: "g", "id": format!("U{}", at + 1), "epoch": epoch })
    }

    fn fetch(&mut self, at: usize) {
        let epoch = self.epoch_of(at);
        let mut request = self.request("shareFetch", at, epoch);
        request["wait"] = json!(0);
        if epoch == 0 && self.members[at].epoch.is_some() {
            // A session that is opened anew gives back what the one before had.
            self.close(at);
        }
        if epoch == 0 || self.rarely(10) {
            request["partitions"] = json!([0]);
        }
        if self.rarely(2) {
            request["max"] = json!(self.random.between(1, 4));
            request["mode"] = json!(self.random.below(2));
        }
        if self.rarely(5) {
            request["acks"] = json!({ "0": self.acks(at) });
        }
        let acked = request.get("acks").cloned();
        let response = self.say(request);
        self.learn(at, epoch, &response);
        if let Some(acked) = acked.filter(|_| response["errorCode"] == "NONE") {
            self.settle(at, &acked["0"]);
        }
        let acquired = response["responses"][0]["partitions"][0]["acquiredRecords"].as_array().cloned();
        for range in acquired.into_iter().flatten() {
            let offset = |key: &str| range[key].as_i64().expect("an offset");
            self.members[at].held.push((offset("firstOffset"), offset("lastOffset")));
        }
    }

    fn acknowledge(&mut self, at: usize) {
        let epoch = self.epoch_of(at);
        let mut request = self.request("acknowledge", at, epoch);
        let acks = self.acks(at);
        request["acks"] = json!({ "0": acks });
        let response = self.say(request);
        self.learn(at, epoch, &response);
        if response["errorCode"] == "NONE" {
            self.settle(at, &acks);
        }
    }

    fn close(&mut self, at: usize) {
        let request = self.request("acknowledge", at, -1);
        self.say(request);
        // What it gives back is there for others once that is written, for which nobody waits.
        self.say(json!({ "sleep": 700 }));
        self.members[at] = Member::default();
    }

    /// Of one of the ranges that the member has, or a part of it; or of what another has; or of anything.
    fn acks(&mut self, at: usize) -> Value {
        let whose = if self.rarely(8) { self.random.below(3) as usize } else { at };
        let held = self.members[whose].held.clone();
        let (first, last) = if held.is_empty() {
            let first = self.random.below(self.written as u64 + 1) as i64;
            (first, first)
        } else {
            held[self.random.below(held.len() as u64) as usize]
        };
        let last = if self.rarely(3) { first + (last - first) / 2 } else { last };
        let count = if self.rarely(2) { 1 } else { last - first + 1 };
        let kinds = [1, 1, 1, 2, 2, 3, 0];
        let types: Vec<i64> = (0..count).map(|_| kinds[self.random.below(kinds.len() as u64) as usize]).collect();
        json!([[first, last, types]])
    }

    /// What the member has no more.
    fn settle(&mut self, at: usize, acks: &Value) {
        let (first, last) = (acks[0][0].as_i64().unwrap_or(0), acks[0][1].as_i64().unwrap_or(0));
        let left = self.members[at].held.iter().flat_map(|(from, to)| [(*from, (first - 1).min(*to)), ((last + 1).max(*from), *to)]);
        let left: Vec<(i64, i64)> = left.filter(|(from, to)| from <= to).collect();
        self.members[at].held = left;
        self.members[at].held.dedup();
    }

    fn learn(&mut self, at: usize, epoch: i64, response: &Value) {
        let member = &mut self.members[at];
        match response["errorCode"].as_str() {
            Some("NONE") => member.epoch = Some(epoch + 1),
            Some("SHARE_SESSION_NOT_FOUND") => *member = Member::default(),
            _ => {}
        }
    }
}
