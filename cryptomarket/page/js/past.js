// The history of one ticker as bars of one length: the newest page first, older ones when somebody scrolls there.

import { ask, asked, named } from "./api.js";

/** @typedef {{time: number, open: number, high: number, low: number, close: number}} Bar `time` in seconds, as the chart wants it. */

/** Lengths that the API folds, and `S`: seconds, which are made here of the ticks themselves. */
export const LENGTHS_MS = /** @type {Record<string, number>} */ ({
  S: 1000, 1: 60_000, 3: 180_000, 5: 300_000, 10: 600_000, 15: 900_000, 30: 1_800_000, 60: 3_600_000, 120: 7_200_000,
  180: 10_800_000, 360: 21_600_000, 720: 43_200_000, "1D": 86_400_000,
});
const CANDLES = 400;
const TICKS = 3000;

export class Past {
  /** @param {string} ticker @param {string} resolution One of LENGTHS_MS. */
  constructor(ticker, resolution) {
    this.ticker = ticker;
    this.resolution = resolution;
    this.lengthMs = LENGTHS_MS[resolution];
    /** @type {Bar[]} Oldest first. */
    this.bars = [];
    this.isWhole = false;
    /** @type {string | null} */
    this.cursor = null;
    this.firstMs = Infinity;
  }

  /** Takes in the newest page, over what is known already. @param {number} nowMs @param {AbortSignal} signal */
  async newest(nowMs, signal) {
    if (this.resolution === "S") {
      const page = await this.#ticks({ order: "desc", limit: TICKS }, signal);
      this.#merge(seconds(page.data));
      if (this.cursor === null) this.isWhole = page.next_cursor === null;
      this.cursor ??= page.next_cursor;
      return;
    }
    if (this.firstMs === Infinity) {
      const page = await this.#ticks({ order: "asc", limit: 1 }, signal);
      this.firstMs = page.data[0]?.timestamp ?? Infinity;
    }
    await this.#candles(nowMs + 1, signal);
  }

  /** Takes in the page before the oldest bar. @param {AbortSignal} signal */
  async older(signal) {
    if (this.isWhole || this.bars.length === 0) return;
    if (this.resolution !== "S") {
      await this.#candles(this.bars[0].time * 1000, signal);
      return;
    }
    const page = await this.#ticks({ order: "desc", limit: TICKS, cursor: this.cursor }, signal);
    this.#merge(seconds(page.data));
    this.cursor = page.next_cursor;
    this.isWhole = page.next_cursor === null;
  }

  /**
   * One more price. @param {import("./market.js").Point} point
   * @returns {Bar | null} The bar that it has changed, if that is the last one.
   */
  add({ ms, price }) {
    const time = Math.floor(ms / this.lengthMs) * (this.lengthMs / 1000);
    const last = this.bars[this.bars.length - 1];
    if (!last || time > last.time) {
      const bar = { time, open: price, high: price, low: price, close: price };
      this.bars.push(bar);
      return bar;
    }
    if (time < last.time) return null;
    last.high = Math.max(last.high, price);
    last.low = Math.min(last.low, price);
    last.close = price;
    return last;
  }

  /** @param {number} endMs @param {AbortSignal} signal */
  async #candles(endMs, signal) {
    let end = endMs;
    // A page without a price, in the middle of a long gap, is no end.
    while (end > this.firstMs || this.firstMs === Infinity) {
      const start = Math.max(0, end - CANDLES * this.lengthMs);
      const query = { resolution: this.resolution, start: Math.floor(start), end: Math.ceil(end) };
      const page = await ask(`candles/${named(this.ticker)}`, { query, signal });
      this.#merge(page.data.map((/** @type {any} */ each) => ({ ...each, time: each.timestamp / 1000 })));
      if (page.data.length > 0 || this.firstMs === Infinity) break;
      end = start;
    }
    this.isWhole = this.bars.length === 0 || this.bars[0].time * 1000 <= this.firstMs;
  }

  /** @param {Record<string, string | number | null>} query @param {AbortSignal} signal */
  #ticks(query, signal) {
    return ask(`ticks/${named(this.ticker)}`, { query: { ...query, fields: "timestamp,price" }, signal });
  }

  /** What was told anew replaces what was known. @param {Bar[]} told */
  #merge(told) {
    const known = new Map(this.bars.map((bar) => [bar.time, bar]));
    for (const { time, open, high, low, close } of told) {
      const had = this.resolution === "S" ? known.get(time) : undefined;
      // A second may begin on one page and end on another.
      known.set(time, had ? { time, open, high: Math.max(high, had.high), low: Math.min(low, had.low), close: had.close } : { time, open, high, low, close });
    }
    this.bars = [...known.values()].sort((one, other) => one.time - other.time);
  }
}

/**
 * Stored prices; null when there was no answer.
 * @param {string} ticker @param {Record<string, string | number>} query @returns {Promise<import("./market.js").Point[] | null>}
 */
export async function prices(ticker, query) {
  const page = await asked(ask(`ticks/${named(ticker)}`, { query: { ...query, fields: "timestamp,price" } }));
  if (!page) return null;
  return page.data
    .filter((/** @type {any} */ row) => row.price !== null)
    .map((/** @type {any} */ row) => ({ ms: row.timestamp, price: row.price }));
}

/** Ticks, newest first, as bars of a second. @param {{timestamp: number, price: number | null}[]} rows @returns {Bar[]} */
function seconds(rows) {
  /** @type {Map<number, Bar>} */
  const bars = new Map();
  for (const { timestamp, price } of rows) {
    if (price === null) continue;
    const time = Math.floor(timestamp / 1000);
    const bar = bars.get(time);
    if (!bar) bars.set(time, { time, open: price, high: price, low: price, close: price });
    else {
      bar.open = price;
      bar.high = Math.max(bar.high, price);
      bar.low = Math.min(bar.low, price);
    }
  }
  return [...bars.values()];
}
