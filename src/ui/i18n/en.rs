//! English.

use super::en_story as story;
use super::{Banner, Texts};
use delivery_lab::view::{GroupMarkKind, MarkKind, NodeStatus, RowStatus, TransactionMarkKind, Trouble};

pub static TEXTS: Texts = Texts {
    scenario: "Scenario",
    open_scenario: "Open a scenario file…",
    open_hint: "Or drop a .json file on the page, or paste its text.",
    own_scenario: "Your scenario",
    guarantee: "Guarantee",
    at_most_once: "At most once",
    at_least_once: "At least once",
    exactly_once: "Exactly once",
    custom: "Custom",
    at_most_once_title: "Producers: acks=0. Consumers: commit before processing. May lose, never duplicates.",
    at_least_once_title: "Producers: acks=all with retries. Consumers: enable.auto.commit=false, commit after processing. May duplicate, never loses.",
    exactly_once_title: "Producers: enable.idempotence=true and a transactional.id, unique and stable. Consumers: isolation.level=read_committed. Processors commit their offsets in the transaction. Holds for what Kafka stores; an effect outside of Kafka can still repeat.",
    custom_title: "Any other settings: choose them yourself, on the left",
    share: "Share",
    share_title: "A link to this run, to copy or to embed",
    sharing: super::sharing::EN,
    copied: "Copied",
    copy_failed: "The browser does not allow copying",
    other_language: "한국어",
    theme: |name| format!("Theme: {name}. Change it"),
    theme_auto: "as the system",
    theme_light: "light",
    theme_dark: "dark",
    skip: "Skip to the stage",
    invite: "Press Play and watch.",
    try_setting: |name, key, value| {
        if name.is_empty() { format!("Set {key}={value}") } else { format!("Set {key}={value} on {name}") }
    },
    run_again: " and run it again.",
    compare: "Compare, from the same seed:",
    as_written: "as written",
    refused: |what| if what.is_empty() { "That is not possible here".to_owned() } else { format!("{what}: refused") },
    changed: "Changed, and started over from the same seed:",
    back_to_written: "Back to the scenario as written",
    dismiss: "Dismiss",
    the_link: "The link",
    the_file: "The scenario file",
    the_setting: "The setting",
    settings: "Settings",
    producer: "Producer",
    consumer: "Consumer",
    processor: "Processor",
    reads: ", consumer",
    writes: ", producer",
    topic: "Topic",
    cluster: "Cluster",
    workload: "Workload",
    search_settings: "Find a setting",
    more_defaults: |count| format!("{count} more at their defaults"),
    fewer: "Show fewer",
    none_match: |text| format!("No setting has “{text}” in its name."),
    default_is: |value| format!("Default: {value}."),
    not_set: "not set",
    to_default: |key| format!("{key}: back to the default"),
    copy_properties: "Copy .properties",
    paste_properties: "Paste .properties",
    paste_hint: "One key=value a line. What is not here goes back to its default.",
    apply: "Apply",
    cancel: "Cancel",
    expected_number: |low, high| {
        if high == u64::MAX {
            format!("Expected a whole number, at least {low}.")
        } else {
            format!("Expected a whole number from {low} to {high}.")
        }
    },
    expected_words: |words| format!("Expected one of: {words}."),
    work_help: |key| match key {
        "records" => "How many records it sends in all.",
        "rate.per.second" => "How many records it hands to send() each second.",
        "key" => {
            "The keys of its records: none (sticky partitioning), record (its own number), entity:4 (four entities in turn)."
        }
        "processing.ms" => "How long its handler takes for one record.",
        "commit" => {
            "When it commits: before processing, after it with commitSync() or commitAsync(), or automatically inside poll()."
        }
        "hand.over" => "Who processes: the polling thread itself (inline), or a worker thread while polling goes on.",
        "sink.dedupe" => {
            "What the system behind it does with a record it has seen: nothing, refuse it by a unique key, ignore an older version, or look into a store of processed ids."
        }
        "sink.window.records" => "How many ids the store of processed ids remembers; 0: all of them.",
        "sink.window.ms" => "How long the store remembers an id; 0: for ever.",
        "sink.atomic" => "Whether the id (or the offset) is written in one transaction with the effect.",
        "sink.first" => {
            "If they are two writes: which comes first. A crash between them repeats (effect first) or loses (id first)."
        }
        "sink.latency.ms" => {
            "How long its reply takes. The effect has happened when the program begins to wait for it."
        }
        "sink.fail.every" => "Every how-manieth request it refuses; 0: none.",
        "sink.lose.reply.every" => {
            "The reply to every how-manieth request gets lost: the effect happened, the program does not know; 0: none."
        }
        "sink.poison.every" => "Every how-manieth record it never takes; 0: none.",
        "batch" => "Whether its handler gets all that poll() returned at once, and writes it with one request.",
        "retries" => "How often it tries a record again in place when its handler throws.",
        "retry.topic" => "Where it sends a record whose handler throws, once, to read it there again.",
        "dead.letter.topic" => {
            "Where it puts a record that it cannot handle. Without it the exception ends the program."
        }
        "transaction.records" => "How many records it puts into one transaction.",
        "abort.every" => "Every how-manieth transaction it aborts on purpose; 0: none.",
        "start.at.ms" => "How long after the beginning its process starts.",
        "offsets" => {
            "When it commits the offsets of what it read: as part of the transaction (sendOffsetsToTransaction), with commitSync() after it, or before it processes."
        }
        "partitions" => "How many partitions the topic has.",
        "replication.factor" => "How many brokers hold each partition.",
        "seed" => "All chance comes from it: the same seed gives the same run.",
        "brokers" => "How many brokers the cluster has.",
        "controllers" => "How many controllers keep the metadata: one alone, or three, of which any two can go on.",
        _ => "How long a message travels one way, in microseconds.",
    },
    by_setting: "by enable.auto.commit",
    faults: "Faults",
    no_faults: "Nothing is planned to go wrong. Click a message, a node or a link on the stage.",
    add_fault: "add a fault, or click anything on the stage",
    edit: "Edit",
    remove: "Remove",
    by_hand: "By hand, in this run",
    fault_when: "When",
    fault_at_ms: "at a time (ms)",
    fault_on_message: "on a message",
    fault_on_event: "on an event",
    fault_do: "Do",
    fault_node: "Node",
    fault_to: "To",
    fault_from: "From",
    fault_nth: "Which one, from 1",
    fault_kind: "Kind",
    fault_for_ms: "For (ms)",
    fault_by_ms: "By (ms)",
    anyone: "any",
    everyone: "everyone",
    when: story::when,
    what: story::what,
    what_message: story::what_message,
    verb: story::verb,
    stage: "Stage",
    stage_of: |producers, brokers, processors, consumers| {
        let processors = if processors > 0 { format!(", {processors} processors") } else { String::new() };
        format!("Stage: {producers} producers, {brokers} brokers{processors}, {consumers} consumers")
    },
    leader: "leader",
    follower: "follower",
    offline: "offline: its files",
    in_sync: "in sync",
    not_in_sync: "not in sync",
    epoch: |epoch| format!("epoch {epoch}"),
    in_flight: "in flight",
    in_flight_of: |count, most| format!("{count} of {most}"),
    buffer: "buffer",
    sent_of: "sent",
    position: "position",
    committed: "committed",
    pending: "polled",
    worker: "worker",
    sink: "sink",
    sink_of: |dedupe| if dedupe == "none" { "no dedupe".to_owned() } else { dedupe.to_owned() },
    sink_strategy: |strategy| match strategy {
        "unique-key" => "A table whose key is the record's id: a second insert is refused.",
        "version" => "Each entity has a version: what is older or equal is ignored, even if it was never there.",
        "processed-ids" => {
            "A store of processed ids: what is in it is ignored. What has fallen out of it would happen again."
        }
        "offset-with-output" => {
            "The offset is stored with the effect, in one transaction; a consumer that starts reads on from there."
        }
        _ => "It knows nothing of repetitions: every request is an effect.",
    },
    sink_row: |strategy, row| match (strategy, &row.older_than) {
        (_, Some((entity, version))) => {
            format!("version {} of {entity} ignored: it is at version {version}", row.record)
        }
        ("unique-key", _) if row.refused > 0 => "second insert refused: the key is there".to_owned(),
        ("version", _) if row.refused > 0 => "ignored: this version is there".to_owned(),
        (_, _) if row.forgotten && row.effects > 1 => "its id had fallen out: it happened again".to_owned(),
        (_, _) if row.forgotten => "its id has fallen out of the store".to_owned(),
        ("processed-ids", _) if row.refused > 0 => "ignored: its id is in the store".to_owned(),
        ("offset-with-output", _) if row.refused > 0 => "refused: below the stored offset".to_owned(),
        (_, _) if row.effects > 1 => "happened more than once".to_owned(),
        _ => String::new(),
    },
    stored_offsets: "offsets stored with the output",
    versions: "versions",
    activity: story::activity,
    status: |status| match status {
        NodeStatus::Up => "up",
        NodeStatus::Fenced => "fenced",
        NodeStatus::Paused => "paused",
        NodeStatus::Crashed => "crashed",
        NodeStatus::Stopped => "stopped",
        NodeStatus::PoweredOff => "no power",
    },
    trouble: |trouble| match trouble {
        Trouble::DiskFull => "disk full",
        Trouble::DiskSlow => "slow disk",
        Trouble::WrongClock => "wrong clock",
    },
    acknowledges: |records| if records.is_empty() { "ack".to_owned() } else { format!("ack {records}") },
    message_label: story::message_label,
    link_label: |a, b| format!("Link {a} – {b}"),
    link_state: |link| {
        if link.cut { "cut".to_owned() } else { format!("{} slower", crate::ui::words::span(link.slower_us)) }
    },
    node_label: |name, role, doing| {
        format!("{name}{}{role}: {doing}. Open its actions", if role.is_empty() { "" } else { ", " })
    },
    partition_label: |name, broker, leo, hw| {
        format!("{name} on {broker}: log end offset {leo}, high watermark {hw}. Inspect")
    },
    internal_hidden: |count| format!("+{count} internal"),
    legend: "Legend",
    legend_items: [
        "buffered",
        "appended",
        "committed",
        "duplicated",
        "lost",
        "a reader's position",
        "its committed offset",
        "control record",
        "open transaction",
        "hidden from read_committed",
        "aborted",
        "commit marker",
        "abort marker",
    ],
    hidden_records: |count| format!("{count} of them hidden from read_committed"),
    show_traffic: "Show replication and heartbeats",
    actions_on: |what| format!("What to do to: {what}"),
    reset: "Reset the connection",
    reset_help: "This message and all on its connection are lost; both ends notice.",
    stall: "Stall",
    stall_help: "It hangs, and all behind it, until the client's request.timeout.ms.",
    delay_help: |by| format!("Delay by {by}"),
    crash: "Crash",
    crash_help: "The process dies; its disk and page cache stay.",
    restart: "Start it again",
    shutdown: "Shut down",
    shutdown_help: "SIGTERM: the broker hands over what it leads, closes its logs and stops.",
    power_loss: "Power loss",
    power_loss_help: "The machine dies: only what was flushed stays.",
    slow_disk: "Slow disk: 1 s",
    slow_disk_help: "Each append and read takes that much longer; heartbeats do not.",
    full_disk: "Full disk",
    full_disk_help: "The next append fails, and the broker halts until there is room.",
    corrupt: "Flip a byte on disk",
    corrupt_help: "A stored batch no longer matches its CRC.",
    cut_one_way: |from, to| format!("Cut {from} → {to} only"),
    fault_ways: "Direction",
    both_ways: "both ways",
    one_way: "one way: nothing from the node gets there",
    topic_partition: "Partition (orders-0), or empty for any",
    offset: "Offset, or empty for any",
    pause_node: "Pause",
    pause_help: "It stops for a while, as in a long GC.",
    resume: "Resume",
    cut_off: "Cut off",
    cut_off_help: "Links carry nothing; nobody is told.",
    cut: "Cut",
    heal: "Heal",
    slow: "Slow down by 100 ms",
    slow_help: "Every message takes that much longer.",
    inspect: "Inspect",
    close: "Close",
    message_gone: "This message has arrived",
    for_good: "for good",
    verdict: "Verdict",
    claim: "settings claim",
    so_far: "so far",
    in_the_end: "in the end",
    holds: "holds",
    broken: "broken",
    because: "Because of:",
    guarantee_word: |word| match word {
        "at-most-once" => "at most once",
        "at-least-once" => "at least once",
        "exactly-once" => "exactly once",
        _ => "none",
    },
    lost: "lost",
    duplicated: "duplicated",
    reordered: "reordered",
    aborted_read: "aborted, yet read",
    note: ToString::to_string,
    banner,
    violations: "The engine broke one of its own invariants. Please report this.",
    ledger: "Ledger: one row a record",
    columns: [
        ("S", "sent"),
        ("A", "acked"),
        ("L", "appended to the log"),
        ("C", "committed"),
        ("D", "delivered"),
        ("P", "processed"),
    ],
    row_status: |status| match status {
        RowStatus::Waiting => "waiting",
        RowStatus::Sending => "sending",
        RowStatus::Stored => "stored",
        RowStatus::BehindLso => "behind the LSO",
        RowStatus::Processing => "processing",
        RowStatus::Once => "once",
        RowStatus::LogDuplicated => "in the log twice",
        RowStatus::Duplicated => "duplicated",
        RowStatus::TakenBack => "aborted",
        RowStatus::DeadLettered => "dead letter",
        RowStatus::Rejected => "rejected",
        RowStatus::AbortedRead => "aborted, yet processed",
        RowStatus::Refused => "refused",
        RowStatus::Lost => "lost",
        RowStatus::AckedLost => "acked, then lost",
    },
    row_label: |record| format!("Record {record}: its story"),
    nothing_sent: "Nothing sent yet.",
    story: |record| format!("The story of record {record}"),
    story_close: "Close the story",
    why: story::why,
    time: "Time",
    to_start: "To the start",
    step_back: "One event back",
    play: "Play",
    pause: "Pause",
    step: "One event on",
    to_end: "To the end",
    speed: "speed",
    auto: "auto",
    scrubber: "Move in time",
    branch: "branch",
    branch_name: |id, at| if id == 0 { "main".to_owned() } else { format!("{id}: from {at}") },
    window: "Time in view",
    zoom_in: "Show less time",
    zoom_out: "Show more time",
    lanes: "Timeline: one lane a node, arrows for messages",
    lanes_help: "Click or drag to move in time",
    mark: |kind| match kind {
        MarkKind::Fault => "fault",
        MarkKind::Started => "started",
        MarkKind::Leader => "new leader",
        MarkKind::Isr => "ISR changed",
        MarkKind::Truncated => "log cut off",
        MarkKind::Processed => "processed",
        MarkKind::Committed => "offsets committed",
        MarkKind::Error => "error",
    },
    transaction_mark: |kind, about, node| match kind {
        TransactionMarkKind::Commit => format!("commit marker in {about}, by {node}"),
        TransactionMarkKind::Abort => format!("abort marker in {about}, by {node}"),
        TransactionMarkKind::Initialized => format!("{node}: initTransactions() returned, epoch {about}"),
        TransactionMarkKind::Fenced => format!("{node} is fenced: {about}"),
    },
    finished: "finished",
    events: "Events",
    inspector: "Inspector",
    filter_events: "Filter: a node, a record, a word",
    no_events: "Nothing to list yet.",
    go_there: |time| format!("Go to {time} s"),
    event: story::event,
    nothing_selected: "Select a node below, or a log on the stage, to see all it holds. A cell opens its batch, byte by byte.",
    message_over: "This message is no longer under way.",
    no_coordinator: "No coordinator knows this transactional.id now: it is not there yet, or its coordinator is down or still loading.",
    no_group_coordinator: "No coordinator knows this group now: nobody has joined or committed yet, or its coordinator is down or still loading.",
    owned: [
        "assigned, and the member reads it",
        "assigned, the member does not have it yet",
        "no longer assigned, and the member does not know",
        "to be given up: the coordinator waits for the member",
        "its target, but another member still has it",
    ],
    generation: |it| format!("generation {it}"),
    nobody_reads: "nobody reads",
    two_read: |who| format!("both own it: {who}"),
    member: "member",
    not_member: "no member",
    group_mark: |kind, node, into| match kind {
        GroupMarkKind::Joined => format!("{node} joined, {into}"),
        GroupMarkKind::Lost => format!("{node} learns that it was thrown out"),
        GroupMarkKind::Left => format!("{node} left"),
    },
    stop_of: |count, of, lasted| format!("{count} of {of} unread · {lasted}"),
    stops: |count, longest, all| {
        let times = if count == 1 { "1 pause".to_owned() } else { format!("{count} pauses") };
        format!("{times} · longest {longest} · {all} in all")
    },
    no_stops: "no pause",
    stops_help: "A pause: from the moment a member gives a partition up (or dies) to the moment another one has it. “In all” adds up the partitions.",
    share_in_flight: "Records in flight",
    share_cell: |offset, record, state, deliveries, by| {
        format!("offset {offset}, record {record}: {state}{by}, delivered {deliveries} times")
    },
    share_states: [
        "acquired: locked for a member",
        "available, or again",
        "acknowledged",
        "archived: not delivered any more",
    ],
    pauses: "Pauses",
    longest: "longest",
    in_all: "in all",
    runs_so_far: "Runs so far",
    lag_of: |group, lag| format!("Lag of {group} in all: {lag}"),
    records_about: |partition, group| format!("{partition}: the newest record of each key about {group}"),
    records_in: |partition| format!("{partition}: the newest record of each key"),
    fenced_by_newer: "Fenced by a newer producer with the same transactional.id: this one can write no more.",
    machine: |now, next| format!("State: {now}. From here: {next}."),
    machine_pending: |pending| format!("On its way to {pending}: written, not yet replicated."),
    machine_dashed: "Dashed: only with transaction.version 2.",
    hex_of: |offset| format!("Batch at offset {offset}"),
    hex_none: "This batch is no longer there.",
    previous_batch: "Previous batch",
    next_batch: "Next batch",
    batch_with_offset: "Batch with offset",
    first_batch_of: |file| format!("First batch of {file}"),
    download: "download",
    download_file: |file| format!("Download {file}"),
    download_all: "Download Kafka's files (.tar)",
    cells_help: "The log's last offsets: the record above, its offset below. Select one to read its batch.",
    help: "Help",
    help_title: "Keys",
    keys: [
        ("Space", "play and pause"),
        ("← →", "one event back, one on"),
        (".", "one event on"),
        ("Home End", "to the start, to the end"),
        ("Tab", "through messages, nodes, links, settings, ledger"),
        ("Enter", "on a message, node or link: make it fail"),
        ("Esc", "close what is open"),
        ("?", "this help"),
        ("Ctrl V", "a scenario's JSON: open it"),
    ],
    about: "Nothing here is an animation: a Kafka cluster written in Rust runs in this tab, with real record batches, replication and clients, and what you see is its state. The same seed always gives the same run.",
};

fn banner(said: &Banner) -> String {
    let is = |records: &str, one: &str, many: &str| {
        let single = records.bytes().all(|byte| byte.is_ascii_digit());
        if single { format!("Record {records} {one}") } else { format!("Records {records} {many}") }
    };
    match said {
        Banner::Ready => "Ready. Nothing has happened yet.".to_owned(),
        Banner::Fine { processed, finished: false } => format!("So far, so good: {processed} processed."),
        Banner::Fine { processed, finished: true } => {
            format!("All is well: {processed} processed, none lost, none twice.")
        }
        Banner::LogDuplicated { records } => is(records, "is in the log twice.", "are in the log twice."),
        Banner::Duplicated { records } => {
            is(records, "was processed more than once.", "were processed more than once.")
        }
        Banner::Lost { records, acked: 0, .. } => is(records, "is lost.", "are lost."),
        Banner::Lost { records, acked, of } if acked < of => is(records, "", "are lost, although some were acked."),
        Banner::Lost { records, .. } => {
            is(records, "is lost, although it was acked.", "are lost, although all were acked.")
        }
        Banner::AbortedRead { records } => is(
            records,
            "was processed, although its transaction was aborted.",
            "were processed, although their transaction was aborted.",
        ),
        Banner::Reordered { records } => is(records, "came out of order.", "came out of order."),
    }
}
