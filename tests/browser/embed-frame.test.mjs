// Who may say what: the messages between a host and the page in its frame.
import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { dist, serve } from "./harness.mjs";
import { embed, serveHosts } from "./hosts.mjs";

const page = embed();

const said = (type) => page.browser.run((it) => said.filter((message) => message.type === `delivery-lab:${it}`), type);
// To the frame of a host without our element.
const ask = (message) => page.browser.run((it) => document.querySelector("iframe").contentWindow.postMessage(it, "*"), message);
const inFrame = async (what) => {
  await page.browser.driver.switchTo().frame(0);
  try {
    return await what();
  } finally {
    await page.browser.driver.switchTo().defaultContent();
  }
};
const openBare = async (scenario = "lost-ack") => {
  await page.browser.driver.switchTo().defaultContent();
  await page.browser.open(`${page.host.url}bare.html?scenario=${scenario}`);
  await page.browser.waitFor(async () => (await said("ready")).length > 0, "ready", 30_000);
};

test("ready is said until the host answers, and nothing else before", async () => {
  await openBare();
  await page.browser.waitFor(async () => (await said("ready")).length > 2, "ready again");
  assert.equal((await said("verdict")).length + (await said("resize")).length, 0);
  await ask({ type: "delivery-lab:hello", v: 1 });
  await page.browser.waitFor(async () => (await said("verdict")).length > 0 && (await said("resize")).length > 0, "the rest");
  const [ready] = await said("ready");
  assert.equal(`${ready.origin}/`, page.lab.url);
});

test("a host without our element can do all of it", async () => {
  await openBare();
  await ask({ type: "delivery-lab:seek", v: 1, us: 60_000_000 });
  await page.browser.waitFor(async () => (await said("verdict")).some((it) => it.finished && it.counts.duplicated === 1), "the verdict");
  await ask({ type: "delivery-lab:set-lang", v: 1, lang: "ko" });
  await ask({ type: "delivery-lab:set-theme", v: 1, theme: "dark" });
  await inFrame(async () => {
    await page.browser.waitForText("#banner", /레코드 3/);
    await page.browser.waitFor(async () => (await page.browser.run(() => document.documentElement.dataset.theme)) === "dark", "dark");
  });
  const own = { version: 1, seed: 3, topics: [{ name: "orders" }], producers: [{ name: "till", topic: "orders", records: 5 }] };
  await ask({ type: "delivery-lab:load", v: 1, scenario: own });
  await inFrame(() => page.browser.waitFor(async () => (await page.browser.count('[data-node="till"]')) === 1, "the own scenario"));
  await ask({ type: "delivery-lab:play", v: 1, playing: true });
  await inFrame(() => page.browser.waitForText("#play", /일시정지|멈춤|정지/));
});

test("what is wrong with a message is answered, and changes nothing", async () => {
  await openBare();
  for (const [message, answer] of [
    [{ type: "delivery-lab:load", v: 1, scenario: "lost-akc" }, /did you mean "lost-ack"/],
    [{ type: "delivery-lab:load", v: 1, scenario: { version: 1, topicz: [] } }, /topics/],
    [{ type: "delivery-lab:seek", v: 1, us: "soon" }, /microseconds/],
    [{ type: "delivery-lab:play", v: 3 }, /version 1/],
  ]) {
    await ask(message);
    const error = await page.browser.waitFor(async () => (await said("error")).find((it) => answer.test(it.problem)), `${answer}`);
    assert.equal(error.fatal, false);
  }
  for (const other of [null, 7, "delivery-lab:seek", { type: "webpackOk" }, { type: { a: 1 } }]) await ask(other);
  await inFrame(() => page.browser.waitFor(async () => (await page.browser.count('[data-node="shop"]')) === 1, "the same run"));
});

test("an unknown scenario is told to the host, with what would be right", async () => {
  await openBare("lost-akc");
  await ask({ type: "delivery-lab:hello", v: 1 });
  const error = await page.browser.waitFor(async () => (await said("error"))[0], "the error");
  assert.equal(error.fatal, true);
  assert.match(error.problem, /did you mean "lost-ack"\?$/);
});

test("a stranger's words are not heard, neither by the host nor by the frame", async () => {
  await page.open(`strangers.html?stranger=${page.stranger.url}`);
  await page.start();
  await page.waitToHear("ready");
  await page.browser.run(() => document.querySelector("#figure").pause());
  await page.within(() => page.browser.waitForText("#play", "Play"));
  const before = await page.within(() => page.browser.text("#clock"));
  await page.browser.run(() => new Promise((resolve) => {
    addEventListener("message", ({ data }) => data === "done" && resolve());
    document.querySelector("#stranger").contentWindow.postMessage("now", "*");
  }));
  // What comes after the stranger's words is obeyed: so they have been read by then, and were not.
  await page.browser.run(() => document.querySelector("#figure").load("commit-first"));
  await page.waitToHear("verdict", (it) => it.claimed === "at-most-once");
  assert.ok(Number(before) < 9);
  assert.ok((await page.within(() => page.browser.text("#clock"))) < 9);
  assert.deepEqual((await page.heard("verdict")).filter((it) => it.forged), []);
});

// A Lab of which only the script and the posters are there, and something else in the page's place.
async function withHalfALab(index, what) {
  const root = await mkdtemp(join(tmpdir(), "lab-"));
  await cp(join(dist, "embed.js"), join(root, "embed.js"));
  await cp(join(dist, "posters"), join(root, "posters"), { recursive: true });
  await writeFile(join(root, "index.html"), index);
  const half = await serve({ root });
  const host = await serveHosts(half.url);
  try {
    await page.browser.open(`${host.url}silent.html`);
    await page.start();
    await what();
  } finally {
    await host.close();
    await half.close();
    await rm(root, { recursive: true });
  }
}

test("who does not answer is named, and the poster's place stays", () =>
  withHalfALab("<p>Nothing</p>", async () => {
    await page.browser.waitFor(async () => /No answer/.test(await page.note()), "a word about it");
    assert.equal(await page.browser.run(() => document.querySelector("#figure").offsetHeight), 480);
  }));

test("another origin in the frame is not taken for the Lab", () =>
  withHalfALab(`<script>location = "${page.stranger.url}forger.html"</script>`, async () => {
    await page.browser.waitFor(() => page.browser.run(() => globalThis.done), "the forger to have spoken");
    await page.browser.waitFor(async () => /No answer/.test(await page.note()), "a word about it");
    assert.deepEqual([...(await page.heard("ready")), ...(await page.heard("verdict"))], []);
  }));
