// Dark, light, or as the system has it; and the language. Both are remembered.

import { the } from "./elements.js";
import { recall, remember } from "./memory.js";
import { language, onLanguage, say, speak } from "./words.js";

const THEMES = ["auto", "light", "dark"];

/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {() => void} listener Told after every change of colours. */
export function onColours(listener) {
  listeners.add(listener);
}

/** A colour of the style sheet, as it is now. @param {string} name */
export function colour(name) {
  const probe = the("probe");
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

/** Puts the two switches to work. */
export function startLooks() {
  const theme = the("theme");
  const tongue = the("language");
  const chosen = () => document.documentElement.dataset.theme ?? "auto";
  const describe = () => {
    theme.setAttribute("aria-label", say("theme", { name: say(`theme_${chosen()}`) }));
    theme.title = theme.getAttribute("aria-label");
    theme.dataset.theme = chosen();
    tongue.textContent = language() === "ru" ? "EN" : "RU";
    tongue.lang = language() === "ru" ? "en" : "ru";
    tongue.setAttribute("aria-label", language() === "ru" ? "EN: switch to English" : "RU: перейти на русский");
  };
  theme.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    remember("theme", next === "auto" ? null : next);
    describe();
    for (const listener of listeners) listener();
  });
  tongue.addEventListener("click", () => speak(language() === "ru" ? "en" : "ru"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const listener of listeners) listener();
  });
  onLanguage(describe);
  if (recall("theme") === "") delete document.documentElement.dataset.theme;
  describe();
}
