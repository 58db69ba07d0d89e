// The views of an embedded page, from 320 to 900 px.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const parts = { stage: "svg.stage", lanes: "svg.timeline", ledger: ".ledger", line: ".oneline", lede: ".lede", transport: ".transport", header: "header", tabs: "[role=tablist]", fold: "#unfold" };
const views = {
  stage: ["stage", "line", "transport"],
  timeline: ["lanes", "line", "transport"],
  ledger: ["ledger", "transport"],
  full: ["stage", "lanes", "ledger", "lede", "transport", "fold"],
};

for (const [view, shown] of Object.entries(views)) {
  test(`view=${view} shows ${shown.join(", ")}, and nothing else`, async () => {
    await page.open(`?embed=1&view=${view}`);
    for (const [name, css] of Object.entries(parts)) assert.equal((await page.browser.count(css)) > 0, shown.includes(name), name);
    await page.toEnd();
    await page.browser.waitForText("#banner", "Record 3 was processed more than once.");
    await page.browser.waitForText("#observed", "at least once");
  });

  for (const lang of ["en", "ko"]) {
    test(`view=${view}: nothing sticks out or is cut, ${lang}`, async () => {
      for (const width of [320, 480, 700, 900]) {
        await page.browser.resize(width, 600);
        for (const scenario of ["lost-ack", "zombie-fencing"]) {
          await page.open(`?scenario=${scenario}&embed=1&view=${view}&lang=${lang}`);
          await page.toEnd();
          const over = await page.browser.run(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.ok(over <= 0, `${scenario} at ${width} px: ${over} px too wide`);
          const cut = await page.browser.run(() => [...document.querySelectorAll("button, .claims span, .claims b, #banner, .claim")].filter((it) => it.scrollWidth > it.clientWidth + 1 && it.clientWidth > 0).map((it) => it.textContent));
          assert.deepEqual(cut, [], `${scenario} at ${width} px`);
        }
      }
      await page.browser.resize(1440, 900);
    });
  }

  test(`view=${view} is accessible, light and dark`, async () => {
    for (const theme of ["light", "dark"]) {
      await page.browser.resize(480, 700);
      await page.open(`?embed=1&view=${view}&theme=${theme}`);
      await page.toEnd();
      assert.deepEqual(await page.browser.axe(), []);
    }
    await page.browser.resize(1440, 900);
  });
}

test("controls=0 leaves the picture alone; the keyboard still works", async () => {
  await page.browser.open(`${page.server.url}?embed=1&view=stage&controls=0`);
  await page.browser.find("svg.stage");
  assert.equal(await page.browser.count(".transport"), 0);
  await page.browser.keys(page.Key.END);
  await page.browser.waitForText("#banner", "Record 3 was processed more than once.");
});

test("autoplay=1 plays at once", async () => {
  await page.open("?embed=1&view=stage&autoplay=1");
  await page.browser.waitForText("#play", "Pause");
});

test("settings are folded, and unfold", async () => {
  await page.open("?embed=1&view=full");
  assert.equal(await page.browser.count(".settings"), 0);
  await page.browser.click("#unfold");
  await page.browser.find(".settings");
  assert.equal(await page.attribute("#unfold", "aria-expanded"), "true");
});

test("a wrong word about the figure is named, and the rest of the link is used", async () => {
  await page.open("?embed=1&view=stag&controls=perhaps&autoplay=0");
  await page.browser.waitForText(".notice", 'Did you mean "stage"?');
  await page.browser.waitForText(".notice", '"perhaps" is neither 0 nor 1');
  await page.browser.find(".ledger");
});

test("while it plays the figure's height stands still", async () => {
  await page.browser.resize(700, 600);
  await page.open("?embed=1&view=stage");
  const height = () => page.browser.run(() => document.querySelector(".page").scrollHeight);
  const before = await height();
  await page.browser.click("#step");
  assert.equal(await height(), before);
  await page.browser.resize(1440, 900);
});
