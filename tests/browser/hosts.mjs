// Pages that embed the Lab, served from another origin than the Lab's, and a driver for the figures on them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join } from "node:path";
import { after, afterEach, before } from "node:test";
import { fileURLToPath } from "node:url";
import { openBrowser, serve } from "./harness.mjs";

const folder = join(dirname(fileURLToPath(import.meta.url)), "hosts");
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };

// Serves hosts/*: `{{lab}}` becomes the Lab's address, `{{host}}` its own, `{{word}}` that word of the query. `headers(lab)` are added.
export async function serveHosts(lab, { name = "localhost", headers = () => ({}) } = {}) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://host");
    try {
      const text = await readFile(join(folder, url.pathname.slice(1)), "utf8");
      const words = { lab, host: address(), ...Object.fromEntries(url.searchParams) };
      const body = text.replace(/\{\{(\w+)\}\}/g, (_, word) => words[word] ?? "");
      response.writeHead(200, { "content-type": types[extname(url.pathname)], "cache-control": "no-store", ...headers(lab) }).end(body);
    } catch {
      response.writeHead(url.pathname === "/favicon.ico" ? 204 : 404).end();
    }
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, name, resolve));
  const address = () => `http://${name}:${server.address().port}/`;
  return { url: address(), close: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) };
}

// Call it once at the top of a test file: a Lab that may be cached, a host for it, a browser.
export function embed({ silent = true, headers } = {}) {
  const it = new Hosted();
  before(async () => {
    // A module from another origin is only taken where that allows it.
    it.lab = await serve({ headers: { "cache-control": "max-age=600", "access-control-allow-origin": "*" } });
    it.host = await serveHosts(it.lab.url, { headers });
    it.stranger = await serveHosts(it.lab.url, { name: "127.0.0.1" });
    it.browser = await openBrowser();
  });
  if (silent) afterEach(async () => assert.deepEqual(await it.browser.consoleErrors(), [], "errors on the console"));
  after(async () => {
    await it.browser?.close();
    await it.host?.close();
    await it.stranger?.close();
    await it.lab?.close();
  });
  return it;
}

class Hosted {
  async open(page) {
    await this.browser.driver.switchTo().defaultContent();
    await this.browser.open(this.host.url + page);
    await this.browser.waitFor(() => this.browser.run(() => !!customElements.get("delivery-lab")), "the element to be defined");
  }

  // Something inside a figure.
  inside(script, at = 0, ...args) {
    return this.browser.run(`(at, ...args) => (${script})(document.querySelectorAll("delivery-lab")[at].shadowRoot, ...args)`, at, ...args);
  }

  note(at = 0) {
    return this.inside((root) => root.querySelector("[role=status]").textContent, at);
  }

  // Clicks the button of a figure.
  async start(at = 0) {
    const button = await this.browser.driver.executeScript("const it = document.querySelectorAll('delivery-lab')[arguments[0]].shadowRoot.querySelector('button'); it.scrollIntoView({ block: 'center' }); return it", at);
    await button.click();
  }

  // Does something in the frame of a figure, and comes back.
  async within(what, at = 0) {
    const { driver } = this.browser;
    const frame = await this.browser.waitFor(() => driver.executeScript("return document.querySelectorAll('delivery-lab')[arguments[0]].shadowRoot.querySelector('iframe')", at), "a frame");
    await driver.switchTo().frame(frame);
    try {
      return await what();
    } finally {
      await driver.switchTo().defaultContent();
    }
  }

  // What figures said, of one kind.
  heard(name) {
    return this.browser.run((kind) => heard.filter((it) => it.name === kind), name);
  }

  waitToHear(name, fits = () => true) {
    return this.browser.waitFor(async () => (await this.heard(name)).find(fits), `a figure to say ${name}`, 30_000);
  }
}
