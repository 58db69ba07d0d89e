//! The metadata log: read with long polls, replayed after a crash.

use super::*;
use crate::base::config::IsolationLevel;
use crate::metadata::CLUSTER_METADATA;
use crate::record::ControlRecord;

/// Of a broker that knows the leader's epoch and all that was committed before `offset`.
fn fetch(lab: &Lab, offset: Offset, max_bytes: u32) -> Request {
    let epoch = lab.controller.epoch().expect("it is active");
    let partition = FetchPartition {
        partition: CLUSTER_METADATA,
        current_leader_epoch: epoch,
        fetch_offset: offset,
        last_fetched_epoch: lab.controller.log().epoch_for_offset(offset - 1).unwrap_or(0),
        log_start_offset: -1,
        partition_max_bytes: 0,
        high_watermark: offset,
    };
    Request::Fetch(FetchRequest {
        replica: Some(FetchReplica { id: BrokerId(0), epoch: -1 }),
        max_wait: Duration::from_millis(500),
        min_bytes: 0,
        max_bytes,
        isolation: IsolationLevel::ReadUncommitted,
        session: FetchSession::NONE,
        partitions: vec![partition],
        forgotten: Vec::new(),
        rack: None,
    })
}

fn answers(lab: &mut Lab) -> Vec<FetchPartitionResponse> {
    let fetched = |(_, response)| match response {
        Response::Fetch(mut response) => response.partitions.pop(),
        _ => None,
    };
    lab.responses.drain(..).filter_map(fetched).collect()
}

/// Reads the log as a broker would.
fn replayed(lab: &mut Lab) -> MetadataImage {
    let (mut image, mut delta) = (MetadataImage::default(), MetadataDelta::default());
    while image.offset() + 1 < lab.controller.log_end_offset() {
        lab.responses.clear();
        let request = fetch(lab, image.offset() + 1, 200);
        lab.send(0, Channel::Metadata, request);
        let answer = answers(lab).pop().expect("there are records");
        assert_eq!(answer.high_watermark, lab.controller.log_end_offset());
        assert!(!answer.records.is_empty());
        for batch in &answer.records {
            image.apply_batch(batch, &mut delta).expect("a batch of the controller");
        }
    }
    image
}

#[test]
fn brokers_read_what_the_controller_wrote() {
    let mut lab = Lab::cluster(3);
    lab.kill([0]);
    let image = replayed(&mut lab);
    assert_eq!(&image, lab.controller.image());
    assert_eq!(image.partition(P).expect("orders-0").leader, BrokerId(1));
    assert_eq!((image.feature_level("metadata.version"), image.feature_level("kraft.version")), (30, 0));
}

#[test]
fn a_fetch_at_the_end_waits_for_records() {
    let mut lab = Lab::cluster(2);
    lab.responses.clear();
    let end = lab.controller.log_end_offset();
    lab.send(0, Channel::Metadata, fetch(&lab, end, 1_000));
    lab.send(1, Channel::Metadata, fetch(&lab, end, 1_000));
    lab.pass(100);
    assert!(lab.responses.is_empty());
    lab.send(0, Channel::Forwarding, Request::CreateTopics(CreateTopicsRequest { topics: vec![] }));
    assert_eq!(lab.responses.len(), 1, "no record, no answer");
    lab.responses.clear();
    lab.pass(399);
    assert!(lab.responses.is_empty());
    lab.pass(1);
    let answers = answers(&mut lab);
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| answer.records.is_empty()), "both waited for half a second in vain");
}

#[test]
fn a_parked_fetch_is_answered_by_the_next_record() {
    let mut lab = Lab::cluster(2);
    let end = lab.controller.log_end_offset();
    lab.send(0, Channel::Metadata, fetch(&lab, end, 1_000));
    lab.send(1, Channel::Metadata, fetch(&lab, end, 1_000));
    let gone = ConnectionId { client: NodeId(1), server: CONTROLLER, channel: Channel::Metadata, generation: 0 };
    lab.event(|controller, now, out| controller.on_disconnect(now, NodeId(1), gone, out));
    lab.pass(100);
    lab.responses.clear();
    let wish = lab.wish(&[0]);
    let epoch = lab.epochs[&BrokerId(0)];
    let request = AlterPartitionRequest { broker: BrokerId(0), broker_epoch: epoch, partitions: vec![wish] };
    lab.send(0, Channel::AlterPartition, Request::AlterPartition(request));
    let answers = answers(&mut lab);
    assert_eq!(answers.len(), 1, "nobody speaks to a broken connection");
    assert_eq!((answers[0].error, answers[0].records[0].base_offset()), (ErrorCode::None, end));
    lab.pass(1_000);
    assert!(lab.responses.is_empty(), "nothing is answered twice");
}

#[test]
fn beyond_the_end_logs_diverge() {
    let mut lab = Lab::cluster(1);
    let (end, epoch) = (lab.controller.log_end_offset(), lab.controller.epoch().expect("it is active"));
    lab.responses.clear();
    lab.send(0, Channel::Metadata, fetch(&lab, end + 1, 1_000));
    let answer = &answers(&mut lab)[0];
    assert_eq!(
        (answer.error, answer.diverging_epoch),
        (ErrorCode::None, Some(EpochEndOffset { epoch, end_offset: end }))
    );
}

#[test]
fn a_restart_replays_the_log() {
    for crash in [Crash::Process, Crash::PowerLoss] {
        let mut lab = Lab::cluster(3);
        lab.kill([0]);
        let (mut image, epoch) = (lab.controller.image().clone(), lab.controller.epoch());
        let end = lab.controller.log_end_offset();
        lab.restart(crash);
        image.advance(end);
        assert_eq!(lab.controller.image(), &image, "the same, and one LeaderChange");
        assert_eq!(lab.controller.epoch(), epoch.map(|epoch| epoch + 1));
        let last = lab.controller.log().batches_from(0).last().expect("a batch").clone();
        assert_eq!((last.base_offset(), Some(last.leader_epoch())), (end, lab.controller.epoch()));
        let change = ControlRecord::of_batch(&last).expect("a control batch");
        assert!(matches!(change, Some(ControlRecord::LeaderChange { leader: BrokerId(9), .. })));
        // Sessions begin anew: who is alive has the time to say so.
        lab.pass(8_000);
        assert_eq!(lab.unfenced(), ids([1, 2]));
        lab.heartbeat(1);
        lab.kill([2]);
        lab.expect(1, 1, 2, &[1]);
    }
}

#[test]
fn a_damaged_batch_ends_the_log_at_the_next_start() {
    let mut lab = Lab::cluster(3);
    let mut good = lab.controller.image().clone();
    let end = lab.controller.log_end_offset();
    lab.set_isr(&[0]);
    lab.set_isr(&[0, 1]);
    lab.controller.raft.log_mut().corrupt(end);
    lab.restart(Crash::Process);
    good.advance(end);
    assert_eq!(lab.controller.image(), &good, "as before, and one LeaderChange");
    assert_eq!(lab.controller.log_end_offset(), end + 1);
}

#[test]
fn the_same_history_has_the_same_hash() {
    let run = || {
        let mut lab = Lab::cluster(3);
        lab.kill([2]);
        crate::base::StateHash::of(&lab.controller)
    };
    assert_eq!(run(), run());
}
