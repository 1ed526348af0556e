// What is known of each ticker of the saved set, as the stream tells it. Nothing here draws.

import { decimalsOf } from "./numbers.js";

const POINTS = 900;
const DAY_MS = 86_400_000;
const NEARLY_MS = 600_000;

/** @typedef {{ms: number, price: number}} Point */

/** One ticker: its last tick, its feed, and its last prices. */
export class Feed {
  /** @param {string} ticker */
  constructor(ticker) {
    this.ticker = ticker;
    /** @type {any} The last tick, as it came. */
    this.tick = {};
    /** @type {number | null} */
    this.price = null;
    /** 1 when the price rose last, -1 when it fell. */
    this.direction = 0;
    this.state = "unknown";
    /** @type {number | null} */
    this.sinceMs = null;
    /** @type {number | null} When its last tick was received, by the gateway's clock. */
    this.receivedMs = null;
    this.decimals = 0;
    /** @type {Point[]} */
    this.points = [];
    /** @type {Point | null} What the change is measured from: the first price of the last 24 hours that is stored. */
    this.from = null;
    /** Whether the store was asked; what it does not have begins with the first price that was heard here. */
    this.isRecalled = false;
    this.ticks = 0;
  }

  /** @param {any} tick */
  hear(tick) {
    this.tick = tick;
    this.ticks += 1;
    this.receivedMs = tick.received_us / 1000;
    for (const told of [tick.price, tick.best_bid_price, tick.best_ask_price]) {
      if (typeof told === "number") this.decimals = Math.max(this.decimals, decimalsOf(told));
    }
    if (tick.price === null) return;
    if (this.price !== null && tick.price !== this.price) this.direction = tick.price > this.price ? 1 : -1;
    this.price = tick.price;
    this.points.push({ ms: tick.timestamp, price: tick.price });
    if (this.points.length > POINTS) this.points.splice(0, this.points.length - POINTS);
  }

  /** @param {string} state @param {number | null} sinceMs */
  become(state, sinceMs) {
    this.state = state;
    this.sinceMs = sinceMs;
  }

  /** Prices from before the first that was heard here, oldest first. @param {Point[]} earlier */
  recall(earlier) {
    const firstMs = this.points[0]?.ms ?? Infinity;
    const before = earlier.filter((point) => point.ms < firstMs);
    this.points = [...before, ...this.points].slice(-POINTS);
    for (const point of before) this.decimals = Math.max(this.decimals, decimalsOf(point.price));
    if (this.price === null && this.points.length > 0) this.price = this.points[this.points.length - 1].price;
  }

  /** The change in percent, since when, and whether that is 24 hours. One beginning for all: an index has no other. */
  get change() {
    const from = this.from ?? (this.isRecalled ? this.points[0] : null);
    if (!from || this.price === null || from.price === 0) return null;
    const isOverDay = Math.abs(Date.now() - from.ms - DAY_MS) < NEARLY_MS;
    return { percent: (this.price / from.price - 1) * 100, sinceMs: from.ms, isOverDay };
  }
}

/** All tickers of the saved set, in the order in which they are shown. */
export class Market {
  constructor() {
    /** @type {Map<string, Feed>} */
    this.feeds = new Map();
    /** How far the gateway's clock is ahead of this machine's. */
    this.aheadMs = 0;
  }

  /** The gateway's time. */
  get nowMs() {
    return Date.now() + this.aheadMs;
  }

  /** @param {number} serverUs */
  setClock(serverUs) {
    this.aheadMs = serverUs / 1000 - Date.now();
  }

  /** The set is these tickers now. @param {string[]} tickers @returns {boolean} Whether that is another set. */
  setTickers(tickers) {
    const before = [...this.feeds.keys()].join();
    const kept = new Map(tickers.map((ticker) => [ticker, this.feeds.get(ticker) ?? new Feed(ticker)]));
    this.feeds = kept;
    return before !== tickers.join();
  }

  /** @param {string} ticker @returns {Feed | undefined} */
  of(ticker) {
    return this.feeds.get(ticker);
  }

  /** @param {any} data A `message`. */
  tick(data) {
    this.feeds.get(data.ticker)?.hear(data);
  }

  /** @param {any} data A `snapshot`. */
  snapshot(data) {
    const feed = this.feeds.get(data.ticker);
    if (!feed) return;
    if (data.timestamp !== null && data.timestamp !== feed.tick.timestamp) feed.hear(data);
    if (data.age_ms !== null) feed.receivedMs = this.nowMs - data.age_ms;
    feed.become(data.state, data.since_ms);
  }

  /** @param {any} data A `status`. */
  status(data) {
    this.feeds.get(data.ticker)?.become(data.state, data.since_ms);
  }

  /** @param {any} data A `keep_alive`. */
  keepAlive(data) {
    this.setClock(data.server_time_us);
    for (const [ticker, told] of Object.entries(data.feeds)) {
      const feed = this.feeds.get(ticker);
      if (feed && feed.state !== told.state) feed.become(told.state, this.nowMs);
    }
  }
}
