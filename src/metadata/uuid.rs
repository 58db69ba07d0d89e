//! Kafka's UUIDs, derived from the Lab's numbers, so that topics and directories have ids without chance.

use crate::base::{BrokerId, JavaHash, TopicId};
use std::fmt;

/// 128 bits that name something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Uuid {
    /// The first eight bytes.
    pub high: u64,
    /// The last eight bytes.
    pub low: u64,
}

/// Odd, so multiplying by it is reversible.
const SPREAD: u32 = 0x9e37_79b1;
/// `SPREAD` × `GATHER` = 1 modulo 2^32.
const GATHER: u32 = inverse(SPREAD);
const VERSION_4: u64 = 0x4000;
const VARIANT: u64 = 1 << 63;

impl Uuid {
    /// `Uuid.ZERO_UUID`, also `DirectoryId.UNASSIGNED`.
    pub const ZERO: Uuid = Uuid { high: 0, low: 0 };
    /// `Uuid.METADATA_TOPIC_ID`.
    pub const METADATA_TOPIC: Uuid = Uuid { high: 0, low: 1 };

    /// The id of a topic.
    pub fn of_topic(topic: TopicId) -> Uuid {
        if topic.0 == 0 { Uuid::METADATA_TOPIC } else { Uuid::derived(topic.0, 0x7069_6373) }
    }

    /// The topic of that id, if it is one of ours.
    pub fn topic(self) -> Option<TopicId> {
        if self == Uuid::METADATA_TOPIC {
            return Some(TopicId(0));
        }
        let topic = TopicId(((self.high >> 32) as u32).wrapping_mul(GATHER));
        (Uuid::of_topic(topic) == self).then_some(topic)
    }

    /// The id of a broker's one log directory.
    pub fn of_directory(broker: BrokerId) -> Uuid {
        Uuid::derived(broker.0 as u32, 0x6469_7273)
    }

    /// The id of a broker's process.
    pub fn of_incarnation(incarnation: u64) -> Uuid {
        Uuid { high: incarnation, low: VARIANT }
    }

    /// The process of that id.
    pub fn incarnation(self) -> u64 {
        self.high
    }

    fn derived(number: u32, salt: u64) -> Uuid {
        let spread = u64::from(number.wrapping_mul(SPREAD));
        let mixed = (spread ^ salt).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = (spread << 32) | (mixed >> 16 & 0xffff_0000) | VERSION_4 | (mixed & 0x0fff);
        Uuid { high, low: (mixed.rotate_left(32) & !(3 << 62)) | VARIANT }
    }
}

/// `Uuid.hashCode()`
impl JavaHash for Uuid {
    fn java_hash(&self) -> i32 {
        let mixed = self.high ^ self.low;
        ((mixed >> 32) ^ mixed) as i32
    }
}

const fn inverse(odd: u32) -> u32 {
    // Newton: each round doubles the number of right bits.
    let (mut x, mut round) = (odd, 0);
    while round < 5 {
        x = x.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(x)));
        round += 1;
    }
    x
}

impl fmt::Display for Uuid {
    /// URL-safe base64 without padding, as Kafka's tools show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use base64::Engine as _;
        let bytes = (u128::from(self.high) << 64 | u128::from(self.low)).to_be_bytes();
        f.write_str(&base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_found_by_its_uuid() {
        for number in (0..100).chain([u32::MAX]) {
            assert_eq!(Uuid::of_topic(TopicId(number)).topic(), Some(TopicId(number)));
        }
        assert_eq!(Uuid { high: 1, low: 2 }.topic(), None);
    }

    #[test]
    fn it_looks_like_kafkas() {
        assert_eq!(Uuid::METADATA_TOPIC.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let uuid = Uuid::of_topic(TopicId(1));
        assert_eq!((uuid.high >> 12 & 0xf, uuid.low >> 62), (4, 2), "version 4, variant 2");
    }
}
