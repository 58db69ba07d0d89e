//! A vector whose clone costs almost nothing.
//!
//! Invariants: every chunk but the last is full, and no chunk is empty; clones share chunks until one of them changes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Index, IndexMut};
use std::rc::Rc;

const CHUNK: usize = 64;

/// A vector whose clone costs almost nothing: clones share structure. Logs, ledgers and timelines are made of it, which
/// is what makes a checkpoint cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Vector<T> {
    chunks: Rc<Vec<Rc<Vec<T>>>>,
}

impl<T> Default for Vector<T> {
    fn default() -> Self {
        Vector { chunks: Rc::default() }
    }
}

impl<T> Vector<T> {
    /// An empty vector.
    pub fn new() -> Self {
        Vector::default()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The item at a place.
    pub fn get(&self, place: usize) -> Option<&T> {
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    /// The first item.
    pub fn first(&self) -> Option<&T> {
        self.get(0)
    }

    /// The last item.
    pub fn last(&self) -> Option<&T> {
        self.chunks.last()?.last()
    }

    /// All items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator + Clone {
        self.iter_from(0)
    }

    /// The items from a place on.
    pub fn iter_from(&self, place: usize) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator + Clone {
        (place..self.len()).map(|place| &self[place])
    }

    /// How many items at the beginning satisfy `before`, given that none does after the first that does not.
    pub fn partition_point(&self, before: impl Fn(&T) -> bool) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(&self[middle]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl<T: Clone> Vector<T> {
    /// The item at a place, to change.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        // Looking first: what is shared is not copied in vain.
        self.get(place)?;
        let chunk = &mut Rc::make_mut(&mut self.chunks)[place / CHUNK];
        Rc::make_mut(chunk).get_mut(place % CHUNK)
    }

    /// Adds an item at the end.
    pub fn push(&mut self, item: T) {
        let chunks = Rc::make_mut(&mut self.chunks);
        match chunks.last_mut() {
            Some(last) if last.len() < CHUNK => Rc::make_mut(last).push(item),
            _ => chunks.push(Rc::new(vec![item])),
        }
    }

    /// Drops all from a place on.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        let chunks = Rc::make_mut(&mut self.chunks);
        chunks.truncate(len.div_ceil(CHUNK));
        if let (Some(last), true) = (chunks.last_mut(), !len.is_multiple_of(CHUNK)) {
            Rc::make_mut(last).truncate(len % CHUNK);
        }
    }
}

impl<T> Index<usize> for Vector<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.chunks[place / CHUNK][place % CHUNK]
    }
}

impl<T: Clone> IndexMut<usize> for Vector<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        self.get_mut(place).expect("invariant: a place in a vector is below its length")
    }
}

/// The items only, one after the other.
impl<T: Hash> Hash for Vector<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.iter().for_each(|item| item.hash(state));
    }
}

impl<T: fmt::Debug> fmt::Debug for Vector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_behaves_as_a_vec(steps in proptest::collection::vec((0..8_u8, 0..200_usize), 0..400)) {
            let (mut vector, mut model) = (Vector::new(), Vec::new());
            let mut kept = Vec::new();
            for (what, number) in steps {
                match what {
                    0 if number < 20 => {
                        vector.truncate(model.len().saturating_sub(number));
                        model.truncate(model.len().saturating_sub(number));
                    }
                    1 => kept.push((vector.clone(), model.clone())),
                    2 if number < model.len() => (vector[number], model[number]) = (number + 1_000, number + 1_000),
                    _ => {
                        vector.push(number);
                        model.push(number);
                    }
                }
            }
            kept.push((vector, model));
            for (vector, model) in kept {
                prop_assert!(vector.iter().eq(&model));
                prop_assert!(vector.iter().rev().eq(model.iter().rev()));
                prop_assert!(vector.iter_from(40).eq(model.iter().skip(40)));
                prop_assert_eq!(vector.len(), model.len());
                prop_assert_eq!(vector.is_empty(), model.is_empty());
                prop_assert_eq!((vector.first(), vector.last()), (model.first(), model.last()));
                prop_assert_eq!(vector.get(model.len()), None);
                let mut again = Vector::new();
                model.iter().for_each(|item| again.push(*item));
                prop_assert_eq!(vector, again);
            }
        }
    }

    #[test]
    fn a_partition_point_is_found() {
        let mut vector = Vector::new();
        for number in 0..100 {
            assert_eq!(vector.partition_point(|item| *item < 70), number.min(70));
            vector.push(number);
        }
    }
}
