//! What new metadata make of the replicas: leaders, followers, new and removed ones.

use super::ReplicaManager;
use crate::base::config::{BrokerConfig, TopicConfig};
use crate::base::{BrokerId, TopicId, TopicPartition};
use crate::broker::context::Context;
use crate::broker::partition::Partition;
use crate::log::{Disk, LogConfig, UnifiedLog};
use crate::metadata::{CONSUMER_OFFSETS_TOPIC, MetadataDelta, SHARE_GROUP_STATE_TOPIC, TRANSACTION_STATE_TOPIC};
use crate::node::Event;
use std::rc::Rc;

/// A topic's settings as logs and leaders need them.
#[derive(Clone)]
struct TopicSettings {
    log: Rc<LogConfig>,
    min_insync_replicas: u32,
}

impl ReplicaManager {
    /// Follows a change of the metadata; the image in the context is the new one.
    pub fn apply_delta(&mut self, delta: &MetadataDelta, disk: &mut Disk, ctx: &mut Context<'_, '_>) {
        for topic in &delta.removed_topics {
            self.remove_topic(*topic, disk, ctx);
        }
        // Not before: whoever coordinated with a topic that is gone has to hear of it.
        self.coordinated.offsets = ctx.image.topic_id(CONSUMER_OFFSETS_TOPIC);
        self.coordinated.transactions = ctx.image.topic_id(TRANSACTION_STATE_TOPIC);
        self.coordinated.share_state = ctx.image.topic_id(SHARE_GROUP_STATE_TOPIC);
        for topic in &delta.changed_configs {
            self.reconfigure(*topic, ctx);
        }
        let mut settings: Option<(TopicId, TopicSettings)> = None;
        for id in &delta.changed_partitions {
            if settings.as_ref().is_none_or(|(topic, _)| *topic != id.topic) {
                settings = Some((id.topic, topic_settings(id.topic, ctx)));
            }
            if let Some((_, settings)) = &settings {
                self.apply_partition(*id, settings, disk, ctx);
            }
        }
        self.fetchers.stop_idle(ctx.out);
        self.send_fetches(ctx);
    }

    fn apply_partition(
        &mut self,
        id: TopicPartition,
        settings: &TopicSettings,
        disk: &mut Disk,
        ctx: &mut Context<'_, '_>,
    ) {
        let Some(registration) = ctx.image.partition(id).map(Rc::clone) else { return };
        if !registration.replicas.contains(&ctx.id) {
            return self.stop(id, disk, ctx);
        }
        let partition = self.partitions.entry(id).or_insert_with(|| {
            let log = open_log(id, &settings.log, disk, ctx);
            Rc::new(Partition::new(id, ctx.id, log, settings.min_insync_replicas))
        });
        let partition = Rc::make_mut(partition);
        // Before the leader's own state changes: what its followers' sessions had fetched so far.
        self.sessions.mark_dirty(id, |follower, then| partition.record_idle_fetch(follower, then));
        let transition = partition.apply(&registration, ctx);
        let (leads, leader) = (partition.is_leader(), partition.leader());
        // Whoever is about to stop follows no longer where it is not in sync anyway.
        let gives_up = (leader == BrokerId::NONE || !registration.isr.contains(&ctx.id))
            && ctx.image.broker(ctx.id).is_some_and(|me| me.in_controlled_shutdown);
        if leads || gives_up {
            self.fetchers.remove(id);
        } else if transition.new_epoch {
            self.fetchers.remove(id);
            if leader != BrokerId::NONE && ctx.image.broker(leader).is_some() {
                self.follow(leader, id);
            }
        }
        if transition.advanced {
            self.advanced(id, ctx);
        }
        if transition.role_changed || (transition.new_epoch && !leads) {
            self.leadership_changed(id, ctx);
        } else if transition.new_epoch {
            self.leads_anew(id);
        }
    }

    /// The partition has no replica here any more: its files go.
    fn stop(&mut self, id: TopicPartition, disk: &mut Disk, ctx: &mut Context<'_, '_>) {
        self.fetchers.remove(id);
        if self.partitions.remove(&id).is_some() {
            self.leadership_changed(id, ctx);
        }
        disk.remove(id);
    }

    fn remove_topic(&mut self, topic: TopicId, disk: &mut Disk, ctx: &mut Context<'_, '_>) {
        let range = TopicPartition::new(topic, 0)..=TopicPartition::new(topic, u32::MAX);
        let hosted: Vec<TopicPartition> = self.partitions.range(range).map(|(id, _)| *id).collect();
        for id in hosted {
            self.stop(id, disk, ctx);
        }
    }

    fn reconfigure(&mut self, topic: TopicId, ctx: &Context<'_, '_>) {
        let settings = topic_settings(topic, ctx);
        let range = TopicPartition::new(topic, 0)..=TopicPartition::new(topic, u32::MAX);
        for partition in self.partitions.range_mut(range).map(|(_, partition)| Rc::make_mut(partition)) {
            partition.set_config(Rc::clone(&settings.log), settings.min_insync_replicas);
        }
    }
}

/// A topic's settings over the broker's. The controller has checked them; what it should have refused counts as not set.
fn topic_settings(topic: TopicId, ctx: &Context<'_, '_>) -> TopicSettings {
    // What all brokers, and then this one, were told while they ran goes before their files.
    let mut overlaid: Option<BrokerConfig> = None;
    for dynamic in [None, Some(ctx.id)].into_iter().filter_map(|broker| ctx.image.broker_config(broker)) {
        overlaid = Some(overlaid.as_ref().unwrap_or(ctx.config).overlaid(dynamic));
    }
    let broker = overlaid.as_ref().unwrap_or(ctx.config);
    let parsed = ctx.image.topic(topic).map(|topic| TopicConfig::parse_with(&topic.config, broker));
    let config = parsed.and_then(Result::ok).unwrap_or_else(|| TopicConfig::from_broker(broker));
    let min_insync_replicas = config.min_insync_replicas;
    TopicSettings { log: Rc::new(LogConfig::new(&config, broker)), min_insync_replicas }
}

/// Opens what is on the disk, recovering it if need be; else creates an empty log.
fn open_log(id: TopicPartition, config: &Rc<LogConfig>, disk: &mut Disk, ctx: &mut Context<'_, '_>) -> UnifiedLog {
    let Some(directory) = disk.take(id) else { return UnifiedLog::create(id, Rc::clone(config), ctx.now) };
    let (log, report) = UnifiedLog::open(directory, Rc::clone(config), disk.high_watermark(id), ctx.now);
    let (log_end_offset, lost_bytes) = (report.log_end_offset, report.lost_bytes);
    ctx.out.emit(Event::LogRecovered { partition: id, log_end_offset, lost_bytes });
    log
}
