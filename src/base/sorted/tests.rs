use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

proptest! {
    /// Whatever is done to it, the map is what a `BTreeMap` would be.
    #[test]
    fn a_sorted_map_is_a_map(steps in prop::collection::vec((0..6_u8, 0..24_i32, 0..9_u8), 0..80)) {
        let (mut map, mut model) = (SortedMap::new(), BTreeMap::new());
        for (what, key, value) in steps {
            match what {
                0 | 1 => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                2 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                3 => *map.entry(key).or_default() += *model.entry(key).and_modify(|it| *it += 1).or_insert(1) - *map.get(&key).unwrap_or(&0),
                4 => prop_assert_eq!(map.pop_first(), model.pop_first()),
                _ => {
                    let found: Vec<_> = map.range(key..key + 7).collect();
                    prop_assert_eq!(found, model.range(key..key + 7).collect::<Vec<_>>());
                }
            }
            prop_assert_eq!(map.get(&key), model.get(&key));
            prop_assert!(map.iter().eq(model.iter()));
        }
    }

    /// The set is what a `BTreeSet` would be.
    #[test]
    fn a_sorted_set_is_a_set(steps in prop::collection::vec((0..3_u8, 0..24_i32), 0..80)) {
        let (mut set, mut model) = (SortedSet::new(), BTreeSet::new());
        for (what, item) in steps {
            match what {
                0 => prop_assert_eq!(set.insert(item), model.insert(item)),
                1 => prop_assert_eq!(set.remove(&item), model.remove(&item)),
                _ => prop_assert!(set.range(item..=item + 5).eq(model.range(item..=item + 5))),
            }
            prop_assert!(set.iter().eq(model.iter()));
        }
    }
}
