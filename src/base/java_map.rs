//! A map that iterates in the order of `java.util.HashMap`.
//!
//! Kafka's assignors go through hash maps, and who comes first there keeps the odd partition. To assign as Kafka does is
//! to go through members and topics in the same order: by bucket (a table of 16, doubled above three quarters, never
//! shrunk), within a bucket in order of insertion. Departure: bins of eight colliding keys, which Java turns into trees,
//! stay lists.

/// `Object.hashCode()` of what Kafka uses as a key.
pub trait JavaHash {
    /// The hash code.
    fn java_hash(&self) -> i32;
}

impl JavaHash for str {
    fn java_hash(&self) -> i32 {
        self.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
    }
}

impl<T: JavaHash + ?Sized> JavaHash for std::rc::Rc<T> {
    fn java_hash(&self) -> i32 {
        (**self).java_hash()
    }
}

impl<T: JavaHash + ?Sized> JavaHash for &T {
    fn java_hash(&self) -> i32 {
        (**self).java_hash()
    }
}

/// `TopicPartition.hashCode()` of a topic's name and a partition.
impl<T: JavaHash> JavaHash for (T, u32) {
    fn java_hash(&self) -> i32 {
        (31 + self.1 as i32).wrapping_mul(31).wrapping_add(self.0.java_hash())
    }
}

/// `Integer.hashCode()`, of a number that is not negative.
impl JavaHash for u32 {
    fn java_hash(&self) -> i32 {
        *self as i32
    }
}

/// `Long.hashCode()`
impl JavaHash for i64 {
    fn java_hash(&self) -> i32 {
        (self ^ (*self as u64 >> 32) as i64) as i32
    }
}

/// The place of a hash code in a table of so many buckets, a power of two (`HashMap.hash`).
pub fn java_bucket(hash: i32, buckets: usize) -> usize {
    let hash = hash as u32;
    (hash ^ (hash >> 16)) as usize & (buckets - 1)
}

/// The map.
#[derive(Clone, Debug)]
pub struct JavaMap<K, V> {
    buckets: Vec<Vec<(K, V)>>,
    len: usize,
}

impl<K, V> Default for JavaMap<K, V> {
    fn default() -> Self {
        JavaMap { buckets: (0..16).map(|_| Vec::new()).collect(), len: 0 }
    }
}

impl<K, V> JavaMap<K, V> {
    /// With room for a copy of a collection of so many elements, as `new HashSet<>(collection)` makes it.
    pub fn for_copy_of(len: usize) -> Self {
        Self::with_capacity((len * 4 / 3 + 1).max(16))
    }

    /// `new HashMap<>(capacity)`
    pub fn with_capacity(capacity: usize) -> Self {
        let buckets = capacity.next_power_of_two();
        JavaMap { buckets: (0..buckets).map(|_| Vec::new()).collect(), len: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries in Java's order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.buckets.iter().flatten().map(|(key, value)| (key, value))
    }

    /// Keys in Java's order.
    pub fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }
}

impl<K: JavaHash + PartialEq, V> JavaMap<K, V> {
    fn bucket(&self, key: &K) -> usize {
        java_bucket(key.java_hash(), self.buckets.len())
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.buckets[self.bucket(key)].iter().find(|(it, _)| it == key).map(|(_, value)| value)
    }

    /// The value of a key, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let bucket = self.bucket(key);
        self.buckets[bucket].iter_mut().find(|(it, _)| it == key).map(|(_, value)| value)
    }

    /// Whether the key is there.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Sets a key's value; gives back the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(old) = self.get_mut(&key) {
            return Some(std::mem::replace(old, value));
        }
        let bucket = self.bucket(&key);
        self.buckets[bucket].push((key, value));
        self.len += 1;
        if self.len * 4 > self.buckets.len() * 3 {
            self.grow();
        }
        None
    }

    /// `computeIfAbsent`, which puts a new key before the others of its bucket, and grows the table one key late.
    pub fn compute_if_absent(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        if self.len * 4 > self.buckets.len() * 3 {
            self.grow();
        }
        let bucket = self.bucket(&key);
        let at = self.buckets[bucket].iter().position(|(it, _)| *it == key).unwrap_or_else(|| {
            self.buckets[bucket].insert(0, (key, value()));
            self.len += 1;
            0
        });
        &mut self.buckets[bucket][at].1
    }

    /// Takes a key out; gives back its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let bucket = self.bucket(key);
        let at = self.buckets[bucket].iter().position(|(it, _)| it == key)?;
        self.len -= 1;
        Some(self.buckets[bucket].remove(at).1)
    }

    fn grow(&mut self) {
        let doubled = (0..self.buckets.len() * 2).map(|_| Vec::new()).collect();
        for (key, value) in std::mem::replace(&mut self.buckets, doubled).into_iter().flatten() {
            let bucket = self.bucket(&key);
            self.buckets[bucket].push((key, value));
        }
    }
}

impl<K: JavaHash + PartialEq, V> FromIterator<(K, V)> for JavaMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = JavaMap::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_codes_are_javas() {
        assert_eq!("".java_hash(), 0);
        assert_eq!("orders".java_hash(), -1_008_770_331);
        assert_eq!("polygenelubricants".java_hash(), i32::MIN);
        assert_eq!(("orders", 3).java_hash(), (31 + 3) * 31 - 1_008_770_331);
    }

    /// `new HashMap<>()` with these keys, printed by Java 17.
    #[test]
    fn it_iterates_as_java_does() {
        let names = ["mailer-1", "mailer-2", "mailer-3", "billing", "audit", "AaAa", "BBBB", "AaBB"];
        let map: JavaMap<&str, ()> = names.into_iter().map(|name| (name, ())).collect();
        assert_eq!(map.keys().copied().collect::<Vec<_>>(), SMALL);
        let many: Vec<String> = (0..13).map(|number| format!("c{number}")).collect();
        let map: JavaMap<&str, ()> = many.iter().map(|name| (name.as_str(), ())).collect();
        assert_eq!(map.keys().copied().collect::<Vec<_>>(), GROWN);
    }
    const SMALL: [&str; 8] = ["mailer-3", "mailer-1", "mailer-2", "audit", "billing", "AaAa", "BBBB", "AaBB"];
    const GROWN: [&str; 13] = ["c11", "c10", "c12", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

    /// In Java: `orders` and `returns` share a bucket; a 13th key that is computed does not double the table yet.
    #[test]
    fn what_is_computed_comes_first_in_its_bucket() {
        let mut map: JavaMap<&str, ()> = JavaMap::default();
        for name in ["orders", "returns", "orders"] {
            map.compute_if_absent(name, || ());
        }
        assert_eq!(map.keys().copied().collect::<Vec<_>>(), ["returns", "orders"]);
        let put: JavaMap<&str, ()> = ["orders", "returns"].into_iter().map(|name| (name, ())).collect();
        assert_eq!(put.keys().copied().collect::<Vec<_>>(), ["orders", "returns"]);
        let many: Vec<String> = (0..14).map(|number| format!("c{number}")).collect();
        let mut late: JavaMap<&str, ()> = JavaMap::default();
        for (index, name) in many.iter().enumerate() {
            late.compute_if_absent(name, || ());
            assert_eq!(late.buckets.len(), if index < 13 { 16 } else { 32 });
        }
    }

    #[test]
    fn what_was_taken_out_is_gone() {
        let mut map: JavaMap<&str, u8> = [("a", 1), ("b", 2)].into_iter().collect();
        assert_eq!((map.insert("a", 3), map.remove(&"a"), map.remove(&"a")), (Some(1), Some(3), None));
        assert_eq!((map.len(), map.get(&"b"), map.is_empty()), (1, Some(&2), false));
    }
}
