//! The closed sets that settings choose from, and how a checked text becomes a Rust value.

use super::definition::{ConfigKey, ConfigKind, Value};
use super::duration::iso8601;
use crate::base::{Duration, Ratio};
use std::rc::Rc;

/// A type a setting may have. The text was checked against the key's table entry before.
pub(super) trait Setting: Sized {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self;
}

/// An enum whose variants have names in settings: the first is the canonical one, the others are aliases.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($body:tt)+ }) => { unhashed_choice! { $(#[$meta])* #[derive(Hash)] $name { $($body)+ } } };
}

/// The same without `Hash`.
macro_rules! unhashed_choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $first:literal $(| $alias:literal)*,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every text that names one, in the order in which Kafka lists them.
            pub const NAMES: &'static [&'static str] = &[$($first, $($alias,)*)+];

            /// The text of a setting that chooses this.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $first,)+ }
            }

            /// The one of that name, in any case.
            pub fn from_name(name: &str) -> Option<Self> {
                $(if [$first, $($alias,)*].iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    return Some($name::$variant);
                })+
                None
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Setting for $name {
            fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
                $name::from_name(text(key, value)).unwrap_or_else(|| misfit(key, value))
            }
        }
    };
}

choice! {
    /// How many acknowledgements a write waits for (`acks`).
    Acks {
        /// All in-sync replicas.
        All = "all" | "-1",
        /// Nobody: the broker does not even answer.
        None = "0",
        /// The leader alone.
        Leader = "1",
    }
}

choice! {
    /// Which records a consumer sees (`isolation.level`).
    IsolationLevel {
        /// Only what is not part of an open or aborted transaction.
        ReadCommitted = "read_committed",
        /// Everything below the high watermark.
        ReadUncommitted = "read_uncommitted",
    }
}

unhashed_choice! {
    /// How a share consumer says what became of its records (`share.acknowledgement.mode`).
    ShareAcknowledgementMode {
        /// The next `poll()` or commit accepts them all.
        Implicit = "implicit",
        /// The application says it of each record.
        Explicit = "explicit",
    }
}

unhashed_choice! {
    /// How strictly a share fetch keeps to `max.poll.records` (KIP-1206, `share.acquire.mode`).
    ShareAcquireMode {
        /// Up to the end of a batch.
        BatchOptimized = "batch_optimized",
        /// Exactly.
        RecordLimit = "record_limit",
    }
}

/// The default adds nothing, so that consumers without share groups hash as they always did.
impl std::hash::Hash for ShareAcknowledgementMode {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        if *self == ShareAcknowledgementMode::Explicit {
            state.write_u8(1);
        }
    }
}

/// As above.
impl std::hash::Hash for ShareAcquireMode {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        if *self == ShareAcquireMode::RecordLimit {
            state.write_u8(2);
        }
    }
}

choice! {
    /// Which replica a consumer is sent to (`replica.selector.class`).
    ReplicaSelector {
        /// The leader, always.
        Leader = "org.apache.kafka.common.replica.LeaderSelector",
        /// One in the consumer's own rack (KIP-392).
        RackAware = "org.apache.kafka.common.replica.RackAwareReplicaSelector",
    }
}

choice! {
    /// Which protocol a group speaks (`group.protocol`).
    GroupProtocol {
        /// KIP-848: the coordinator assigns, in heartbeats.
        Consumer = "consumer",
        /// JoinGroup and SyncGroup: a member assigns.
        Classic = "classic",
    }
}

choice! {
    /// Who gets which partition, in the classic protocol (`partition.assignment.strategy`).
    Assignor {
        /// Neighbouring partitions, topic by topic.
        Range = "org.apache.kafka.clients.consumer.RangeAssignor" | "range",
        /// Partitions dealt like cards.
        RoundRobin = "org.apache.kafka.clients.consumer.RoundRobinAssignor" | "roundrobin",
        /// Balanced with the least movement, everything revoked first.
        Sticky = "org.apache.kafka.clients.consumer.StickyAssignor" | "sticky",
        /// Balanced with the least movement, only what moves is revoked.
        CooperativeSticky = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor" | "cooperative-sticky",
    }
}

choice! {
    /// Who gets which partition, in the consumer protocol (`group.consumer.assignors`).
    ServerAssignor {
        /// Balanced with the least movement.
        Uniform = "uniform",
        /// Neighbouring partitions, topic by topic.
        Range = "range",
    }
}

choice! {
    /// Which groups change their protocol while they have members (`group.consumer.migration.policy`).
    MigrationPolicy {
        /// From classic to consumer, and back.
        Bidirectional = "bidirectional",
        /// From classic to consumer only.
        Upgrade = "upgrade",
        /// From consumer to classic only.
        Downgrade = "downgrade",
        /// None, and members of the classic protocol may not join a group of the consumer protocol.
        Disabled = "disabled",
    }
}

impl MigrationPolicy {
    /// May a classic group become one of the consumer protocol?
    pub fn upgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Upgrade)
    }

    /// May a group of the consumer protocol become a classic one?
    pub fn downgrades(self) -> bool {
        matches!(self, MigrationPolicy::Bidirectional | MigrationPolicy::Downgrade)
    }
}

choice! {
    /// How a producer compresses its batches (`compression.type`).
    CompressionType {
        /// Not at all.
        None = "none",
        /// With gzip.
        Gzip = "gzip",
        /// With Snappy.
        Snappy = "snappy",
        /// With LZ4.
        Lz4 = "lz4",
        /// With Zstandard.
        Zstd = "zstd",
    }
}

choice! {
    /// How a topic's log is compressed, whatever the producer did (`compression.type` of topic and broker).
    BrokerCompressionType {
        /// Not at all.
        Uncompressed = "uncompressed",
        /// With Zstandard.
        Zstd = "zstd",
        /// With LZ4.
        Lz4 = "lz4",
        /// With Snappy.
        Snappy = "snappy",
        /// With gzip.
        Gzip = "gzip",
        /// As it comes.
        Producer = "producer",
    }
}

choice! {
    /// Whose clock stamps records (`message.timestamp.type`).
    TimestampType {
        /// The producer's.
        CreateTime = "CreateTime",
        /// The leader's, on appending.
        LogAppendTime = "LogAppendTime",
    }
}

/// How old data leaves a log (`cleanup.policy`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CleanupPolicy {
    /// Whole segments, by age and size.
    Delete,
    /// All but the newest record of each key.
    Compact,
    /// Both.
    CompactAndDelete,
    /// Never.
    None,
}

/// Where to read when there is no valid offset (`auto.offset.reset`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AutoOffsetReset {
    /// The end.
    Latest,
    /// The beginning.
    Earliest,
    /// Nowhere: the consumer gets an error.
    None,
    /// The first record no older than that.
    ByDuration(Duration),
}

impl Acks {
    /// The number in a Produce request.
    pub const fn wire(self) -> i16 {
        match self {
            Acks::All => -1,
            Acks::None => 0,
            Acks::Leader => 1,
        }
    }
}

impl IsolationLevel {
    /// The number in a Fetch request.
    pub const fn wire(self) -> i8 {
        match self {
            IsolationLevel::ReadUncommitted => 0,
            IsolationLevel::ReadCommitted => 1,
        }
    }
}

impl CompressionType {
    /// The codec bits of a record batch's attributes.
    pub const fn id(self) -> u8 {
        match self {
            CompressionType::None => 0,
            CompressionType::Gzip => 1,
            CompressionType::Snappy => 2,
            CompressionType::Lz4 => 3,
            CompressionType::Zstd => 4,
        }
    }
}

impl BrokerCompressionType {
    /// Whether the log is compressed whatever comes.
    pub const fn is_codec(self) -> bool {
        !matches!(self, BrokerCompressionType::Producer | BrokerCompressionType::Uncompressed)
    }

    /// What a batch that came compressed with `source` is stored as.
    pub const fn target(self, source: CompressionType) -> CompressionType {
        match self {
            BrokerCompressionType::Producer => source,
            BrokerCompressionType::Uncompressed => CompressionType::None,
            BrokerCompressionType::Gzip => CompressionType::Gzip,
            BrokerCompressionType::Snappy => CompressionType::Snappy,
            BrokerCompressionType::Lz4 => CompressionType::Lz4,
            BrokerCompressionType::Zstd => CompressionType::Zstd,
        }
    }
}

impl Assignor {
    /// The name members agree on in JoinGroup.
    pub const fn protocol_name(self) -> &'static str {
        match self {
            Assignor::Range => "range",
            Assignor::RoundRobin => "roundrobin",
            Assignor::Sticky => "sticky",
            Assignor::CooperativeSticky => "cooperative-sticky",
        }
    }
}

impl CleanupPolicy {
    /// The words `cleanup.policy` knows.
    pub const NAMES: &'static [&'static str] = &["compact", "delete"];

    /// Whether old segments are deleted.
    pub const fn deletes(self) -> bool {
        matches!(self, CleanupPolicy::Delete | CleanupPolicy::CompactAndDelete)
    }

    /// Whether superseded records are removed.
    pub const fn compacts(self) -> bool {
        matches!(self, CleanupPolicy::Compact | CleanupPolicy::CompactAndDelete)
    }
}

impl AutoOffsetReset {
    /// Reads `latest`, `earliest`, `none` or `by_duration:` with an ISO 8601 span.
    pub fn from_name(text: &str) -> Option<Self> {
        match text {
            "latest" => Some(AutoOffsetReset::Latest),
            "earliest" => Some(AutoOffsetReset::Earliest),
            "none" => Some(AutoOffsetReset::None),
            _ => iso8601(text.strip_prefix("by_duration:")?).map(AutoOffsetReset::ByDuration),
        }
    }
}

impl Setting for CleanupPolicy {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        let Value::List(words) = value else { misfit(key, value) };
        match (words.contains(&"compact"), words.contains(&"delete")) {
            (true, true) => CleanupPolicy::CompactAndDelete,
            (true, false) => CleanupPolicy::Compact,
            (false, true) => CleanupPolicy::Delete,
            (false, false) => CleanupPolicy::None,
        }
    }
}

impl Setting for AutoOffsetReset {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        AutoOffsetReset::from_name(text(key, value)).unwrap_or_else(|| misfit(key, value))
    }
}

impl Setting for bool {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        let Value::Boolean(flag) = value else { misfit(key, value) };
        *flag
    }
}

impl Setting for u32 {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        number(value).and_then(|number| number.try_into().ok()).unwrap_or_else(|| misfit(key, value))
    }
}

impl Setting for u64 {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        number(value).and_then(|number| number.try_into().ok()).unwrap_or_else(|| misfit(key, value))
    }
}

impl Setting for Ratio {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        let Value::Ratio(ratio) = value else { misfit(key, value) };
        *ratio
    }
}

impl Setting for Duration {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        Option::from_value(key, value).unwrap_or_else(|| misfit(key, value))
    }
}

/// Unset, or a negative number: no limit.
impl Setting for Option<Duration> {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        let ConfigKind::Duration(_, unit) = key.kind else { misfit(key, value) };
        let count = u64::try_from(number(value)?).ok()?;
        Some(Duration::from_millis(count.saturating_mul(unit.millis())).min(Duration::MAX))
    }
}

/// Unset, or a negative number: no limit.
impl Setting for Option<u32> {
    fn from_value(_: &ConfigKey, value: &Value<'_>) -> Self {
        u32::try_from(number(value)?).ok()
    }
}

/// Unset, or a negative number: no limit.
impl Setting for Option<u64> {
    fn from_value(_: &ConfigKey, value: &Value<'_>) -> Self {
        u64::try_from(number(value)?).ok()
    }
}

impl Setting for Option<Rc<str>> {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        if *value == Value::Unset { None } else { Some(text(key, value).into()) }
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn from_value(key: &ConfigKey, value: &Value<'_>) -> Self {
        let Value::List(words) = value else { misfit(key, value) };
        words.iter().map(|word| T::from_value(key, &Value::Text(word))).collect()
    }
}

fn number(value: &Value<'_>) -> Option<i64> {
    if let Value::Number(number) = value { Some(*number) } else { None }
}

fn text<'a>(key: &ConfigKey, value: &Value<'a>) -> &'a str {
    let Value::Text(text) = value else { misfit(key, value) };
    text
}

fn misfit(key: &ConfigKey, value: &Value<'_>) -> ! {
    panic!("invariant: the table's entry for {} fits its field, yet {value:?} came through", key.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases() {
        assert_eq!(Acks::NAMES, ["all", "-1", "0", "1"]);
        assert_eq!(Acks::from_name("-1"), Some(Acks::All));
        assert_eq!([Acks::All, Acks::None, Acks::Leader].map(Acks::wire), [-1, 0, 1]);
        assert_eq!(GroupProtocol::from_name("CONSUMER"), Some(GroupProtocol::Consumer));
        assert_eq!(Assignor::from_name("cooperative-sticky"), Some(Assignor::CooperativeSticky));
        assert_eq!(TimestampType::LogAppendTime.to_string(), "LogAppendTime");
    }

    #[test]
    fn offset_reset_has_a_grammar() {
        assert_eq!(
            AutoOffsetReset::from_name("by_duration:PT1M"),
            Some(AutoOffsetReset::ByDuration(Duration(60_000_000)))
        );
        for bad in ["Latest", "by_duration", "by_duration:", "by_duration:-PT1M", "by_duration:1h"] {
            assert_eq!(AutoOffsetReset::from_name(bad), None, "{bad}");
        }
    }
}
