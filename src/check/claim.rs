//! Which delivery guarantee the settings claim.

use crate::app::{CommitMode, ConsumerAppSetup, Dedupe, ProducerAppSetup};
use crate::base::config::{Acks, IsolationLevel};
use std::rc::Rc;

/// A delivery guarantee.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Guarantee {
    /// Both lost and duplicated: only ever observed, never claimed.
    None,
    /// May lose, never duplicates.
    AtMostOnce,
    /// May duplicate, never loses.
    AtLeastOnce,
    /// Neither.
    ExactlyOnce,
}

impl Guarantee {
    /// `at-least-once`, …
    pub const fn name(self) -> &'static str {
        match self {
            Guarantee::None => "none",
            Guarantee::AtMostOnce => "at-most-once",
            Guarantee::AtLeastOnce => "at-least-once",
            Guarantee::ExactlyOnce => "exactly-once",
        }
    }
}

/// Why a claim is what it is and not more. Each names an application.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// The producer does not wait for anybody: `acks=0`.
    NoAcks(Rc<str>),
    /// The consumer commits before it processes.
    CommitsBeforeProcessing(Rc<str>),
    /// The producer's retries may write twice: `enable.idempotence=false`.
    NotIdempotent(Rc<str>),
    /// The producer writes without transactions: no `transactional.id`.
    NotTransactional(Rc<str>),
    /// The consumer reads what may be aborted: `isolation.level=read_uncommitted`.
    ReadsUncommitted(Rc<str>),
    /// The consumer's sink does not recognise repetitions.
    SinkRepeats(Rc<str>),
    /// All of the above is right.
    Transactional,
}

/// What the settings claim.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Claim {
    /// The guarantee.
    pub guarantee: Guarantee,
    /// Why not more.
    pub why: Vec<Reason>,
}

/// What these applications claim together: as much as the weakest of them.
///
/// At most once: somebody sends with `acks=0`, or commits before processing. Exactly once: everybody writes idempotently and in
/// transactions, reads only what is committed, and has a sink that recognises repetitions. Everything else claims at least
/// once; also `acks=1`, and also auto commit with records handed to a worker: people take them for that, and a crash shows
/// that they are not.
pub fn claim(producers: &[ProducerAppSetup], consumers: &[ConsumerAppSetup]) -> Claim {
    let mut weak = Vec::new();
    let mut middling = Vec::new();
    for app in producers {
        if app.config.acks == Acks::None {
            weak.push(Reason::NoAcks(app.name.clone()));
        }
        if !app.config.enable_idempotence {
            middling.push(Reason::NotIdempotent(app.name.clone()));
        }
        if app.config.transactional_id.is_none() {
            middling.push(Reason::NotTransactional(app.name.clone()));
        }
    }
    for app in consumers {
        if app.commit == CommitMode::Before {
            weak.push(Reason::CommitsBeforeProcessing(app.name.clone()));
        }
        if app.config.isolation_level == IsolationLevel::ReadUncommitted {
            middling.push(Reason::ReadsUncommitted(app.name.clone()));
        }
        if app.dedupe == Dedupe::None {
            middling.push(Reason::SinkRepeats(app.name.clone()));
        }
    }
    match (weak.is_empty(), middling.is_empty()) {
        (false, _) => Claim { guarantee: Guarantee::AtMostOnce, why: weak },
        (true, false) => Claim { guarantee: Guarantee::AtLeastOnce, why: middling },
        (true, true) => Claim { guarantee: Guarantee::ExactlyOnce, why: vec![Reason::Transactional] },
    }
}
