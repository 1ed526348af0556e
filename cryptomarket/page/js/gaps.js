// The recorded gaps of the ticker that is shown: asked for, and joined by those that the stream tells. That there are
// none is said only when the gateway has said so.

import { Refused, ask, named } from "./api.js";
import { make, put } from "./elements.js";
import { duration, moment } from "./numbers.js";
import { onLanguage, say } from "./words.js";

const REACH_MS = 7 * 86_400_000;
const MOST = 1000;
const SHOWN = 200;

export class Gaps {
  /**
   * @param {{body: HTMLElement, words: HTMLElement, again: HTMLButtonElement, count: HTMLElement}} parts
   * @param {import("./market.js").Market} market @param {(gaps: any[]) => void} onGaps
   */
  constructor(parts, market, onGaps) {
    this.parts = parts;
    this.market = market;
    this.onGaps = onGaps;
    this.ticker = "";
    /** @type {"loading" | "unknown" | "known"} */
    this.state = "loading";
    this.round = 0;
    /** @type {Map<string, any>} */
    this.known = new Map();
    /** @type {Map<string, any>} What the stream has told since the gateway was asked last. */
    this.heard = new Map();
    parts.again.addEventListener("click", () => void this.show(this.ticker));
    onLanguage(() => this.#draw());
  }

  /** Asks for those of a ticker; what was known of it stays until there is an answer. @param {string} ticker */
  async show(ticker) {
    if (ticker !== this.ticker) this.known.clear();
    this.ticker = ticker;
    this.heard.clear();
    const round = ++this.round;
    this.#become("loading");
    const query = { start: Math.floor(this.market.nowMs - REACH_MS), limit: MOST };
    let answer;
    try {
      answer = await ask(`gaps/${named(ticker)}`, { query });
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (round === this.round) this.#become("unknown");
      return;
    }
    if (round !== this.round) return;
    this.known = new Map([...answer.data.map((/** @type {any} */ gap) => [key(gap), gap]), ...this.heard]);
    this.#become("known");
  }

  /** @param {any} gap A `gap` event. */
  add(gap) {
    if (gap.ticker !== this.ticker) return;
    this.known.set(key(gap), gap);
    this.heard.set(key(gap), gap);
    this.#draw();
  }

  /** @param {"loading" | "unknown" | "known"} state */
  #become(state) {
    this.state = state;
    this.#draw();
  }

  #draw() {
    const { body, words, again, count } = this.parts;
    const gaps = [...this.known.values()].sort((one, other) => other.from_ms - one.from_ms);
    put(words, say(`gaps_${this.state}`));
    words.hidden = gaps.length > 0 && this.state !== "unknown";
    words.dataset.state = this.state;
    again.hidden = this.state !== "unknown";
    count.textContent = gaps.length > 0 ? gaps.length.toLocaleString() : this.state === "unknown" ? "?" : "";
    body.replaceChildren(
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
