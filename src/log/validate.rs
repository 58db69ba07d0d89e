//! What a leader demands of a batch before it takes it (`LogValidator`).
//!
//! Departure: compressed batches are refused, with the error that Kafka has for codecs which a partition does not support.

use super::{AppendOrigin, LogConfig};
use crate::base::config::TimestampType;
use crate::protocol::ErrorCode;
use crate::record::{NO_TIMESTAMP, RecordBatch};

/// Checks header and records; returns the timestamp type and maximal timestamp with which the batch is written.
pub(super) fn validate(
    batch: &RecordBatch,
    config: &LogConfig,
    origin: AppendOrigin,
    now_ms: i64,
) -> Result<(TimestampType, i64), ErrorCode> {
    if origin == AppendOrigin::Client {
        validate_header(batch)?;
    }
    match batch.codec() {
        0 => {}
        1..=4 => return Err(ErrorCode::UnsupportedCompressionType),
        // There is no such codec.
        _ => return Err(ErrorCode::UnknownServerError),
    }
    let max_timestamp = validate_records(batch, config, now_ms)?;
    match config.timestamp_type {
        TimestampType::CreateTime => Ok((TimestampType::CreateTime, max_timestamp)),
        TimestampType::LogAppendTime => Ok((TimestampType::LogAppendTime, now_ms)),
    }
}

fn validate_header(batch: &RecordBatch) -> Result<(), ErrorCode> {
    let offsets = i64::from(batch.last_offset_delta()) + 1;
    let count = i64::from(batch.record_count());
    let nameless = batch.has_producer_id() && batch.base_sequence() < 0;
    if offsets <= 0 || count <= 0 || offsets != count || batch.is_control() || nameless {
        return Err(ErrorCode::InvalidRecord);
    }
    Ok(())
}

/// Every record is looked at; a bad timestamp is reported before other faults. Returns the maximal timestamp.
fn validate_records(batch: &RecordBatch, config: &LogConfig, now_ms: i64) -> Result<i64, ErrorCode> {
    let mut max_timestamp = NO_TIMESTAMP;
    let mut fault = None;
    for record in batch.raw_records() {
        let record = record.map_err(|_| ErrorCode::InvalidRecord)?;
        max_timestamp = max_timestamp.max(record.timestamp);
        if config.compact && record.key.is_none() {
            fault = fault.or(Some(ErrorCode::InvalidRecord));
        } else if !timestamp_is_fine(batch, record.timestamp, config, now_ms) {
            fault = Some(ErrorCode::InvalidTimestamp);
        }
    }
    fault.map_or(Ok(max_timestamp), Err)
}

fn timestamp_is_fine(batch: &RecordBatch, timestamp: i64, config: &LogConfig, now_ms: i64) -> bool {
    if config.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
        let age = now_ms.saturating_sub(timestamp);
        age <= config.timestamp_before_max_ms && age.saturating_neg() <= config.timestamp_after_max_ms
    } else {
        batch.timestamp_type() == TimestampType::CreateTime
    }
}
