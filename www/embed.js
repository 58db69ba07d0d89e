// <delivery-lab scenario="lost-ack">: a poster, and the Lab in a frame once somebody runs it. README, "Embedding".
//
// No dependency, and less than 5 kB as published: without comments, and without spaces beside punctuation (so no string here
// may mean one, and `a + +b` is not written). It works as a module and as a classic script, before and after the elements,
// and once however often it is loaded.
(() => {
  const NAME = "delivery-lab";
  if (customElements.get(NAME)) return;
  // A module is no currentScript, but its stack names it.
  const own = document.currentScript?.src || /[a-z]+:\/\/[^\s()]*?embed\.js/.exec(Error().stack)?.[0];
  const base = new URL(".", own || document.baseURI);
  const texts = {
    en: ["Run it", "Full playground", "No such poster", "No answer yet"],
    ko: ["실행해 보기", "전체 페이지", "포스터 없음", "아직 응답 없음"],
  };
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme:dark)");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`:host{display:block}:host([hidden]){display:none}
div,p{display:flex}
div{flex-direction:column;border-radius:10px;overflow:hidden;outline:1px solid #8886;outline-offset:-1px;background:light-dark(#fbfaf7,#0f141d);color:CanvasText;font:14px system-ui}
img,iframe{flex:1;min-height:0;width:100%;border:0;object-fit:contain}
p{margin:0 12px;gap:12px;align-items:center;min-height:44px}
i{flex:1}
a{color:inherit}
button{font:inherit;padding:7px 14px;border:0;border-radius:7px;background:#006ba8;color:#fff}`);
  const live = new Set();
  // Texts, a number, what is off where nothing is said, and what is on.
  const fields = "scenario state seed theme view height autoplay controls".split(" ");

  // What is behind an element.
  const figure = (el) => {
    let frame, ready, timer, near, lang, theme, asked, queue = [];
    const shadow = el.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheet];
    shadow.innerHTML = "<div><img loading=lazy><p><button></button><i role=status></i><a target=_blank>";
    const [box, img, , go, note, open] = shadow.querySelectorAll("*");
    const say = (text) => (note.textContent = text);
    const tall = (height) => {
      asked = height;
      box.style.height = Math.min(2000, Math.max(160, +el.getAttribute("height") || asked)) + "px";
    };

    // The page's address, with what is asked for beside the scenario. A state may be a hash or a whole link.
    const url = (more) => {
      const { scenario, state, seed } = el, at = state.search(/[?#]/);
      const it = new URL(at < 0 ? "#" + state : state.slice(at), base);
      const words = { scenario, seed, lang, theme, ...more };
      for (const name in words) if (words[name]) it.searchParams.set(name, words[name]);
      return it;
    };

    // Shows what the attributes say. A poster tells of the scenario as it is in the library, and of nothing else.
    const paint = () => {
      lang = /^ko/.test(el.closest("[lang]")?.lang || navigator.language) ? "ko" : "en";
      // Docusaurus says its theme in data-theme, mdBook in a class.
      const said = [el.theme, root.dataset.theme, root.className].join(" ").match(/(^|\s)(light|rust|dark|coal|navy|ayu)(\s|$)/);
      theme = (said ? /l.g|ru/.test(said[2]) : !system.matches) ? "light" : "dark";
      box.style.colorScheme = theme;
      tall(asked);
      img.alt = "Delivery Lab – " + el.scenario;
      img.src = new URL(`posters/${el.state || el.seed ? "any" : el.scenario}.${lang}.svg#${theme}`, base);
      [go.textContent, open.textContent] = texts[lang];
      open.href = url();
      if (ready) ask("set-theme", { theme }), ask("set-lang", { lang });
    };

    // The frame in place of the poster, and back.
    const run = (autoplay) => {
      if (frame) return;
      frame = document.createElement("iframe");
      frame.title = img.alt;
      frame.src = url({ embed: 1, view: el.view || "stage", controls: +el.controls + "", autoplay });
      timer = setTimeout(() => say(texts[lang][3]), 2e4);
      go.hidden = true;
      img.replaceWith(frame);
    };
    const stop = (again) => {
      clearTimeout(timer);
      near?.disconnect();
      again &&= frame;
      frame?.replaceWith(img);
      frame = ready = go.hidden = null;
      queue = [];
      asked = 480;
      say("");
      paint();
      if (again) run();
      if (!el.autoplay || matchMedia("(prefers-reduced-motion)").matches) return;
      near = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && run(1), { rootMargin: "99px" });
      near.observe(el);
    };

    // Asks the frame, once it is ready.
    const ask = (name, more) => {
      run();
      if (ready) frame.contentWindow.postMessage({ type: NAME + ":" + name, v: 1, ...more }, base.origin);
      else queue.push([name, more]);
    };

    // Only our own frame is listened to, and only while our own page is in it.
    const hear = ({ source, origin, data }) => {
      const [ours, name] = `${data?.type}`.split(":");
      if (ours !== NAME || data.v !== 1 || origin !== base.origin || source !== frame?.contentWindow) return;
      if (name === "ready") {
        clearTimeout(timer);
        ready = 1;
        say("");
        paint();
        for (const it of queue.splice(0)) ask(...it);
      }
      if (name === "resize") tall(data.height + 44);
      if (name === "error") data.fatal && stop(), say(data.problem);
      el.dispatchEvent(new CustomEvent(name, { detail: data }));
    };
    img.onclick = go.onclick = () => {
      run(1);
      frame.focus();
    };
    img.onerror = () => note.textContent || say(texts[lang][2]);
    Object.assign(el, {
      paint, stop, hear,
      play: () => ask("play", { playing: true }),
      pause: () => frame && ask("play", { playing: false }),
      seek: (us) => ask("seek", { us }),
      load: (scenario) => ask("load", { scenario }),
    });
  };

  class Figure extends HTMLElement {
    static observedAttributes = [...fields, "lang"];
    constructor() {
      figure(super());
    }
    connectedCallback() {
      // What was set before the script came.
      for (const name of fields) {
        if (!Object.hasOwn(this, name)) continue;
        const value = this[name];
        delete this[name];
        this[name] = value;
      }
      live.add(this);
      this.stop();
    }
    disconnectedCallback() {
      live.delete(this);
    }
    attributeChangedCallback(name) {
      if (live.has(this)) /lang|theme|height/.test(name) ? this.paint() : this.stop(1);
    }
  }
  fields.forEach((name, at) => Object.defineProperty(Figure.prototype, name, {
    get() {
      const it = this.getAttribute(name);
      return at > 5 ? !/^(0|false|off)$/.test(it ?? at - 6) : at > 4 ? +it || 480 : it ?? "";
    },
    set(it) {
      it == null ? this.removeAttribute(name) : this.setAttribute(name, it);
    },
  }));
  customElements.define(NAME, Figure);
  const paint = () => live.forEach((it) => it.paint());
  addEventListener("message", (event) => live.forEach((it) => it.hear(event)));
  system.onchange = paint;
  new MutationObserver(paint).observe(root, { attributes: true });
})();
