//! Timers, an enum per role. Setting a timer again moves it; a node has at most one of each.

/// Any timer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)]
pub enum Timer {
    Broker(BrokerTimer),
    Controller(ControllerTimer),
    Producer(ProducerTimer),
    Consumer(ConsumerTimer),
    Loop(LoopTimer),
}

/// A broker's timers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum BrokerTimer {
    /// Heartbeat, or retry of the registration.
    Lifecycle,
    /// A request to the controller went unanswered, or is to be repeated.
    ControllerRequest,
    /// Send ISR changes again.
    AlterPartition,
    /// Look for followers that lag (every half `replica.lag.time.max.ms`).
    IsrShrink,
    /// The earliest deadline in the purgatories.
    Purgatory,
    /// Replica fetchers whose back-off or request timeout ends.
    Fetcher,
    /// Write the high watermarks to disk.
    HighWatermarkCheckpoint,
    /// The group coordinator's deadlines.
    Housekeeping,
    /// Delete old segments (every `log.retention.check.interval.ms`).
    Retention,
    /// Compact logs (every `log.cleaner.backoff.ms`).
    Cleaner,
    /// Forget silent producers (every `producer.id.expiration.check.interval.ms`).
    ProducerExpiry,
    /// Write the log start offsets to disk.
    LogStartCheckpoint,
    /// A transaction coordinator went unanswered, or is to be asked again.
    AddPartitionsToTxn,
    /// The transaction coordinator: answers that waited too long, markers to be sent again, transactions past their timeout,
    /// transactional ids nobody uses.
    Transactions,
    /// Share groups: locks that end, fetches that have waited long enough, share coordinators that went unanswered.
    Shares,
}

/// A controller's timers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ControllerTimer {
    /// The earliest end of a broker's session.
    Session,
    /// The earliest deadline of a parked metadata fetch.
    Purgatory,
    /// Preferred and unclean leader election rounds.
    Election,
    /// The quorum: elections, back-offs, unanswered requests.
    Quorum,
}

/// Timers of a producer client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ProducerTimer {
    /// The sender's next wake-up: linger, back-off, delivery timeout, metadata age.
    Sender,
    /// The earliest request timeout.
    RequestTimeout,
}

/// Timers of a consumer client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConsumerTimer {
    /// The client's next wake-up: back-off, retry, metadata age.
    Wakeup,
    /// The earliest request timeout.
    RequestTimeout,
    /// Heartbeat to the group coordinator.
    Heartbeat,
}

/// Timers of an application's own loop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LoopTimer {
    /// The generator sends its next record.
    Generate,
    /// The poll loop goes on: processing of a record done, poll timed out.
    Poll,
    /// The worker thread finishes a record.
    Worker,
    /// A call of a sink went unanswered.
    Sink,
    /// The rebalance listener's call of a sink went unanswered, or is to be repeated.
    SinkOffsets,
    /// A sink's next reply is due.
    Reply,
    /// A share consumer's records are to be locked anew.
    Renew,
}
