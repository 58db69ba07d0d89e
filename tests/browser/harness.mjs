// What the browser tests stand on: a file server for the built page, and a headless Chromium driven through chromedriver.
//
// Invariants: nothing here sleeps for a fixed time (waitFor polls and gives up with a reason), every server and browser
// has its own free port, and a test that fails says what the page said on its console.
//
// CHROMEDRIVER names another chromedriver, CHROME another browser, DIST another built page.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { Builder, By, Key, logging } from "selenium-webdriver";
import { Options, ServiceBuilder } from "selenium-webdriver/chrome.js";

export { By, Key };

const project = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
export const dist = process.env.DIST || join(project, "dist");
const pictures = join(project, "target", "browser");

const mimeTypes = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

// Serves the files of `root` under `base` on a free loopback port. `headers` are added to every answer (a CSP, say).
// `files` stand beside them (or before them), by their paths under `base`; they may be changed. `asked` lists the paths that
// were asked for, `misses` those of them that are not there.
export async function serve({ root = dist, base = "/", headers = {}, files = {} } = {}) {
  const [asked, misses] = [[], []];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const inside = path.startsWith(base) ? normalize(join(root, path.slice(base.length))) : "";
    if (path !== "/favicon.ico") asked.push(path);
    try {
      const own = files[path.slice(base.length)];
      if (own !== undefined) {
        const type = mimeTypes[extname(path)] ?? "text/html; charset=utf-8";
        return response.writeHead(200, { "content-type": type, "cache-control": "no-store", ...headers }).end(own);
      }
      if (inside !== normalize(root) && !inside.startsWith(normalize(root) + sep)) throw new Error("outside");
      const file = (await stat(inside)).isDirectory() ? join(inside, "index.html") : inside;
      const type = mimeTypes[extname(file)] ?? "application/octet-stream";
      const body = await readFile(file);
      response.writeHead(200, { "content-type": type, "cache-control": "no-store", ...headers }).end(body);
    } catch {
      // Browsers ask for this one by themselves.
      if (path === "/favicon.ico") return response.writeHead(204).end();
      misses.push(path);
      response.writeHead(404, { "content-type": "text/plain" }).end(`not here: ${path}\n`);
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}${base}`,
    asked,
    misses,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function find(name) {
  const found = spawnSync("sh", ["-c", `command -v "${name}"`], { encoding: "utf8" });
  if (found.status !== 0) throw new Error(`${name} is missing: run .ci/setup.sh test, or name it in CHROMEDRIVER`);
  return found.stdout.trim();
}

// A headless browser of its own. `media` emulates media features: `{ "prefers-color-scheme": "dark" }`.
export async function openBrowser({ size = [1440, 900], language = "en", media = {}, args = [] } = {}) {
  // Selenium's own download manager must stay out of it.
  process.env.SE_OFFLINE ??= "true";
  process.env.SE_AVOID_STATS ??= "true";
  const options = new Options().addArguments(
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    `--lang=${language}`,
    `--accept-lang=${language}`,
    `--window-size=${size.join(",")}`,
    ...args,
  );
  if (process.env.CHROME) options.setChromeBinaryPath(process.env.CHROME);
  const preferences = new logging.Preferences();
  preferences.setLevel(logging.Type.BROWSER, logging.Level.ALL);
  options.setLoggingPrefs(preferences);
  const driver = await new Builder()
    .forBrowser("chrome")
    .setChromeOptions(options)
    .setChromeService(new ServiceBuilder(find(process.env.CHROMEDRIVER || "chromedriver")))
    .build();
  const browser = new Browser(driver);
  try {
    await browser.resize(...size);
    await browser.media(media);
  } catch (error) {
    await driver.quit();
    throw error;
  }
  return browser;
}

class Browser {
  #console = [];

  constructor(driver) {
    this.driver = driver;
  }

  // A new page starts with an empty console.
  async open(url) {
    await this.console();
    this.#console = [];
    await this.driver.get(url);
  }

  close() {
    return this.driver.quit();
  }

  // The size of the page itself, in CSS pixels: a real window cannot be as narrow as a phone.
  resize(width, height) {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    return this.driver.sendDevToolsCommand("Emulation.setDeviceMetricsOverride", metrics);
  }

  media(features) {
    const list = Object.entries(features).map(([name, value]) => ({ name, value }));
    return this.driver.sendDevToolsCommand("Emulation.setEmulatedMedia", { features: list });
  }

  // Runs a function in the page, with plain arguments, and gives back what it (or its promise) returns.
  async run(script, ...args) {
    const call = `const done = arguments[arguments.length - 1]; const args = [...arguments].slice(0, -1);
      Promise.resolve().then(() => (${script})(...args)).then((value) => done({ value }), (error) => done({ error: String(error) }));`;
    const { value, error } = await this.driver.executeAsyncScript(call, ...args);
    if (error !== undefined) throw new Error(`in the page: ${error}`);
    return value;
  }

  // Polls until `condition` gives something true, and gives that back. What it throws counts as "not yet".
  async waitFor(condition, what = "the condition", timeout = 15_000) {
    const deadline = Date.now() + timeout;
    let last;
    for (;;) {
      try {
        last = await condition();
        if (last) return last;
      } catch (error) {
        last = error.message;
      }
      if (Date.now() > deadline) {
        const said = (await this.console()).map((line) => `\n  ${line.level}: ${line.message}`).join("");
        throw new Error(`waited ${timeout} ms for ${what}; last: ${JSON.stringify(last)}; console:${said || " silent"}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  // The first element that matches and is shown.
  find(css) {
    return this.waitFor(async () => {
      for (const element of await this.driver.findElements(By.css(css))) if (await element.isDisplayed()) return element;
      return null;
    }, `a visible ${css}`);
  }

  async count(css) {
    return (await this.driver.findElements(By.css(css))).length;
  }

  async click(css) {
    await this.waitFor(async () => {
      const element = await this.find(css);
      // Away from what sticks to the window's edges, as a person would scroll.
      await this.driver.executeScript("arguments[0].scrollIntoView({ block: 'center', inline: 'nearest' })", element);
      await element.click();
      return true;
    }, `a click on ${css}`);
  }

  async text(css) {
    return this.waitFor(async () => ({ text: await (await this.find(css)).getText() }), `the text of ${css}`).then((it) => it.text);
  }

  waitForText(css, expected) {
    const fits = (text) => (expected instanceof RegExp ? expected.test(text) : text.includes(expected));
    return this.waitFor(async () => fits(await this.text(css)), `${css} to say ${expected}`);
  }

  // Replaces what stands in a field.
  async type(css, text) {
    const field = await this.find(css);
    await field.clear();
    await field.sendKeys(text);
  }

  // Keys to whatever has the focus.
  keys(...keys) {
    return this.driver.actions().sendKeys(...keys).perform();
  }

  // Everything the console said since the page was opened, oldest first.
  async console() {
    for (const entry of await this.driver.manage().logs().get(logging.Type.BROWSER)) {
      this.#console.push({ level: entry.level.name, message: entry.message });
    }
    return this.#console;
  }

  async consoleErrors() {
    return (await this.console()).filter((line) => line.level === "SEVERE").map((line) => line.message);
  }

  // What axe-core finds wrong with the page: one line each, empty when all is well.
  async axe(options = { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }, context = null) {
    if (!(await this.run(() => typeof globalThis.axe === "object"))) await this.driver.executeScript(axeSource);
    const found = await this.run((given, where) => globalThis.axe.run(where ?? document, given).then((it) => it.violations), options, context);
    return found.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${rule.help}: ${node.target.join(" ")}: ${node.failureSummary}`));
  }

  // A picture of the page in target/browser/NAME.png; gives back where it is.
  async screenshot(name) {
    await mkdir(pictures, { recursive: true });
    const file = join(pictures, `${name}.png`);
    await writeFile(file, await this.driver.takeScreenshot(), "base64");
    return file;
  }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
