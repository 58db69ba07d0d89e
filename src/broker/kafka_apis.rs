//! Routing, and nothing else: which part of the broker handles which request (Kafka's `KafkaApis`).

use super::BrokerSetup;
use super::metadata_api;
use super::process::Process;
use crate::base::Time;
use crate::metadata::CONSUMER_OFFSETS_TOPIC;
use crate::node::{Outbox, RequestContext};
use crate::protocol::{CoordinatorType, Request, Response};

impl Process {
    /// Handles a request whose turn it is.
    pub(super) fn route(
        &mut self,
        setup: &BrokerSetup,
        now: Time,
        context: RequestContext,
        request: Request,
        out: &mut Outbox<'_>,
    ) {
        let (mut ctx, replicas, group) = self.parts(setup, now, out);
        let response = match request {
            Request::Produce(request) => return replicas.handle_produce(context, &request, &mut ctx),
            Request::Fetch(request) => return replicas.handle_fetch(context, &request, &mut ctx),
            Request::DeleteRecords(request) => return replicas.handle_delete_records(context, &request, &mut ctx),
            Request::WriteTxnMarkers(request) => return replicas.handle_write_txn_markers(context, &request, &mut ctx),
            Request::DescribeProducers(request) => {
                Response::DescribeProducers(replicas.describe_producers(&request, &ctx))
            }
            Request::OffsetCommit(request) => return group.commit(context, &request, replicas, &mut ctx),
            Request::JoinGroup(request) => return group.join(context, &request, replicas, &mut ctx),
            Request::SyncGroup(request) => return group.sync(context, &request, replicas, &mut ctx),
            Request::Heartbeat(request) => return group.heartbeat(context, &request, replicas, &mut ctx),
            Request::LeaveGroup(request) => return group.leave(context, &request, replicas, &mut ctx),
            Request::ConsumerGroupHeartbeat(request) => {
                return group.consumer_heartbeat(context, &request, replicas, &mut ctx);
            }
            Request::DescribeGroups(request) => Response::DescribeGroups(group.describe(&request, &ctx)),
            Request::ListGroups(request) => Response::ListGroups(group.list(&request)),
            Request::ConsumerGroupDescribe(request) => {
                Response::ConsumerGroupDescribe(group.describe_consumers(&request, &ctx))
            }
            Request::DeleteGroups(request) => return group.delete(context, &request, replicas, &mut ctx),
            Request::OffsetDelete(request) => return group.delete_offsets(context, &request, replicas, &mut ctx),
            Request::OffsetFetch(request) => return group.fetch(context, &request, replicas, &mut ctx),
            Request::TxnOffsetCommit(request) => {
                return group.commit_in_transaction(context, &request, replicas, &mut ctx);
            }
            Request::ShareGroupHeartbeat(request) => {
                return group.share_heartbeat(context, &request, replicas, &mut ctx);
            }
            Request::ShareGroupDescribe(request) => Response::ShareGroupDescribe(group.describe_shares(&request, &ctx)),
            Request::ShareFetch(request) => {
                return self.share(setup, now, out, |it, ctx, replicas| it.fetch(context, &request, ctx, replicas));
            }
            Request::ShareAcknowledge(request) => {
                return self
                    .share(setup, now, out, |it, ctx, replicas| it.acknowledge(context, &request, ctx, replicas));
            }
            Request::InitializeShareGroupState(_)
            | Request::ReadShareGroupState(_)
            | Request::WriteShareGroupState(_)
            | Request::DeleteShareGroupState(_)
            | Request::ReadShareGroupStateSummary(_) => {
                return self
                    .share(setup, now, out, |it, ctx, replicas| it.coordinate(context, &request, ctx, replicas));
            }
            Request::ListOffsets(request) => Response::ListOffsets(replicas.list_offsets(&request, &ctx)),
            Request::OffsetForLeaderEpoch(request) => {
                Response::OffsetForLeaderEpoch(replicas.offsets_for_leader_epoch(&request, &ctx))
            }
            Request::Metadata(request) => Response::Metadata(metadata_api::metadata(&request, ctx.image)),
            Request::FindCoordinator(request) => {
                let (response, create) = metadata_api::find_coordinator(&request, ctx.image);
                match request.key_type {
                    _ if !create => {}
                    CoordinatorType::Group => self.forwarding.create_offsets_topic(now, &setup.config, out),
                    CoordinatorType::Transaction => self.forwarding.create_transaction_topic(now, &setup.config, out),
                    CoordinatorType::Share => self.forwarding.create_share_topic(now, &setup.config, out),
                }
                Response::FindCoordinator(response)
            }
            Request::InitProducerId(request) if request.transactional_id.is_none() => {
                let (response, ask) = self.producer_ids.init(now, &request);
                if ask {
                    self.forwarding.allocate_producer_ids(now, setup.id, self.lifecycle.broker_epoch(), out);
                }
                Response::InitProducerId(response)
            }
            Request::InitProducerId(_)
            | Request::AddPartitionsToTxn(_)
            | Request::AddOffsetsToTxn(_)
            | Request::EndTxn(_)
            | Request::DescribeTransactions(_)
            | Request::ListTransactions(_) => return self.route_transactions(setup, now, context, &request, out),
            Request::CreateTopics(_)
            | Request::CreatePartitions(_)
            | Request::ElectLeaders(_)
            | Request::IncrementalAlterConfigs(_)
            | Request::AlterPartitionReassignments(_)
            | Request::ListPartitionReassignments(_) => return self.forwarding.forward(now, context, request, out),
            // The controller's; a broker that gets one closes the connection, as for any API it does not offer.
            Request::AlterPartition(_)
            | Request::Vote(_)
            | Request::BeginQuorumEpoch(_)
            | Request::EndQuorumEpoch(_)
            | Request::FetchSnapshot(_)
            | Request::BrokerRegistration(_)
            | Request::BrokerHeartbeat(_)
            | Request::AllocateProducerIds(_)
            | Request::SinkWrite(_)
            | Request::SinkOffsets(_) => return self.requests.close(context, out),
        };
        self.requests.respond(context, response, out);
    }

    /// What the transaction coordinator handles.
    fn route_transactions(
        &mut self,
        setup: &BrokerSetup,
        now: Time,
        context: RequestContext,
        request: &Request,
        out: &mut Outbox<'_>,
    ) {
        // The group need not have been asked for before; see `TransactionCoordinator::add_offsets`.
        let nameless = self.loader.image().topic_id(CONSUMER_OFFSETS_TOPIC).is_none();
        if nameless && matches!(request, Request::AddOffsetsToTxn(_)) {
            self.forwarding.create_offsets_topic(now, &setup.config, out);
        }
        self.coordinate(setup, now, out, |transactions, host| {
            let response = match request {
                Request::InitProducerId(request) => return transactions.init_producer_id(context, request, host),
                Request::AddPartitionsToTxn(request) => return transactions.add_partitions(context, request, host),
                Request::AddOffsetsToTxn(request) => return transactions.add_offsets(context, request, host),
                Request::EndTxn(request) => return transactions.end_txn(context, request, host),
                Request::DescribeTransactions(request) => {
                    Response::DescribeTransactions(transactions.describe(request, host.ctx.image))
                }
                Request::ListTransactions(request) => Response::ListTransactions(transactions.list(request, host)),
                _ => return,
            };
            host.ctx.requests.respond(context, response, host.ctx.out);
        });
    }
}
