//! Groups of several members: one entry of a scenario, several programs with names of their own.

use super::format::{Consumer, Scenario};
use std::rc::Rc;

/// Static members need an id each.
const INSTANCE_ID: &str = "group.instance.id";

impl Scenario {
    /// The names of its applications: of each instance, where there are several.
    pub fn applications(&self) -> impl Iterator<Item = Rc<str>> {
        let producers = self.producers.iter().map(|it| Rc::clone(&it.name));
        let consumers = self.consumers.iter().flat_map(Consumer::instances).map(|it| it.name);
        producers.chain(consumers).chain(self.processors.iter().map(|it| Rc::clone(&it.name)))
    }

    /// The instances of that consumer, if they are written out.
    pub(super) fn written_out(&self, name: &str) -> Vec<Rc<str>> {
        if self.consumers.iter().any(|it| *it.name == *name) {
            return Vec::new();
        }
        let names = self.consumers.iter().map(|it| &it.name);
        names.filter(|it| whole_name(it) == Some(name)).cloned().collect()
    }

    /// Writes the instances of a consumer out as consumers of their own, so that each can be changed. Their nodes, names
    /// and groups stay what they are.
    pub(super) fn write_out(&mut self, consumer: usize) {
        let instances: Vec<Consumer> = self.consumers[consumer].instances().collect();
        self.consumers.splice(consumer..=consumer, instances);
    }
}

/// `mailer` of `mailer-2`.
pub(super) fn whole_name(name: &str) -> Option<&str> {
    let (whole, number) = name.rsplit_once('-')?;
    (!number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())).then_some(whole)
}

impl Consumer {
    /// Its instances, each as a consumer of its own: the same group and settings. Where `group.instance.id` is set, `-1`,
    /// `-2`, … are added to it as they are to the name.
    pub fn instances(&self) -> impl Iterator<Item = Consumer> {
        (1..=self.members).map(|nth| {
            let mut instance = Consumer { members: 1, ..self.clone() };
            if self.members > 1 {
                instance.name = Rc::from(format!("{}-{nth}", self.name));
                if let Some(id) = instance.config.get_mut(INSTANCE_ID) {
                    *id = format!("{}-{nth}", id.trim());
                }
            }
            instance
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{build, parse, parse_value, set, to_json};
    use crate::app::ConsumerAppSetup;
    use crate::base::{Duration, NodeId};
    use crate::scenario::{Mistake, Scenario};

    fn with_consumer(fields: &str) -> Result<Scenario, Vec<Mistake>> {
        parse(&format!(
            r#"{{ "version": 1, "topics": [ {{ "name": "orders" }}, {{ "name": "orders-eu" }}, {{ "name": "audit" }} ],
                 "consumers": [ {{ "name": "mailer" {fields} }} ],
                 "faults": [ {{ "at.ms": 5, "do": "crash", "node": "mailer-2" }} ] }}"#
        ))
    }

    fn built(scenario: &Scenario) -> Vec<ConsumerAppSetup> {
        build(scenario).unwrap_or_else(|mistakes| panic!("{mistakes:?}")).0.consumers
    }

    fn mistakes(fields: &str) -> String {
        let mistakes = with_consumer(fields).and_then(|scenario| build(&scenario).map(drop)).expect_err("it is wrong");
        mistakes.iter().map(|mistake| format!("{mistake}\n")).collect()
    }

    const THREE: &str = r#", "group": "mail", "members": 3, "topics": ["orders"]"#;

    #[test]
    fn members_are_nodes_of_one_group() {
        let with = r#", "config": { "group.instance.id": "post", "client.rack": "a" }"#;
        let scenario = with_consumer(&format!("{THREE}{with}")).expect("valid");
        assert_eq!(parse_value(to_json(&scenario)), Ok(scenario.clone()));
        let (world, names) = build(&scenario).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
        for (nth, member) in (1_u16..).zip(&world.consumers) {
            assert_eq!(member.name.to_string(), format!("mailer-{nth}"));
            assert_eq!(names.id(&member.name), Some(NodeId(3 + nth)));
            assert_eq!(world.node_id(&member.name), Some(NodeId(3 + nth)));
            assert_eq!(member.group.as_deref(), Some("mail"));
            assert_eq!(member.config.group_instance_id.as_deref(), Some(&*format!("post-{nth}")));
        }
        assert_eq!(world.consumers.len(), 3);
        assert_eq!(scenario.applications().count(), 3);
        let one = mistakes(r#", "members": 1, "topics": ["orders"]"#);
        assert!(one.contains("did you mean \"mailer\"?"), "{one}");
    }

    #[test]
    fn members_are_set_together_or_one_by_one() {
        let mut scenario = with_consumer(THREE).expect("valid");
        for assignment in ["mailer.members=4", "mailer.max.poll.records=7", "group.instance.id=post"] {
            set(&mut scenario, assignment).expect(assignment);
        }
        assert_eq!((scenario.consumers.len(), scenario.consumers[0].members), (1, 4));
        let before = built(&scenario);
        set(&mut scenario, "mailer-2.processing.ms=5000").expect("one of them");
        set(&mut scenario, "mailer-3.group.instance.id=").expect("another");
        let after = built(&scenario);
        assert_eq!(after[1].processing, Duration::from_millis(5_000));
        assert_eq!(after[2].config.group_instance_id, None);
        assert_eq!((after.len(), &after[0], &after[3]), (4, &before[0], &before[3]));
        set(&mut scenario, "mailer.commit=before").expect("still all of them");
        assert!(built(&scenario).iter().all(|it| it.commit == crate::app::CommitMode::Before));
        assert_eq!(parse_value(to_json(&scenario)), Ok(scenario.clone()));
        let unchanged = with_consumer(THREE).expect("valid");
        let mut scenario = unchanged.clone();
        for (bad, told) in [
            ("mailer.members=0", "from 1 to 32"),
            ("mailer-2.procesing.ms=5", "unknown setting"),
            ("mailer-4.processing.ms=5", "nothing here is called"),
            ("mail.processing.ms=5", "nothing here is called"),
        ] {
            let error = set(&mut scenario, bad).expect_err(bad);
            assert!(error.to_string().contains(told), "{error}");
            assert_eq!(scenario, unchanged, "{bad}");
        }
    }

    #[test]
    fn a_pattern_stands_for_the_topics_that_match_it() {
        let pattern = r#", "group": "mail", "members": 2, "topics.pattern": "orders(-.*)?""#;
        let scenario = with_consumer(pattern).expect("valid");
        assert_eq!(parse_value(to_json(&scenario)), Ok(scenario.clone()));
        let member = &built(&scenario)[1];
        assert_eq!(member.topics, ["orders".into(), "orders-eu".into()]);
        assert_eq!(member.pattern.as_ref().map(|pattern| pattern.text().to_string()).as_deref(), Some("orders(-.*)?"));
        let mut scenario = scenario;
        set(&mut scenario, "mailer.topics.pattern=audit").expect("another pattern");
        assert_eq!(built(&scenario)[0].topics, ["audit".into()]);
        set(&mut scenario, "mailer.topics=orders, audit").expect("a list instead");
        assert_eq!(built(&scenario)[0].pattern, None);
    }

    #[test]
    fn what_is_wrong_with_members_and_patterns_is_named() {
        let grouped = |fields: &str| format!(r#", "group": "mail", "members": 2 {fields}"#);
        let pattern = |pattern: &str| grouped(&format!(r#", "topics.pattern": "{pattern}""#));
        for (fields, told) in [
            (r#", "members": 2, "topics": ["orders"]"#.to_owned(), "consumers[0].members: members of which \"group\"?"),
            (grouped(r#", "topics": []"#), "consumers[0].topics: a consumer reads at least one topic"),
            (grouped(r#", "topics": ["orders"], "topics.pattern": "o.*""#), "either \"topics\" or \"topics.pattern\""),
            (pattern("ord["), "consumers[0].topics.pattern: \"ord[\" is no pattern"),
            (pattern("order"), "\"order\" matches none of the topics: orders, orders-eu, audit"),
            (r#", "members": 2, "topics.pattern": "o.*""#.to_owned(), "is for members of a \"group\""),
            (pattern(r#"o.*", "assign": true, "x": ""#), "is for members of a \"group\""),
            (pattern(r#"o.*", "retry.topic": "audit"#), "consumers[0].retry.topic: \"audit\" does not match"),
            (pattern(r#"o.*", "dead.letter.topic": "orders-eu"#), "\"orders-eu\" is one of the topics that it reads"),
            (grouped(r#", "memmbers": 3, "topics": ["orders"]"#), "did you mean \"members\"?"),
        ] {
            let mistakes = mistakes(&fields);
            assert!(mistakes.contains(told), "{fields}: {mistakes}");
        }
    }
}
