//! Links and connections.
//!
//! A connection is TCP: per direction, what was sent arrives in order or the connection breaks. A link is what lies between
//! two machines, one way; it has latency, and can be cut or slow. Both are found by index, never by name.
//!
//! Departures from TCP: no handshake (a first request takes as long as any other), no bandwidth, no acknowledgements (a
//! link cut one way carries the other way).

use crate::base::{Duration, NodeId, Prng, Time};
use crate::node::{Channel, ConnectionId};
use std::rc::Rc;

/// How long messages take.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NetworkSetup {
    /// At least.
    pub latency_min: Duration,
    /// At most.
    pub latency_max: Duration,
}

impl Default for NetworkSetup {
    fn default() -> Self {
        NetworkSetup { latency_min: Duration(500), latency_max: Duration(2_000) }
    }
}

/// One way between two machines.
#[derive(Clone, Hash, Debug)]
pub struct Link {
    random: Prng,
    extra: Duration,
    slow_until: Time,
    cut_until: Time,
}

impl Link {
    /// Whether it carries nothing now.
    pub fn is_cut(&self, now: Time) -> bool {
        now < self.cut_until
    }

    /// How much slower it is now than it should be.
    pub fn extra(&self, now: Time) -> Duration {
        if now < self.slow_until { self.extra } else { Duration::ZERO }
    }
}

/// What the client of a connection believes of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum State {
    /// It works.
    Open,
    /// It is broken, but the client does not know yet: what it sends is lost.
    Broken,
    /// It is closed; the next request opens it again.
    Closed,
}

/// One direction of a connection.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct Flow {
    /// Nothing sent later arrives before.
    pub last_arrival: Time,
    /// Parcels of this order and above hang.
    pub stalled_from: u64,
}

impl Flow {
    const NEW: Flow = Flow { last_arrival: Time::ZERO, stalled_from: u64::MAX };
}

/// The connection of a client to a server for one purpose: the present one, or the last.
#[derive(Clone, Hash, Debug)]
pub(super) struct Connection {
    pub id: ConnectionId,
    pub state: State,
    /// The server's machine lost power: it knows nothing of this connection, though the client believes in it.
    pub forgotten: bool,
    pub requests: Flow,
    pub responses: Flow,
}

impl Connection {
    pub fn flow_mut(&mut self, requests: bool) -> &mut Flow {
        if requests { &mut self.requests } else { &mut self.responses }
    }
}

/// More than there are channels.
const CHANNELS: usize = 16;
const NONE: u32 = u32::MAX;

/// All links and connections.
#[derive(Clone, Hash, Debug)]
pub(super) struct Network {
    nodes: u32,
    setup: NetworkSetup,
    links: Vec<Link>,
    /// By (client, server, channel): where in `connections`.
    index: Rc<Vec<u32>>,
    connections: Vec<Connection>,
}

impl Network {
    /// No connections yet.
    pub fn new(seed: u64, names: &[Rc<str>], setup: NetworkSetup) -> Self {
        let pairs = names.iter().flat_map(|from| names.iter().map(move |to| (from, to)));
        let link = |(from, to): (&Rc<str>, &Rc<str>)| Link {
            random: Prng::split(seed, &format!("link {from} > {to}")),
            extra: Duration::ZERO,
            slow_until: Time::ZERO,
            cut_until: Time::ZERO,
        };
        Network {
            nodes: u32::try_from(names.len()).expect("invariant: node ids have 16 bits"),
            setup,
            links: pairs.map(link).collect(),
            index: Rc::new(vec![NONE; names.len() * names.len() * CHANNELS]),
            connections: Vec::new(),
        }
    }

    fn pair(&self, from: NodeId, to: NodeId) -> usize {
        usize::from(from.0) * self.nodes as usize + usize::from(to.0)
    }

    pub fn link(&self, from: NodeId, to: NodeId) -> &Link {
        &self.links[self.pair(from, to)]
    }

    fn link_mut(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let pair = self.pair(from, to);
        &mut self.links[pair]
    }

    /// How long the next parcel takes.
    pub fn latency(&mut self, from: NodeId, to: NodeId, now: Time) -> Duration {
        let NetworkSetup { latency_min, latency_max } = self.setup;
        let link = self.link_mut(from, to);
        link.random.duration(latency_min, latency_max) + link.extra(now)
    }

    /// Cuts a link until then at least.
    pub fn cut(&mut self, from: NodeId, to: NodeId, until: Time) {
        let link = self.link_mut(from, to);
        link.cut_until = link.cut_until.max(until);
    }

    /// Ends every cut of a link.
    pub fn heal(&mut self, from: NodeId, to: NodeId) {
        self.link_mut(from, to).cut_until = Time::ZERO;
    }

    /// A cut was to end now; whether it does (there may be a longer one, or it was healed before).
    pub fn cut_ends(&self, from: NodeId, to: NodeId, now: Time) -> bool {
        self.link(from, to).cut_until == now
    }

    /// Makes a link as quick as it should be; whether it was slower.
    pub fn quicken(&mut self, from: NodeId, to: NodeId, now: Time) -> bool {
        let link = self.link_mut(from, to);
        let slow = now < link.slow_until;
        link.slow_until = Time::ZERO;
        slow
    }

    pub fn slow(&mut self, from: NodeId, to: NodeId, extra: Duration, until: Time) {
        let link = self.link_mut(from, to);
        link.extra = extra;
        link.slow_until = until;
    }

    fn place(&self, client: NodeId, server: NodeId, channel: Channel) -> usize {
        let channel = channel as usize;
        assert!(channel < CHANNELS, "invariant: CHANNELS counts the channels");
        self.pair(client, server) * CHANNELS + channel
    }

    pub fn connection(&self, client: NodeId, server: NodeId, channel: Channel) -> Option<&Connection> {
        let at = self.index[self.place(client, server, channel)];
        self.connections.get(at as usize)
    }

    pub fn connection_mut(&mut self, client: NodeId, server: NodeId, channel: Channel) -> Option<&mut Connection> {
        let at = self.index[self.place(client, server, channel)];
        self.connections.get_mut(at as usize)
    }

    /// The connection `id`, unless it was closed or another has taken its place.
    pub fn current(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connection_mut(id.client, id.server, id.channel)
            .filter(|connection| connection.id.generation == id.generation && connection.state != State::Closed)
    }

    /// The client's connection, opened if it has none.
    pub fn open(&mut self, client: NodeId, server: NodeId, channel: Channel) -> &mut Connection {
        let place = self.place(client, server, channel);
        if self.index[place] == NONE {
            let at = u32::try_from(self.connections.len()).expect("invariant: fewer than 2^32 connections");
            Rc::make_mut(&mut self.index)[place] = at;
            self.connections.push(Connection {
                id: ConnectionId { client, server, channel, generation: 0 },
                state: State::Open,
                forgotten: false,
                requests: Flow::NEW,
                responses: Flow::NEW,
            });
        }
        let connection = &mut self.connections[self.index[place] as usize];
        if connection.state == State::Closed {
            let id = ConnectionId { generation: connection.id.generation + 1, ..connection.id };
            *connection =
                Connection { id, state: State::Open, forgotten: false, requests: Flow::NEW, responses: Flow::NEW };
        }
        connection
    }

    /// The ids of the connections at `node`, open or broken.
    pub fn connections_of(&self, node: NodeId) -> Vec<ConnectionId> {
        let of = |id: &ConnectionId| id.client == node || id.server == node;
        self.connections.iter().filter(|it| it.state != State::Closed).map(|it| it.id).filter(of).collect()
    }
}
