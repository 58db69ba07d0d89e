// Takes the README's picture, www/screenshot.png: lost-ack at the moment when record 3 stands in the log twice.
import { copyFile } from "node:fs/promises";
import { openBrowser, serve } from "./harness.mjs";

const server = await serve();
const browser = await openBrowser({ media: { "prefers-color-scheme": "light", "prefers-reduced-motion": "no-preference" } });
try {
  await browser.open(`${server.url}?scenario=lost-ack&lang=en&theme=light`);
  await browser.click("#play");
  await browser.waitForText("#banner", /in the log twice/);
  await browser.keys(" ");
  await browser.run(() => { document.activeElement?.blur(); scrollTo(0, 0); });
  await browser.waitFor(() => browser.run(() => scrollY === 0), "the top of the page");
  await copyFile(await browser.screenshot("readme"), new URL("../../www/screenshot.png", import.meta.url));
  console.log("picture: www/screenshot.png");
} finally {
  await browser.close();
  await server.close();
}
