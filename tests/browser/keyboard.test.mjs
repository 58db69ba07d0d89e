// Everything by keyboard, with the focus in sight.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const { ARROW_LEFT, ARROW_RIGHT, END, ENTER, ESCAPE, HOME, TAB } = page.Key;
const events = async () => Number.parseInt(await page.attribute(".clock", "title"), 10);
const waitForEvents = (number) => page.browser.waitFor(async () => (await events()) === number, `${number} events`);
const isOpen = async (css) => (await page.browser.count(css)) === 1;

test("space plays and pauses", async () => {
  await page.open();
  await page.browser.keys(" ");
  await page.browser.waitForText("#play", "Pause");
  await page.clockAfter(0);
  await page.browser.keys(" ");
  await page.browser.waitForText("#play", "Play");
});

test("on a focused button, space presses that button only", async () => {
  await page.open();
  await page.browser.run(() => document.querySelector("#theme").focus());
  await page.browser.keys(" ");
  await page.browser.waitFor(async () => (await page.attribute("html", "data-theme")) === "light", "the light theme");
  assert.equal(await page.browser.text("#play"), "Play");
});

for (const [on, back, names] of [[ARROW_RIGHT, ARROW_LEFT, "arrows"], [".", ",", "dot and comma"]]) {
  test(`${names} step one event on and back`, async () => {
    await page.open();
    const start = await events();
    await page.browser.keys(on, on, on);
    await waitForEvents(start + 3);
    await page.browser.keys(back);
    await waitForEvents(start + 2);
  });
}

test("Home and End go to the start and to the end", async () => {
  await page.open();
  await page.browser.keys(END);
  await page.browser.waitFor(() => page.finished(), "the end");
  await page.browser.keys(HOME);
  await page.browser.waitForText("#clock", "0.000000");
});

test("? opens the help, Escape closes it and gives the focus back", async () => {
  await page.open();
  await page.browser.run(() => document.querySelector("#step").focus());
  await page.browser.keys("?");
  await page.browser.waitForText(".dialog", "play and pause");
  assert.equal(await page.focused(), "help-close");
  await page.browser.keys(TAB, TAB);
  assert.equal(await page.focused(), "help-close", "the focus stays in the dialog");
  await page.browser.keys(ESCAPE);
  await page.browser.waitFor(async () => !(await isOpen(".dialog")), "no help");
  assert.equal(await page.focused(), "step");
});

test("keys typed into a field stay there", async () => {
  await page.open();
  await page.browser.type("#search-settings", "a.b, c ?");
  assert.equal(await page.clock(), 0);
  assert.equal(await page.browser.text("#play"), "Play");
  assert.equal(await isOpen(".dialog"), false);
});

test("Tab reaches a node, Enter opens what can be done to it, Escape closes that", async () => {
  await page.open();
  await page.browser.run(() => document.querySelector("#stage").focus());
  const wanted = () => page.browser.run(() => document.activeElement.closest(".node")?.dataset.node === "shop");
  for (let tab = 0; tab < 60 && !(await wanted()); tab += 1) await page.browser.keys(TAB);
  assert.ok(await wanted(), "Tab came by the producer");
  await page.browser.keys(ENTER);
  await page.browser.waitForText(".popover", "Crash");
  await page.browser.waitFor(() => page.browser.run(() => document.activeElement.closest(".popover") !== null), "the focus in the popover");
  await page.browser.keys(ESCAPE);
  await page.browser.waitFor(async () => !(await isOpen(".popover")), "no popover");
  assert.ok(await wanted(), "the focus is back on the node");
});

test("Tab stays inside an open popover or closes it: nothing behind it takes the focus", async () => {
  await page.open();
  await page.browser.run(() => document.querySelector('.node[data-node="shop"] .head').focus());
  await page.browser.keys(ENTER);
  await page.browser.find(".popover");
  for (let tab = 0; tab < 14; tab += 1) {
    await page.browser.keys(TAB);
    const inside = await page.browser.run(() => document.activeElement.closest(".popover") !== null);
    assert.ok(inside || !(await isOpen(".popover")), `after Tab ${tab + 1} the focus is behind the open popover`);
  }
});

test("a message can be lost with Tab and Enter alone", async () => {
  await page.open();
  const id = await page.stepTo(".msg.req[data-r]");
  await page.browser.run((it) => document.querySelector(`[data-message="${it}"]`).focus(), id);
  await page.browser.keys(ENTER);
  await page.browser.find(".popover");
  const verb = () => page.browser.run(() => document.activeElement.dataset.verb);
  for (let tab = 0; tab < 5 && (await verb()) !== "reset"; tab += 1) await page.browser.keys(TAB);
  await page.browser.keys(ENTER);
  await page.browser.waitForText(".by-hand", "reset: Produce request");
});

test("the tabs below change with the arrow keys", async () => {
  await page.open();
  await page.browser.run(() => document.querySelector("#tab-events").focus());
  await page.browser.keys(ARROW_RIGHT);
  await page.browser.waitFor(async () => (await page.attribute("#tab-inspector", "aria-selected")) === "true", "the inspector");
  assert.equal(await page.focused(), "tab-inspector");
});

test("the scenario menu opens and closes by key", async () => {
  await page.open();
  await page.browser.run(() => document.querySelector("#picker").focus());
  await page.browser.keys(ENTER);
  await page.browser.find("#scenarios");
  await page.browser.keys(ESCAPE);
  await page.browser.waitFor(async () => !(await isOpen("#scenarios")), "no menu");
  assert.equal(await page.focused(), "picker");
  await page.browser.keys(ENTER, TAB, TAB, ENTER);
  await page.browser.waitForText("#picker", "Leader-only ack");
});

test("whatever has the focus shows it", async () => {
  await page.open();
  await page.browser.run(() => document.body.focus());
  const seen = new Set();
  const unseen = new Set();
  for (let tab = 0; tab < 140; tab += 1) {
    await page.browser.keys(TAB);
    const [name, shown] = await page.browser.run(() => {
      const at = document.activeElement;
      if (at === document.body) return ["", true];
      const rings = [at, ...at.querySelectorAll(":scope > .hit, :scope > .wire, :scope > rect")].map((it) => getComputedStyle(it));
      const ring = rings.some((it) => (it.outlineStyle !== "none" && parseFloat(it.outlineWidth) >= 2) || (it.stroke !== "none" && parseFloat(it.strokeWidth) >= 2.5));
      return [at.id || at.getAttribute("aria-label") || at.textContent.slice(0, 40) || at.tagName, ring];
    });
    if (seen.has(name)) continue;
    seen.add(name);
    if (!shown) unseen.add(name);
  }
  assert.ok(seen.size > 60, `${seen.size} stops`);
  assert.deepEqual([...unseen], []);
});

test("the skip link leads to the stage", async () => {
  await page.open();
  await page.browser.keys(TAB);
  assert.equal(await page.focused(), "skip");
  await page.browser.keys(ENTER);
  await page.browser.waitFor(async () => (await page.focused()) === "stage", "the stage to have the focus");
});
