// Links: what the page makes of a run brings the same run back, in another browser and on the command line; the address
// follows, and "back" leads back.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { openBrowser } from "./harness.mjs";
import { visit } from "./page.mjs";

const page = visit();
const golden = JSON.parse(readFileSync(new URL("../golden/replays.json", import.meta.url)));
const lab = new URL("../../target/debug/lab", import.meta.url).pathname;

// The hash of the state, without the words before it.
const hash = async () => (await page.stateHash()).split(" ").at(-1);

// What the run ended in.
async function end() {
  await page.toEnd();
  const ledger = await page.browser.run(() => [...document.querySelectorAll(".ledger tbody tr[data-r]")].map((row) => `${row.dataset.r} ${row.dataset.status}`));
  return { ledger, counts: [await page.count("lost"), await page.count("duplicated"), await page.count("reordered")], hash: await hash() };
}

// The link that the dialog offers.
async function share({ moment = false } = {}) {
  await page.browser.click("#share");
  if (moment) await page.browser.click("#share-moment");
  const link = await page.browser.run(() => document.querySelector("#share-link").value);
  await page.browser.click("#share-close");
  return link;
}

const address = () => page.browser.run(() => location.search + location.hash);
const settled = (says) => page.browser.waitFor(async () => says(await address()), "the address to follow");
const picked = async (css, value) => (await page.browser.run((where) => document.querySelector(where).value, css)) === value;

// Does what a visitor with another browser does; gives back what `look` finds there.
async function elsewhere(link, look) {
  const mine = page.browser;
  page.browser = await openBrowser();
  try {
    await page.browser.open(link);
    await page.browser.find("#clock");
    const found = await look();
    assert.deepEqual(await page.browser.consoleErrors(), []);
    return found;
  } finally {
    await page.browser.close();
    page.browser = mine;
  }
}

test("settings, faults by hand and the moment come back in a fresh browser, with the same ledger and state", async () => {
  await page.open("?scenario=lost-ack&seed=7");
  await page.choose("#set-producer0-acks", "1");
  await page.stepTo(".msg.req[data-r]");
  await page.strike(".msg.req", "stall");
  await page.browser.waitForText(".by-hand", "stall");
  for (let step = 0; step < 30; step += 1) await page.browser.click("#step");
  const here = { clock: await page.clock(), hash: await hash(), byHand: await page.browser.text(".by-hand") };
  const link = await share({ moment: true });
  assert.match(link, /\?scenario=lost-ack&seed=7#set=shop\.acks=1&inputs\/0\/at\.us=\d+&inputs\/0\/do=stall&.*&t=\d+(&t\.nth=\d+)?&v=1$/);
  await settled((it) => link.endsWith(it));
  const last = await end();
  const [there, lastThere] = await elsewhere(link, async () => [
    { clock: await page.clock(), hash: await hash(), byHand: await page.browser.text(".by-hand") },
    await end(),
  ]);
  assert.deepEqual(there, here);
  assert.deepEqual(lastThere, last);
  if (existsSync(lab)) {
    let said;
    try {
      said = execFileSync(lab, ["run", link, "--json"], { encoding: "utf8" });
    } catch (error) {
      // 1: the guarantee did not hold.
      assert.equal(error.status, 1, error.stderr);
      said = error.stdout;
    }
    assert.equal(JSON.parse(said).state_hash, last.hash);
  }
});

for (const { link, state_hash: state, lost, duplicated } of golden) {
  test(`it ends as natively: ${link.slice(0, 60)}`, async () => {
    await page.open(link);
    assert.equal(await page.browser.count(".notice.bad"), 0);
    const found = await end();
    assert.equal(found.hash, state);
    assert.deepEqual(found.counts.slice(0, 2), [lost.length, duplicated.length]);
  });
}

test("a scenario of one's own is whole in its link", async () => {
  await page.open();
  await page.paste(JSON.stringify({ version: 1, seed: 5, topics: [{ name: "orders" }], producers: [{ name: "shop", topic: "orders", records: 5 }],
    consumers: [{ name: "mailer", group: "mail", topics: ["orders"] }] }));
  await page.browser.waitForText("#picker", "Your scenario");
  assert.match(await address(), /^#base=none&/);
  const link = await share();
  const last = await end();
  assert.deepEqual(await elsewhere(link, end), last);
});

test("the address that was opened stays, until something changes; other words in it stay for good", async () => {
  await page.open("?lang=en&utm_source=x");
  assert.equal(await address(), "?lang=en&utm_source=x");
  await page.browser.click("#step");
  await settled((it) => /^\?lang=en&utm_source=x&scenario=lost-ack&seed=42#t=\d+.*&v=1$/.test(it));
  await page.browser.run(() => document.dispatchEvent(new KeyboardEvent("keydown", { key: "Home", bubbles: true })));
  await settled((it) => it === "?lang=en&utm_source=x&scenario=lost-ack&seed=42");
});

test("back and forward lead through settings and scenarios, and a reload stays there", async () => {
  await page.open("?scenario=lost-ack");
  await page.choose("#set-producer0-acks", "1");
  assert.match(await address(), /#set=shop\.acks=1&v=1$/);
  await page.toEnd();
  await settled((it) => /&t=\d+/.test(it));
  await page.browser.click("#picker");
  await page.browser.click('[data-id="commit-after"]');
  assert.match(await address(), /^\?scenario=commit-after&seed=\d+$/);
  const back = () => page.browser.run(() => history.back());
  await back();
  await page.browser.waitForText("#picker", "Lost ack");
  assert.ok(await picked("#set-producer0-acks", "1"));
  assert.ok((await page.clock()) > 1, "and at the moment that was left");
  await back();
  await page.browser.waitFor(() => picked("#set-producer0-acks", "all"), "the first settings");
  await page.browser.run(() => history.forward());
  await page.browser.waitFor(() => picked("#set-producer0-acks", "1"), "the second settings");
  await page.browser.run(() => location.reload());
  await page.browser.waitFor(async () => (await picked("#set-producer0-acks", "1")) && (await page.clock()) > 1, "the same after a reload");
});

test("what is written into the address by hand is opened, and what is wrong in it told", async () => {
  await page.open();
  await page.browser.run(() => { location.hash = "#set=shop.linger.ms=77&set=shop.acks=many&v=1"; });
  await page.browser.waitFor(() => picked("#set-producer0-linger-ms", "77"), "the setting");
  await page.browser.waitForText(".notice.bad", "#set=shop.acks=many: shop.acks: Invalid value many for configuration acks");
});

test("the skip link leads to the stage and leaves the address alone", async () => {
  await page.open("?scenario=lost-ack&seed=42#set=shop.acks=1&v=1");
  await page.browser.run(() => document.querySelector(".skip").click());
  assert.equal(await page.focused(), "stage");
  assert.equal(await address(), "?scenario=lost-ack&seed=42#set=shop.acks=1&v=1");
});

test("a damaged link says so, and the scenario before the # is there", async () => {
  await page.open("?scenario=commit-after&seed=3#z1.eNoBAgD9");
  await page.browser.waitForText(".notice.bad", "the link is damaged or was cut");
  assert.match(await page.browser.text("#picker"), /Commit/);
  await page.toEnd();
});

test("the dialog: keys, a warning for long links, a tag, a file that opens again", async () => {
  const many = Array.from({ length: 200 }, (_, nth) => `inputs/${nth}/at.us=${7919 * nth + ((nth * nth) % 97)}&inputs/${nth}/do=slow&inputs/${nth}/node=broker-${nth % 3}&inputs/${nth}/by.ms=${(nth * 31) % 17}&inputs/${nth}/for.ms=${(nth * 37) % 1013}`).join("&");
  await page.open(`?scenario=lost-ack&seed=42#${many}&t=9000&v=1`);
  await (await page.browser.find("#share")).sendKeys(page.Key.ENTER);
  assert.equal(await page.focused(), "copy-link");
  assert.ok((await page.browser.run(() => document.querySelector("#share-link").value)).length > 2048);
  await page.browser.waitForText("#share-long", "2,048");
  assert.deepEqual(await page.browser.axe(undefined, ".dialog"), []);
  await page.browser.click("#share-inputs");
  assert.equal(await page.browser.count("#share-long"), 0);
  assert.match(await page.browser.text("#share-length"), /^\d+ characters$/);
  await page.browser.click("#share-moment");
  const tag = await page.browser.run(() => document.querySelector("#share-tag").value);
  assert.equal(tag, `<script src="${page.server.url}embed.js" async></script>
<delivery-lab scenario="lost-ack" state="t=9000&amp;v=1">
  <a href="${page.server.url}?scenario=lost-ack&amp;seed=42#t=9000&amp;v=1">Lost ack</a>
</delivery-lab>`);
  const file = await page.browser.run(() => new Promise((done) => {
    const real = URL.createObjectURL;
    URL.createObjectURL = (blob) => { URL.createObjectURL = real; blob.text().then(done); return real.call(URL, blob); };
    document.querySelector("#share-inputs").click();
    setTimeout(() => document.querySelector("#download-json").click());
  }));
  assert.deepEqual([JSON.parse(file).inputs.length, JSON.parse(file).t], [200, 9000]);
  for (let round = 0; round < 12; round += 1) {
    await page.browser.keys(page.Key.TAB);
    assert.equal(await page.browser.run(() => document.activeElement.closest(".dialog") !== null), true, "the focus stays inside");
  }
  await page.browser.keys(page.Key.ESCAPE);
  assert.equal(await page.browser.count(".dialog"), 0);
  assert.equal(await page.focused(), "share");
  await page.open();
  await page.drop(file);
  await page.browser.waitFor(async () => (await page.browser.count(".by-hand li")) === 200, "the inputs of the file");
  assert.equal(await page.clock(), 0.009);
});

test("in Korean the dialog speaks Korean", async () => {
  await page.open("?lang=ko");
  await page.browser.click("#share");
  assert.match(await page.browser.text(".dialog h2"), /[가-힣]/);
  assert.match(await page.browser.text("#copy-tag"), /[가-힣]/);
});
