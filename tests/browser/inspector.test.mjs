// The inspector and the event list: what a click on the stage opens, down to the bytes of a batch.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const broker = (id) => `.node[data-node="broker-${id}"]`;
const facts = () => page.browser.run(() => Object.fromEntries([...document.querySelectorAll(".facts > div")].map((it) => [it.querySelector("dt").textContent, it.querySelector("dd").textContent])));
const finished = async (query) => {
  await page.open(query);
  await page.toEnd();
};

test("a click on a log opens its partition, with Kafka's own numbers", async () => {
  await finished();
  await page.clickOn(`${broker(0)} .partition .tp`);
  await page.browser.waitForText(".inspector h3", "orders-0 · broker 0 leader");
  assert.equal(await page.attribute("#tab-inspector", "aria-selected"), "true");
  const said = await facts();
  assert.deepEqual(
    [said.HW, said.LEO, said.LSO, said["log start offset"], said.leader, said["leader epoch"], said.ISR, said.replicas],
    ["21", "21", "21", "0", "0", "0", "0 · 1 · 2", "0 · 1 · 2"],
  );
  assert.equal(await page.browser.count(".cells .cellb"), 21, "20 records, one of them twice");
  await page.browser.waitForText(".tables", "00000000000000000000.log");
});

test("the numbers are those of the moment", async () => {
  await finished();
  await page.clickOn(`${broker(0)} .partition .tp`);
  await page.browser.waitForText(".inspector h3", "orders-0");
  const end = await facts();
  await page.scrub(0.5);
  await page.browser.waitFor(async () => (await facts()).LEO !== end.LEO, "an earlier log end offset");
  assert.equal((await facts()).LEO, "4", "the retry has not been yet");
});

test("after the leader died there is another leader, in the next epoch", async () => {
  await finished("?scenario=leader-only-ack");
  await page.browser.click("#tab-inspector");
  for (const id of [1, 2]) {
    await page.clickOn(`${broker(id)} .partition .tp`);
    await page.browser.waitForText(".inspector h3", `orders-0 · broker ${id}`);
    const said = await facts();
    assert.notEqual(said.leader, "0");
    assert.ok(Number(said["leader epoch"]) > 0, said["leader epoch"]);
  }
});

test("a click on a cell opens its batch as annotated hex, and the bytes are the batch's", async () => {
  await finished();
  await page.clickOn(`${broker(0)} .cell[data-r="19"]`);
  await page.browser.waitForText(".hex h3", "Batch at offset 20");
  const fields = await page.browser.run(() => Object.fromEntries([...document.querySelectorAll(".hex tbody tr")].map((row) => [row.children[1].textContent, [...row.children].map((it) => it.textContent)])));
  const field = (name) => fields[Object.keys(fields).find((it) => it.toLowerCase().replace(/[^a-z]/g, "") === name)];
  assert.deepEqual(field("baseoffset").slice(0, 4), ["0–7", field("baseoffset")[1], "20", "00 00 00 00 00 00 00 14"]);
  assert.equal(field("magic")[3].trim(), "02");
  const bytes = (await page.browser.text(".hex .dump")).trim().split(/\s+/);
  assert.match(await page.browser.text(".hex h3"), new RegExp(` ${bytes.length} B`));
  assert.ok(bytes.every((byte) => /^[0-9a-f]{2}$/.test(byte)));
  assert.deepEqual(bytes.slice(0, 8), "00 00 00 00 00 00 00 14".split(" "));
});

test("every batch can be walked to, and any offset typed", async () => {
  await finished();
  await page.clickOn(`${broker(0)} .partition .tp`);
  await page.browser.waitForText(".tables", "00000000000000000000.log");
  await page.clickOn('.tables button[title="First batch of 00000000000000000000.log"]');
  await page.browser.waitForText(".hex h3", "Batch at offset 0");
  assert.ok(await page.attribute('.walk button[aria-label="Previous batch"]', "disabled"), "there is none before it");
  await page.clickOn('.walk button[aria-label="Next batch"]');
  await page.browser.waitForText(".hex h3", "Batch at offset 1");
  await page.clickOn('.walk button[aria-label="Previous batch"]');
  await page.browser.waitForText(".hex h3", "Batch at offset 0");
  await page.browser.run(() => {
    const input = document.querySelector(".walk input");
    input.value = "20";
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  await page.browser.waitForText(".hex h3", "Batch at offset 20");
});

test("the files can be saved: one segment, or all of them in an archive that unpacks", async () => {
  await finished();
  await page.clickOn(`${broker(0)} .partition .tp`);
  await page.browser.waitForText(".tables", "00000000000000000000.log");
  // What the browser would save is caught at the link that is clicked for it.
  await page.browser.run(() => {
    window.saved = [];
    HTMLAnchorElement.prototype.click = function () {
      window.saved.push({ name: this.download, bytes: fetch(this.href).then((it) => it.arrayBuffer()).then((it) => it.byteLength) });
    };
  });
  await page.clickOn('.tables button[aria-label="Download 00000000000000000000.log"]');
  await page.clickOn(".tables div > button.link");
  const saved = await page.browser.run(async () => Promise.all(window.saved.map(async (it) => [it.name, await it.bytes])));
  assert.deepEqual(saved.map(([name]) => name), ["00000000000000000000.log", "broker-0-orders-0.tar"]);
  assert.ok(saved[0][1] > 1_000, `${saved[0][1]} bytes`);
  assert.equal(saved[1][1] % 512, 0);
  assert.ok(saved[1][1] > saved[0][1] + 6 * 512, "the log and the others");
});

test("the bytes and the name of a field are marked together", async () => {
  await finished();
  await page.clickOn(`${broker(0)} .cell[data-r="19"]`);
  await page.hover(".hex tbody tr:nth-child(3)");
  await page.browser.waitFor(() => page.browser.run(() => [".dump span", "tbody tr"].every((css) => document.querySelector(`.hex ${css}:nth-child(3)`).classList.contains("hot"))), "both to be marked");
  assert.equal(await page.browser.count(".hex .dump .hot"), 1);
});

test("both copies of the duplicate are in the log, at two offsets", async () => {
  await finished();
  await page.clickOn(`${broker(0)} .partition .tp`);
  await page.browser.find(".cells");
  const copies = await page.browser.run(() => [...document.querySelectorAll('.cellb.dup[data-r="3"] small')].map((it) => it.textContent));
  assert.deepEqual(copies, ["3", "4"]);
});

test("a node's popover leads to its insides", async () => {
  await finished();
  await page.strike('.node[data-node="shop"] .head', "inspect");
  await page.browser.waitForText(".inspector h3", "shop up");
  assert.deepEqual([(await facts()).sent, (await facts()).acked, (await facts()).failed], ["20 / 20", "20", "0"]);
  await page.browser.click(".chips button:nth-child(1)");
  await page.browser.waitForText(".inspector", "broker_epoch");
});

test("events are listed newest first, and a filter finds a node, a record or a word", async () => {
  await finished();
  const times = await page.browser.run(() => [...document.querySelectorAll(".events .time")].map((it) => Number(it.textContent)));
  assert.deepEqual(times, times.toSorted((a, b) => b - a));
  const lines = () => page.browser.run(() => [...document.querySelectorAll(".events li span")].map((it) => it.textContent));
  for (const word of ["mailer", "record 17", "processed"]) {
    await page.browser.type("#filter-events", word);
    await page.browser.waitFor(async () => (await lines()).length > 0 && (await lines()).every((line) => line.toLowerCase().includes(word)), `only lines with ${word}`);
  }
  await page.browser.type("#filter-events", "no such thing");
  await page.browser.waitFor(async () => (await lines()).length === 0, "no line");
});

test("a filter finds what happened long ago", async () => {
  await finished("?scenario=auto-commit-truth");
  await page.browser.type("#filter-events", "record 0");
  await page.browser.waitFor(async () => (await page.browser.count(".events li")) > 0, "an event of record 0", 3_000);
});

test("heartbeats and replication are quiet until they are asked for", async () => {
  await finished();
  const quiet = () => page.browser.run(() => document.querySelectorAll(".arr.rep").length);
  assert.equal(await quiet(), 0);
  await page.browser.click(".legend input");
  await page.browser.waitFor(async () => (await quiet()) > 0, "replication's arrows");
});

test("a line of the list leads to its moment", async () => {
  await finished();
  await page.browser.type("#filter-events", "mailer processed record 17");
  await page.browser.waitFor(async () => (await page.browser.count(".events li")) === 1, "one line");
  const at = await page.browser.text(".events .time");
  await page.browser.click(".events .time");
  await page.browser.waitForText("#clock", at);
});

test("a quorum shows who leads it, what each has, and the metadata log", async () => {
  await finished("?scenario=controller-failover");
  await page.browser.click("#tab-inspector");
  await page.clickOn('.inspector .chips button:nth-child(6)');
  const said = await page.browser.waitFor(async () => { const it = await facts(); return it.epoch && it; }, "the quorum's facts");
  assert.ok(Number(said.epoch) >= 2, `a new epoch: ${said.epoch}`);
  assert.equal(said.leader, "controller 2");
  await page.browser.waitForText(".inspector", "__cluster_metadata");
  await page.browser.waitForText(".inspector", "PartitionChange");
});
