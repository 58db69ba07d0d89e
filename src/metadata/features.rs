//! The features of a Kafka 4.3 cluster (KIP-584, KIP-1022): what brokers support, and the level a new cluster starts with.

/// A feature.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// The lowest level a broker supports.
    pub min: i16,
    /// The highest level a broker supports.
    pub max: i16,
    /// The level of this cluster; 0 is "off".
    pub level: i16,
}

/// What a broker of Kafka 4.3 supports, and the levels `kafka-storage format` gives a new cluster. Two of these can be set
/// as the cluster's settings.
pub const FEATURES: &[Feature] = &[
    Feature { name: "metadata.version", min: 7, max: 30, level: 30 },
    Feature { name: "kraft.version", min: 0, max: 1, level: 0 },
    Feature { name: "transaction.version", min: 0, max: 2, level: 2 },
    Feature { name: "group.version", min: 0, max: 1, level: 1 },
    Feature { name: "eligible.leader.replicas.version", min: 0, max: 1, level: 1 },
    Feature { name: "share.version", min: 0, max: 1, level: 1 },
    Feature { name: "streams.version", min: 0, max: 1, level: 1 },
];
