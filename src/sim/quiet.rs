//! When a run is over.

use super::engine::Process;
use super::world::World;
use crate::base::{Offset, TopicPartition};
use crate::client::consumer::Consumer;
use std::rc::Rc;

/// Nobody waits for anything: no fault, start, resumption or healing is planned, no shutdown or move is under way; every application that runs is done; and
/// every consumer that runs has read all that its partitions' leaders hold. Dead applications do not count.
pub(super) fn is_quiet(world: &World) -> bool {
    let runs = |node| world.process(node) == Process::Running;
    world.pending() == 0
        && world.producers().all(|(node, app)| app.is_done() || !runs(node))
        && world
            .consumers()
            .all(|(node, app)| !runs(node) || app.is_done() && has_read_all(world, app.client(), &app.setup().topics))
        && world.processors().all(|(node, app)| {
            let reads_on = || !app.has_failed() && !has_read_all(world, app.consumer(), &app.setup().from);
            !runs(node) || app.is_done() && !reads_on()
        })
        && world.is_settled()
}

/// Its positions are at the end of every partition of these topics that has a leader.
pub(super) fn has_read_all(world: &World, reader: Option<&Consumer>, topics: &[Rc<str>]) -> bool {
    let (Some(client), Some(image)) = (reader, world.image()) else { return false };
    let read_up_to = |partition, end| client.positions().any(|position| position == (partition, end));
    topics.iter().filter_map(|name| image.topic_id(name)).all(|topic| {
        (0..image.partition_count(topic)).map(|index| TopicPartition::new(topic, index)).all(
            |partition| match last_word(world, partition) {
                LastWord::Nobody => true,
                LastWord::NotYet => false,
                LastWord::End(end) => read_up_to(partition, end),
            },
        )
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
