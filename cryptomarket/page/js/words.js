// What the page says, in the language of who reads it. Every sentence is in strings/<language>.js, under one name.

import { remember } from "./memory.js";
import { strings as english } from "./strings/en.js";
import { strings as russian } from "./strings/ru.js";

/** @typedef {string | Record<string, string>} Entry A sentence, or one for each plural form of its {n}. */

/** @type {Record<string, Record<string, Entry>>} */
const LANGUAGES = { en: english, ru: russian };

/** @type {Set<() => void>} */
const listeners = new Set();

/** @returns {string} The language now: `en` or `ru`. */
export function language() {
  return document.documentElement.lang === "ru" ? "ru" : "en";
}

/** @param {string} chosen */
export function speak(chosen) {
  document.documentElement.lang = chosen;
  remember("language", chosen);
  translate(document);
  for (const listener of listeners) listener();
}

/** @param {() => void} listener Told after every change of language. */
export function onLanguage(listener) {
  listeners.add(listener);
}

/**
 * A sentence by its name, its {places} filled in.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function say(name, values = {}) {
  const entry = LANGUAGES[language()][name] ?? name;
  const text = typeof entry === "string" ? entry : entry[plural(Number(values.n))] ?? entry.other;
  return text.replace(/\{(\w+)\}/g, (_whole, place) => told(values[place]));
}

/** @param {string | number | undefined} value */
function told(value) {
  return typeof value === "number" ? value.toLocaleString(language()) : value ?? "";
}

/** @param {number} count */
function plural(count) {
  return new Intl.PluralRules(language()).select(count);
}

const ATTRIBUTES = { label: "aria-label", placeholder: "placeholder", tip: "title" };

/** Says everything below `root` that names a sentence: data-say, data-label, data-placeholder, data-tip. @param {ParentNode} root */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-say]")) {
    element.textContent = say(/** @type {HTMLElement} */ (element).dataset.say ?? "");
  }
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const element of root.querySelectorAll(`[data-${name}]`)) {
      element.setAttribute(attribute, say(/** @type {HTMLElement} */ (element).dataset[name] ?? ""));
    }
  }
}
