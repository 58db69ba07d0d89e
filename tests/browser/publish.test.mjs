// dist/ as it is published: under any path, with a strict Content-Security-Policy, and without a network after one visit;
// with one, nobody sees an old page.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { after, before, test } from "node:test";
import { dist, openBrowser, serve } from "./harness.mjs";

// The least that the page needs, as the README says.
const csp =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; worker-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'";
const base = "/some/where/";
const inside = (file) => readFileSync(join(dist, file), "utf8");

function files(folder = dist) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : [relative(dist, path).split(sep).join("/")];
  });
}

// What the worker of a build keeps, as it says itself.
function worker() {
  const list = (name) => JSON.parse(inside("sw.js").match(new RegExp(`const ${name} = (\\[[^\\]]*\\])`))[1].replace(/,\s*\]/, "]"));
  return { kept: list("FILES"), later: list("LATER"), version: inside("sw.js").match(/const VERSION = "(\w+)"/)[1] };
}

// Browsers look for a new worker when they find the time.
const patience = 60_000;

// Until a worker has everything, and is in charge of the page.
const keptAll = (browser) =>
  browser.waitFor(() => browser.run(async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    return registration?.active?.state === "activated" && Boolean(navigator.serviceWorker.controller);
  }), "the worker to be in charge", patience);

// The scenario of the page that is open.
const runToEnd = () =>
  browser.waitFor(async () => {
    await browser.click("#to-end");
    return browser.run(() => document.querySelector(".clock em") !== null);
  }, "the run to be finished");

test("every address in dist/ is relative, and nothing is asked of anybody else", () => {
  for (const file of files().filter((it) => /\.(html|css|svg)$/.test(it))) {
    const text = inside(file).replace(/<(pre|code)\b.*?<\/\1>/gs, "");
    const addresses = [...text.matchAll(/\b(?:src|href|action|poster)=["']([^"']*)["']|url\(["']?([^"')]*)/g)].map(([, a, b]) => a ?? b);
    assert.deepEqual(addresses.filter((it) => it.startsWith("/")), [], file);
    // A link may lead out; what is loaded may not.
    const loaded = [...text.matchAll(/<(?:script|img|iframe|link|source)\b[^>]*?(?:src|href)=["'](https?:[^"']*)/g)].map(([, address]) => address);
    assert.deepEqual(loaded, [], file);
  }
  assert.doesNotMatch(inside("index.html"), /<script(?![^>]*\bsrc=)/, "a script inside the page");
});

test("the worker knows every file, and its version changes with them", () => {
  const { kept, later } = worker();
  const known = [...kept, ...later, "sw.js", "package.json"];
  assert.deepEqual(files().filter((it) => !it.endsWith(".d.ts") && !known.includes(it)), []);
  assert.deepEqual([...kept, ...later].filter((it) => !files().includes(it)), []);
  for (const file of ["index.html", "start.js"]) assert.ok(kept.includes(file), file);
  assert.deepEqual(later, ["delivery-lab.js", "delivery-lab_bg.wasm"]);
});

test("a build for development leaves no worker behind", () => {
  // Only a release puts the word into the tag; without it start.js registers nothing.
  assert.match(inside("index.html"), /<script type="module" src="\.\/start\.js" data-offline="sw\.js"/);
  assert.doesNotMatch(readFileSync(new URL("../../index.html", import.meta.url), "utf8"), /data-offline/);
  assert.doesNotMatch(readFileSync(new URL("../../Trunk.toml", import.meta.url), "utf8"), /data-offline/);
});

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

test("under a sub-path and a strict Content-Security-Policy everything is found", async () => {
  const server = await serve({ base, headers: { "content-security-policy": csp } });
  try {
    await browser.open(`${server.url}?scenario=lost-ack&seed=42`);
    await browser.find("#play");
    await runToEnd();
    await keptAll(browser);
    assert.deepEqual(server.misses, []);
    assert.deepEqual(await browser.consoleErrors(), []);
    // So is what others add to dist/: whatever of it is a page opens.
    for (const file of worker().kept.filter((it) => it.endsWith(".html") && it !== "index.html")) {
      await browser.open(server.url + file);
      await browser.waitFor(() => browser.run(() => document.readyState === "complete"), `${file} to be loaded`);
      assert.deepEqual([file, ...(await browser.consoleErrors())], [file]);
    }
    assert.deepEqual(server.misses, []);
  } finally {
    await server.close();
  }
});

test("after one visit everything is there without a network", async () => {
  const server = await serve({ base });
  let there = true;
  try {
    await browser.open(server.url);
    await browser.find("#play");
    await keptAll(browser);
    // The API is kept when it has been used.
    await browser.run(async (address) => {
      const { default: init, Lab } = await import(address);
      await init();
      return new Lab("lost-ack").run().state_hash;
    }, `${server.url}delivery-lab.js`);
    await server.close();
    there = false;
    await browser.open(`${server.url}?scenario=commit-first&seed=7`);
    await browser.find("#play");
    await runToEnd();
    const { kept, later } = worker();
    const unread = await browser.run(async (root, all) => {
      const failed = [];
      for (const file of all) {
        const answer = await fetch(root + file).catch((error) => ({ ok: false, status: String(error) }));
        if (!answer.ok) failed.push(`${file}: ${answer.status}`);
      }
      return failed;
    }, server.url, [...kept, ...later]);
    assert.deepEqual(unread, []);
    await browser.open(`${server.url}index.html?scenario=lost-ack`);
    await browser.find("#play");
  } finally {
    if (there) await server.close();
  }
});

test("who is online sees the new page at once, and the old version is thrown away", async () => {
  const other = "delivery-lab http://127.0.0.1/elsewhere/ 1";
  const own = {};
  const server = await serve({ base, files: own });
  try {
    await browser.open(server.url);
    await browser.find("#play");
    await keptAll(browser);
    await browser.run((name) => caches.open(name), other);
    const before = await browser.run(() => caches.keys());
    // A new version is published: the page, and the worker that goes with it.
    own[""] = own["index.html"] = inside("index.html").replace("<title>Delivery Lab</title>", "<title>Delivery Lab 2</title>");
    own["sw.js"] = inside("sw.js").replace(worker().version, "0123456789abcdef");
    await browser.open(server.url);
    assert.equal(await browser.run(() => document.title), "Delivery Lab 2");
    await browser.waitFor(async () => {
      const keys = await browser.run(() => caches.keys());
      return keys.some((key) => key.endsWith(" 0123456789abcdef")) && !keys.includes(before.find((key) => key.includes(worker().version)));
    }, "the new version to replace the old one", patience);
    assert.ok((await browser.run(() => caches.keys())).includes(other), "another Delivery Lab's cache is left alone");
  } finally {
    await server.close();
  }
});

test("a version that is not whole is not kept, and nobody is the worse for it", async () => {
  const sw = inside("sw.js").replace("const FILES = [", 'const FILES = [\n  "missing.css",');
  const server = await serve({ base, files: { "sw.js": sw } });
  try {
    await browser.open(server.url);
    await browser.find("#play");
    await browser.waitFor(() => server.misses.length > 0, "the worker to miss a file", patience);
    await browser.waitFor(() => browser.run(async () => !(await navigator.serviceWorker.getRegistration())), "the worker to be given up", patience);
    await browser.click("#step");
    assert.equal(await browser.count("#panic"), 0);
  } finally {
    await server.close();
  }
});
