//! Between JSON and the wire, by Kafka's own message definitions.
//!
//! Towards the wire, what is left out gets its default. From it, nothing is kept that differs from one recording to the next
//! or names a machine (hosts, ports, cluster ids, throttle times), and nulls and optional fields at their default are left
//! out.

use crate::batch;
use crate::client::Call;
use crate::consumer_bytes;
use crate::kafka::CLUSTER_ID;
use crate::schema::{Field, Schema, Type};
use crate::words::Words;
use bytes::Bytes;
use delivery_lab::protocol::ErrorCode;
use serde_json::{Map, Value};

/// The topics of a sequence: name in the script, name in the cluster, id.
pub type Topics = [(String, String, [u8; 16])];

/// An id that no topic has.
pub const UNKNOWN_TOPIC: [u8; 16] = [0x42; 16];

/// Producer ids in the responses to these come from a coordinator, and may be new.
const GRANTING: &[&str] = &["InitProducerId", "EndTxn"];

/// What a message is translated with.
pub struct Translation<'a> {
    pub version: i16,
    pub flexible: bool,
    pub words: &'a mut Words,
    pub topics: &'a Topics,
    pub now_ms: i64,
    /// Which message, for what depends on it.
    pub message: &'a str,
    pub prefix: &'a str,
}

impl<'a> Translation<'a> {
    pub fn new(schema: &Schema, call: Call<'a>, words: &'a mut Words, topics: &'a Topics) -> Self {
        let Call { api: message, version, prefix, .. } = call;
        assert!(schema.valid.contains(version), "{message} has no version {version}: {:?}", schema.valid);
        let flexible = schema.flexible.contains(version);
        Translation { version, flexible, words, topics, now_ms: now_ms(), message, prefix }
    }

    // ---- towards the wire ----

    /// Writes all fields of a message or a structure.
    pub fn encode(&self, out: &mut Vec<u8>, fields: &[Field], json: &Value) {
        self.refuse_strangers(fields, json);
        let mut tagged = Vec::new();
        for field in fields {
            let given = json.get(&field.name);
            if !field.versions.contains(self.version) {
                assert!(given.is_none(), "{} v{} has no {}", self.message, self.version, field.name);
            } else if self.flexible && field.tagged.contains(self.version) {
                if let Some(given) = given {
                    let mut bytes = Vec::new();
                    self.value(&mut bytes, field, &field.of, given);
                    tagged.push((field.tag, bytes));
                }
            } else {
                let default = self.default(field);
                self.value(out, field, &field.of, given.unwrap_or(&default));
            }
        }
        if self.flexible {
            tagged.sort();
            write_varint(out, tagged.len() as u64);
            for (tag, bytes) in tagged {
                write_varint(out, u64::from(tag));
                write_varint(out, bytes.len() as u64);
                out.extend(bytes);
            }
        }
    }

    fn refuse_strangers(&self, fields: &[Field], json: &Value) {
        for key in json.as_object().into_iter().flatten().map(|(key, _)| key) {
            let known = fields.iter().any(|field| field.name == *key);
            assert!(known, "{} has no field {key}", self.message);
        }
    }

    fn default(&self, field: &Field) -> Value {
        let text = field.default.as_deref().unwrap_or("");
        let number = || match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).expect("a number"),
            None => text.parse().unwrap_or(0),
        };
        match &field.of {
            _ if text == "null" => Value::Null,
            Type::Bool => Value::from(text == "true"),
            Type::String => Value::from(text),
            Type::Bytes | Type::Records => Value::Null,
            Type::Uuid => Value::from(""),
            Type::Struct(_) => Value::Object(Map::new()),
            Type::Array(_) => Value::Array(Vec::new()),
            _ => Value::from(number()),
        }
    }

    fn value(&self, out: &mut Vec<u8>, field: &Field, of: &Type, json: &Value) {
        let number = || self.words.number(json, self.now_ms);
        match of {
            Type::Bool => out.push(u8::from(json.as_bool().expect("true or false"))),
            Type::Int8 => out.extend((number() as i8).to_be_bytes()),
            Type::Int16 | Type::Uint16 => out.extend((number() as i16).to_be_bytes()),
            Type::Int32 | Type::Uint32 => out.extend((number() as i32).to_be_bytes()),
            Type::Int64 => out.extend(number().to_be_bytes()),
            Type::Float64 => out.extend(json.as_f64().expect("a number").to_be_bytes()),
            Type::Uuid => out.extend(self.topic_id(json.as_str().expect("a topic's name"))),
            Type::String if json.is_null() => self.length(out, None, true),
            Type::String => {
                let text = self.text(field, json.as_str().unwrap_or_else(|| panic!("{}: a text: {json}", field.name)));
                self.length(out, Some(text.len()), true);
                out.extend(text.as_bytes());
            }
            Type::Bytes | Type::Records => {
                let bytes = self.bytes(json);
                self.length(out, bytes.as_ref().map(Vec::len), false);
                out.extend(bytes.unwrap_or_default());
            }
            Type::Struct(fields) => {
                if field.nullable.contains(self.version) {
                    out.push(if json.is_null() { 0xff } else { 1 });
                }
                if !json.is_null() {
                    self.encode(out, fields, json);
                }
            }
            Type::Array(element) => {
                let list = json.as_array();
                self.length(out, list.map(Vec::len), false);
                for one in list.into_iter().flatten() {
                    let plain = Field { nullable: crate::schema::Versions::NONE, ..field.clone() };
                    self.value(out, &plain, element, one);
                }
            }
        }
    }

    fn text(&self, field: &Field, text: &str) -> String {
        match field.entity.as_str() {
            "topicName" => self.topic(text),
            _ if field.name == "clusterId" && text == "ours" => CLUSTER_ID.to_string(),
            _ if field.name == "resourceName" => self.topic(text),
            _ if field.name == "subscribedTopicRegex" && !text.is_empty() => format!("{}{text}", self.prefix),
            "groupId" | "transactionalId" if !text.is_empty() => format!("{}{text}", self.prefix),
            _ if field.name == "groupId" && !text.is_empty() => format!("{}{text}", self.prefix),
            _ => self.words.text(text).to_string(),
        }
    }

    /// A topic's name in the cluster.
    fn topic(&self, text: &str) -> String {
        let topic = self.topics.iter().find(|(name, ..)| name == text);
        topic.map_or(text, |(_, real, _)| real).to_string()
    }

    fn topic_id(&self, name: &str) -> [u8; 16] {
        match self.topics.iter().find(|(topic, ..)| topic == name) {
            Some((_, _, id)) if *id != [0; 16] => *id,
            None if name.is_empty() => [0; 16],
            _ => UNKNOWN_TOPIC,
        }
    }

    /// Batches, or the bytes of a text.
    fn bytes(&self, json: &Value) -> Option<Vec<u8>> {
        match json {
            Value::Null => None,
            Value::String(text) => Some(text.as_bytes().to_vec()),
            Value::Array(batches) => {
                Some(batches.iter().flat_map(|json| batch::build(json, self.words, self.now_ms)).collect())
            }
            other if other.get("records").is_none() => {
                Some(consumer_bytes::build(other, &|name| self.topic(name)).to_vec())
            }
            other => Some(batch::build(other, self.words, self.now_ms)),
        }
    }

    fn length(&self, out: &mut Vec<u8>, length: Option<usize>, short: bool) {
        match (self.flexible, short) {
            (true, _) => write_varint(out, length.map_or(0, |length| length as u64 + 1)),
            (false, true) => out.extend(length.map_or(-1, |length| length as i16).to_be_bytes()),
            (false, false) => out.extend(length.map_or(-1, |length| length as i32).to_be_bytes()),
        }
    }

    // ---- from the wire ----

    /// Reads all fields of a message or a structure.
    pub fn decode(&mut self, input: &mut &[u8], fields: &[Field]) -> Value {
        let mut it = Map::new();
        for field in fields {
            let tagged = self.flexible && field.tagged.contains(self.version);
            if field.versions.contains(self.version) && !tagged {
                let value = self.read(input, field, &field.of);
                insert(&mut it, field, value);
            }
        }
        if self.flexible {
            for _ in 0..read_varint(input) {
                let tag = read_varint(input);
                let size = read_varint(input) as usize;
                let mut bytes = take(input, size);
                let known = |field: &&Field| field.tagged.contains(self.version) && u64::from(field.tag) == tag;
                if let Some(field) = fields.iter().find(known) {
                    let value = self.read(&mut bytes, field, &field.of);
                    insert(&mut it, field, value);
                }
            }
        }
        Value::Object(it)
    }

    fn read(&mut self, input: &mut &[u8], field: &Field, of: &Type) -> Value {
        match of {
            Type::Bool => Value::from(take(input, 1)[0] != 0),
            Type::Int8 => self.number(field, i64::from(take(input, 1)[0] as i8)),
            Type::Int16 => self.number(field, i64::from(i16::from_be_bytes(array(input)))),
            Type::Uint16 => self.number(field, i64::from(u16::from_be_bytes(array(input)))),
            Type::Int32 => self.number(field, i64::from(i32::from_be_bytes(array(input)))),
            Type::Uint32 => self.number(field, i64::from(u32::from_be_bytes(array(input)))),
            Type::Int64 => self.number(field, i64::from_be_bytes(array(input))),
            Type::Float64 => Value::from(f64::from_be_bytes(array(input))),
            Type::Uuid => {
                let id: [u8; 16] = array(input);
                let topic = self.topics.iter().find(|(_, _, known)| *known == id && id != [0; 16]);
                let unknown = if id == [0; 16] { "" } else { "unknown" };
                Value::from(topic.map_or(unknown, |(name, ..)| name.as_str()))
            }
            Type::String => {
                let Some(length) = self.read_length(input, true) else { return Value::Null };
                let text = String::from_utf8_lossy(take(input, length)).to_string();
                self.named(field, &text)
            }
            Type::Bytes => {
                let Some(length) = self.read_length(input, false) else { return Value::Null };
                let bytes = take(input, length);
                if !matches!(field.name.as_str(), "metadata" | "assignment" | "memberMetadata" | "memberAssignment") {
                    return Value::from(bytes.escape_ascii().to_string());
                }
                let short = |text: &str| {
                    let topic = self.topics.iter().find(|(_, real, _)| real == text);
                    topic.map_or(text, |(name, ..)| name).to_string()
                };
                consumer_bytes::show(bytes, field.name.to_lowercase().ends_with("assignment"), &short)
            }
            Type::Records => {
                let Some(length) = self.read_length(input, false) else { return Value::Null };
                batch::describe_all(Bytes::copy_from_slice(take(input, length)), self.words, self.now_ms)
            }
            Type::Struct(fields) => {
                if field.nullable.contains(self.version) && take(input, 1)[0] as i8 == -1 {
                    return Value::Null;
                }
                self.decode(input, fields)
            }
            Type::Array(element) => {
                let Some(length) = self.read_length(input, false) else { return Value::Null };
                let plain = Field { nullable: crate::schema::Versions::NONE, ..field.clone() };
                // In a list of groups, those of other sequences have kept their prefix.
                let all = self.message != "ListGroups";
                let is_ours = |it: &Value| all || !it["groupId"].as_str().is_some_and(|id| id.contains('.'));
                let list = (0..length).map(|_| self.read(input, &plain, element));
                Value::from(list.filter(is_ours).collect::<Vec<_>>())
            }
        }
    }

    fn number(&mut self, field: &Field, number: i64) -> Value {
        let name = field.name.as_str();
        match name {
            _ if name == "errorCode" || name.ends_with("ErrorCode") => {
                let error = ErrorCode::ALL.iter().find(|error| i64::from(error.code()) == number);
                error.map_or(Value::from(number), |error| Value::from(error.name()))
            }
            "sessionId" if self.message == "Fetch" => self.words.session(number),
            "producerId" if GRANTING.contains(&self.message) => self.words.granted_producer(number),
            "producerId" => self.words.producer(number),
            "producerIdStart" if number >= 0 => Value::from("a new block"),
            "brokerEpoch" => self.words.broker_epoch(number),
            // Counts the elections of the coordinator's partition, by whatever was run before.
            "coordinatorEpoch" if number >= 0 => Value::from("current"),
            _ if is_time(name) => self.words.time(number, self.now_ms),
            _ => Value::from(number),
        }
    }

    fn named(&mut self, field: &Field, text: &str) -> Value {
        if field.entity == "topicName" || field.name == "topicName" {
            let topic = self.topics.iter().find(|(_, real, _)| real == text);
            return Value::from(topic.map_or(text, |(name, ..)| name));
        }
        if matches!(field.name.as_str(), "memberId" | "leader") && self.message != "Metadata" {
            return self.words.member(text);
        }
        // Messages name topics, too, and members.
        let text = if self.prefix.is_empty() { text.to_string() } else { text.replace(self.prefix, "") };
        let text = self.words.without_made_up(text);
        let text = self.topics.iter().fold(text, |text, (name, real, _)| text.replace(real, name));
        Value::from(Words::message(&text))
    }

    fn read_length(&self, input: &mut &[u8], short: bool) -> Option<usize> {
        match (self.flexible, short) {
            (true, _) => (read_varint(input) as usize).checked_sub(1),
            (false, true) => usize::try_from(i16::from_be_bytes(array(input))).ok(),
            (false, false) => usize::try_from(i32::from_be_bytes(array(input))).ok(),
        }
    }
}

fn is_time(name: &str) -> bool {
    name != "throttleTimeMs" && (name.ends_with("TimeMs") || name.ends_with("timestamp") || name.ends_with("Timestamp"))
}

/// Keeps what a golden shows.
fn insert(it: &mut Map<String, Value>, field: &Field, value: Value) {
    let of_the_machine = matches!(field.name.as_str(), "throttleTimeMs" | "host" | "port" | "clientHost" | "clusterId");
    if !of_the_machine && !value.is_null() {
        it.insert(field.name.clone(), value);
    }
}

/// The clock of this machine.
pub fn now_ms() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    now.as_millis() as i64
}

pub fn write_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_varint(input: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(input, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

fn take<'i>(input: &mut &'i [u8], size: usize) -> &'i [u8] {
    assert!(input.len() >= size, "the response is shorter than its definition");
    let (taken, rest) = input.split_at(size);
    *input = rest;
    taken
}

fn array<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    take(input, N).try_into().expect("so many were taken")
}
