//! What settings belong to: a producer, a consumer, half of a processor, a group, a topic, the brokers.

use delivery_lab::base::config::{
    BrokerConfig, ConfigException, ConfigKey, ConfigNote, ConsumerConfig, GroupConfig, ProducerConfig, Properties,
    TopicConfig, broker_keys, consumer_keys, group_keys, producer_keys, topic_keys,
};
use delivery_lab::scenario::Scenario;

/// What settings belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A producer, by its place in the scenario.
    Producer(usize),
    /// A consumer.
    Consumer(usize),
    /// The client with which a consumer sends away what it cannot handle.
    Sender(usize),
    /// The half of a processor that reads.
    Reader(usize),
    /// The half that writes.
    Writer(usize),
    /// A topic.
    Topic(usize),
    /// A group, by its place among the groups' names.
    Group(usize),
    /// The brokers.
    Cluster,
}

/// A group that has set nothing.
static NOTHING: Properties = Properties::new();

/// All places of a scenario, in the order of the page.
pub fn places(scenario: &Scenario) -> Vec<Place> {
    let producers = (0..scenario.producers.len()).map(Place::Producer);
    let consumers = scenario.consumers.iter().enumerate().flat_map(|(at, it)| {
        let sends = it.retry_topic.is_some() || it.dead_letter_topic.is_some();
        [Some(Place::Consumer(at)), sends.then_some(Place::Sender(at))].into_iter().flatten()
    });
    let topics = (0..scenario.topics.len()).map(Place::Topic);
    let processors = (0..scenario.processors.len()).flat_map(|at| [Place::Reader(at), Place::Writer(at)]);
    let groups = scenario.group_names();
    let groups = (0..groups.len()).filter(|at| scenario.group_prefix(&groups[*at]).is_some()).map(Place::Group);
    producers.chain(processors).chain(consumers).chain(groups).chain(topics).chain([Place::Cluster]).collect()
}

impl Place {
    /// The name of what it is.
    pub fn name(self, scenario: &Scenario) -> String {
        match self {
            Place::Producer(at) => scenario.producers[at].name.to_string(),
            Place::Consumer(at) | Place::Sender(at) => scenario.consumers[at].name.to_string(),
            Place::Reader(at) | Place::Writer(at) => scenario.processors[at].name.to_string(),
            Place::Topic(at) => scenario.topics[at].name.to_string(),
            Place::Group(at) => scenario.group_names()[at].to_string(),
            Place::Cluster => String::new(),
        }
    }

    /// The keys it knows.
    pub fn keys(self) -> &'static [ConfigKey] {
        match self {
            Place::Producer(_) | Place::Writer(_) | Place::Sender(_) => producer_keys(),
            Place::Consumer(_) | Place::Reader(_) => consumer_keys(),
            Place::Topic(_) => topic_keys(),
            Place::Group(_) => group_keys(),
            Place::Cluster => broker_keys(),
        }
    }

    /// What is set.
    pub fn properties(self, scenario: &Scenario) -> &Properties {
        match self {
            Place::Producer(at) => &scenario.producers[at].config,
            Place::Consumer(at) => &scenario.consumers[at].config,
            Place::Sender(at) => &scenario.consumers[at].producer_config,
            Place::Reader(at) => &scenario.processors[at].consumer_config,
            Place::Writer(at) => &scenario.processors[at].producer_config,
            Place::Topic(at) => &scenario.topics[at].config,
            Place::Group(_) => scenario.group_config(&self.name(scenario)).unwrap_or(&NOTHING),
            Place::Cluster => &scenario.cluster.config,
        }
    }

    /// What is set, to be changed. Of a group it is there afterwards, even empty.
    pub fn properties_mut(self, scenario: &mut Scenario) -> &mut Properties {
        match self {
            Place::Producer(at) => &mut scenario.producers[at].config,
            Place::Consumer(at) => &mut scenario.consumers[at].config,
            Place::Sender(at) => &mut scenario.consumers[at].producer_config,
            Place::Reader(at) => &mut scenario.processors[at].consumer_config,
            Place::Writer(at) => &mut scenario.processors[at].producer_config,
            Place::Topic(at) => &mut scenario.topics[at].config,
            Place::Group(_) => scenario.group_config_mut(&self.name(scenario)),
            Place::Cluster => &mut scenario.cluster.config,
        }
    }

    /// What Kafka would say of these settings.
    pub fn check(self, scenario: &Scenario, properties: &Properties) -> Vec<ConfigException> {
        match self {
            Place::Producer(_) | Place::Writer(_) | Place::Sender(_) => ProducerConfig::parse(properties).err(),
            Place::Consumer(_) if self.shares(scenario) => ConsumerConfig::parse_share(properties).err(),
            Place::Consumer(_) | Place::Reader(_) => ConsumerConfig::parse(properties).err(),
            Place::Topic(_) => TopicConfig::parse(properties).err(),
            Place::Group(_) => GroupConfig::parse(properties).err(),
            Place::Cluster => BrokerConfig::parse(properties).err(),
        }
        .unwrap_or_default()
    }

    /// What Kafka would do without saying so.
    pub fn notes(self, properties: &Properties) -> Vec<ConfigNote> {
        match self {
            Place::Producer(_) | Place::Writer(_) | Place::Sender(_) => ProducerConfig::notes(properties),
            Place::Consumer(_) | Place::Reader(_) => ConsumerConfig::notes(properties),
            Place::Topic(_) => TopicConfig::notes(properties),
            Place::Group(_) => Vec::new(),
            Place::Cluster => BrokerConfig::notes(properties),
        }
    }
}
