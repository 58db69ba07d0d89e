//! English sentences about what happens.

use super::{MessageWords, Sentence, Tone};
use crate::base::{Duration, NodeId};
use crate::node::{Event, FaultMark, RemovalReason};
use crate::protocol::StateBatch;
use crate::scenario::format::{What, When};
use crate::tell::lines::Line;
use crate::tell::why::{Handover, Why};
use crate::tell::words::{clock, node_name, records, span};
use crate::view::{Activity, is_fence};

fn offsets(ranges: impl Iterator<Item = (i64, i64)>) -> String {
    let ranges: Vec<String> = ranges.map(super::range).collect();
    format!("offsets {}", ranges.join(", "))
}

/// Offsets by what became of them.
fn deliveries(batches: &[StateBatch]) -> String {
    let one = |it: &StateBatch| {
        let (range, count) = (super::range((it.first_offset, it.last_offset)), it.delivery_count);
        match it.delivery_state {
            StateBatch::AVAILABLE => format!("{range} available again (delivery {count} is over)"),
            StateBatch::ACKNOWLEDGED => format!("{range} acknowledged"),
            _ => format!("{range} archived (delivery {count} was the last)"),
        }
    };
    batches.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn ordinal(nth: u32) -> String {
    let suffix = match (nth % 100, nth % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{nth}{suffix}")
}

fn for_while(duration: &Option<Duration>) -> String {
    duration.map_or_else(String::new, |it| format!(" for {}", span(it.0)))
}

pub fn when(when: &When) -> String {
    match when {
        When::At(at) => format!("at {} s", clock(at.us_since_origin())),
        When::Message { kind, from, to, nth } => {
            let from = from.as_ref().map_or_else(String::new, |it| format!(" from {}", node_name(it)));
            let to = to.as_ref().map_or_else(String::new, |it| format!(" to {}", node_name(it)));
            format!("the {} {kind}{from}{to}", ordinal(*nth))
        }
        When::Event { kind, node, nth } => {
            let node = node.as_ref().map_or_else(String::new, |it| format!(" at {}", node_name(it)));
            format!("on the {} “{}”{node}", ordinal(*nth), kind.word())
        }
    }
}

pub fn what(what: &What) -> String {
    match what {
        What::Crash { node, back_after } => format!("crash {}{}", node_name(node), for_while(back_after)),
        What::PowerLoss { node, back_after } => format!("power loss at {}{}", node_name(node), for_while(back_after)),
        What::Shutdown { node, back_after } => {
            format!("stop {} in an orderly way{}", node_name(node), for_while(back_after))
        }
        What::Admin(task) => super::task(task),
        What::Restart { node } => format!("start {} again", node_name(node)),
        What::Pause { node, duration } => format!("pause {}{}", node_name(node), for_while(duration)),
        What::Resume { node } => format!("resume {}", node_name(node)),
        What::Partition { a, b: Some(b), one_way: true, duration } => {
            format!("cut {} → {}{}", node_name(a), node_name(b), for_while(duration))
        }
        What::Partition { a, b: None, one_way: true, duration } => {
            format!("lose all that {} sends{}", node_name(a), for_while(duration))
        }
        What::Partition { a, b: Some(b), duration, .. } => {
            format!("cut {} – {}{}", node_name(a), node_name(b), for_while(duration))
        }
        What::Partition { a, b: None, duration, .. } => format!("cut {} off{}", node_name(a), for_while(duration)),
        What::Heal { a, b: Some(b) } => format!("heal {} – {}", node_name(a), node_name(b)),
        What::Heal { a, b: None } => format!("heal all links of {}", node_name(a)),
        What::Reset => "reset".to_owned(),
        What::Stall => "stall".to_owned(),
        What::Delay { by } => format!("delay by {}", span(by.0)),
        What::Slow { a, b, by, duration } => {
            let ends = [a, b].into_iter().flatten().map(|it| node_name(it)).collect::<Vec<_>>().join(" – ");
            format!(
                "slow {} by {}{}",
                if ends.is_empty() { "all links" } else { &ends },
                span(by.0),
                for_while(duration)
            )
        }
        What::SkewClock { node, by_ms } => format!("move the clock of {} by {by_ms} ms", node_name(node)),
        What::Corrupt { node, partition, offset } => {
            let offset = offset.map_or_else(String::new, |it| format!(" at offset {it}"));
            let partition = partition.as_ref().map_or_else(String::new, |it| format!(" of {it}"));
            format!("flip a byte{partition}{offset} on the disk of {}", node_name(node))
        }
        What::SlowDisk { node, by, duration } => {
            format!("slow the disk of {} by {}{}", node_name(node), span(by.0), for_while(duration))
        }
        What::FullDisk { node, duration } => format!("fill the disk of {}{}", node_name(node), for_while(duration)),
    }
}

pub fn what_message(deed: &What, message: &str) -> String {
    format!("{}: {message}", what(deed))
}

pub fn verb(verb: &str) -> &'static str {
    match verb {
        "crash" => "crash",
        "power_loss" => "power loss",
        "shutdown" => "stop in an orderly way",
        "restart" => "start again",
        "pause" => "pause",
        "resume" => "resume",
        "partition" => "cut links",
        "heal" => "heal links",
        "slow" => "slow links",
        "skew_clock" => "move its clock",
        "corrupt" => "flip a byte on disk",
        "slow_disk" => "slow disk",
        "full_disk" => "full disk",
        "elect_leaders" => "hold an election",
        "create_partitions" => "add partitions",
        "reassign" => "move replicas",
        "delete_records" => "delete records",
        "abort_transaction" => "abort a hanging transaction",
        "alter_config" => "change settings",
        "reset" => "reset the connection",
        "stall" => "stall",
        _ => "delay",
    }
}

pub fn message_label(it: &MessageWords<'_>) -> String {
    let kind = if it.response { "response" } else { "request" };
    let records = if it.records.is_empty() { String::new() } else { format!(", records {}", it.records) };
    let error = it.error.map_or_else(String::new, |error| format!(", {error}"));
    let fate = match (it.lost, it.stalled) {
        (true, _) => ", lost",
        (_, true) => ", hanging",
        _ => "",
    };
    format!("{} {kind}, {} → {}{records}{error}{fate}", it.api, it.from, it.to)
}

pub fn activity(it: &Activity, left_us: u64) -> String {
    let left = if left_us > 0 { format!(" · {} left", span(left_us)) } else { String::new() };
    match it {
        Activity::Idle => "idle".to_owned(),
        Activity::Finished => "done".to_owned(),
        Activity::Dead => "dead".to_owned(),
        Activity::Frozen => "paused".to_owned(),
        Activity::WaitingForMetadata => "looking for the leader".to_owned(),
        Activity::WaitingForProducerId => "asking for a producer id".to_owned(),
        Activity::Buffering { records: list } => format!("collecting {}", records(list)),
        Activity::WaitingForAck { records: list } => format!("waiting for the ack of {}", records(list)),
        Activity::Retrying { attempt, records: list } => {
            format!("retry {}: sending {} again", attempt.saturating_sub(1).max(1), records(list))
        }
        Activity::BackingOff { records: list, .. } => format!("no ack: will send {} again{left}", records(list)),
        Activity::JoiningGroup => "joining its group".to_owned(),
        Activity::WaitingForCoordinator => "looking for its coordinator".to_owned(),
        Activity::Polling => "polling".to_owned(),
        Activity::Processing { record, .. } => format!("processing {record}{left}"),
        Activity::Committing => "committing its offsets".to_owned(),
        Activity::ProducerFenced => "fenced by a newer producer with the same transactional.id".to_owned(),
        Activity::InitializingTransactions => "initTransactions()".to_owned(),
        Activity::InTransaction => "in a transaction".to_owned(),
        Activity::AddingPartitions => "adding partitions to the transaction".to_owned(),
        Activity::SendingOffsets => "adding its offsets to the transaction".to_owned(),
        Activity::EndingTransaction { committed: true } => "committing the transaction".to_owned(),
        Activity::EndingTransaction { committed: false } => "aborting the transaction".to_owned(),
        Activity::Failed { error } => format!("stopped: {error}"),
        Activity::WaitingForSink => "waiting for its sink".to_owned(),
        Activity::Replying => "replying".to_owned(),
        Activity::Fenced => "fenced".to_owned(),
        Activity::Starting => "starting".to_owned(),
        Activity::Serving { leads, follows } => format!("leads {leads}, follows {follows}"),
        Activity::Controlling { alive } => format!("{alive} brokers alive"),
        Activity::Standby { role, epoch } => format!("{role}, epoch {epoch}"),
    }
}

pub fn why(it: &Why) -> String {
    match it {
        Why::SentAgain { offsets, error } => {
            let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(" and ");
            let error = if error.is_empty() { String::new() } else { format!(" ({error})") };
            format!("The broker stored it, but the answer never reached the producer{error}, so the producer sent it again. Nothing told the broker that it was the same record: it stands at offsets {list}.")
        }
        Why::Forgotten { offsets, error } => {
            let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(" and ");
            let error = if error.is_empty() { String::new() } else { format!(" ({error})") };
            format!("The broker stored it, but the answer never reached the producer{error}, so the producer sent it again, with the same producer id and sequence number. By then the broker had forgotten the producer (producer.id.expiration.ms): it stands at offsets {list}.")
        }
        Why::Restarted { offsets } => {
            let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(" and ");
            format!("The program started again and sent it again, as a new producer: nothing ties the two together, and it stands at offsets {list}.")
        }
        Why::WrittenAgain { partition, offsets } => {
            let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(" and ");
            format!("What came of it was written, but its offset was not committed with it. The processor began again at the last committed offset, read it again and wrote again: offsets {list} of {partition}.")
        }
        Why::AbortedRead => "It was read and acted on while nobody knew how its transaction would end, and the transaction was aborted. With isolation.level=read_committed it would not have been returned by poll().".to_owned(),
        Why::CommittedAnyway => "Its program aborted the transaction, but a commit marker stands behind it in the log: a commit that was meant for another transaction of this producer ended this one. So even read_committed returned it.".to_owned(),
        Why::TakenBack => "Its producer aborted the transaction on purpose. It stays in the log, but read_committed leaves it out.".to_owned(),
        Why::ReadAgain { offset, times } => {
            format!("It stands in the log once, at offset {offset}, and was processed {times} times: the consumer stopped before this offset was committed, and then began again at the last committed one.")
        }
        Why::DeliveredAgain { times } => {
            format!("It was processed {times} times. Whoever had it first did not acknowledge it while it was locked for that member, so the share group delivered it again.")
        }
        Why::Exhausted { deliveries } => {
            format!("It was delivered {deliveries} times, and nobody could process it: the share group gave it up (group.share.delivery.count.limit), and archived it.")
        }
        Why::Rejected => "A consumer rejected it: the share group archives it, and nobody gets it again.".to_owned(),
        Why::ReadElsewhere { first, second, how } => {
            let how = match how {
                Handover::TooSlow => format!("{first} processed it, but did not call poll() again within max.poll.interval.ms: it counted as dead and had to leave the group before its offset was committed."),
                Handover::ThrownOut => format!("{first} processed it, but the coordinator did not hear of it for too long and threw it out of the group before its offset was committed."),
                Handover::Died => format!("{first} processed it, and died before its offset was committed."),
                Handover::Rebalanced => format!("{first} processed it, but a rebalance took its partition away before its offset was committed."),
            };
            if first == second {
                return format!("{how} Later it got the partition back, began at the last committed offset and processed it again.");
            }
            format!("{how} The partition went to {second}, which began at the last committed offset and processed it again.")
        }
        Why::BeganBehind { partition, position } => {
            format!("When {partition} was read for the first time its group had no committed offset there, and auto.offset.reset put the position to {position}, behind this record: nobody ever read it.")
        }
        Why::CommittedFirst => "It was delivered and its offset committed before it was processed. The consumer stopped in between, and later went on behind it.".to_owned(),
        Why::CutOff => "A broker had stored it, but the next leader had not: the log was cut back to what the new leader has.".to_owned(),
        Why::Undone => "Its producer never committed: the transaction was aborted. It stays in the log, but read_committed leaves it out.".to_owned(),
        Why::NotReplicated => "It was acked by a broker that is gone, and whoever leads now had no copy of it yet.".to_owned(),
        Why::Deleted => "Retention or DeleteRecords deleted it from the log before it was read.".to_owned(),
        Why::NobodyAsked => "With acks=0 the producer asks nobody: it was reported as sent, with offset −1, and no broker stored it.".to_owned(),
        Why::ToldFailed { error } => format!("The producer gave up and was told so: {error}."),
        Why::EffectOutside { times } => {
            format!("Its transaction was aborted, and it was read again. Kafka took back what had been written, but the effect at the sink is outside of Kafka: it happened {times} times.")
        }
        Why::RefusedBySink { times } => {
            let again = if *times == 1 { "again".to_owned() } else { format!("{times} times more") };
            format!("It was read and handed to the sink {again}, but the sink knew it and refused: its effect happened once.")
        }
        Why::Recognised => "It was sent again, but its producer id and sequence number told the broker that it has it already: stored once.".to_owned(),
    }
}

fn number(node: NodeId, line: &Line) -> String {
    line.name(node.0)
}

pub fn event(line: &Line) -> Sentence {
    let list = records(&line.records);
    let tp = &*line.partition;
    let rec = if line.records.len() == 1 { format!("record {list}") } else { format!("records {list}") };
    let (text, tone) = match &line.event.event {
        Event::Sent { .. } => (format!("send(): {rec} into the buffer of {tp}"), Tone::Plain),
        Event::BatchSent { to, attempt: 1, .. } => (format!("sent Produce to broker {to}: {rec}"), Tone::Plain),
        Event::BatchSent { to, attempt, .. } => {
            (format!("sent Produce to broker {to}: {rec}, attempt {attempt}"), Tone::Odd)
        }
        Event::Acked { offset: -1, .. } => {
            (format!("reported {rec} as sent: no answer asked for (offset −1)"), Tone::Plain)
        }
        Event::Acked { offset, .. } => (format!("got the ack: {rec} is at offset {offset} of {tp}"), Tone::Plain),
        Event::SendFailed { error, .. } => (format!("gave up on {rec}: {}", error.name()), Tone::Bad),
        Event::Retry { error, .. } => (format!("will send {rec} again: {}", error.name()), Tone::Odd),
        Event::Delivered { offset, .. } => (format!("poll() returned {rec} (offset {offset} of {tp})"), Tone::Plain),
        Event::Processing { .. } => (format!("began to process {rec}"), Tone::Plain),
        Event::HandlerFailed { error, .. } => {
            (format!("the handler of {rec} threw an exception: {}", error.name()), Tone::Bad)
        }
        Event::Acknowledged { kind, .. } => (format!("acknowledges {rec}: {}", kind.name()), Tone::Plain),
        Event::RecordsAcquired { group, records, .. } => (
            format!(
                "locked {} of {tp} for a member of {group}",
                offsets(records.iter().map(|it| (it.first_offset, it.last_offset)))
            ),
            Tone::Plain,
        ),
        Event::RecordsAcknowledged { group, batches, .. } => {
            (format!("noted for {group} of {tp}: {}", deliveries(batches)), Tone::Plain)
        }
        Event::SharePartitionLoaded { group, start_offset, .. } => {
            (format!("knows what {group} has done with {tp}: it begins at offset {start_offset}"), Tone::Plain)
        }
        Event::AcquisitionLockExpired { group, batches, .. } => {
            (format!("a lock of {group} ended, {tp}: {}", deliveries(batches)), Tone::Odd)
        }
        Event::Processed { offset, .. } => (format!("processed {rec} (offset {offset})"), Tone::Plain),
        Event::SinkRefused { offset, .. } => (format!("refused {rec}: a repetition (offset {offset})"), Tone::Odd),
        Event::OffsetsCommitted { offset, .. } => (format!("committed offset {offset} of {tp}"), Tone::Plain),
        Event::PositionSet { offset, from_commit: true, .. } => {
            (format!("reads {tp} from offset {offset}, its last commit"), Tone::Plain)
        }
        Event::PositionSet { offset, .. } => {
            (format!("reads {tp} from offset {offset} (auto.offset.reset)"), Tone::Plain)
        }
        Event::RequestFailed { api, peer, error } => {
            (format!("{} to {} failed: {}", api.name(), number(*peer, line), error.name()), Tone::Bad)
        }
        Event::Appended { leader, batch, .. } if batch.is_transactional() && batch.is_control() => {
            let tone = if *leader { Tone::Plain } else { Tone::Quiet };
            let how = if *leader { "wrote" } else { "replicated" };
            let kind = if super::commits(batch) { "commit" } else { "abort" };
            let (offset, id, epoch) = (batch.base_offset(), batch.producer_id(), batch.producer_epoch());
            (format!("{how} the {kind} marker of producer {id}, epoch {epoch}, at offset {offset} of {tp}"), tone)
        }
        Event::Appended { leader, batch, .. } => {
            let rec = if list.is_empty() { format!("{} records", batch.record_count()) } else { rec };
            let tone = if *leader { Tone::Plain } else { Tone::Quiet };
            let how = if *leader { "appended" } else { "replicated" };
            (format!("{how} {rec} at offset {} of {tp} (epoch {})", batch.base_offset(), batch.leader_epoch()), tone)
        }
        Event::DuplicateIgnored { base_offset, .. } => {
            (format!("knows {rec} already, at offset {base_offset}: not stored again"), Tone::Odd)
        }
        Event::HighWatermark { leader, offset, .. } => {
            (format!("high watermark of {tp} is {offset}"), if *leader { Tone::Plain } else { Tone::Quiet })
        }
        Event::BecameLeader { leader_epoch, log_end_offset, .. } => {
            (format!("leads {tp} in epoch {leader_epoch}, from offset {log_end_offset}"), Tone::Odd)
        }
        Event::BecameFollower { leader_epoch, leader, .. } => {
            (format!("follows broker {leader} for {tp} in epoch {leader_epoch}"), Tone::Plain)
        }
        Event::Truncated { from, to, .. } => (format!("cut {tp} back from offset {from} to {to}"), Tone::Bad),
        Event::LogStartMoved { leader, offset, .. } => (
            format!("{tp} starts at offset {offset}: what was before is gone"),
            if *leader { Tone::Odd } else { Tone::Quiet },
        ),
        Event::Compacted { to, bytes, .. } => {
            (format!("compacted {tp} up to offset {to}: {bytes} bytes less"), Tone::Plain)
        }
        Event::IsrChanged { isr, .. } => (
            format!("ISR of {tp} is {}", isr.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ")),
            Tone::Odd,
        ),
        Event::IsrProposed { isr, .. } => (
            format!("proposes ISR {} for {tp}", isr.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ")),
            Tone::Quiet,
        ),
        Event::LogDirFailed => ("cannot write to its disk: halts".to_owned(), Tone::Bad),
        Event::ProduceRefused { error, .. } => (format!("refused a write to {tp}: {}", error.name()), Tone::Bad),
        Event::LogRecovered { log_end_offset, lost_bytes, .. } => {
            let lost = if *lost_bytes > 0 { format!(", {lost_bytes} bytes lost") } else { String::new() };
            (
                format!("recovered {tp} up to offset {log_end_offset}{lost}"),
                if *lost_bytes > 0 { Tone::Bad } else { Tone::Plain },
            )
        }
        Event::BrokerFenced { broker } => (format!("fenced broker {broker}"), Tone::Odd),
        Event::BrokerUnfenced { broker } => (format!("broker {broker} is alive"), Tone::Plain),
        Event::PartitionChanged { leader, leader_epoch, unclean, .. } => {
            let unclean = if *unclean { ", unclean" } else { "" };
            (
                format!("{tp}: leader {leader}, epoch {leader_epoch}{unclean}"),
                if unclean.is_empty() { Tone::Plain } else { Tone::Bad },
            )
        }
        Event::QuorumChanged { role, epoch, leader } => {
            let leader = leader.map_or(String::new(), |leader| format!(", leader {}", number(leader, line)));
            (format!("{} in epoch {epoch}{leader}", role.name()), Tone::Plain)
        }
        Event::ControllerActive { epoch } => (format!("is the active controller of epoch {epoch}"), Tone::Odd),
        Event::MessageSent { to, summary, .. } => {
            let kind = if summary.response { summary.api.response_name() } else { summary.api.request_name() };
            let error = if summary.error.is_error() { format!(" {}", summary.error.name()) } else { String::new() };
            let records = if list.is_empty() { String::new() } else { format!(" ({list})") };
            (format!("→ {}: {kind}{records}{error}", number(*to, line)), Tone::Quiet)
        }
        Event::MessageDelivered { message } => (format!("received message {}", message.0), Tone::Quiet),
        Event::MessageLost { message } => (format!("message {} was lost", message.0), Tone::Bad),
        Event::Disconnected { peer, .. } => (format!("connection to {} broke", number(*peer, line)), Tone::Odd),
        Event::Fault(mark) => (fault(mark, line), Tone::Bad),
        Event::ConsumerFailed { error } => (format!("poll() threw an exception: {}", error.name()), Tone::Bad),
        Event::Started => ("started".to_owned(), Tone::Plain),
        Event::TransactionsInitialized { transactional_id, producer_id, producer_epoch } => (
            format!(
                "initTransactions() returned: {transactional_id} is producer {producer_id}, epoch {producer_epoch}"
            ),
            Tone::Plain,
        ),
        Event::TransactionBegun { .. } => ("began a transaction".to_owned(), Tone::Plain),
        Event::TransactionEnding { committed: true, .. } => ("commits the transaction".to_owned(), Tone::Plain),
        Event::TransactionEnding { committed: false, .. } => ("aborts the transaction".to_owned(), Tone::Plain),
        Event::TransactionEnded { committed: true, .. } => ("the transaction is committed".to_owned(), Tone::Plain),
        Event::TransactionEnded { committed: false, .. } => ("the transaction is aborted".to_owned(), Tone::Odd),
        Event::OffsetsSent { group, offsets } => {
            let (at, more) = super::first_offset(offsets);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (format!("put offset {at} of {tp}{more} into the transaction, for group {group}"), Tone::Plain)
        }
        Event::ProducerFailed { error } if is_fence(error) => {
            (format!("is fenced by a newer producer with the same transactional.id: {}", error.name()), Tone::Bad)
        }
        Event::ProducerFailed { error } => {
            (format!("a transaction call threw an exception: {}", error.name()), Tone::Bad)
        }
        Event::TransactionChanged { transactional_id, producer_epoch, state, .. } => {
            (format!("transaction {transactional_id} is {}, epoch {producer_epoch}", state.name()), super::tone(*state))
        }
        Event::TransactionalIdExpired { transactional_id } => {
            (format!("forgot transactional.id {transactional_id}: unused for too long"), Tone::Plain)
        }
        Event::GroupJoined { group, generation, .. } => {
            (format!("joined group {group}, generation {generation}"), Tone::Plain)
        }
        Event::PartitionsAssigned { partitions } => match partitions.len() {
            0 => ("is assigned nothing new".to_owned(), Tone::Plain),
            count => (format!("is assigned {tp}{}", and_more(count)), Tone::Plain),
        },
        Event::PartitionsRevoked { partitions } => (format!("gives up {tp}{}", and_more(partitions.len())), Tone::Odd),
        Event::PartitionsLost { partitions } => (format!("lost {tp}{}", and_more(partitions.len())), Tone::Bad),
        Event::MemberLeft { group, reason } => (format!("left group {group}: {reason}"), Tone::Odd),
        Event::GroupChanged { group, state, epoch } => {
            (format!("group {group} is {}, epoch {epoch}", state.name()), Tone::Plain)
        }
        Event::MemberJoined { group, member_id } => (format!("{member_id} is a member of group {group}"), Tone::Plain),
        Event::MemberRemoved { group, member_id, reason } => {
            (format!("{member_id} is no member of group {group} any more: {}", removal(*reason)), Tone::Odd)
        }
    };
    Sentence { text, tone }
}

fn removal(reason: RemovalReason) -> &'static str {
    match reason {
        RemovalReason::Left => "it left",
        RemovalReason::SessionTimeout => "no heartbeat within its session timeout",
        RemovalReason::RebalanceTimeout => "it did not keep up with the rebalance",
        RemovalReason::Replaced => "its instance came back",
        RemovalReason::GroupFull => "the group is full",
    }
}

fn and_more(count: usize) -> String {
    if count > 1 { format!(" and {} more", count - 1) } else { String::new() }
}

fn fault(mark: &FaultMark, line: &Line) -> String {
    match mark {
        FaultMark::Crashed => "crashed".to_owned(),
        FaultMark::ShuttingDown => "is asked to stop (SIGTERM)".to_owned(),
        FaultMark::Stopped => "has stopped in an orderly way".to_owned(),
        FaultMark::Asked(api) => format!("asks for {}", api.name()),
        FaultMark::PowerLost => "lost power".to_owned(),
        FaultMark::Paused => "stopped for a while".to_owned(),
        FaultMark::Resumed => "goes on".to_owned(),
        FaultMark::LinkCut(to) => format!("link to {} is cut", number(*to, line)),
        FaultMark::LinkHealed(to) => format!("link to {} works again", number(*to, line)),
        FaultMark::Reset(id) => format!("connection reset: message {} is lost", id.0),
        FaultMark::Stalled(id) => format!("message {} hangs, and all behind it", id.0),
        FaultMark::Delayed(id) => format!("message {} is delayed", id.0),
        FaultMark::Slowed(Some(to)) => format!("link to {} is slow", number(*to, line)),
        FaultMark::Slowed(None) => "all links are slow".to_owned(),
        FaultMark::ClockSkewed(ms) => format!("its clock was moved by {ms} ms"),
        FaultMark::Corrupted(_) => format!("bytes of {} were changed on disk", line.partition),
        FaultMark::DiskSlowed(by) => format!("its disk is slower by {}", span(by.0)),
        FaultMark::DiskFull => "its disk is full".to_owned(),
        FaultMark::DiskFreed => "its disk works again".to_owned(),
    }
}
