//! Elections that somebody asks for, and those that are held from time to time.
//!
//! Invariants: a preferred election never makes an unclean leader; an unclean one takes place only where nobody leads.
//!
//! In Kafka: `ReplicationControlManager.electLeaders`, `maybeBalancePartitionLeaders`, `maybeElectUncleanLeaders`.

use super::Controller;
use super::partition_change::Election;
use crate::base::{Duration, Time, TopicPartition};
use crate::metadata::{MetadataRecord, PartitionRegistration};
use crate::node::Outbox;
use crate::protocol::{ElectLeadersRequest, ElectLeadersResponse, ElectionType, ErrorCode, PartitionResult};

/// The most elections of one round (`MAX_ELECTIONS_PER_IMBALANCE`).
const MAX_ELECTIONS_PER_ROUND: usize = 1_000;
/// When a round was full, the next one comes soon (`PeriodicTask.DEFAULT_IMMEDIATE_PERIOD_NS`).
const NEXT_ROUND_SOON: Duration = Duration::from_millis(10);

impl Controller {
    /// Holds the elections that were asked for; each partition has its own answer.
    pub(super) fn elect_leaders(&self, request: &ElectLeadersRequest) -> (Vec<MetadataRecord>, ElectLeadersResponse) {
        let mut records = Vec::new();
        let mut elect = |at: Option<TopicPartition>| {
            let elected = at.ok_or(ErrorCode::UnknownTopicOrPartition);
            match elected.and_then(|at| self.elect_leader(at, request.election)) {
                Ok(record) => {
                    records.push(record);
                    ErrorCode::None
                }
                Err(error) => error,
            }
        };
        let mut partitions = Vec::new();
        if let Some(asked) = &request.partitions {
            for topic in asked {
                let id = self.image().topic_id(&topic.topic);
                for &partition in &topic.partitions {
                    let error = elect(id.map(|id| TopicPartition::new(id, partition)));
                    partitions.push(PartitionResult { topic: topic.topic.clone(), partition, error });
                }
            }
        } else {
            for (id, topic) in self.image().topics() {
                for partition in 0..topic.partitions.len() as u32 {
                    let error = elect(Some(TopicPartition::new(id, partition)));
                    if error != ErrorCode::ElectionNotNeeded {
                        partitions.push(PartitionResult { topic: topic.name.clone(), partition, error });
                    }
                }
            }
        }
        (records, ElectLeadersResponse { error: ErrorCode::None, partitions })
    }

    fn elect_leader(&self, at: TopicPartition, election: ElectionType) -> Result<MetadataRecord, ErrorCode> {
        let partition = self.image().partition(at).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let (needed, election, unavailable) = match election {
            ElectionType::Preferred => {
                (!partition.has_preferred_leader(), Election::Preferred, ErrorCode::PreferredLeaderNotAvailable)
            }
            ElectionType::Unclean => {
                (!partition.has_leader(), Election::Unclean, ErrorCode::EligibleLeadersNotAvailable)
            }
        };
        if !needed {
            return Err(ErrorCode::ElectionNotNeeded);
        }
        self.elect(at, partition, election).ok_or(unavailable)
    }

    fn elect(
        &self,
        at: TopicPartition,
        partition: &PartitionRegistration,
        election: Election,
    ) -> Option<MetadataRecord> {
        let acceptable = |replica| self.image().is_active(replica);
        let change = self.change(at, partition, &acceptable).election(election).build();
        change.map(MetadataRecord::PartitionChange)
    }

    /// The periodic rounds: leadership back to preferred replicas; unclean elections where they are allowed.
    pub(super) fn hold_elections(&mut self, now: Time, out: &mut Outbox<'_>) {
        if self.active().preferred_election_at.is_some_and(|at| at <= now) {
            let records = self.round(|_, partition| !partition.has_preferred_leader(), Election::Preferred);
            let next = next_round(now, records.len(), self.config().leader_imbalance_check_interval_seconds);
            self.active().preferred_election_at = Some(next);
            self.commit(now, &records, out);
        }
        if self.active().unclean_election_at <= now {
            let allowed =
                |at, partition: &PartitionRegistration| !partition.has_leader() && self.may_elect_uncleanly(at);
            let records = self.round(allowed, Election::Unclean);
            let next = next_round(now, records.len(), self.config().unclean_leader_election_interval_ms);
            self.active().unclean_election_at = next;
            self.commit(now, &records, out);
        }
        self.schedule_elections(out);
    }

    fn round(
        &self,
        is_due: impl Fn(TopicPartition, &PartitionRegistration) -> bool,
        election: Election,
    ) -> Vec<MetadataRecord> {
        let due = self.image().partitions().filter(|(at, partition)| is_due(*at, partition));
        due.filter_map(|(at, partition)| self.elect(at, partition, election)).take(MAX_ELECTIONS_PER_ROUND).collect()
    }
}

fn next_round(now: Time, elections: usize, interval: Duration) -> Time {
    now + if elections == MAX_ELECTIONS_PER_ROUND { NEXT_ROUND_SOON } else { interval }
}
