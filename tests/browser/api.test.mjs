// The JavaScript API as it is published: in Node, in a page, and in a Web Worker, with no more than the documented CSP.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { goldenHash } from "./golden.mjs";
import { dist, openBrowser, serve } from "./harness.mjs";

const golden = goldenHash("lost-ack", 42);
const csp = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'";

// What a page and a worker do with it.
const program = `
import init, { Lab } from "./delivery-lab.js";
export async function run() {
  await init();
  const lab = new Lab("lost-ack", { seed: 42 });
  const { state_hash, ledger, guarantee } = lab.run();
  lab.free();
  let refused;
  try { new Lab({ sead: 1 }); } catch (error) { refused = [error instanceof Error, error.name, error.mistakes]; }
  return { state_hash, duplicated: ledger.duplicated, holds: guarantee.holds, refused };
}
`;
const expected = {
  state_hash: golden,
  duplicated: [3],
  holds: true,
  refused: [true, "DeliveryLabError", [{ place: "scenario", problem: 'unknown key "sead"; did you mean "seed"?' }]],
};
const files = {
  "host.html": '<!doctype html><title>host</title><script type="module" src="host.js"></script>',
  "host.js": 'import { run } from "./program.js"; run().then((it) => { document.title = JSON.stringify(it); });',
  "work.html": '<!doctype html><title>work</title><script type="module" src="work.js"></script>',
  "work.js": 'new Worker("worker.js", { type: "module" }).onmessage = ({ data }) => { document.title = JSON.stringify(data); };',
  "worker.js": 'import { run } from "./program.js"; run().then((it) => postMessage(it));',
  "program.js": program,
};

let browser;
let server;
before(async () => {
  server = await serve({ base: "/some/where/", headers: { "content-security-policy": csp }, files });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test("in Node, from the file", async () => {
  const { initSync, Lab } = await import(pathToFileURL(join(dist, "delivery-lab.js")));
  initSync({ module: readFileSync(join(dist, "delivery-lab_bg.wasm")) });
  const lab = new Lab("lost-ack");
  const hashes = [];
  while (lab.step(50) > 0) hashes.push(lab.stateHash());
  assert.equal(hashes.at(-1), golden);
  // Back, and there again.
  lab.step(-200);
  assert.notEqual(lab.stateHash(), golden);
  assert.equal(lab.run().state_hash, golden);
  assert.equal(new Lab(lab.scenario()).run().state_hash, golden);
  assert.throws(() => new Lab("lost-akc"), /did you mean "lost-ack"/);
  lab.free();
  assert.throws(() => lab.run(), Error);
});

for (const [where, page] of [["a page", "host.html"], ["a Web Worker", "work.html"]]) {
  test(`in ${where}, under a strict Content-Security-Policy`, async () => {
    await browser.open(server.url + page);
    const said = await browser.waitFor(() => browser.run(() => (document.title.startsWith("{") ? document.title : null)), "what it says");
    assert.deepEqual(JSON.parse(said), expected);
    assert.deepEqual(await browser.consoleErrors(), []);
    assert.deepEqual(server.misses, []);
  });
}
