// Everything that the exchange says of the ticker that is shown.

import { beforePaint, make, put } from "./elements.js";
import { clock, number, percent, price } from "./numbers.js";
import { onLanguage, say } from "./words.js";

const PRICES = new Set([
  "last_price", "mark_price", "index_price", "best_bid_price", "best_ask_price", "min_price", "max_price",
  "settlement_price", "estimated_delivery_price", "underlying_price", "delivery_price", "high", "low",
]);
/** Times, and how many of their unit are a millisecond. They stand last. @type {Record<string, number>} */
const TIMES = { timestamp: 1, received_us: 1000, published_us: 1000 };
// What the head of the chart says already, and what is the stream's own.
const UNSAID = new Set([
  "seq", "prev_seq", "ticker", "instrument_name", "kind", "price", "age_ms", "state", "since_ms", "last_seq",
  "instrument_state",
]);

export class Fields {
  /** @param {HTMLElement} list */
  constructor(list) {
    this.list = list;
    /** @type {import("./market.js").Feed | null} */
    this.feed = null;
    /** @type {Map<string, HTMLElement>} */
    this.values = new Map();
    this.refresh = beforePaint(() => this.#draw());
    onLanguage(() => {
      this.values.clear();
      this.refresh();
    });
  }

  /** @param {import("./market.js").Feed | null} feed */
  show(feed) {
    this.feed = feed;
    this.values.clear();
    this.refresh();
  }

  #draw() {
    if (this.list.closest("[hidden]")) return;
    const told = this.feed ? [...flat(this.feed.tick)].filter(([name]) => !UNSAID.has(name)) : [];
    told.sort(([one], [other]) => Number(one in TIMES) - Number(other in TIMES));
    if (told.length !== this.values.size || told.some(([name]) => !this.values.has(name))) {
      this.values = new Map(told.map(([name]) => [name, make("dd", { class: "figure" })]));
      this.list.replaceChildren(...[...this.values].map(([name, value]) => make("div", { class: "field" }, make("dt", {}, say(`field_${name}`)), value)));
    }
    for (const [name, value] of told) put(/** @type {Node} */ (this.values.get(name)), this.#text(name, value));
  }

  /** @param {string} name @param {any} value */
  #text(name, value) {
    if (name in TIMES) return value === null ? "–" : clock(value / TIMES[name]);
    if (PRICES.has(name)) return price(value, this.feed?.decimals ?? 2);
    if (name === "price_change") return percent(value);
    return typeof value === "string" ? value : number(value);
  }
}

/** A tick's fields with those of its parts among them. @param {any} tick @returns {Iterable<[string, any]>} */
function* flat(tick) {
  for (const [name, value] of Object.entries(tick)) {
    if (value !== null && typeof value === "object") yield* flat(value);
    else yield [name, value];
  }
}
