// Making things fail: messages, nodes and links on the stage, lines of the fault list, and the branches that come of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const ack = '.msg.res[data-r~="0"]';
const request = '.msg.req[data-r~="0"]';
const at = (node) => `.node[data-node="${node}"]`;
const nodeIs = (node, word) => page.browser.waitFor(async () => (await page.attribute(at(node), "class")).split(" ").includes(word), `${node} to be ${word}`);
const forGood = () => page.choose(".popover .for", "0");

test("a click on a message opens what can be done to it, and Escape gives the keyboard back to it", async () => {
  await page.open();
  const id = await page.stepTo(request);
  await page.clickOn(request);
  assert.match(await page.browser.text(".popover"), /^Produce request, shop → broker 0, records? 0\n✕\nReset the connection/);
  await page.browser.keys(page.Key.ESCAPE);
  await page.browser.waitFor(async () => (await page.browser.count(".popover")) === 0, "the popover to be closed");
  assert.equal(await page.browser.run(() => document.activeElement.dataset.message), id);
});

test("what can be done stands beside what was clicked", async () => {
  await page.open();
  await page.stepTo(request);
  await page.clickOn(request);
  await page.browser.find(".popover");
  const [message, popover] = await page.browser.run((css) => [css, ".popover"].map((it) => document.querySelector(it).getBoundingClientRect().toJSON()), request);
  assert.ok(popover.left < message.right && popover.right > message.left, `across: ${JSON.stringify([message, popover])}`);
  assert.ok(popover.top - message.bottom < 40 && popover.top >= message.bottom - 8, `down: ${JSON.stringify([message, popover])}`);
});

// verb, which of its buttons, how the message is drawn then, the line in the fault list.
for (const [verb, button, drawn, line] of [
  ["reset", 1, ".arr.gone", "reset: "],
  ["stall", 2, ".msg.stalled .hang", "stall: "],
  ["delay", 5, ".msg.res", "delay by 1 s: "],
]) {
  test(`${verb} on an ack: the record is sent again, and it is in the verdict, the fault list and the timeline`, async () => {
    await page.open();
    const id = await page.stepTo(ack);
    await page.clickOn(ack);
    await page.browser.click(`.popover li:nth-child(${button}) [data-verb="${verb}"]`);
    await page.browser.waitForText(".by-hand", `${line}Produce response, broker 0 → shop`);
    for (const css of [drawn, ".faultflag", `[data-arrow="${id}"]`]) assert.ok((await page.browser.count(css)) > 0, css);
    await page.toEnd();
    assert.equal(await page.status(0), "twice");
    await page.browser.click('.ledger tr[data-r="0"] button');
    await page.browser.waitForText(".story ol", "attempt 2");
  });
}

test("a small delay harms nothing", async () => {
  await page.open();
  await page.stepTo(ack);
  await page.strike(ack, "delay");
  await page.browser.waitForText(".by-hand", "delay by 10 ms");
  await page.toEnd();
  assert.equal(await page.status(0), "once");
});

test("a lost request is no duplicate: the broker never had it", async () => {
  await page.open();
  await page.stepTo(request);
  await page.strike(request, "reset");
  await page.browser.find(".msg.lost .strike");
  await page.toEnd();
  assert.equal(await page.status(0), "once");
  assert.equal(await page.count("duplicated") > 0, true, "the planned fault still strikes");
});

test("a node can be crashed for good and started again", async () => {
  await page.open();
  await page.seek(0.25);
  await page.clickOn(`${at("broker-0")} .head`);
  await forGood();
  await page.browser.click('.popover [data-verb="crash"]');
  await nodeIs("broker-0", "crashed");
  await page.browser.waitForText(at("broker-0"), "crashed");
  assert.equal(await page.browser.count(`${at("broker-0")} .crossed`), 1);
  assert.ok((await page.browser.count(`${at("broker-0")} .cell[data-r]`)) > 0, "its log can still be read");
  assert.ok((await page.browser.count(".faultflag")) > 0);
  await page.clickOn(`${at("broker-0")} .head`);
  assert.equal(await page.attribute('.popover [data-verb="crash"]', "disabled"), "disabled", "the dead cannot die");
  await page.browser.click('.popover [data-verb="restart"]');
  await page.browser.waitFor(async () => !(await page.attribute(at("broker-0"), "class")).includes("crashed"), "broker 0 to be back");
  await page.browser.waitForText(".by-hand", "start broker 0 again");
});

test("power loss is drawn, and written, differently from a crash", async () => {
  await page.open();
  await page.seek(0.25);
  await page.strike(`${at("broker-1")} .head`, "power_loss");
  await nodeIs("broker-1", "powerless");
  await page.browser.waitForText(at("broker-1"), "no power");
  await page.browser.waitForText(".by-hand", "power loss at broker 1 for 5 s");
  await page.toEnd();
  assert.equal(await page.count("lost"), 0, "two of three are enough");
});

test("a consumer can be paused and resumed", async () => {
  await page.open();
  await page.seek(0.25);
  await page.strike(`${at("mailer")} .head`, "pause");
  await nodeIs("mailer", "paused");
  await page.browser.waitForText(at("mailer"), "paused");
  await page.strike(`${at("mailer")} .head`, "resume");
  await nodeIs("mailer", "up");
});

test("a link can be cut and healed", async () => {
  const link = '.link[data-link="0-5"]';
  await page.open();
  await page.seek(0.25);
  await page.strike(link, "partition");
  await page.browser.waitFor(async () => (await page.attribute(link, "class")).includes("cut"), "the link to be cut");
  assert.match(await page.attribute(link, "aria-label"), /^Link broker 0 – mailer: cut/);
  assert.equal(await page.browser.count(`${link} .badge`), 1, "not by colour alone");
  await page.strike(link, "heal");
  await page.browser.waitFor(async () => !(await page.attribute(link, "class")).includes("cut"), "the link to be whole");
});
