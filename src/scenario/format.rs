//! A scenario as data: what is set up, what runs, what goes wrong, and when it ends.
//!
//! The same in files, links, the JavaScript API and the command line. Absent means Kafka's default. Names stand for
//! nodes here; [`super::build`] turns them into ids.

use crate::base::config::Properties;
use crate::base::{Duration, Time};
use crate::sim::AdminTask;
use std::rc::Rc;

/// A whole scenario.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Scenario {
    /// Its name in links; none for one's own.
    pub id: Option<Rc<str>>,
    /// All chance comes from it.
    pub seed: u64,
    /// The servers.
    pub cluster: Cluster,
    /// Created before the clock starts.
    pub topics: Vec<Topic>,
    /// Settings of groups.
    pub groups: Vec<Group>,
    /// The wires.
    pub network: Network,
    /// Programs that send.
    pub producers: Vec<Producer>,
    /// Programs that read.
    pub consumers: Vec<Consumer>,
    /// Programs that read, process and write.
    pub processors: Vec<Processor>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// When it ends.
    pub until: Until,
    /// What the library says of it.
    pub about: Option<Rc<About>>,
}

/// Title, question and hints, in every language of the page.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct About {
    /// A few words.
    pub title: Text,
    /// Two sentences: what happens, what to find out.
    pub question: Text,
    /// What to look at.
    pub watch: Text,
    /// What to change next: a setting that cures (or breaks) it, as `name.key=value`; or several, each a sibling of this one.
    pub try_next: Vec<Rc<str>>,
}

/// The same in English and Korean.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Text {
    /// English.
    pub en: Rc<str>,
    /// Korean.
    pub ko: Rc<str>,
}

/// The servers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cluster {
    /// How many brokers.
    pub brokers: u32,
    /// `broker.rack` of each broker, over and over; none for a cluster in one place.
    pub racks: Vec<Rc<str>>,
    /// How many controllers: 1 or 3.
    pub controllers: u32,
    /// Broker settings, for all of them.
    pub config: Properties,
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Topic {
    /// Its name.
    pub name: Rc<str>,
    /// How many partitions.
    pub partitions: u32,
    /// How many replicas.
    pub replication_factor: u32,
    /// Topic settings.
    pub config: Properties,
}

/// Settings of a group.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Group {
    /// `group.id`.
    pub name: Rc<str>,
    /// As `kafka-configs --entity-type groups` sets them.
    pub config: Properties,
}

/// The wires.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network {
    /// One way, at least and at most.
    pub latency: (Duration, Duration),
}

/// A program that sends.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Producer {
    /// Its name.
    pub name: Rc<str>,
    /// Where to.
    pub topic: Rc<str>,
    /// How many records.
    pub records: u32,
    /// How many a second.
    pub rate_per_second: u32,
    /// Their keys.
    pub key: Key,
    /// What it sends again when it starts anew.
    pub resend: Resend,
    /// With a `transactional.id`: how many records a transaction has.
    pub transaction_records: u32,
    /// Every how-manieth transaction is aborted on purpose; 0 for none.
    pub abort_every: u32,
    /// How long after the beginning it starts; none for at once.
    pub start: Option<Duration>,
    /// Producer settings.
    pub config: Properties,
}

/// How records get their keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Key {
    /// No key: sticky partitioning.
    None,
    /// The record's own number.
    Record,
    /// So many entities in turn: `entity:4`.
    Entity(u32),
}

/// A program that reads.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: Rc<str>,
    /// `group.id`.
    pub group: Option<Rc<str>>,
    /// How many instances of it run. Several are called `NAME-1`, `NAME-2`, …
    pub members: u32,
    /// Where from.
    pub topics: Vec<Rc<str>>,
    /// Instead of a list: all topics whose whole name matches.
    pub topics_pattern: Option<Rc<str>>,
    /// It assigns all partitions to itself, group or not; else, with a group, it is a member.
    pub assign: bool,
    /// How long its handler takes for a record.
    pub processing: Duration,
    /// When it commits; none follows `enable.auto.commit`: by itself, or after processing.
    pub commit: Option<Commit>,
    /// Who processes.
    pub hand_over: HandOver,
    /// What its rebalance listener does.
    pub on_revoke: OnRevoke,
    /// Its handler gets all that `poll()` returned at once, and makes one request to the sink of it.
    pub batch: bool,
    /// The external system on which it acts.
    pub sink: Sink,
    /// How often it tries a record again in place when its handler throws.
    pub retries: u32,
    /// How long it waits before each of these.
    pub retry_backoff: Duration,
    /// Where it sends a record then, once; it reads there, too.
    pub retry_topic: Option<Rc<str>>,
    /// Where it sends a record that failed for good. Without a topic the exception ends its loop.
    pub dead_letter_topic: Option<Rc<str>>,
    /// Settings of the client that sends there.
    pub producer_config: Properties,
    /// How long after the beginning it starts; none: it is there already.
    pub start: Option<Duration>,
    /// It reads in a share group.
    pub share: bool,
    /// What it acknowledges when its handler throws; none: it releases the record.
    pub refusal: Option<Refusal>,
    /// How often it locks anew what it works on; none: never.
    pub renew_every: Option<Duration>,
    /// Consumer settings.
    pub config: Properties,
}

/// A program that reads, processes, and writes one record to each of its topics for every record read.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Processor {
    /// Its name.
    pub name: Rc<str>,
    /// `group.id`.
    pub group: Rc<str>,
    /// Where from.
    pub from: Vec<Rc<str>>,
    /// It assigns all partitions to itself; else it is a member of its group.
    pub assign: bool,
    /// Where to.
    pub to: Vec<Rc<str>>,
    /// How long its handler takes for a record.
    pub processing: Duration,
    /// When it commits offsets; none: in the transaction with a `transactional.id`, else after.
    pub offsets: Option<Offsets>,
    /// The external system on which it acts while it processes.
    pub sink: Option<Sink>,
    /// How long after the beginning it starts; none: it is there already.
    pub start: Option<Duration>,
    /// Producer settings. `${random.uuid}` in `transactional.id` is drawn anew at each start of the process.
    pub producer_config: Properties,
    /// Consumer settings; `enable.auto.commit` is false unless it is set here.
    pub consumer_config: Properties,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The words a file may use.
            pub const WORDS: &'static [(&'static str, $name)] = &[$(($word, $name::$variant)),*];

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }
        }
    };
}

mod sink;

pub use sink::{Dedupe, Fencing, First, Sink};

words! {
    /// What a producing program sends again after a restart.
    Resend {
        /// Nothing.
        Never = "never",
        /// What it has seen no ack for.
        Unacknowledged = "unacknowledged",
    }
}

words! {
    /// When a consumer commits.
    Commit {
        /// Before processing what `poll()` returned.
        Before = "before",
        /// After, with `commitSync()`.
        AfterSync = "after-sync",
        /// After, with `commitAsync()`.
        AfterAsync = "after-async",
        /// `enable.auto.commit`, inside `poll()`.
        Auto = "auto",
    }
}

words! {
    /// When a processor commits offsets.
    Offsets {
        /// As part of the transaction.
        Transaction = "transaction",
        /// After the transaction, or after all acknowledgements.
        After = "after",
        /// Before processing.
        Before = "before",
    }
}

words! {
    /// Who processes what `poll()` returned.
    HandOver {
        /// The polling thread itself.
        Inline = "inline",
        /// A worker thread, while polling goes on.
        Worker = "worker",
    }
}

words! {
    /// What a consumer does in `onPartitionsRevoked`, before it gives partitions up.
    OnRevoke {
        /// Nothing.
        Nothing = "nothing",
        /// `commitSync()`.
        Commit = "commit",
        /// Waits until its worker is done with their records, then `commitSync()`.
        Wait = "wait",
    }
}

words! {
    /// What a share consumer acknowledges when its handler throws.
    Refusal {
        /// Somebody shall try again.
        Release = "release",
        /// Nobody shall.
        Reject = "reject",
    }
}

/// Something goes wrong.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fault {
    /// When.
    pub when: When,
    /// What.
    pub what: What,
}

/// When a fault fires.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum When {
    /// At a time.
    At(Time),
    /// On the nth message of a kind.
    Message {
        /// `ProduceResponse`, …
        kind: Rc<str>,
        /// Sender, or any.
        from: Option<Rc<str>>,
        /// Receiver, or any.
        to: Option<Rc<str>>,
        /// From 1.
        nth: u32,
    },
    /// On the nth event of a kind.
    Event {
        /// Which kind.
        kind: EventWord,
        /// Where, or anywhere.
        node: Option<Rc<str>>,
        /// From 1.
        nth: u32,
    },
}

words! {
    /// Events a fault can wait for.
    EventWord {
        /// A record was appended by a leader.
        Appended = "appended",
        /// A record came below the leader's high watermark.
        Committed = "committed",
        /// `poll()` returned a record.
        Delivered = "delivered",
        /// A handler began.
        Processing = "processing",
        /// An effect happened.
        Processed = "processed",
        /// A commit was confirmed.
        OffsetsCommitted = "offsets-committed",
        /// `send()` took a record.
        Sent = "sent",
        /// `initTransactions()` returned.
        TransactionsInitialized = "transactions-initialized",
        /// `beginTransaction()` returned.
        TransactionBegun = "transaction-begun",
        /// `sendOffsetsToTransaction()` returned.
        OffsetsSent = "offsets-sent",
        /// `commitTransaction()` or `abortTransaction()` was called.
        TransactionEnding = "transaction-ending",
        /// It returned.
        TransactionEnded = "transaction-ended",
        /// A transaction coordinator committed a new state.
        TransactionChanged = "transaction-changed",
        /// A transactional producer's call threw an exception.
        ProducerFailed = "producer-failed",
        /// A consumer joined a generation of its group.
        GroupJoined = "group-joined",
        /// A member was assigned partitions.
        PartitionsAssigned = "partitions-assigned",
        /// A member gave up partitions.
        PartitionsRevoked = "partitions-revoked",
        /// A member lost its partitions.
        PartitionsLost = "partitions-lost",
        /// A member left its group.
        MemberLeft = "member-left",
        /// A record's handler threw an exception.
        HandlerFailed = "handler-failed",
    }
}

/// What goes wrong.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum What {
    /// The process dies, and may come back after a while.
    Crash { node: Rc<str>, back_after: Option<Duration> },
    /// The machine loses power, and may come back after a while.
    PowerLoss { node: Rc<str>, back_after: Option<Duration> },
    /// The process is asked to stop (SIGTERM), and may come back so long after it has stopped.
    Shutdown { node: Rc<str>, back_after: Option<Duration> },
    /// An administrator asks for something.
    Admin(AdminTask),
    /// The process starts again.
    Restart { node: Rc<str> },
    /// The process stops for a while.
    Pause { node: Rc<str>, duration: Option<Duration> },
    /// It goes on.
    Resume { node: Rc<str> },
    /// A link, or all links of a node, carry nothing; one way only what `a` sends is lost.
    Partition { a: Rc<str>, b: Option<Rc<str>>, one_way: bool, duration: Option<Duration> },
    /// They do again, and are quick; of a node its disk, too, is neither slow nor full.
    Heal { a: Rc<str>, b: Option<Rc<str>> },
    /// The connection breaks with the message on it.
    Reset,
    /// The message and all behind it hang.
    Stall,
    /// The message, and what is behind it, arrives later.
    Delay { by: Duration },
    /// Links become slower.
    Slow { a: Option<Rc<str>>, b: Option<Rc<str>>, by: Duration, duration: Option<Duration> },
    /// A node's clock is moved.
    SkewClock { node: Rc<str>, by_ms: i64 },
    /// A byte of a stored batch changes: of that log (`orders-0`) or any, with that offset or
    /// any that is not flushed yet.
    Corrupt { node: Rc<str>, partition: Option<Rc<str>>, offset: Option<i64> },
    /// What a broker writes to its log and reads from it takes longer.
    SlowDisk { node: Rc<str>, by: Duration, duration: Option<Duration> },
    /// A broker's disk takes no more bytes: the next append fails, and the broker halts until there is room.
    FullDisk { node: Rc<str>, duration: Option<Duration> },
}

/// When a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Until {
    /// As soon as nothing is left to do.
    pub quiet: bool,
    /// At the latest.
    pub max: Duration,
}

impl Default for Scenario {
    /// One topic on three brokers, nobody uses it.
    fn default() -> Self {
        Scenario {
            id: None,
            seed: 1,
            cluster: Cluster { brokers: 3, racks: Vec::new(), controllers: 1, config: Properties::new() },
            topics: Vec::new(),
            groups: Vec::new(),
            network: Network { latency: (Duration::from_micros(500), Duration::from_micros(2_000)) },
            producers: Vec::new(),
            consumers: Vec::new(),
            processors: Vec::new(),
            faults: Vec::new(),
            until: Until { quiet: true, max: Duration::from_millis(300_000) },
            about: None,
        }
    }
}
