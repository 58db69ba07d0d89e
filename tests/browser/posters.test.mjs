// The posters as a browser draws them, with its own fonts.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { dist } from "./harness.mjs";
import { embed } from "./hosts.mjs";

const page = embed();

test("no text of a poster leaves it, or lies over another", async () => {
  const files = readdirSync(join(dist, "posters"));
  assert.ok(files.length >= 70, `${files.length} posters`);
  // A page of the same origin with nothing on it.
  await page.browser.open(`${page.lab.url}embed.js`);
  const wrong = await page.browser.run(async (names) => {
    const found = [];
    document.body.replaceChildren();
    for (const name of names) {
      const svg = new DOMParser().parseFromString(await (await fetch(`posters/${name}`)).text(), "image/svg+xml").documentElement;
      if (svg.nodeName !== "svg") found.push(`${name}: ${svg.textContent}`);
      document.body.append(svg);
      svg.setAttribute("width", 600);
      const texts = [...svg.querySelectorAll("text")].map((it) => [it.textContent, it.getBBox()]);
      for (const [text, box] of texts) {
        if (box.x < 0 || box.x + box.width > 600 || box.y < 0 || box.y + box.height > 482) found.push(`${name}: ${text} is outside`);
      }
      texts.forEach(([text, a], at) => texts.slice(at + 1).forEach(([other, b]) => {
        const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
        const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
        if (across > 2 && down > 8) found.push(`${name}: ${text} | ${other}`);
      }));
      svg.remove();
    }
    return found;
  }, files);
  assert.deepEqual(wrong, []);
});

test("a poster follows the system's theme, and #light or #dark decides over it", async () => {
  const paper = async (system, fragment) => {
    await page.browser.media({ "prefers-color-scheme": system });
    await page.browser.open(`${page.lab.url}posters/lost-ack.en.svg${fragment}`);
    const [r, g, b] = (await page.browser.run(() => getComputedStyle(document.querySelector(".p")).fill)).match(/\d+/g).map(Number);
    return (r + g + b) / 3 < 128 ? "dark" : "light";
  };
  for (const system of ["light", "dark"]) {
    assert.equal(await paper(system, ""), system);
    assert.equal(await paper(system, "#light"), "light");
    assert.equal(await paper(system, "#dark"), "dark");
  }
  await page.browser.media({});
});
