// Gaps of all tickers on one line of time each: what was missed at once is seen at once.

import { ask } from "./api.js";
import { draw, make, put } from "./elements.js";
import { clock, duration, moment } from "./numbers.js";
import { say } from "./words.js";

const HOUR_MS = 3_600_000;
const REACHES = [1, 6, 24, 168];
const WIDTH = 1000;
const HEIGHT = 14;
const THINNEST = 3;
const MARKS = 4;
const MOST_ROWS = 60;

export class Timeline {
  /** @param {{place: HTMLElement, empty: HTMLElement, count: HTMLElement, reach: HTMLSelectElement}} parts */
  constructor(parts) {
    this.parts = parts;
    /** @type {any} */
    this.told = null;
    this.hours = 1;
    this.#describe();
    parts.reach.addEventListener("change", () => {
      this.hours = Number(parts.reach.value);
      void this.refresh();
    });
  }

  async refresh() {
    const { hours } = this;
    const told = await ask("operation/gaps", { query: { hours } });
    if (hours !== this.hours) return;
    this.told = told;
    this.show();
  }

  show() {
    this.#describe();
    if (!this.told) return;
    const { start, end, data, count, truncated } = this.told;
    /** @type {Map<string, any[]>} */
    const rows = new Map();
    for (const gap of data) rows.set(gap.ticker, [...(rows.get(gap.ticker) ?? []), gap]);
    this.parts.empty.hidden = count > 0;
    this.parts.place.hidden = count === 0;
    put(this.parts.count, count === 0 ? "" : `${count.toLocaleString()}${truncated ? "+" : ""}`);
    const lines = [...rows].sort(([one], [other]) => one.localeCompare(other)).slice(0, MOST_ROWS);
    this.parts.place.replaceChildren(...lines.map(([ticker, gaps]) => line(ticker, gaps, start, end)), scale(start, end));
  }

  #describe() {
    this.parts.reach.replaceChildren(...REACHES.map((hours) => make("option", { value: hours }, duration(hours * HOUR_MS))));
    this.parts.reach.value = String(this.hours);
  }
}

/** @param {string} ticker @param {any[]} gaps @param {number} start @param {number} end */
function line(ticker, gaps, start, end) {
  const place = (/** @type {number} */ ms) => ((Math.min(end, Math.max(start, ms)) - start) / (end - start)) * WIDTH;
  const bars = gaps.map((gap) => {
    const left = place(gap.from_ms);
    const title = `${moment(gap.from_ms)} – ${clock(gap.to_ms).slice(0, 8)} UTC: ${duration(gap.to_ms - gap.from_ms)}, ${say(`cause_${gap.cause}`)}`;
    const width = Math.max(THINNEST, place(gap.to_ms) - left);
    return draw("rect", { class: "gap-bar", "data-cause": gap.cause, x: left.toFixed(1), y: 1, width: width.toFixed(1), height: HEIGHT - 2, rx: 1.5 }, draw("title", {}, title));
  });
  const missing = gaps.reduce((sum, gap) => sum + Math.min(end, gap.to_ms) - Math.max(start, gap.from_ms), 0);
  return make(
    "div",
    { class: "timeline-row", "data-ticker": ticker },
    make("span", { class: "timeline-name" }, ticker),
    draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": say("timeline_row", { n: gaps.length, ticker, time: duration(missing) }) }, ...bars),
    make("span", { class: "timeline-sum" }, duration(missing)),
  );
}

/** @param {number} start @param {number} end */
function scale(start, end) {
  const isLong = end - start > 24 * HOUR_MS;
  const marks = Array.from({ length: MARKS + 1 }, (_, mark) => {
    const ms = start + ((end - start) * mark) / MARKS;
    return make("span", {}, isLong ? moment(ms).slice(5, 16) : clock(ms).slice(0, 5));
  });
  return make("div", { class: "timeline-scale figure", "aria-hidden": "true" }, ...marks);
}
