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
  /** Settings of groups, as `kafka-configs --entity-type groups` makes them. */
  groups?: GroupSettings[];
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

/** `name` is a `group.id`; its keys begin with `consumer.` or `share.`. */
export interface GroupSettings {
  name: string;
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
  "renew.every.ms"?: number;
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
  | { do: "alter_config"; topic?: string; group?: undefined; config?: Config }
  | { do: "alter_config"; group: string; topic?: undefined; config?: Config }
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
