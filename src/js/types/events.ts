// ---- What happened: `events()` and `story()`. ----

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
