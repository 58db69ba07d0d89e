//! Share consumers: what `"share": true` allows and refuses.

use super::format::{Commit, Consumer, Dedupe, HandOver, Refusal};
use super::reader::Mistakes;
use crate::app;
use crate::base::config::{ConsumerConfig, ShareAcknowledgementMode};

/// What becomes of records that a share consumer cannot handle; none for others.
pub(super) fn refusal(consumer: &Consumer) -> Option<app::Refusal> {
    consumer.share.then_some(match consumer.refusal {
        Some(Refusal::Reject) => app::Refusal::Reject,
        Some(Refusal::Release) | None => app::Refusal::Release,
    })
}

/// Says what does not go together.
pub(super) fn check(consumer: &Consumer, config: &ConsumerConfig, place: &str, mistakes: &mut Mistakes) {
    let explicit = consumer.share && config.share_acknowledgement_mode == ShareAcknowledgementMode::Explicit;
    let mut refuse = |wrong: bool, key: &str, problem: &str| {
        if wrong {
            mistakes.add(format!("{place}.{key}"), problem);
        }
    };
    let by_record = "whoever acknowledges record by record (\"share.acknowledgement.mode\": \"explicit\")";
    let only = "only for a share consumer that acknowledges explicitly (\"share.acknowledgement.mode\": \"explicit\")";
    refuse(consumer.refusal.is_some() && !explicit, "on.failure", only);
    refuse(consumer.renew_every.is_some() && !explicit, "renew.every.ms", only);
    refuse(
        explicit && consumer.commit == Some(Commit::Before),
        "commit",
        &format!("{by_record} does so when it is processed"),
    );
    refuse(
        explicit && consumer.hand_over == HandOver::Worker,
        "hand.over",
        &format!("{by_record} cannot leave it to another thread: KafkaShareConsumer is for one"),
    );
    if !consumer.share {
        return;
    }
    refuse(consumer.group.is_none(), "share", "a share consumer needs a \"group\"");
    refuse(consumer.assign, "assign", "nobody assigns partitions to himself in a share group");
    refuse(consumer.topics_pattern.is_some(), "topics.pattern", "a share consumer subscribes to topics by name");
    refuse(
        consumer.sink.dedupe == Dedupe::OffsetWithOutput,
        "sink.dedupe",
        "a share group has no position from which a consumer could go on; the others do",
    );
}

#[cfg(test)]
mod tests {
    use super::super::{build, parse, parse_value, set, to_json};
    use crate::app::{CommitMode, ConsumerAppSetup, Refusal};
    use crate::base::Duration;
    use crate::base::config::ShareAcknowledgementMode;
    use crate::scenario::{Mistake, Scenario};

    fn with_worker(fields: &str) -> Result<Scenario, Vec<Mistake>> {
        parse(&format!(
            r#"{{ "version": 1, "topics": [ {{ "name": "jobs" }} ],
                 "consumers": [ {{ "name": "worker", "topics": ["jobs"], "share": true {fields} }} ] }}"#
        ))
    }

    fn worker(fields: &str) -> ConsumerAppSetup {
        let scenario = with_worker(fields).expect("a valid scenario");
        build(&scenario).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).0.consumers.remove(0)
    }

    const EXPLICIT: &str = r#", "group": "g", "config": { "share.acknowledgement.mode": "explicit" }"#;

    #[test]
    fn a_share_consumer_commits_with_its_next_poll_and_releases_what_fails() {
        let plain = worker(r#", "group": "g", "members": 3"#);
        assert_eq!((&*plain.name, plain.commit, plain.share), ("worker-1", CommitMode::Auto, Some(Refusal::Release)));
        assert_eq!(plain.config.share_acknowledgement_mode, ShareAcknowledgementMode::Implicit);
        let explicit = worker(&format!(r#"{EXPLICIT}, "on.failure": "reject", "commit": "after-sync""#));
        assert_eq!((explicit.commit, explicit.share), (CommitMode::AfterSync, Some(Refusal::Reject)));
    }

    #[test]
    fn it_survives_a_round_trip_and_can_be_set() {
        let mut scenario = with_worker(&format!(r#"{EXPLICIT}, "on.failure": "reject""#)).expect("valid");
        assert_eq!(parse_value(to_json(&scenario)), Ok(scenario.clone()));
        set(&mut scenario, "worker.on.failure=release").expect("valid");
        assert_eq!(scenario.consumers[0].refusal, Some(super::Refusal::Release));
        set(&mut scenario, "worker.renew.every.ms=10000").expect("valid");
        assert_eq!(parse_value(to_json(&scenario)), Ok(scenario.clone()));
        assert_eq!(build(&scenario).expect("valid").0.consumers[0].renew_every, Some(Duration::from_millis(10_000)));
        set(&mut scenario, "worker.renew.every.ms=0").expect("valid");
        assert_eq!(scenario.consumers[0].renew_every, None);
        set(&mut scenario, "worker.share.acquire.mode=record_limit").expect("valid");
        assert!(scenario.consumers[0].config.contains_key("share.acquire.mode"));
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let cases = [
            ("", "a share consumer needs a \"group\""),
            (r#", "group": "g", "on.failure": "reject""#, "only for a share consumer that acknowledges explicitly"),
            (r#", "group": "g", "renew.every.ms": 9"#, "only for a share consumer that acknowledges explicitly"),
            (r#", "group": "g", "on.failure": "drop""#, "expected one of \"release\", \"reject\""),
            (r#", "group": "g", "assign": true"#, "nobody assigns partitions to himself"),
            (r#", "group": "g", "sink": { "dedupe": "offset-with-output" }"#, "no position"),
            (r#", "group": "g", "config": { "isolation.level": "read_committed" }"#, "using a share group"),
        ];
        let explicit = [
            (format!(r#"{EXPLICIT}, "commit": "before""#), "does so when it is processed"),
            (format!(r#"{EXPLICIT}, "hand.over": "worker""#), "cannot leave it to another thread"),
        ];
        let cases = cases.map(|(fields, told)| (fields.to_owned(), told)).into_iter().chain(explicit);
        for (fields, told) in cases {
            let scenario = with_worker(&fields);
            let mistakes = scenario.and_then(|scenario| build(&scenario).map(drop)).expect_err("it is wrong");
            assert!(mistakes.iter().any(|it| it.to_string().contains(told)), "{fields}: {mistakes:?}");
        }
    }
}
