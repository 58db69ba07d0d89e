//! Bytes from outside: torn, flipped, missing, made up. Nothing panics, and what is told says what, where and what would
//! be right.

use super::goldens::*;
use bytes::Bytes;
use delivery_lab::base::{Offset, Time};
use delivery_lab::log::dump::{Options, dump};
use delivery_lab::log::files::{self, Beside, FileError, NamedFile, Opened, Remedy, checkpoint, render};
use delivery_lab::log::{RecoveryReport, UnifiedLog};
use proptest::prelude::*;

const FIRST: &str = "00000000000000000000";
const SECOND: &str = "00000000000000000030";

fn open(partition: &str, files: &[NamedFile], beside: Beside) -> Result<Opened, FileError> {
    files::open(PARTITION, files, beside, &config_of(partition), Time::ORIGIN)
}

fn recovered(partition: &str, opened: Opened) -> (UnifiedLog, RecoveryReport) {
    UnifiedLog::open(opened.directory, config_of(partition), Offset::MAX, Time::ORIGIN)
}

fn orders() -> Vec<NamedFile> {
    files_in("closed/orders-0")
}

const CLEAN: Beside = Beside { clean_shutdown: true, recovery_point: 60, log_start_offset: 7, cleaned_to: None };
/// A broker that was killed after it had flushed the first segment.
const KILLED: Beside = Beside { clean_shutdown: false, recovery_point: 30, log_start_offset: 7, cleaned_to: None };

fn change(files: &mut [NamedFile], name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
    let file = files.iter_mut().find(|file| file.name == name).expect("it is there");
    let mut bytes = file.bytes.to_vec();
    edit(&mut bytes);
    file.bytes = bytes.into();
}

fn findings(opened: &Opened) -> Vec<String> {
    opened.findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_torn_tail_is_cut() {
    let mut files = orders();
    change(&mut files, &format!("{SECOND}.log"), |bytes| bytes.truncate(1_400));
    let opened = open("orders-0", &files, KILLED).unwrap();
    let expected = "00000000000000000030.log, byte 1307: the batch ends after 93 of 142 bytes: cut off from there";
    assert_eq!(findings(&opened), [expected]);
    let (log, report) = recovered("orders-0", opened);
    assert_eq!((log.log_end_offset(), report.lost_bytes), (57, 93));
}

#[test]
fn a_flipped_byte_is_found_and_what_follows_it_is_cut() {
    let mut files = orders();
    change(&mut files, &format!("{SECOND}.log"), |bytes| bytes[500] ^= 4);
    let (log, report) = recovered("orders-0", open("orders-0", &files, KILLED).unwrap());
    assert_eq!((log.log_end_offset(), report.checked_batches), (39, 4));
    // Where Kafka does not look, it is there until somebody reads it.
    let mut files = orders();
    change(&mut files, &format!("{FIRST}.log"), |bytes| bytes[500] ^= 4);
    let (log, report) = recovered("orders-0", open("orders-0", &files, KILLED).unwrap());
    assert_eq!((log.log_end_offset(), report.lost_bytes), (60, 0));
    assert_eq!(log.batches_from(0).filter(|batch| !batch.validate_crc()).count(), 1);
}

#[test]
fn damage_where_kafka_does_not_look_is_refused() {
    let mut files = orders();
    change(&mut files, &format!("{FIRST}.log"), |bytes| bytes.truncate(1_400));
    let error = open("orders-0", &files, KILLED).unwrap_err().to_string();
    assert!(error.starts_with("00000000000000000000.log, byte 1310: the batch ends after 90 of "), "{error}");
    let mut files = orders();
    change(&mut files, &format!("{SECOND}.log"), |bytes| bytes[16] = 1);
    let error = open("orders-0", &files, KILLED).unwrap_err().to_string();
    assert_eq!(error, "00000000000000000030.log, byte 0: unsupported magic 1");
}

#[test]
fn missing_and_contradicting_indexes_are_made_anew() {
    for (suffix, problem) in [
        (
            ".index",
            "byte 0: offset is 41, which should be the last offset of the batch at its position, and above the entry before",
        ),
        (
            ".timeindex",
            "byte 0: timestamp is -1, which should be the largest timestamp up to its offset, and above the entry before",
        ),
    ] {
        let name = format!("{SECOND}{suffix}");
        let mut files = orders();
        files.retain(|file| file.name != name);
        let opened = open("orders-0", &files, CLEAN).unwrap();
        assert_eq!(findings(&opened), [format!("{name}, byte 0: the file is missing: rebuilt from the log")]);
        let mut files = orders();
        change(&mut files, &name, |bytes| match suffix {
            ".index" => bytes[7] ^= 1,
            _ => bytes[..8].copy_from_slice(&(-1_i64).to_be_bytes()),
        });
        let changed = open("orders-0", &files, CLEAN).unwrap();
        assert_eq!(findings(&changed), [format!("{name}, {problem}: rebuilt from the log")]);
        for opened in [opened, changed] {
            let id = opened.topic_id.clone().unwrap();
            let (log, _) = recovered("orders-0", opened);
            assert_same(&render(&log.close(), &id), &orders(), &[], "orders-0");
        }
    }
    let mut files = orders();
    change(&mut files, &format!("{SECOND}.index"), |bytes| bytes.push(0));
    let told = findings(&open("orders-0", &files, CLEAN).unwrap());
    let expected = "byte 24: 25 bytes are not a multiple of 8, the size of an entry: rebuilt from the log";
    assert_eq!(told, [format!("{SECOND}.index, {expected}")]);
}

#[test]
fn a_transaction_index_that_is_wrong_is_made_anew_with_its_segment() {
    let name = "00000000000000000032.txnindex";
    let theirs = files_in("closed/money-0");
    let mut files = theirs.clone();
    change(&mut files, name, |bytes| bytes[18..26].copy_from_slice(&1_i64.to_be_bytes()));
    let beside = Beside { clean_shutdown: true, recovery_point: 42, log_start_offset: 0, cleaned_to: None };
    let opened = open("money-0", &files, beside).unwrap();
    assert!(findings(&opened)[0].starts_with(&format!("{name}, byte 0: lastOffset is ")), "{:?}", findings(&opened));
    let id = opened.topic_id.clone().unwrap();
    let (log, _) = recovered("money-0", opened);
    assert_same(&render(&log.close(), &id), &theirs, &[], "money-0");
}

#[test]
fn a_snapshot_that_cannot_be_read_is_dropped_and_made_anew() {
    let mut files = orders();
    change(&mut files, "00000000000000000060.snapshot", |bytes| bytes[20] ^= 1);
    let opened = open("orders-0", &files, CLEAN).unwrap();
    let told = findings(&opened);
    assert!(told[0].starts_with("00000000000000000060.snapshot, byte 2: the CRC is "), "{told:?}");
    assert_eq!(opened.findings[0].remedy, Remedy::Dropped);
    let id = opened.topic_id.clone().unwrap();
    assert_same(&render(&recovered("orders-0", opened).0.close(), &id), &orders(), &[], "orders-0");
}

#[test]
fn left_overs_orphans_and_strangers() {
    let mut files = orders();
    let bytes = |name: &str| orders().into_iter().find(|file| file.name == name).unwrap().bytes;
    files.push(NamedFile::new("00000000000000000090.index", Bytes::new()));
    files.push(NamedFile::new("00000000000000000030.log.cleaned", Bytes::new()));
    files.push(NamedFile::new("00000000000000000000.log.deleted", Bytes::new()));
    files.push(NamedFile::new("notes.txt", Bytes::from_static(b"hello")));
    let told = findings(&open("orders-0", &files, CLEAN).unwrap());
    let left = "it is left over from an operation that did not end: dropped";
    let expected = [
        format!("00000000000000000030.log.cleaned, byte 0: {left}"),
        format!("00000000000000000000.log.deleted, byte 0: {left}"),
        "00000000000000000090.index, byte 0: there is no .log file of that offset: dropped".to_owned(),
    ];
    assert_eq!(told, expected);
    // The swap of a compaction was under way: the new segment replaces both old ones.
    let mut files = orders();
    let whole = [bytes(&format!("{FIRST}.log")), bytes(&format!("{SECOND}.log"))].concat();
    files.push(NamedFile::new(format!("{FIRST}.log.swap"), whole));
    let opened = open("orders-0", &files, KILLED).unwrap();
    assert_eq!(opened.directory.segments().len(), 1);
    assert_eq!(recovered("orders-0", opened).0.log_end_offset(), 60);
    let files = [NamedFile::new("7.log", Bytes::new())];
    let error = open("orders-0", &files, CLEAN).unwrap_err().to_string();
    assert!(error.starts_with("7.log, byte 0: the name must be an offset of 20 digits"), "{error}");
    let (log, _) = recovered("orders-0", open("orders-0", &[], CLEAN).unwrap());
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (7, 7), "nothing at all is an empty log");
}

/// What may have happened to a file.
#[derive(Clone, Debug)]
enum Harm {
    Flip(usize, u8),
    Truncate(usize),
    Extend(Vec<u8>),
    Remove,
    Replace(Vec<u8>),
    Rename(String),
    Number(usize, i64),
}

fn harm() -> impl Strategy<Value = Harm> {
    let some_bytes = || prop::collection::vec(any::<u8>(), 0..120);
    prop_oneof![
        6 => (any::<usize>(), 1..=255_u8).prop_map(|(at, mask)| Harm::Flip(at, mask)),
        2 => any::<usize>().prop_map(Harm::Truncate),
        1 => some_bytes().prop_map(Harm::Extend),
        1 => Just(Harm::Remove),
        1 => some_bytes().prop_map(Harm::Replace),
        1 => "[0-9]{20}\\.(log|index|timeindex|txnindex|snapshot)(\\.swap)?".prop_map(Harm::Rename),
        4 => (any::<usize>(), prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(-1), any::<i64>()])
            .prop_map(|(at, value)| Harm::Number(at, value)),
    ]
}

/// Writes a number of eight bytes, and makes the CRC of a batch or snapshot right again where it can.
fn inflict(files: &mut Vec<NamedFile>, which: usize, harm: Harm) {
    if files.is_empty() {
        return;
    }
    let index = which % files.len();
    let mut bytes = files[index].bytes.to_vec();
    match harm {
        Harm::Flip(at, mask) if !bytes.is_empty() => {
            let at = at % bytes.len();
            bytes[at] ^= mask;
        }
        Harm::Truncate(to) => bytes.truncate(to % (bytes.len() + 1)),
        Harm::Extend(more) => bytes.extend(more),
        Harm::Remove => drop(files.remove(index)),
        Harm::Replace(other) => bytes = other,
        Harm::Rename(name) => files[index].name = name,
        Harm::Number(at, value) if bytes.len() >= 8 => {
            let at = at % (bytes.len() - 7);
            bytes[at..at + 8].copy_from_slice(&value.to_be_bytes());
            if files[index].name.ends_with(".snapshot") && bytes.len() > 10 {
                let crc = crc32c::crc32c(&bytes[6..]);
                bytes[2..6].copy_from_slice(&crc.to_be_bytes());
            } else if files[index].name.ends_with(".log") && bytes.len() > 61 {
                let end = (12 + i32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]).max(49) as usize)
                    .min(bytes.len());
                let crc = crc32c::crc32c(&bytes[21..end.max(21)]);
                bytes[17..21].copy_from_slice(&crc.to_be_bytes());
            }
        }
        _ => {}
    }
    if let Some(file) = files.get_mut(index) {
        file.bytes = bytes.into();
    }
}

fn check_harmed(partition: &str, harmed: &[NamedFile], beside: Beside) {
    for file in harmed {
        let beside = |name: &str| harmed.iter().find(|it| it.name == name).map(|it| it.bytes.clone());
        dump(&file.name, &file.bytes, &beside, Options { deep: true, print: true, decoder: None });
    }
    let opened = match open(partition, harmed, beside) {
        Ok(opened) => opened,
        Err(error) => {
            assert!(!error.file.is_empty() && !error.to_string().is_empty());
            return;
        }
    };
    let (log, _) = recovered(partition, opened);
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    assert!(start <= log.last_stable_offset() && log.high_watermark() <= end);
    log.read(start, u32::MAX, end, true).expect("the log's own start is in it");
    let _ = (log.offset_for_timestamp(0), log.aborted_transactions(start, end));
    // What we make of it is sound: it comes back as it is.
    let rendered = render(&log.close(), "AAAAAAAAAAAAAAAAAAAAAQ");
    let sound = Beside { clean_shutdown: true, recovery_point: end, log_start_offset: start, cleaned_to: None };
    let again = open(partition, &rendered, sound).expect("we wrote it ourselves");
    assert!(again.findings.is_empty(), "{:?}", findings(&again));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_500) })]

    #[test]
    fn harmed_directories_never_panic(
        partition in prop::sample::select(vec!["orders-0", "money-0", "__transaction_state-0"]),
        golden in prop::sample::select(vec!["closed", "crashed"]),
        harms in prop::collection::vec((any::<usize>(), harm()), 1..6),
        clean in any::<bool>(),
        recovery_point in prop_oneof![0..100_i64, any::<i64>()],
        log_start_offset in prop_oneof![Just(0), 0..100_i64, any::<i64>()],
    ) {
        let mut files = files_in(&format!("{golden}/{partition}"));
        harms.into_iter().for_each(|(which, harm)| inflict(&mut files, which, harm));
        check_harmed(partition, &files, Beside { clean_shutdown: clean, recovery_point, log_start_offset, cleaned_to: None });
    }

    #[test]
    fn made_up_files_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[ -~\n\r\t]{0,80}") {
        let _ = files::indexes::read_offset_index(&bytes);
        let _ = files::indexes::read_time_index(&bytes);
        let _ = files::indexes::read_txn_index(&bytes);
        let _ = files::snapshot::read(&bytes, i64::MAX);
        for content in [bytes.as_slice(), text.as_bytes()] {
            let _ = checkpoint::read_leader_epochs(content);
            let _ = checkpoint::read_offsets("x", content);
            let _ = checkpoint::read_partition_metadata(content);
        }
    }
}
