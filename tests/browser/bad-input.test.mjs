// Bad links and files: what, where and why, in the page; what is good stays.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const good = {
  version: 1,
  topics: [{ name: "orders" }],
  producers: [{ name: "shop", topic: "orders", records: 5 }],
  consumers: [{ name: "mailer", group: "mail", topics: ["orders"] }],
};

test("a scenario that nobody knows is refused, with the nearest name, and another one is ready", async () => {
  await page.open("?scenario=lost-akc&seed=9");
  await page.browser.waitForText(".notice.bad", 'there is no scenario "lost-akc"; did you mean "lost-ack"?');
  await page.browser.waitForText(".notice.bad", "?scenario=");
  assert.match(await page.browser.text("#picker"), /Lost ack/);
  assert.equal(await page.browser.run(() => document.querySelector("#set-cluster-work-seed").value), "9", "the good seed is used");
  await page.browser.click('.notice [aria-label="Dismiss"]');
  await page.browser.waitFor(async () => (await page.browser.count(".notice")) === 0, "the notice to be gone");
});

test("each bad word of a link is named", async () => {
  await page.open("?scenario=commit-first&seed=x&lang=fr&theme=blue");
  const says = await page.browser.text(".notice.bad");
  for (const part of ['?seed=: "x" is no seed: expected a whole number', '?lang=: "fr" is not spoken here: en or ko', '?theme=: "blue" is no theme: auto, light or dark']) {
    assert.ok(says.includes(part), `${part} in\n${says}`);
  }
  assert.match(await page.browser.text("#picker"), /Commit first/);
});

test("a word of the link that nobody knows is named", async () => {
  await page.open("?scenaro=commit-first");
  assert.equal(await page.browser.count(".notice.bad"), 1);
});

for (const way of ["paste", "drop"]) {
  test(`a good scenario can be brought by ${way}`, async () => {
    await page.open();
    await page[way](JSON.stringify(good));
    await page.browser.waitForText("#picker", "Your scenario");
    await page.toEnd();
    assert.equal((await page.rows()).length, 5);
    assert.equal(await page.browser.run(() => location.search.includes("scenario")), false, "the address does not claim another");
    assert.match(await page.browser.run(() => location.hash), /^#base=none&/);
  });

  test(`a bad scenario brought by ${way} is refused with where and why, and the run stays`, async () => {
    await page.open();
    await page.toEnd();
    const before = await page.picture();
    const bad = structuredClone(good);
    bad.producers[0].recrods = 3;
    bad.consumers[0].commit = "afterwards";
    await page[way](JSON.stringify(bad));
    await page.browser.waitForText(".notice.bad", "The scenario file: refused");
    const says = await page.browser.text(".notice.bad");
    assert.match(says, /producers\[0\].*recrods.*records/, "an unknown key, with the nearest");
    assert.match(says, /consumers\[0\].*after-sync.*afterwards/, "an unknown word, with the known ones");
    assert.deepEqual(await page.picture(), before);
    assert.match(await page.browser.text("#picker"), /Lost ack/);
  });
}

test("every mistake of a file is named at once, settings and names too", async () => {
  await page.open();
  const bad = structuredClone(good);
  bad.producers[0].recrods = 3;
  bad.producers[0].config = { ack: "1" };
  bad.consumers[0].topics = ["oders"];
  await page.paste(JSON.stringify(bad));
  const says = await page.browser.text(".notice.bad");
  for (const wrong of ["recrods", "'ack'", "oders"]) assert.ok(says.includes(wrong), `${wrong} in ${says}`);
});

test("what is not even JSON is refused with the place", async () => {
  await page.open();
  await page.drop('{ "version": 1,\n  "topics": [ }');
  await page.browser.waitForText(".notice.bad", /not JSON: .*line 2 column/);
});

for (const [what, change, says] of [
  ["a topic that is not there", (it) => { it.consumers[0].topics = ["oders"]; }, /oders/],
  ["a setting that Kafka does not have", (it) => { it.producers[0].config = { ack: "1" }; }, /ack\b.*acks/],
  ["a value that Kafka refuses", (it) => { it.producers[0].config = { acks: "2" }; }, /Invalid value 2 for configuration acks/],
]) {
  test(`${what} is refused, and named`, async () => {
    await page.open();
    const bad = structuredClone(good);
    change(bad);
    await page.paste(JSON.stringify(bad));
    await page.browser.waitForText(".notice.bad", says);
  });
}

test("a text pasted into a field is that field's", async () => {
  await page.open();
  await page.browser.run((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text", text);
    document.querySelector("#search-settings").dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, JSON.stringify(good));
  assert.match(await page.browser.text("#picker"), /Lost ack/);
});

const grant = () => page.browser.driver.sendDevToolsCommand("Browser.grantPermissions", { permissions: ["clipboardReadWrite", "clipboardSanitizedWrite"] });

test("sharing copies the link to this scenario and seed", async () => {
  await page.open("?scenario=commit-after&seed=12");
  await grant();
  await page.browser.click("#share");
  await page.browser.click("#copy-link");
  await page.browser.waitForText(".dialog .said", "Copied");
  assert.equal(await page.browser.run(() => navigator.clipboard.readText()), `${page.server.url}?scenario=commit-after&seed=12`);
});

test("a shared link holds changed settings and faults, too", async () => {
  await page.open();
  await grant();
  await page.choose("#set-producer0-enable-idempotence", "true");
  await page.browser.click("#share");
  await page.browser.click("#copy-link");
  await page.browser.waitForText(".dialog .said", "Copied");
  const link = await page.browser.run(() => navigator.clipboard.readText());
  await page.browser.open("about:blank");
  await page.browser.open(link);
  await page.toEnd();
  assert.equal(await page.count("duplicated"), 0);
});
