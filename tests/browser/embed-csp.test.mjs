// A host with a strict Content-Security-Policy: nothing but the Lab's script, posters and frame is allowed there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { embed } from "./hosts.mjs";

const policy = (lab) => `default-src 'none'; script-src ${lab}; img-src ${lab}; frame-src ${lab}`;
const page = embed({ headers: (lab) => ({ "content-security-policy": policy(lab) }) });

test("poster, frame and styles work under it", async () => {
  await page.open("strict.html");
  await page.browser.waitFor(() => page.inside((root) => root.querySelector("img").naturalWidth > 0), "the poster");
  assert.equal(await page.browser.run(() => document.querySelector("#figure").offsetHeight), 480);
  assert.equal(await page.inside((root) => getComputedStyle(root.querySelector("div")).display), "flex");
  await page.start();
  await page.within(() => page.browser.find(".ledger"));
});
