//! The nodes of a world, in one enum: clone, hash and exhaustive matching come free. Behind `Rc`, so that a checkpoint
//! shares them until they change.

use super::admin::Admin;
use super::engine::Machine;
use super::task::AdminTask;
use crate::app::{ConsumerApp, ProcessorApp, ProducerApp, SinkNode};
use crate::base::{NodeId, Offset, Prng, Time, TopicPartition};
use crate::broker::Broker;
use crate::controller::Controller;
use crate::node::{ConnectionId, Crash, Message, Node, Outbox, Timer};
use std::rc::Rc;

/// A broker, a controller or an application.
#[derive(Clone, Hash, Debug)]
pub enum AnyNode {
    /// A broker.
    Broker(Rc<Broker>),
    /// A controller.
    Controller(Rc<Controller>),
    /// An application that produces.
    Producer(Rc<ProducerApp>),
    /// An application that consumes.
    Consumer(Rc<ConsumerApp>),
    /// The world's own client, which creates the topics.
    #[allow(private_interfaces)]
    Admin(Rc<Admin>),
    /// An application that reads, processes and produces.
    Processor(Rc<ProcessorApp>),
    /// An external system on which applications act.
    Sink(Rc<SinkNode>),
}

macro_rules! each {
    ($any:expr, $node:ident => $call:expr) => {
        match $any {
            AnyNode::Broker(it) => {
                let $node = Rc::make_mut(it);
                $call
            }
            AnyNode::Controller(it) => {
                let $node = Rc::make_mut(it);
                $call
            }
            AnyNode::Producer(it) => {
                let $node = Rc::make_mut(it);
                $call
            }
            AnyNode::Consumer(it) => {
                let $node = Rc::make_mut(it);
                $call
            }
            AnyNode::Admin(it) => {
                let $node = Rc::make_mut(it);
                $call
            }
            AnyNode::Processor(it) => {
                let $node = Rc::make_mut(it);
                $call
            }
            AnyNode::Sink(it) => {
                let $node = Rc::make_mut(it);
                $call
            }
        }
    };
}

impl Node for AnyNode {
    fn on_start(&mut self, now: Time, out: &mut Outbox<'_>) {
        each!(self, node => node.on_start(now, out));
    }

    fn on_message(&mut self, now: Time, from: NodeId, message: Message, out: &mut Outbox<'_>) {
        each!(self, node => node.on_message(now, from, message, out));
    }

    fn on_disconnect(&mut self, now: Time, peer: NodeId, connection: ConnectionId, out: &mut Outbox<'_>) {
        each!(self, node => node.on_disconnect(now, peer, connection, out));
    }

    fn on_timer(&mut self, now: Time, timer: Timer, out: &mut Outbox<'_>) {
        each!(self, node => node.on_timer(now, timer, out));
    }

    fn on_shutdown(&mut self, now: Time, out: &mut Outbox<'_>) {
        each!(self, node => node.on_shutdown(now, out));
    }

    fn on_crash(&mut self, now: Time, crash: Crash, random: &mut Prng) {
        each!(self, node => node.on_crash(now, crash, random));
    }
}

impl Machine for AnyNode {
    fn administer(&mut self, now: Time, task: &AdminTask, out: &mut Outbox<'_>) {
        if let AnyNode::Admin(admin) = self {
            Rc::make_mut(admin).begin(now, task.clone(), out);
        }
    }

    fn corrupt(&mut self, log: Option<(&str, u32)>, offset: Option<Offset>, luck: &mut Prng) -> Option<TopicPartition> {
        let AnyNode::Broker(broker) = self else { return None };
        let partition = match log {
            Some((topic, partition)) => TopicPartition::new(broker.image().topic_id(topic)?, partition),
            None => {
                let held = broker.logs().filter(|(_, log)| log.end_offset() > 0).map(|(id, _)| *id);
                let held: Vec<TopicPartition> = held.collect();
                *held.get(luck.below(held.len().max(1) as u64) as usize)?
            }
        };
        let log = broker.log(partition)?;
        let (flushed, end) = (log.recovery_point(), log.end_offset());
        let offset = offset.unwrap_or_else(|| flushed + luck.below((end - flushed).max(1) as u64) as Offset);
        Rc::make_mut(broker).corrupt(partition, offset, luck.below(1 << 20) as usize).then_some(partition)
    }

    fn set_disk_full(&mut self, full: bool) -> bool {
        let AnyNode::Broker(broker) = self else { return false };
        Rc::make_mut(broker).set_disk_full(full);
        true
    }
}
