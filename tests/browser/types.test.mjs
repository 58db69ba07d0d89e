// The types of the JavaScript API say what it really gives: what runs of the whole library came to is written down as
// TypeScript and checked, excess and missing fields included; so is a program that uses all of it (types/use.ts).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { dist } from "./harness.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "..", "target", "browser", "types");
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

// One of each shape is enough: the same keys, and the same words where a word decides.
function oneOfEach(values) {
  const shapes = new Map();
  for (const value of values) shapes.set(shape(value), value);
  return [...shapes.values()];
}

const deciding = new Set(["event", "fault", "what", "kind", "status", "role", "state", "fate", "protocol", "dedupe", "trouble", "reason", "type", "do"]);
function shape(value, key = "") {
  if (Array.isArray(value)) return `[${[...new Set(value.map((it) => shape(it)))].sort()}]`;
  if (value === null || typeof value !== "object") return deciding.has(key) ? String(value) : value === null ? "null" : typeof value;
  return `{${Object.entries(value).map(([name, it]) => `${name}:${shape(it, name)}`)}}`;
}

async function collect() {
  const { initSync, Lab } = await import(pathToFileURL(join(dist, "delivery-lab.js")));
  initSync({ module: readFileSync(join(dist, "delivery-lab_bg.wasm")) });
  const seen = { View: [], Report: [], Ledger: [], LabEvent: [], Log: [], Branch: [], LibraryScenario: Lab.library() };
  for (const { id } of seen.LibraryScenario) {
    const lab = new Lab(id);
    const { events } = lab.run();
    lab.step(-1e9);
    do seen.View.push(lab.view());
    while (lab.step(Math.ceil(events / 12)) > 0);
    seen.Report.push(lab.report());
    seen.Ledger.push(lab.ledger());
    seen.LabEvent.push(...lab.events({ limit: 1e6, messages: true }));
    const { nodes, partitions } = lab.view();
    const brokers = nodes.filter((it) => it.kind === "broker");
    for (const broker of brokers) {
      for (const [name, { replicas }] of Object.entries(partitions)) {
        if (replicas.some((it) => it.broker === broker.name)) seen.Log.push(lab.log(broker.name, name));
      }
    }
    lab.seek(1000);
    lab.inject({ do: "pause", node: brokers[0].name, "for.ms": 1 });
    seen.Branch.push(...lab.branches());
    lab.free();
  }
  return seen;
}

test("the types fit what comes out, and a program that uses them", async () => {
  const seen = await collect();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const api = `./${relative(out, join(dist, "delivery-lab.js"))}`.replaceAll("\\", "/").replace("././", "./");
  const nodes = seen.View.flatMap((view) => view.nodes);
  // Views are cut into their parts, or each would be of a shape of its own.
  const parts = {
    "View[\"nodes\"]": nodes,
    "View[\"messages\"]": seen.View.flatMap((it) => it.messages),
    "View[\"groups\"]": seen.View.flatMap((it) => it.groups),
    "View[\"transactions\"]": seen.View.flatMap((it) => it.transactions),
    "View[\"links\"]": seen.View.flatMap((it) => it.links),
    "View[]": seen.View.map((it) => ({ ...it, nodes: [], messages: [], groups: [], transactions: [], links: [] })),
  };
  delete seen.View;
  const all = { ...parts, ...Object.fromEntries(Object.entries(seen).map(([type, values]) => [`${type}[]`, values])) };
  const types = new Set(Object.keys(all).map((type) => type.match(/^\w+/)[0]));
  const lines = [`import type { ${[...types].join(", ")} } from "${api}";`];
  for (const [type, values] of Object.entries(all)) {
    assert.ok(values.length > 0, `no ${type} was seen`);
    lines.push(`export const is${lines.length}: ${type} = ${JSON.stringify(oneOfEach(values))};`);
  }
  writeFileSync(join(out, "seen.ts"), `${lines.join("\n")}\n`);
  writeFileSync(join(out, "use.ts"), readFileSync(join(here, "types", "use.ts"), "utf8").replaceAll('"delivery-lab"', `"${api}"`));
  const compilerOptions = { strict: true, noEmit: true, exactOptionalPropertyTypes: true, target: "es2022", module: "nodenext", lib: ["es2023", "dom", "esnext.disposable"], types: [] };
  writeFileSync(join(out, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["seen.ts", "use.ts"] }));
  const checked = spawnSync(process.execPath, [tsc, "--project", out], { encoding: "utf8" });
  assert.equal(checked.stdout.slice(0, 4000) + checked.stderr, "");
  assert.equal(checked.status, 0);
});
