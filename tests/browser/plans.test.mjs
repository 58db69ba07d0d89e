// The planned faults: lines that can be added, edited and removed; and branches, when the past is changed by hand.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const faults = () => page.browser.run(() => [...document.querySelectorAll("ol.faults .fault > span")].map((it) => it.textContent));
const waitForFaults = (...list) => page.browser.waitFor(async () => (await faults()).join("|") === list.join("|"), `the faults ${list.join("|")}`);
const stall = "stall the 4th ProduceResponse from broker 0 to shop";

test("the fault of the scenario is a line; without it nothing goes wrong", async () => {
  await page.open();
  await waitForFaults(stall);
  await page.browser.click('ol.faults [aria-label="Remove: stall"]');
  await page.browser.waitForText(".settings", "Nothing is planned to go wrong.");
  await page.toEnd();
  assert.equal(await page.count("duplicated"), 0);
});

test("editing the line moves the fault to another record", async () => {
  await page.open();
  await page.browser.click('ol.faults [aria-label="Edit: stall"]');
  assert.equal(await page.focused(), "fault-when");
  await page.browser.type("#nth", "6");
  await page.browser.click('.fault-form [type="submit"]');
  await waitForFaults("stall the 6th ProduceResponse from broker 0 to shop");
  assert.equal(await page.clock(), 0, "another plan is another run");
  await page.toEnd();
  assert.deepEqual([await page.status(3), await page.status(5)], ["once", "twice"]);
});

test("a fault at a time can be added, and is on the timeline when it strikes", async () => {
  await page.open();
  await page.browser.click(".add");
  await page.browser.type("[id='at.ms']", "300");
  await page.choose("#fault-do", "pause");
  await page.choose("#fault-node", "mailer");
  await page.browser.type("[id='for.ms']", "100");
  await page.browser.click('.fault-form [type="submit"]');
  await waitForFaults(stall, "pause mailer for 100 ms at 0.300000 s");
  await page.seek(0.25);
  assert.equal(await page.browser.count(".faultflag"), 0);
  await page.seek(0.35);
  await page.browser.waitForText(".events", "0.300000\nmailer stopped for a while");
  assert.ok((await page.browser.count(".faultflag")) > 0);
});

test("an administrator can be planned, too: more partitions, and a refusal in the format's words", async () => {
  await page.open();
  await page.browser.click(".add");
  await page.choose("#fault-do", "create_partitions");
  await page.browser.type("#count", "3");
  await page.browser.click('.fault-form [type="submit"]');
  await page.browser.waitForText(".fault-form .error", /topic/);
  await page.browser.type("#topic", "orders");
  await page.browser.click('.fault-form [type="submit"]');
  await page.browser.waitFor(async () => (await faults()).length === 2, "two lines");
  await page.toEnd();
  await page.browser.waitForText('.node[data-node="broker-0"]', "orders-2");
});

test("a fault that makes no sense is refused in the form, and the run stays", async () => {
  await page.open();
  const now = await page.seek(0.25);
  await page.browser.click(".add");
  await page.browser.type("[id='at.ms']", "soon");
  await page.browser.click('.fault-form [type="submit"]');
  await page.browser.waitForText(".fault-form .error", /^at\.ms: Expected a whole number/);
  assert.equal(await page.attribute("[id='at.ms']", "aria-invalid"), "true");
  await waitForFaults(stall);
  assert.equal(await page.clock(), now);
});

test("a fault in the past opens a branch, and the run as it was is still there", async () => {
  await page.open();
  await page.toEnd();
  const hash = await page.stateHash();
  assert.equal(await page.browser.count("#branch"), 0, "one run, no branches");

  await page.scrub(0.2);
  await page.strike('.node[data-node="mailer"] .head', "crash");
  await page.browser.waitFor(async () => (await page.browser.run(() => document.querySelector("#branch")?.value)) === "1", "a second branch");
  assert.match(await page.browser.text("#branch option:last-child"), /^1: from \d+ ms$/);
  await page.toEnd();
  assert.notEqual(await page.stateHash(), hash, "history went another way");

  await page.choose("#branch", "0");
  await page.browser.waitFor(async () => (await page.browser.run(() => document.querySelector("#branch").value)) === "0", "the first branch");
  await page.toEnd();
  assert.equal(await page.stateHash(), hash, "and the first is as it was");
});

test("the list of what was done by hand names the branch's own deeds only", async () => {
  await page.open();
  await page.toEnd();
  await page.scrub(0.2);
  await page.strike('.node[data-node="mailer"] .head', "crash");
  await page.browser.waitForText(".by-hand", "crash mailer");
  await page.choose("#branch", "0");
  await page.browser.waitFor(async () => (await page.browser.run(() => document.querySelector("#branch").value)) === "0", "the first branch");
  assert.equal(await page.browser.count(".by-hand li"), 0);
});

test("a fault strikes at the moment that is shown, not at the last event before it", async () => {
  await page.open();
  await page.toEnd();
  await page.scrub(0.2);
  await page.strike('.node[data-node="mailer"] .head', "crash");
  await page.browser.waitForText(".by-hand", "0.200000 s");
  assert.match(await page.browser.run(() => [...document.querySelectorAll(".events li")].find((it) => it.textContent.includes("mailer crashed")).textContent), /^0\.200000/);
});
