//! Directories: Kafka's are opened, ours are Kafka's to the byte.

use super::goldens::*;
use delivery_lab::base::Time;
use delivery_lab::log::files::{checkpoint, render};
use delivery_lab::log::{AppendContext, AppendOrigin, UnifiedLog};

/// What we write of what we read.
fn rendered(log: UnifiedLog, directory: &str, partition: &str) -> Vec<delivery_lab::log::files::NamedFile> {
    let id = read(directory, partition).topic_id.expect("Kafka names the topic");
    render(&log.close(), &id)
}

#[test]
fn a_directory_that_kafka_closed_is_opened_and_closed_without_a_changed_byte() {
    for partition in PARTITIONS {
        let read = read("closed", partition);
        assert_eq!(read.findings, [], "{partition}: nothing is wrong with it");
        let log = opened("closed", partition);
        let theirs = files_in(&format!("closed/{partition}"));
        // Of an empty log, loading takes away the epoch that begins at its end, in Kafka too.
        let but: &[&str] = if log.is_empty() { &[checkpoint::LEADER_EPOCHS] } else { &[] };
        assert_same(&rendered(log, "closed", partition), &theirs, but, &format!("closed/{partition}"));
    }
}

#[test]
fn what_a_kill_left_is_recovered_as_kafka_recovered_it() {
    for partition in PARTITIONS {
        let log = opened("crashed", partition);
        let theirs = files_in(&format!("recovered/{partition}"));
        // Kafka led the partition once more, and noted the epoch.
        let but = [checkpoint::LEADER_EPOCHS];
        let what = format!("recovered/{partition}");
        let mut log_again = log.clone();
        assert_same(&rendered(log, "crashed", partition), &theirs, &but, &what);
        let epochs =
            checkpoint::read_leader_epochs(&bytes_of(&format!("{what}/{}", checkpoint::LEADER_EPOCHS))).unwrap();
        let newest = epochs.latest().expect("Kafka led it");
        log_again.assign_epoch_start_offset(newest.epoch, newest.start_offset);
        assert_eq!(log_again.epoch_entries(), epochs.entries(), "{partition}");
    }
}

#[test]
fn opened_logs_know_what_kafkas_knew() {
    let orders = opened("closed", "orders-0");
    assert_eq!((orders.log_start_offset(), orders.log_end_offset(), orders.high_watermark()), (7, 60, 60));
    assert_eq!(orders.segments().len(), 2);
    let money = opened("closed", "money-0");
    assert_eq!((money.log_end_offset(), money.last_stable_offset()), (42, 42));
    assert_eq!(money.aborted_transactions(0, 42).len(), 7);
    let money = opened("crashed", "money-0");
    assert_eq!((money.log_end_offset(), money.ongoing_transactions().count()), (85, 1), "one was left open");
}

/// Every batch is appended again, as a follower does it: segments roll, index entries fall and snapshots are taken where
/// they do in Kafka.
#[test]
fn appending_what_kafka_appended_gives_kafkas_files() {
    for partition in PARTITIONS {
        let theirs = opened("closed", partition);
        let mut ours = UnifiedLog::create(PARTITION, config_of(partition), Time::ZERO);
        for batch in theirs.batches_from(0) {
            let epoch = batch.leader_epoch();
            ours.append_as_follower(std::slice::from_ref(batch), epoch, Time::ORIGIN).expect("it is in order");
        }
        ours.set_high_watermark(ours.log_end_offset());
        ours.maybe_advance_log_start_offset(theirs.log_start_offset()).expect("it is below the high watermark");
        if ours.is_empty() {
            ours.assign_epoch_start_offset(0, 0);
        }
        let files = files_in(&format!("closed/{partition}"));
        assert_same(&rendered(ours, "closed", partition), &files, &[], &format!("closed/{partition}"));
    }
}

/// And as a leader: offsets, epochs and CRCs are Kafka's too.
#[test]
fn leading_with_kafkas_batches_gives_kafkas_files() {
    for partition in ["orders-0", "money-0"] {
        let theirs = opened("closed", partition);
        let mut ours = UnifiedLog::create(PARTITION, config_of(partition), Time::ZERO);
        for batch in theirs.batches_from(0) {
            let origin = if batch.is_control() { AppendOrigin::Coordinator } else { AppendOrigin::Client };
            let sent = batch.with_offset_and_epoch(0, -1);
            let now = Time((batch.max_timestamp() - Time::ZERO.wall_clock_ms()).max(0) as u64 * 1_000);
            let context = AppendContext { transaction_version: Some(2), ..AppendContext::from(origin) };
            let info = ours.append_as_leader_with(sent, batch.leader_epoch(), context, now).expect("Kafka took it");
            assert_eq!(&info.batch, batch);
        }
        ours.set_high_watermark(ours.log_end_offset());
        ours.maybe_advance_log_start_offset(theirs.log_start_offset()).expect("it is below the high watermark");
        let files = files_in(&format!("closed/{partition}"));
        assert_same(&rendered(ours, "closed", partition), &files, &[], &format!("closed/{partition}"));
    }
}

#[test]
fn the_files_beside_the_partitions_are_kafkas() {
    for file in [checkpoint::RECOVERY_POINTS, checkpoint::HIGH_WATERMARKS, checkpoint::LOG_START_OFFSETS] {
        let theirs = bytes_of(&format!("closed/{file}"));
        let lines = checkpoint::read_offsets(file, &theirs).unwrap();
        assert_eq!(checkpoint::offsets(&lines).as_bytes(), &theirs[..], "{file}");
    }
    let text = |name: &str| String::from_utf8(bytes_of(name).to_vec()).unwrap();
    let theirs = text("closed/meta.properties");
    let field = |key: &str| theirs.lines().find_map(|line| line.strip_prefix(key)).expect("a field").to_owned();
    let written = theirs.lines().nth(1).and_then(|line| line.strip_prefix('#')).expect("a date");
    let ours = checkpoint::meta_properties(&field("cluster.id="), 1, &field("directory.id="), written);
    assert_eq!(ours, theirs);
    assert_eq!(checkpoint::quorum_state(1, 1, -1, &[1]), text("closed/__cluster_metadata-0/quorum-state"));
    let epoch = text("closed/.kafka_cleanshutdown");
    let number: i64 =
        epoch.trim_start_matches("{\"version\":0,\"brokerEpoch\":").trim_end_matches('}').parse().unwrap();
    assert_eq!(checkpoint::clean_shutdown(number), epoch);
}
