// The first minute of a visitor: the page opens on the lost ack, one click shows the duplicate, and the page says why.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const long = 60_000;

test("the page opens on the lost ack, with an invitation and a Play button in sight", async () => {
  await page.open();
  await page.browser.waitForText(".lede", "The broker stores record 3, but its ack never arrives.");
  await page.browser.waitForText(".lede", "Press Play and watch.");
  assert.match(await page.browser.text("#picker"), /Lost ack/);
  assert.match(await page.browser.text("#banner"), /Nothing has happened yet/);
  assert.deepEqual([await page.count("lost"), await page.count("duplicated"), await page.count("reordered")], [0, 0, 0]);
  assert.equal(await page.clock(), 0);
  assert.ok(await page.inSight("#play"));
});

test("nobody is dead before anything has happened", async () => {
  await page.open();
  assert.equal((await page.browser.text("svg.stage")).includes("dead"), false);
});

test("one click on Play: a duplicate of record 3 appears, and the page says why", async () => {
  await page.open();
  await page.browser.click("#play");
  await page.browser.waitForText("#play", "Pause");
  // It really plays: there are moments at which record 3 is under way, stored, and not yet broken.
  await page.browser.waitFor(async () => (await page.status(3)) === "now", "record 3 to be under way", long);
  await page.browser.waitFor(async () => (await page.count("duplicated")) === 1, "a duplicate", long);
  await page.browser.waitFor(async () => (await page.status(3)) === "twice", "record 3 to be the duplicate", long);
  await page.browser.waitForText("#banner", /Record 3 (is in the log twice|was processed more than once)\./);
  await page.browser.waitForText(".banner .reason", "the answer never reached the producer (REQUEST_TIMED_OUT)");
  await page.browser.waitForText(".banner .reason", "it stands at offsets 3 and 4");
  // The invitation has done its work: now it says what there was to see, and what to try.
  await page.browser.waitForText(".lede", "The producer times out and sends 3 again");
  await page.browser.waitForText(".lede button", "Set enable.idempotence=true on shop");
});

test("the story of record 3 leads from its send to its second effect, and each line to its moment", async () => {
  await page.open();
  await page.toEnd();
  await page.browser.click(".banner .link");
  const story = await page.browser.text(".story ol");
  const chapters = ["send(): record 3", "appended record 3 at offset 3", "processed record 3 (offset 3)", "REQUEST_TIMED_OUT", "attempt 2", "appended record 3 at offset 4", "processed record 3 (offset 4)"];
  for (const chapter of chapters) assert.ok(story.includes(chapter), `${chapter} in\n${story}`);
  await page.browser.waitForText(".story .why", "The broker stored it");

  const at = await page.browser.text(".story li:first-child .time");
  await page.browser.click(".story li:first-child .time");
  await page.browser.waitForText("#clock", at);
  assert.equal(await page.count("duplicated"), 0, "back then nothing had gone wrong");
});

test("the cure that the page offers is one click: idempotence, and nothing is doubled", async () => {
  await page.open();
  await page.browser.click("#play");
  await page.browser.click(".lede button");
  await page.browser.waitForText(".notice", "enable.idempotence=true");
  await page.toEnd();
  assert.equal(await page.count("duplicated"), 0);
  await page.browser.waitForText("#banner", "All is well: 20 processed, none lost, none twice.");
});

test("whoever goes to the end without Play is told what there was to see, too", async () => {
  await page.open();
  await page.toEnd();
  assert.match(await page.browser.text(".lede"), /The producer times out and sends 3 again/);
});

const ways = {
  hovering: (css) => page.hover(css),
  focusing: (css) => page.browser.run((it) => document.querySelector(`${it} button`).focus(), css),
};
for (const [record, other, what, options] of [
  [2, 3, "a record", {}],
  [3, 2, "a duplicated record", {}],
]) {
  for (const [way, point] of Object.entries(ways)) {
    test(`${way} ${what} in the ledger marks it everywhere, and no other`, options, async () => {
      await page.open();
      await page.toEnd();
      await page.scrub(0.85);
      await point(`.ledger tr[data-r="${record}"]`);
      const places = (id) => [`.ledger tr[data-r="${id}"]`, `.broker .cell[data-r="${id}"] rect`, `.sink [data-r="${id}"] rect`];
      await page.browser.waitFor(async () => (await marked(places(record)[0])).includes(true), "the row to be marked");
      for (const css of places(record)) assert.ok((await marked(css)).every(Boolean), css);
      for (const css of places(other)) assert.ok(!(await marked(css)).includes(true), css);
    });
  }
}

// Which of the elements that match wear the highlight's colour.
function marked(css) {
  return page.browser.run((it) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = "var(--hot)";
    const colour = getComputedStyle(probe).color;
    probe.remove();
    const found = [...document.querySelectorAll(it)].map((at) => getComputedStyle(at));
    if (found.length === 0) throw new Error(`nothing is ${it}`);
    return found.map((style) => style.stroke === colour || style.boxShadow.includes(colour));
  }, css);
}

test("a count of the verdict opens its records, and closes them again", async () => {
  await page.open();
  await page.toEnd();
  assert.equal((await page.rows()).length, 20);
  await page.browser.click(page.counter("duplicated"));
  await page.browser.waitFor(async () => (await page.rows()).join() === "3", "only record 3");
  await page.browser.waitForText(".story", "The story of record 3");
  await page.browser.click(page.counter("duplicated"));
  await page.browser.waitFor(async () => (await page.rows()).length === 20, "all records again");
});

// id, title, lost and duplicated (true: some), what the settings claim, whether that holds, what the banner says.
const library = [
  ["fire-and-forget", "Fire and forget", true, false, "at most once", true, /are lost, although all were acked\./],
  ["leader-only-ack", "Leader-only ack", true, false, "at least once", false, /lost, although (it was|some were|all were) acked\./],
  ["lost-ack", "Lost ack", false, true, "at least once", true, /Record 3 was processed more than once\./],
  ["commit-first", "Commit first", true, false, "at most once", true, /lost/],
  ["commit-after", "Commit after", false, true, "at least once", true, /processed more than once\./],
  ["auto-commit-truth", "Auto-commit, the truth", true, true, null, false, /lost/],
];
for (const [id, title, lost, duplicated, claimed, holds, says] of library) {
  test(`the menu offers "${title}", and it ends as its story says`, async () => {
    await page.open(id === "lost-ack" ? "?scenario=commit-first" : "");
    await page.chooseScenario(id);
    await page.browser.waitForText("#picker", title);
    await page.toEnd();
    assert.equal((await page.count("lost")) > 0, lost, "lost");
    assert.equal((await page.count("duplicated")) > 0, duplicated, "duplicated");
    if (claimed) assert.equal(await page.browser.text("#claimed"), claimed);
    assert.match(await page.browser.text("#observed"), holds ? /holds ✓/ : /broken ✗/);
    assert.match(await page.browser.text("#banner"), says);
    assert.match(await page.browser.run(() => location.search), new RegExp(`scenario=${id}&seed=`));
  });
}
