// Delivery Lab without a network: everything a visitor may need is kept at the first visit. (.ci/publish.sh writes VERSION
// and FILES above this.)
//
// Invariants: who is online never sees an old page. Only files whose names carry a hash of what is in them are taken from
// here first; everything else is asked for, and comes from here only when nobody answers. A version is kept as a whole or
// not at all, and replaces the one before. Other Delivery Labs of the same host are left alone.

const SCOPE = self.registration.scope;
const OURS = `delivery-lab ${SCOPE} `;
const CACHE = OURS + VERSION;
const HASHED = /-[0-9a-f]{12,16}(_bg)?\.\w+$/;

// A file's name here: hosts answer the same to `docs/` and `docs/index.html`, and queries are for the page's own eyes.
function named(address) {
  const url = new URL(address);
  url.search = url.hash = "";
  url.pathname = url.pathname.replace(/\/index\.html$/, "/");
  return url.href;
}

async function keep(cache, file) {
  const name = named(new URL(file, SCOPE));
  // What the browser itself has kept may be older than this worker.
  const answer = await fetch(name, { cache: HASHED.test(name) ? "default" : "no-cache" });
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  // An answer that was led elsewhere is no answer to a visit.
  await cache.put(name, answer.redirected ? new Response(answer.body, { headers: answer.headers }) : answer);
}

self.addEventListener("install", (event) => {
  const install = async () => {
    const cache = await caches.open(CACHE);
    await Promise.all(FILES.map((file) => keep(cache, file)));
    await self.skipWaiting();
  };
  event.waitUntil(install());
});

self.addEventListener("activate", (event) => {
  const activate = async () => {
    const old = (await caches.keys()).filter((key) => key.startsWith(OURS) && key !== CACHE);
    await Promise.all(old.map((key) => caches.delete(key)));
    await self.clients.claim();
  };
  event.waitUntil(activate());
});

const kept = async (request) => (await caches.open(CACHE)).match(named(request.url), { ignoreVary: true });

async function fromHereFirst(request) {
  return (await kept(request)) ?? fetch(request);
}

async function askFirst(request) {
  try {
    const answer = await fetch(request, { cache: "no-cache" });
    // The JavaScript API is not part of a visit: it is kept once it is used.
    if (answer.status === 200 && LATER.includes(named(request.url).slice(SCOPE.length))) {
      const copy = answer.clone();
      await (await caches.open(CACHE)).put(named(request.url), copy);
    }
    return answer;
  } catch (error) {
    const found = await kept(request);
    if (found) return found;
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || !request.url.startsWith(SCOPE) || request.headers.has("range")) return;
  event.respondWith(HASHED.test(new URL(request.url).pathname) ? fromHereFirst(request) : askFirst(request));
});
