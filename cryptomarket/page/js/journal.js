// The events as they came, newest first, each with its id. Bounded: old ones leave.

import { beforePaint, make, put } from "./elements.js";
import { clock, decimalsOf, duration, price } from "./numbers.js";
import { onLanguage, say } from "./words.js";

const KEPT = 400;
const SHOWN = 100;

/** @typedef {{ms: number, name: string, ticker: string, data: any, id: string, isWhole: boolean}} Entry */

export class Journal {
  /** @param {HTMLElement} body @param {HTMLElement} empty @param {{withTicks: HTMLInputElement, pause: HTMLElement}} controls */
  constructor(body, empty, { withTicks, pause }) {
    this.body = body;
    this.empty = empty;
    this.pause = pause;
    this.withTicks = withTicks;
    this.isPaused = false;
    /** @type {Entry[]} Oldest first. */
    this.entries = [];
    /** @type {Map<Entry, HTMLElement>} */
    this.rows = new Map();
    this.refresh = beforePaint(() => this.#draw());
    withTicks.addEventListener("change", this.refresh);
    pause.addEventListener("click", () => {
      this.isPaused = !this.isPaused;
      this.#describe();
      this.refresh();
    });
    onLanguage(() => {
      this.rows.clear();
      this.body.replaceChildren();
      this.#describe();
      this.#draw();
    });
    this.#describe();
  }

  /** @param {Entry} entry */
  add(entry) {
    this.entries.push(entry);
    if (this.entries.length > KEPT) this.entries.splice(0, this.entries.length - KEPT);
    if (!this.isPaused) this.refresh();
  }

  clear() {
    this.entries = [];
    this.refresh();
  }

  #describe() {
    put(this.pause, say(this.isPaused ? "log_go_on" : "log_pause"));
    this.pause.setAttribute("aria-pressed", String(this.isPaused));
  }

  #draw() {
    if (this.isPaused || this.body.closest("[hidden]")) return;
    const chosen = this.entries.filter((entry) => this.withTicks.checked || entry.name !== "message").slice(-SHOWN).reverse();
    this.empty.hidden = chosen.length > 0;
    const rows = new Map(chosen.map((entry) => [entry, this.rows.get(entry) ?? row(entry)]));
    for (const [entry, element] of this.rows) if (!rows.has(entry)) element.remove();
    /** @type {ChildNode | null} */
    let next = this.body.firstChild;
    for (const element of rows.values()) {
      if (element === next) next = next.nextSibling;
      else this.body.insertBefore(element, next);
    }
    this.rows = rows;
  }
}

/** @param {Entry} entry */
function row({ ms, name, ticker, data, id, isWhole }) {
  return make(
    "tr",
    { "data-event": name, "data-id": id, "data-whole": String(isWhole) },
    make("td", { class: "figure" }, clock(ms)),
    make("td", {}, make("span", { class: "event-name" }, name)),
    make("td", {}, ticker),
    make("td", {}, detail(name, data)),
    make("td", { class: "event-id" }, id),
  );
}

/** What is worth telling of an event. @param {string} name @param {any} data @returns {string} */
function detail(name, data) {
  switch (name) {
    case "message":
      return price(data.price, data.price === null ? 0 : decimalsOf(data.price));
    case "connected":
      return say(`resume_${data.resume}`);
    case "snapshot":
    case "status":
      return [say(`state_${data.state}`), data.reason].filter(Boolean).join(": ");
    case "gap":
      return `${duration(data.to_ms - data.from_ms)}, ${say(`cause_${data.cause}`)}`;
    case "disconnected":
      return say(`reason_${data.reason}`);
    case "problem":
      return data.detail ?? "";
    default:
      return "";
  }
}
