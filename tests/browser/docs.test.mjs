// The documentation as it is published: under a path, with the Content-Security-Policy that its reference page names.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { dist, openBrowser, serve } from "./harness.mjs";

const pages = ["index", "at-most-once", "at-least-once", "exactly-once", "reference"];
const policy = /^(?:<pre.*><code>)?Content-Security-Policy: ([^<\n]+)/m.exec(readFileSync(join(dist, "docs", "en", "reference.html"), "utf8"))[1];
let site, browser;

before(async () => {
  site = await serve({ base: "/some/where/", headers: { "content-security-policy": policy } });
  browser = await openBrowser({ media: { "prefers-color-scheme": "light" } });
});
after(async () => {
  await browser?.close();
  await site?.close();
});

async function open(page) {
  await browser.open(`${site.url}docs/${page}`);
}

// Every figure draws its poster (they come when they are near the window).
async function posters() {
  const count = await browser.count("delivery-lab");
  for (let at = 0; at < count; at++) {
    await browser.run((which) => document.querySelectorAll("delivery-lab")[which].scrollIntoView({ block: "center" }), at);
    const drawn = () => browser.run((which) => document.querySelectorAll("delivery-lab")[which].shadowRoot.querySelector("img").naturalWidth > 0, at);
    await browser.waitFor(drawn, `the poster of figure ${at}`);
  }
  return count;
}

for (const [lang, theme, width] of [["en", "dark", 360], ["ko", "light", 1440]]) {
  test(`every page in ${lang}, ${theme}, ${width} px: posters, axe, nothing wider than the window`, async (t) => {
    await browser.resize(width, 900);
    await open("index.html");
    await browser.run((word) => localStorage.setItem("delivery-lab.theme", word), theme);
    for (const page of pages) {
      await t.test(page, async () => {
        await open(`${lang}/${page}.html`);
        assert.equal(await browser.run(() => document.documentElement.dataset.theme), theme);
        const figures = await posters();
        assert.ok(figures >= (/once/.test(page) ? 6 : 1), `${figures} figures`);
        assert.ok(await browser.run(() => document.documentElement.scrollWidth <= innerWidth), "the page scrolls sideways");
        assert.deepEqual(await browser.axe(), []);
        assert.deepEqual(await browser.consoleErrors(), []);
      });
    }
  });
}

test("a figure runs, tells its verdict, and follows the page's theme while it does", async () => {
  await browser.resize(1440, 900);
  await open("en/at-least-once.html");
  await browser.run(() => localStorage.removeItem("delivery-lab.theme"));
  await open("en/at-least-once.html");
  await browser.run(() => {
    window.heard = [];
    for (const figure of document.querySelectorAll("delivery-lab")) {
      figure.addEventListener("verdict", ({ detail }) => window.heard.push({ state: figure.getAttribute("state"), ...detail }));
    }
  });
  // Figure 7: commit after, with a unique key.
  const figure = "delivery-lab[state*='unique-key']";
  const button = await browser.driver.executeScript("const it = document.querySelector(arguments[0]).shadowRoot.querySelector('button'); it.scrollIntoView({ block: 'center' }); return it", figure);
  await button.click();
  const theme = () => browser.run((css) => document.querySelector(css).shadowRoot.querySelector("iframe").contentDocument.documentElement.dataset.theme, figure);
  await browser.waitFor(async () => (await theme()) === "light", "a light figure");
  const names = [];
  for (const expected of ["light", "dark", null]) {
    await browser.click("#theme");
    names.push(await browser.text("#theme"));
    assert.equal(await browser.run(() => document.documentElement.dataset.theme), expected);
    await browser.waitFor(async () => (await theme()) === (expected ?? "light"), `a figure that is ${expected ?? "light, as the system"}`);
  }
  assert.deepEqual(names, ["◐ Theme: light", "◐ Theme: dark", "◐ Theme: system"]);
  await browser.run((css) => document.querySelector(css).seek(60_000_000), figure);
  const end = await browser.waitFor(() => browser.run(() => window.heard.find((it) => it.finished)), "the verdict at the end", 60_000);
  assert.equal(end.claimed, "at-least-once");
  assert.equal(end.observed, "exactly-once");
  assert.deepEqual(await browser.consoleErrors(), []);
});

test("the reference's example of the JavaScript API does what its comment says", async () => {
  await open("en/reference.html");
  const sample = await browser.run(() => [...document.querySelectorAll("pre")].map((it) => it.textContent).find((it) => it.includes("new Lab")));
  const [, said] = /\/\/ (.*)$/m.exec(sample);
  const body = sample
    .replace(/^import init, \{ Lab \} from ".\/lab\/(.*)";$/m, 'const { default: init, Lab } = await import("../../$1");')
    .replace(/console\.log\((.*)\);.*$/m, "return [$1];");
  const [observed, duplicated] = await browser.run(`async () => { ${body} }`);
  assert.equal(`${observed} ${JSON.stringify(duplicated)}`, said);
});

test("the languages lead to each other, and nothing was missing anywhere", async () => {
  await open("index.html");
  await browser.click('a[hreflang="ko"]');
  await browser.click('nav a[href="exactly-once.html"]');
  await browser.click('a[hreflang="en"]');
  await browser.waitFor(async () => (await browser.driver.getCurrentUrl()).endsWith("/docs/en/exactly-once.html"), "the English page");
  assert.deepEqual(site.misses, []);
});
