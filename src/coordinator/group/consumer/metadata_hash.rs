//! The hash by which a group notices that its topics have changed (KIP-1101): XXH3, 64 bits, seed 0.
//!
//! In Kafka: `ModernGroup.computeMetadataHash`, `Utils.computeTopicHash`, `Utils.computeGroupHash`, and hash4j.

use crate::base::{TopicId, sort_long};
use crate::metadata::{MetadataImage, Uuid};
use std::rc::Rc;
use xxhash_rust::xxh3::xxh3_64;

/// `Utils.TOPIC_HASH_MAGIC_BYTE`
const MAGIC: u8 = 0;

/// The hash of these topics, given by name in ascending order; 0 if none of them exists.
pub(in crate::coordinator::group) fn metadata_hash<'a>(
    topics: impl Iterator<Item = &'a Rc<str>>,
    image: &MetadataImage,
) -> i64 {
    let known = topics.filter_map(|name| Some((name, image.topic_id(name)?)));
    let hashes: Vec<u8> = known.flat_map(|(name, topic)| topic_hash(name, topic, image).to_le_bytes()).collect();
    if hashes.is_empty() { 0 } else { xxh3_64(&hashes) as i64 }
}

fn topic_hash(name: &str, topic: TopicId, image: &MetadataImage) -> u64 {
    let (id, count) = (Uuid::of_topic(topic), image.partition_count(topic));
    let mut bytes = vec![MAGIC];
    bytes.extend(id.high.to_le_bytes());
    bytes.extend(id.low.to_le_bytes());
    put_string(&mut bytes, name);
    bytes.extend(count.to_le_bytes());
    let partitions = image.topic(topic).iter().flat_map(|topic| &topic.partitions).collect::<Vec<_>>();
    for (index, partition) in (0_u32..).zip(partitions) {
        bytes.extend(index.to_le_bytes());
        let racks = partition.replicas.iter().filter_map(|broker| image.broker(*broker)?.rack.as_deref());
        let mut racks: Vec<&str> = racks.collect();
        sort_long(&mut racks, |a, b| a < b);
        for rack in racks {
            bytes.extend((rack.encode_utf16().count() as u32).to_le_bytes());
            put_string(&mut bytes, rack);
        }
    }
    xxh3_64(&bytes)
}

/// As hash4j does it: the characters, then how many.
fn put_string(bytes: &mut Vec<u8>, text: &str) {
    let mut count = 0_u32;
    for unit in text.encode_utf16() {
        bytes.extend(unit.to_le_bytes());
        count += 1;
    }
    bytes.extend(count.to_le_bytes());
}
