//! What is different about a share consumer.

use super::{Guarantee, Place, WorkField, WorkKind};
use delivery_lab::base::Duration;
use delivery_lab::base::config::{ConfigKey, ConsumerConfig};
use delivery_lab::scenario::Scenario;
use delivery_lab::scenario::format::{Commit, Consumer, Refusal};

const MODE: &str = "share.acknowledgement.mode";

impl Place {
    /// A consumer in a share group.
    pub(super) fn shares(self, scenario: &Scenario) -> bool {
        matches!(self, Place::Consumer(at) if scenario.consumers.get(at).is_some_and(|it| it.share))
    }

    /// The keys that can be set there.
    pub fn offered(self, scenario: &Scenario) -> impl Iterator<Item = &'static ConfigKey> {
        let reads = matches!(self, Place::Consumer(_) | Place::Reader(_));
        let share = self.shares(scenario);
        let of_group = match self {
            Place::Group(_) => scenario.group_prefix(&self.name(scenario)).unwrap_or_default(),
            _ => "",
        };
        let known = move |name: &str| !reads || ConsumerConfig::knows(name, share);
        self.keys().iter().filter(move |key| known(key.name) && key.name.starts_with(of_group))
    }
}

/// What it says of records that it cannot handle, and of those on which it works, where it can say so.
pub fn fields(it: &Consumer) -> Vec<WorkField> {
    let explicit = it.config.get(MODE).is_some_and(|mode| mode.trim() == "explicit");
    if !it.share || !explicit {
        return Vec::new();
    }
    let refusal = it.refusal.unwrap_or(Refusal::Release).word().to_owned();
    let words = WorkKind::Words(Refusal::WORDS.iter().map(|(word, _)| (*word).into()).collect());
    let default = Some(Refusal::Release.word().to_owned());
    let renewal = it.renew_every.map_or(0, Duration::as_millis).to_string();
    let (never, range) = (Some("0".to_owned()), WorkKind::Number(0, 600_000));
    vec![
        WorkField { key: "on.failure", value: refusal, default, kind: words, minor: false },
        WorkField { key: "renew.every.ms", value: renewal, default: never, kind: range, minor: true },
    ]
}

/// It acknowledges what it has processed, unless it shall say so before.
pub fn guarantee(consumer: &mut Consumer, which: Guarantee) {
    if which == Guarantee::AtMostOnce {
        consumer.commit = Some(Commit::Before);
        consumer.config.remove(MODE);
        consumer.refusal = None;
        consumer.renew_every = None;
    } else if consumer.commit == Some(Commit::Before) {
        consumer.commit = None;
    }
}
