//! Share sessions: which partitions a member fetches from here, and how many requests it has sent (`ShareSession`,
//! `ShareSessionCache`, `ShareSessionContext`).
//!
//! Invariant: a session is of one connection; when that breaks the session goes, and what its member had acquired here is
//! available again.

use crate::base::{SortedMap, TopicPartition};
use crate::node::ConnectionId;
use crate::protocol::{ErrorCode, SHARE_SESSION_FINAL_EPOCH, SHARE_SESSION_INITIAL_EPOCH};
use std::rc::Rc;

/// Group and member.
pub(super) type SessionKey = (Rc<str>, Rc<str>);

/// All share sessions of this broker.
#[derive(Clone, Hash, Debug, Default)]
pub(super) struct ShareSessions {
    sessions: SortedMap<SessionKey, ShareSession>,
    /// Whose a connection was last.
    connections: SortedMap<ConnectionId, SessionKey>,
}

#[derive(Clone, Hash, Debug)]
struct ShareSession {
    /// Of the next request.
    epoch: i32,
    connection: ConnectionId,
    /// In the order in which they are fetched, each with whether the next response must speak of it.
    partitions: Vec<(TopicPartition, bool)>,
}

/// How a fetch continues a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Place {
    /// It opened it: all is told.
    First,
    /// It goes on: what is new is told.
    Subsequent,
    /// It closes it: nothing is fetched.
    Final,
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

impl ShareSessions {
    pub(super) fn is_new(&self) -> bool {
        self.connections.is_empty()
    }

    /// A ShareFetch opens, continues or closes a session (`SharePartitionManager.newContext`).
    pub(super) fn fetch(
        &mut self,
        key: &SessionKey,
        epoch: i32,
        (add, forget): (&[TopicPartition], &[TopicPartition]),
        acknowledges: bool,
        connection: ConnectionId,
        most: u32,
    ) -> Result<Place, ErrorCode> {
        if epoch == SHARE_SESSION_FINAL_EPOCH {
            let found = self.sessions.contains_key(key);
            return if found { Ok(Place::Final) } else { Err(ErrorCode::ShareSessionNotFound) };
        }
        if epoch == SHARE_SESSION_INITIAL_EPOCH {
            if acknowledges {
                return Err(ErrorCode::InvalidRequest);
            }
            self.sessions.remove(key);
            if self.sessions.len() >= most as usize {
                return Err(ErrorCode::ShareSessionLimitReached);
            }
            let partitions = add.iter().map(|partition| (*partition, false)).collect();
            self.sessions.insert(key.clone(), ShareSession { epoch: next_epoch(epoch), connection, partitions });
            self.connections.insert(connection, key.clone());
            return Ok(Place::First);
        }
        let session = self.advance(key, epoch)?;
        for partition in add {
            if session.partitions.iter().all(|(known, _)| known != partition) {
                session.partitions.push((*partition, true));
            }
        }
        session.partitions.retain(|(partition, _)| !forget.contains(partition));
        Ok(Place::Subsequent)
    }

    fn advance(&mut self, key: &SessionKey, epoch: i32) -> Result<&mut ShareSession, ErrorCode> {
        let session = self.sessions.get_mut(key).ok_or(ErrorCode::ShareSessionNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        session.epoch = next_epoch(epoch);
        Ok(session)
    }

    /// A ShareAcknowledge continues a session, or closes it (`acknowledgeSessionUpdate`).
    pub(super) fn acknowledge(&mut self, key: &SessionKey, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            SHARE_SESSION_INITIAL_EPOCH => Err(ErrorCode::InvalidShareSessionEpoch),
            SHARE_SESSION_FINAL_EPOCH if self.sessions.contains_key(key) => Ok(()),
            _ => self.advance(key, epoch).map(|_| ()),
        }
    }

    /// What a session fetches from; the request's number decides where it begins, so that all have their turn.
    pub(super) fn partitions(&self, key: &SessionKey, epoch: i32) -> Vec<TopicPartition> {
        let Some(session) = self.sessions.get(key) else { return Vec::new() };
        let mut partitions: Vec<TopicPartition> = session.partitions.iter().map(|(partition, _)| *partition).collect();
        if epoch >= 1 && !partitions.is_empty() {
            let places = epoch as usize % partitions.len();
            partitions.rotate_left(places);
        }
        partitions
    }

    /// Whether the response must speak of a partition. One with records goes to the end of the session.
    pub(super) fn must_tell(
        &mut self,
        key: &SessionKey,
        partition: TopicPartition,
        error: ErrorCode,
        records: bool,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(key) else { return true };
        let Some(at) = session.partitions.iter().position(|(known, _)| *known == partition) else { return true };
        let told = records || error.is_error() || session.partitions[at].1;
        session.partitions[at].1 = error.is_error();
        if records {
            session.partitions[at..].rotate_left(1);
        }
        told
    }

    /// Ends a session; what it fetched from.
    pub(super) fn remove(&mut self, key: &SessionKey) -> Option<Vec<TopicPartition>> {
        let session = self.sessions.remove(key)?;
        Some(session.partitions.into_iter().map(|(partition, _)| partition).collect())
    }

    /// A connection broke: whose session it was, whether that is still open, and whether the group has others here.
    pub(super) fn disconnected(&mut self, connection: ConnectionId) -> Option<(SessionKey, bool, bool)> {
        let key = self.connections.remove(&connection)?;
        let open = self.sessions.get(&key).is_some_and(|session| session.connection == connection);
        let others = self.sessions.keys().any(|(group, member)| *group == key.0 && (*member != key.1 || !open));
        Some((key, open, others))
    }
}
