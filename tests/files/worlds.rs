//! The files of a world's machines: complete, consistent, and the way to them through a session.

use bytes::Bytes;
use delivery_lab::base::{NodeId, Time};
use delivery_lab::log::UnifiedLog;
use delivery_lab::log::files::{self, Beside, NamedFile, checkpoint};
use delivery_lab::metadata::record_json;
use delivery_lab::record::RecordBatch;
use delivery_lab::scenario::{Scenario, Trial, library, set};
use delivery_lab::session::{Command, Session};
use delivery_lab::sim::AnyNode;
use delivery_lab::view::node_files;
use std::collections::BTreeMap;
use std::rc::Rc;

const LAST: u64 = 300_000_000;

/// A scenario whose segments and index entries are many.
fn scenario(id: &str) -> Scenario {
    let mut scenario = library::get(id).expect("it is in the library");
    for setting in ["internal.segment.bytes=900", "index.interval.bytes=150"] {
        set(&mut scenario, setting).expect("a setting of Kafka");
    }
    scenario
}

fn finished(id: &str) -> Trial {
    let mut trial = Trial::new(&scenario(id)).expect("it boots");
    trial.finish();
    trial
}

/// The directories among a node's files, and the files beside them.
fn sorted_out(files: Vec<NamedFile>) -> (BTreeMap<String, Vec<NamedFile>>, BTreeMap<String, Bytes>) {
    let (mut folders, mut beside) = (BTreeMap::<String, Vec<NamedFile>>::new(), BTreeMap::new());
    for file in files {
        match file.name.split_once('/') {
            Some((folder, name)) => {
                folders.entry(folder.to_owned()).or_default().push(NamedFile::new(name, file.bytes.clone()));
            }
            None => drop(beside.insert(file.name, file.bytes)),
        }
    }
    (folders, beside)
}

fn line(beside: &BTreeMap<String, Bytes>, file: &str, folder: &str) -> Option<i64> {
    let lines = checkpoint::read_offsets(file, &beside[file]).expect("a checkpoint file");
    lines.into_iter().find(|(topic, index, _)| format!("{topic}-{index}") == folder).map(|(_, _, offset)| offset)
}

#[test]
fn every_brokers_files_open_as_the_logs_they_were_made_from() {
    let mut opened = 0;
    for id in ["lost-ack", "fire-and-forget", "leader-only-ack", "auto-commit-truth"] {
        let trial = finished(id);
        let world = &trial.run.world;
        for (node, broker) in world.brokers() {
            let (folders, beside) = sorted_out(node_files(world, node));
            assert_eq!(folders.len(), broker.logs().count(), "{id}: a folder a log");
            for (partition, log) in broker.logs() {
                let name = delivery_lab::view::partition_name(world, *partition);
                let marks = Beside {
                    clean_shutdown: beside.contains_key(checkpoint::CLEAN_SHUTDOWN),
                    recovery_point: line(&beside, checkpoint::RECOVERY_POINTS, &name).expect("every log has one"),
                    log_start_offset: line(&beside, checkpoint::LOG_START_OFFSETS, &name).unwrap_or(0),
                    cleaned_to: line(&beside, checkpoint::CLEANER_OFFSETS, &name),
                };
                let config = broker.partition(*partition).map(|it| Rc::clone(it.log().config())).unwrap_or_default();
                let read =
                    files::open(*partition, &folders[&*name], marks, &config, Time::ORIGIN).expect("we wrote it");
                assert_eq!(read.findings, [], "{id}: {name}");
                let high_watermark = line(&beside, checkpoint::HIGH_WATERMARKS, &name).expect("every log has one");
                let (again, report) = UnifiedLog::open(read.directory, config, high_watermark, Time::ORIGIN);
                assert_eq!(report.lost_bytes, 0);
                let batches = |log: &delivery_lab::log::LogDirectory| -> Vec<RecordBatch> {
                    delivery_lab::view::stored_from(log, 0).map(|stored| stored.batch.clone()).collect()
                };
                assert_eq!(batches(again.directory()), batches(log), "{id}: {name}");
                assert_eq!(again.log_end_offset(), log.end_offset());
                opened += usize::from(log.end_offset() > 0);
            }
        }
    }
    assert!(opened > 20, "{opened} logs with records");
}

#[test]
fn a_dead_brokers_files_are_what_it_left() {
    let mut trial = Trial::new(&scenario("leader-only-ack")).expect("it boots");
    let dead = |trial: &Trial| {
        let world = &trial.run.world;
        let mut brokers = world.brokers();
        brokers.find(|(node, _)| !world.is_alive(*node)).map(|(node, _)| node)
    };
    while dead(&trial).is_none() {
        trial.step().expect("one dies");
    }
    let node = dead(&trial).expect("just seen");
    let (folders, beside) = sorted_out(node_files(&trial.run.world, node));
    assert!(!beside.contains_key(checkpoint::CLEAN_SHUTDOWN), "it did not stop in an orderly way");
    assert!(folders.keys().any(|name| name == "orders-0"));
}

#[test]
fn the_metadata_log_is_one_of_kafka() {
    let trial = finished("lost-ack");
    let world = &trial.run.world;
    let (node, _) = world.nodes().find(|(_, node)| matches!(node, AnyNode::Controller(_))).expect("a controller");
    let (folders, beside) = sorted_out(node_files(world, node));
    let properties = String::from_utf8_lossy(&beside[checkpoint::META_PROPERTIES]).into_owned();
    assert!(properties.contains(&format!("\nnode.id={}\n", node.0)), "{properties}");
    let own = &folders["__cluster_metadata-0"];
    let file = |name: &str| own.iter().find(|file| file.name == name).expect("it is there").bytes.clone();
    let metadata = file(checkpoint::PARTITION_METADATA);
    assert_eq!(checkpoint::read_partition_metadata(&metadata).as_deref(), Ok("AAAAAAAAAAAAAAAAAAAAAQ"));
    assert!(file(checkpoint::QUORUM_STATE).starts_with(b"{\"clusterId\":\"\",\"leaderId\":"));
    let mut printed = String::new();
    for file in own.iter().filter(|file| file.name.ends_with(".log")) {
        for batch in
            RecordBatch::parse_all(file.bytes.clone()).expect("whole batches").iter().filter(|it| !it.is_control())
        {
            for record in batch.raw_records() {
                printed += &record_json(record.unwrap().value.unwrap()).expect("a record of Kafka");
            }
        }
    }
    for kind in ["FEATURE_LEVEL", "REGISTER_BROKER", "BROKER_REGISTRATION_CHANGE", "TOPIC", "PARTITION"] {
        assert!(printed.contains(&format!("{{\"type\":\"{kind}_RECORD\"")), "{kind}");
    }
}

#[test]
fn a_session_gives_files_an_archive_and_every_batch() {
    let mut session = Session::new(scenario("lost-ack")).expect("it boots");
    session.dispatch(Command::SeekTime(LAST)).expect("time can be sought");
    let files = session.files(0, "orders-0").expect("broker 0 has it");
    let logs: Vec<&NamedFile> = files.iter().filter(|file| file.name.ends_with(".log")).collect();
    assert!(logs.len() > 1, "several segments: {}", logs.len());
    let archive = session.archive(0, "orders-0").expect("the same");
    let blocks: usize = files.iter().map(|file| 1 + file.bytes.len().div_ceil(512)).sum();
    assert_eq!(archive.len(), (blocks + 2) * 512);
    assert!(archive.starts_with(b"orders-0/00000000000000000000.index\0"));
    // From the last batch to the first and back, one by one: none is left out, whatever its segment.
    let mut expected = Vec::new();
    for log in &logs {
        expected.extend(RecordBatch::parse_all(log.bytes.clone()).expect("whole batches"));
    }
    let mut walked = Vec::new();
    let mut at = session.batch(0, "orders-0", expected.last().expect("not empty").last_offset());
    while let Some(batch) = at {
        assert_eq!(batch.fields.last().map(|field| field.1 as usize), Some(batch.bytes.len()));
        at = batch.previous.and_then(|previous| session.batch(0, "orders-0", previous));
        if let Some(before) = &at {
            assert_eq!(before.next, Some(batch.base_offset));
        }
        walked.push(batch.bytes);
    }
    walked.reverse();
    assert_eq!(walked, expected.iter().map(|batch| batch.bytes().to_vec()).collect::<Vec<_>>());
    assert_eq!(session.batch(0, "orders-0", 1_000_000), None);
    assert_eq!(session.files(0, "nowhere-0"), None);
    let controller = NodeId(3).0;
    assert!(session.files(controller, "__cluster_metadata-0").is_some());
}
