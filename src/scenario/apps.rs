//! The applications of a scenario: settings are parsed, defaults chosen, and what does not fit together is refused.

use super::build::{Names, checked, known_topic};
use super::format::{self, Commit, Key, Offsets, Scenario};
use super::reader::Mistakes;
use super::{share, sink};
use crate::app::{
    self, CommitMode, ConsumerAppSetup, HandOver, KeyMode, OffsetsMode, OnFailure, OnRevoke, ProcessorAppSetup,
    ProducerAppSetup, SinkSetup, TransactionPlan,
};
use crate::base::config::{ConsumerConfig, ProducerConfig};
use crate::base::{Duration, NodeId, Pattern, RecordId, Time};
use std::rc::Rc;

/// What is needed to build them.
pub(super) struct Apps<'a> {
    pub scenario: &'a Scenario,
    pub names: &'a Names,
    /// Bootstrap servers.
    pub brokers: Rc<[NodeId]>,
    pub transaction_version: u8,
    pub mistakes: &'a mut Mistakes,
}

impl Apps<'_> {
    pub fn producers(&mut self) -> Vec<ProducerAppSetup> {
        let mut first_record = 0;
        let mut out = Vec::new();
        for (i, producer) in self.scenario.producers.iter().enumerate() {
            let place = format!("producers[{i}]");
            known_topic(self.scenario, &format!("{place}.topic"), &producer.topic, self.mistakes);
            let config = checked(&format!("{place}.config"), ProducerConfig::parse(&producer.config), self.mistakes);
            out.push(ProducerAppSetup {
                node: self.names.id(&producer.name).expect("all names were collected"),
                name: Rc::clone(&producer.name),
                topic: Rc::clone(&producer.topic),
                records: producer.records,
                first_record: RecordId(first_record),
                interval: Duration::from_micros(1_000_000 / u64::from(producer.rate_per_second)),
                key: match producer.key {
                    Key::None => KeyMode::None,
                    Key::Record => KeyMode::Unique,
                    Key::Entity(count) => KeyMode::Entities(count),
                },
                value_size: None,
                resend: match producer.resend {
                    format::Resend::Never => app::Resend::Never,
                    format::Resend::Unacknowledged => app::Resend::Unacknowledged,
                },
                transactions: config.transactional_id.is_some().then_some(TransactionPlan {
                    records: producer.transaction_records,
                    abort_every: producer.abort_every,
                    version: self.transaction_version,
                }),
                config,
                start: producer.start.map(|after| Time::ORIGIN + after),
                brokers: Rc::clone(&self.brokers),
            });
            first_record += producer.records;
        }
        out
    }

    pub fn consumers(&mut self) -> Vec<ConsumerAppSetup> {
        let mut out = Vec::new();
        for (i, consumer) in self.scenario.consumers.iter().enumerate() {
            let setup = self.consumer(consumer, &format!("consumers[{i}]"));
            out.extend(consumer.instances().map(|instance| {
                let group_instance_id = instance.config.get("group.instance.id").map(|id| Rc::from(id.trim()));
                ConsumerAppSetup {
                    node: self.names.id(&instance.name).expect("all names were collected"),
                    name: instance.name,
                    config: ConsumerConfig { group_instance_id, ..setup.config.clone() },
                    ..setup.clone()
                }
            }));
        }
        out
    }

    /// What all instances of a consumer are told; the name and the node are those of the first.
    fn consumer(&mut self, consumer: &format::Consumer, place: &str) -> ConsumerAppSetup {
        if consumer.members > 1 && consumer.group.is_none() {
            let problem =
                "members of which \"group\"? Without one each reads everything; list them one by one for that";
            self.mistakes.add(format!("{place}.members"), problem);
        }
        if consumer.batch && consumer.hand_over == format::HandOver::Worker {
            self.mistakes.add(format!("{place}.batch"), "a worker takes one record at a time");
        }
        let mut properties = consumer.config.clone();
        if let Some(group) = &consumer.group {
            properties.insert("group.id".to_owned(), group.to_string());
        }
        let parsed = if consumer.share { ConsumerConfig::parse_share } else { ConsumerConfig::parse }(&properties);
        let config = checked(&format!("{place}.config"), parsed, self.mistakes);
        share::check(consumer, &config, place, self.mistakes);
        let by_itself = consumer.share || config.enable_auto_commit;
        let commit = consumer.commit.unwrap_or(if by_itself { Commit::Auto } else { Commit::AfterSync });
        let (pattern, mut topics) = self.topics(consumer, place);
        let on_failure = self.on_failure(consumer, &topics, pattern.as_ref(), place);
        topics.extend(on_failure.retry_topic.iter().filter(|_| pattern.is_none()).cloned());
        ConsumerAppSetup {
            node: NodeId(0),
            name: Rc::clone(&consumer.name),
            group: config.group_id.clone(),
            topics,
            pattern,
            assign: consumer.assign,
            processing: consumer.processing,
            commit: match commit {
                Commit::Before => CommitMode::Before,
                Commit::AfterSync => CommitMode::AfterSync,
                Commit::AfterAsync => CommitMode::AfterAsync,
                Commit::Auto => CommitMode::Auto,
            },
            hand_over: match consumer.hand_over {
                format::HandOver::Inline => HandOver::Inline,
                format::HandOver::Worker => HandOver::Worker,
            },
            on_revoke: match consumer.on_revoke {
                format::OnRevoke::Nothing => OnRevoke::Nothing,
                format::OnRevoke::Commit => OnRevoke::Commit,
                format::OnRevoke::Wait => OnRevoke::Wait,
            },
            batch: consumer.batch,
            sink: sink::setup(&consumer.sink),
            sink_node: self.sink_node(consumer.group.as_ref().unwrap_or(&consumer.name), &consumer.sink),
            on_failure,
            share: share::refusal(consumer),
            renew_every: consumer.renew_every,
            config,
            start: consumer.start.map(|after| Time::ORIGIN + after),
            brokers: Rc::clone(&self.brokers),
        }
    }

    /// What a consumer reads, by names or by a pattern.
    fn topics(&mut self, consumer: &format::Consumer, place: &str) -> (Option<Pattern>, Vec<Rc<str>>) {
        for topic in &consumer.topics {
            known_topic(self.scenario, &format!("{place}.topics"), topic, self.mistakes);
        }
        let Some(text) = &consumer.topics_pattern else {
            if consumer.topics.is_empty() {
                self.mistakes.add(format!("{place}.topics"), "a consumer reads at least one topic");
            }
            return (None, consumer.topics.clone());
        };
        let mut wrong = |problem: String| self.mistakes.add(format!("{place}.topics.pattern"), problem);
        if !consumer.topics.is_empty() {
            wrong("say either \"topics\" or \"topics.pattern\"".to_owned());
        }
        if consumer.group.is_none() || consumer.assign {
            wrong("a pattern is for members of a \"group\", without \"assign\"".to_owned());
        }
        let Some(pattern) = Pattern::parse(text) else {
            wrong(format!("\"{text}\" is no pattern; one is written like \"orders-.*\""));
            return (None, Vec::new());
        };
        let names = || self.scenario.topics.iter().map(|topic| &topic.name);
        let matched: Vec<_> = names().filter(|name| pattern.matches(name)).cloned().collect();
        if matched.is_empty() {
            let names: Vec<&str> = names().map(|name| &**name).collect();
            wrong(format!("\"{text}\" matches none of the topics: {}", names.join(", ")));
        }
        (Some(pattern), matched)
    }

    /// What happens when the handler throws.
    fn on_failure(
        &mut self,
        consumer: &format::Consumer,
        topics: &[Rc<str>],
        pattern: Option<&Pattern>,
        place: &str,
    ) -> OnFailure {
        let (retry, dead) = (&consumer.retry_topic, &consumer.dead_letter_topic);
        for (key, topic) in [("retry.topic", retry), ("dead.letter.topic", dead)] {
            let Some(topic) = topic else { continue };
            known_topic(self.scenario, &format!("{place}.{key}"), topic, self.mistakes);
            // What is to be retried must be read: with a pattern it has to match, without it is added to the list.
            let is_read = topics.contains(topic);
            let problem = match (key, pattern) {
                ("retry.topic", Some(pattern)) if !is_read => {
                    format!("\"{topic}\" does not match \"{}\", so that nobody would read it", pattern.text())
                }
                ("retry.topic", Some(_)) => continue,
                _ if is_read => format!("\"{topic}\" is one of the topics that it reads"),
                _ => continue,
            };
            self.mistakes.add(format!("{place}.{key}"), problem);
        }
        if retry.is_some() && retry == dead {
            self.mistakes
                .add(format!("{place}.dead.letter.topic"), "it is the retry topic: nothing would ever be given up");
        }
        let place = format!("{place}.producer.config");
        let producer = checked(&place, ProducerConfig::parse(&consumer.producer_config), self.mistakes);
        if producer.transactional_id.is_some() {
            self.mistakes.add(place, "a consumer sends records away without transactions; use a processor");
        }
        OnFailure {
            retries: consumer.retries,
            backoff: consumer.retry_backoff,
            retry_topic: retry.clone(),
            dead_letter_topic: dead.clone(),
            producer: (retry.is_some() || dead.is_some()).then_some(producer),
        }
    }

    pub fn processors(&mut self) -> Vec<ProcessorAppSetup> {
        let scenario = self.scenario;
        scenario.processors.iter().enumerate().map(|(i, it)| self.processor(it, &format!("processors[{i}]"))).collect()
    }

    fn processor(&mut self, processor: &format::Processor, place: &str) -> ProcessorAppSetup {
        for (key, topics) in [("from", &processor.from), ("to", &processor.to)] {
            if topics.is_empty() {
                self.mistakes.add(format!("{place}.{key}"), "a processor reads and writes at least one topic");
            }
            for topic in topics {
                known_topic(self.scenario, &format!("{place}.{key}"), topic, self.mistakes);
            }
        }
        if let Some(topic) = processor.to.iter().find(|topic| processor.from.contains(topic)) {
            self.mistakes
                .add(format!("{place}.to"), format!("\"{topic}\" is read, too: it would never come to an end"));
        }
        let producer = ProducerConfig::parse(&processor.producer_config);
        let producer = checked(&format!("{place}.producer.config"), producer, self.mistakes);
        let mut properties = processor.consumer_config.clone();
        properties.insert("group.id".to_owned(), processor.group.to_string());
        // Such a program commits by itself: whoever writes one sets this.
        properties.entry("enable.auto.commit".to_owned()).or_insert_with(|| "false".to_owned());
        let consumer = checked(&format!("{place}.consumer.config"), ConsumerConfig::parse(&properties), self.mistakes);
        let transactional = producer.transactional_id.is_some();
        let offsets = processor.offsets.unwrap_or(if transactional { Offsets::Transaction } else { Offsets::After });
        if offsets == Offsets::Transaction && !transactional {
            let problem = "\"transaction\" needs a \"transactional.id\" in \"producer.config\"";
            self.mistakes.add(format!("{place}.offsets"), problem);
        }
        ProcessorAppSetup {
            node: self.names.id(&processor.name).expect("all names were collected"),
            name: Rc::clone(&processor.name),
            group: Rc::clone(&processor.group),
            from: processor.from.clone(),
            assign: processor.assign,
            to: processor.to.clone(),
            processing: processor.processing,
            offsets: match offsets {
                Offsets::Transaction => OffsetsMode::Transaction,
                Offsets::After => OffsetsMode::After,
                Offsets::Before => OffsetsMode::Before,
            },
            sink: self.sink_of(processor, place),
            sink_node: processor.sink.as_ref().and_then(|sink| self.sink_node(&processor.group, sink)),
            producer,
            consumer,
            transaction_version: self.transaction_version,
            start: processor.start.map(|after| Time::ORIGIN + after),
            brokers: Rc::clone(&self.brokers),
        }
    }

    fn sink_node(&self, group: &str, sink: &format::Sink) -> Option<NodeId> {
        self.names.id(&sink::node_name(group, sink)?)
    }

    /// What a processor's sink refuses is undone and read again: what it refuses for ever would be read for ever.
    fn sink_of(&mut self, processor: &format::Processor, place: &str) -> Option<SinkSetup> {
        let setup = sink::setup(processor.sink.as_ref()?);
        if setup.poison_every > 0 {
            let problem = "a processor would read it again for ever; a consumer can give it up (\"dead.letter.topic\")";
            self.mistakes.add(format!("{place}.sink.poison.every"), problem);
        }
        Some(setup)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{build, parse, parse_value, to_json};
    use super::*;
    use crate::scenario::Mistake;

    fn with_processor(fields: &str) -> Result<Scenario, Vec<Mistake>> {
        parse(&format!(
            r#"{{ "version": 1, "topics": [ {{ "name": "orders" }}, {{ "name": "invoices" }} ],
                 "producers": [ {{ "name": "shop", "topic": "orders", "transaction.records": 5, "abort.every": 3,
                                   "start.at.ms": 40.5, "config": {{ "transactional.id": "shop-1" }} }} ],
                 "consumers": [ {{ "name": "mailer", "topics": ["invoices"], "start.at.ms": 100 }} ],
                 "processors": [ {{ "name": "billing", "from": ["orders"], "to": ["invoices"] {fields} }} ] }}"#
        ))
    }

    fn setup(scenario: &Scenario) -> crate::sim::WorldSetup {
        build(scenario).map(|(setup, _)| setup).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
    }

    fn mistakes(fields: &str) -> String {
        let scenario = with_processor(fields);
        let mistakes = scenario.and_then(|scenario| build(&scenario).map(drop)).expect_err("it is wrong");
        mistakes.iter().map(|mistake| mistake.to_string()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn processors_and_transactions_survive_a_round_trip() {
        let full = r#", "group": "bills", "processing.ms": 7, "offsets": "after", "sink": { "dedupe": "version" },
            "start.at.ms": 250, "producer.config": { "transactional.id": "billing-${random.uuid}" },
            "consumer.config": { "isolation.level": "read_committed" }"#;
        for fields in ["", r#", "sink": {}"#, full] {
            let scenario = with_processor(fields).expect("a valid scenario");
            assert_eq!(parse_value(to_json(&scenario)), Ok(scenario));
        }
    }

    #[test]
    fn processors_come_after_consumers_and_choose_sensibly() {
        let plain = setup(&with_processor("").expect("valid"));
        assert_eq!(plain.node_id("billing"), Some(NodeId(6)));
        let billing = &plain.processors[0];
        assert_eq!(
            (&*billing.group, billing.offsets, billing.sink, billing.start),
            ("billing", OffsetsMode::After, None, None)
        );
        assert!(!billing.consumer.enable_auto_commit, "such a program commits by itself");
        assert_eq!(billing.consumer.group_id.as_deref(), Some("billing"));
        let plan = plain.producers[0].transactions.expect("it has a transactional.id");
        assert_eq!((plan.records, plan.abort_every, plan.version), (5, 3, 2));
        assert_eq!(plain.producers[0].start, Some(Time::from_origin_us(40_500)));
        assert_eq!(plain.consumers[0].start, Some(Time::from_origin_us(100_000)));
        let id = r#", "producer.config": { "transactional.id": "b" }"#;
        let transactional = setup(&with_processor(id).expect("valid"));
        assert_eq!(transactional.processors[0].offsets, OffsetsMode::Transaction);
        let explicit = r#", "consumer.config": { "enable.auto.commit": true }"#;
        assert!(setup(&with_processor(explicit).expect("valid")).processors[0].consumer.enable_auto_commit);
    }

    #[test]
    fn what_is_wrong_with_a_processor_is_named() {
        let cases = [
            (r#", "ofsets": "after""#, "unknown key \"ofsets\"; did you mean \"offsets\"?"),
            (r#", "offsets": "never""#, "expected one of \"transaction\", \"after\", \"before\""),
            (r#", "offsets": "transaction""#, "\"transaction\" needs a \"transactional.id\""),
            (r#", "from": []"#, "a processor reads and writes at least one topic"),
            (r#", "to": ["invoces"]"#, "there is no topic \"invoces\"; did you mean \"invoices\"?"),
            (r#", "to": ["orders"]"#, "\"orders\" is read, too"),
            (r#", "producer.config": { "transactional": "x" }"#, "did you mean 'transactional.id'?"),
            (r#", "producer.config": { "transactional.id": "b", "acks": "1" }"#, "without also enabling idempotence"),
            (r#", "name": "mailer""#, "\"mailer\" is taken"),
            (r#", "sink": { "poison.every": 5 }"#, "a processor would read it again for ever"),
        ];
        for (fields, told) in cases {
            let mistakes = mistakes(fields);
            assert!(mistakes.contains(told), "{fields}: {mistakes}");
        }
    }
}
