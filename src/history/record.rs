//! A window on what happened, in chunks of events; chunks that nobody looks at are dropped and made again by replay.

use crate::base::SortedMap;
use std::rc::Rc;

/// Events a chunk.
const CHUNK: u64 = 512;
/// Chunks kept.
const KEPT: usize = 32;

#[derive(Clone)]
struct Chunk<E> {
    entries: Rc<Vec<E>>,
    /// The positions it covers without a gap.
    from: u64,
    to: u64,
    used: u64,
}

#[derive(Clone)]
pub(super) struct Recording<E> {
    chunks: SortedMap<(usize, u64), Chunk<E>>,
    clock: u64,
}

impl<E> Default for Recording<E> {
    fn default() -> Self {
        Recording { chunks: SortedMap::new(), clock: 0 }
    }
}

impl<E: Clone> Recording<E> {
    pub const fn chunk_of(position: u64) -> u64 {
        position / CHUNK
    }

    pub const fn start_of(chunk: u64) -> u64 {
        chunk * CHUNK
    }

    /// Lets `step` handle the event after `position`, and keeps what it tells if that is new.
    pub fn record(&mut self, branch: usize, position: u64, step: impl FnOnce(&mut Vec<E>) -> bool) -> bool {
        let key = (branch, Self::chunk_of(position));
        self.clock += 1;
        if !self.chunks.contains_key(&key) {
            self.make_room();
            let chunk = Chunk { entries: Rc::new(Vec::new()), from: position, to: position, used: self.clock };
            self.chunks.insert(key, chunk);
        }
        let clock = self.clock;
        let chunk = self.chunks.get_mut(&key).expect("it was just put there");
        chunk.used = clock;
        if position < chunk.from {
            // A replay from the chunk's beginning: start it anew.
            *chunk = Chunk { entries: Rc::new(Vec::new()), from: position, to: position, used: clock };
        }
        if position != chunk.to {
            return step(&mut Vec::new());
        }
        let went = step(Rc::make_mut(&mut chunk.entries));
        chunk.to += u64::from(went);
        went
    }

    /// Is the chunk there, from its beginning up to `end`?
    pub fn holds(&self, branch: usize, chunk: u64, end: u64) -> bool {
        self.chunks.get(&(branch, chunk)).is_some_and(|c| c.from <= Self::start_of(chunk) && c.to >= end)
    }

    pub fn get(&mut self, branch: usize, chunk: u64) -> Option<Rc<Vec<E>>> {
        self.clock += 1;
        let clock = self.clock;
        let chunk = self.chunks.get_mut(&(branch, chunk))?;
        chunk.used = clock;
        Some(Rc::clone(&chunk.entries))
    }

    /// An input changed what happens from here on.
    pub fn forget_from(&mut self, branch: usize, position: u64) {
        self.chunks.retain(|(of, _), chunk| *of != branch || chunk.to <= position);
    }

    fn make_room(&mut self) {
        while self.chunks.len() >= KEPT {
            let oldest = self.chunks.iter().min_by_key(|(_, chunk)| chunk.used).map(|(key, _)| *key);
            oldest.and_then(|key| self.chunks.remove(&key));
        }
    }
}
