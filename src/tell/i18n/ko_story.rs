//! Korean sentences about what happens.

use super::{MessageWords, Sentence, Tone, ends_in_consonant};
use crate::base::{Duration, NodeId};
use crate::node::{Event, FaultMark, RemovalReason};
use crate::protocol::StateBatch;
use crate::scenario::format::{What, When};
use crate::tell::lines::Line;
use crate::tell::why::{Handover, Why};
use crate::tell::words::{clock, node_name, records, span};
use crate::view::{Activity, is_fence};

/// Offsets by what became of them.
fn deliveries(batches: &[StateBatch]) -> String {
    let one = |it: &StateBatch| {
        let (range, count) = (super::range((it.first_offset, it.last_offset)), it.delivery_count);
        match it.delivery_state {
            StateBatch::AVAILABLE => format!("오프셋 {range} 다시 전달 가능({count}번째 전달 끝)"),
            StateBatch::ACKNOWLEDGED => format!("오프셋 {range} 처리 확인"),
            _ => format!("오프셋 {range} 보관 처리({count}번째 전달이 마지막)"),
        }
    };
    batches.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// With the particle of the subject.
fn subject(word: &str) -> String {
    format!("{word}{}", if ends_in_consonant(word) { "이" } else { "가" })
}

/// The word with the object particle.
fn object(word: &str) -> String {
    format!("{word}{}", if ends_in_consonant(word) { "을" } else { "를" })
}

fn for_while(duration: &Option<Duration>) -> String {
    duration.map_or_else(String::new, |it| format!(" ({} 동안)", span(it.0)))
}

pub fn when(when: &When) -> String {
    match when {
        When::At(at) => format!("{} s에", clock(at.us_since_origin())),
        When::Message { kind, from, to, nth } => {
            let from = from.as_ref().map_or_else(|| "누구든".to_owned(), |it| node_name(it));
            let to = to.as_ref().map_or_else(|| "누구든".to_owned(), |it| node_name(it));
            format!("{nth}번째 {kind} ({from} → {to})")
        }
        When::Event { kind, node, nth } => {
            let node = node.as_ref().map_or_else(String::new, |it| format!("{}의 ", node_name(it)));
            format!("{node}{nth}번째 “{}” 때", kind.word())
        }
    }
}

pub fn what(what: &What) -> String {
    match what {
        What::Crash { node, back_after } => format!("{} 죽이기{}", node_name(node), for_while(back_after)),
        What::PowerLoss { node, back_after } => format!("{} 전원 차단{}", node_name(node), for_while(back_after)),
        What::Shutdown { node, back_after } => format!("{} 정상 종료{}", node_name(node), for_while(back_after)),
        What::Admin(task) => super::task(task),
        What::Restart { node } => format!("{} 다시 시작", node_name(node)),
        What::Pause { node, duration } => format!("{} 멈추기{}", node_name(node), for_while(duration)),
        What::Resume { node } => format!("{} 계속하기", node_name(node)),
        What::Partition { a, b: Some(b), one_way: true, duration } => {
            format!("{} → {} 끊기{}", node_name(a), node_name(b), for_while(duration))
        }
        What::Partition { a, b: None, one_way: true, duration } => {
            format!("{}가 보내는 모든 것 버리기{}", node_name(a), for_while(duration))
        }
        What::Partition { a, b: Some(b), duration, .. } => {
            format!("{} – {} 끊기{}", node_name(a), node_name(b), for_while(duration))
        }
        What::Partition { a, b: None, duration, .. } => format!("{} 고립{}", node_name(a), for_while(duration)),
        What::Heal { a, b: Some(b) } => format!("{} – {} 잇기", node_name(a), node_name(b)),
        What::Heal { a, b: None } => format!("{}의 모든 링크 잇기", node_name(a)),
        What::Reset => "연결 끊기(reset)".to_owned(),
        What::Stall => "멈춰 세우기(stall)".to_owned(),
        What::Delay { by } => format!("{} 늦추기", span(by.0)),
        What::Slow { a, b, by, duration } => {
            let ends = [a, b].into_iter().flatten().map(|it| node_name(it)).collect::<Vec<_>>().join(" – ");
            format!(
                "{} {} 느리게{}",
                if ends.is_empty() { "모든 링크" } else { &ends },
                span(by.0),
                for_while(duration)
            )
        }
        What::SkewClock { node, by_ms } => format!("{}의 시계를 {by_ms} ms 옮기기", node_name(node)),
        What::Corrupt { node, partition, offset } => {
            let offset = offset.map_or_else(String::new, |it| format!(" 오프셋 {it}의"));
            let partition = partition.as_ref().map_or_else(String::new, |it| format!(" {it}"));
            format!("{} 디스크에서{partition}{offset} 바이트 뒤집기", node_name(node))
        }
        What::SlowDisk { node, by, duration } => {
            format!("{}의 디스크를 {} 느리게{}", node_name(node), span(by.0), for_while(duration))
        }
        What::FullDisk { node, duration } => format!("{}의 디스크 채우기{}", node_name(node), for_while(duration)),
    }
}

pub fn what_message(deed: &What, message: &str) -> String {
    format!("{}: {message}", what(deed))
}

pub fn verb(verb: &str) -> &'static str {
    match verb {
        "crash" => "죽이기",
        "power_loss" => "전원 차단",
        "shutdown" => "정상 종료",
        "restart" => "다시 시작",
        "pause" => "멈추기",
        "resume" => "계속하기",
        "partition" => "링크 끊기",
        "heal" => "링크 잇기",
        "slow" => "링크 느리게",
        "skew_clock" => "시계 옮기기",
        "corrupt" => "디스크의 바이트 뒤집기",
        "slow_disk" => "느린 디스크",
        "full_disk" => "가득 찬 디스크",
        "elect_leaders" => "리더 선출",
        "create_partitions" => "파티션 늘리기",
        "reassign" => "복제본 옮기기",
        "delete_records" => "레코드 삭제",
        "abort_transaction" => "멈춘 트랜잭션 중단",
        "alter_config" => "설정 바꾸기",
        "reset" => "연결 끊기",
        "stall" => "멈춰 세우기",
        _ => "늦추기",
    }
}

pub fn message_label(it: &MessageWords<'_>) -> String {
    let kind = if it.response { "응답" } else { "요청" };
    let records = if it.records.is_empty() { String::new() } else { format!(", 레코드 {}", it.records) };
    let error = it.error.map_or_else(String::new, |error| format!(", {error}"));
    let fate = match (it.lost, it.stalled) {
        (true, _) => ", 유실",
        (_, true) => ", 멈춰 있음",
        _ => "",
    };
    format!("{} {kind}, {} → {}{records}{error}{fate}", it.api, it.from, it.to)
}

pub fn activity(it: &Activity, left_us: u64) -> String {
    let left = if left_us > 0 { format!(" · {} 남음", span(left_us)) } else { String::new() };
    match it {
        Activity::Idle => "대기".to_owned(),
        Activity::Finished => "완료".to_owned(),
        Activity::Dead => "죽음".to_owned(),
        Activity::Frozen => "멈춤".to_owned(),
        Activity::WaitingForMetadata => "리더를 찾는 중".to_owned(),
        Activity::WaitingForProducerId => "producer id 요청 중".to_owned(),
        Activity::Buffering { records: list } => format!("{} 모으는 중", records(list)),
        Activity::WaitingForAck { records: list } => format!("{}의 ack를 기다리는 중", records(list)),
        Activity::Retrying { attempt, records: list } => {
            format!("재시도 {}: {} 다시 보내는 중", attempt.saturating_sub(1).max(1), object(&records(list)))
        }
        Activity::BackingOff { records: list, .. } => {
            format!("ack 없음: {} 다시 보낼 예정{left}", object(&records(list)))
        }
        Activity::JoiningGroup => "그룹에 참여하는 중".to_owned(),
        Activity::WaitingForCoordinator => "coordinator를 찾는 중".to_owned(),
        Activity::Polling => "poll 중".to_owned(),
        Activity::Processing { record, .. } => format!("{record} 처리 중{left}"),
        Activity::Committing => "오프셋 커밋 중".to_owned(),
        Activity::ProducerFenced => "fenced: 같은 transactional.id로 새 프로듀서가 시작됨".to_owned(),
        Activity::InitializingTransactions => "initTransactions()".to_owned(),
        Activity::InTransaction => "트랜잭션 진행 중".to_owned(),
        Activity::AddingPartitions => "파티션을 트랜잭션에 추가하는 중".to_owned(),
        Activity::SendingOffsets => "오프셋을 트랜잭션에 넣는 중".to_owned(),
        Activity::EndingTransaction { committed: true } => "트랜잭션 커밋 중".to_owned(),
        Activity::EndingTransaction { committed: false } => "트랜잭션 중단 중".to_owned(),
        Activity::Failed { error } => format!("종료됨: {error}"),
        Activity::WaitingForSink => "싱크의 응답을 기다리는 중".to_owned(),
        Activity::Replying => "응답하는 중".to_owned(),
        Activity::Fenced => "fenced".to_owned(),
        Activity::Starting => "시작하는 중".to_owned(),
        Activity::Serving { leads, follows } => format!("리더 {leads}, 팔로워 {follows}"),
        Activity::Controlling { alive } => format!("브로커 {alive}대 작동 중"),
        Activity::Standby { role, epoch } => format!("{role}, epoch {epoch}"),
    }
}

pub fn why(it: &Why) -> String {
    match it {
        Why::SentAgain { offsets, error } => {
            let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            let error = if error.is_empty() { String::new() } else { format!("({error})") };
            format!("브로커는 저장했지만 응답이 프로듀서에 도착하지 않아{error} 프로듀서가 다시 보냈습니다. 브로커는 같은 레코드인지 알 방법이 없었고, 오프셋 {list}에 각각 남았습니다.")
        }
        Why::Forgotten { offsets, error } => {
            let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            let error = if error.is_empty() { String::new() } else { format!("({error})") };
            format!("브로커는 저장했지만 응답이 프로듀서에 도착하지 않아{error} 프로듀서가 같은 producer id와 sequence number로 다시 보냈습니다. 그 사이에 브로커가 이 프로듀서를 잊어버려(producer.id.expiration.ms) 오프셋 {list}에 각각 남았습니다.")
        }
        Why::Restarted { offsets } => {
            let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            format!("애플리케이션이 다시 시작되어 새 프로듀서로 다시 보냈습니다. 둘이 같은 레코드라는 단서가 없어 오프셋 {list}에 각각 남았습니다.")
        }
        Why::WrittenAgain { partition, offsets } => {
            let list = offsets.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            format!("결과는 기록되었지만 읽은 오프셋이 함께 커밋되지 않았습니다. 프로세서가 마지막 커밋부터 다시 읽고 다시 써서 {partition}의 오프셋 {list}에 각각 남았습니다.")
        }
        Why::AbortedRead => "트랜잭션이 어떻게 끝날지 모르는 상태에서 읽어 처리했고, 그 트랜잭션은 중단되었습니다. isolation.level=read_committed였다면 poll()이 돌려주지 않았을 레코드입니다.".to_owned(),
        Why::CommittedAnyway => "애플리케이션은 트랜잭션을 중단했지만 로그에는 커밋 마커가 남아 있습니다. 이 프로듀서의 다른 트랜잭션을 위한 커밋이 이 트랜잭션을 끝내 버렸고, 그래서 read_committed로도 읽혔습니다.".to_owned(),
        Why::TakenBack => "프로듀서가 일부러 트랜잭션을 중단했습니다. 로그에는 남아 있지만 read_committed는 건너뜁니다.".to_owned(),
        Why::ReadAgain { offset, times } => {
            format!("로그에는 오프셋 {offset}에 한 번만 있지만 {times}번 처리되었습니다. 이 오프셋이 커밋되기 전에 컨슈머가 멈췄고, 마지막 커밋부터 다시 읽었기 때문입니다.")
        }
        Why::DeliveredAgain { times } => {
            format!("{times}번 처리되었습니다. 레코드를 가진 멤버가 잠금이 유지되는 동안 확인 응답을 하지 않아, 공유 그룹이 다시 전달했기 때문입니다.")
        }
        Why::Exhausted { deliveries } => {
            format!("{deliveries}번 전달되었지만 아무도 처리하지 못했습니다. 공유 그룹이 한도(group.share.delivery.count.limit)에 따라 포기하고 보관 처리(ARCHIVED)했습니다.")
        }
        Why::Rejected => "컨슈머가 거부(REJECT)했습니다. 공유 그룹은 이 레코드를 보관 처리(ARCHIVED)하고 다시 전달하지 않습니다.".to_owned(),
        Why::ReadElsewhere { first, second, how } => {
            let (whose, next) = (subject(first), subject(second));
            let how = match how {
                Handover::TooSlow => format!("{whose} 처리했지만 max.poll.interval.ms 안에 poll()을 다시 부르지 않아, 오프셋을 커밋하기 전에 그룹에서 나가야 했습니다."),
                Handover::ThrownOut => format!("{whose} 처리했지만 코디네이터가 너무 오래 소식을 듣지 못해, 오프셋을 커밋하기 전에 그룹에서 제외되었습니다."),
                Handover::Died => format!("{whose} 처리했지만 오프셋을 커밋하기 전에 죽었습니다."),
                Handover::Rebalanced => format!("{whose} 처리했지만 오프셋을 커밋하기 전에 리밸런스로 파티션을 넘겨주었습니다."),
            };
            if first == second {
                return format!("{how} 나중에 파티션을 되찾아 마지막으로 커밋된 오프셋부터 읽어 다시 처리했습니다.");
            }
            format!("{how} 파티션을 넘겨받은 {next} 마지막으로 커밋된 오프셋부터 읽어 다시 처리했습니다.")
        }
        Why::BeganBehind { partition, position } => {
            format!("{partition} 파티션을 처음 읽을 때 그룹이 커밋한 오프셋이 없었고, auto.offset.reset에 따라 이 레코드보다 뒤인 오프셋 {position}부터 읽기 시작했습니다. 그래서 아무도 읽지 못했습니다.")
        }
        Why::CommittedFirst => "전달되고 처리되기 전에 오프셋이 먼저 커밋되었습니다. 그 사이에 컨슈머가 멈췄고, 다시 시작한 뒤에는 그다음부터 읽었습니다.".to_owned(),
        Why::CutOff => "한 브로커는 저장했지만 다음 리더에는 없었습니다. 로그는 새 리더가 가진 곳까지 잘렸습니다.".to_owned(),
        Why::Undone => "프로듀서가 커밋하지 못해 트랜잭션이 중단되었습니다. 로그에는 남아 있지만 read_committed는 건너뜁니다.".to_owned(),
        Why::NotReplicated => "ack를 보낸 브로커는 사라졌고, 지금의 리더에는 아직 복제되지 않은 상태였습니다.".to_owned(),
        Why::Deleted => "읽히기 전에 보존 기간·크기(retention) 또는 DeleteRecords 때문에 로그에서 삭제되었습니다.".to_owned(),
        Why::NobodyAsked => "acks=0이면 프로듀서는 아무에게도 묻지 않습니다. 오프셋 −1로 성공 처리되었지만 어느 브로커도 저장하지 않았습니다.".to_owned(),
        Why::ToldFailed { error } => format!("프로듀서가 포기했고, 실패를 통보받았습니다: {error}."),
        Why::EffectOutside { times } => {
            format!("트랜잭션이 중단되어 다시 읽혔습니다. Kafka에 쓴 것은 되돌려졌지만 싱크의 효과는 Kafka 밖의 일이라 되돌릴 수 없어 {times}번 일어났습니다.")
        }
        Why::RefusedBySink { times } => {
            format!("{times}번 더 읽혀 싱크에 전달되었지만, 싱크가 이미 아는 레코드라 거부했습니다. 효과는 한 번만 일어났습니다.")
        }
        Why::Recognised => "다시 보내졌지만 producer id와 sequence number 덕분에 브로커가 이미 가진 레코드임을 알아보고 한 번만 저장했습니다.".to_owned(),
    }
}

fn number(node: NodeId, line: &Line) -> String {
    line.name(node.0)
}

pub fn event(line: &Line) -> Sentence {
    let list = records(&line.records);
    let tp = &*line.partition;
    let rec = format!("레코드 {list}");
    let (text, tone) = match &line.event.event {
        Event::Sent { .. } => (format!("send(): {rec} → {tp} 버퍼"), Tone::Plain),
        Event::BatchSent { to, attempt: 1, .. } => (format!("broker {to}에 Produce 전송: {rec}"), Tone::Plain),
        Event::BatchSent { to, attempt, .. } => {
            (format!("broker {to}에 Produce 전송: {rec}, {attempt}번째 시도"), Tone::Odd)
        }
        Event::Acked { offset: -1, .. } => {
            (format!("{rec} 전송 완료로 보고: 응답을 요청하지 않음(오프셋 −1)"), Tone::Plain)
        }
        Event::Acked { offset, .. } => (format!("ack 받음: {rec}, {tp} 오프셋 {offset}"), Tone::Plain),
        Event::SendFailed { error, .. } => (format!("{rec} 포기: {}", error.name()), Tone::Bad),
        Event::Retry { error, .. } => (format!("{} 다시 보낼 예정: {}", object(&rec), error.name()), Tone::Odd),
        Event::Delivered { offset, .. } => {
            (format!("poll()이 {} 돌려줌({tp} 오프셋 {offset})", object(&rec)), Tone::Plain)
        }
        Event::Processing { .. } => (format!("{rec} 처리 시작"), Tone::Plain),
        Event::HandlerFailed { error, .. } => (format!("{rec} 처리 중 예외: {}", error.name()), Tone::Bad),
        Event::Acknowledged { kind, .. } => (format!("{rec} 확인 응답: {}", kind.name()), Tone::Plain),
        Event::RecordsAcquired { group, records, .. } => {
            let ranges: Vec<_> = records.iter().map(|it| super::range((it.first_offset, it.last_offset))).collect();
            (format!("{tp} 오프셋 {}: {group} 멤버에게 잠금", ranges.join(", ")), Tone::Plain)
        }
        Event::RecordsAcknowledged { group, batches, .. } => {
            (format!("{group}, {tp}: {}", deliveries(batches)), Tone::Plain)
        }
        Event::SharePartitionLoaded { group, start_offset, .. } => {
            (format!("{group}의 {tp} 상태를 읽음: 오프셋 {start_offset}부터"), Tone::Plain)
        }
        Event::AcquisitionLockExpired { group, batches, .. } => {
            (format!("{group}의 잠금 만료, {tp}: {}", deliveries(batches)), Tone::Odd)
        }
        Event::Processed { offset, .. } => (format!("{rec} 처리 완료(오프셋 {offset})"), Tone::Plain),
        Event::SinkRefused { offset, .. } => (format!("{rec} 거부: 이미 처리됨(오프셋 {offset})"), Tone::Odd),
        Event::OffsetsCommitted { offset, .. } => (format!("{tp} 오프셋 {offset} 커밋"), Tone::Plain),
        Event::PositionSet { offset, from_commit: true, .. } => {
            (format!("{tp}: 마지막 커밋인 오프셋 {offset}부터 읽음"), Tone::Plain)
        }
        Event::PositionSet { offset, .. } => {
            (format!("{tp}: 오프셋 {offset}부터 읽음(auto.offset.reset)"), Tone::Plain)
        }
        Event::RequestFailed { api, peer, error } => {
            (format!("{}에 보낸 {} 실패: {}", number(*peer, line), api.name(), error.name()), Tone::Bad)
        }
        Event::Appended { leader, batch, .. } if batch.is_transactional() && batch.is_control() => {
            let tone = if *leader { Tone::Plain } else { Tone::Quiet };
            let how = if *leader { "기록" } else { "복제" };
            let kind = if super::commits(batch) { "커밋" } else { "중단" };
            let (offset, id, epoch) = (batch.base_offset(), batch.producer_id(), batch.producer_epoch());
            (format!("{tp} 오프셋 {offset}에 프로듀서 {id}(epoch {epoch})의 {kind} 마커 {how}"), tone)
        }
        Event::Appended { leader, batch, .. } => {
            let rec = if list.is_empty() { format!("레코드 {}개", batch.record_count()) } else { rec };
            let how = if *leader { "기록" } else { "복제" };
            let tone = if *leader { Tone::Plain } else { Tone::Quiet };
            (format!("{tp} 오프셋 {}에 {rec} {how}(epoch {})", batch.base_offset(), batch.leader_epoch()), tone)
        }
        Event::DuplicateIgnored { base_offset, .. } => {
            (format!("{rec}: 이미 오프셋 {base_offset}에 있어 다시 저장하지 않음"), Tone::Odd)
        }
        Event::HighWatermark { leader, offset, .. } => {
            (format!("{tp} high watermark {offset}"), if *leader { Tone::Plain } else { Tone::Quiet })
        }
        Event::BecameLeader { leader_epoch, log_end_offset, .. } => {
            (format!("{tp}의 리더가 됨(epoch {leader_epoch}, 오프셋 {log_end_offset}부터)"), Tone::Odd)
        }
        Event::BecameFollower { leader_epoch, leader, .. } => {
            (format!("{tp}에서 broker {leader}의 팔로워가 됨(epoch {leader_epoch})"), Tone::Plain)
        }
        Event::Truncated { from, to, .. } => (format!("{tp}: 오프셋 {from}에서 {to}까지 잘라 냄"), Tone::Bad),
        Event::LogStartMoved { leader, offset, .. } => (
            format!("{tp}: 이제 오프셋 {offset}에서 시작, 그 앞은 삭제됨"),
            if *leader { Tone::Odd } else { Tone::Quiet },
        ),
        Event::Compacted { to, bytes, .. } => {
            (format!("{tp}: 오프셋 {to}까지 compaction, {bytes}바이트 줄어듦"), Tone::Plain)
        }
        Event::IsrChanged { isr, .. } => {
            (format!("{tp} ISR: {}", isr.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ")), Tone::Odd)
        }
        Event::IsrProposed { isr, .. } => (
            format!("{tp} ISR 제안: {}", isr.iter().map(ToString::to_string).collect::<Vec<_>>().join(" · ")),
            Tone::Quiet,
        ),
        Event::LogDirFailed => ("디스크에 쓸 수 없어 스스로 멈춤".to_owned(), Tone::Bad),
        Event::ProduceRefused { error, .. } => (format!("{tp} 쓰기 거부: {}", error.name()), Tone::Bad),
        Event::LogRecovered { log_end_offset, lost_bytes, .. } => {
            let lost = if *lost_bytes > 0 { format!(", {lost_bytes}바이트 유실") } else { String::new() };
            (
                format!("{tp} 복구: 오프셋 {log_end_offset}까지{lost}"),
                if *lost_bytes > 0 { Tone::Bad } else { Tone::Plain },
            )
        }
        Event::BrokerFenced { broker } => (format!("broker {broker} fenced"), Tone::Odd),
        Event::BrokerUnfenced { broker } => (format!("broker {broker} 작동 확인"), Tone::Plain),
        Event::PartitionChanged { leader, leader_epoch, unclean, .. } => {
            let unclean = if *unclean { ", unclean" } else { "" };
            (
                format!("{tp}: 리더 {leader}, epoch {leader_epoch}{unclean}"),
                if unclean.is_empty() { Tone::Plain } else { Tone::Bad },
            )
        }
        Event::QuorumChanged { role, epoch, leader } => {
            let leader = leader.map_or(String::new(), |leader| format!(", 리더 {}", number(leader, line)));
            (format!("epoch {epoch}에서 {}{leader}", role.name()), Tone::Plain)
        }
        Event::ControllerActive { epoch } => (format!("epoch {epoch}의 액티브 컨트롤러가 됨"), Tone::Odd),
        Event::MessageSent { to, summary, .. } => {
            let kind = if summary.response { summary.api.response_name() } else { summary.api.request_name() };
            let error = if summary.error.is_error() { format!(" {}", summary.error.name()) } else { String::new() };
            let records = if list.is_empty() { String::new() } else { format!(" ({list})") };
            (format!("→ {}: {kind}{records}{error}", number(*to, line)), Tone::Quiet)
        }
        Event::MessageDelivered { message } => (format!("메시지 {} 받음", message.0), Tone::Quiet),
        Event::MessageLost { message } => (format!("메시지 {} 유실", message.0), Tone::Bad),
        Event::Disconnected { peer, .. } => (format!("{}와의 연결이 끊김", number(*peer, line)), Tone::Odd),
        Event::Fault(mark) => (fault(mark, line), Tone::Bad),
        Event::ConsumerFailed { error } => (format!("poll()에서 예외: {}", error.name()), Tone::Bad),
        Event::Started => ("시작".to_owned(), Tone::Plain),
        Event::TransactionsInitialized { transactional_id, producer_id, producer_epoch } => (
            format!("initTransactions() 반환: {transactional_id} = 프로듀서 {producer_id}, epoch {producer_epoch}"),
            Tone::Plain,
        ),
        Event::TransactionBegun { .. } => ("트랜잭션 시작".to_owned(), Tone::Plain),
        Event::TransactionEnding { committed: true, .. } => ("트랜잭션 커밋 요청".to_owned(), Tone::Plain),
        Event::TransactionEnding { committed: false, .. } => ("트랜잭션 중단 요청".to_owned(), Tone::Plain),
        Event::TransactionEnded { committed: true, .. } => ("트랜잭션이 커밋됨".to_owned(), Tone::Plain),
        Event::TransactionEnded { committed: false, .. } => ("트랜잭션이 중단됨".to_owned(), Tone::Odd),
        Event::OffsetsSent { group, offsets } => {
            let (at, more) = super::first_offset(offsets);
            let what = if more > 0 { format!("오프셋 {at} 외 {more}개") } else { format!("오프셋 {at}") };
            (format!("그룹 {group}의 {tp} {} 트랜잭션에 넣음", object(&what)), Tone::Plain)
        }
        Event::ProducerFailed { error } if is_fence(error) => {
            (format!("같은 transactional.id를 쓰는 새 프로듀서에게 밀려남(fenced): {}", error.name()), Tone::Bad)
        }
        Event::ProducerFailed { error } => (format!("트랜잭션 호출에서 예외: {}", error.name()), Tone::Bad),
        Event::TransactionChanged { transactional_id, producer_epoch, state, .. } => {
            (format!("트랜잭션 {transactional_id}: {}, epoch {producer_epoch}", state.name()), super::tone(*state))
        }
        Event::TransactionalIdExpired { transactional_id } => {
            (format!("오래 쓰이지 않은 transactional.id {} 지움", object(transactional_id)), Tone::Plain)
        }
        Event::GroupJoined { group, generation, .. } => {
            (format!("그룹 {group} 참여, generation {generation}"), Tone::Plain)
        }
        Event::PartitionsAssigned { partitions } => match partitions.len() {
            0 => ("새로 할당된 파티션 없음".to_owned(), Tone::Plain),
            count => (format!("{tp}{} 할당됨", and_more(count)), Tone::Plain),
        },
        Event::PartitionsRevoked { partitions } => (format!("{tp}{} 반납", and_more(partitions.len())), Tone::Odd),
        Event::PartitionsLost { partitions } => (format!("{tp}{} 잃음", and_more(partitions.len())), Tone::Bad),
        Event::MemberLeft { group, reason } => (format!("그룹 {group} 탈퇴: {reason}"), Tone::Odd),
        Event::GroupChanged { group, state, epoch } => {
            (format!("그룹 {group}: {}, epoch {epoch}", state.name()), Tone::Plain)
        }
        Event::MemberJoined { group, member_id } => (format!("그룹 {group} 멤버 추가: {member_id}"), Tone::Plain),
        Event::MemberRemoved { group, member_id, reason } => {
            (format!("그룹 {group} 멤버 제거: {member_id} ({})", removal(*reason)), Tone::Odd)
        }
    };
    Sentence { text, tone }
}

fn removal(reason: RemovalReason) -> &'static str {
    match reason {
        RemovalReason::Left => "탈퇴",
        RemovalReason::SessionTimeout => "session timeout 안에 하트비트가 없음",
        RemovalReason::RebalanceTimeout => "리밸런스를 제때 따라가지 못함",
        RemovalReason::Replaced => "같은 인스턴스가 다시 들어옴",
        RemovalReason::GroupFull => "그룹이 가득 참",
    }
}

fn and_more(count: usize) -> String {
    if count > 1 { format!(" 외 {}개", count - 1) } else { String::new() }
}

fn fault(mark: &FaultMark, line: &Line) -> String {
    match mark {
        FaultMark::Crashed => "죽음(crash)".to_owned(),
        FaultMark::ShuttingDown => "종료 요청을 받음(SIGTERM)".to_owned(),
        FaultMark::Stopped => "정상적으로 종료됨".to_owned(),
        FaultMark::Asked(api) => format!("{} 요청", api.name()),
        FaultMark::PowerLost => "전원이 꺼짐".to_owned(),
        FaultMark::Paused => "잠시 멈춤".to_owned(),
        FaultMark::Resumed => "다시 움직임".to_owned(),
        FaultMark::LinkCut(to) => format!("{} 쪽 링크가 끊김", number(*to, line)),
        FaultMark::LinkHealed(to) => format!("{} 쪽 링크가 이어짐", number(*to, line)),
        FaultMark::Reset(id) => format!("연결 reset: 메시지 {} 유실", id.0),
        FaultMark::Stalled(id) => format!("메시지 {}와 뒤따르는 메시지가 멈춤", id.0),
        FaultMark::Delayed(id) => format!("메시지 {} 지연", id.0),
        FaultMark::Slowed(Some(to)) => format!("{} 쪽 링크가 느려짐", number(*to, line)),
        FaultMark::Slowed(None) => "모든 링크가 느려짐".to_owned(),
        FaultMark::ClockSkewed(ms) => format!("시계가 {ms} ms 옮겨짐"),
        FaultMark::Corrupted(_) => format!("디스크에서 {}의 바이트가 바뀜", line.partition),
        FaultMark::DiskSlowed(by) => format!("디스크가 {} 느려짐", span(by.0)),
        FaultMark::DiskFull => "디스크가 가득 참".to_owned(),
        FaultMark::DiskFreed => "디스크가 다시 제대로 동작함".to_owned(),
    }
}
