//! Share groups on the leaders of partitions (KIP-932).

mod partition;

pub use partition::{Acquirer, RecordState, ShareLimits, SharePartition};
