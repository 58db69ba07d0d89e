// The element in a host page: what it costs, what it shows, what it follows.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { dist } from "./harness.mjs";
import { embed } from "./hosts.mjs";

const page = embed();
const wasm = () => page.lab.asked.filter((path) => path.endsWith(".wasm")).length;
const poster = (at) => page.inside((root) => root.querySelector("img")?.src ?? null, at);

test("embed.js has less than 5 kB, and no comment", () => {
  const text = readFileSync(join(dist, "embed.js"), "utf8");
  assert.ok(Buffer.byteLength(text) < 5_000, `${Buffer.byteLength(text)} bytes`);
  assert.ok(!/^\s*\/\//m.test(text));
});

test("three figures: no wasm before a click, little to load, no layout shift; then wasm once for all", async () => {
  page.lab.asked.length = 0;
  await page.open("three.html");
  for (const at of [0, 1, 2]) {
    await page.browser.run((which) => document.querySelectorAll("delivery-lab")[which].scrollIntoView(), at);
    await page.browser.waitFor(() => page.inside((root) => root.querySelector("img").naturalWidth > 0, at), `poster ${at}`);
  }
  assert.equal(wasm(), 0);
  const asked = [...page.lab.asked];
  assert.deepEqual(asked.filter((path) => !/^\/(embed\.js|posters\/[a-z-]+\.en\.svg)$/.test(path)), []);
  const bytes = asked.map((path) => readFileSync(join(dist, path)));
  const sent = bytes.reduce((sum, it) => sum + gzipSync(it, { level: 9 }).length, 0);
  assert.ok(sent <= 15_000, `${sent} bytes, compressed, for three figures`);
  assert.ok(bytes[0].length + bytes[1].length <= 15_000, "and for one even without compression");
  const shift = () => page.browser.run(() => new Promise((resolve) => {
    new PerformanceObserver((list) => resolve(list.getEntries().reduce((sum, it) => sum + it.value, 0))).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(0)));
  }));
  assert.equal(await shift(), 0);
  for (const at of [0, 1, 2]) {
    await page.start(at);
    await page.within(() => page.browser.find("#claimed"), at);
  }
  assert.equal(wasm(), 1);
  assert.deepEqual(page.lab.misses, []);
});

test("each figure shows its view, and says what it is", async () => {
  await page.open("three.html");
  for (const at of [0, 1, 2]) await page.start(at);
  await page.within(() => page.browser.find("svg.stage"), 0);
  await page.within(() => page.browser.find(".ledger"), 1);
  await page.within(() => page.browser.find("svg.timeline"), 2);
  assert.equal(await page.within(() => page.browser.count("svg.stage"), 1), 0);
  assert.match(await page.inside((root) => root.querySelector("iframe").title, 1), /commit-first/);
});

test("a click plays, and the focus goes along", async () => {
  await page.open("one.html?scenario=lost-ack");
  await page.start();
  await page.within(() => page.browser.waitFor(async () => Number(await page.browser.text("#clock")) > 0, "the clock to run"));
  assert.equal(await page.browser.run(() => document.activeElement.id), "figure");
});

test("ready, resize and verdict are events, and the methods reach the frame", async () => {
  await page.open("one.html?scenario=lost-ack");
  await page.browser.run(() => document.querySelector("#figure").seek(60_000_000));
  await page.waitToHear("ready");
  const verdict = await page.waitToHear("verdict", (it) => it.finished);
  assert.deepEqual([verdict.claimed, verdict.observed, verdict.holds], ["at-least-once", "at-least-once", true]);
  assert.deepEqual(verdict.counts, { lost: 0, duplicated: 1, reordered: 0, abortedRead: 0 });
  assert.ok((await page.waitToHear("resize")).height > 200);
  await page.browser.run(() => document.querySelector("#figure").load("commit-first"));
  await page.browser.run(() => document.querySelector("#figure").seek(60_000_000));
  const other = await page.waitToHear("verdict", (it) => it.finished && it.counts.lost === 1);
  assert.equal(other.claimed, "at-most-once");
  await page.browser.run(() => document.querySelector("#figure").play());
  await page.within(() => page.browser.waitForText("#play", "Pause"));
  await page.browser.run(() => document.querySelector("#figure").pause());
  await page.within(() => page.browser.waitForText("#play", "Play"));
});

test("of two figures of one Lab each hears its own frame only", async () => {
  await page.open("two.html");
  await page.browser.run(() => ["first", "second"].forEach((id) => document.getElementById(id).seek(60_000_000)));
  await page.waitToHear("verdict", (it) => it.from === "first" && it.finished);
  await page.waitToHear("verdict", (it) => it.from === "second" && it.finished);
  const claims = (await page.heard("verdict")).map((it) => `${it.from}: ${it.claimed}`);
  assert.deepEqual(new Set(claims), new Set(["first: at-least-once", "second: at-most-once"]));
});

test("with a height it keeps it, without one it follows what is in the frame, within bounds", async () => {
  const height = (at) => page.browser.run((which) => document.querySelectorAll("delivery-lab")[which].offsetHeight, at);
  await page.open("three.html");
  assert.deepEqual([await height(0), await height(1), await height(2)], [480, 480, 400]);
  for (const at of [1, 2]) await page.start(at);
  await page.browser.waitFor(async () => (await height(1)) !== 480, "the figure to follow");
  await page.within(() => page.browser.find("svg.timeline"), 2);
  assert.equal(await height(2), 400);
  const least = await page.browser.run(() => { const it = document.querySelectorAll("delivery-lab")[2]; it.height = 3; return it.offsetHeight; });
  assert.equal(least, 160);
});

test("the theme follows the host, live: data-theme, mdBook's class, the system; or the attribute decides", async () => {
  await page.browser.media({ "prefers-color-scheme": "dark" });
  await page.open("one.html?scenario=lost-ack");
  assert.match(await poster(), /#dark$/);
  const say = (script) => page.browser.run(script);
  const themes = [
    [() => { document.documentElement.dataset.theme = "light"; }, "light"],
    [() => { document.documentElement.dataset.theme = "dark"; }, "dark"],
    [() => { delete document.documentElement.dataset.theme; document.documentElement.className = "rust js"; }, "light"],
    [() => { document.documentElement.className = "sidebar-visible navy"; }, "dark"],
    [() => { document.querySelector("#figure").theme = "light"; }, "light"],
    [() => { document.querySelector("#figure").theme = "auto"; }, "dark"],
  ];
  for (const [change, theme] of themes) {
    await say(change);
    await page.browser.waitFor(async () => (await poster()).endsWith(`#${theme}`), `a ${theme} poster`);
  }
  await page.start();
  const shown = (theme) => page.within(() => page.browser.waitFor(() => page.browser.run((it) => document.documentElement.dataset.theme === it, theme), `a ${theme} frame`));
  await shown("dark");
  for (const [change, theme] of themes) {
    await say(change);
    await shown(theme);
  }
  await say(() => { document.documentElement.className = ""; });
  await page.browser.media({ "prefers-color-scheme": "light" });
  await shown("light");
  await page.browser.media({});
});

test("it speaks the language of its place, and changes it live", async () => {
  await page.open("one.html?scenario=lost-ack");
  assert.match(await poster(), /lost-ack\.en\.svg/);
  await page.browser.run(() => { document.documentElement.lang = "ko"; });
  await page.browser.waitFor(async () => /lost-ack\.ko\.svg/.test(await poster()), "the Korean poster");
  assert.match(await page.inside((root) => root.querySelector("a").textContent), /[가-힣]/);
  await page.start();
  await page.within(() => page.browser.waitForText(".oneline", /[가-힣]/));
  await page.browser.run(() => { document.querySelector("#figure").lang = "en"; });
  await page.within(() => page.browser.waitForText(".oneline", "settings claim"));
});

test("a scenario that nobody knows: the figure says so, and the page is unharmed", async () => {
  await page.open("one.html?scenario=lost-akc");
  await page.browser.waitFor(async () => /poster/.test(await page.note()), "a word about the poster");
  await page.start();
  const error = await page.waitToHear("error");
  assert.match(error.problem, /did you mean "lost-ack"\?/);
  assert.match(await page.note(), /did you mean "lost-ack"\?/);
  assert.equal(await page.inside((root) => root.querySelectorAll("iframe").length), 0);
  await page.browser.run(() => { document.querySelector("#figure").scenario = "lost-ack"; });
  assert.equal(await page.note(), "");
  await page.start();
  await page.waitToHear("ready");
  // The missing poster is the only thing on the console.
  assert.ok((await page.browser.consoleErrors()).every((line) => line.includes("lost-akc.en.svg")));
  await page.open("one.html?scenario=lost-ack");
});

test("attributes are properties, also those that were set before the script came", async () => {
  await page.open("one.html?scenario=lost-ack");
  const seen = await page.browser.run(() => {
    const it = document.createElement("delivery-lab");
    const defaults = [it.scenario, it.state, it.seed, it.theme, it.view, it.height, it.autoplay, it.controls];
    Object.assign(it, { scenario: "commit-first", seed: 7, view: "full", height: 300, autoplay: true, controls: false });
    const written = [...it.attributes].map((a) => `${a.name}=${a.value}`);
    const read = [it.scenario, it.seed, it.view, it.height, it.autoplay, it.controls];
    it.setAttribute("autoplay", "0");
    it.removeAttribute("controls");
    it.seed = null;
    it.view = undefined;
    return { defaults, written, read, after: [it.autoplay, it.controls, it.hasAttribute("seed"), it.view] };
  });
  assert.deepEqual(seen.defaults, ["", "", "", "", "", 480, false, true]);
  assert.deepEqual(seen.read, ["commit-first", "7", "full", 300, true, false]);
  assert.deepEqual(seen.written, ["scenario=commit-first", "seed=7", "view=full", "height=300", "autoplay=true", "controls=false"]);
  assert.deepEqual(seen.after, [false, true, false, ""]);
  // What stands on an element of before the script is an attribute after it.
  const upgraded = await page.browser.run(() => {
    const early = Object.assign(document.createElement("div"), {});
    const it = document.createElement("delivery-lab");
    delete it.scenario;
    Object.defineProperty(it, "scenario", { value: "fire-and-forget", configurable: true, writable: true });
    document.body.append(early, it);
    return it.getAttribute("scenario");
  });
  assert.equal(upgraded, "fire-and-forget");
});

test("what is not the library's own run has no poster that tells an outcome", async () => {
  await page.open("one.html?scenario=lost-ack");
  for (const [name, value] of [["seed", "7"], ["state", "v=1&set=shop.acks=1"]]) {
    await page.browser.run((it, to) => document.querySelector("#figure").setAttribute(it, to), name, value);
    assert.match(await poster(), /posters\/any\.en\.svg/, name);
    await page.browser.run((it) => document.querySelector("#figure").removeAttribute(it), name);
  }
  assert.match(await poster(), /posters\/lost-ack\.en\.svg/);
});

test("the full playground is one link away, with the same words", async () => {
  await page.open("one.html?scenario=lost-ack");
  const address = () => page.inside((root) => root.querySelector("a").href).then((it) => new URL(it));
  let url = await address();
  assert.deepEqual([url.searchParams.get("scenario"), url.searchParams.get("embed"), url.searchParams.get("view")], ["lost-ack", null, null]);
  for (const state of ["v=1&seed=7", "#v=1&seed=7", `${page.lab.url}?scenario=commit-after#v=1&seed=7`]) {
    await page.browser.run((it) => { document.querySelector("#figure").state = it; }, state);
    url = await address();
    assert.equal(url.hash, "#v=1&seed=7", state);
    assert.equal(url.searchParams.get("scenario"), "lost-ack", "the attribute decides over the link");
  }
  await page.browser.run(() => { document.querySelector("#figure").removeAttribute("scenario"); });
  assert.equal((await address()).searchParams.get("scenario"), "commit-after");
});

test("autoplay waits until the figure is near, and it stands still out of sight", async () => {
  await page.open("far.html");
  const frames = () => page.inside((root) => root.querySelectorAll("iframe").length);
  assert.equal(await frames(), 0);
  await page.browser.run(() => document.querySelector("#figure").scrollIntoView({ block: "center" }));
  await page.waitToHear("ready");
  await page.within(() => page.browser.waitForText("#play", "Pause"));
  await page.browser.run(() => scrollTo(0, 0));
  const word = () => page.within(() => page.browser.run(() => document.querySelector("#play").textContent));
  await page.browser.waitFor(async () => (await word()) === "Play", "it to stand still");
  await page.browser.run(() => document.querySelector("#figure").scrollIntoView({ block: "center" }));
  await page.browser.waitFor(async () => (await word()) === "Pause", "it to go on");
});

test("who wants no motion gets no autoplay", async () => {
  await page.browser.media({ "prefers-reduced-motion": "reduce" });
  await page.open("far.html");
  await page.browser.run(() => document.querySelector("#figure").scrollIntoView({ block: "center" }));
  await page.browser.waitFor(() => page.inside((root) => root.querySelector("img")?.naturalWidth > 0), "the poster");
  assert.equal(await page.inside((root) => root.querySelectorAll("iframe").length), 0);
  await page.browser.media({});
});

test("a figure is accessible", async () => {
  await page.open("three.html");
  assert.deepEqual(await page.browser.axe(undefined, "delivery-lab"), []);
});
