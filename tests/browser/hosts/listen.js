// Keeps what figures say. Events do not bubble: they are caught on their way down.
globalThis.heard = [];
for (const name of ["ready", "resize", "verdict", "error"]) {
  document.addEventListener(name, (event) => event.detail?.type && heard.push({ from: event.target.id, name, ...event.detail }), true);
}
