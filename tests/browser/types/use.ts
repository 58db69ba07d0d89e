// Uses the whole JavaScript API, as a careful and as a careless program would. Only the compiler reads it (types.test.mjs).
import init, { initSync, Lab } from "delivery-lab";
import type { DeliveryLabError, Fault, LabEvent, LabNode, Report, Scenario } from "delivery-lab";

const scenario: Scenario = {
  version: 1,
  seed: 42,
  topics: [{ name: "orders", config: { "min.insync.replicas": 2 } }],
  producers: [{ name: "shop", topic: "orders", records: 20, key: "entity:4", config: { acks: "all", "enable.idempotence": false } }],
  consumers: [{ name: "mailer", group: "mail", topics: ["orders"], commit: "after-sync", sink: { dedupe: "processed-ids", "window.records": 3 } }],
  faults: [
    { on: { message: "ProduceResponse", from: "broker-0", to: "shop", nth: 4 }, do: "stall" },
    { "at.ms": 720, do: "crash", node: "broker-0", "for.ms": 20000 },
    { "at.ms": 800, do: "partition", between: ["broker-0", "broker-1"], "one.way": true },
    { on: { event: "processed", nth: 2 }, do: "alter_config", topic: "orders", config: { "retention.ms": "" } },
  ],
};

const asALink: Scenario = {
  ...scenario,
  inputs: [{ "at.us": 700_000, do: "crash", node: "broker-1" }, { "at.us": 710_000, nth: 2, do: "stall", message: 425, kind: "ProduceResponse" }],
  t: 900_000,
};

export async function careful(bytes: Uint8Array<ArrayBuffer>): Promise<Report> {
  await init();
  await init({ module_or_path: "./delivery-lab_bg.wasm" });
  initSync({ module: bytes });
  using lab = new Lab(scenario, { seed: 7, set: { "enable.idempotence": true } });
  const went: number = lab.step() + lab.step(-3);
  lab.seek(1_200_000);
  lab.inject({ do: "power_loss", node: "broker-0" });
  for (const message of lab.view().messages) lab.inject({ do: "reset", on: { message: message.id } });
  lab.inject({ do: "delay", "by.ms": 30, on: { message: "FetchResponse", nth: went } });
  const producers = lab.view().nodes.filter((node) => node.kind === "producer").map((node) => node.in_flight.length);
  const hash: string = lab.stateHash() + lab.link();
  const time: number = lab.finished ? lab.timeUs : producers.length;
  const stories: LabEvent[] = [...lab.story(3), ...lab.events({ from: 12, limit: 10, messages: true })];
  const offsets = stories.map((it) => (it.event === "appended" ? it.offset : it.event === "fault" && it.fault === "asked" ? it.api : hash));
  const bytesOfLogs: number = lab.files("broker-0", "orders-0").reduce((sum, file) => sum + file.bytes.length, time);
  lab.switchBranch(lab.branches()[0]?.id ?? 0);
  const lost = lab.ledger().records.filter((it) => it.status === "acked-lost" && it.error === null);
  const epochs = lab.log("broker-0", "orders-0").epochs.map((it) => it.start_offset + bytesOfLogs + offsets.length + lost.length);
  const title: string = Lab.library()[0]?.about.title.ko ?? String(epochs);
  const again: Report = new Lab(title ? asALink : lab.scenario()).run();
  return title ? lab.report() : again;
}

export function caught(error: unknown): string[] {
  return (error as DeliveryLabError).mistakes.map(({ place, problem }) => `${place}: ${problem}`);
}

export function careless(lab: Lab, node: LabNode): void {
  // @ts-expect-error: no such key
  const misspelt: Scenario = { sead: 1 };
  // @ts-expect-error: no such verb
  lab.inject({ do: "crush", node: "broker-0" });
  // @ts-expect-error: which message?
  lab.inject({ do: "stall" });
  // @ts-expect-error: which node?
  lab.inject({ do: "crash" });
  // @ts-expect-error: a fault of a scenario has a time
  const timeless: Fault = { do: "crash", node: "broker-0" };
  // @ts-expect-error: only producers have requests in flight
  node.in_flight;
  // @ts-expect-error: microseconds are a number
  lab.seek("1200");
  // @ts-expect-error: it can only be read
  lab.timeUs = 3;
  // @ts-expect-error: `limit`
  lab.events({ limt: 3 });
  // @ts-expect-error: reports have no such number
  lab.report().ledger.vanished;
  // @ts-expect-error: a number or a text, no function
  new Lab("lost-ack", { set: { acks: () => 1 } });
  void [misspelt, timeless];
}
