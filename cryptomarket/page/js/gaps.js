// The recorded gaps of the ticker that is shown: asked for once, and joined by those that the stream tells.

import { Refused, ask, named } from "./api.js";
import { make } from "./elements.js";
import { duration, moment } from "./numbers.js";
import { onLanguage, say } from "./words.js";

const REACH_MS = 7 * 86_400_000;
const MOST = 1000;
const SHOWN = 200;

export class Gaps {
  /** @param {HTMLElement} body @param {HTMLElement} empty @param {HTMLElement} count @param {(gaps: any[]) => void} onGaps */
  constructor(body, empty, count, onGaps) {
    this.body = body;
    this.empty = empty;
    this.count = count;
    this.onGaps = onGaps;
    this.ticker = "";
    /** @type {Map<string, any>} */
    this.known = new Map();
    onLanguage(() => this.#draw());
  }

  /** @param {string} ticker @param {number} nowMs */
  async show(ticker, nowMs) {
    this.ticker = ticker;
    this.known.clear();
    this.#draw();
    let answer;
    try {
      answer = await ask(`gaps/${named(ticker)}`, { query: { start: Math.floor(nowMs - REACH_MS), limit: MOST } });
    } catch (error) {
      if (error instanceof Refused) return;
      throw error;
    }
    if (ticker !== this.ticker) return;
    for (const gap of answer.data) this.known.set(key(gap), gap);
    this.#draw();
  }

  /** @param {any} gap A `gap` event. */
  add(gap) {
    if (gap.ticker !== this.ticker) return;
    this.known.set(key(gap), gap);
    this.#draw();
  }

  #draw() {
    const gaps = [...this.known.values()].sort((one, other) => other.from_ms - one.from_ms);
    this.empty.hidden = gaps.length > 0;
    this.count.textContent = gaps.length > 0 ? gaps.length.toLocaleString() : "";
    this.body.replaceChildren(
      ...gaps.slice(0, SHOWN).map((gap) =>
        make(
          "tr",
          {},
          make("td", { class: "figure" }, moment(gap.from_ms)),
          make("td", { class: "figure" }, moment(gap.to_ms)),
          make("td", { class: "figure" }, duration(gap.to_ms - gap.from_ms)),
          make("td", {}, say(`cause_${gap.cause}`)),
          make("td", {}, say(`gap_${gap.state}`)),
        ),
      ),
    );
    this.onGaps(gaps);
  }
}

/** @param {any} gap */
function key(gap) {
  return `${gap.from_ms}-${gap.to_ms}`;
}
