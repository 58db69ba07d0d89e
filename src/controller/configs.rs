//! Settings of topics, of the cluster and of groups change while it runs.
//!
//! Invariant: whoever changes `min.insync.replicas` makes the controller forget the eligible leader replicas concerned, for
//! under another minimum they may not have had all that was committed.
//!
//! In Kafka: `ConfigurationControlManager`. Left out: `AlterConfigs` (the whole set at once), settings of loggers.

use super::Controller;
use crate::base::config::{BrokerConfig, GroupConfig, Properties, TopicConfig};
use crate::metadata::{ConfigRecord, ConfigResource, MetadataRecord};
use crate::protocol::{AlterConfigs, Configurable, ErrorCode};
use crate::protocol::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use std::rc::Rc;

const MIN_ISR: &str = "min.insync.replicas";

impl Controller {
    /// Each resource has its own answer; of one that is refused nothing changes.
    pub(super) fn alter_configs(
        &self,
        request: &IncrementalAlterConfigsRequest,
    ) -> (Vec<MetadataRecord>, IncrementalAlterConfigsResponse) {
        let mut records = Vec::new();
        let mut resources = Vec::with_capacity(request.resources.len());
        for asked in &request.resources {
            let error = match self.alter_config(asked) {
                Ok(changes) => {
                    records.extend(changes);
                    ErrorCode::None
                }
                Err(error) => error,
            };
            resources.push((asked.resource.clone(), error));
        }
        if self.keeps_eligible_leaders() {
            let cleared: Vec<_> = records.iter().filter_map(clears_elr).collect();
            records.extend(cleared);
        }
        (records, IncrementalAlterConfigsResponse { resources })
    }

    fn alter_config(&self, asked: &AlterConfigs) -> Result<Vec<MetadataRecord>, ErrorCode> {
        let nothing = Properties::new();
        let (resource, resource_name, mut config): (_, Rc<str>, _) = match &asked.resource {
            Configurable::Topic(name) => {
                let topic = self.image().topic_id(name).and_then(|id| self.image().topic(id));
                let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
                (ConfigResource::Topic, name.clone(), topic.config.clone())
            }
            Configurable::Broker(broker) => {
                let name = broker.map_or(String::new(), |broker| broker.to_string());
                let config = self.image().broker_config(*broker).unwrap_or(&nothing);
                (ConfigResource::Broker, Rc::from(name), config.clone())
            }
            // "Default group resources are not allowed."
            Configurable::Group(group) if group.is_empty() => return Err(ErrorCode::InvalidRequest),
            // It need not exist.
            Configurable::Group(group) => {
                let config = self.image().group_settings(group).unwrap_or(&nothing);
                (ConfigResource::Group, group.clone(), config.clone())
            }
        };
        let mut records = Vec::new();
        for (key, value) in &asked.changes {
            if resource == ConfigResource::Broker && self.is_forbidden_min_isr(&asked.resource, key, value.is_none()) {
                return Err(ErrorCode::InvalidConfig);
            }
            let old = match value {
                Some(value) => config.insert(key.to_string(), value.to_string()),
                None => config.remove(&**key),
            };
            // A broker reloads its settings even where they stay the same.
            if old.as_deref() != value.as_deref() || resource == ConfigResource::Broker {
                let (resource_name, name, value) = (resource_name.clone(), key.clone(), value.clone());
                records.push(MetadataRecord::Config(ConfigRecord { resource, resource_name, name, value }));
            }
        }
        let valid = match resource {
            ConfigResource::Topic => TopicConfig::parse_with(&config, self.config()).is_ok(),
            ConfigResource::Broker => BrokerConfig::parse(&config).is_ok(),
            ConfigResource::Group => GroupConfig::parse_with(&config, self.config()).is_ok(),
        };
        if valid { Ok(records) } else { Err(ErrorCode::InvalidConfig) }
    }

    /// While eligible leaders are kept, all brokers have the same minimum, and the cluster has one.
    fn is_forbidden_min_isr(&self, resource: &Configurable, key: &str, deletes: bool) -> bool {
        let one_broker = matches!(resource, Configurable::Broker(Some(_)));
        self.keeps_eligible_leaders() && key == MIN_ISR && (one_broker || deletes)
    }
}

fn clears_elr(record: &MetadataRecord) -> Option<MetadataRecord> {
    let MetadataRecord::Config(record) = record else { return None };
    let topic = (record.resource == ConfigResource::Topic).then(|| record.resource_name.clone());
    (&*record.name == MIN_ISR).then_some(MetadataRecord::ClearElr { topic })
}
