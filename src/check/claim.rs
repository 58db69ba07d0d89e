//! Which delivery guarantee the settings claim.

use crate::app::{CommitMode, ConsumerAppSetup, OffsetsMode, ProcessorAppSetup, ProducerAppSetup};
use crate::base::config::{Acks, ConsumerConfig, IsolationLevel, ProducerConfig};
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
    /// The consumer or processor commits before it processes.
    CommitsBeforeProcessing(Rc<str>),
    /// The producer's retries may write twice: `enable.idempotence=false`.
    NotIdempotent(Rc<str>),
    /// The producer writes without transactions: no `transactional.id`.
    NotTransactional(Rc<str>),
    /// The consumer reads what may be aborted: `isolation.level=read_uncommitted`.
    ReadsUncommitted(Rc<str>),
    /// The processor's offsets are no part of its transaction; the setting that says so.
    CommitsOutsideTransaction(Rc<str>, (&'static str, &'static str)),
    /// All of the above is right.
    Transactional,
    /// The consumer reads in a share group: whoever does not acknowledge in time, somebody else does it again.
    InShareGroup(Rc<str>),
    /// The producer gives up after one failed attempt: `retries=0`.
    NoRetries(Rc<str>),
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
/// At most once: somebody sends with `acks=0` or `retries=0`, or commits before processing. Exactly once: everybody writes idempotently and in
/// transactions, whoever reads reads only what is committed, and whoever reads and writes commits its offsets in the
/// transaction. What a sink outside of Kafka does with repetitions is no part of that claim, so that a repeated effect breaks it.
/// Everything else claims at least once; also `acks=1`, and also auto commit with records handed to a worker: people take them for
/// that, and a crash shows that they are not.
pub fn claim(
    producers: &[ProducerAppSetup],
    consumers: &[ConsumerAppSetup],
    processors: &[ProcessorAppSetup],
) -> Claim {
    let mut reasons = Reasons::default();
    for app in producers {
        reasons.writes(&app.name, &app.config);
    }
    for app in consumers {
        if app.commit == CommitMode::Before {
            reasons.weak.push(Reason::CommitsBeforeProcessing(app.name.clone()));
        }
        match app.share {
            Some(_) => reasons.middling.push(Reason::InShareGroup(app.name.clone())),
            None => reasons.reads(&app.name, &app.config),
        }
    }
    for app in processors {
        reasons.writes(&app.name, &app.producer);
        reasons.reads(&app.name, &app.consumer);
        let outside = |setting| Reason::CommitsOutsideTransaction(app.name.clone(), setting);
        match app.offsets {
            OffsetsMode::Before => reasons.weak.push(Reason::CommitsBeforeProcessing(app.name.clone())),
            OffsetsMode::After => reasons.middling.push(outside(("offsets", "after"))),
            OffsetsMode::Transaction if app.consumer.enable_auto_commit => {
                reasons.middling.push(outside(("enable.auto.commit", "true")));
            }
            OffsetsMode::Transaction => {}
        }
    }
    match (reasons.weak.is_empty(), reasons.middling.is_empty()) {
        (false, _) => Claim { guarantee: Guarantee::AtMostOnce, why: reasons.weak },
        (true, false) => Claim { guarantee: Guarantee::AtLeastOnce, why: reasons.middling },
        (true, true) => Claim { guarantee: Guarantee::ExactlyOnce, why: vec![Reason::Transactional] },
    }
}

#[derive(Default)]
struct Reasons {
    /// Why no more than at most once.
    weak: Vec<Reason>,
    /// Why no more than at least once.
    middling: Vec<Reason>,
}

impl Reasons {
    fn writes(&mut self, name: &Rc<str>, config: &ProducerConfig) {
        if config.acks == Acks::None {
            self.weak.push(Reason::NoAcks(name.clone()));
        } else if config.retries == 0 {
            self.weak.push(Reason::NoRetries(name.clone()));
        }
        if !config.enable_idempotence {
            self.middling.push(Reason::NotIdempotent(name.clone()));
        }
        if config.transactional_id.is_none() {
            self.middling.push(Reason::NotTransactional(name.clone()));
        }
    }

    fn reads(&mut self, name: &Rc<str>, config: &ConsumerConfig) {
        if config.isolation_level == IsolationLevel::ReadUncommitted {
            self.middling.push(Reason::ReadsUncommitted(name.clone()));
        }
    }
}
