//! Partitions move to other brokers.
//!
//! First the new replicas are added to the old ones; when all of them are in sync, a change of the partition (most often
//! their leader's AlterPartition) takes away those that are to go: see [`super::partition_change`]. Invariant: `adding` and
//! `removing` are part of `replicas`.
//!
//! In Kafka: `ReplicationControlManager.alterPartitionReassignments`, `PartitionReassignmentReplicas`,
//! `PartitionReassignmentRevert`.

use super::Controller;
use super::partition_change::Election;
use crate::base::{BrokerId, TopicPartition, sort_short};
use crate::metadata::{MetadataRecord, PartitionChangeRecord, PartitionRegistration};
use crate::protocol::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ErrorCode};
use crate::protocol::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, OngoingReassignment};
use crate::protocol::{PartitionResult, Reassignment};

impl Controller {
    /// Begins, changes and cancels reassignments; each partition has its own answer.
    pub(super) fn alter_partition_reassignments(
        &self,
        request: &AlterPartitionReassignmentsRequest,
    ) -> (Vec<MetadataRecord>, AlterPartitionReassignmentsResponse) {
        let mut records = Vec::new();
        let mut partitions = Vec::with_capacity(request.partitions.len());
        for wish in &request.partitions {
            let error = match self.reassign(wish, request.allow_replication_factor_change) {
                Ok(record) => {
                    records.extend(record.map(MetadataRecord::PartitionChange));
                    ErrorCode::None
                }
                Err(error) => error,
            };
            partitions.push(PartitionResult { topic: wish.topic.clone(), partition: wish.partition, error });
        }
        (records, AlterPartitionReassignmentsResponse { error: ErrorCode::None, partitions })
    }

    fn reassign(
        &self,
        wish: &Reassignment,
        may_change_factor: bool,
    ) -> Result<Option<PartitionChangeRecord>, ErrorCode> {
        let topic = self.image().topic_id(&wish.topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let at = TopicPartition::new(topic, wish.partition);
        let partition = self.image().partition(at).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        match &wish.replicas {
            None => self.cancel_reassignment(at, partition),
            Some(target) => self.change_reassignment(at, partition, target, may_change_factor),
        }
    }

    /// What was to come is dropped, what was to go stays.
    fn cancel_reassignment(
        &self,
        at: TopicPartition,
        partition: &PartitionRegistration,
    ) -> Result<Option<PartitionChangeRecord>, ErrorCode> {
        if !partition.is_reassigning() {
            return Err(ErrorCode::NoReassignmentInProgress);
        }
        let replicas = difference(&partition.replicas, &partition.adding_replicas);
        let mut isr = difference(&partition.isr, &partition.adding_replicas);
        if isr.is_empty() {
            // Only newcomers are in sync: going back loses what the old ones lack.
            if !self.may_elect_uncleanly(at) {
                return Err(ErrorCode::InvalidReplicaAssignment);
            }
            isr.extend(replicas.first());
        }
        let acceptable = |replica| self.image().is_active(replica);
        let change = self.change(at, partition, &acceptable).isr(isr);
        Ok(change.assignment(replicas, Vec::new(), Vec::new()).build())
    }

    fn change_reassignment(
        &self,
        at: TopicPartition,
        partition: &PartitionRegistration,
        target: &[BrokerId],
        may_change_factor: bool,
    ) -> Result<Option<PartitionChangeRecord>, ErrorCode> {
        self.validate_assignment(target, None)?;
        if !may_change_factor && difference(&partition.replicas, &partition.removing_replicas).len() != target.len() {
            return Err(ErrorCode::InvalidReplicationFactor);
        }
        let sorted = |mut ids: Vec<BrokerId>| {
            sort_short(&mut ids, |a, b| a < b);
            ids
        };
        let removing = sorted(difference(&partition.replicas, target));
        let adding = sorted(difference(target, &partition.replicas));
        let replicas = [target, &removing].concat();
        // What a reassignment under way had in mind stays as it is where this one has nothing to say.
        let or = |new: Vec<BrokerId>, old: &Vec<BrokerId>| if new.is_empty() { old.clone() } else { new };
        let (removing, adding) = (or(removing, &partition.removing_replicas), or(adding, &partition.adding_replicas));
        let acceptable = |replica| self.image().is_active(replica);
        let change = self.change(at, partition, &acceptable).election(Election::Online);
        Ok(change.assignment(replicas, removing, adding).build())
    }

    /// Registered brokers, none twice; as many as the partitions before, if that is given.
    pub(super) fn validate_assignment(&self, replicas: &[BrokerId], factor: Option<usize>) -> Result<(), ErrorCode> {
        let registered = replicas.iter().all(|replica| self.image().broker(*replica).is_some());
        let once = (1..replicas.len()).all(|index| !replicas[..index].contains(&replicas[index]));
        let is_valid = !replicas.is_empty() && registered && once && factor.is_none_or(|len| replicas.len() == len);
        if is_valid { Ok(()) } else { Err(ErrorCode::InvalidReplicaAssignment) }
    }

    /// Which of the partitions asked for (all, if none are named) are on the move.
    pub(super) fn list_partition_reassignments(
        &self,
        request: &ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        let all = || self.image().partitions().map(|(at, _)| at).collect();
        let asked: Vec<TopicPartition> = request.partitions.as_ref().map_or_else(all, |topics| {
            let known = topics.iter().filter_map(|topic| Some((self.image().topic_id(&topic.topic)?, topic)));
            known.flat_map(|(id, topic)| topic.partitions.iter().map(move |at| TopicPartition::new(id, *at))).collect()
        });
        let ongoing = asked.into_iter().filter_map(|at| {
            let partition = self.image().partition(at).filter(|partition| partition.is_reassigning())?;
            Some(OngoingReassignment {
                topic: self.image().topic(at.topic)?.name.clone(),
                partition: at.partition,
                replicas: partition.replicas.clone(),
                adding: partition.adding_replicas.clone(),
                removing: partition.removing_replicas.clone(),
            })
        });
        ListPartitionReassignmentsResponse { error: ErrorCode::None, partitions: ongoing.collect() }
    }
}

fn difference(all: &[BrokerId], without: &[BrokerId]) -> Vec<BrokerId> {
    all.iter().copied().filter(|replica| !without.contains(replica)).collect()
}
