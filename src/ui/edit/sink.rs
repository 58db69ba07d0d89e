//! The fields of a consumer's sink.

use super::{WorkField, WorkKind, words};
use delivery_lab::base::Duration;
use delivery_lab::scenario::format::{Dedupe, First, Sink};

/// A yes or no.
pub fn flag(key: &'static str, value: bool) -> WorkField {
    WorkField { key, value: value.to_string(), kind: WorkKind::Words(vec!["true", "false"]) }
}

/// The system behind a consumer; of a store only what a store has.
pub fn fields(it: &Sink) -> Vec<WorkField> {
    let number = |key, value: u64| WorkField { key, value: value.to_string(), kind: WorkKind::Number(0, 600_000) };
    let mut fields =
        vec![WorkField { key: "sink.dedupe", value: it.dedupe.word().to_owned(), kind: words(Dedupe::WORDS) }];
    if it.dedupe == Dedupe::ProcessedIds {
        fields.push(number("sink.window.records", it.window_records.unwrap_or(0).into()));
        fields.push(number("sink.window.ms", it.window.map_or(0, Duration::as_millis)));
    }
    if matches!(it.dedupe, Dedupe::ProcessedIds | Dedupe::OffsetWithOutput) {
        fields.push(flag("sink.atomic", it.atomic));
    }
    if !it.atomic {
        fields.push(WorkField { key: "sink.first", value: it.first.word().to_owned(), kind: words(First::WORDS) });
    }
    fields.push(number("sink.latency.ms", it.latency.as_millis()));
    fields.push(number("sink.fail.every", it.fail_every.into()));
    fields.push(number("sink.lose.reply.every", it.lose_reply_every.into()));
    fields.push(number("sink.poison.every", it.poison_every.into()));
    fields
}
