//! Batches, as a script describes them and as a golden shows them.
//!
//! ```json
//! {"records": ["a", {"key": "k", "value": "b", "at": "T+5"}], "pid": 9000, "epoch": 0, "seq": 0}
//! ```
//!
//! A record's time is `T` unless it says otherwise; `value` and `key` may be null; `"size": 1000` makes a value of so many bytes.
//! `transactional` and `control` set the bits; a control record is `{"control": 1, "coordinatorEpoch": 0}` (0 abort,
//! 1 commit). What a good client never sends is said plainly: `baseOffset`, `magic`, `attributes`, `lastOffsetDelta`, `count`,
//! `baseTimestamp`, `maxTimestamp`, `leaderEpoch`, `length` replace the right value (the CRC is computed after that), and
//! `"crc": "bad"` makes that wrong.

use crate::words::Words;
use bytes::Bytes;
use delivery_lab::record::{BatchBuilder, RecordBatch};
use serde_json::{Map, Value, json};

/// The bytes of a batch.
pub fn build(json: &Value, words: &Words, now_ms: i64) -> Vec<u8> {
    let number = |key: &str, default: i64| json.get(key).map_or(default, |value| words.number(value, now_ms));
    let records = json["records"].as_array().expect("a batch has records");
    let time = |record: &Value| record.get("at").map_or(words.base, |at| words.number(at, now_ms));
    let mut builder = BatchBuilder::new(time(&records[0]))
        .producer(number("pid", -1), number("epoch", -1) as i16, number("seq", -1) as i32)
        .transactional(json["transactional"] == true)
        .control(json["control"] == true);
    for record in records {
        let (key, value) = content(record);
        builder.append(time(record), key.as_deref(), value.as_deref(), &[]);
    }
    let mut bytes = builder.build().bytes().to_vec();
    let mut put = |key: &str, at: usize, size: usize| {
        if json.get(key).is_some() {
            bytes[at..at + size].copy_from_slice(&number(key, 0).to_be_bytes()[8 - size..]);
        }
    };
    put("baseOffset", 0, 8);
    put("length", 8, 4);
    put("leaderEpoch", 12, 4);
    put("magic", 16, 1);
    put("attributes", 21, 2);
    put("lastOffsetDelta", 23, 4);
    put("baseTimestamp", 27, 8);
    put("maxTimestamp", 35, 8);
    put("count", 57, 4);
    let crc = crc32c::crc32c(&bytes[21..]);
    let crc = if json["crc"] == "bad" { !crc } else { crc };
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// Key and value.
fn content(record: &Value) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    if let Some(kind) = record["control"].as_i64() {
        let epoch = record["coordinatorEpoch"].as_i64().unwrap_or(0) as i32;
        let key = [0, 0, 0, kind as u8].to_vec();
        return (Some(key), Some([&[0, 0][..], &epoch.to_be_bytes()].concat()));
    }
    let bytes = |value: &Value| value.as_str().map(|text| text.as_bytes().to_vec());
    if record.is_string() {
        return (None, bytes(record));
    }
    let value = record["size"].as_u64().map(|size| vec![b'x'; size as usize]);
    (bytes(&record["key"]), value.or_else(|| bytes(&record["value"])))
}

/// What a golden shows of the batches in `bytes`; a cut-off last one is named as such.
pub fn describe_all(mut bytes: Bytes, words: &Words, now_ms: i64) -> Value {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        match RecordBatch::parse(bytes.clone()) {
            Ok((batch, rest)) => {
                found.push(describe(&batch, words, now_ms));
                bytes = rest;
            }
            Err(_) => {
                found.push(json!({ "cutOff": bytes.len() }));
                break;
            }
        }
    }
    Value::from(found)
}

/// What a golden shows of a batch: all of the header (the CRC as `good` or `bad`) and the records, one line each.
pub fn describe(batch: &RecordBatch, words: &Words, now_ms: i64) -> Value {
    let time = |ms| words.time(ms, now_ms);
    let mut it = Map::new();
    it.insert("offsets".into(), format!("{}..{}", batch.base_offset(), batch.last_offset()).into());
    it.insert("leaderEpoch".into(), batch.leader_epoch().into());
    it.insert("crc".into(), if batch.validate_crc() { "good" } else { "bad" }.into());
    it.insert("attributes".into(), batch.attributes().into());
    it.insert("times".into(), json!([time(batch.base_timestamp()), time(batch.max_timestamp())]));
    it.insert("size".into(), batch.size_in_bytes().into());
    if batch.producer_id() != -1 || batch.base_sequence() != -1 || batch.producer_epoch() != -1 {
        let producer = json!([words.producer(batch.producer_id()), batch.producer_epoch(), batch.base_sequence()]);
        it.insert("producer".into(), producer);
    }
    if batch.codec() != 0 {
        it.insert("count".into(), batch.record_count().into());
        return Value::Object(it);
    }
    let text = |part: Option<&[u8]>| match part {
        None => "null".to_string(),
        Some(bytes) if bytes.len() > 40 => format!("{} bytes", bytes.len()),
        Some(bytes) => bytes.escape_ascii().to_string(),
    };
    let line = |record: delivery_lab::record::RawRecord<'_>| {
        let at = time(record.timestamp);
        let at = at.as_str().map_or_else(|| at.to_string(), str::to_string);
        // The marker's value, the coordinator's epoch, counts elections of before.
        if let Some([_, _, 0, kind @ (0 | 1)]) = record.key.filter(|_| batch.is_control()) {
            return format!("{} {at} {}", record.offset, if *kind == 0 { "ABORT" } else { "COMMIT" });
        }
        let key = record.key.map_or(String::new(), |key| format!("{}=", text(Some(key))));
        format!("{} {at} {key}{}", record.offset, text(record.value))
    };
    let records = batch.raw_records().map(|record| record.map_or_else(|_| "broken".to_string(), line));
    it.insert("records".into(), Value::from(records.collect::<Vec<_>>()));
    Value::Object(it)
}
