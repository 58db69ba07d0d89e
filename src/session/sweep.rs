//! Many seeds with random faults: safety at every event, then everything heals and liveness is demanded.

use crate::base::config::Properties;
use crate::base::{Duration, Prng, Time};
use crate::check::{Invariant, Violation};
use crate::scenario::format::What;
use crate::scenario::{Mistake, Scenario, Trial};
use crate::sim::{Fault, chaos};
use std::fmt;

/// Faults begin and end within this much of a scenario.
const CHAOS: Duration = Duration::from_millis(30_000);
/// After the last one the cluster has this long to come to rest.
const PATIENCE: Duration = Duration::from_millis(180_000);

/// So many attempts to join may be lost, one after the other.
const JOINS: u64 = 3;

/// How often it is looked whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a sweep found.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// Seeds run.
    pub seeds: u64,
    /// Events handled in all of them.
    pub events: u64,
    /// The first that broke something.
    pub broken: Option<Broken>,
}

/// A seed that broke something.
#[derive(Clone, PartialEq, Debug)]
pub struct Broken {
    /// Which.
    pub seed: u64,
    /// What.
    pub violations: Vec<String>,
    /// The random faults that led there.
    pub faults: Vec<String>,
}

/// Runs `seeds` seeds from the scenario's own on, and stops at the first that breaks something.
pub fn run(scenario: &Scenario, seeds: u64, mut progress: impl FnMut(u64)) -> Result<Outcome, Vec<Mistake>> {
    let mut outcome = Outcome { seeds: 0, events: 0, broken: None };
    for i in 0..seeds {
        let mut one = scenario.clone();
        one.seed = scenario.seed.wrapping_add(i);
        let (events, broken) = run_seed(&one)?;
        outcome.seeds += 1;
        outcome.events += events;
        if broken.is_some() {
            outcome.broken = broken;
            break;
        }
        progress(outcome.seeds);
    }
    Ok(outcome)
}

/// One seed with its random faults, run to the end.
pub struct Swept {
    /// As it ended.
    pub trial: Trial,
    /// What struck it.
    pub faults: Vec<Fault>,
    /// What did not hold.
    pub violations: Vec<Violation>,
}

/// What a ledger may show that people do not want, though no invariant is broken: their settings allow it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anomaly {
    /// An acknowledged record's effect never happened.
    Lost,
    /// An effect happened more than once.
    Duplicated,
    /// A record stands in a topic more than once.
    LogDuplicated,
    /// An effect came before that of an earlier record.
    Reordered,
    /// What was aborted was processed.
    AbortedRead,
    /// A transaction stays open for ever.
    Hanging,
}

impl Anomaly {
    /// The words of the command line.
    pub const WORDS: &'static [(&'static str, Anomaly)] = &[
        ("lost", Anomaly::Lost),
        ("duplicated", Anomaly::Duplicated),
        ("log-duplicated", Anomaly::LogDuplicated),
        ("reordered", Anomaly::Reordered),
        ("aborted-read", Anomaly::AbortedRead),
        ("hanging", Anomaly::Hanging),
    ];

    /// Whether a seed shows it. What Kafka gave up altogether does not count.
    pub fn is_in(self, swept: &Swept) -> bool {
        let run = &swept.trial.run;
        if run.invariants.any_waived() {
            return false;
        }
        let verdict = run.final_verdict();
        match self {
            Anomaly::Lost => !verdict.acked_lost.is_empty(),
            Anomaly::Duplicated => !verdict.duplicated.is_empty(),
            Anomaly::LogDuplicated => !verdict.log_duplicated.is_empty(),
            Anomaly::Reordered => !verdict.reordered.is_empty(),
            Anomaly::AbortedRead => !verdict.aborted_read.is_empty(),
            Anomaly::Hanging => swept.violations.iter().any(|it| it.invariant == Invariant::TransactionsEnd),
        }
    }
}

/// The first of so many seeds, from the scenario's own on, that shows an anomaly.
pub fn find(scenario: &Scenario, seeds: u64, anomaly: Anomaly) -> Result<Option<u64>, Vec<Mistake>> {
    for i in 0..seeds {
        let mut one = scenario.clone();
        one.seed = scenario.seed.wrapping_add(i);
        if anomaly.is_in(&strike(&one)?) {
            return Ok(Some(one.seed));
        }
    }
    Ok(None)
}

/// Runs one seed with its random faults: events handled, and what broke.
pub fn run_seed(scenario: &Scenario) -> Result<(u64, Option<Broken>), Vec<Mistake>> {
    let Swept { trial, faults, violations } = strike(scenario)?;
    let events = trial.events();
    if violations.is_empty() {
        return Ok((events, None));
    }
    let say = |broken: &Violation| format!("{} at {} s: {}", broken.invariant.name(), broken.at, broken.detail);
    let faults = faults.iter().map(|fault| format!("{:?}: {:?}", fault.trigger, fault.action)).collect();
    Ok((events, Some(Broken { seed: scenario.seed, violations: violations.iter().map(say).collect(), faults })))
}

/// Runs one seed with its random faults until all is well again.
pub fn strike(scenario: &Scenario) -> Result<Swept, Vec<Mistake>> {
    let calm = calm(scenario);
    let (setup, _) = crate::scenario::build(&calm)?;
    let faults = chaos::faults(&setup, CHAOS);
    let mut trial = Trial::with_faults(&calm, faults.clone())?;
    while trial.run.world.now() < Time::ORIGIN + CHAOS && trial.step().is_some() {}
    let now = trial.run.world.now();
    for action in chaos::heal(&trial.run.world) {
        trial.run.inject(Fault::at(u32::MAX, now, action));
    }
    trial.finish();
    // Applications have come to an end; replicas may still be catching up.
    let deadline = Time::ORIGIN + calm.until.max;
    while !trial.run.liveness().is_empty() && trial.run.world.next_at().is_some_and(|at| at < deadline) {
        let look = trial.run.world.next_at().map_or(deadline, |at| at + LOOK_AGAIN);
        while trial.run.step_before(look).is_some() {}
    }
    let safety = trial.run.invariants.violations().iter().cloned();
    let violations = safety.chain(trial.run.liveness()).chain(trial.run.lost_promises()).collect();
    Ok(Swept { trial, faults, violations })
}

/// The scenario as it is swept: it goes on for longer, and has time to come to rest.
pub fn calm(scenario: &Scenario) -> Scenario {
    let mut calm = scenario.clone();
    calm.until.max = CHAOS + PATIENCE + longest_skew(scenario) + longest_transaction(scenario) + longest_join(scenario);
    stretch(&mut calm);
    calm
}

/// A clock that is set back makes its owner wait by so much longer for all that it waits for.
fn longest_skew(scenario: &Scenario) -> Duration {
    let skew = scenario.faults.iter().map(|fault| match fault.what {
        What::SkewClock { by_ms, .. } => by_ms.unsigned_abs(),
        _ => 0,
    });
    Duration::from_millis(skew.max().unwrap_or(0))
}

/// A transaction that nobody ends is open for so long.
fn longest_transaction(scenario: &Scenario) -> Duration {
    let producers = scenario.producers.iter().map(|producer| &producer.config);
    let configs = producers.chain(scenario.processors.iter().map(|processor| &processor.producer_config));
    Duration::from_millis(configs.filter_map(timeout_of).max().unwrap_or(0))
}

/// A member whose coordinator's machine loses power while it joins waits for the answer as long as a rebalance may take
/// and five seconds more (`AbstractCoordinator.JOIN_GROUP_TIMEOUT_LAPSE`): nothing tells it that the connection is dead. When it
/// tries again, a fault may have waited for just that message. And it may learn of a new partition only when its metadata are
/// too old.
fn longest_join(scenario: &Scenario) -> Duration {
    let members = scenario.consumers.iter().filter(|it| !it.assign && it.group.is_some()).map(|it| &it.config);
    let configs = members.chain(scenario.processors.iter().filter(|it| !it.assign).map(|it| &it.consumer_config));
    let millis =
        |config: &Properties, key: &str| -> u64 { config.get(key).and_then(|ms| ms.parse().ok()).unwrap_or(300_000) };
    let longest = |config: &Properties| {
        (millis(config, "max.poll.interval.ms") + 5_000) * JOINS + millis(config, "metadata.max.age.ms")
    };
    Duration::from_millis(configs.map(longest).max().unwrap_or(0))
}

/// Its `transaction.timeout.ms`, where that is set.
fn timeout_of(config: &Properties) -> Option<u64> {
    config.get("transaction.timeout.ms")?.parse().ok()
}

/// Most scenarios send for two or three seconds: here they go on for longer, some until the last fault, so that there is
/// something to lose. Up to three times as many records, at a lower rate.
fn stretch(scenario: &mut Scenario) {
    let mut random = Prng::split(scenario.seed, "sweep");
    for producer in &mut scenario.producers {
        producer.records = producer.records.saturating_mul(random.between(1, 3) as u32);
        let slowest = (u64::from(producer.records) * 1_000 / CHAOS.as_millis()).max(1);
        // A transaction that takes longer than its timeout would be begun for ever.
        let in_time =
            timeout_of(&producer.config).map_or(0, |ms| u64::from(producer.transaction_records) * 4_000 / ms.max(1));
        let slowest = slowest.max(in_time);
        let rate = u64::from(producer.rate_per_second);
        producer.rate_per_second = random.between(slowest.min(rate), rate) as u32;
    }
}

impl Outcome {
    /// One outcome for two stretches of seeds: sums, and the first seed that broke something.
    pub fn and(self, other: Outcome) -> Outcome {
        let both = self.broken.into_iter().chain(other.broken);
        Outcome {
            seeds: self.seeds + other.seeds,
            events: self.events + other.events,
            broken: both.min_by_key(|broken| broken.seed),
        }
    }

    /// The outcome as the command line's JSON.
    pub fn to_json(&self, scenario: &Scenario) -> serde_json::Value {
        let broken = self.broken.as_ref().map(|broken| {
            serde_json::json!({ "seed": broken.seed, "invariant_violations": broken.violations, "faults": broken.faults })
        });
        serde_json::json!({
            "scenario": scenario.id, "first_seed": scenario.seed, "seeds": self.seeds, "events": self.events, "broken": broken,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.broken {
            None => {
                write!(f, "{} seeds, {} events: every invariant held, every run came to rest", self.seeds, self.events)
            }
            Some(broken) => {
                writeln!(f, "seed {} broke after {} seeds:", broken.seed, self.seeds)?;
                broken.violations.iter().try_for_each(|violation| writeln!(f, "  {violation}"))?;
                writeln!(f, "random faults:")?;
                broken.faults.iter().try_for_each(|fault| writeln!(f, "  {fault}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stretches_make_one_outcome_with_the_first_seed_that_broke() {
        let broken = |seed| Some(Broken { seed, violations: Vec::new(), faults: Vec::new() });
        let one = Outcome { seeds: 3, events: 30, broken: broken(7) };
        let other = Outcome { seeds: 4, events: 40, broken: broken(5) };
        assert_eq!(one.and(other), Outcome { seeds: 7, events: 70, broken: broken(5) });
    }
}
