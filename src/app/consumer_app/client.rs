//! The Kafka client of a program that polls: the loop is the same for both kinds.

use super::ConsumerAppSetup;
use crate::base::{Generation, Time};
use crate::client::NetworkEvent;
use crate::client::consumer::{Consumer, ConsumerRecord, Polled, WaitsFor};
use crate::client::share_consumer::ShareConsumer;
use crate::node::{ClientError, Event, Outbox};
use crate::protocol::AcknowledgeType;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// See the module.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Client {
    /// `KafkaConsumer`.
    Plain(Box<Consumer>),
    /// `KafkaShareConsumer`.
    Share(Box<ShareConsumer>),
}

/// As the client alone.
impl Hash for Client {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Client::Plain(it) => it.hash(state),
            Client::Share(it) => it.hash(state),
        }
    }
}

macro_rules! each {
    ($client:expr, $it:ident => $call:expr) => {
        match $client {
            Client::Plain($it) => $call,
            Client::Share($it) => $call,
        }
    };
}

impl Client {
    /// As the program is told. It reads nothing before it polls.
    pub fn new(setup: &ConsumerAppSetup, now: Time) -> Client {
        let mut config = setup.config.clone();
        config.group_id = setup.group.clone().or(config.group_id);
        let (name, brokers) = (Rc::clone(&setup.name), Rc::clone(&setup.brokers));
        if setup.share.is_some() {
            let mut client = ShareConsumer::new(name, config, brokers);
            client.subscribe(now, setup.topics.iter().cloned());
            return Client::Share(Box::new(client));
        }
        let mut client = Consumer::new(name, config, brokers, now);
        match &setup.pattern {
            _ if setup.assign || setup.group.is_none() => client.assign(now, setup.topics.clone()),
            Some(pattern) => client.subscribe_pattern(pattern.clone()),
            None => client.subscribe(now, setup.topics.iter().cloned()),
        }
        Client::Plain(Box::new(client))
    }

    /// It is no share consumer.
    pub fn plain(&self) -> Option<&Consumer> {
        if let Client::Plain(it) = self { Some(it) } else { None }
    }

    /// As [`Self::plain`].
    pub fn plain_mut(&mut self) -> Option<&mut Consumer> {
        if let Client::Plain(it) = self { Some(it) } else { None }
    }

    /// It is a share consumer.
    pub fn share(&self) -> Option<&ShareConsumer> {
        if let Client::Share(it) = self { Some(it) } else { None }
    }

    /// Each record is acknowledged by its own.
    pub fn is_explicit(&self) -> bool {
        self.share().is_some_and(ShareConsumer::is_explicit)
    }

    /// The generation or epoch of its membership, −1 for none.
    pub fn generation(&self) -> Generation {
        self.plain().and_then(Consumer::group_metadata).map_or(-1, |group| group.generation)
    }

    /// There is something that it can commit to.
    pub fn commits(&self) -> bool {
        self.plain().is_none_or(|it| it.coordinator().is_some())
    }

    /// It is, or wants to be, a member of a group.
    pub fn is_member(&self) -> bool {
        self.plain().is_none_or(|it| it.subscription().subscribed().is_auto_assigned())
    }

    /// Records wait in the buffer for the next `poll()`.
    pub fn has_records(&self) -> bool {
        each!(self, it => it.has_records())
    }

    /// A commit or an acknowledgement is on its way that would change something.
    pub fn is_committing_news(&self) -> bool {
        match self {
            Client::Plain(it) => it.is_committing_news(),
            Client::Share(it) => it.is_acknowledging(),
        }
    }

    /// What a `poll()` would wait for.
    pub fn waits_for(&self) -> WaitsFor {
        each!(self, it => it.waits_for())
    }

    /// `poll()`.
    pub fn poll(&mut self, now: Time, out: &mut Outbox<'_>) -> Polled {
        let polled = each!(self, it => it.poll(now, out));
        // Nobody of ours waits for callbacks.
        if let Client::Plain(it) = self {
            it.take_callbacks();
        }
        polled
    }

    /// Says what became of these records, if it is asked record by record.
    pub fn acknowledge<'a>(
        &mut self,
        records: impl Iterator<Item = &'a ConsumerRecord>,
        kind: AcknowledgeType,
        out: &mut Outbox<'_>,
    ) -> Result<(), ClientError> {
        let Client::Share(it) = self else { return Ok(()) };
        if !it.is_explicit() {
            return Ok(());
        }
        for record in records {
            let (partition, offset) = (record.partition, record.record.offset);
            it.acknowledge((partition, offset), kind)?;
            if let Some(record) = record.id {
                out.emit(Event::Acknowledged { record, partition, offset, kind });
            }
        }
        Ok(())
    }

    /// Records that were renewed come back with the next `poll()`, or may.
    pub fn is_renewing(&self) -> bool {
        self.share().is_some_and(ShareConsumer::is_renewing)
    }

    /// `commitSync()`.
    pub fn commit_sync(&mut self, now: Time, out: &mut Outbox<'_>) {
        each!(self, it => it.commit_sync(now, out));
    }

    /// How it ended; none while it blocks. A share consumer tells what failed partition by partition and throws nothing: the
    /// program goes on, and whoever gets these records next does them again.
    pub fn commit_sync_result(&mut self, now: Time) -> Option<Result<(), ClientError>> {
        match self {
            Client::Plain(it) => it.commit_sync_result(now),
            Client::Share(it) => it.commit_sync_result().map(|_| Ok(())),
        }
    }

    /// `commitAsync()`.
    pub fn commit_async(&mut self, now: Time, out: &mut Outbox<'_>) {
        each!(self, it => it.commit_async(now, out));
    }

    /// `close()`.
    pub fn close(&mut self, now: Time, out: &mut Outbox<'_>) {
        each!(self, it => it.close(now, out));
    }

    /// `close()` has returned.
    pub fn is_closed(&self) -> bool {
        each!(self, it => it.is_closed())
    }

    /// Something happened: a response arrived, a connection broke, a timer is due.
    pub fn on_event(&mut self, now: Time, event: NetworkEvent, out: &mut Outbox<'_>) {
        each!(self, it => it.on_event(now, event, out));
    }
}
