// Taking history along: the range and the form, and then the browser's own download, which keeps nothing in memory.

import { Refused, address, ask, named } from "./api.js";
import { make, put } from "./elements.js";
import { onLanguage, say } from "./words.js";

const HOUR_MS = 3_600_000;
/** @type {Record<string, number | null>} Null: everything. */
const RANGES = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 7 * 24 * HOUR_MS, all: null };

export class Exporting {
  /** @param {{dialog: HTMLDialogElement, form: HTMLFormElement, from: HTMLInputElement, to: HTMLInputElement, wrong: HTMLElement, title: HTMLElement, open: HTMLButtonElement, close: HTMLButtonElement}} parts @param {import("./market.js").Market} market @param {(refused: Refused) => void} onRefused */
  constructor(parts, market, onRefused) {
    this.parts = parts;
    this.market = market;
    this.onRefused = onRefused;
    this.ticker = "";
    const { dialog, form, open, close } = parts;
    open.addEventListener("click", () => this.#open());
    close.addEventListener("click", () => dialog.close());
    form.addEventListener("change", (event) => this.#onChange(/** @type {HTMLInputElement} */ (event.target)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#download();
    });
    onLanguage(() => this.#describe());
  }

  #open() {
    this.#describe();
    this.#fill("hour");
    /** @type {HTMLInputElement} */ (this.parts.form.elements.namedItem("range-hour")).checked = true;
    put(this.parts.wrong, "");
    this.parts.dialog.showModal();
  }

  #describe() {
    put(this.parts.title, say("export_title", { ticker: this.ticker }));
  }

  /** @param {string} range */
  #fill(range) {
    const lengthMs = RANGES[range];
    const { nowMs } = this.market;
    this.parts.from.value = lengthMs === null ? "" : field(nowMs - lengthMs);
    this.parts.to.value = lengthMs === null ? "" : field(nowMs);
  }

  /** @param {HTMLInputElement} changed */
  #onChange(changed) {
    put(this.parts.wrong, "");
    if (changed.type === "radio" && changed.dataset.range) this.#fill(changed.dataset.range);
    if (changed.type === "datetime-local") {
      for (const radio of this.parts.form.querySelectorAll("[data-range]")) /** @type {HTMLInputElement} */ (radio).checked = false;
    }
  }

  async #download() {
    const { from, to, form, wrong, dialog } = this.parts;
    const start = from.value ? Date.parse(`${from.value}Z`) : null;
    const end = to.value ? Date.parse(`${to.value}Z`) : null;
    if (start !== null && start >= (end ?? this.market.nowMs)) {
      put(wrong, say("export_wrong_range"));
      from.focus();
      return;
    }
    const chosen = /** @type {HTMLInputElement} */ (form.querySelector("[data-format]:checked"));
    dialog.close();
    try {
      await ask("me"); // The browser's download has no words for a refusal.
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return this.onRefused(error);
    }
    const link = make("a", { href: address(`ticks/${named(this.ticker)}`, { format: chosen.dataset.format, start, end }), download: "" });
    document.body.append(link);
    link.click();
    link.remove();
  }
}

/** A time as a datetime-local field has it, in UTC. @param {number} ms */
function field(ms) {
  return new Date(ms).toISOString().slice(0, 19);
}
