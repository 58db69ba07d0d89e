//! What members tell each other through the coordinator, and what the leader makes of it.
//!
//! Topics travel by name. In Kafka: `ConsumerProtocol` (versions 0 to 3), `RangeAssignor`.

use super::subscription::Subscription;
use crate::base::config::{Assignor, ConsumerConfig};
use crate::base::{Generation, SortedMap, Time, TopicPartition};
use crate::client::metadata::Metadata;
use crate::protocol::JoinGroupMember;
use bytes::Bytes;
use std::rc::Rc;

/// Partitions by topic name.
pub(super) type NamedPartitions = Vec<(Rc<str>, u32)>;
/// By member id.
pub(super) type Assignments = SortedMap<Rc<str>, NamedPartitions>;

/// What a member says of itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct MemberSubscription {
    pub(super) topics: Vec<Rc<str>>,
    pub(super) owned: NamedPartitions,
    pub(super) generation: Generation,
    pub(super) rack: Option<Rc<str>>,
    pub(super) instance_id: Option<Rc<str>>,
}

const VERSION: i16 = 3;

/// Says of this member, for each assignor, what it subscribes to and owns.
pub(super) fn subscription_bytes(
    subscription: &Subscription,
    generation: Generation,
    config: &ConsumerConfig,
    metadata: &Metadata,
) -> impl Fn(Assignor) -> Bytes {
    let topics = subscription.subscribed().topics().map(|topics| topics.iter().cloned().collect()).unwrap_or_default();
    let owned = subscription.assigned();
    let named = |tp: &TopicPartition| Some((metadata.topic_name(tp.topic)?.clone(), tp.partition));
    let owned: NamedPartitions = owned.iter().filter_map(named).collect();
    let rack = config.client_rack.clone();
    let said = MemberSubscription { topics, owned, generation, rack, instance_id: None };
    move |_| write_subscription(&said)
}

fn write_subscription(said: &MemberSubscription) -> Bytes {
    let mut out = Vec::new();
    out.extend(VERSION.to_be_bytes());
    out.extend((said.topics.len() as i32).to_be_bytes());
    for topic in &said.topics {
        write_string(topic, &mut out);
    }
    out.extend((-1_i32).to_be_bytes());
    write_partitions(&said.owned, &mut out);
    out.extend(said.generation.to_be_bytes());
    match &said.rack {
        Some(rack) => write_string(rack, &mut out),
        None => out.extend((-1_i16).to_be_bytes()),
    }
    out.into()
}

/// An assignment as SyncGroup carries it.
pub(super) fn assignment_bytes(partitions: &NamedPartitions) -> Bytes {
    let mut out = Vec::new();
    out.extend(VERSION.to_be_bytes());
    write_partitions(partitions, &mut out);
    out.extend((-1_i32).to_be_bytes());
    out.into()
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.as_bytes());
}

fn write_partitions(partitions: &NamedPartitions, out: &mut Vec<u8>) {
    let mut by_topic: SortedMap<&str, Vec<u32>> = SortedMap::new();
    for (topic, partition) in partitions {
        by_topic.entry(topic).or_default().push(*partition);
    }
    out.extend((by_topic.len() as i32).to_be_bytes());
    for (topic, partitions) in &by_topic {
        write_string(topic, out);
        out.extend((partitions.len() as i32).to_be_bytes());
        for partition in partitions {
            out.extend(partition.to_be_bytes());
        }
    }
}

/// Reads what members say; who cannot be understood subscribes to nothing.
pub(super) fn read_members(members: &[JoinGroupMember]) -> SortedMap<Rc<str>, MemberSubscription> {
    let read = |member: &JoinGroupMember| {
        let mut said = read_subscription(&mut Input(&member.metadata)).unwrap_or_default();
        said.instance_id = member.instance_id.clone();
        (Rc::clone(&member.member_id), said)
    };
    members.iter().map(read).collect()
}

fn read_subscription(input: &mut Input<'_>) -> Option<MemberSubscription> {
    let version = input.i16()?;
    let topics = (0..input.i32()?).map(|_| input.string()).collect::<Option<Vec<_>>>()?;
    let mut said = MemberSubscription { topics, generation: -1, ..MemberSubscription::default() };
    input.skip_bytes()?;
    if version >= 1 {
        said.owned = input.partitions()?;
    }
    if version >= 2 {
        said.generation = input.i32()?;
    }
    if version >= 3 && !input.0.starts_with(&(-1_i16).to_be_bytes()) {
        said.rack = Some(input.string()?);
    }
    Some(said)
}

/// The partitions of an assignment, sorted. None if metadata do not know a topic yet: they are asked for it. A topic that
/// does not exist is left out.
pub(super) fn read_assignment(
    bytes: &Bytes,
    metadata: &mut Metadata,
    now: Time,
) -> Option<Vec<(Rc<str>, TopicPartition)>> {
    let mut input = Input(bytes);
    let named = if input.i16().is_some() { input.partitions().unwrap_or_default() } else { Vec::new() };
    let mut assigned = Vec::new();
    for (topic, partition) in named {
        match metadata.topic_id(&topic) {
            Some(id) => assigned.push((topic, TopicPartition::new(id, partition))),
            None if metadata.topic_error(&topic).is_some() => {}
            None => {
                metadata.add_topic(&topic, now);
                metadata.request_update(false);
                return None;
            }
        }
    }
    crate::base::sort_short(&mut assigned, |a, b| a.1 < b.1);
    Some(assigned)
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn string(&mut self) -> Option<Rc<str>> {
        let length = usize::try_from(self.i16()?).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(Rc::from)
    }

    fn skip_bytes(&mut self) -> Option<()> {
        let length = self.i32()?.max(0) as usize;
        self.0 = self.0.split_at_checked(length)?.1;
        Some(())
    }

    fn partitions(&mut self) -> Option<NamedPartitions> {
        let mut partitions = Vec::new();
        for _ in 0..self.i32()? {
            let topic = self.string()?;
            for _ in 0..self.i32()? {
                partitions.push((Rc::clone(&topic), self.i32()? as u32));
            }
        }
        Some(partitions)
    }
}

/// What `assignor` assigns to whom; none if this client has no such assignor.
pub(super) fn assign(
    assignor: &str,
    counts: &SortedMap<Rc<str>, u32>,
    members: &SortedMap<Rc<str>, MemberSubscription>,
) -> Option<Assignments> {
    (assignor == "range").then(|| range(counts, members))
}

fn range(counts: &SortedMap<Rc<str>, u32>, members: &SortedMap<Rc<str>, MemberSubscription>) -> Assignments {
    let mut assignments: Assignments = members.keys().map(|id| (Rc::clone(id), Vec::new())).collect();
    for (topic, count) in counts {
        let mut subscribers: Vec<_> = members.iter().filter(|(_, said)| said.topics.contains(topic)).collect();
        // Static members come first, by their instance.
        crate::base::sort_short(&mut subscribers, |a, b| order(a) < order(b));
        let share = *count / (subscribers.len() as u32).max(1);
        let extra = *count % (subscribers.len() as u32).max(1);
        let mut next = 0;
        for (place, (id, _)) in subscribers.into_iter().enumerate() {
            let end = next + share + u32::from((place as u32) < extra);
            let own = assignments.entry(Rc::clone(id)).or_default();
            own.extend((next..end).map(|partition| (Rc::clone(topic), partition)));
            next = end;
        }
    }
    assignments
}

fn order<'a>((id, said): &(&'a Rc<str>, &'a MemberSubscription)) -> (bool, Option<&'a Rc<str>>, &'a Rc<str>) {
    (said.instance_id.is_none(), said.instance_id.as_ref(), id)
}
