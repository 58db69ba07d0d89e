// Languages, themes, sizes, motion, embedding.
import assert from "node:assert/strict";
import { test } from "node:test";
import { visit } from "./page.mjs";

const page = visit();
const dark = async () => {
  const [r, g, b] = (await page.browser.run(() => getComputedStyle(document.body).backgroundColor)).match(/\d+/g).map(Number);
  return (r + g + b) / 3 < 128;
};

test("the browser's language is spoken, and one click speaks the other, all over the page", async () => {
  await page.open();
  assert.equal(await page.attribute("html", "lang"), "en");
  await page.browser.click("#lang");
  await page.browser.waitForText("#play", "재생");
  assert.equal(await page.attribute("html", "lang"), "ko");
  await page.browser.waitForText(".lede", "브로커는 레코드 3을 저장했지만");
  // Kafka's own words stay as they are; nothing else of English is left.
  const english = await page.browser.run(() => document.body.innerText.match(/\b(Play|Settings|Verdict|Events|Ledger|Faults|Producer|Consumer|leader|follower|holds|lost)\b/g));
  assert.equal(english, null);
  await page.browser.click("#lang");
  await page.browser.waitForText("#play", "Play");
});

test("the language is kept for the next visit, and a link decides over it", async () => {
  await page.open();
  await page.browser.click("#lang");
  await page.browser.waitForText("#play", "재생");
  await page.browser.open(page.server.url);
  await page.browser.waitForText("#play", "재생");
  await page.browser.open(`${page.server.url}?lang=en`);
  await page.browser.waitForText("#play", "Play");
});

test("in Korean the duplicate is told as well", async () => {
  await page.open("?lang=ko");
  await page.browser.click("#to-end");
  await page.browser.waitForText("#banner", /레코드 3/);
  await page.browser.waitForText(".banner .reason", /오프셋|offset/);
  await page.browser.click(".banner .link");
  assert.match(await page.browser.text(".story ol"), /[가-힣]/);
});

for (const [theme, system, expected] of [["light", "dark", false], ["dark", "light", true], ["auto", "dark", true], ["auto", "light", false]]) {
  test(`theme=${theme} on a ${system} system is ${expected ? "dark" : "light"}`, async () => {
    await page.browser.media({ "prefers-color-scheme": system });
    await page.open(`?theme=${theme}`);
    await page.browser.waitFor(async () => (await page.attribute("html", "data-theme")) === theme, theme);
    assert.equal(await dark(), expected);
    await page.browser.media({});
  });
}

test("the theme button goes round, and says where it is", async () => {
  await page.open("?theme=auto");
  for (const [word, name] of [["light", "Theme: light"], ["dark", "Theme: dark"], ["auto", "Theme: as the system"]]) {
    await page.browser.click("#theme");
    await page.browser.waitFor(async () => (await page.attribute("html", "data-theme")) === word, word);
    assert.match(await page.attribute("#theme", "aria-label"), new RegExp(name));
  }
});

test("what the address says stays true when the buttons are used", async () => {
  await page.open("?lang=ko&theme=dark");
  await page.browser.click("#lang");
  await page.browser.click("#theme");
  await page.browser.waitForText("#play", "Play");
  await page.browser.driver.navigate().refresh();
  await page.browser.waitForText("#play", /Play|재생/);
  assert.equal(await page.browser.text("#play"), "Play");
});

test("embedded, there is the stage, the verdict and time, and nothing around them", async () => {
  await page.open("?embed=1");
  for (const css of ["header", ".settings", "[role=tablist]"]) assert.equal(await page.browser.count(css), 0, css);
  for (const css of ["svg.stage", "aside.verdict", "#play", ".lede"]) await page.browser.find(css);
  await page.toEnd();
  assert.equal(await page.count("duplicated"), 1);
});

for (const lang of ["en", "ko"]) {
  for (const width of [360, 768, 1440]) {
    test(`nothing sticks out at ${width} px, ${lang}`, async () => {
      await page.browser.resize(width, 900);
      await page.open(`?lang=${lang}`);
      const over = () => page.browser.run(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok((await over()) <= 0, "at the start");
      await page.browser.click("#to-end");
      await page.browser.waitFor(async () => (await page.count("duplicated")) === 1, "the duplicate");
      await page.browser.click(".banner .link");
      await page.browser.click("#tab-inspector");
      assert.ok((await over()) <= 0, "after the run, with a story and the inspector");
      const cut = await page.browser.run(() => [...document.querySelectorAll("button, summary, h2, .claim, .lede, #banner")].filter((it) => it.scrollWidth > it.clientWidth + 1 && it.clientWidth > 0).map((it) => it.textContent));
      assert.deepEqual(cut, [], "texts wider than their place");
      await page.browser.resize(1440, 900);
    });
  }
}

for (const [width, height] of [[1440, 900], [1280, 720], [768, 1024], [360, 780]]) {
  test(`at ${width}×${height} Play is in sight without scrolling`, async () => {
    await page.browser.resize(width, height);
    await page.open();
    assert.ok(await page.inSight("#play"));
    await page.browser.resize(1440, 900);
  });
}

// Just above the width at which the stage becomes one column, the brokers have the least room.
for (const [width, query] of [[1440, ""], [1180, ""], [1010, ""], [768, ""], [700, "?embed=1"], [360, ""]]) {
  test(`no two texts of a node lie over each other at ${width} px ${query}`, async () => {
    await page.browser.resize(width, 900);
    await page.open(query);
    await page.toEnd();
    const over = await page.browser.run(() => {
      const found = [];
      for (const node of document.querySelectorAll(".node")) {
        const texts = [...node.querySelectorAll("text:not(.num, .off)")].filter((it) => it.textContent.trim() !== "").map((it) => [it.textContent, it.getBoundingClientRect()]);
        texts.forEach(([text, a], at) => texts.slice(at + 1).forEach(([other, b]) => {
          const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          if (across > 2 && down > 5) found.push(`${text} | ${other}`);
        }));
      }
      return found;
    });
    await page.browser.resize(1440, 900);
    assert.deepEqual(over, []);
  });
}

test("no text on the stage is smaller than 10 px, and targets are at least 24 px", async () => {
  await page.open();
  await page.toEnd();
  const small = await page.browser.run(() => [...document.querySelectorAll("svg text, svg tspan")].filter((it) => parseFloat(getComputedStyle(it).fontSize) < 10).map((it) => it.textContent));
  assert.deepEqual(small, []);
  const tiny = await page.browser.run(() => [...document.querySelectorAll("button, select, input, summary")].filter((it) => it.offsetWidth > 0).map((it) => [it.id || it.textContent, it.offsetWidth, it.offsetHeight]).filter(([, w, h]) => w < 24 || h < 24));
  assert.deepEqual(tiny.filter(([, w, h]) => !(w === 16 && h === 16)), [], "a checkbox has its label");
});

test("those who want no motion get steps: the clock stands between them, and still the duplicate comes", async () => {
  await page.browser.media({ "prefers-reduced-motion": "reduce" });
  await page.open();
  assert.equal(await page.browser.run(() => document.getAnimations().length), 0);
  await page.browser.click("#play");
  await page.clockAfter(0);
  // A frame counts at most 50 of the 700 ms between two steps: in 60 frames there are at most five.
  const clocks = await page.browser.run(async () => {
    const seen = new Set();
    for (let frame = 0; frame < 60; frame += 1) {
      seen.add(document.querySelector("#clock").textContent);
      await new Promise(requestAnimationFrame);
    }
    return seen.size;
  });
  assert.ok(clocks >= 2 && clocks <= 6, `${clocks} moments in 60 frames`);
  await page.browser.media({});
});

for (const [lang, width] of [["en", 1440], ["ko", 768], ["en", 768], ["ko", 360]]) {
  test(`the words of a quorum stay on their cards: ${lang}, ${width} px`, async () => {
    await page.browser.resize(width, 900);
    await page.open(`?scenario=controller-failover&lang=${lang}`);
    await page.toEnd();
    const outside = await page.browser.run(() => [...document.querySelectorAll("svg.stage g.controller")].flatMap((card) => {
      const box = card.querySelector("rect.card").getBoundingClientRect();
      return [...card.querySelectorAll("text")].filter((it) => it.getBoundingClientRect().right > box.right).map((it) => it.textContent);
    }));
    await page.browser.resize(1440, 900);
    assert.deepEqual(outside, []);
  });
}
