// A bug in the page shows a card with all that is needed to see it again, and never a dead page.
//
// There is no button for a bug. What a test can do without one: take an element away that the page is about to put
// another in front of, as a rude browser extension might; the renderer then panics as for a bug of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit({}, { silent: false });

const breakIt = () => page.browser.run(() => {
  document.querySelector(".banner .sr").remove();
  document.querySelector("#to-end").click();
});

test("the card has the scenario, the seed and what was done by hand, and a way back", async () => {
  await page.open("?scenario=lost-ack&seed=42");
  await page.stepTo(".msg.req[data-r]");
  await page.strike(".msg.req", "stall");
  await page.browser.waitForText(".by-hand", "stall");
  await breakIt();
  await page.browser.waitFor(() => page.attribute("#panic", "role"), "the card", 5_000);
  assert.match(await page.browser.text("#panic h1"), /it found a bug in itself/);
  assert.equal(await page.attribute("#panic", "role"), "alert");
  const report = JSON.parse(await page.browser.run(() => document.querySelector("#panic textarea").value));
  assert.match(report.panic, /panicked at/);
  assert.deepEqual([report.scenario.id, report.scenario.seed], ["lost-ack", 42]);
  assert.equal(report.inputs.length, 1);
  assert.match(JSON.stringify(report.inputs), /stall/i);
  assert.deepEqual(await page.browser.axe(), []);

  await page.browser.click("#panic a");
  await page.browser.find("#clock");
  assert.match(await page.browser.run(() => location.search), /^\?scenario=lost-ack&seed=42/);
});

test("the card's link brings settings and inputs back, too", async () => {
  await page.open();
  await page.choose("#set-producer0-acks", "1");
  await page.stepTo(".msg.req[data-r]");
  await page.strike(".msg.req", "stall");
  await page.browser.waitForText(".by-hand", "stall");
  await breakIt();
  await page.browser.waitFor(() => page.attribute("#panic", "role"), "the card", 5_000);
  await page.browser.click("#panic a");
  await page.browser.find("#clock");
  await page.browser.waitForText(".by-hand", "stall");
  assert.equal(await page.browser.run(() => document.querySelector("#set-producer0-acks").value), "1");
  assert.equal(await page.clock(), 0, "from its start: at that moment it might happen again");
});

test("in Korean the card speaks Korean", async () => {
  await page.open("?lang=ko");
  await breakIt();
  await page.browser.waitFor(() => page.attribute("#panic", "role"), "the card", 5_000);
  assert.match(await page.browser.text("#panic h1"), /[가-힣]/);
});
