//! The files on a node's machine, as Kafka would hold them.
//!
//! Of a process that runs they are what an orderly stop at this moment would leave; of a dead one, what it left. A broker's
//! own copy of the metadata log is not among them: brokers of the Lab keep the image only.

use super::project::partition_name;
use crate::base::{BrokerId, NodeId, Offset, TopicPartition, sort_long};
use crate::broker::Broker;
use crate::controller::Controller;
use crate::log::LogDirectory;
use crate::log::files::{NamedFile, checkpoint, render};
use crate::metadata::{CLUSTER_METADATA, Uuid};
use crate::sim::{AnyNode, CLUSTER_ID, World};
use std::rc::Rc;

/// What `Properties.store` writes above the settings: a format before the boot, on the simulated calendar.
const FORMATTED: &str = "Thu Jan 01 00:00:00 UTC 2026";

/// A log directory of the node: its name, its files, and its lines in the files beside it.
struct Found {
    name: Rc<str>,
    directory: LogDirectory,
    high_watermark: Offset,
}

/// All files of a broker or a controller, named by their paths (`orders-0/00000000000000000000.log`). None of others.
pub fn node_files(world: &World, node: NodeId) -> Vec<NamedFile> {
    let mut files = Vec::new();
    let (mut found, beside) = match world.node(node) {
        AnyNode::Broker(broker) => (broker_logs(world, broker), beside_broker(broker)),
        AnyNode::Controller(it) => (vec![metadata_log(world, node, it)], None),
        _ => return files,
    };
    sort_long(&mut found, |a, b| a.name < b.name);
    let directory_id = Uuid::of_directory(BrokerId::from(node)).to_string();
    let properties = checkpoint::meta_properties(CLUSTER_ID, node.0, &directory_id, FORMATTED);
    files.push(NamedFile::new(checkpoint::META_PROPERTIES, properties));
    files.extend(beside);
    let of_broker = matches!(world.node(node), AnyNode::Broker(_));
    if of_broker {
        let lines = |offset: &dyn Fn(&Found) -> Option<Offset>| {
            let lines = found.iter().filter_map(|log| {
                let (topic, index) = log.name.rsplit_once('-')?;
                Some((topic.to_owned(), index.parse().ok()?, offset(log)?))
            });
            checkpoint::offsets(&lines.collect::<Vec<_>>())
        };
        let starts = lines(&|log| log.directory.checkpointed_log_start());
        files.push(NamedFile::new(checkpoint::RECOVERY_POINTS, lines(&|log| Some(log.directory.recovery_point()))));
        files.push(NamedFile::new(checkpoint::HIGH_WATERMARKS, lines(&|log| Some(log.high_watermark))));
        files.push(NamedFile::new(checkpoint::LOG_START_OFFSETS, starts));
        // The cleaner creates its file empty, and writes it when it has cleaned something.
        let cleaned = found.iter().any(|log| log.directory.cleaned_to().is_some());
        let cleaned = if cleaned { lines(&|log| log.directory.cleaned_to()) } else { String::new() };
        files.push(NamedFile::new(checkpoint::CLEANER_OFFSETS, cleaned));
    }
    for log in &found {
        let own = directory_files(world, node, &log.directory);
        files.extend(own.into_iter().map(|file| NamedFile { name: format!("{}/{}", log.name, file.name), ..file }));
    }
    files
}

/// The files of one partition on a node, by the partition's name.
pub fn partition_files(world: &World, node: NodeId, partition: &str) -> Option<Vec<NamedFile>> {
    let directory = match world.node(node) {
        AnyNode::Broker(broker) => {
            let (id, _) = broker.logs().find(|(id, _)| *partition_name(world, **id) == *partition)?;
            let open = broker.partition(*id).map(|it| it.log().clone().close());
            open.or_else(|| broker.log(*id).cloned())?
        }
        AnyNode::Controller(it) if *partition_name(world, CLUSTER_METADATA) == *partition => {
            metadata_log(world, node, it).directory
        }
        _ => return None,
    };
    Some(directory_files(world, node, &directory))
}

fn broker_logs(world: &World, broker: &Broker) -> Vec<Found> {
    let found = |id: TopicPartition, directory: LogDirectory, high_watermark: Offset| Found {
        name: partition_name(world, id),
        directory,
        high_watermark,
    };
    let open = broker.partitions().map(|(id, it)| found(*id, it.log().clone().close(), it.log().high_watermark()));
    let disk = broker.disk();
    let left = disk.directories().map(|(id, directory)| found(*id, directory.clone(), disk.high_watermark(*id)));
    open.chain(left).collect()
}

fn metadata_log(world: &World, node: NodeId, controller: &Controller) -> Found {
    let log = controller.log().clone();
    let high_watermark = log.high_watermark();
    let directory = if world.is_alive(node) { log.close() } else { log.into_directory() };
    Found { name: partition_name(world, CLUSTER_METADATA), directory, high_watermark }
}

fn beside_broker(broker: &Broker) -> Option<NamedFile> {
    let disk = broker.disk();
    // A process that has just begun may not have opened all logs yet: what a crash left of them is still there.
    let stopped = broker.is_running() && disk.directories().all(|(_, log)| log.is_clean());
    let epoch = disk.clean_shutdown_epoch().or_else(|| stopped.then(|| broker.broker_epoch()))?;
    Some(NamedFile::new(checkpoint::CLEAN_SHUTDOWN, checkpoint::clean_shutdown(epoch)))
}

fn directory_files(world: &World, node: NodeId, directory: &LogDirectory) -> Vec<NamedFile> {
    let topic = directory.partition().topic;
    let mut files = render(directory, &Uuid::of_topic(topic).to_string());
    if let (AnyNode::Controller(controller), CLUSTER_METADATA) = (world.node(node), directory.partition()) {
        let (raft, election) = (controller.raft(), controller.raft().election());
        let id = |node: Option<NodeId>| node.map_or(-1, |node| i32::from(node.0));
        let voters: Vec<i32> = raft.setup().voters.iter().map(|voter| id(Some(*voter))).collect();
        let state = checkpoint::quorum_state(id(election.leader), election.epoch, id(election.voted), &voters);
        files.push(NamedFile::new(checkpoint::QUORUM_STATE, state));
        files.extend(raft.log().snapshots().map(|snapshot| {
            let (offset, epoch) = (snapshot.id.end_offset, snapshot.id.epoch);
            NamedFile::new(format!("{offset:020}-{epoch:010}.checkpoint"), snapshot.bytes.clone())
        }));
    }
    files
}
