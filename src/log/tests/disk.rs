//! Crash, power loss, torn and corrupted batches.

use super::*;
use crate::base::{Prng, StateHash};

fn reopened(log: UnifiedLog, high_watermark: Offset) -> (UnifiedLog, RecoveryReport) {
    let config = log.config().clone();
    UnifiedLog::open(log.into_directory(), config, high_watermark, NOW)
}

#[test]
fn a_process_crash_loses_no_bytes() {
    let mut log = empty_log();
    for _ in 0..3 {
        append(&mut log, plain(2));
    }
    log.set_high_watermark(6);
    let (log, report) = reopened(log, 4);
    assert_eq!((report.lost_bytes, report.checked_batches, report.log_end_offset), (0, 3, 6));
    assert_eq!((log.high_watermark(), log.log_end_offset()), (4, 6), "the high watermark is as old as its checkpoint");
    assert_eq!(log.latest_epoch(), Some(0));
}

#[test]
fn a_power_loss_takes_what_was_not_flushed() {
    for seed in 0..50 {
        let mut log = empty_log();
        append(&mut log, plain(2));
        log.flush();
        append(&mut log, plain(2));
        append(&mut log, plain(2));
        let (config, mut disk) = (log.config().clone(), Disk::new());
        disk.write_high_watermarks([(PARTITION, 6)]);
        disk.put(log.into_directory());
        disk.power_loss(NOW + Duration::from_millis(29_999), &mut Prng::split(seed, "disk"));
        let high_watermark = disk.high_watermark(PARTITION);
        let directory = disk.take(PARTITION).unwrap();
        let torn = directory.segments()[0].torn().map_or(0, |torn| torn.len() as u64);
        let (mut log, report) = UnifiedLog::open(directory, config, high_watermark, NOW);
        assert_eq!((log.log_end_offset(), log.high_watermark()), (2, 2));
        assert_eq!(report.lost_bytes, torn, "a torn batch is cut off");
        assert_eq!(append(&mut log, plain(1)).first_offset, 2);
    }
}

#[test]
fn some_power_losses_tear_a_batch() {
    let torn = |seed| {
        let mut log = empty_log();
        append(&mut log, plain(2));
        let mut directory = log.into_directory();
        directory.power_loss(NOW, &mut Prng::split(seed, "disk"));
        directory.segments()[0].torn().is_some()
    };
    let count = (0..100).filter(|&seed| torn(seed)).count();
    assert!((20..80).contains(&count), "{count} of 100");
}

#[test]
fn the_operating_system_writes_back_after_a_while() {
    let mut log = empty_log();
    append(&mut log, plain(2));
    let later = NOW + Duration::from_millis(30_000);
    log.append_as_leader(plain(2), 0, AppendOrigin::Client, later).unwrap();
    let config = log.config().clone();
    let mut directory = log.into_directory();
    directory.power_loss(later, &mut Prng::split(1, "disk"));
    let (log, _) = UnifiedLog::open(directory, config, 0, later);
    assert_eq!(log.log_end_offset(), 2);
}

#[test]
fn power_loss_also_takes_epochs_without_records() {
    let mut log = empty_log();
    append(&mut log, plain(2));
    log.flush();
    log.append_as_leader(plain(2), 3, AppendOrigin::Client, NOW).unwrap();
    let config = log.config().clone();
    let mut directory = log.into_directory();
    directory.power_loss(NOW, &mut Prng::split(1, "disk"));
    let (log, _) = UnifiedLog::open(directory, config, 0, NOW);
    assert_eq!(log.epoch_entries(), [EpochEntry { epoch: 0, start_offset: 0 }]);
}

#[test]
fn flush_messages_flushes() {
    let mut log = log_with(|config| config.flush_messages = 3);
    append(&mut log, plain(2));
    assert_eq!(log.directory().recovery_point(), 0);
    append(&mut log, plain(1));
    assert_eq!(log.directory().recovery_point(), 3);
}

#[test]
fn recovery_cuts_off_at_the_first_bad_crc() {
    let mut log = empty_log();
    for _ in 0..4 {
        append(&mut log, plain(2));
    }
    assert!(log.corrupt(5, 33));
    let bad = log.batches_from(4).next().unwrap().clone();
    assert!(!bad.validate_crc());
    let lost = 2 * u64::from(bad.size_in_bytes());
    let (log, report) = reopened(log, 8);
    assert_eq!((report.lost_bytes, report.checked_batches), (lost, 3));
    assert_eq!((log.log_end_offset(), log.high_watermark()), (4, 4));
}

#[test]
fn what_was_flushed_or_closed_is_not_checked() {
    let mut log = empty_log();
    append(&mut log, plain(2));
    log.roll(2, NOW);
    append(&mut log, plain(2));
    log.corrupt(0, 3);
    let (log, report) = reopened(log, 0);
    assert_eq!((report.checked_batches, log.log_end_offset()), (1, 4), "only from the recovery point on");
    let config = log.config().clone();
    let (mut log, report) = UnifiedLog::open(log.close(), config, 0, NOW);
    assert!(report.clean && report.checked_batches == 0);
    assert!(!log.directory().is_clean(), "and the next end is a crash until proven otherwise");
    assert!(!log.corrupt(99, 0));
}

#[test]
fn a_log_that_lost_all_above_its_start_begins_anew_there() {
    let mut log = empty_log();
    append(&mut log, plain(4));
    log.set_high_watermark(4);
    log.maybe_advance_log_start_offset(3).unwrap();
    log.checkpoint_log_start();
    let config = log.config().clone();
    let mut directory = log.into_directory();
    directory.power_loss(NOW, &mut Prng::split(1, "disk"));
    let (mut log, _) = UnifiedLog::open(directory, config, 4, NOW);
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.high_watermark()), (3, 3, 3));
    assert_eq!(log.epoch_entries(), []);
    assert_eq!(append(&mut log, plain(1)).first_offset, 3);
}

#[test]
fn a_clone_is_another_log_and_hashes_tell_them_apart() {
    let mut log = empty_log();
    append(&mut log, idempotent(0, 0, 2));
    let before = log.clone();
    assert_eq!(StateHash::of(&log), StateHash::of(&before));
    let mut hashes = vec![StateHash::of(&log)];
    append(&mut log, idempotent(0, 2, 1));
    hashes.push(StateHash::of(&log));
    log.set_high_watermark(2);
    hashes.push(StateHash::of(&log));
    log.assign_epoch_start_offset(4, 3);
    hashes.push(StateHash::of(&log));
    log.flush();
    hashes.push(StateHash::of(&log));
    for (index, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..index].contains(hash), "state {index} hashes like an earlier one");
    }
    assert_eq!((before.log_end_offset(), before.batches_from(0).count()), (2, 1));
    assert_eq!(StateHash::of(&before), hashes[0]);
}

#[test]
fn a_deleted_partition_is_gone() {
    let mut disk = Disk::new();
    disk.put(empty_log().into_directory());
    assert!(disk.directory(PARTITION).is_some());
    assert!(disk.remove(PARTITION));
    assert!(!disk.remove(PARTITION));
    assert_eq!(disk.directories().count(), 0);
}
