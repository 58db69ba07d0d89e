// Transactions on the page: the swim lanes, the state machine, what read_committed does not see, aborted and fenced ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const count = (css) => page.browser.count(css);
const texts = (css) => page.browser.run((where) => [...document.querySelectorAll(where)].map((it) => it.textContent), css);
const node = (name) => `.node[data-node="${name}"]`;

// Plays a scenario to its end, and goes back to the first moment (in steps of 20 ms) at which something can be seen.
async function ran(id, query = "") {
  await page.open(`?scenario=${id}${query}`);
  await page.toEnd();
}
async function back(to, what, from = 0) {
  for (let at = from; at < from + 12; at += 0.02) {
    await page.scrub(at);
    if (await page.browser.run((css) => document.querySelector(css) !== null, to)) return at;
  }
  throw new Error(`no ${what}`);
}

test("a transactional id has a lane: its states in their order, and a diamond for each marker", async () => {
  await ran("offset-gaps");
  await page.browser.waitFor(async () => (await count('.swim [data-txn="shop-1"] .band')) > 0, "bands");
  for (let zoom = 0; zoom < 2; zoom += 1) await page.browser.click(".zoom button:last-child");
  await page.scrub(1.5);
  const states = () => page.browser.run(() => [...document.querySelectorAll('.swim [data-txn="shop-1"] .band')].map((it) => it.dataset.state));
  const seen = await page.browser.waitFor(async () => { const it = await states(); return it.length > 12 && it; }, "all bands");
  const order = seen.filter((it) => it !== "Empty").join(" ");
  assert.match(order, /^(Ongoing PrepareCommit CompleteCommit ?){5}$/);
  const diamonds = await texts('.swim [data-txn="shop-1"] .smark.commits title');
  assert.equal(diamonds.length, 5, "one marker a transaction in the only partition");
  assert.match(diamonds[0], /^commit marker in orders-0, by broker \d$/);
  assert.equal(await count(".swim .smark.aborts"), 0);
});

test("the bands open the transactional id in the inspector: metadata, and the state machine with the present state lit", async () => {
  await ran("offset-gaps");
  await page.clickOn('.swim [data-txn="shop-1"] .band[data-state="CompleteCommit"]');
  await page.browser.waitForText(".inspector h3", "shop-1 transaction coordinator: broker");
  const facts = await page.browser.run(() => Object.fromEntries([...document.querySelectorAll(".facts > div")].map((it) => [it.querySelector("dt").textContent, it.querySelector("dd").textContent])));
  assert.deepEqual([facts.state, facts.partitions, facts["transaction.version"]], ["CompleteCommit", "–", "2"]);
  assert.ok(Number(facts.epoch) >= 1, "the moment of the click, by the lane");
  assert.match(facts["kept in"], /^__transaction_state-\d+$/);
  assert.equal(await count(".machine .state"), 8);
  assert.deepEqual(await texts(".machine .state.now text"), ["CompleteCommit"]);
  assert.equal(await count(".machine .go.next"), 4, "Ongoing, Empty, Dead, and PrepareAbort of version 2");

  await back(".machine[data-now=Ongoing]", "open transaction");
  assert.deepEqual(await texts(".machine .state.now text"), ["Ongoing"]);
  assert.equal((await texts(".machine figcaption"))[0], "State: Ongoing. From here: Ongoing, PrepareCommit, PrepareAbort, PrepareEpochFence. Dashed: only with transaction.version 2.");
});

test("the state machine is reached by keyboard, and says in words what it shows", async () => {
  await ran("offset-gaps");
  await page.browser.click("#tab-inspector");
  await page.browser.run(() => document.querySelector(".chips .txn").focus());
  await page.browser.keys(page.Key.ENTER);
  await page.browser.find(".machine");
  for (let tab = 0; tab < 4 && (await page.focused()) !== "machine"; tab += 1) await page.browser.keys(page.Key.TAB);
  assert.equal(await page.focused(), "machine");
  assert.match(await page.attribute(".machine", "aria-label"), /^State: CompleteCommit\. From here: /);
  assert.match(await page.attribute(".machine svg", "aria-label"), /^State: CompleteCommit/);
});

test("exactly once is one click: three settings, said aloud, and recognised", async () => {
  await page.open();
  await page.browser.click(".seg button:nth-child(3)");
  await page.browser.waitForText("#claimed", "exactly once");
  const changes = await texts(".notice code");
  assert.deepEqual(changes, ["shop: enable.idempotence=truefalse", "shop: transactional.id=shop-tx", "mailer: isolation.level=read_committedread_uncommitted"]);
  assert.equal(await page.attribute(".seg button:nth-child(3)", "aria-pressed"), "true");
  await page.toEnd();
  await page.browser.waitForText("#observed", "exactly once holds ✓");
  assert.deepEqual([await page.count("lost"), await page.count("duplicated")], [0, 0]);
  await page.browser.waitForText(`${node("shop")}`, "shop-tx");
});

test("exactly once moves a processor's offsets into its transaction", async () => {
  await page.open("?scenario=read-process-write");
  await page.browser.click(".seg button:nth-child(2)");
  await page.browser.waitForText("#claimed", "at least once");
  await page.browser.click(".seg button:nth-child(3)");
  await page.browser.waitForText("#claimed", "exactly once");
  const changes = await texts(".notice code");
  for (const change of ["billing: offsets=transactionafter", "billing: transactional.id=billing-tx", "billing: isolation.level=read_committedread_uncommitted"]) assert.ok(changes.includes(change), changes.join("; "));
});

test("an aborted record is cross-hatched and struck out, its marker a hollow diamond, and a dirty read is in the verdict", async () => {
  await ran("aborted-but-read");
  const look = await back(".cell.aborted[data-r]", "aborted record").then(() => page.browser.run(() => {
    const cell = document.querySelector(".cell.aborted[data-r]");
    return [getComputedStyle(cell.querySelector("rect")).fill, getComputedStyle(cell.querySelector(".num")).textDecorationLine];
  }));
  assert.deepEqual(look, ['url("#hatch-abort")', "line-through"]);
  const fill = (css) => page.browser.run((where) => getComputedStyle(document.querySelector(`${where} .tip`)).fill, css);
  await page.browser.find(".cell.aborts");
  const hollow = await fill(".cell.aborts");
  await page.browser.find(".cell.commits");
  assert.notEqual(hollow, await fill(".cell.commits"), "two shapes");
  await page.toEnd();
  const dirty = await texts('.ledger tr[data-status="dirty"] th');
  assert.ok(dirty.length > 0);
  await page.browser.click('.counts button:nth-child(4)');
  assert.deepEqual(await texts(".ledger tbody tr[data-r] th"), dirty, "the count opens its records");
  await page.browser.waitForText(".story .why", "isolation.level=read_committed");
  await page.browser.waitForText(".story ol", "abort marker of producer");
});

test("records behind the last stable offset are there, pale, and said to be hidden", async () => {
  await ran("blocked-behind-lso");
  await page.scrub(3);
  await page.browser.find(".cell.veiled");
  const leader = await page.browser.run(() => [...document.querySelectorAll(".partition")].map((it) => [it.querySelector(".open").getAttribute("aria-label"), it.querySelectorAll(".cell.veiled").length, it.querySelectorAll(".mark.lso").length]));
  for (const [label, veiled, flags] of leader) {
    assert.match(label, /\d+ of them hidden from read_committed/);
    assert.ok(veiled > 3 && flags === 1, label);
  }
  assert.ok((await texts(".ledger .lab")).includes("behind the LSO"));
  await page.toEnd();
  assert.equal(await count(".cell.veiled"), 0, "the abort set them free");
  assert.ok((await count(".cell.aborted, .cell.aborts")) > 0 || (await texts(".partition .mark")).length > 0);
});

test("a fenced producer is named as such: on its card, on the lane, in the inspector", async () => {
  await ran("zombie-fencing");
  const said = (await texts(`${node("billing-a")} .say`)).join(" ");
  assert.equal(said, "fenced by a newer producer with the same transactional.id");
  await page.strike(`${node("billing-a")} .head`, "inspect");
  await page.browser.waitForText(".manager", "FATAL_ERROR");
  await page.browser.waitForText(".manager .fence", "Fenced by a newer producer with the same transactional.id");
  await page.browser.click("#tab-events");
  await page.browser.type("#filter-events", "billing-a is fenced by a newer producer");
  await page.browser.click(".events .time");
  await page.browser.waitFor(async () => (await texts(".swim .smark.fence text")).includes("✕ billing-a"), "the fence on the lane");
});

test("a processor stands between its topics and says what it does", async () => {
  await ran("read-process-write");
  const card = () => page.browser.text(node("billing"));
  assert.match(await card(), /orders → invoices/);
  const said = new Set();
  for (let at = 0.2; at < 1.4; at += 0.02) {
    await page.scrub(at);
    for (const line of await texts(`${node("billing")} .say`)) said.add(line.replace(/ · .*/, "").replace(/\d.*/, ""));
  }
  for (const words of ["processing ", "committing the"]) assert.ok([...said].some((it) => it.startsWith(words)), [...said].join(" | "));
  await page.toEnd();
  assert.equal(await page.browser.run(() => document.querySelector(".ledger tbody tr[data-r] td:nth-child(4)").textContent), "●●", "in both topics once");
});

test("a log knows its producers and what was aborted in it", async () => {
  await ran("aborted-but-read");
  await page.clickOn(`${node("broker-0")} .partition .tp`);
  await page.browser.waitForText(".inspector", "aborted transactions (.txnindex)");
  await page.browser.waitForText(".inspector", "coordinator epoch");
});

for (const [theme, lang, width] of [["light", "en", 1440], ["dark", "ko", 360], ["dark", "en", 1440], ["light", "ko", 768]]) {
  test(`axe finds nothing where there are transactions: ${theme}, ${lang}, ${width} px`, async () => {
    const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    await page.browser.resize(width, 900);
    await ran("zombie-fencing", `&theme=${theme}&lang=${lang}`);
    await page.browser.click("#tab-inspector");
    await page.browser.click(".chips .txn");
    await page.browser.find(".machine");
    assert.deepEqual(await page.browser.axe({ runOnly }), []);
    await ran("aborted-but-read", `&theme=${theme}&lang=${lang}`);
    await page.browser.click(".counts button:nth-child(4)");
    assert.deepEqual(await page.browser.axe({ runOnly }), []);
    await page.browser.resize(1440, 900);
  });
}

for (const width of [1440, 1180, 1010, 768, 360]) {
  test(`no two texts of a node lie over each other, and none sticks out, at ${width} px`, async () => {
    await page.browser.resize(width, 900);
    for (const [id, lang] of [["read-process-write", "en"], ["zombie-fencing", "ko"], ["blocked-behind-lso", "en"]]) {
      await ran(id, `&lang=${lang}`);
      for (const at of [1, 2.5, 7]) {
        await page.scrub(at);
        const found = await page.browser.run(() => {
          const found = [];
          for (const node of document.querySelectorAll(".node")) {
            const card = node.querySelector(".card").getBoundingClientRect();
            const texts = [...node.querySelectorAll("text:not(.num, .off)")].filter((it) => it.textContent.trim() !== "").map((it) => [it.textContent, it.getBoundingClientRect()]);
            texts.forEach(([text, a], at) => {
              if (a.left < card.left || a.right > card.right) found.push(`out: ${text}`);
              texts.slice(at + 1).forEach(([other, b]) => {
                const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (across > 2 && down > 5) found.push(`${text} | ${other}`);
              });
            });
          }
          return found;
        });
        assert.deepEqual(found, [], `${id} at ${at} s`);
      }
    }
    await page.browser.resize(1440, 900);
  });
}
