// Kafka's settings: changed one by one, by a guarantee, as .properties; what is wrong is refused in its place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const field = (key) => `#set-producer0-${key.replaceAll(".", "-")}`;
const value = (css) => page.browser.run((it) => document.querySelector(it).value, css);
const changes = () => page.browser.run(() => [...document.querySelectorAll(".notice .changes code")].map((it) => it.textContent));
const guarantee = (name) => page.browser.run((it) => [...document.querySelectorAll(".seg button")].find((button) => button.textContent === it).click(), name);
const pressed = () => page.browser.text('.seg [aria-pressed="true"]');
const unfold = async (css) => {
  if (!(await page.browser.run((it) => document.querySelector(it).closest("details").open, css))) await page.browser.run((it) => document.querySelector(it).closest("details").querySelector("summary").click(), css);
};

test("every setting has Kafka's name, and says what it does and its default", async () => {
  await page.open();
  await page.browser.click(field("linger.ms"));
  await page.browser.waitForText(`${field("linger.ms")}-doc`, "Default: 5.");
  await page.browser.type("#search-settings", "delivery.timeout");
  await page.browser.waitFor(async () => (await page.browser.count(".settings .field")) === 1, "the one that was searched for");
  await page.browser.type("#search-settings", "nonsense");
  await page.browser.waitForText(".settings", "No setting has “nonsense” in its name.");
});

test("changing one starts the run over from the same seed, with the other outcome", async () => {
  await page.open();
  await page.toEnd();
  assert.equal(await page.count("duplicated"), 1);
  await page.choose(field("enable.idempotence"), "true");
  await page.browser.waitForText("#clock", "0.000000");
  await page.toEnd();
  assert.equal(await page.count("duplicated"), 0);
  await page.browser.click('[aria-label="max.in.flight.requests.per.connection: back to the default"]');
  await page.browser.waitFor(async () => (await value(field("max.in.flight.requests.per.connection"))) === "5", "Kafka's default");
});

for (const [key, typed, says] of [
  ["request.timeout.ms", "soon", "Invalid value soon for configuration request.timeout.ms: Not a number of type INT"],
  ["linger.ms", "-1", "Invalid value -1 for configuration linger.ms: Value must be at least 0"],
  ["delivery.timeout.ms", "100", "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms"],
]) {
  test(`${key}=${typed} is refused in its place, in Kafka's words, and the run stays`, async () => {
    await page.open();
    await page.toEnd();
    const before = await page.picture();
    await page.browser.type(field(key), typed);
    await page.browser.keys(page.Key.TAB);
    await page.browser.waitForText(`.field:has(${field(key)}) .error`, says);
    assert.equal(await value(field(key)), typed, "what was typed stays, to be mended");
    assert.equal(await page.attribute(field(key), "aria-invalid"), "true");
    assert.deepEqual(await page.picture(), before);
  });
}

test("a guarantee sets exactly the settings that make it, and shows which", async () => {
  await page.open();
  assert.equal(await pressed(), "At least once");
  await guarantee("At most once");
  await page.browser.waitFor(async () => (await changes()).length > 0, "the changes to be shown");
  assert.deepEqual(await changes(), ["shop: acks=0all", "mailer: commit=beforeafter-sync"]);
  assert.equal(await pressed(), "At most once");
  assert.equal(await value(field("acks")), "0");
  await page.browser.waitForText("#claimed", "at most once");

  await guarantee("Exactly once");
  await page.browser.waitFor(async () => (await changes()).length === 5, "the changes to be shown");
  assert.deepEqual((await changes()).sort(), [
    "mailer: commit=after-syncbefore", "mailer: isolation.level=read_committedread_uncommitted", "shop: acks=all0", "shop: enable.idempotence=truefalse",
    "shop: transactional.id=shop-tx",
  ]);
  assert.equal(await value(field("request.timeout.ms")), "400", "what the guarantee does not name stays");

  await page.browser.click(".notice .link");
  await page.browser.waitFor(async () => (await pressed()) === "At least once", "the scenario as written");
  assert.equal(await page.browser.count(".notice"), 0);
});

test("any other settings are custom", async () => {
  await page.open();
  await page.choose(field("acks"), "1");
  await page.browser.waitFor(async () => (await pressed()) === "Custom", "Custom to be pressed");
});

test("what Kafka does silently is said: acks=1 with idempotence unset", async () => {
  await page.open("?scenario=fire-and-forget");
  await page.browser.waitForText(".settings", /enable\.idempotence.*(disabled|off|false)/is);
  await page.browser.find(".settings .note");
});

test("settings can be copied as .properties", async () => {
  await page.open();
  await page.browser.driver.sendDevToolsCommand("Browser.grantPermissions", { permissions: ["clipboardReadWrite", "clipboardSanitizedWrite"] });
  await page.browser.click(".properties button:first-child");
  await page.browser.waitForText(".properties .said", "Copied");
  const text = await page.browser.run(() => navigator.clipboard.readText());
  assert.deepEqual(text.trim().split("\n").sort(), [
    "acks=all", "delivery.timeout.ms=30000", "enable.idempotence=false", "max.in.flight.requests.per.connection=1", "request.timeout.ms=400",
  ]);
});

test("of .properties that are pasted, the good is applied and the bad is named", async () => {
  await page.open();
  await page.browser.click(".properties button:nth-child(2)");
  await page.browser.type(".properties textarea", "# mine\nacks=1\nlinger.ms=never\nlingerms=5\nretries: 7\n");
  await page.browser.click(".properties .primary");
  await page.browser.waitForText(".properties .errors", "Invalid value never for configuration linger.ms: Not a number of type LONG");
  await page.browser.waitForText(".properties .errors", /lingerms.*linger\.ms/s);
  assert.deepEqual([await value(field("acks")), await value(field("retries")), await value(field("linger.ms"))], ["1", "7", "5"]);
  assert.equal(await value(field("request.timeout.ms")), "30000", "what is not in it goes back to its default");
});

test("the consumer's settings and the workload can be changed as well", async () => {
  await page.open();
  await unfold("#set-consumer0-work-commit");
  await page.choose("#set-consumer0-work-commit", "before");
  await page.browser.waitForText("#claimed", "at most once");
  await page.browser.type("#set-producer0-work-records", "3");
  await page.browser.keys(page.Key.TAB);
  await page.toEnd();
  assert.deepEqual(await page.rows(), [0, 1, 2]);
});
