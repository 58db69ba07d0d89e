//! The golden directories, and logs with the settings of those that wrote them.

use bytes::Bytes;
use delivery_lab::base::{Offset, Time, TopicId, TopicPartition};
use delivery_lab::log::files::{self, Beside, NamedFile, Opened, checkpoint};
use delivery_lab::log::{LogConfig, UnifiedLog};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Kafka's partitions have no place in a world of the Lab, so any will do.
pub const PARTITION: TopicPartition = TopicPartition::new(TopicId(1), 0);
/// What the partitions of all golden directories are called.
pub const PARTITIONS: [&str; 7] =
    ["__consumer_offsets-0", "__transaction_state-0", "empty-0", "money-0", "orders-0", "stamped-0", "zipped-0"];

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/files")
}

pub fn bytes_of(path: &str) -> Bytes {
    let path = folder().join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

/// The names in a golden directory, sorted.
pub fn names_in(path: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder().join(path)).expect("a golden directory");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub fn files_in(path: &str) -> Vec<NamedFile> {
    names_in(path).into_iter().map(|name| NamedFile::new(&name[..], bytes_of(&format!("{path}/{name}")))).collect()
}

/// The settings of the topic that wrote a partition (see record.sh and Record.java).
pub fn config_of(partition: &str) -> Rc<LogConfig> {
    let mut config = LogConfig::default();
    let internal = partition.starts_with("__");
    (config.index_interval_bytes, config.segment_index_bytes) = if internal { (4_096, 4_096) } else { (300, 1_024) };
    match partition {
        "orders-0" => config.segment_bytes = 1_500,
        "money-0" => config.segment_bytes = 2_000,
        _ => {}
    }
    Rc::new(config)
}

fn line(directory: &str, file: &str, partition: &str) -> Offset {
    let lines =
        checkpoint::read_offsets(file, &bytes_of(&format!("{directory}/{file}"))).expect("a checkpoint of Kafka");
    let own = lines.into_iter().find(|(topic, index, _)| format!("{topic}-{index}") == partition);
    own.map_or(0, |(_, _, offset)| offset)
}

pub fn beside(directory: &str, partition: &str) -> Beside {
    Beside {
        clean_shutdown: names_in(directory).iter().any(|name| name == checkpoint::CLEAN_SHUTDOWN),
        recovery_point: line(directory, checkpoint::RECOVERY_POINTS, partition),
        log_start_offset: line(directory, checkpoint::LOG_START_OFFSETS, partition),
        cleaned_to: None,
    }
}

pub fn read(directory: &str, partition: &str) -> Opened {
    let (files, beside) = (files_in(&format!("{directory}/{partition}")), beside(directory, partition));
    files::open(PARTITION, &files, beside, &config_of(partition), opened_at(directory)).expect("Kafka wrote it")
}

/// When a directory is opened: the killed broker's right after the kill, when producers whose records bear January's
/// timestamps have expired; the closed one's in January.
fn opened_at(directory: &str) -> Time {
    let recorded_ms = 1_795_790_000_000 - Time::ZERO.wall_clock_ms();
    if directory == "crashed" { Time(recorded_ms as u64 * 1_000) } else { Time::ORIGIN }
}

/// A partition of a golden directory, opened and recovered.
pub fn opened(directory: &str, partition: &str) -> UnifiedLog {
    let high_watermark = line(directory, checkpoint::HIGH_WATERMARKS, partition);
    let config = config_of(partition);
    UnifiedLog::open(read(directory, partition).directory, config, high_watermark, opened_at(directory)).0
}

/// Fails with the name of the first file that differs.
pub fn assert_same(ours: &[NamedFile], theirs: &[NamedFile], except: &[&str], what: &str) {
    let names = |files: &[NamedFile]| files.iter().map(|file| file.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs), "{what}: the files there are");
    for (our, their) in ours.iter().zip(theirs).filter(|(our, _)| !except.contains(&&*our.name)) {
        assert_eq!(hex(&our.bytes), hex(&their.bytes), "{what}/{}", our.name);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .chunks(16)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        .collect::<Vec<_>>()
        .join("\n")
}
