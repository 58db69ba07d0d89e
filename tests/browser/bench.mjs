// How long the built page takes to start, as wasm in a real browser: the median and the worst of a few cold loads.
import { openBrowser, serve } from "./harness.mjs";

const loads = 7;
const server = await serve();
const starts = [];
try {
  for (let load = 0; load < loads; load += 1) {
    const browser = await openBrowser();
    try {
      await browser.open("about:blank");
      const begun = performance.now();
      await browser.open(server.url);
      await browser.waitForText("body", /\S/);
      starts.push(performance.now() - begun);
    } finally {
      await browser.close();
    }
  }
} finally {
  await server.close();
}
starts.sort((a, b) => a - b);
const ms = (time) => `${time.toFixed(0)} ms`;
console.log(`from address to first text: median ${ms(starts[Math.floor(loads / 2)])}, worst ${ms(starts.at(-1))} of ${loads} cold loads`);
