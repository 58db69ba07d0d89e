//! The hash by which a group notices that its topics have changed (KIP-1101): XXH3, 64 bits, seed 0.
//!
//! In Kafka: `ModernGroup.computeMetadataHash`, `Utils.computeTopicHash`, `Utils.computeGroupHash`, and hash4j.

use crate::base::TopicId;
use crate::metadata::{MetadataImage, Uuid};
use std::rc::Rc;

/// `Utils.TOPIC_HASH_MAGIC_BYTE`
const MAGIC: u8 = 0;

/// The hash of these topics, given by name in ascending order; 0 if none of them exists.
pub(super) fn metadata_hash<'a>(topics: impl Iterator<Item = &'a Rc<str>>, image: &MetadataImage) -> i64 {
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
        racks.sort_unstable();
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

const SECRET: [u8; 192] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d,
    0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0,
    0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21, 0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0,
    0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b,
    0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac,
    0xd8, 0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51,
    0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83, 0x34,
    0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb, 0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49,
    0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8,
    0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b,
    0x40, 0x7e,
];
const PRIME32_1: u64 = 0x9e37_79b1;
const PRIME32_2: u64 = 0x85eb_ca77;
const PRIME32_3: u64 = 0xc2b2_ae3d;
const PRIME64_1: u64 = 0x9e37_79b1_85eb_ca87;
const PRIME64_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
const PRIME64_3: u64 = 0x1656_67b1_9e37_79f9;
const PRIME64_4: u64 = 0x85eb_ca77_c2b2_ae63;
const PRIME64_5: u64 = 0x27d4_eb2f_1656_67c5;
const PRIME_MX1: u64 = 0x1656_6791_9e37_79f9;
const PRIME_MX2: u64 = 0x9fb2_1c65_1e98_df25;

/// XXH3_64bits
fn xxh3_64(input: &[u8]) -> u64 {
    match input.len() {
        0..=16 => short(input),
        17..=128 => up_to_128(input),
        129..=240 => up_to_240(input),
        _ => long(input),
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("invariant: eight bytes are eight"))
}

fn half(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().expect("invariant: four bytes are four")))
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

fn avalanche(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 37)).wrapping_mul(PRIME_MX1);
    hash ^ (hash >> 32)
}

fn avalanche_64(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 33)).wrapping_mul(PRIME64_2);
    let hash = (hash ^ (hash >> 29)).wrapping_mul(PRIME64_3);
    hash ^ (hash >> 32)
}

fn mix(input: &[u8], at: usize, secret: usize) -> u64 {
    fold(word(input, at) ^ word(&SECRET, secret), word(input, at + 8) ^ word(&SECRET, secret + 8))
}

fn short(input: &[u8]) -> u64 {
    let len = input.len();
    match len {
        0 => avalanche_64(word(&SECRET, 56) ^ word(&SECRET, 64)),
        1..=3 => {
            let [first, middle, last] = [input[0], input[len >> 1], input[len - 1]].map(u64::from);
            let combined = first << 16 | middle << 24 | last | (len as u64) << 8;
            avalanche_64(combined ^ half(&SECRET, 0) ^ half(&SECRET, 4))
        }
        4..=8 => {
            let keyed = half(input, len - 4) + (half(input, 0) << 32) ^ word(&SECRET, 8) ^ word(&SECRET, 16);
            let hash = (keyed ^ keyed.rotate_left(49) ^ keyed.rotate_left(24)).wrapping_mul(PRIME_MX2);
            let hash = (hash ^ (hash >> 35).wrapping_add(len as u64)).wrapping_mul(PRIME_MX2);
            hash ^ (hash >> 28)
        }
        _ => {
            let low = word(input, 0) ^ word(&SECRET, 24) ^ word(&SECRET, 32);
            let high = word(input, len - 8) ^ word(&SECRET, 40) ^ word(&SECRET, 48);
            let sum = (len as u64).wrapping_add(low.swap_bytes()).wrapping_add(high);
            avalanche(sum.wrapping_add(fold(low, high)))
        }
    }
}

fn up_to_128(input: &[u8]) -> u64 {
    let len = input.len();
    let mut sum = (len as u64).wrapping_mul(PRIME64_1);
    for i in 0..=(len - 1) / 32 {
        sum = sum.wrapping_add(mix(input, 16 * i, 32 * i));
        sum = sum.wrapping_add(mix(input, len - 16 * (i + 1), 32 * i + 16));
    }
    avalanche(sum)
}

fn up_to_240(input: &[u8]) -> u64 {
    let len = input.len();
    let start = (len as u64).wrapping_mul(PRIME64_1);
    let first = (0..8).fold(start, |sum, i| sum.wrapping_add(mix(input, 16 * i, 16 * i)));
    let last = mix(input, len - 16, 136 - 17);
    let rest = (8..len / 16).fold(last, |sum, i| sum.wrapping_add(mix(input, 16 * i, 16 * (i - 8) + 3)));
    avalanche(avalanche(first).wrapping_add(rest))
}

const STRIPE: usize = 64;
const STRIPES_PER_BLOCK: usize = (SECRET.len() - STRIPE) / 8;

fn long(input: &[u8]) -> u64 {
    let mut sums = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
    let stripes = (input.len() - 1) / STRIPE;
    for stripe in 0..stripes {
        accumulate(&mut sums, &input[stripe * STRIPE..], 8 * (stripe % STRIPES_PER_BLOCK));
        if stripe % STRIPES_PER_BLOCK == STRIPES_PER_BLOCK - 1 {
            for (i, sum) in sums.iter_mut().enumerate() {
                let key = word(&SECRET, SECRET.len() - STRIPE + 8 * i);
                *sum = (*sum ^ (*sum >> 47) ^ key).wrapping_mul(PRIME32_1);
            }
        }
    }
    accumulate(&mut sums, &input[input.len() - STRIPE..], SECRET.len() - STRIPE - 7);
    let start = (input.len() as u64).wrapping_mul(PRIME64_1);
    let merged = (0..4).fold(start, |merged, i| {
        let (a, b) = (sums[2 * i] ^ word(&SECRET, 11 + 16 * i), sums[2 * i + 1] ^ word(&SECRET, 19 + 16 * i));
        merged.wrapping_add(fold(a, b))
    });
    avalanche(merged)
}

fn accumulate(sums: &mut [u64; 8], stripe: &[u8], secret: usize) {
    for i in 0..8 {
        let value = word(stripe, 8 * i);
        let keyed = value ^ word(&SECRET, secret + 8 * i);
        sums[i ^ 1] = sums[i ^ 1].wrapping_add(value);
        sums[i] = sums[i].wrapping_add((keyed & 0xffff_ffff).wrapping_mul(keyed >> 32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What XXH3_64bits of xxHash says.
    #[test]
    fn it_is_xxh3() {
        let input: Vec<u8> = (0..2_000_u32).map(|i| (i * i * 7 + i * 31 + 5) as u8).collect();
        let known: [(usize, u64); 25] = [
            (0, 0x2d06800538d394c2),
            (1, 0x929e358d27ae3ee2),
            (2, 0x5f54949a22a6fa65),
            (3, 0x3d1d5d94bc951786),
            (4, 0xc719637fcebcdf87),
            (7, 0x90e85b20536da902),
            (8, 0xd2977d16538cc7fd),
            (9, 0xe5211b0f7b0a0d74),
            (16, 0xed2cc23b0d97a865),
            (17, 0x402333614ac7c0bd),
            (32, 0x3a7525e8975e193a),
            (33, 0x156c2efd77b5ff7b),
            (64, 0xbded77ce5da23ac8),
            (65, 0xf6f3b09b1ed2c499),
            (100, 0xfb02f36e69c4f260),
            (128, 0x0effe4ba0abc978f),
            (129, 0x1aecb84e33d808e0),
            (200, 0xb8e8312bd70fde89),
            (240, 0x418411c0ff0b5a0d),
            (241, 0xed047bdb320c73df),
            (256, 0x71818f37d192d3e9),
            (1024, 0xe431059c70cd0cf2),
            (1025, 0x843e4a213996146e),
            (1500, 0xeec09ded088a45bc),
            (2000, 0xf3fe70c207897934),
        ];
        for (len, hash) in known {
            assert_eq!(xxh3_64(&input[..len]), hash, "{len} bytes");
        }
    }
}
