//! The external system behind an application, as data.

use crate::app::SinkSetup;
use crate::base::Duration;
use std::rc::Rc;

/// The external system on which an application acts: one for all applications of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sink {
    /// Its own name; else it is called after its group, `mail-sink`.
    pub name: Option<Rc<str>>,
    /// What it does with repetitions.
    pub dedupe: Dedupe,
    /// How many ids a store of processed ids remembers; none (0 in a file): all.
    pub window_records: Option<u32>,
    /// For how long it remembers them; none (0 in a file): for ever.
    pub window: Option<Duration>,
    /// Whether an id (or an offset) is written in one transaction with the effect.
    pub atomic: bool,
    /// What is written first, if they are two.
    pub first: First,
    /// What keeps out who lost its partition, where the offset is stored with the output.
    pub fencing: Fencing,
    /// How long its reply takes.
    pub latency: Duration,
    /// How long an application waits for it.
    pub timeout: Duration,
    /// Every how-manieth request it refuses; 0 for none.
    pub fail_every: u32,
    /// The reply to every how-manieth request gets lost: the effect happened, the program does not know; 0 for none.
    pub lose_reply_every: u32,
    /// Every how-manieth record it never takes; 0 for none.
    pub poison_every: u32,
}

impl Default for Sink {
    /// Quick and reliable, and it knows of no repetitions.
    fn default() -> Self {
        Sink {
            dedupe: Dedupe::None,
            window_records: None,
            window: None,
            atomic: true,
            first: First::Effect,
            name: None,
            fencing: Fencing::Offset,
            latency: Duration(0),
            timeout: SinkSetup::TIMEOUT,
            fail_every: 0,
            lose_reply_every: 0,
            poison_every: 0,
        }
    }
}

words! {
    /// What a sink does with a record it has seen.
    Dedupe {
        /// The effect happens again.
        None = "none",
        /// A unique key refuses the second insert.
        UniqueKey = "unique-key",
        /// An older or equal version is ignored.
        Version = "version",
        /// A store of processed ids is asked first.
        ProcessedIds = "processed-ids",
        /// The offset is stored with the output, and what is below it is refused; a consumer starts from there.
        OffsetWithOutput = "offset-with-output",
    }
}

words! {
    /// What a sink writes first, where effect and identity are written one after the other.
    First {
        /// The effect: a crash in between repeats it.
        Effect = "effect",
        /// The id, or the offset: a crash in between loses the effect.
        Id = "id",
    }
}

words! {
    /// What keeps out a member that lost its partition and does not know, where the offset is stored with the output.
    Fencing {
        /// Nothing.
        None = "none",
        /// What is below the stored offset is refused.
        Offset = "offset",
        /// And so is who writes for an older generation.
        Generation = "generation",
    }
}
