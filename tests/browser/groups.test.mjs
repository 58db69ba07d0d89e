// Consumer groups on the page: the panel with members over their partitions, and the lane of a rebalance in time.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const file = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
const json = file("./group.json");
const texts = (css) => page.browser.run((where) => [...document.querySelectorAll(where)].map((it) => it.textContent), css);
const node = (name) => `.node[data-node="${name}"]`;

// Two members; the second one comes at 1 s, the first one dies at 3.5 s, with a session of 6 s.
async function ran(query = "", scenario = json) {
  await page.open(query);
  await page.paste(scenario);
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

// `45 ms`, `3.99 s`, in milliseconds.
const ms = (text) => { const [, number, unit] = text.match(/([\d.]+) (µs|ms|s)/); return Number(number) * { "µs": 0.001, ms: 1, s: 1_000 }[unit]; };

test("in the consumer protocol the panel shows epochs, targets, and what is yet to be given up", async () => {
  await ran("", file("./epochs.json"));
  await page.browser.click("#tab-inspector");
  await page.browser.click(".chips .grp");
  await page.scrub(9.4);
  const it = await page.browser.waitFor(async () => { const it = await panel(); return it.facts["group epoch"] === "4" && it; }, "epoch 4");
  assert.deepEqual([it.facts.state, it.facts.protocol, it.facts["assignment epoch"], it.facts.assignor], ["Reconciling", "consumer", "4", "uniform"]);
  const second = it.rows.find(([name]) => name === "mailer-2");
  assert.ok(second.includes("going") && second.includes("held"), "mailer-2 reads two, and must give one up");
  assert.ok(it.rows.find(([name]) => name === "mailer-3").includes("due"), "for which mailer-3 waits");
  const said = await texts(".own tbody th small");
  assert.ok(said.some((it) => /epoch 4 · UNRELEASED_PARTITIONS/.test(it)) && said.some((it) => /epoch 3 · STABLE/.test(it)), String(said));
  // As kafka-consumer-groups.sh lists them, and the records that say so.
  const heads = await texts(".group table caption");
  assert.ok(heads.includes("members") && heads.some((it) => /^__consumer_offsets-\d+: the newest record of each key about mail/.test(it)), String(heads));
  const target = await page.browser.run(() => [...document.querySelectorAll(".group table.plain")].find((it) => it.caption.textContent === "members").textContent);
  assert.match(target, /target assignment.*pending revocation.*orders: /);
  const records = await texts(".records tbody tr");
  assert.ok(records.some((it) => /"type":"8".*"memberEpoch":/.test(it)), records[0]);
  await page.browser.waitForText(node("mailer-2"), /epoch 3/);
});

test("what rebalances cost is counted, drawn from the beginning on, and leads to its moment", async () => {
  await ran();
  const said = await page.browser.text('[data-pauses="mail"]');
  const [, count, longest, all] = said.match(/(\d+) pauses? · longest (.+) · (.+) in all/);
  assert.ok(Number(count) >= 1 && ms(longest) > 4_000 && ms(all) >= 2 * 4_000, said);
  await page.browser.click('[data-pauses="mail"] .link');
  await page.browser.waitForText(".group .pauses", `longest ${longest}`);
  const stops = await texts(".history .stop title");
  assert.equal(stops.length, Number(count));
  assert.ok(stops.every((it) => /^\d of 4 unread · /.test(it)), String(stops));
  assert.ok((await texts(".history .stop text")).length > 0, "a number stands at a pause");
  const before = await page.browser.text("#clock");
  const [x, y] = await page.browser.run(() => {
    const svg = document.querySelector("svg.history");
    svg.scrollIntoView({ block: "center" });
    const gaps = [...svg.querySelectorAll(".hold.nobody rect")].map((it) => it.getBoundingClientRect());
    const box = gaps.reduce((widest, it) => (it.width > widest.width ? it : widest));
    return [box.left + box.width / 2, box.top + box.height / 2];
  });
  await page.pointer(x, y).click().perform();
  await page.browser.waitFor(async () => (await page.browser.text("#clock")) !== before, "a click there goes there");
  const at = Number(await page.browser.text("#clock"));
  assert.ok(at > 3.5 && at < 11, `in the middle of the pause: ${at}`);
});

test("siblings run from the same seed, and stand beside each other", async () => {
  await page.open("?scenario=rebalance-styles");
  await page.toEnd();
  const sibling = (text) => page.browser.run((text) => [...document.querySelectorAll(".siblings .try")].find((it) => it.textContent.includes(text)).click(), text);
  for (const style of ["cooperative-sticky", "group.instance.id", "group.protocol=consumer"]) {
    await sibling(style);
    await page.browser.waitFor(() => page.browser.run((style) => document.querySelector(".siblings .try:disabled")?.textContent.includes(style), style), `${style} runs`);
    await page.toEnd();
  }
  await page.browser.find(".runs");
  const runs = await page.browser.run(() => [...document.querySelectorAll(".runs tbody")].map((it) => [it.querySelector("th").textContent, ...[...it.querySelectorAll("td")].map((cell) => cell.textContent)]));
  assert.deepEqual(runs.map(([name]) => name.split("=").at(-1)), ["as written", "cooperative-sticky", "mailer", "consumer"]);
  const [eager, cooperative, statics] = runs;
  assert.ok(Number(cooperative[4]) > 0 && Number(eager[4]) === 0, "commits fail while a cooperative rebalance goes on");
  assert.equal(statics[1], "3", "a static member's partitions wait for it, once a restart");
  assert.equal(await page.browser.count(".runs .now"), 1);
});

test("a leader's strip says how far each group has committed", async () => {
  await page.open("?scenario=commit-after");
  await page.toEnd();
  const lags = await texts(".lags");
  assert.equal(lags.length, 1, "at the leader");
  assert.match(lags[0], /lag \d+$/);
  assert.deepEqual((await texts(".swatches li")).slice(5, 7), ["a reader's position", "its committed offset"]);
});

test("a partition that nobody had read tells why its first records are lost", async () => {
  await page.open("?scenario=born-too-late");
  await page.toEnd();
  await page.browser.waitForText(".banner .reason", /no committed offset there, and auto\.offset\.reset put the position to/);
});

test("a slow handler's records are processed by who took its partition over", async () => {
  await page.open("?scenario=slow-handler");
  await page.toEnd();
  await page.browser.waitForText(".banner .reason", /slow processed it, but did not call poll\(\) again within max\.poll\.interval\.ms.* The partition went to quick/);
  await page.browser.click(".banner .link");
  const story = await texts(".story li");
  assert.ok(story.some((it) => /poll timeout/.test(it)), "the story tells of it");
});

test("a share group's records in flight are cells with their state and deliveries", async () => {
  await page.open("?scenario=share-group");
  await page.toEnd();
  await page.browser.click("#tab-inspector");
  await page.browser.click(".chips .grp");
  await page.scrub(4);
  await page.browser.find(".shares .sharec.acquired");
  const it = await panel();
  assert.deepEqual([it.facts.protocol, it.facts.assignor, it.facts.members], ["share", "simple", "3"]);
  assert.deepEqual(it.rows.slice(-4).map(([name]) => name), ["start offset", "in flight", "high watermark", "lag"]);
  const cells = await page.browser.run(() => [...document.querySelectorAll(".shares [data-state]")].map((it) => `${it.dataset.state} ${it.querySelector("small").textContent}`));
  assert.ok(cells.some((it) => /^ACQUIRED ×\d/.test(it)) && cells.some((it) => /^ACKNOWLEDGED ×\d/.test(it)), String(cells));
  assert.equal(await page.browser.count("[data-pauses]"), 0, "nobody owns a partition");
});

const sibling = async (text) => {
  await page.browser.run((it) => [...document.querySelectorAll(".siblings .try")].find((button) => button.textContent.includes(it)).click(), text);
  await page.browser.waitFor(() => page.browser.run((it) => document.querySelector(".siblings .try:disabled")?.textContent.includes(it), text), `${text} runs`);
  await page.toEnd();
};

test("a share group: the verdict tells repetition, poison and what rejecting or a unique key changes", async () => {
  await page.open("?scenario=share-group");
  await page.toEnd();
  await page.browser.waitForText(".banner", "Record 14 is lost, although it was acked.");
  await page.browser.waitForText(".banner .reason", /delivered 5 times.*group\.share\.delivery\.count\.limit/s);
  assert.deepEqual([await page.count("lost"), await page.count("duplicated")], [1, 2]);
  // The dead member's locks outlive it, and are still its own.
  await page.browser.click("#tab-inspector");
  await page.browser.click(".chips .grp");
  await page.scrub(4);
  await page.browser.find(".shares .sharec.archived");
  const held = await texts(".shares .sharec.acquired .sr");
  assert.ok(held.length > 0 && held.some((it) => it.includes(", † worker-2, delivered 1 times")), String(held));

  await sibling("on.failure=reject");
  assert.equal(await page.count("lost"), 0);
  await page.browser.waitForText('.ledger tr[data-r="14"] .lab', "rejected");
  await page.browser.waitForText("#observed", /at least once holds ✓/);

  await sibling("sink.dedupe=unique-key");
  assert.deepEqual([await page.count("lost"), await page.count("duplicated")], [1, 0]);
  assert.ok((await texts(`${node("workers-sink")} .cell.refused .off`)).includes("1⊘1"), "the sink refused what was done again");
});

test("born too late: who starts at the earliest, or asks for new partitions sooner, loses nothing", async () => {
  await page.open("?scenario=born-too-late");
  await page.toEnd();
  assert.ok((await page.count("lost")) > 0);
  for (const [cure, lost] of [["auto.offset.reset=earliest", 0], ["by_duration:PT1H", 0]]) {
    await sibling(cure);
    assert.equal(await page.count("lost"), lost, cure);
    await page.browser.waitForText(".banner", /All is well/);
  }
});

test("three members, small: each names its place in the group, and all of them and the brokers fit", async () => {
  await page.open("?scenario=rebalance-styles");
  await page.toEnd();
  for (const name of ["mailer-1", "mailer-2", "mailer-3"]) {
    const label = await page.attribute(`${node(name)} .head`, "aria-label");
    assert.match(label, new RegExp(`^${name}, (★ )?([0-9a-zA-Z_-]{4} · )?gen 6, Consumer: `));
    assert.match(await page.browser.text(`${node(name)} .title`), /gen 6/);
  }
  const bottom = (css) => page.browser.run((it) => Math.max(...[...document.querySelectorAll(it)].map((card) => card.getBoundingClientRect().bottom)), css);
  assert.ok((await bottom(".node.consumer")) <= (await bottom(".node.controller")), "the readers need no more room than the cluster");
});

test("two groups on one topic: each has its flags on the strip, and its lag beside it", async () => {
  await page.open("?scenario=auto-commit-truth");
  await page.toEnd();
  const lags = await texts(".lags");
  assert.equal(lags.length, 1);
  assert.match(lags[0].trim(), /^(lag \d+ · \d+|inline .*, handed-over .*)$/);
  const tips = await texts(`${node("broker-0")} .reader.stored title`);
  assert.deepEqual(tips.map((it) => it.replace(/\d+/, "N")).sort(), ["handed-over: committed N", "inline: committed N"]);
  const places = await page.browser.run(() => [...document.querySelectorAll('.node[data-node="broker-0"] .reader.stored')].map((it) => Math.round(it.getBoundingClientRect().left)));
  assert.equal(new Set(places).size, 2, "none lies upon the other");
});

for (const [theme, lang, width] of [["light", "en", 1440], ["dark", "ko", 360], ["dark", "en", 768]]) {
  test(`axe finds nothing in a group: ${theme}, ${lang}, ${width} px`, async () => {
    const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    await page.browser.resize(width, 900);
    await ran(`?theme=${theme}&lang=${lang}`);
    await page.browser.click("#tab-inspector");
    await page.browser.click(".chips .grp");
    for (const at of [3.2, 6]) {
      await page.scrub(at);
      await page.browser.find(".own i");
      assert.deepEqual(await page.browser.axe({ runOnly }), [], `at ${at} s`);
    }
    const wide = await page.browser.run(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, "the page does not scroll sideways");
    await page.browser.resize(1440, 900);
  });
}
