// The systems behind applications: their tables with what they refused and ignored, slow and dead ones, and what the verdict
// makes of it. A person reads the verdict, then the table, then the settings.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const slow = readFileSync(new URL("./slow-sink.json", import.meta.url), "utf8");
const node = (name) => `.node[data-node="${name}"]`;
const texts = (css) => page.browser.run((where) => [...document.querySelectorAll(where)].map((it) => it.textContent.trim()), css);
const sibling = (text) => page.browser.run((it) => [...document.querySelectorAll(".siblings .try")].find((button) => button.textContent.includes(it)).click(), text);
const observed = () => page.browser.text("#observed");

// Pastes a scenario, with parts of its sink (or else) changed.
async function ran(change = {}, query = "", more = {}, producer = {}) {
  await page.open(query);
  const scenario = JSON.parse(slow);
  Object.assign(scenario.consumers[0].sink, change);
  Object.assign(scenario.consumers[0], more);
  Object.assign(scenario.producers[0], producer);
  await page.paste(JSON.stringify(scenario));
  await page.browser.find(node("post"));
  await page.toEnd();
}

// The table of a node's sink: record, effects, refused, why, and how the row is drawn.
async function table(name) {
  await page.browser.click("#tab-inspector");
  await page.browser.run((it) => [...document.querySelectorAll(".chips button")].find((chip) => chip.textContent === it).click(), name);
  await page.browser.find(".effects tbody tr");
  const rows = await page.browser.run(() => [...document.querySelectorAll(".effects tbody tr")].map((row) => [Number(row.dataset.r), { effects: Number(row.cells[1].textContent), refused: Number(row.cells[2].textContent), why: row.cells[3].textContent, class: row.className }]));
  return new Map(rows);
}

// What a sink's card says under a record: ×2, 1⊘1.
const under = (record) => page.browser.run((it) => document.querySelector(`.sink .cell[data-r="${it}"] .off`)?.textContent ?? null, record);

test("without dedupe a crash repeats effects: the verdict says that they are outside of Kafka, the table which ones", async () => {
  await page.open("?scenario=side-effects");
  await page.toEnd();
  await page.browser.waitForText("#claimed", "exactly once");
  assert.match(await observed(), /at least once broken ✗/);
  await page.browser.waitForText(".banner .reason", /Its transaction was aborted, and it was read again\..* the effect at the sink is outside of Kafka: it happened 2 times\./s);
  assert.equal(await under(5), "×2");
  const rows = await table("billing");
  for (const record of [5, 6, 7]) assert.deepEqual(rows.get(record), { effects: 2, refused: 0, why: "happened more than once", class: "twice" });
  assert.deepEqual(rows.get(8), { effects: 1, refused: 0, why: "", class: "" });
  await page.browser.waitForText(".inspector", "It knows nothing of repetitions");
});

for (const [strategy, why, says] of [
  ["unique-key", "second insert refused: the key is there", "A table whose key is the record's id"],
  ["version", "ignored: this version is there", "Each entity has a version"],
  ["processed-ids", "ignored: its id is in the store", "A store of processed ids"],
]) {
  test(`${strategy} makes it once: the table shows what was not done again`, async () => {
    await page.open("?scenario=side-effects");
    await page.toEnd();
    await sibling(`sink.dedupe=${strategy}`);
    await page.browser.waitForText(".notice .changes", `billing: sink.dedupe=${strategy}`);
    await page.toEnd();
    assert.match(await observed(), /exactly once holds ✓/);
    assert.deepEqual([await page.count("lost"), await page.count("duplicated")], [0, 0]);
    await page.browser.find(node("billing-sink"));
    const rows = await table("billing-sink");
    for (const record of [5, 6, 7]) assert.deepEqual(rows.get(record), { effects: 1, refused: 1, why, class: "refused" });
    await page.browser.waitForText(".inspector", says);
    assert.equal((await texts(`${node("billing-sink")} .cell.refused .off`))[0], "1⊘1", "on the card as well");
  });
}

test("the offset stored with the output is shown, and whoever starts reads on from there", async () => {
  await page.open("?scenario=side-effects");
  await page.toEnd();
  await sibling("sink.dedupe=offset-with-output");
  await page.toEnd();
  assert.match(await observed(), /exactly once holds ✓/);
  const rows = await table("billing-sink");
  assert.ok([...rows.values()].every((row) => row.effects === 1), "each effect once");
  const stored = await page.browser.run(() => [...document.querySelectorAll("table")].find((it) => it.caption?.textContent === "offsets stored with the output").tBodies[0].textContent);
  assert.match(stored, /^orders-0\d+$/);
});

test("a store that forgets too early is none: it says how much it remembers, and what fell out", async () => {
  await page.open("?scenario=side-effects");
  await page.toEnd();
  await sibling("sink.dedupe=processed-ids");
  await page.browser.run(() => document.querySelector("#set-reader0-work-sink-window-records").closest("details").querySelector("summary").click());
  await page.browser.type("#set-reader0-work-sink-window-records", "1");
  await page.browser.keys(page.Key.TAB);
  await page.toEnd();
  assert.match(await observed(), /at least once broken ✗/);
  assert.match(await page.browser.text(node("billing-sink")), /processed-ids · 1/);
  const rows = await table("billing-sink");
  assert.deepEqual(rows.get(5), { effects: 2, refused: 0, why: "its id had fallen out: it happened again", class: "twice forgotten" });
  assert.equal(rows.get(12).why, "its id has fallen out of the store");
});

test("a version loses what comes late: older than what is there, and the row says than what", async () => {
  await ran({ dedupe: "version", "fail.every": 5, "lose.reply.every": 0, "latency.ms": 0 }, "", { retries: 0, "retry.topic": "again" }, { "rate.per.second": 40, key: "entity:2" });
  // Whoever lets a failed record wait in a retry topic lets others of its entity pass.
  assert.ok((await page.count("lost")) > 0);
  const rows = await table("post");
  const late = [...rows.values()].filter((row) => /^version \d+ of .* ignored: it is at version \d+$/.test(row.why));
  assert.ok(late.length > 0 && late.every((row) => row.effects === 0 && row.refused === 1 && row.class === "refused"), JSON.stringify([...rows]));
  assert.ok((await texts(".inspector table caption")).includes("versions"));
});

test("a sink whose reply gets lost: the program gives up after timeout.ms, and does it again", async () => {
  await ran();
  assert.equal(await page.count("duplicated"), 2);
  await page.browser.waitForText("#observed", /at least once holds ✓/);
  await page.browser.waitForText(".banner", "Records 4, 8 were processed more than once.");
  await page.browser.click(".banner .link");
  await page.browser.waitForText(".story ol", /timed out waiting for the sink's reply/);
  const rows = await table("post");
  assert.deepEqual(rows.get(4), { effects: 2, refused: 0, why: "happened more than once", class: "twice" });
  // While it waits, it says so.
  await page.scrub(0.5);
  await page.browser.waitForText(`${node("mailer")}`, /waiting for its sink/);
});

test("a sink that dies is crossed out, keeps what it has, and its programs try again until it is back", async () => {
  await page.open();
  await page.paste(slow);
  await page.browser.find(node("post"));
  await page.seek(0.33);
  const before = await texts(`${node("post")} .cell .num`);
  assert.ok(before.length > 0);
  await page.strike(`${node("post")} .head`, "crash");
  await page.browser.find(`${node("post")}.crashed .crossed`);
  assert.deepEqual(await texts(`${node("post")} .cell .num`), before, "what happened has happened");
  await page.toEnd();
  assert.ok((await page.count("lost")) > 0, "nobody takes the rest");
});

test("who writes for an old generation is kept out: fencing can be chosen where it means something", async () => {
  await ran({ dedupe: "offset-with-output" });
  const field = "#set-consumer0-work-sink-fencing";
  await page.browser.run((css) => document.querySelector(css).closest("details").querySelector("summary").click(), field);
  assert.equal(await page.browser.run((css) => document.querySelector(css).value, field), "offset");
  await page.choose(field, "generation");
  await page.browser.waitFor(() => page.browser.run((css) => document.querySelector(css).classList.contains("changed"), field), "a changed field to be tinted");
  await page.browser.run((css) => document.querySelector(css).focus(), field);
  await page.browser.waitForText(`${field}-doc`, /also the generation.*Default: offset\./);
  await page.choose("#set-consumer0-work-sink-dedupe", "unique-key");
  await page.browser.waitFor(async () => (await page.browser.count(field)) === 0, "no fencing where no offset is stored");
});

test("what is at its default waits behind a button, and a wrong value is refused in its place", async () => {
  await ran();
  await page.browser.run(() => document.querySelector("#set-consumer0-work-commit").closest("details").querySelector("summary").click());
  assert.equal(await page.browser.count("#set-consumer0-work-retry-backoff-ms"), 0);
  assert.equal(await page.browser.count("#set-consumer0-work-sink-timeout-ms"), 1, "it is not at its default");
  await page.browser.click("details:has(#set-consumer0-work-commit) .field ~ .more:nth-last-of-type(1)");
  await page.browser.type("#set-consumer0-work-retry-backoff-ms", "soon");
  await page.browser.waitForText("details:has(#set-consumer0-work-commit) .error", "Expected a whole number from 0 to 600000.");
  await page.browser.type("#set-consumer0-work-retry-backoff-ms", "50");
  await page.browser.keys(page.Key.TAB);
  await page.choose("#set-consumer0-work-on-revoke", "commit");
  await page.browser.type("#set-consumer0-work-topics", "nowhere");
  await page.browser.keys(page.Key.TAB);
  await page.browser.waitForText(".notice.bad", /there is no topic "nowhere"/);
  assert.equal(await page.browser.run(() => document.querySelector("#set-consumer0-work-on-revoke").value), "commit", "what was good stays");
});

test("whoever sends failures away has the settings of a producer for that", async () => {
  await ran({}, "", { "dead.letter.topic": "again" });
  const summary = await texts(".settings summary");
  assert.ok(summary.some((it) => it.startsWith("Consumer mailer, producer")), String(summary));
  await page.browser.run(() => document.querySelector("#set-sender0-acks").closest("details").querySelector("summary").click());
  await page.choose("#set-sender0-acks", "1");
  await page.browser.waitFor(() => page.browser.run(() => document.querySelector("#set-sender0-acks").classList.contains("changed")), "the change");
});

for (const [theme, lang, width] of [["light", "en", 1440], ["dark", "ko", 360], ["dark", "en", 768]]) {
  test(`axe finds nothing where there are sinks: ${theme}, ${lang}, ${width} px`, async () => {
    await page.browser.resize(width, 900);
    for (const dedupe of ["none", "offset-with-output"]) {
      await ran({ dedupe }, `?theme=${theme}&lang=${lang}`);
      await table("post");
      assert.deepEqual(await page.browser.axe(), [], dedupe);
    }
    assert.ok(await page.browser.run(() => document.documentElement.scrollWidth <= innerWidth), "the page does not scroll sideways");
    await page.browser.resize(1440, 900);
  });
}
