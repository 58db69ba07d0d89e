// The built page opens, under any path, and says nothing bad on its console.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser, serve } from "./harness.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

for (const base of ["/", "/docs/delivery-lab/"]) {
  test(`the page opens under ${base}`, async () => {
    const server = await serve({ base });
    try {
      await browser.open(server.url);
      await browser.waitForText("body", /\S/);
      assert.equal(await browser.run(() => document.title), "Delivery Lab");
      assert.deepEqual(server.misses, []);
      assert.deepEqual(await browser.consoleErrors(), []);
    } finally {
      await server.close();
    }
  });
}
