//! Transactions that go well, slowly, or not at all: `TransactionManagerTest`, `SenderTest` and `KafkaProducerTest` by name.

use super::harness::{Lab, partition};
use crate::base::NodeId;
use crate::client::producer::SendOutcome;
use crate::protocol::{ApiKey, ErrorCode, Request};

const BOTH: [u8; 2] = [1, 2];

/// `testBasicTransaction` and `testTransactionV2AddPartitionAndOffsets`.
#[test]
fn a_transaction_under_version_1_and_2() {
    let expected: [&[&str]; 2] = [
        &["AddPartitionsToTxn", "AddOffsetsToTxn", "FindCoordinator", "TxnOffsetCommit", "EndTxn"],
        &["FindCoordinator", "TxnOffsetCommit", "EndTxn"],
    ];
    for (version, expected) in BOTH.into_iter().zip(expected) {
        let mut lab = Lab::transactional(version, &[]);
        assert_eq!((lab.state(), lab.identity()), ("READY", (1_000, 0)));
        assert_eq!(lab.begin(), Ok(()));
        assert_eq!(lab.state(), "IN_TRANSACTION");
        assert_eq!(lab.send(0), SendOutcome::Buffered(partition(0)));
        let sent = lab.take_one();
        assert_eq!(sent.request.transactional_id.as_deref(), Some("shop-1"));
        assert_eq!(sent.request.transaction_v2, version == 2);
        let batch = &sent.request.partitions[0].batch;
        assert!(batch.is_transactional() && batch.validate_crc());
        assert_eq!((batch.producer_id(), batch.base_sequence()), (1_000, 0));
        lab.answer(&sent, ErrorCode::None, 0);
        lab.send_offsets(2);
        assert_eq!(lab.ended(), Some(Ok(())));
        lab.commit();
        assert_eq!(lab.result(), Some(Ok(())));
        assert_eq!(lab.result(), None, "told once");
        assert_eq!(lab.take_log(), expected, "version {version}");
        // Version 2 raises the epoch with every end, and sequences begin anew; version 1 goes on.
        let epoch = i16::from(version == 2);
        assert_eq!((lab.state(), lab.identity()), ("READY", (1_000, epoch)));
        assert_eq!(lab.begin(), Ok(()));
        lab.send(1);
        let sent = lab.take_one();
        assert_eq!((sent.base_sequence(), sent.epoch()), (1 - i32::from(epoch), epoch));
        assert_eq!(
            lab.transaction_events(),
            ["initialized 0", "begun 0", "ending true", &format!("ended {epoch} true"), &format!("begun {epoch}")]
        );
    }
}

#[test]
fn an_abort_drops_what_was_not_sent() {
    for version in BOTH {
        let mut lab = Lab::transactional(version, &[("linger.ms", "50")]);
        lab.begin().unwrap();
        lab.send(0);
        lab.advance(50);
        let sent = lab.take_one();
        lab.send(1);
        lab.abort();
        assert_eq!(
            lab.failed(),
            [(1, "TransactionAbortedException: Failing batch since transaction was aborted".into())]
        );
        assert_eq!((lab.state(), lab.result()), ("ABORTING_TRANSACTION", None), "it waits for what is in flight");
        assert!(!lab.take_log().contains(&"EndTxn"));
        lab.answer(&sent, ErrorCode::None, 0);
        assert_eq!((lab.state(), lab.result()), ("READY", Some(Ok(()))));
        assert_eq!(lab.take_log(), ["EndTxn"]);
        assert_eq!(lab.acked(), [(0, 0)]);
        assert!(lab.producer.is_idle());
        let (free, all) = lab.producer.memory();
        assert_eq!(free, all);
    }
}

/// `testEndTxnNotSentIfIncompleteBatches`, `testCommitTransactionWithInFlightProduceRequest`.
#[test]
fn a_commit_waits_for_every_batch() {
    for version in BOTH {
        let mut lab = Lab::transactional(version, &[]);
        lab.begin().unwrap();
        lab.send(0);
        let sent = lab.take_one();
        lab.commit();
        lab.advance(1_000);
        assert!(!lab.take_log().contains(&"EndTxn"));
        lab.answer(&sent, ErrorCode::NotEnoughReplicas, -1);
        lab.advance(200);
        assert!(!lab.take_log().contains(&"EndTxn"), "a retry is one, too");
        lab.answer_one(ErrorCode::None, 0);
        assert_eq!((lab.take_log(), lab.result()), (vec!["EndTxn"], Some(Ok(()))));
    }
}

#[test]
fn h14_records_flushed_immediately_on_transaction_completion() {
    for version in BOTH {
        let mut lab = Lab::transactional(version, &[("linger.ms", "50")]);
        for record in 0..2 {
            lab.begin().unwrap();
            lab.send(record);
            lab.advance(20);
            assert!(lab.take_sent().is_empty(), "it lingers");
            lab.commit();
            lab.answer_one(ErrorCode::None, i64::from(record));
            assert_eq!(lab.result(), Some(Ok(())));
        }
    }
}

/// `testTransactionV2…`, `testBasicTransaction`: nothing was added, so there is nothing to end.
#[test]
fn an_empty_transaction_ends_without_a_request() {
    for version in BOTH {
        let mut lab = Lab::transactional(version, &[]);
        for committed in [true, false] {
            lab.begin().unwrap();
            if committed {
                lab.commit()
            } else {
                lab.abort()
            }
            assert_eq!((lab.result(), lab.state()), (Some(Ok(())), "READY"));
        }
        assert!(lab.take_log().is_empty());
        assert_eq!(lab.identity(), (1_000, 0));
    }
}

/// `testCancelUnsentAddPartitionsAndProduceOnAbort`.
#[test]
fn partitions_not_asked_for_yet_are_forgotten_by_an_abort() {
    let mut lab = Lab::transactional(1, &[("max.block.ms", "1000")]);
    lab.coordinator.hold.push(ApiKey::AddOffsetsToTxn);
    lab.begin().unwrap();
    lab.send_offsets(1);
    lab.advance(1_000);
    assert_eq!(lab.result(), Some(Err("REQUEST_TIMED_OUT".into())));
    lab.send(0);
    assert_eq!(lab.take_log(), ["AddOffsetsToTxn"], "one request at a time");
    lab.abort();
    lab.release(ErrorCode::None);
    lab.advance(100);
    assert_eq!(lab.take_log(), ["FindCoordinator", "TxnOffsetCommit", "EndTxn"]);
    assert_eq!(lab.failed().len(), 1);
}

/// `testFlushPendingPartitionsOnCommit`, `testMultipleAddPartitionsPerForOneProduce`, `testNoDrainWhenPartitionsPending`.
#[test]
fn version_1_sends_nothing_to_a_partition_before_it_is_added() {
    let mut lab = Lab::uninitialized(1, &[0, 0, 0], &[]);
    lab.warm_up();
    lab.init();
    assert_eq!(lab.ended(), Some(Ok(())));
    lab.begin().unwrap();
    lab.coordinator.hold.push(ApiKey::AddPartitionsToTxn);
    lab.take_log();
    lab.send_record(0, Some(0), None, None);
    lab.send_record(1, Some(1), None, None);
    lab.send_record(2, Some(2), None, None);
    lab.advance(10_000);
    assert!(lab.take_sent().is_empty());
    assert_eq!(lab.take_log(), ["AddPartitionsToTxn"]);
    lab.release(ErrorCode::None);
    // While the next is on its way nothing is sent at all.
    assert!(lab.take_sent().is_empty());
    assert_eq!(lab.take_log(), ["AddPartitionsToTxn"]);
    let Some((_, _, Request::AddPartitionsToTxn(request))) = lab.coordinator.held.front() else { panic!("held") };
    assert_eq!(request.transactions[0].partitions, [partition(1), partition(2)]);
    lab.release(ErrorCode::None);
    lab.commit();
    assert_eq!(lab.take_one().request.partitions.len(), 3);
}

#[test]
fn h11_add_partition_overrides_retry_backoff_for_concurrent_transactions() {
    let mut lab = Lab::transactional(1, &[]);
    lab.begin().unwrap();
    lab.script(ApiKey::AddPartitionsToTxn, &[ErrorCode::ConcurrentTransactions]);
    lab.send(0);
    lab.advance(19);
    assert_eq!(lab.take_log(), ["AddPartitionsToTxn"]);
    lab.advance(1);
    assert_eq!(lab.take_log(), ["AddPartitionsToTxn"]);
    lab.answer_one(ErrorCode::None, 0);
}

/// `testAddPartitionToTransactionRetainsRetryBackoffForRegularRetriableError` and `…WhenPartitionsAlreadyAdded`.
#[test]
fn other_retries_of_add_partitions_keep_the_usual_pause() {
    let mut lab = Lab::uninitialized(1, &[0, 0], &[]);
    lab.warm_up();
    lab.init();
    assert_eq!(lab.ended(), Some(Ok(())));
    lab.begin().unwrap();
    lab.take_log();
    lab.script(ApiKey::AddPartitionsToTxn, &[ErrorCode::CoordinatorLoadInProgress]);
    lab.send_record(0, Some(0), None, None);
    lab.advance(99);
    assert_eq!(lab.take_log(), ["AddPartitionsToTxn"]);
    lab.advance(1);
    assert_eq!(lab.take_log(), ["AddPartitionsToTxn"]);
    lab.script(ApiKey::AddPartitionsToTxn, &[ErrorCode::ConcurrentTransactions]);
    lab.send_record(1, Some(1), None, None);
    lab.advance(99);
    assert_eq!(lab.take_log(), ["AddPartitionsToTxn"]);
    lab.advance(1);
    assert_eq!(lab.take_log(), ["AddPartitionsToTxn"]);
}

/// `testRetryInitTransactionsAfterTimeout`, `testRetryCommitTransactionAfterTimeout`, `testRetryAbortTransactionAfterTimeout`.
#[test]
fn a_call_that_timed_out_can_be_repeated() {
    for version in BOTH {
        let mut lab = Lab::uninitialized(version, &[0], &[("max.block.ms", "1000")]);
        lab.warm_up();
        lab.coordinator.hold = vec![ApiKey::InitProducerId, ApiKey::EndTxn];
        lab.init();
        lab.advance(999);
        assert_eq!(lab.result(), None);
        lab.advance(1);
        assert_eq!(lab.result(), Some(Err("REQUEST_TIMED_OUT".into())));
        assert_eq!(
            lab.begin(),
            Err("IllegalStateException: Cannot attempt operation `beginTransaction` because the previous call to \
                 `initTransactions` timed out and must be retried"
                .into())
        );
        lab.release(ErrorCode::None);
        assert_eq!((lab.state(), lab.result()), ("READY", None));
        lab.init();
        assert_eq!(lab.result(), Some(Ok(())), "it had come meanwhile");
        for committed in [true, false] {
            lab.begin().unwrap();
            lab.send(0);
            lab.answer_one(ErrorCode::None, 0);
            let end = |lab: &mut Lab| if committed { lab.commit() } else { lab.abort() };
            end(&mut lab);
            lab.advance(1_000);
            assert_eq!(lab.result(), Some(Err("REQUEST_TIMED_OUT".into())));
            end(&mut lab);
            assert_eq!(lab.result(), None);
            assert_eq!(lab.coordinator.held.len(), 1, "it is not asked again");
            lab.release(ErrorCode::None);
            assert_eq!(lab.result(), Some(Ok(())));
        }
    }
}

#[test]
fn h12_retry_commit_transaction_after_abort_timeout() {
    for version in BOTH {
        for first_is_commit in [false, true] {
            let mut lab = Lab::transactional(version, &[("max.block.ms", "1000")]);
            lab.begin().unwrap();
            lab.send(0);
            lab.answer_one(ErrorCode::None, 0);
            lab.coordinator.hold = vec![ApiKey::EndTxn];
            if first_is_commit {
                lab.commit()
            } else {
                lab.abort()
            }
            lab.advance(1_000);
            assert_eq!(lab.result(), Some(Err("REQUEST_TIMED_OUT".into())));
            let (called, earlier) = match first_is_commit {
                true => ("abortTransaction", "commitTransaction"),
                false => ("commitTransaction", "abortTransaction"),
            };
            if first_is_commit {
                lab.abort()
            } else {
                lab.commit()
            }
            let refused = format!(
                "IllegalStateException: Cannot attempt operation `{called}` because the previous call to `{earlier}` \
                 timed out and must be retried"
            );
            assert_eq!(lab.result(), Some(Err(refused)));
            assert_eq!(lab.send(1), SendOutcome::Failed);
            assert!(lab.failed()[0].1.contains("Cannot attempt operation `send`"), "{:?}", lab.failed());
            if first_is_commit {
                lab.commit()
            } else {
                lab.abort()
            }
            lab.release(ErrorCode::None);
            assert_eq!((lab.result(), lab.state()), (Some(Ok(())), "READY"));
        }
    }
}

/// `testForegroundInvalidStateTransitionIsRecoverable`, `testInitializeTransactionsTwiceRaisesError`, `testFailIfNotReadyForSend…`.
#[test]
fn a_call_at_the_wrong_time_is_refused_and_changes_nothing() {
    let mut lab = Lab::uninitialized(2, &[0], &[]);
    lab.warm_up();
    let wrong = |from: &str, to: &str| {
        format!(
            "IllegalStateException: TransactionalId shop-1: Invalid transition attempted from state {from} to state {to}"
        )
    };
    assert_eq!(lab.begin(), Err(wrong("UNINITIALIZED", "IN_TRANSACTION")));
    assert_eq!(lab.send(0), SendOutcome::Failed);
    assert!(lab.failed()[0].1.ends_with("to transaction before completing a call to initTransactions"));
    lab.init();
    assert_eq!(lab.ended(), Some(Ok(())));
    lab.init();
    assert_eq!(lab.result(), Some(Err(wrong("READY", "INITIALIZING"))));
    lab.commit();
    assert_eq!(lab.result(), Some(Err(wrong("READY", "COMMITTING_TRANSACTION"))));
    lab.abort();
    assert_eq!(lab.result(), Some(Err(wrong("READY", "ABORTING_TRANSACTION"))));
    assert_eq!(lab.send(1), SendOutcome::Failed);
    assert!(lab.failed()[1].1.ends_with("to transaction while in state  READY"), "{:?}", lab.failed());
    lab.send_offsets(1);
    let refused =
        "IllegalStateException: Cannot send offsets if a transaction is not in progress (currentState= READY)";
    assert_eq!(lab.result(), Some(Err(refused.into())));
    assert_eq!(lab.begin(), Ok(()));
    assert_eq!(lab.begin(), Err(wrong("IN_TRANSACTION", "IN_TRANSACTION")));
    lab.send(2);
    lab.answer_one(ErrorCode::None, 0);
    lab.commit();
    assert_eq!(lab.result(), Some(Ok(())));
}

#[test]
fn a_producer_without_a_transactional_id_has_no_transactions() {
    let text = |lab: &mut Lab| {
        lab.init();
        lab.result().expect("at once").expect_err("refused")
    };
    let mut idempotent = Lab::new(&[]);
    let refused = "IllegalStateException: Transactional method invoked on a non-transactional producer.";
    assert_eq!(text(&mut idempotent), refused);
    let mut plain = Lab::new(&[("enable.idempotence", "false")]);
    let refused = "IllegalStateException: Cannot use transactional methods without enabling transactions by setting the \
                   transactional.id configuration property";
    assert_eq!((text(&mut plain), plain.begin()), (refused.into(), Err(refused.into())));
}

/// `testSenderShutdownWithPendingTransactions`, `SenderTest.testIncompleteTransactionAbortOnShutdown`.
#[test]
fn close_aborts_an_open_transaction() {
    for version in BOTH {
        let mut lab = Lab::transactional(version, &[("linger.ms", "50")]);
        lab.begin().unwrap();
        lab.send(0);
        lab.close();
        assert!(!lab.producer.is_closed());
        lab.answer_one(ErrorCode::None, 0);
        let mut log = lab.take_log();
        assert_eq!(log.pop(), Some("EndTxn"));
        assert!(lab.producer.is_closed());
        assert_eq!(lab.acked(), [(0, 0)], "what was accepted is sent before");
        let ended = format!("ended {} false", i16::from(version == 2));
        assert_eq!(lab.transaction_events().last(), Some(&ended));
        lab.commit();
        let refused = "IllegalStateException: Cannot perform operation after producer has been closed";
        assert_eq!(lab.result(), Some(Err(refused.into())));
    }
}

#[test]
fn close_lets_a_commit_under_way_end() {
    let mut lab = Lab::transactional(2, &[("max.block.ms", "300")]);
    lab.begin().unwrap();
    lab.send(0);
    lab.commit();
    lab.advance(300);
    assert_eq!(lab.result(), Some(Err("REQUEST_TIMED_OUT".into())));
    lab.close();
    lab.answer_one(ErrorCode::None, 0);
    assert!(lab.producer.is_closed());
    let committed = |request: &Request| matches!(request, Request::EndTxn(end) if end.committed);
    assert_eq!(lab.coordinator.log.iter().filter(|(_, _, request)| committed(request)).count(), 1);
}

#[test]
fn close_gives_up_where_an_abort_is_refused() {
    let settings = [("max.block.ms", "300"), ("request.timeout.ms", "500"), ("delivery.timeout.ms", "500")];
    let mut lab = Lab::transactional(2, &settings);
    lab.begin().unwrap();
    lab.send(0);
    lab.commit();
    lab.advance(600);
    assert_eq!(lab.state(), "ABORTABLE_ERROR", "the batch expired while the commit had timed out");
    lab.close();
    assert!(lab.producer.is_closed());
    assert_eq!(lab.state(), "FATAL_ERROR");
}

/// `testDisconnectAndRetry`, `testLookupCoordinatorOnDisconnectBeforeSend` and `…AfterSend`, `…OnNotCoordinatorError`.
#[test]
fn a_coordinator_that_moved_or_went_away_is_looked_up() {
    let mut lab = Lab::uninitialized(2, &[0, 1], &[]);
    lab.warm_up();
    lab.coordinator.node = 1;
    lab.coordinator.hold = vec![ApiKey::InitProducerId];
    lab.init();
    lab.advance(100);
    lab.take_log();
    lab.disconnect(1);
    lab.coordinator.node = 0;
    lab.coordinator.hold.clear();
    lab.advance(200);
    assert_eq!(lab.take_log(), ["FindCoordinator", "InitProducerId"]);
    assert_eq!(lab.result(), Some(Ok(())));
    lab.begin().unwrap();
    lab.send(0);
    lab.store_all();
    lab.script(ApiKey::EndTxn, &[ErrorCode::NotCoordinator]);
    lab.commit();
    lab.advance(1_000);
    assert_eq!(lab.take_log(), ["EndTxn", "FindCoordinator", "EndTxn"]);
    assert_eq!(lab.result(), Some(Ok(())));
}

#[test]
fn an_unreachable_coordinator_is_looked_up_again_now_and_then() {
    let mut lab = Lab::uninitialized(2, &[0, 1], &[]);
    lab.warm_up();
    lab.init();
    assert_eq!(lab.ended(), Some(Ok(())));
    lab.begin().unwrap();
    lab.send_record(0, Some(1), None, None);
    lab.store_all();
    lab.coordinator.node = 1;
    lab.script(ApiKey::EndTxn, &[ErrorCode::NotCoordinator]);
    lab.disconnect(1);
    lab.silent.push(NodeId(1));
    lab.take_log();
    lab.commit();
    lab.advance(30_000);
    lab.disconnect(1);
    lab.advance(1_000);
    let lookups = lab.take_log().len();
    assert!((3..40).contains(&lookups), "{lookups}");
    lab.coordinator.node = 0;
    lab.disconnect(1);
    lab.advance(1_000);
    assert_eq!((lab.result(), lab.state()), (Some(Ok(())), "READY"));
}

/// `testProducerIdAndEpochUpdateAfterOverflowFromEndTxnResponseInV2`.
#[test]
fn an_exhausted_epoch_ends_in_a_new_producer_id() {
    let mut lab = Lab::transactional(2, &[]);
    lab.coordinator.last_epoch = Some(1);
    for (record, identity) in [(0, (1_000, 1)), (1, (1_001, 0)), (2, (1_001, 1))] {
        lab.begin().unwrap();
        lab.send(record);
        assert_eq!(lab.store_all()[0].0, 0, "sequences begin with each transaction");
        lab.commit();
        assert_eq!((lab.result(), lab.identity()), (Some(Ok(())), identity));
        assert_eq!(lab.producer.transaction_manager().expect("transactional").partitions().count(), 0);
    }
}

#[test]
fn group_metadata_is_checked_and_passed_on() {
    use crate::client::producer::GroupMetadata;
    let mut lab = Lab::transactional(2, &[]);
    lab.begin().unwrap();
    lab.send_offsets(1);
    assert_eq!(lab.ended(), Some(Ok(())));
    let commit = lab.coordinator.log.iter().find_map(|(_, _, request)| match request {
        Request::TxnOffsetCommit(commit) => Some(commit.clone()),
        _ => None,
    });
    let commit = commit.expect("sent");
    assert_eq!((&*commit.group, commit.generation, &*commit.member_id), ("g", 3, "m"));
    assert!(commit.transaction_v2 && commit.instance_id.is_none());
    let group = GroupMetadata { group: "g".into(), generation: 5, member_id: "".into(), instance_id: None };
    lab.act(|producer, now, out| producer.send_offsets_to_transaction(now, vec![], group, out));
    assert!(lab.result().unwrap().unwrap_err().ends_with("has generationId > 0 but the member.id is unknown"));
    lab.send_offsets(0);
    assert_eq!(lab.result(), Some(Ok(())), "no offsets, nothing to do");
}
