//! A branch: the inputs that make one run different from another.

use crate::base::Time;

/// Something a person added from outside.
#[derive(Clone, PartialEq, Debug)]
pub struct Input<I> {
    /// After how many events.
    pub after: u64,
    /// What.
    pub what: I,
}

/// One line of history.
#[derive(Clone, PartialEq, Debug)]
pub struct Branch<I> {
    /// The position history begins with.
    pub start: u64,
    /// From which branch it split, after how many events, and when.
    pub parent: Option<(usize, u64, Time)>,
    /// All inputs from the beginning on, in order.
    pub inputs: Vec<Input<I>>,
    /// How far it has been run.
    pub head: u64,
    /// The moment of its head.
    pub end: Time,
}

impl<I: Clone> Branch<I> {
    pub(super) fn trunk(start: u64, now: Time) -> Self {
        Branch { start, parent: None, inputs: Vec::new(), head: start, end: now }
    }

    pub(super) fn fork(&self, parent: usize, position: u64, now: Time) -> Self {
        // Inputs at the very position belong to the old future: here another one is about to be made.
        let inputs = self.inputs.iter().filter(|input| input.after < position).cloned().collect();
        Branch { start: self.start, parent: Some((parent, position, now)), inputs, head: position, end: now }
    }

    pub(super) fn inputs_at(&self, position: u64) -> impl Iterator<Item = &I> {
        let first = self.inputs.partition_point(|input| input.after < position);
        self.inputs[first..].iter().take_while(move |input| input.after == position).map(|input| &input.what)
    }
}
