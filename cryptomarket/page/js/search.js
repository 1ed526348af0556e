// Finding a ticker among all that the exchange has: a combobox as the ARIA authoring practices describe it.

import { Refused, ask } from "./api.js";
import { make, put } from "./elements.js";
import { onLanguage, say } from "./words.js";

const SHOWN = 40;
const FRESH_MS = 600_000;
const KINDS = ["index", "perpetual", "future", "spot", "option", "combo"];

export class Search {
  /**
   * @param {{input: HTMLInputElement, list: HTMLElement, hint: HTMLElement}} parts
   * @param {{onChoose: (ticker: string) => void, has: (ticker: string) => boolean}} told
   */
  constructor({ input, list, hint }, { onChoose, has }) {
    this.input = input;
    this.list = list;
    this.hint = hint;
    this.onChoose = onChoose;
    this.has = has;
    /** @type {any[]} */
    this.catalogue = [];
    this.loadedAt = -FRESH_MS;
    this.active = -1;
    /** @type {any[]} */
    this.found = [];
    input.addEventListener("focus", () => void this.#load());
    input.addEventListener("input", () => this.#show());
    input.addEventListener("keydown", (event) => this.#onKey(event));
    input.addEventListener("blur", () => this.#close());
    // The list must not take the focus from the input before the click arrives.
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    addEventListener("keydown", (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(target.tagName) && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        input.focus();
      }
    });
    onLanguage(() => this.#show());
  }

  async #load() {
    if (performance.now() - this.loadedAt > FRESH_MS) {
      this.loadedAt = performance.now();
      try {
        this.catalogue = (await ask("tickers", { query: { active: "true" } })).data;
      } catch (error) {
        this.loadedAt = -FRESH_MS;
        if (!(error instanceof Refused)) throw error;
        put(this.hint, error.message || say("away"));
      }
    }
    this.#show();
  }

  #show() {
    if (document.activeElement !== this.input) return;
    const words = this.input.value.trim().toUpperCase().split(/[\s/_-]+/).filter(Boolean);
    this.found = ranked(this.catalogue, words).slice(0, SHOWN);
    this.active = words.length > 0 && this.found.length > 0 ? 0 : -1;
    this.list.replaceChildren(...this.found.map((each, place) => this.#option(each, place)));
    this.list.hidden = this.found.length === 0;
    this.input.setAttribute("aria-expanded", String(this.found.length > 0));
    put(this.hint, this.catalogue.length === 0 ? "" : say("search_found", { n: ranked(this.catalogue, words).length }));
    this.#mark();
  }

  /** @param {any} each @param {number} place */
  #option(each, place) {
    const isHad = this.has(each.ticker);
    return make(
      "li",
      { id: `option-${place}`, role: "option", "aria-selected": "false", class: isHad ? "is-had" : null, onclick: () => this.#choose(place) },
      make("span", { class: "option-name" }, each.ticker),
      make("span", { class: "option-kind" }, isHad ? say("search_had") : say(`kind_${each.kind}`)),
    );
  }

  #mark() {
    for (const [place, option] of [...this.list.children].entries()) {
      option.setAttribute("aria-selected", String(place === this.active));
      if (place === this.active) option.scrollIntoView({ block: "nearest" });
    }
    if (this.active < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `option-${this.active}`);
  }

  /** @param {number} place */
  #choose(place) {
    const chosen = this.found[place];
    const typed = this.input.value.trim();
    if (!chosen && !typed) return;
    this.input.value = "";
    this.#close();
    this.onChoose(chosen ? chosen.ticker : typed);
  }

  #close() {
    this.list.hidden = true;
    this.active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    put(this.hint, "");
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const last = this.found.length - 1;
    switch (event.key) {
      case "ArrowDown":
        if (this.list.hidden) this.#show();
        this.active = this.active >= last ? 0 : this.active + 1;
        break;
      case "ArrowUp":
        this.active = this.active <= 0 ? last : this.active - 1;
        break;
      case "Enter":
        this.#choose(this.active);
        break;
      case "Escape":
        if (this.list.hidden) this.input.value = "";
        this.#close();
        break;
      default:
        return;
    }
    event.preventDefault();
    if (!this.list.hidden) this.#mark();
  }
}

/** Tickers that have every word, those that begin with what was typed first. @param {any[]} catalogue @param {string[]} words */
function ranked(catalogue, words) {
  const typed = words.join("-");
  const rank = (/** @type {any} */ each) => {
    const name = each.ticker.toUpperCase().replaceAll("_", "-");
    return (name === typed ? -100 : name.startsWith(typed) ? 0 : 10) + KINDS.indexOf(each.kind);
  };
  return catalogue
    .filter((each) => words.every((word) => each.ticker.toUpperCase().includes(word)))
    .map((each) => ({ each, rank: rank(each) }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ each }) => each);
}
