//! Kafka's message definitions, as its own jar has them (`common/message/*.json` of kafka-clients): what a request or
//! response looks like on the wire, in each version.

use serde_json::Value;
use std::collections::BTreeMap;

/// A range of versions; empty if `last` is below `first`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    first: i16,
    last: i16,
}

impl Versions {
    pub const NONE: Versions = Versions { first: 0, last: -1 };

    fn parse(text: Option<&Value>) -> Versions {
        let Some(text) = text.and_then(Value::as_str) else { return Versions::NONE };
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("a version: {text}"));
        match (text, text.strip_suffix('+'), text.split_once('-')) {
            ("none", ..) => Versions::NONE,
            (_, Some(first), _) => Versions { first: number(first), last: i16::MAX },
            (_, _, Some((first, last))) => Versions { first: number(first), last: number(last) },
            _ => Versions { first: number(text), last: number(text) },
        }
    }

    pub fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

/// What a field holds.
#[derive(Clone, Debug)]
pub enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    String,
    Uuid,
    Bytes,
    Records,
    Struct(Vec<Field>),
    Array(Box<Type>),
}

/// One field of a message.
#[derive(Clone, Debug)]
pub struct Field {
    /// As JSON spells it: `errorCode`.
    pub name: String,
    pub of: Type,
    pub versions: Versions,
    pub nullable: Versions,
    pub tagged: Versions,
    pub tag: u32,
    pub default: Option<String>,
    /// `topicName`, `groupId`, …; empty if nothing is said.
    pub entity: String,
}

/// A request or a response.
#[derive(Clone, Debug)]
pub struct Schema {
    pub api_key: i16,
    pub valid: Versions,
    pub flexible: Versions,
    pub fields: Vec<Field>,
}

impl Schema {
    /// Reads a definition; its comments are dropped.
    pub fn parse(text: &str) -> Schema {
        let text: String = text.lines().map(|line| format!("{}\n", without_comment(line))).collect();
        let json: Value = serde_json::from_str(&text).expect("Kafka's message definitions are JSON");
        let mut commons = BTreeMap::new();
        for it in json["commonStructs"].as_array().into_iter().flatten() {
            commons.insert(it["name"].as_str().expect("a name").to_string(), it["fields"].clone());
        }
        Schema {
            api_key: json["apiKey"].as_i64().and_then(|key| i16::try_from(key).ok()).unwrap_or(-1),
            valid: Versions::parse(json.get("validVersions")),
            flexible: Versions::parse(json.get("flexibleVersions")),
            fields: fields(&json["fields"], &commons),
        }
    }
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '/' if !quoted && line[at..].starts_with("//") => return &line[..at],
            _ => {}
        }
    }
    line
}

fn fields(json: &Value, commons: &BTreeMap<String, Value>) -> Vec<Field> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let one = |json: &Value| Field {
        name: camel(json["name"].as_str().expect("a field has a name")),
        of: type_of(json["type"].as_str().expect("a field has a type"), &json["fields"], commons),
        versions: Versions::parse(json.get("versions")),
        nullable: Versions::parse(json.get("nullableVersions")),
        tagged: Versions::parse(json.get("taggedVersions")),
        tag: json["tag"].as_u64().and_then(|tag| u32::try_from(tag).ok()).unwrap_or(0),
        default: json.get("default").map(text),
        entity: json["entityType"].as_str().unwrap_or("").to_string(),
    };
    json.as_array().into_iter().flatten().map(one).collect()
}

fn type_of(name: &str, inner: &Value, commons: &BTreeMap<String, Value>) -> Type {
    if let Some(element) = name.strip_prefix("[]") {
        return Type::Array(Box::new(type_of(element, inner, commons)));
    }
    match name {
        "bool" => Type::Bool,
        "int8" => Type::Int8,
        "int16" => Type::Int16,
        "uint16" => Type::Uint16,
        "int32" => Type::Int32,
        "uint32" => Type::Uint32,
        "int64" => Type::Int64,
        "float64" => Type::Float64,
        "string" => Type::String,
        "uuid" => Type::Uuid,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        _ => Type::Struct(fields(if inner.is_null() { &commons[name] } else { inner }, commons)),
    }
}

/// `ErrorCode` is `errorCode` in Kafka's JSON.
fn camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

#[test]
fn versions_are_read_as_kafka_writes_them() {
    let versions = |text: &str| Versions::parse(Some(&Value::from(text)));
    let known = |text: &str| (0..6).filter(|version| versions(text).contains(*version)).collect::<Vec<i16>>();
    assert_eq!((known("3+"), known("1-2"), known("4"), known("none")), (vec![3, 4, 5], vec![1, 2], vec![4], vec![]));
    let schema = Schema::parse(
        "// a comment\n{ \"apiKey\": 7, \"validVersions\": \"0-3\", \"flexibleVersions\": \"2+\", \"fields\": [\n\
         { \"name\": \"ErrorCode\", \"type\": \"[]int16\", \"versions\": \"0+\" } // its \"name\" is camel\n] }",
    );
    assert_eq!((schema.api_key, schema.fields[0].name.as_str()), (7, "errorCode"));
    assert!(matches!(&schema.fields[0].of, Type::Array(element) if matches!(**element, Type::Int16)));
}
