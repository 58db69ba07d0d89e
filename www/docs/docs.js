// The theme of the documentation: the same three words under the same key as the Lab's own page. It runs before the first
// paint; without it (or without storage) the pages follow the system, and nothing else is missed.
(() => {
  const KEY = "delivery-lab.theme";
  const WORDS = ["auto", "light", "dark"];
  const NAMES = {
    en: { auto: "system", light: "light", dark: "dark", label: "Theme" },
    ko: { auto: "시스템", light: "밝게", dark: "어둡게", label: "테마" },
  };
  const root = document.documentElement;

  function stored() {
    try {
      const word = localStorage.getItem(KEY);
      return WORDS.includes(word) ? word : "auto";
    } catch {
      return "auto";
    }
  }

  // "auto" is no attribute at all: the figures then ask the system, as this page's style does.
  function show(word) {
    if (word === "auto") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", word);
  }

  let theme = stored();
  show(theme);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const names = NAMES[root.lang] ?? NAMES.en;
    const say = () => {
      button.textContent = `◐ ${names.label}: ${names[theme]}`;
    };
    say();
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = WORDS[(WORDS.indexOf(theme) + 1) % WORDS.length];
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // It holds for this page, then.
      }
      show(theme);
      say();
    });
  });
})();
