// ---- The scenario format: what goes in. The same in files, links and `lab run`. ----

/** Kafka's settings by their keys. Values may be numbers and booleans; they come back as texts. */
export type Config = Record<string, string | number | boolean>;

/** A scenario: the cluster, who uses it, and what goes wrong. What is absent is Kafka's default. */
export interface Scenario {
  version?: 1;
  /** Its name in the library. */
  id?: string;
  /** All chance comes from it: a whole number up to `Number.MAX_SAFE_INTEGER`. 1 if absent. */
  seed?: number;
  cluster?: { brokers?: number; controllers?: 1 | 3; racks?: string[]; config?: Config };
  topics?: Topic[];
  /** One way, at least and at most. */
  network?: { "latency.us"?: [least: number, most: number] };
  producers?: Producer[];
  consumers?: Consumer[];
  processors?: Processor[];
  faults?: Fault[];
  /** `quiet`: it ends as soon as nothing is left to do. */
  until?: { quiet?: boolean; "max.ms"?: number };
  about?: About;
  /** What was done by hand, as links have it. */
  inputs?: ByHand[];
  /** The moment that a link shows, in microseconds; `t.nth`: after how many of its events. */
  t?: number;
  "t.nth"?: number;
}

/** A fault at a moment: microseconds, and after how many of the events of that microsecond, if not after all. */
export type ByHand = { "at.us": number; nth?: number } & (What | (MessageFault & { message: number; kind?: string }));

export interface Topic {
  name: string;
  partitions?: number;
  "replication.factor"?: number;
  config?: Config;
}

/** A program that sends. */
export interface Producer {
  name: string;
  topic: string;
  records?: number;
  "rate.per.second"?: number;
  key?: "none" | "record" | `entity:${number}`;
  resend?: "never" | "unacknowledged";
  "transaction.records"?: number;
  "abort.every"?: number;
  "start.at.ms"?: number;
  config?: Config;
}

/** A program that reads: alone, in a group, or in a share group. */
export interface Consumer {
  name: string;
  group?: string;
  members?: number;
  topics?: string[];
  "topics.pattern"?: string;
  assign?: boolean;
  "processing.ms"?: number;
  commit?: "before" | "after-sync" | "after-async" | "auto";
  "hand.over"?: "inline" | "worker";
  "on.revoke"?: "nothing" | "commit" | "wait";
  batch?: boolean;
  sink?: Sink;
  retries?: number;
  "retry.backoff.ms"?: number;
  "retry.topic"?: string;
  "dead.letter.topic"?: string;
  share?: boolean;
  "on.failure"?: "release" | "reject";
  "start.at.ms"?: number;
  "producer.config"?: Config;
  config?: Config;
}

/** A program that reads, processes and sends on. */
export interface Processor {
  name: string;
  group?: string;
  from: string[];
  to: string[];
  assign?: boolean;
  "processing.ms"?: number;
  offsets?: "transaction" | "after" | "before";
  sink?: Sink;
  "start.at.ms"?: number;
  "producer.config"?: Config;
  "consumer.config"?: Config;
}

export type Dedupe = "none" | "unique-key" | "version" | "processed-ids" | "offset-with-output";

/** An external system on which a program acts. */
export interface Sink {
  name?: string;
  dedupe?: Dedupe;
  fencing?: "none" | "offset" | "generation";
  "window.records"?: number;
  "window.ms"?: number;
  atomic?: boolean;
  first?: "effect" | "id";
  "latency.ms"?: number;
  "timeout.ms"?: number;
  "fail.every"?: number;
  "lose.reply.every"?: number;
  "poison.every"?: number;
}

/** The same in English and Korean. */
export interface LocalText {
  en: string;
  ko: string;
}

export interface About {
  title: LocalText;
  question: LocalText;
  watch: LocalText;
  /** What to change next, as `name.key=value`. */
  try?: string | string[];
}

/** A scenario of the library: it has a name, and says what it is about. */
export type LibraryScenario = Scenario & { id: string; about: About };

/** When: at a time, on the nth message of a kind, or on the nth event of a kind; all counted from the beginning. */
export type When = { "at.ms": number; on?: undefined } | { on: OnMessage | OnEvent; "at.ms"?: undefined };

/** `message` is a kind, such as `ProduceResponse`. */
export interface OnMessage {
  message: string;
  from?: string;
  to?: string;
  nth?: number;
}

export interface OnEvent {
  event: FaultEvent;
  node?: string;
  nth?: number;
}

/** Events that a fault can wait for. */
export type FaultEvent =
  | "appended" | "committed" | "delivered" | "processing" | "processed" | "offsets-committed" | "sent"
  | "transactions-initialized" | "transaction-begun" | "offsets-sent" | "transaction-ending" | "transaction-ended"
  | "transaction-changed" | "producer-failed" | "group-joined" | "partitions-assigned" | "partitions-revoked"
  | "partitions-lost" | "member-left" | "handler-failed";

/** One link, or all links of a node. */
export type Ends = { between: [string, string]; node?: undefined } | { node: string; between?: undefined };

/** What goes wrong, or what an administrator does. */
export type What =
  | { do: "crash" | "shutdown" | "power_loss" | "pause" | "full_disk"; node: string; "for.ms"?: number }
  | { do: "restart" | "resume"; node: string }
  | ({ do: "partition"; "one.way"?: boolean; "for.ms"?: number } & Ends)
  | ({ do: "heal" } & Ends)
  | ({ do: "slow"; "by.ms"?: number; "for.ms"?: number } & (Ends | { between?: undefined; node?: undefined }))
  | { do: "slow_disk"; node: string; "by.ms"?: number; "for.ms"?: number }
  | { do: "skew_clock"; node: string; "by.ms"?: number }
  | { do: "corrupt"; node: string; partition?: string; offset?: number }
  | { do: "elect_leaders"; type?: "preferred" | "unclean"; topic?: string; partition?: number }
  | { do: "create_partitions"; topic: string; count: number }
  | { do: "reassign"; topic: string; partition?: number; replicas?: number[] }
  | { do: "alter_config"; topic?: string; config?: Config }
  | { do: "delete_records" | "abort_transaction"; topic: string; partition?: number; offset?: number };

/** What can happen to a message. */
export type MessageFault = { do: "reset" | "stall" } | { do: "delay"; "by.ms"?: number };

/** Something goes wrong, once. */
export type Fault = (What & When) | (MessageFault & { on: OnMessage; "at.ms"?: undefined });

/** For `inject`: a fault of a scenario; without a time it is for now, and a message on its way can be named by its id. */
export type InjectedFault =
  | Fault
  | (What & { "at.ms"?: undefined; on?: undefined })
  | (MessageFault & { on: { message: number }; "at.ms"?: undefined });

export interface LabOptions {
  /** Another seed. */
  seed?: number;
  /** Other settings, as `lab run --set` takes them: `{ "acks": 1, "shop.linger.ms": 0, "mailer.commit": "before" }`. */
  set?: Config;
}

export interface EventOptions {
  /** From the event with this id on; 0 if absent. To go on, ask from the last one's id + 1. */
  from?: number;
  /** At most so many; 1000 if absent. */
  limit?: number;
  /** Message traffic, too (`message-sent`, `message-delivered`, `message-lost`); false if absent. */
  messages?: boolean;
}

/** What every call throws when something is wrong with what it was given: its message says all, `mistakes` has them one by
 *  one. A place `engine` is a bug of Delivery Lab itself: this copy of the module has stopped for good. */
export interface DeliveryLabError extends Error {
  name: "DeliveryLabError";
  mistakes: { place: string; problem: string }[];
}

// ---- What comes out. Times are microseconds since the scenario began, records are the generator's numbers, from 0. ----

export type Guarantee = "at-most-once" | "at-least-once" | "exactly-once";

export interface Verdict {
  claimed: Guarantee;
  observed: Guarantee | "none";
  /** Whether the claim was kept. */
  holds: boolean;
}

/** The ledger in numbers. What is absent is 0 or empty. */
export interface LedgerNumbers {
  sent: number;
  acked: number;
  appended: number;
  committed: number;
  aborted?: number;
  open?: number;
  delivered: number;
  processed: number;
  /** Sent, and the effect never happened. */
  lost: number[];
  /** Those of them that the producer was told are stored. */
  acked_lost: number[];
  /** The effect happened more than once. */
  duplicated: number[];
  /** It stands in a log more than once. */
  log_duplicated: number[];
  /** The effect came before that of an earlier record of the same partition. */
  reordered: number[];
  /** Of an aborted transaction, yet processed. */
  aborted_read: number[];
  dead_lettered?: number[];
  rejected?: number[];
  exhausted?: number[];
}

/** A record's state in one word. */
export type RecordStatus =
  | "waiting" | "sending" | "stored" | "behind-lso" | "processing" | "once" | "taken-back" | "dead-lettered" | "rejected"
  | "log-duplicated" | "duplicated" | "aborted-read" | "refused" | "lost" | "acked-lost";

/** One record's life, as counts. */
export interface RecordLife {
  record: number;
  partition: string | null;
  status: RecordStatus;
  sent: boolean;
  acked: boolean;
  /** What the producer was told. */
  error: string | null;
  appended: number;
  committed: number;
  aborted: number;
  delivered: number;
  processed: number;
}

export interface Ledger extends LedgerNumbers {
  records: RecordLife[];
}

/** A partition as the controller has it, and the offsets of its leader (of the longest log, without one). */
export interface PartitionReport {
  /** −1 for none. */
  leader: number;
  leader_epoch: number;
  isr: number[];
  log_end_offset: number;
  high_watermark: number;
  last_stable_offset: number;
}

/** What `lab run --json` prints. */
export interface Report {
  /** Its id, or `custom`. */
  scenario: string;
  seed: number;
  virtual_ms: number;
  events: number;
  state_hash: string;
  guarantee: Verdict;
  ledger: LedgerNumbers;
  partitions: Record<string, PartitionReport>;
  errors: { at_ms: number; node: string; code: string }[];
  /** Properties of the engine that did not hold: never, we hope. */
  invariant_violations: string[];
}

export interface View {
  time_us: number;
  events: number;
  finished: boolean;
  nodes: LabNode[];
  partitions: Record<string, PartitionReport & { replicas: Replica[] }>;
  messages: Message[];
  /** Links that are cut or slow. */
  links: { between: [string, string]; cut: boolean; slower_us: number }[];
  groups: Group[];
  transactions: Transaction[];
  guarantee: Verdict & { because: { key: string; value: string; node: string }[] };
  ledger: LedgerNumbers;
}

/** `offline`: the process is dead, its files are there. */
export type ReplicaRole = "leader" | "follower" | "offline";

export interface Replica {
  broker: string;
  role: ReplicaRole;
  leader_epoch: number;
  log_start_offset: number;
  log_end_offset: number;
  high_watermark: number;
  last_stable_offset: number;
}

/** A message on its way, or lost a moment ago. */
export interface Message {
  /** For `inject({ on: { message: id }, … })`. */
  id: number;
  from: string;
  to: string;
  /** `Produce`, `Fetch`, … */
  api: string;
  response: boolean;
  error: string | null;
  records: number[];
  sent_us: number;
  /** Or when it was lost; null while it hangs. */
  arrives_us: number | null;
  fate: "flying" | "stalled" | "lost";
  /** Replication, heartbeats, metadata and empty fetches. */
  quiet: boolean;
}

export type LabNode = NodeBase & (BrokerNode | ControllerNode | ProducerNode | ConsumerNode | ProcessorNode | SinkNode);

export interface NodeBase {
  name: string;
  status: "up" | "fenced" | "paused" | "crashed" | "stopped" | "powered-off";
  trouble: "disk-full" | "disk-slow" | "wrong-clock" | null;
  doing: Activity;
}

/** What a node does now. */
export type Activity =
  | {
      what:
        | "idle" | "finished" | "dead" | "frozen" | "waiting-for-metadata" | "waiting-for-producer-id"
        | "waiting-for-coordinator" | "joining-group" | "polling" | "committing" | "producer-fenced"
        | "initializing-transactions" | "in-transaction" | "adding-partitions" | "sending-offsets" | "waiting-for-sink"
        | "replying" | "fenced" | "starting";
    }
  | { what: "buffering" | "waiting-for-ack"; records: number[] }
  | { what: "retrying"; attempt: number; records: number[] }
  | { what: "backing-off"; attempt: number; records: number[]; until_us: number }
  | { what: "processing"; record: number; until_us: number }
  | { what: "ending-transaction"; committed: boolean }
  | { what: "failed"; error: string }
  | { what: "serving"; leads: number; follows: number }
  | { what: "controlling"; alive: number }
  | { what: "standby"; role: string; epoch: number };

export interface BrokerNode {
  kind: "broker";
  broker_epoch: number;
  metadata_offset: number;
  leads: string[];
  follows: string[];
}

export interface ControllerNode {
  kind: "controller";
  role: "leader" | "follower" | "candidate" | "prospective" | "unattached" | "resigned" | null;
  active: boolean;
  epoch: number;
  leader: string | null;
  metadata_offset: number;
  brokers: { broker: number; broker_epoch: number; fenced: boolean }[];
}

export interface ProducerState {
  topic: string;
  sent: number;
  total: number;
  acked: number;
  failed: number;
  /** Records in the accumulator. */
  buffered: number[];
  in_flight: { to: string; records: number[]; attempt: number; deadline_us: number }[];
  producer_id: number | null;
  producer_epoch: number | null;
  transaction: {
    transactional_id: string;
    /** By Kafka's name: `IN_TRANSACTION`, … */
    state: string;
    partitions: string[];
    coordinator: string | null;
    error: string | null;
    fenced: boolean;
  } | null;
}

export interface ProducerNode extends ProducerState {
  kind: "producer";
}

export interface ConsumerState {
  group: string | null;
  share: boolean;
  member: { member_id: string; epoch: number; state: string } | null;
  positions: { partition: string; position: number | null; committed: number | null; lag: number }[];
  /** Returned by `poll()`, not yet processed. */
  pending: number[];
  /** Handed over to a worker, not yet processed. */
  worker: number[];
  /** If it is no node of its own. */
  sink: SinkState | null;
}

export interface ConsumerNode extends ConsumerState {
  kind: "consumer";
}

export interface ProcessorNode {
  kind: "processor";
  from: string[];
  to: string[];
  offsets: "transaction" | "after" | "before";
  consumer: ConsumerState;
  producer: ProducerState;
}

export interface SinkState {
  dedupe: Dedupe;
  users: string[];
  /** The last of them. */
  records: { record: number; effects: number; refused: number }[];
  /** `offset-with-output`: the next offset of each partition. */
  offsets: Record<string, number>;
  /** `version`: the latest record of each entity. */
  versions: Record<string, number>;
}

export interface SinkNode extends SinkState {
  kind: "sink";
}

/** A group, as its coordinator knows it. */
export interface Group {
  group: string;
  coordinator: string;
  protocol: "classic" | "consumer" | "share";
  /** By Kafka's name: `Stable`, … */
  state: string;
  /** Generation (classic), or group epoch. */
  epoch: number;
  assignor: string | null;
  members: { member_id: string; instance_id: string | null; client_id: string; assigned: string[] }[];
  committed: Record<string, number>;
}

/** A transactional id, as its coordinator knows it. */
export interface Transaction {
  transactional_id: string;
  coordinator: string;
  /** By Kafka's name: `Ongoing`, … */
  state: string;
  /** Written, not yet committed. */
  pending_state: string | null;
  producer_id: number;
  producer_epoch: number;
  timeout_ms: number;
  partitions: string[];
}

/** One replica's log, as its broker has it. */
export interface Log {
  partition: string;
  broker: string;
  role: ReplicaRole;
  leader: number;
  leader_epoch: number;
  partition_epoch: number;
  replicas: number[];
  isr: number[];
  /** Proposed to the controller, if it is another. */
  pending_isr: number[] | null;
  /** Eligible leader replicas (KIP-966). */
  elr: number[];
  log_start_offset: number;
  log_end_offset: number;
  high_watermark: number;
  last_stable_offset: number;
  /** What a leader knows of its followers. */
  followers: { broker: number; log_end_offset: number; last_caught_up_us: number; in_sync: boolean }[];
  /** The last 48 offsets; `record` is null where no generator's record stands. */
  records: {
    offset: number;
    record: number | null;
    kind: "plain" | "open" | "kept" | "aborted" | "commit-marker" | "abort-marker" | "control";
    committed: boolean;
    duplicate: boolean;
    leader_epoch: number;
    /** Base offset of its batch. */
    batch: number;
  }[];
  segments: { base_offset: number; bytes: number; batches: number; first_batch: number | null }[];
  epochs: { epoch: number; start_offset: number }[];
  /** Idempotent producers, each with its last five batches. */
  producers: {
    producer_id: number;
    producer_epoch: number;
    coordinator_epoch: number;
    open_since: number | null;
    batches: { first_sequence: number; last_sequence: number; first_offset: number }[];
  }[];
  /** The transaction index. */
  aborted: { producer_id: number; first_offset: number; last_offset: number; last_stable_offset: number }[];
}

/** A file as Kafka would hold it: `kafka-dump-log.sh` reads it. */
export interface LogFile {
  name: string;
  bytes: Uint8Array;
}

/** A line of history; 0 is the scenario as written. */
export interface Branch {
  id: number;
  /** From which it split, after how many events, and when. */
  parent: number | null;
  fork_event: number;
  fork_us: number;
  /** How far it has been run. */
  end_us: number;
  current: boolean;
}

/** Something that happened at a node. `cause` is the id of the event it follows from. */
export type LabEvent = { id: number; time_us: number; node: string; cause?: number } & Happening;

interface OfRecord {
  records: number[];
  partition: string;
  offset: number;
}

interface OfProducer {
  transactional_id: string;
  producer_id: number;
  producer_epoch: number;
}

export interface OffsetRange {
  first_offset: number;
  last_offset: number;
  deliveries: number;
}

export type Happening =
  // Producers
  | { event: "sent"; records: number[]; partition: string }
  | { event: "batch-sent"; records: number[]; partition: string; to: string; attempt: number; base_sequence: number }
  | ({ event: "acked" } & OfRecord)
  | { event: "send-failed"; records: number[]; partition: string | null; error: string }
  | { event: "retry"; records: number[]; partition: string; error: string; again_us: number }
  | { event: "producer-failed"; error: string }
  // Consumers and sinks
  | ({ event: "delivered" | "processing" } & OfRecord)
  | ({ event: "processed" | "sink-refused"; by: string } & OfRecord)
  | ({ event: "handler-failed"; error: string } & OfRecord)
  | ({ event: "acknowledged"; type: "accept" | "release" | "reject" | "renew" | "gap" } & OfRecord)
  | { event: "offsets-committed"; partition: string; offset: number }
  | { event: "position-set"; partition: string; offset: number; from_commit: boolean }
  | { event: "consumer-failed"; error: string }
  | { event: "request-failed"; api: string; to: string; error: string }
  // Brokers
  | ({ event: "appended" | "replicated"; leader_epoch: number; marker: boolean } & OfRecord)
  | ({ event: "duplicate-ignored" } & OfRecord)
  | { event: "committed" | "high-watermark"; partition: string; offset: number }
  | { event: "became-leader"; partition: string; leader_epoch: number; offset: number; isr: number[] }
  | { event: "became-follower"; partition: string; leader_epoch: number; leader: number }
  | { event: "truncated"; partition: string; offset: number; end_offset: number; records: number[] }
  | { event: "log-start-moved"; partition: string; offset: number }
  | { event: "compacted"; partition: string; end_offset: number; bytes: number }
  | { event: "isr-changed"; partition: string; isr: number[]; partition_epoch: number }
  | { event: "isr-proposed"; partition: string; isr: number[] }
  | { event: "log-dir-failed" }
  | { event: "produce-refused"; partition: string; error: string }
  | { event: "log-recovered"; partition: string; end_offset: number; lost_bytes: number }
  // Controllers
  | { event: "broker-fenced" | "broker-unfenced"; broker: number }
  | { event: "partition-changed"; partition: string; leader: number; leader_epoch: number; isr: number[];
      partition_epoch: number; unclean: boolean }
  | { event: "quorum-changed"; role: string; epoch: number; leader: string | null }
  | { event: "controller-active"; epoch: number }
  // Transactions
  | ({ event: "transactions-initialized" | "transaction-begun" } & OfProducer)
  | { event: "transaction-ending"; transactional_id: string; committed: boolean }
  | ({ event: "transaction-ended"; committed: boolean } & OfProducer)
  | { event: "offsets-sent"; group: string; offsets: Record<string, number> }
  | ({ event: "transaction-changed"; state: string; partitions: string[] } & OfProducer)
  | { event: "transactional-id-expired"; transactional_id: string }
  // Groups
  | { event: "group-joined"; group: string; member_id: string; epoch: number }
  | { event: "partitions-assigned" | "partitions-revoked" | "partitions-lost"; partitions: string[] }
  | { event: "member-left"; group: string; reason: string }
  | { event: "group-changed"; group: string; state: string; epoch: number }
  | { event: "member-joined"; group: string; member_id: string }
  | { event: "member-removed"; group: string; member_id: string;
      reason: "left" | "session-timeout" | "rebalance-timeout" | "replaced" | "group-full" }
  // Share groups
  | { event: "records-acquired"; group: string; member_id: string; partition: string; ranges: OffsetRange[] }
  | { event: "records-acknowledged" | "acquisition-lock-expired"; group: string; partition: string;
      ranges: (OffsetRange & { state: "available" | "acknowledged" | "archived" })[] }
  | { event: "share-partition-loaded"; group: string; partition: string; offset: number }
  // The world
  | { event: "message-sent"; message: number; to: string; api: string; response: boolean; error: string | null;
      answers: number | null; records: number[]; quiet: boolean }
  | { event: "message-delivered" | "message-lost"; message: number }
  | { event: "disconnected"; to: string }
  | { event: "started" }
  | ({ event: "fault" } & FaultMark);

/** A fault that took effect. */
export type FaultMark =
  | { fault: "crashed" | "shutting-down" | "stopped" | "power-lost" | "paused" | "resumed" | "disk-full" | "disk-freed" }
  | { fault: "asked"; api: string }
  | { fault: "link-cut" | "link-healed"; to: string }
  | { fault: "slowed"; to: string | null }
  | { fault: "reset" | "stalled" | "delayed"; message: number }
  | { fault: "clock-skewed"; by_ms: number }
  | { fault: "corrupted"; partition: string }
  | { fault: "disk-slowed"; by_us: number };
