// Starts the page. Trunk writes into this script's tag which files the program is in (Trunk.toml), and a release, where
// the worker for the time without a network is. A file of its own: a Content-Security-Policy needs no inline script.
const { js, wasm: program, offline } = document.querySelector("script[data-js]").dataset;
const here = (file) => new URL(file, document.baseURI).href;

const bindings = await import(here(js));
const wasm = await bindings.default({ module_or_path: here(program) });
window.wasmBindings = bindings;
dispatchEvent(new CustomEvent("TrunkApplicationStarted", { detail: { wasm } }));

// Where there is none, or the browser or the host does not allow it, the page does without; and in a figure of another page,
// whose readers did not ask for all of it.
if (offline && parent === self && location.protocol.startsWith("http")) {
  try {
    await navigator.serviceWorker.register(here(offline));
  } catch {}
}
