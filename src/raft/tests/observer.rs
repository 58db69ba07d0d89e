//! A broker's half.

use super::*;

struct Reader {
    observer: Observer,
    now: Time,
    random: Prng,
    sent: Vec<(NodeId, u32, Request)>,
}

impl Reader {
    fn new(voters: u16) -> Reader {
        let voters = (0..voters).map(NodeId).collect();
        let (backoff, timeout) = (Duration::from_millis(20), Duration::from_millis(2_000));
        let observer = Observer::new(BrokerId(9), LOG, &voters, backoff, timeout);
        let mut reader = Reader { observer, now: Time(0), random: Prng::split(3, "reader"), sent: Vec::new() };
        reader.poll();
        reader
    }

    fn poll(&mut self) {
        let mut effects = Vec::new();
        self.observer.poll(self.now, &mut Outbox::new(&mut effects, &mut self.random));
        for effect in effects {
            if let Effect::Request { to, correlation_id, request, .. } = effect {
                self.sent.push((to, correlation_id, request));
            }
        }
    }

    fn last(&self) -> (NodeId, FetchPartition) {
        match self.sent.last() {
            Some((to, _, Request::Fetch(request))) => (*to, request.partitions[0]),
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, edit: impl FnOnce(&mut FetchPartitionResponse)) -> Observed {
        let (to, correlation, _) = self.sent.last().cloned().expect("a request");
        let response = nothing_new(to, self.observer.epoch(), edit);
        let observed = self.observer.on_response(self.now, to, correlation, Response::Fetch(response));
        self.poll();
        observed
    }

    /// Follows node 1 in epoch 2.
    fn following() -> Reader {
        let mut reader = Reader::new(3);
        reader.answer(|answer| {
            answer.error = ErrorCode::FencedLeaderEpoch;
            answer.current_leader = Some(leader(Some(A), 2));
        });
        assert_eq!(reader.last().0, A);
        reader
    }
}

#[test]
fn only_what_is_committed_is_handed_out() {
    let mut reader = Reader::following();
    let (first, second) = (batch(0, 1, &["a", "b"]), batch(2, 2, &["c"]));
    let records = vec![first.clone(), second.clone()];
    let observed = reader.answer(|answer| (answer.records, answer.high_watermark) = (records, 2));
    assert_eq!(observed, Observed::Batches(vec![first]));
    assert!(reader.observer.is_caught_up());
    let next = reader.last().1;
    assert_eq!((next.fetch_offset, next.last_fetched_epoch, next.high_watermark), (3, 2, 2));
    assert_eq!(reader.answer(|answer| answer.high_watermark = 3), Observed::Batches(vec![second]));
    assert_eq!(reader.answer(|answer| answer.high_watermark = 3), Observed::Batches(vec![]));
}

#[test]
fn what_is_not_committed_is_cut_off_when_logs_diverge() {
    let mut reader = Reader::following();
    let records = vec![batch(0, 1, &["a"]), batch(1, 2, &["b"]), batch(2, 2, &["c"])];
    reader.answer(|answer| (answer.records, answer.high_watermark) = (records, 1));
    reader.answer(|answer| {
        answer.error = ErrorCode::NotLeaderOrFollower;
        answer.current_leader = Some(leader(Some(B), 3));
    });
    assert_eq!((reader.last().0, reader.last().1.fetch_offset), (B, 3));
    reader.answer(|answer| answer.diverging_epoch = Some(EpochEndOffset { epoch: 2, end_offset: 2 }));
    assert_eq!(reader.last().1.fetch_offset, 2);
    let other = batch(2, 3, &["d"]);
    let records = vec![other.clone()];
    let observed = reader.answer(|answer| (answer.records, answer.high_watermark) = (records, 3));
    assert_eq!(observed, Observed::Batches(vec![batch(1, 2, &["b"]), other]));
}

#[test]
fn a_quorum_of_one_is_asked_at_once_and_for_ever() {
    let mut reader = Reader::new(1);
    assert_eq!(reader.observer.leader(), Some(ME));
    reader.observer.disconnected(reader.now, ME);
    reader.poll();
    assert_eq!(reader.sent.len(), 1, "there is a pause, and nobody else");
    reader.now += Duration::from_millis(20);
    reader.poll();
    assert_eq!(reader.last().0, ME);
    assert_eq!(reader.sent.len(), 2);
}

#[test]
fn others_are_asked_while_the_leader_does_not_answer() {
    let mut reader = Reader::following();
    reader.observer.disconnected(reader.now, A);
    reader.poll();
    assert_ne!(reader.last().0, A);
    reader.answer(|answer| {
        answer.error = ErrorCode::FencedLeaderEpoch;
        answer.current_leader = Some(leader(None, 3));
    });
    assert_eq!(reader.observer.leader(), None, "the old one leads no more, the new one is not elected yet");
}
