// Time: playing, pausing, single events in both directions, speeds, the scrubber and the lanes; one moment, one picture.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { visit } from "./page.mjs";

const page = visit();

test("play runs until pause, and then time stands still", async () => {
  await page.open();
  await page.browser.click("#play");
  const first = await page.clockAfter(0);
  await page.clockAfter(first);
  await page.browser.click("#play");
  await page.browser.waitForText("#play", "Play");
  const [stands, still] = await page.browser.run(async () => {
    const before = document.querySelector("#clock").textContent;
    for (let frame = 0; frame < 10; frame += 1) await new Promise(requestAnimationFrame);
    return [before, document.querySelector("#clock").textContent];
  });
  assert.equal(still, stands);
});

test("played to the end it stops by itself, and Play starts over", async () => {
  await page.open();
  await page.choose("#speed", "×10");
  await page.browser.click("#play");
  await page.browser.waitFor(() => page.finished(), "the end", 60_000);
  const [end, hash] = [await page.clock(), await page.stateHash()];
  await page.browser.waitForText("#play", "Play");
  await page.choose("#speed", "1/50");
  await page.browser.click("#play");
  await page.browser.waitFor(async () => (await page.clock()) < end, "a new beginning");
  await page.toEnd();
  assert.equal(await page.stateHash(), hash, "the same run");
});

test("the end is at the same time, played or jumped to", async () => {
  await page.open();
  await page.choose("#speed", "×10");
  await page.browser.click("#play");
  await page.browser.waitFor(() => page.finished(), "the end", 60_000);
  const played = await page.clock();
  await page.toEnd();
  assert.equal(played, await page.clock());
});

test("a slow speed shows less time a frame than a quick one", async () => {
  const timeOf = async (speed) => {
    await page.open();
    await page.choose("#speed", speed);
    await page.browser.click("#play");
    return page.browser.run(async () => {
      const clock = () => Number(document.querySelector("#clock").textContent);
      while (clock() === 0) await new Promise(requestAnimationFrame);
      const from = clock();
      for (let frame = 0; frame < 10; frame += 1) await new Promise(requestAnimationFrame);
      return clock() - from;
    });
  };
  const [slow, quick] = [await timeOf("1/500"), await timeOf("×1")];
  assert.ok(quick > slow * 10, `${quick} s in ten frames, ${slow} s when slow`);
});

test("a step goes one event on, and a step back undoes it", async () => {
  await page.open();
  const events = () => page.attribute(".clock", "title");
  assert.match(await events(), /^\d+ Events$/i);
  for (let step = 0; step < 12; step += 1) await page.browser.click("#step");
  const [twelve, at] = [await page.picture(), Number.parseInt(await events(), 10)];
  await page.browser.click("#step");
  await page.browser.waitFor(async () => Number.parseInt(await events(), 10) === at + 1, "one event more");
  await page.browser.click("#step-back");
  await page.browser.waitFor(async () => Number.parseInt(await events(), 10) === at, "one event less");
  assert.deepEqual(await page.picture(), twelve);
});

test("to the start is where the page opened", async () => {
  await page.open();
  const start = await page.picture();
  await page.toEnd();
  await page.browser.click("#to-start");
  await page.browser.waitForText("#clock", "0.000000");
  assert.ok(isDeepStrictEqual(await page.picture(), start));
});

test("one moment, one picture: whichever way it is reached", async () => {
  await page.open();
  await page.toEnd();
  const end = await page.picture();
  await page.scrub(0.9);
  await page.browser.waitForText("#clock", "0.900000");
  const forward = await page.picture();
  assert.notDeepEqual(forward, end);
  await page.scrub(0.2);
  await page.browser.waitForText("#clock", "0.200000");
  await page.scrub(0.9);
  await page.browser.waitForText("#clock", "0.900000");
  assert.deepEqual(await page.picture(), forward);
  await page.toEnd();
  assert.deepEqual(await page.picture(), end);
});

test("the same link gives the same end in another visit", async () => {
  const ends = [];
  for (let visits = 0; visits < 2; visits += 1) {
    await page.open("?scenario=commit-after&seed=77");
    await page.toEnd();
    ends.push([await page.stateHash(), await page.picture()]);
  }
  assert.deepEqual(ends[0], ends[1]);
  await page.open("?scenario=commit-after&seed=78");
  await page.toEnd();
  assert.notEqual(await page.stateHash(), ends[0][0], "another seed is another run");
});

test("a click into the lanes goes to that moment", async () => {
  await page.open();
  await page.seek(0.4);
  const off = await page.browser.run(() => {
    const [tick] = [...document.querySelectorAll(".tick")].filter((it) => it.textContent === "0.400");
    const middle = (it) => it.getBoundingClientRect().left + it.getBoundingClientRect().width / 2;
    return middle(document.querySelector(".playhead path")) - middle(tick.querySelector("path"));
  });
  assert.ok(Math.abs(off) <= 2, `${off} px off`);
});

test("the scrubber shows the moment it was set to, also while a node is paused", async () => {
  await page.open();
  await page.paste(JSON.stringify(paused));
  await page.browser.waitForText("#picker", "Your scenario");
  await page.toEnd();
  await page.scrub(0.35);
  assert.equal(await page.clock(), 0.35);
  assert.match(await page.attribute('.node[data-node="mailer"]', "class"), /paused/);
});

test("the window of the lanes can be narrowed and widened", async () => {
  await page.open();
  await page.browser.waitForText(".zoom span", "1 s");
  await page.browser.click('.zoom [aria-label="Show less time"]');
  await page.browser.waitForText(".zoom span", "500 ms");
  await page.browser.waitFor(() => page.browser.run(() => Number([...document.querySelectorAll(".tick")].at(-1).textContent) <= 0.5), "ticks up to 0.5 s");
  await page.browser.click('.zoom [aria-label="Show more time"]');
  await page.browser.waitForText(".zoom span", "1 s");
});

const paused = {
  version: 1,
  seed: 42,
  topics: [{ name: "orders", config: { "min.insync.replicas": "2" } }],
  producers: [{ name: "shop", topic: "orders", config: { "enable.idempotence": "false", "request.timeout.ms": "400", "delivery.timeout.ms": "30000", "max.in.flight.requests.per.connection": "1" } }],
  consumers: [{ name: "mailer", group: "mail", topics: ["orders"], "processing.ms": 20, commit: "after-sync", config: { "enable.auto.commit": "false", "auto.offset.reset": "earliest" } }],
  faults: [
    { on: { message: "ProduceResponse", from: "broker-0", to: "shop", nth: 4 }, do: "stall" },
    { "at.ms": 300, do: "pause", node: "mailer", "for.ms": 100 },
  ],
};
