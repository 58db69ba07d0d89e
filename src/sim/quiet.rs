//! When a run is over.

use super::any_node::AnyNode;
use super::engine::Process;
use super::world::World;
use crate::app::{ConsumerApp, ProcessorAppSetup};
use crate::base::{Offset, TopicId, TopicPartition};
use crate::broker::{Broker, Partition};
use crate::client::consumer::Consumer;
use crate::coordinator::group::share::ShareGroup;
use crate::coordinator::share::ShareCoordinatorShard;
use crate::metadata::{MetadataImage, SHARE_GROUP_STATE_TOPIC};
use crate::node::Body;
use crate::protocol::Request;
use std::rc::Rc;

/// Nobody waits for anything: no fault, start, resumption or healing is planned, no shutdown or move is under way; every
/// application that runs is done; whoever reads, and was not stopped by an exception, has read all that its partitions' leaders
/// hold; and no transaction is open, for its coordinator is going to abort it. Dead applications do not count.
pub(super) fn is_quiet(world: &World) -> bool {
    let runs = |node| world.process(node) == Process::Running;
    world.pending() == 0
        && world.producers().all(|(node, app)| app.is_done() || !runs(node))
        && world
            .consumers()
            .all(|(node, app)| !runs(node) || app.is_done() && (app.has_failed() || has_had_all(world, app)))
        && world.processors().all(|(node, app)| {
            let reads_on = || !app.has_failed() && !has_read_all(world, app.consumer(), &app.setup().from);
            !runs(node) || app.is_done() && !reads_on()
        })
        && !has_open_transactions(world)
        && world.is_settled()
        && !acts_yet(world)
}

/// A request is on its way to a sink that runs: nobody may wait for it any more, but its effect will happen.
fn acts_yet(world: &World) -> bool {
    let awaits = |to| matches!(world.node(to), AnyNode::Sink(_)) && world.process(to) == Process::Running;
    let requests = |body: &Body| matches!(body, Body::Request(Request::SinkWrite(_)));
    !world.setup().sinks.is_empty()
        && world.in_flight().any(|it| !it.held && requests(&it.message.body) && awaits(it.to))
}

/// A leader of the scenario's topics knows of a transaction that has not ended.
fn has_open_transactions(world: &World) -> bool {
    let setup = world.setup();
    let transactional = setup.producers.iter().any(|app| app.transactions.is_some())
        || setup.processors.iter().any(ProcessorAppSetup::is_transactional);
    let Some(image) = world.image().filter(|_| transactional) else { return false };
    let partitions = (1..=setup.topics.len() as u32)
        .map(TopicId)
        .flat_map(|topic| (0..image.partition_count(topic)).map(move |index| TopicPartition::new(topic, index)));
    { partitions }.any(|partition| {
        let leader = image.partition(partition).filter(|decided| decided.has_leader()).map(|decided| decided.leader);
        let replica = leader.and_then(|leader| world.broker(leader)).and_then(|broker| broker.partition(partition));
        replica.map(Partition::log).is_some_and(|log| log.last_stable_offset() < log.high_watermark())
    })
}

/// Whether a consumer, or the group it is in, has done with everything that is there.
pub(super) fn has_had_all(world: &World, app: &ConsumerApp) -> bool {
    let topics = &app.setup().topics;
    match (&app.setup().group, app.setup().share) {
        (Some(group), Some(_)) => has_delivered_all(world, group, topics),
        _ => has_read_all(world, app.client(), topics),
    }
}

/// The share group has nothing to deliver any more: of every partition that has a leader, it is done with all records.
fn has_delivered_all(world: &World, group: &Rc<str>, topics: &[Rc<str>]) -> bool {
    let Some(image) = world.image() else { return false };
    let done_up_to = |partition: TopicPartition, end| {
        let leader = image.partition(partition).and_then(|decided| world.broker(decided.leader));
        let mut known = leader.and_then(Broker::shares).into_iter().flat_map(|shares| shares.manager().partitions());
        let known = known.find(|(key, _)| key.0 == *group && key.1 == partition);
        // The start offset itself may stay behind what is done with, until there is more to acquire.
        known.is_some_and(|(_, share)| share.start_offset() + Offset::from(share.delivery_complete_count()) >= end)
    };
    partitions(image, topics).all(|partition| match last_word(world, partition) {
        LastWord::Nobody => true,
        LastWord::NotYet => false,
        LastWord::End(end) => done_up_to(partition, end) || is_forgotten(world, image, group, partition),
    })
}

/// The share coordinators have lost what they knew (their disks were corrupted), and the group believes that they know it:
/// as in Kafka nobody gets anything from this partition ever again.
fn is_forgotten(world: &World, image: &MetadataImage, group: &Rc<str>, partition: TopicPartition) -> bool {
    let shares = || world.brokers().filter_map(|(_, broker)| broker.shares());
    let shards = || shares().flat_map(|shares| shares.coordinator().shards());
    let is_known = |(_, shard): (&TopicPartition, &ShareCoordinatorShard)| {
        shard.states().any(|((of, at), _)| of == group && *at == partition)
    };
    let initialized = |of: &ShareGroup| {
        let partitions = of.partitions().initialized.get(&partition.topic);
        of.id() == group && partitions.is_some_and(|(_, partitions)| partitions.contains(&partition.partition))
    };
    // While one is moving nobody can tell.
    let topic = image.topic_id(SHARE_GROUP_STATE_TOPIC);
    topic.is_some_and(|topic| shards().count() == image.partition_count(topic) as usize)
        && world.brokers().any(|(_, broker)| broker.share_groups().any(|(_, of)| initialized(of)))
        && !shards().any(is_known)
}

/// Every partition of these topics.
fn partitions<'a>(image: &'a MetadataImage, topics: &'a [Rc<str>]) -> impl Iterator<Item = TopicPartition> + 'a {
    let topics = topics.iter().filter_map(|name| image.topic_id(name));
    topics.flat_map(|topic| (0..image.partition_count(topic)).map(move |index| TopicPartition::new(topic, index)))
}

/// Its positions, or if it is a member those of its whole group, are at the end of every partition of these topics that has
/// a leader.
pub(super) fn has_read_all(world: &World, reader: Option<&Consumer>, topics: &[Rc<str>]) -> bool {
    let (Some(client), Some(image)) = (reader, world.image()) else { return false };
    let group = client.coordinator().filter(|_| client.subscription().subscribed().is_auto_assigned());
    let readers: Vec<&Consumer> = match group {
        Some(group) if group.is_rejoining() => return false,
        Some(group) => members(world, group.group()).collect(),
        None => vec![client],
    };
    let read_up_to =
        |partition, end| readers.iter().any(|reader| reader.positions().any(|position| position == (partition, end)));
    partitions(image, topics).all(|partition| match last_word(world, partition) {
        LastWord::Nobody => true,
        LastWord::NotYet => false,
        LastWord::End(end) => read_up_to(partition, end),
    })
}

/// The running clients that are members of this group.
fn members<'a>(world: &'a World, group: &'a Rc<str>) -> impl Iterator<Item = &'a Consumer> {
    let consumers = world.consumers().map(|(node, app)| (node, app.client()));
    let clients = consumers.chain(world.processors().map(|(node, app)| (node, app.consumer())));
    let running = clients.filter(|(node, _)| world.process(*node) == Process::Running).filter_map(|(_, client)| client);
    running.filter(move |client| {
        let subscribed = client.subscription().subscribed().is_auto_assigned();
        subscribed && client.coordinator().is_some_and(|it| it.group() == group)
    })
}

enum LastWord {
    /// There is no leader, and since nothing is planned there will be none.
    Nobody,
    /// The leader is dead or has not replicated everything.
    NotYet,
    /// Everything up to here is committed.
    End(Offset),
}

fn last_word(world: &World, partition: TopicPartition) -> LastWord {
    let decided = world.image().and_then(|image| image.partition(partition));
    let Some(leader) = decided.filter(|decided| decided.has_leader()).map(|decided| decided.leader) else {
        return LastWord::Nobody;
    };
    let replica = world.broker(leader).and_then(|broker| broker.partition(partition)).filter(|it| it.is_leader());
    match replica.map(|replica| (replica.log().high_watermark(), replica.log().log_end_offset())) {
        Some((high_watermark, end)) if high_watermark == end => LastWord::End(end),
        _ => LastWord::NotYet,
    }
}
