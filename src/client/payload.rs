//! The bytes of a generated record: its value says who made it and which record it is, so that ledger and views read
//! identities from what really lies in the logs.
//!
//! A value is ASCII: `<producer name>-<record number>`, filled up with spaces where a size is asked for.

use crate::base::RecordId;
use bytes::Bytes;

/// The value of record `record` of the producer application `name`, at least `size` bytes long.
pub fn record_value(name: &str, record: RecordId, size: Option<u32>) -> Bytes {
    let mut value = format!("{name}-{record}").into_bytes();
    if let Some(size) = size {
        value.resize(value.len().max(size as usize), b' ');
    }
    Bytes::from(value)
}

/// The record a value belongs to, if it is one of ours.
pub fn record_id_of(value: &[u8]) -> Option<RecordId> {
    let text = value.trim_ascii_end();
    let dash = text.iter().rposition(|byte| *byte == b'-')?;
    let digits = &text[dash + 1..];
    let canonical = digits.len() == 1 || digits.first() != Some(&b'0');
    if digits.is_empty() || !canonical || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok().map(RecordId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_back() {
        for (name, record, size) in [("shop", 0, None), ("web-shop-2", 17, Some(40)), ("x", u32::MAX, Some(3))] {
            let value = record_value(name, RecordId(record), size);
            assert_eq!(record_id_of(&value), Some(RecordId(record)));
            assert!(value.len() >= size.unwrap_or(0) as usize);
        }
        assert_eq!(&record_value("shop", RecordId(7), None)[..], b"shop-7");
    }

    #[test]
    fn other_bytes_are_nobody() {
        for value in [&b""[..], b"shop", b"shop-", b"shop-07", b"shop-7x", b"shop--", b"shop-99999999999", b"\xff-\xff"]
        {
            assert_eq!(record_id_of(value), None, "{value:?}");
        }
    }
}
