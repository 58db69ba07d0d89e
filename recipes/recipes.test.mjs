// The recipes as a reader meets them: built by the real generators (.ci/recipes.sh), served under a path, with the
// Content-Security-Policy that each README names. Figures show their poster, run on a click, tell their verdict and follow
// the generator's own theme switch, and nothing complains on the console.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openBrowser, serve } from "../tests/browser/harness.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const base = process.env.BASE ?? "/some/where/";
const chosen = (process.env.RECIPES ?? "bare mdbook hugo docusaurus").split(" ");

// How a reader switches the theme: the clicks, and what is dark afterwards.
const recipes = {
  bare: { page: "index.html", dark: ["#toggle"], light: ["#toggle"], more: plainFrame },
  mdbook: {
    page: "lost-ack.html",
    dark: ["#mdbook-theme-toggle", "#mdbook-theme-coal"],
    light: ["#mdbook-theme-rust"], // The menu stays open.
    more: (it) => another(it, "deep/commit-after.html"),
  },
  hugo: { page: "lost-ack/", dark: ["#toggle"], light: ["#toggle"] },
  // System, light, dark, in turns.
  docusaurus: { page: "", dark: [TOGGLE(), TOGGLE()], light: [TOGGLE(), TOGGLE()], more: comeBack },
};

function TOGGLE() {
  return "button[class*=toggleButton]";
}

for (const name of chosen) {
  describe(name, () => {
    const it = {};
    before(async () => {
      const policy = /^Content-Security-Policy: (.+)$/m.exec(readFileSync(join(here, name, "README.md"), "utf8"))[1];
      const root = join(here, "..", "target", "recipes", name, "site");
      it.site = await serve({ root, base, headers: { "content-security-policy": policy } });
      it.browser = await openBrowser({ media: { "prefers-color-scheme": "light" } });
    });
    after(async () => {
      await it.browser?.close();
      await it.site?.close();
    });

    test("posters first, the Lab on a click, a verdict, the theme's switch", async () => {
      const { page, dark, light } = recipes[name];
      await open(it, page);
      await posters(it, 2);
      await start(it, 0);
      await heard(it, 0, "ready");
      await it.browser.waitFor(async () => (await theme(it, 0)) === "light", "a light figure");
      await press(it, dark);
      await it.browser.waitFor(async () => (await theme(it, 0)) === "dark", "a dark figure");
      await press(it, light);
      await it.browser.waitFor(async () => (await theme(it, 0)) === "light", "a light figure again");
      const verdict = await heard(it, 0, "verdict", (said) => said.counts.duplicated === 1);
      assert.equal(verdict.claimed, "at-least-once");

      // The sibling: the same fault, one setting changed.
      await start(it, 1);
      await heard(it, 1, "ready");
      const hash = await it.browser.run(() => document.querySelectorAll("delivery-lab")[1].shadowRoot.querySelector("iframe").contentWindow.location.hash);
      assert.match(hash, /enable\.idempotence=true/);
      await recipes[name].more?.(it);
      assert.deepEqual(await it.browser.consoleErrors(), []);
      assert.deepEqual(it.site.misses, []);
    });

    test("on a phone nothing sticks out", async () => {
      await it.browser.resize(360, 740);
      await open(it, recipes[name].page);
      await posters(it, 2);
      const widths = await it.browser.run(() => [...document.querySelectorAll("delivery-lab")].map((figure) => {
        const { left, right } = figure.getBoundingClientRect();
        return left >= 0 && right <= innerWidth;
      }));
      assert.ok(widths.every(Boolean), `${widths}`);
      await it.browser.resize(1440, 900);
    });
  });
}

// Opens a page of the site, and notes what its figures say.
async function open(it, page) {
  await it.browser.open(it.site.url + page);
  await it.browser.waitFor(() => it.browser.run(() => !!customElements.get("delivery-lab")), "the element to be defined");
  await listen(it);
}

function listen(it) {
  return it.browser.run(() => {
    window.heard = [];
    document.querySelectorAll("delivery-lab").forEach((figure, at) => {
      for (const name of ["ready", "verdict", "error"]) {
        figure.addEventListener(name, (event) => window.heard.push({ at, name, detail: event.detail }));
      }
    });
  });
}

// Every figure shows a picture, and nothing else yet.
async function posters(it, atLeast) {
  const count = await it.browser.run(() => document.querySelectorAll("delivery-lab").length);
  assert.ok(count >= atLeast, `${count} figures`);
  for (let at = 0; at < count; at++) {
    await it.browser.run((which) => document.querySelectorAll("delivery-lab")[which].scrollIntoView({ block: "center" }), at);
    const drawn = () => it.browser.run((which) => document.querySelectorAll("delivery-lab")[which].shadowRoot.querySelector("img").naturalWidth > 0, at);
    await it.browser.waitFor(drawn, `the poster of figure ${at}`);
  }
  assert.equal(await it.browser.run(() => [...document.querySelectorAll("delivery-lab")].filter((figure) => figure.shadowRoot.querySelector("iframe")).length), 0);
}

async function start(it, at) {
  const button = await it.browser.driver.executeScript(
    "const it = document.querySelectorAll('delivery-lab')[arguments[0]].shadowRoot.querySelector('button'); it.scrollIntoView({ block: 'center' }); return it",
    at,
  );
  await button.click();
}

// What a figure said, sooner or later.
function heard(it, at, name, fits = () => true) {
  const look = async () => {
    const said = await it.browser.run(() => window.heard);
    const wrong = said.find((one) => one.at === at && one.name === "error");
    if (wrong) throw new Error(`the figure says: ${JSON.stringify(wrong.detail)}`);
    return said.find((one) => one.at === at && one.name === name && fits(one.detail))?.detail;
  };
  return it.browser.waitFor(look, `figure ${at} to say ${name}`, 60_000);
}

// The theme inside a figure: its page is of this origin, so one may look.
function theme(it, at) {
  return it.browser.run((which) => {
    const frame = document.querySelectorAll("delivery-lab")[which].shadowRoot.querySelector("iframe");
    return frame.contentDocument.documentElement.dataset.theme;
  }, at);
}

async function press(it, clicks) {
  for (const css of clicks) await it.browser.click(css);
}

// A page that needs another way to the Lab.
async function another(it, page) {
  assert.deepEqual(await it.browser.consoleErrors(), []);
  await open(it, page);
  await posters(it, 1);
  await start(it, 0);
  await heard(it, 0, "ready");
}

// The frame without any script of ours on its page.
async function plainFrame(it) {
  await it.browser.run(() => document.querySelector("body > iframe").scrollIntoView());
  const runs = () => it.browser.run(() => !!document.querySelector("body > iframe").contentDocument.querySelector("svg.stage"));
  await it.browser.waitFor(runs, "the plain frame to show a stage", 30_000);
}

// Another page and back without a load: React makes the elements anew.
async function comeBack(it) {
  await it.browser.click('article a[href$="/next"]');
  await it.browser.waitFor(async () => (await it.browser.count("delivery-lab")) === 0, "the next page");
  await it.browser.click("article p a");
  await posters(it, 3);
  await listen(it);
  await start(it, 2);
  await heard(it, 2, "ready");
}
