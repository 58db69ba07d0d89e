// Consumer groups on the page: the panel with members over their partitions, and the lane of a rebalance in time.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const json = readFileSync(new URL("./group.json", import.meta.url), "utf8");
const texts = (css) => page.browser.run((where) => [...document.querySelectorAll(where)].map((it) => it.textContent), css);
const node = (name) => `.node[data-node="${name}"]`;

// Two members; the second one comes at 1 s, the first one dies at 3.5 s, with a session of 6 s.
async function ran(query = "") {
  await page.open(query);
  await page.paste(json);
  await page.browser.find(node("mailer-2"));
  await page.toEnd();
}
const panel = () => page.browser.run(() => ({
  facts: Object.fromEntries([...document.querySelectorAll(".group .facts > div")].map((it) => [it.querySelector("dt").textContent, it.querySelector("dd").textContent])),
  rows: [...document.querySelectorAll(".own tbody tr")].map((row) => [row.querySelector("th").firstChild.textContent, ...[...row.querySelectorAll("td")].map((cell) => cell.className || cell.textContent)]),
}));

test("the panel shows the group's state, and its members over their partitions", async () => {
  await ran();
  await page.browser.click("#tab-inspector");
  await page.browser.click(".chips .grp");
  await page.browser.waitForText(".group h3", "mail group coordinator: broker");
  await page.scrub(3.2);
  const shared = await page.browser.waitFor(async () => { const it = await panel(); return it.facts.members === "2" && it.facts.state === "Stable" && it; }, "two members");
  assert.deepEqual([shared.facts.protocol, shared.facts.assignor, shared.facts.generation], ["classic", "range", "2"]);
  assert.match(shared.facts["kept in"], /^__consumer_offsets-\d+$/);
  const bands = shared.rows.slice(0, 2).map(([, ...cells]) => cells.filter((it) => it === "held").length);
  assert.deepEqual([shared.rows[0][0], shared.rows[1][0], bands], ["mailer-1", "mailer-2", [2, 2]]);
  assert.deepEqual(shared.rows.slice(2).map(([name]) => name), ["committed", "position", "high watermark", "lag"]);
  assert.ok(shared.rows[3].slice(1).every((at) => /^\d+$/.test(at)), "one position a partition");

  // A dead member is one until its session ends: its partitions are assigned, and nobody has them.
  await page.scrub(6);
  const dead = await page.browser.waitFor(async () => { const it = await panel(); return it.rows.some(([name]) => name.startsWith("†")) && it; }, "the dead member");
  assert.equal(dead.rows.find(([name]) => name.startsWith("†")).filter((it) => it === "due").length, 2);
});

test("the lane tells who owned what, and for how long nobody did", async () => {
  await ran();
  for (let zoom = 0; zoom < 6; zoom += 1) await page.browser.click(".zoom button:last-child").catch(() => {});
  await page.scrub(6);
  const gaps = async () => (await texts('.groups [data-owned="orders-0"] .hold.nobody title')).map((it) => it.match(/nobody reads · ([\d.]+) (\w+)$/));
  const waits = await page.browser.waitFor(async () => { const it = await gaps(); return it.length > 0 && it.every(Boolean) && it.some((one) => Number(one[1]) * (one[2] === "s" ? 1_000 : 1) > 4_000) && it; }, "the gap after the crash");
  assert.ok(waits.length >= 1);
  assert.deepEqual(await texts('.groups[data-group="mail"] .lane:not(.head)'), ["orders-0", "orders-1", "orders-2", "orders-3"]);
  const marks = (await texts(".groups .gmark title")).join(" | ");
  assert.match(marks, /mailer-2 joined, generation 2/);
  await page.clickOn(".groups .lane.head");
  await page.browser.waitForText(".group h3", "mail");
});

test("a member's card names it, and leads to its group", async () => {
  await ran();
  await page.scrub(3.2);
  await page.browser.waitForText(node("mailer-2"), /[0-9a-zA-Z_-]{4} · gen 2/);
  await page.strike(`${node("mailer-2")} .head`, "inspect");
  await page.browser.waitForText(".group h3", "mail");
  await page.browser.waitForText(".inspector", "member state");
});

test("one member with one partition shares nothing, and needs no lane", async () => {
  await page.open("?scenario=lost-ack");
  await page.toEnd();
  assert.equal(await page.browser.count(".groups"), 0);
});

for (const [theme, lang, width] of [["light", "en", 1440], ["dark", "ko", 360], ["dark", "en", 768]]) {
  test(`axe finds nothing in a group: ${theme}, ${lang}, ${width} px`, async () => {
    const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const rules = { "label-content-name-mismatch": { enabled: false } };
    await page.browser.resize(width, 900);
    await ran(`?theme=${theme}&lang=${lang}`);
    await page.browser.click("#tab-inspector");
    await page.browser.click(".chips .grp");
    for (const at of [3.2, 6]) {
      await page.scrub(at);
      await page.browser.find(".own i");
      assert.deepEqual(await page.browser.axe({ runOnly, rules }), [], `at ${at} s`);
    }
    const wide = await page.browser.run(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, "the page does not scroll sideways");
    await page.browser.resize(1440, 900);
  });
}
