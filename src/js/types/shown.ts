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
