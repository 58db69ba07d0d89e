//! State batches old and new, put together (`PersisterStateBatchCombiner`).

use crate::base::{Offset, sort_long};
use crate::protocol::StateBatch;

/// These batches without overlaps, in the order of their offsets, from the start offset on (−1 for all). Where some
/// overlap, the greatest delivery count wins, then the greatest state; neighbours with the same become one.
pub(super) fn combine(batches: impl Iterator<Item = StateBatch>, start_offset: Offset) -> Vec<StateBatch> {
    let kept = batches.filter(|batch| batch.last_offset >= start_offset);
    let kept: Vec<StateBatch> =
        kept.map(|it| StateBatch { first_offset: it.first_offset.max(start_offset), ..it }).collect();
    let mut bounds: Vec<Offset> = kept.iter().flat_map(|it| [it.first_offset, it.last_offset + 1]).collect();
    sort_long(&mut bounds, |a, b| a < b);
    bounds.dedup();
    let mut combined: Vec<StateBatch> = Vec::new();
    for (first, next) in bounds.iter().zip(bounds.iter().skip(1)) {
        let here = kept.iter().filter(|it| it.first_offset <= *first && *first <= it.last_offset);
        let Some(best) = here.max_by_key(|it| delivery(it)) else { continue };
        match combined.last_mut() {
            Some(run) if run.last_offset + 1 == *first && delivery(run) == delivery(best) => run.last_offset = next - 1,
            _ => combined.push(StateBatch { first_offset: *first, last_offset: next - 1, ..*best }),
        }
    }
    combined
}

fn delivery(batch: &StateBatch) -> (i16, i8) {
    (batch.delivery_count, batch.delivery_state)
}
