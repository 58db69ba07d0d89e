//! The page's texts: one struct a language, so that a missing text does not compile. Kafka's terms stay as they are.

mod en;
mod en_story;
mod ko;
mod ko_story;
mod sharing;
mod work;

pub use sharing::Sharing;

use crate::base::config::{ConfigNote, Properties};
use crate::base::{Offset, TopicPartition};
use crate::protocol::{ElectionType, TransactionState};
use crate::record::{ControlRecord, RecordBatch};
use crate::scenario::format::{Text, What, When};
use crate::sim::AdminTask;
use crate::tell::lines::Line;
use crate::tell::why::Why;
use crate::view::{
    Activity, GroupMarkKind, LinkView, MarkKind, NodeStatus, RowStatus, SinkRow, TransactionMarkKind, Trouble,
};
use std::rc::Rc;

/// The languages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lang {
    /// English.
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// All of them.
    pub const ALL: [Lang; 2] = [Lang::En, Lang::Ko];

    /// Its texts.
    pub fn texts(self) -> &'static Texts {
        match self {
            Lang::En => &en::TEXTS,
            Lang::Ko => &ko::TEXTS,
        }
    }

    /// Its code in `<html lang>` and in links.
    pub const fn word(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Ko => "ko",
        }
    }

    /// The language of that code.
    pub fn from_word(word: &str) -> Option<Lang> {
        Lang::ALL.into_iter().find(|lang| lang.word() == word)
    }

    /// The other one.
    pub const fn other(self) -> Lang {
        match self {
            Lang::En => Lang::Ko,
            Lang::Ko => Lang::En,
        }
    }

    /// The scenario's text in this language.
    pub fn of(self, text: &Text) -> Rc<str> {
        match self {
            Lang::En => text.en.clone(),
            Lang::Ko => text.ko.clone(),
        }
    }
}

/// How a sentence is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// As it should be.
    Plain,
    /// Worth a look.
    Odd,
    /// Something went wrong.
    Bad,
    /// In the background.
    Quiet,
}

/// What happened, after the name of where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sentence {
    /// The sentence, which begins with the node's name or goes on from it.
    pub text: String,
    /// How to read it.
    pub tone: Tone,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// All texts of one language.
        #[allow(missing_docs)]
        pub struct Texts { $(pub $name: $type,)* }
    };
}

texts! {
    // The header
    scenario: &'static str,
    open_scenario: &'static str,
    open_hint: &'static str,
    own_scenario: &'static str,
    guarantee: &'static str,
    at_most_once: &'static str,
    at_least_once: &'static str,
    exactly_once: &'static str,
    custom: &'static str,
    at_most_once_title: &'static str,
    at_least_once_title: &'static str,
    exactly_once_title: &'static str,
    custom_title: &'static str,
    share: &'static str,
    share_title: &'static str,
    sharing: Sharing,
    copied: &'static str,
    copy_failed: &'static str,
    other_language: &'static str,
    theme: fn(&str) -> String,
    theme_auto: &'static str,
    theme_light: &'static str,
    theme_dark: &'static str,
    skip: &'static str,
    // The lede
    invite: &'static str,
    try_setting: fn(&str, &str, &str) -> String,
    run_again: &'static str,
    compare: &'static str,
    as_written: &'static str,
    // Notices
    refused: fn(&str) -> String,
    changed: &'static str,
    back_to_written: &'static str,
    dismiss: &'static str,
    the_link: &'static str,
    the_file: &'static str,
    the_message: &'static str,
    the_setting: &'static str,
    // Settings
    settings: &'static str,
    producer: &'static str,
    consumer: &'static str,
    processor: &'static str,
    reads: &'static str,
    writes: &'static str,
    topic: &'static str,
    group: &'static str,
    cluster: &'static str,
    workload: &'static str,
    search_settings: &'static str,
    more_defaults: fn(usize) -> String,
    fewer: &'static str,
    none_match: fn(&str) -> String,
    default_is: fn(&str) -> String,
    not_set: &'static str,
    to_default: fn(&str) -> String,
    copy_properties: &'static str,
    paste_properties: &'static str,
    paste_hint: &'static str,
    apply: &'static str,
    cancel: &'static str,
    expected_number: fn(u64, u64) -> String,
    expected_words: fn(&str) -> String,
    work_help: fn(&str) -> &'static str,
    /// What an empty choice of a field means.
    unset: fn(&str) -> &'static str,
    // Faults
    faults: &'static str,
    no_faults: &'static str,
    add_fault: &'static str,
    edit: &'static str,
    remove: &'static str,
    by_hand: &'static str,
    fault_when: &'static str,
    fault_at_ms: &'static str,
    fault_on_message: &'static str,
    fault_on_event: &'static str,
    fault_do: &'static str,
    fault_node: &'static str,
    fault_to: &'static str,
    fault_from: &'static str,
    fault_nth: &'static str,
    fault_kind: &'static str,
    fault_for_ms: &'static str,
    fault_by_ms: &'static str,
    anyone: &'static str,
    everyone: &'static str,
    when: fn(&When) -> String,
    what: fn(&What) -> String,
    what_message: fn(&What, &str) -> String,
    verb: fn(&str) -> &'static str,
    // The stage
    stage: &'static str,
    stage_of: fn(usize, usize, usize, usize) -> String,
    leader: &'static str,
    follower: &'static str,
    offline: &'static str,
    in_sync: &'static str,
    not_in_sync: &'static str,
    epoch: fn(i32) -> String,
    in_flight: &'static str,
    in_flight_of: fn(usize, u32) -> String,
    buffer: &'static str,
    sent_of: &'static str,
    position: &'static str,
    committed: &'static str,
    pending: &'static str,
    worker: &'static str,
    sink: &'static str,
    sink_of: fn(&str) -> String,
    /// How a strategy knows repetitions.
    sink_strategy: fn(&str) -> &'static str,
    /// What a row of a strategy's table says besides its numbers.
    sink_row: fn(&str, &SinkRow) -> String,
    stored_offsets: &'static str,
    versions: &'static str,
    activity: fn(&Activity, u64) -> String,
    status: fn(NodeStatus) -> &'static str,
    trouble: fn(Trouble) -> &'static str,
    acknowledges: fn(&str) -> String,
    message_label: fn(&MessageWords<'_>) -> String,
    link_label: fn(&str, &str) -> String,
    link_state: fn(&LinkView) -> String,
    node_label: fn(&str, &str, &str) -> String,
    partition_label: fn(&str, i64, i64) -> String,
    internal_hidden: fn(usize) -> String,
    legend: &'static str,
    /// The first seven always; where there are transactions, the last five as well.
    legend_items: [&'static str; 12],
    hidden_records: fn(i64) -> String,
    show_traffic: &'static str,
    // Popovers
    actions_on: fn(&str) -> String,
    reset: &'static str,
    reset_help: &'static str,
    stall: &'static str,
    stall_help: &'static str,
    delay_help: fn(&str) -> String,
    crash: &'static str,
    crash_help: &'static str,
    restart: &'static str,
    shutdown: &'static str,
    shutdown_help: &'static str,
    power_loss: &'static str,
    power_loss_help: &'static str,
    slow_disk: &'static str,
    slow_disk_help: &'static str,
    full_disk: &'static str,
    full_disk_help: &'static str,
    corrupt: &'static str,
    corrupt_help: &'static str,
    cut_one_way: fn(&str, &str) -> String,
    fault_ways: &'static str,
    both_ways: &'static str,
    one_way: &'static str,
    topic_partition: &'static str,
    offset: &'static str,
    pause_node: &'static str,
    pause_help: &'static str,
    resume: &'static str,
    cut_off: &'static str,
    cut_off_help: &'static str,
    cut: &'static str,
    heal: &'static str,
    slow: &'static str,
    slow_help: &'static str,
    inspect: &'static str,
    close: &'static str,
    message_gone: &'static str,
    for_good: &'static str,
    // The verdict
    verdict: &'static str,
    claim: &'static str,
    so_far: &'static str,
    in_the_end: &'static str,
    holds: &'static str,
    broken: &'static str,
    because: &'static str,
    guarantee_word: fn(&str) -> &'static str,
    lost: &'static str,
    duplicated: &'static str,
    reordered: &'static str,
    aborted_read: &'static str,
    note: fn(&ConfigNote) -> String,
    banner: fn(&Banner) -> String,
    violations: &'static str,
    ledger: &'static str,
    columns: [(&'static str, &'static str); 6],
    row_status: fn(RowStatus) -> &'static str,
    row_label: fn(u32) -> String,
    nothing_sent: &'static str,
    story: fn(u32) -> String,
    story_close: &'static str,
    why: fn(&Why) -> String,
    // Time
    time: &'static str,
    to_start: &'static str,
    step_back: &'static str,
    play: &'static str,
    pause: &'static str,
    step: &'static str,
    to_end: &'static str,
    speed: &'static str,
    auto: &'static str,
    scrubber: &'static str,
    branch: &'static str,
    branch_name: fn(u32, &str) -> String,
    window: &'static str,
    zoom_in: &'static str,
    zoom_out: &'static str,
    lanes: &'static str,
    lanes_help: &'static str,
    mark: fn(MarkKind) -> &'static str,
    transaction_mark: fn(TransactionMarkKind, &str, &str) -> String,
    finished: &'static str,
    // Tabs
    events: &'static str,
    inspector: &'static str,
    filter_events: &'static str,
    no_events: &'static str,
    go_there: fn(&str) -> String,
    event: fn(&Line) -> Sentence,
    nothing_selected: &'static str,
    message_over: &'static str,
    no_coordinator: &'static str,
    no_group_coordinator: &'static str,
    /// How a member's partitions are drawn: held, assigned and not yet held, held and no longer assigned; in the consumer
    /// protocol also to be given up, and meant for it.
    owned: [&'static str; 5],
    nobody_reads: &'static str,
    generation: fn(i32) -> String,
    two_read: fn(&str) -> String,
    member: &'static str,
    not_member: &'static str,
    /// Which member, and into what it came (`generation 2`, `epoch 3`).
    group_mark: fn(GroupMarkKind, &str, &str) -> String,
    /// So many partitions of so many are not read for so long.
    stop_of: fn(usize, usize, &str) -> String,
    /// How often that was so, the longest time, and all of them for all partitions.
    stops: fn(usize, &str, &str) -> String,
    no_stops: &'static str,
    stops_help: &'static str,
    share_in_flight: &'static str,
    /// Offset, record, state, deliveries, and who has it.
    share_cell: fn(i64, &str, &str, i16, &str) -> String,
    /// Acquired, available, acknowledged, archived.
    share_states: [&'static str; 4],
    pauses: &'static str,
    longest: &'static str,
    in_all: &'static str,
    runs_so_far: &'static str,
    lag_of: fn(&str, i64) -> String,
    records_about: fn(&str, &str) -> String,
    records_in: fn(&str) -> String,
    fenced_by_newer: &'static str,
    machine: fn(&str, &str) -> String,
    machine_pending: fn(&str) -> String,
    machine_dashed: &'static str,
    hex_of: fn(i64) -> String,
    hex_none: &'static str,
    cells_help: &'static str,
    previous_batch: &'static str,
    next_batch: &'static str,
    batch_with_offset: &'static str,
    first_batch_of: fn(&str) -> String,
    download: &'static str,
    download_file: fn(&str) -> String,
    download_all: &'static str,
    // Help
    help: &'static str,
    help_title: &'static str,
    keys: [(&'static str, &'static str); 9],
    about: &'static str,
}

/// A message, for its label.
#[allow(missing_docs)]
pub struct MessageWords<'a> {
    pub api: &'a str,
    pub response: bool,
    pub from: &'a str,
    pub to: &'a str,
    pub records: &'a str,
    pub error: Option<&'a str>,
    pub lost: bool,
    pub stalled: bool,
}

/// What the verdict says in one line.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Banner {
    /// Nothing has happened yet.
    Ready,
    /// Nothing to complain of, so far or at the end.
    Fine { processed: u64, finished: bool },
    /// In a log twice, effects not yet.
    LogDuplicated { records: String },
    /// Effects more than once.
    Duplicated { records: String },
    /// Gone.
    Lost { records: String, acked: usize, of: usize },
    /// Processed, though aborted.
    AbortedRead { records: String },
    /// Out of order.
    Reordered { records: String },
}

/// Whether a Korean word ends in a consonant, so that the particle after it can be chosen. Digits count as spoken.
pub fn ends_in_consonant(word: &str) -> bool {
    match word.trim_end_matches(['\'', '"', ')', ']']).chars().last() {
        Some(c @ '가'..='힣') => !(c as u32 - '가' as u32).is_multiple_of(28),
        Some('0' | '1' | '3' | '6' | '7' | '8') => true,
        Some('l' | 'm' | 'n' | 'L' | 'M' | 'N') => true,
        _ => false,
    }
}

/// Whether a state of a transaction is worth a look.
fn tone(state: TransactionState) -> Tone {
    use TransactionState::{CompleteAbort, PrepareAbort, PrepareEpochFence};
    if matches!(state, PrepareAbort | CompleteAbort | PrepareEpochFence) { Tone::Odd } else { Tone::Plain }
}

/// Whether a marker commits.
fn commits(marker: &RecordBatch) -> bool {
    matches!(ControlRecord::of_batch(marker), Ok(Some(ControlRecord::Commit { .. })))
}

/// Offsets from the first to the last.
fn range((first, last): (Offset, Offset)) -> String {
    if first == last { first.to_string() } else { format!("{first}–{last}") }
}

/// The first of some offsets, and how many there are beside it.
fn first_offset(offsets: &[(TopicPartition, Offset)]) -> (Offset, usize) {
    (offsets.first().map_or(0, |it| it.1), offsets.len().saturating_sub(1))
}

/// What an administrator asks for, as Kafka's own tools would be called.
fn task(task: &AdminTask) -> String {
    let about = |topic: &Option<Rc<str>>| topic.as_ref().map_or_else(String::new, |topic| format!(" --topic {topic}"));
    match task {
        AdminTask::ElectLeaders { election, topic, partition } => {
            let kind = if *election == ElectionType::Preferred { "preferred" } else { "unclean" };
            let partition = partition.map_or_else(String::new, |partition| format!(" --partition {partition}"));
            format!("kafka-leader-election --election-type {kind}{}{partition}", about(topic))
        }
        AdminTask::CreatePartitions { topic, count } => {
            format!("kafka-topics --alter --topic {topic} --partitions {count}")
        }
        AdminTask::Reassign { topic, partition, replicas: Some(replicas) } => {
            let ids: Vec<String> = replicas.iter().map(ToString::to_string).collect();
            format!("kafka-reassign-partitions --execute {topic}-{partition}: [{}]", ids.join(","))
        }
        AdminTask::Reassign { topic, partition, replicas: None } => {
            format!("kafka-reassign-partitions --cancel {topic}-{partition}")
        }
        AdminTask::DeleteRecords { topic, partition, offset } => {
            let offset = offset.map_or_else(|| "high watermark".to_owned(), |offset| offset.to_string());
            format!("kafka-delete-records {topic}-{partition} < {offset}")
        }
        AdminTask::AbortTransaction { topic, partition, offset } => {
            let start = offset.map_or_else(String::new, |offset| format!(" --start-offset {offset}"));
            format!("kafka-transactions abort {topic}-{partition}{start}")
        }
        AdminTask::AlterConfig { topic, config } => {
            format!("kafka-configs --alter{} {}", about(topic), changes(config))
        }
        AdminTask::AlterGroupConfig { group, config } => {
            format!("kafka-configs --alter --group {group} {}", changes(config))
        }
    }
}

fn changes(config: &Properties) -> String {
    let set: Vec<String> = config.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("--add-config {}", set.join(","))
}
