//! The small text files: checkpoints (version, count, one line an entry), `partition.metadata`, `meta.properties`,
//! `quorum-state`, `.kafka_cleanshutdown`.

use super::{FileError, Problem};
use crate::base::{LeaderEpoch, Offset};
use crate::log::{EpochCache, EpochEntry};
use std::fmt::Write;

/// Where each leader epoch begins; in the partition's directory.
pub const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
/// The topic's id; in the partition's directory.
pub const PARTITION_METADATA: &str = "partition.metadata";
/// Before these offsets all is flushed; beside the partitions.
pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// The high watermarks; beside the partitions.
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// Log start offsets that are not a segment's base; beside the partitions.
pub const LOG_START_OFFSETS: &str = "log-start-offset-checkpoint";
/// Before these offsets the cleaner was; beside the partitions.
pub const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";
/// Whose log directory it is; beside the partitions.
pub const META_PROPERTIES: &str = "meta.properties";
/// The broker stopped in an orderly way; beside the partitions.
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
/// Leader and vote of the metadata quorum; in the metadata log's directory.
pub const QUORUM_STATE: &str = "quorum-state";

const VERSION: i64 = 0;

fn checkpoint(lines: impl ExactSizeIterator<Item = String>) -> String {
    let mut out = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The file `leader-epoch-checkpoint`. Kafka creates it empty and writes it with the first epoch.
pub fn leader_epochs(entries: &[EpochEntry]) -> String {
    if entries.is_empty() {
        return String::new();
    }
    checkpoint(entries.iter().map(|entry| format!("{} {}", entry.epoch, entry.start_offset)))
}

/// A file of offsets: topic, partition and offset.
pub fn offsets(lines: &[(String, u32, Offset)]) -> String {
    checkpoint(lines.iter().map(|(topic, partition, offset)| format!("{topic} {partition} {offset}")))
}

/// The file `partition.metadata`; the id is written as Kafka shows it.
pub fn partition_metadata(topic_id: &str) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// The file `meta.properties`, as `Properties.store` writes it at that second of the first day of 1970's calendar.
pub fn meta_properties(cluster_id: &str, node_id: u16, directory_id: &str, written: &str) -> String {
    format!("#\n#{written}\nnode.id={node_id}\ndirectory.id={directory_id}\nversion=1\ncluster.id={cluster_id}\n")
}

/// The file `.kafka_cleanshutdown`.
pub fn clean_shutdown(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// The file `quorum-state` of a quorum with static voters (version 0); −1 is nobody.
pub fn quorum_state(leader: i32, epoch: LeaderEpoch, voted: i32, voters: &[i32]) -> String {
    let mut list = String::new();
    for voter in voters {
        let comma = if list.is_empty() { "" } else { "," };
        let _ = write!(list, "{comma}{{\"voterId\":{voter}}}");
    }
    format!(
        "{{\"clusterId\":\"\",\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\"appliedOffset\":0,\
         \"currentVoters\":[{list}],\"data_version\":0}}"
    )
}

/// The lines of a checkpoint file with their places, each split at white space.
fn lines<'a>(file: &str, bytes: &'a [u8]) -> Result<Vec<(u64, &'a str)>, FileError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let problem = Problem::Line { line: "…".to_owned(), right: "UTF-8" };
        problem.at(file, error.valid_up_to() as u64)
    })?;
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        found.push((at, line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))));
        at += line.len() as u64;
    }
    Ok(found)
}

fn number(file: &str, at: u64, line: &str, right: &'static str) -> Result<i64, FileError> {
    line.parse().map_err(|_| Problem::Line { line: line.to_owned(), right }.at(file, at))
}

/// The entries of a checkpoint file. An empty file has none, as for Kafka.
fn entries<T>(
    file: &str,
    bytes: &[u8],
    right: &'static str,
    entry: impl Fn(&[&str]) -> Option<T>,
) -> Result<Vec<T>, FileError> {
    let lines = lines(file, bytes)?;
    let Some((_, version)) = lines.first() else { return Ok(Vec::new()) };
    let found = number(file, 0, version, "the version, 0")?;
    if found != VERSION {
        return Err(Problem::Version { found, expected: VERSION }.at(file, 0));
    }
    let Some((at, count)) = lines.get(1) else { return Ok(Vec::new()) };
    let announced = number(file, *at, count, "the number of entries")?;
    let mut read = Vec::new();
    for (at, line) in &lines[2..] {
        let fields: Vec<&str> = line.split_whitespace().collect();
        read.push(entry(&fields).ok_or_else(|| Problem::Line { line: (*line).to_owned(), right }.at(file, *at))?);
    }
    if read.len() as i64 != announced {
        let problem = Problem::Count { announced: announced.max(0) as u64, found: read.len() as u64 };
        return Err(problem.at(file, *at));
    }
    Ok(read)
}

/// Reads `leader-epoch-checkpoint`. Entries that contradict later ones are dropped, as Kafka drops them.
pub fn read_leader_epochs(bytes: &[u8]) -> Result<EpochCache, FileError> {
    let entries = entries(LEADER_EPOCHS, bytes, "an epoch and its start offset, as `3 1200`", |fields| match fields {
        [epoch, start] => Some((epoch.parse().ok()?, start.parse().ok()?)),
        _ => None,
    })?;
    let mut cache = EpochCache::default();
    for (epoch, start_offset) in entries {
        if epoch < 0 || start_offset < 0 {
            let value = i64::from(epoch).min(start_offset);
            let problem = Problem::Value { what: "an epoch or its start offset", value, right: "0 or more" };
            return Err(problem.at(LEADER_EPOCHS, 0));
        }
        cache.assign(epoch, start_offset);
    }
    Ok(cache)
}

/// Reads a file of offsets by its name: topic, partition and offset.
pub fn read_offsets(file: &str, bytes: &[u8]) -> Result<Vec<(String, u32, Offset)>, FileError> {
    entries(file, bytes, "topic, partition and offset, as `orders 0 1200`", |fields| match fields {
        [topic, partition, offset] => {
            Some(((*topic).to_owned(), partition.parse().ok()?, offset.parse().ok().filter(|offset| *offset >= 0)?))
        }
        _ => None,
    })
}

/// Reads `partition.metadata`: the topic's id as Kafka shows it.
pub fn read_partition_metadata(bytes: &[u8]) -> Result<String, FileError> {
    let file = PARTITION_METADATA;
    let lines = lines(file, bytes)?;
    let (_, version) = lines.first().ok_or_else(|| Problem::Truncated(1).at(file, 0))?;
    let version = version.strip_prefix("version: ").unwrap_or(version);
    let found = number(file, 0, version, "`version: 0`")?;
    if found != VERSION {
        return Err(Problem::Version { found, expected: VERSION }.at(file, 0));
    }
    let (at, line) = lines.get(1).ok_or_else(|| Problem::Truncated(1).at(file, bytes.len() as u64))?;
    let is_id =
        |id: &&str| id.len() == 22 && id.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_');
    match line.strip_prefix("topic_id: ").filter(is_id) {
        Some(id) => Ok(id.to_owned()),
        None => {
            let right = "`topic_id: ` and 22 characters of URL-safe base64";
            Err(Problem::Line { line: (*line).to_owned(), right }.at(file, *at))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leader_epochs_come_back() {
        let entries = [EpochEntry { epoch: 0, start_offset: 7 }, EpochEntry { epoch: 2, start_offset: 60 }];
        let text = leader_epochs(&entries);
        assert_eq!(text, "0\n2\n0 7\n2 60\n");
        assert_eq!(read_leader_epochs(text.as_bytes()).unwrap().entries(), entries);
        assert_eq!(read_leader_epochs(b"").unwrap(), EpochCache::default(), "Kafka creates the file empty");
        assert_eq!(read_leader_epochs(b"0\r\n1\r\n5 6\r\n").unwrap().entries().len(), 1);
    }

    #[test]
    fn a_bad_line_is_told_with_its_place_and_what_would_be_right() {
        let told = |text: &str| read_leader_epochs(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            told("0\n1\n0 7 9\n"),
            "leader-epoch-checkpoint, byte 4: the line \"0 7 9\" should be an epoch and its start offset, as `3 1200`"
        );
        assert_eq!(told("0\n2\n0 7\n"), "leader-epoch-checkpoint, byte 2: 2 entries are announced, 1 follow");
        assert_eq!(told("1\n0\n"), "leader-epoch-checkpoint, byte 0: version 1, where only version 0 is known");
        assert!(told("0\n1\n-1 7\n").ends_with("an epoch or its start offset is -1, which should be 0 or more"));
        assert!(read_leader_epochs(&[b'0', b'\n', 0xff]).is_err());
    }

    #[test]
    fn offsets_come_back() {
        let lines = vec![("__consumer_offsets".to_owned(), 49, 0), ("orders".to_owned(), 0, 60)];
        let text = offsets(&lines);
        assert_eq!(text, "0\n2\n__consumer_offsets 49 0\norders 0 60\n");
        assert_eq!(read_offsets(HIGH_WATERMARKS, text.as_bytes()), Ok(lines));
        assert!(read_offsets(HIGH_WATERMARKS, b"0\n1\norders 0 -3\n").is_err());
    }

    #[test]
    fn partition_metadata_comes_back() {
        let text = partition_metadata("m1DBB5xdQMSnOZeekz0deA");
        assert_eq!(read_partition_metadata(text.as_bytes()).as_deref(), Ok("m1DBB5xdQMSnOZeekz0deA"));
        assert!(read_partition_metadata(b"version: 0").is_err());
        assert!(read_partition_metadata(b"version: 0\ntopic_id: short").is_err());
        assert!(read_partition_metadata(b"version: 9\ntopic_id: m1DBB5xdQMSnOZeekz0deA").is_err());
    }

    #[test]
    fn quorum_state_is_jacksons() {
        let expected = "{\"clusterId\":\"\",\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\"appliedOffset\":0,\
                        \"currentVoters\":[{\"voterId\":1},{\"voterId\":2}],\"data_version\":0}";
        assert_eq!(quorum_state(1, 1, -1, &[1, 2]), expected);
    }
}
