// What a browser says about the built page: how soon it can be used, how fast the engine is as wasm, and how long a frame
// takes with 200 messages in flight. NATIVE_EVENTS_PER_SECOND, if set, is what wasm is compared with.
import { readFileSync } from "node:fs";
import { openBrowser, serve } from "./harness.mjs";

const loads = 5;
const runs = 5;
const ms = (time) => `${time.toFixed(1)} ms`;
const say = (what, value) => console.log(`${what.padEnd(26)}${value}`);

// From the address to the first click that does something: Play turns into Pause.
async function firstInteraction(url) {
  const times = [];
  for (let load = 0; load < loads; load += 1) {
    const browser = await openBrowser();
    try {
      await browser.open("about:blank");
      await browser.open(url);
      times.push(await browser.waitFor(() => browser.run(() => {
        const play = document.querySelector("#play");
        return play ? performance.now() : null;
      }), "the Play button"));
    } finally {
      await browser.close();
    }
  }
  times.sort((a, b) => a - b);
  say("first interaction", `median ${ms(times[Math.floor(loads / 2)])}, worst ${ms(times.at(-1))} of ${loads} cold loads`);
}

// The engine as wasm: the best of some runs, because the first ones are still being compiled.
async function engine(url) {
  const browser = await openBrowser();
  try {
    await browser.driver.manage().setTimeouts({ script: 300_000 });
    await browser.open(url);
    await browser.find("#play");
    let [best, seek, bytes] = [0, Infinity, 0];
    for (let run = 0; run < runs; run += 1) {
      const [events, seekUs, historyBytes] = await browser.run(() => Array.from(window.wasmBindings.bench()));
      best = Math.max(best, events);
      seek = Math.min(seek, seekUs);
      bytes = Math.max(bytes, historyBytes);
    }
    say("events per second", `${Math.round(best)} (best of ${runs})`);
    const native = Number(process.env.NATIVE_EVENTS_PER_SECOND);
    if (native > 0) say("of native", (best / native).toFixed(2));
    say("slowest of 100 seeks", ms(seek / 1000));
    say("history of 1000000 events", `${Math.round(bytes / 2 ** 20)} MiB`);
  } finally {
    await browser.close();
  }
}

// Frames while 200 messages fly: from the frame's beginning until style, layout and paint are done.
async function frames(url) {
  const browser = await openBrowser();
  try {
    await browser.open(url);
    await browser.find("#play");
    const text = readFileSync(new URL("./crowd.json", import.meta.url), "utf8");
    await browser.run((json) => {
      const data = new DataTransfer();
      data.setData("text", json);
      document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
    }, text);
    await browser.waitForText("#picker", "A crowd");
    await browser.click('#speed option[value="1/20"]');
    await browser.run(() => {
      window.taken = [];
      const ask = window.requestAnimationFrame.bind(window);
      window.requestAnimationFrame = (call) => ask((time) => {
        const start = performance.now();
        call(time);
        const flying = document.querySelectorAll(".msg").length;
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.taken.push([performance.now() - start, flying]);
        channel.port2.postMessage(0);
      });
    });
    await browser.click("#play");
    await browser.waitFor(() => browser.run(() => window.taken.filter(([, flying]) => flying >= 200).length >= 200), "200 frames with 200 messages", 120_000);
    const taken = await browser.run(() => window.taken.filter(([, flying]) => flying >= 200).map(([time]) => time));
    taken.sort((a, b) => a - b);
    const at = (share) => ms(taken[Math.min(taken.length - 1, Math.floor(taken.length * share))]);
    say("frame with 200 messages", `median ${at(0.5)}, p99 ${at(0.99)}, worst ${at(1)} of ${taken.length}`);
  } finally {
    await browser.close();
  }
}

const server = await serve();
try {
  await firstInteraction(server.url);
  await engine(server.url);
  await frames(server.url);
} finally {
  await server.close();
}
