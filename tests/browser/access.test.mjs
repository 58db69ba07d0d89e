// What axe-core (WCAG 2.2 A and AA) says of the page in its states, and what a screen reader is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
// Of those that are experimental, this one as well: people say what they see.
const rules = { "label-content-name-mismatch": { enabled: true } };
const rest = { runOnly, rules };

const states = {
  "at the start": async () => {},
  "after a run": () => page.browser.click("#to-end"),
  "with a message's popover open": async () => {
    await page.stepTo(".msg.req[data-r]");
    await page.clickOn(".msg.req");
    await page.browser.find(".popover");
  },
  "with a dead broker and a cut link": async () => {
    await page.seek(0.25);
    await page.strike('.node[data-node="broker-1"] .head', "power_loss");
    await page.strike('.link[data-link="0-5"]', "partition");
  },
  "with a record's story and a filter": async () => {
    await page.browser.click("#to-end");
    await page.browser.click(page.counter("duplicated"));
    await page.browser.find(".story");
  },
  "with a batch in the inspector": async () => {
    await page.browser.click("#to-end");
    await page.clickOn('.node[data-node="broker-0"] .cell[data-r="19"]');
    await page.browser.find(".hex");
  },
  "with the scenario menu open": () => page.browser.click("#picker"),
  "with the help open": () => page.browser.keys("?"),
  "with the fault form open": () => page.browser.click(".add"),
  "with a refused setting": async () => {
    await page.browser.type("#set-producer0-linger-ms", "never");
    await page.browser.find(".field .error");
  },
  "with all traffic shown": async () => {
    await page.browser.click("#to-end");
    await page.scrub(0.5);
    await page.browser.click(".legend input");
  },
};

for (const [theme, lang, width] of [["light", "en", 1440], ["dark", "ko", 1440], ["light", "ko", 360], ["dark", "en", 360]]) {
  test(`axe finds nothing: ${theme}, ${lang}, ${width} px`, async (t) => {
    for (const [name, reach] of Object.entries(states)) {
      await t.test(name, async () => {
        await page.browser.resize(width, 900);
        await page.open(`?theme=${theme}&lang=${lang}`);
        await reach();
        // The bar with Play floats at the window's foot: over what it lies there is an accident of where the page is scrolled to.
        await page.browser.run(() => document.querySelector(".lanes").scrollIntoView({ block: "center" }));
        assert.deepEqual(await page.browser.axe(rest), []);
      });
    }
    await page.browser.resize(1440, 900);
  });
}

test("a refused link is told accessibly", async () => {
  await page.open("?scenario=nope&seed=x");
  assert.deepEqual(await page.browser.axe(rest), []);
  assert.equal(await page.attribute(".notice.bad", "role"), "alert");
});

test("the visible label of each control is in its name", async () => {
  const only = { runOnly: { type: "rule", values: ["label-content-name-mismatch"] } };
  for (const [query, at] of [["?lang=en", 0.6], ["?lang=ko", 1.1], ["?scenario=share-group", 3], ["?scenario=side-effects&lang=ko", 2], ["?scenario=rebalance-styles", 6], ["?scenario=controller-failover", 1]]) {
    await page.open(query);
    await page.browser.click("#to-end");
    await page.scrub(at);
    assert.deepEqual(await page.browser.axe(only), [], query);
  }
  await page.open();
  await page.stepTo(".msg.req[data-r]");
  assert.deepEqual(await page.browser.axe(only), [], "a message under way");
});

test("the verdict is spoken when it changes, and not with every count", async () => {
  await page.open();
  assert.equal(await page.attribute(".banner .sr", "aria-live"), "polite");
  const spoken = () => page.browser.run(() => document.querySelector(".banner .sr").textContent);
  assert.equal(await spoken(), "");
  await page.toEnd();
  assert.equal(await spoken(), "Record 3 was processed more than once.");
});

test("nothing is said by colour alone", async () => {
  await page.open("?scenario=leader-only-ack");
  await page.toEnd();
  await page.browser.waitForText('.ledger tr[data-status="lost"] .lab', /lost/);
  assert.match(await page.browser.text("#observed"), /broken ✗/);
});
