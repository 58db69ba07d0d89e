// The page as a visitor meets it: one browser and one server for a test file, and words for what is on the page.
//
// Invariant: every test of a file that calls `visit` ends with a console without errors, unless that is what it is about.
import assert from "node:assert/strict";
import { after, afterEach, before } from "node:test";
import { Key, openBrowser, serve } from "./harness.mjs";

// Call it once at the top of a test file. `options` go to the browser.
export function visit(options, { silent = true } = {}) {
  const page = new Page();
  before(async () => {
    page.server = await serve();
    page.browser = await openBrowser(options);
  });
  if (silent) afterEach(async () => assert.deepEqual(await page.browser.consoleErrors(), [], "errors on the console"));
  after(async () => {
    await page.browser?.close();
    await page.server?.close();
  });
  return page;
}

class Page {
  Key = Key;

  // Opens the page afresh: nothing is remembered from the test before.
  async open(query = "") {
    await this.browser.open(this.server.url + query);
    if (await this.browser.run(() => { const had = localStorage.length > 0; localStorage.clear(); return had; })) {
      await this.browser.open(this.server.url + query);
    }
    await this.browser.find("#clock");
  }

  // ---- What it says ----

  async clock() {
    return Number(await this.browser.text("#clock"));
  }

  // Waits until the clock has gone beyond a moment, and gives back where it is.
  clockAfter(seconds) {
    return this.browser.waitFor(async () => {
      const now = await this.clock();
      return now > seconds && now;
    }, `the clock to pass ${seconds} s`);
  }

  // How many records a count of the verdict names: "lost", "duplicated", "reordered".
  async count(name) {
    return Number(await this.browser.text(`${this.counter(name)} b`));
  }

  // The button of that count, in any language.
  counter(name) {
    return `.counts button:nth-child(${["lost", "duplicated", "reordered"].indexOf(name) + 1})`;
  }

  // What the ledger calls a record: "once", "twice", "lost", "refused", "now", "wait".
  status(record) {
    return this.browser.run((id) => document.querySelector(`.ledger tr[data-r="${id}"]`)?.dataset.status ?? null, record);
  }

  // The records that the ledger shows.
  rows() {
    return this.browser.run(() => [...document.querySelectorAll(".ledger tbody tr[data-r]")].map((row) => Number(row.dataset.r)));
  }

  attribute(css, name) {
    return this.browser.run((where, what) => document.querySelector(where)?.getAttribute(what) ?? null, css, name);
  }

  // Whether an element is wholly inside the window, without scrolling.
  inSight(css) {
    return this.browser.run((where) => {
      const box = document.querySelector(where).getBoundingClientRect();
      return box.width > 0 && box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
    }, css);
  }

  // The id (or else the class) of what has the focus.
  focused() {
    return this.browser.run(() => document.activeElement.id || document.activeElement.getAttribute("class"));
  }

  // All that is drawn for the present moment, without what the moment does not decide (focus, what is open).
  picture() {
    return this.browser.run(() => ({
      clock: document.querySelector("#clock").textContent,
      stage: document.querySelector("svg.stage").outerHTML,
      verdict: document.querySelector("aside.verdict").outerHTML,
    }));
  }

  // The hash of the engine's whole state, as the inspector shows it.
  async stateHash() {
    await this.browser.click("#tab-inspector");
    return this.browser.text(".inspector .mono");
  }

  // ---- What a visitor does ----

  // To the end of the run; where the machine is slow, one click may not reach it.
  async toEnd() {
    await this.browser.waitFor(async () => {
      await this.browser.click("#to-end");
      return this.finished();
    }, "the run to be finished");
  }

  finished() {
    return this.browser.run(() => document.querySelector(".clock em") !== null);
  }

  // Steps, event by event, until a message that matches is on the stage; gives back its number.
  async stepTo(css, most = 600) {
    for (let step = 0; step < most; step += 1) {
      const id = await this.browser.run((where) => document.querySelector(where)?.dataset.message ?? null, css);
      if (id) return id;
      await this.browser.run(() => document.querySelector("#step").click());
    }
    throw new Error(`no ${css} within ${most} events`);
  }

  // Moves the cursor with the scrubber, as a drag of its handle would.
  scrub(seconds) {
    return this.browser.run((us) => {
      const scrubber = document.querySelector("#scrubber");
      scrubber.value = String(us);
      scrubber.dispatchEvent(new Event("input", { bubbles: true }));
    }, Math.round(seconds * 1e6));
  }

  // Goes to a moment, also one that has not been yet: a click into the lanes, about there.
  async seek(seconds) {
    const [x, y] = await this.browser.run((at) => {
      const ticks = [...document.querySelectorAll(".tick")].map((tick) => [Number(tick.textContent), tick.getBoundingClientRect()]);
      const [[t1, a], [t2, b]] = [ticks[0], ticks.at(-1)];
      const middle = (box) => box.left + box.width / 2;
      const lanes = document.querySelector(".lanes");
      lanes.scrollIntoView({ block: "center" });
      const moved = lanes.querySelector(".tick").getBoundingClientRect();
      return [middle(moved) + ((middle(b) - middle(a)) * (at - t1)) / (t2 - t1), moved.top + 20];
    }, seconds);
    await this.pointer(x, y).click().perform();
    return this.clockAfter(0);
  }

  // The pointer over a point of the window.
  pointer(x, y) {
    return this.browser.driver.actions().move({ origin: "viewport", x: Math.round(x), y: Math.round(y), duration: 0 });
  }

  // The pointer over the first point of an element that nothing covers: the middle of a thin curve is beside it.
  async over(css) {
    return this.pointer(...(await this.browser.waitFor(() => this.browser.run(uncovered, css), `a free point of ${css}`)));
  }

  async hover(css) {
    await (await this.over(css)).perform();
  }

  async clickOn(css) {
    await (await this.over(css)).click().perform();
  }

  // Opens the popover of something on the stage and chooses what is to happen to it.
  async strike(css, verb) {
    await this.clickOn(css);
    await this.browser.click(`.popover [data-verb="${verb}"]`);
  }

  // Chooses in a <select>.
  choose(css, value) {
    return this.browser.click(`${css} option[value="${value}"]`);
  }

  // Chooses a scenario from the menu.
  async chooseScenario(id) {
    await this.browser.click("#picker");
    await this.browser.click(`#scenarios [data-id="${id}"]`);
  }

  // Pastes a text onto the page, or drops it as a file.
  paste(text) {
    return this.browser.run((it) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text", it);
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, text);
  }

  drop(text, name = "scenario.json") {
    return this.browser.run((it, as) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([it], as, { type: "application/json" }));
      document.querySelector("main").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }, text, name);
  }
}

// In the page: a point of an element that a pointer can reach.
function uncovered(css) {
  const element = document.querySelector(css);
  if (!element) return null;
  element.scrollIntoView({ block: "center", inline: "nearest" });
  const points = [];
  const path = element.querySelector("path.hit");
  if (path) {
    const matrix = path.getScreenCTM();
    const length = path.getTotalLength();
    for (let share = 0.05; share < 1; share += 0.05) {
      const at = path.getPointAtLength(length * share).matrixTransform(matrix);
      points.push([at.x, at.y]);
    }
  } else {
    const box = element.getBoundingClientRect();
    for (const y of [0.5, 0.25, 0.75]) for (const x of [0.5, 0.2, 0.8, 0.1, 0.9]) points.push([box.left + box.width * x, box.top + box.height * y]);
  }
  const found = points.find(([x, y]) => element.contains(document.elementFromPoint(x, y)));
  return found ?? null;
}
