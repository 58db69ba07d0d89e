//! `NetworkClientTest` and `ClusterConnectionStatesTest` for what the Lab uses.

use super::*;
use crate::node::{Effect, MessageId};
use crate::protocol::MetadataResponse;

const CHANNEL: Channel = Channel::Producer;
const N0: NodeId = NodeId(0);

struct Lab {
    client: NetworkClient<&'static str>,
    random: Prng,
    now: Time,
    effects: Vec<Effect>,
}

impl Lab {
    fn new(brokers: u16) -> Lab {
        let backoff = |from, to| ExponentialBackoff::new(Duration::from_millis(from), Duration::from_millis(to));
        let config = NetworkConfig {
            request_timeout: Duration::from_millis(30_000),
            reconnect_backoff: backoff(50, 1_000),
            setup_timeout: backoff(10_000, 10_000),
            max_in_flight: 2,
            metadata_channel: CHANNEL,
        };
        let max_age = Duration::from_millis(300_000);
        let metadata = MetadataConfig { refresh_backoff: backoff(100, 1_000), max_age, max_idle: None };
        let bootstrap = (0..brokers).map(NodeId).collect();
        let client = NetworkClient::new(config, metadata, bootstrap);
        Lab { client, random: Prng::split(1, "client"), now: Time::ORIGIN, effects: Vec::new() }
    }

    fn act<R>(&mut self, f: impl FnOnce(&mut NetworkClient<&'static str>, Time, &mut Outbox<'_>) -> R) -> R {
        f(&mut self.client, self.now, &mut Outbox::new(&mut self.effects, &mut self.random))
    }

    /// The requests sent since the last time: to whom, and their correlation ids.
    fn take_requests(&mut self) -> Vec<(NodeId, u32)> {
        let effects = std::mem::take(&mut self.effects);
        let requests = effects.iter().filter_map(|effect| match effect {
            Effect::Request { to, correlation_id, .. } => Some((*to, *correlation_id)),
            _ => None,
        });
        requests.collect()
    }

    fn answer(&mut self, (server, correlation_id): (NodeId, u32)) -> Option<Completed<&'static str>> {
        let connection = ConnectionId { client: NodeId(9), server, channel: CHANNEL, generation: 0 };
        let brokers = vec![BrokerId(0), BrokerId(1)];
        let response = Response::Metadata(MetadataResponse { brokers, racks: Default::default(), topics: vec![] });
        let message = Message { id: MessageId(0), connection, correlation_id, body: Body::Response(response) };
        self.act(|client, now, out| client.on_response(now, message, out))
    }

    fn disconnect(&mut self, server: NodeId, generation: u32) -> Vec<Completed<&'static str>> {
        let id = ConnectionId { client: NodeId(9), server, channel: CHANNEL, generation };
        self.act(|client, now, out| client.on_disconnect(now, id, out))
    }

    /// Connects to node 0 and learns the metadata.
    fn connected() -> Lab {
        let mut lab = Lab::new(1);
        lab.act(|client, now, out| client.poll(now, out));
        let handshake = lab.take_requests();
        assert_eq!(lab.answer(handshake[0]), None);
        lab.act(|client, now, out| client.poll(now, out));
        let metadata = lab.take_requests();
        assert_eq!(lab.answer(metadata[0]), None);
        assert!(lab.client.is_ready(N0, CHANNEL, lab.now));
        lab
    }

    fn send(&mut self, name: &'static str) -> u32 {
        let request = Request::Metadata(MetadataRequest { topics: vec![] });
        self.act(|client, now, out| client.send(now, (N0, CHANNEL), request, name, out))
    }
}

#[test]
fn a_connection_is_ready_after_its_handshake_and_metadata_goes_first() {
    let mut lab = Lab::new(1);
    assert!(!lab.act(|client, now, out| client.ready(N0, CHANNEL, now, out)));
    let handshake = lab.take_requests();
    assert_eq!(handshake.len(), 1);
    assert_eq!(lab.client.connection_state(N0, CHANNEL), ConnectionState::Connecting);
    lab.answer(handshake[0]);
    assert_eq!(lab.client.connection_state(N0, CHANNEL), ConnectionState::Ready);
    assert!(!lab.client.is_ready(N0, CHANNEL, lab.now), "a metadata update is due");
    lab.act(|client, now, out| client.poll(now, out));
    assert!(lab.client.is_fetching_metadata());
    assert!(lab.client.is_ready(N0, CHANNEL, lab.now));
}

#[test]
fn responses_come_back_with_their_context() {
    let mut lab = Lab::connected();
    let (first, second) = (lab.send("first"), lab.send("second"));
    assert!(!lab.client.is_ready(N0, CHANNEL, lab.now), "max.in.flight");
    let contexts: Vec<_> = lab.client.in_flight().filter_map(|(_, _, r)| r.context().copied()).collect();
    assert_eq!(contexts, ["first", "second"]);
    assert_eq!(lab.answer((N0, first)).map(|c| c.context), Some("first"));
    assert_eq!(lab.answer((N0, second)).map(|c| c.context), Some("second"));
    assert_eq!(lab.answer((N0, second)), None, "nobody waits for it any more");
}

#[test]
fn a_time_out_closes_the_connection_and_takes_the_others_along() {
    let mut lab = Lab::connected();
    lab.send("first");
    lab.now += Duration::from_millis(10_000);
    lab.send("second");
    let timeout = Time::ORIGIN + Duration::from_millis(30_000);
    assert_eq!(lab.client.next_timeout(), Some(timeout));
    lab.now = timeout;
    lab.take_requests();
    let ended = lab.act(|client, now, out| client.on_timeout(now, out));
    let ended: Vec<_> = ended.into_iter().map(|c| (c.context, c.outcome)).collect();
    assert_eq!(ended, [("first", Outcome::TimedOut), ("second", Outcome::TimedOut)]);
    assert!(lab.effects.contains(&Effect::Disconnect { peer: N0, channel: CHANNEL }));
    let failed = Event::RequestFailed { api: ApiKey::Metadata, peer: N0, error: ErrorCode::RequestTimedOut };
    assert_eq!(lab.effects.iter().filter(|e| **e == Effect::Emit(failed.clone())).count(), 2);
    assert_eq!(lab.client.next_timeout(), None);
}

#[test]
fn a_disconnection_fails_all_and_asks_for_metadata() {
    let mut lab = Lab::connected();
    lab.send("first");
    assert_eq!(lab.disconnect(N0, 0).into_iter().map(|c| c.outcome).collect::<Vec<_>>(), [Outcome::Disconnected]);
    assert!(lab.client.metadata.update_requested());
    assert!(lab.disconnect(N0, 0).is_empty(), "it is down already");
}

#[test]
fn reconnecting_backs_off_from_the_last_attempt() {
    let mut lab = Lab::connected();
    lab.now += Duration::from_millis(1_000);
    lab.disconnect(N0, 0);
    assert!(lab.client.reconnect_at(N0, CHANNEL).is_some_and(|at| at <= lab.now), "the last attempt is long ago");
    let mut waits = Vec::new();
    for _ in 0..6 {
        lab.take_requests();
        lab.act(|client, now, out| client.ready(N0, CHANNEL, now, out));
        assert_eq!(lab.take_requests().len(), 1);
        lab.disconnect(N0, 0);
        let at = lab.client.reconnect_at(N0, CHANNEL).expect("it is down");
        waits.push(at.since(lab.now).as_millis());
        lab.act(|client, now, out| client.ready(N0, CHANNEL, now, out));
        assert!(lab.take_requests().is_empty(), "not before its back-off");
        lab.now = at;
    }
    for (wait, expected) in waits.iter().zip([100, 200, 400, 800, 1_000, 1_000]) {
        assert!((expected * 8 / 10..=expected * 12 / 10).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_handshake_has_the_setup_timeout() {
    let mut lab = Lab::new(1);
    lab.act(|client, now, out| client.ready(N0, CHANNEL, now, out));
    assert_eq!(lab.client.next_timeout(), Some(Time::ORIGIN + Duration::from_millis(10_000)));
    lab.now = Time::ORIGIN + Duration::from_millis(10_000);
    assert!(lab.act(|client, now, out| client.on_timeout(now, out)).is_empty());
    assert_eq!(lab.client.connection_state(N0, CHANNEL), ConnectionState::Disconnected);
}

#[test]
fn the_least_loaded_node_is_ready_else_connecting_else_the_longest_untried() {
    let mut lab = Lab::new(3);
    let least = |lab: &mut Lab| lab.client.least_loaded_node(CHANNEL, lab.now, &mut lab.random);
    assert!(least(&mut lab).is_some());
    lab.act(|client, now, out| client.ready(NodeId(1), CHANNEL, now, out));
    let one = lab.take_requests();
    assert_eq!(least(&mut lab), Some(NodeId(1)), "being connected to");
    lab.act(|client, now, out| client.ready(NodeId(2), CHANNEL, now, out));
    lab.answer(one[0]);
    assert_eq!(least(&mut lab), Some(NodeId(1)), "ready");
    lab.disconnect(NodeId(1), 0);
    lab.disconnect(NodeId(2), 0);
    assert_eq!(least(&mut lab), Some(N0), "never tried");
}

#[test]
fn an_idle_client_wakes_for_old_metadata_only() {
    let mut lab = Lab::connected();
    let due = Time::ORIGIN + Duration::from_millis(300_000);
    assert_eq!(lab.client.next_poll(lab.now), Some(due));
    lab.now = due;
    lab.act(|client, now, out| client.poll(now, out));
    assert_eq!(lab.take_requests().len(), 1);
    assert_eq!(lab.client.next_poll(lab.now), None);
}
