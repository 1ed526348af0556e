// The figures of the operator's page, each with its last minutes behind it.

import { make, put } from "./elements.js";
import { number } from "./numbers.js";
import { Sparkline } from "./sparkline.js";
import { say } from "./words.js";

const KEPT = 150;

/** How far the store is behind, in publications: both stand in one order. @param {{head: string, stored_up_to: number}} log */
function lag({ head, stored_up_to }) {
  return Math.max(0, Number(head.split("-").pop()) - stored_up_to);
}

/** @type {Record<string, {of: (told: any) => number, more?: (told: any) => string, isBad?: (told: any) => boolean}>} */
const FIGURES = {
  sessions: {
    of: (told) => told.slots.filter((/** @type {any} */ slot) => slot.session_state === "ready").length,
    more: (told) => say("tile_of", { n: told.slots.length }),
    isBad: (told) => told.slots.some((/** @type {any} */ slot) => slot.session_state !== "ready"),
  },
  channels: {
    of: (told) => told.held.length,
    more: (told) => say("tile_wanted", { n: told.wanted.length }),
    isBad: (told) => told.wanted.some((/** @type {string} */ ticker) => !told.held.includes(ticker)),
  },
  credits: { of: (told) => told.credits },
  streams: { of: (told) => told.streams.open, more: (told) => say("tile_behind", { n: told.streams.behind }) },
  slow: { of: (told) => told.streams.slow, more: () => say("tile_since_start"), isBad: (told) => told.streams.slow > 0 },
  lag: { of: (told) => lag(told.log), more: (told) => told.log.head },
  gaps: { of: (told) => told.gaps_open, isBad: (told) => told.gaps_open > 0 },
};

export class Tiles {
  /** @param {HTMLElement} list */
  constructor(list) {
    /** @type {any} */
    this.told = null;
    this.tiles = Object.entries(FIGURES).map(([name, figure]) => {
      const spark = new Sparkline();
      const [label, value, more] = [make("dt"), make("dd", { class: "tile-value" }), make("dd", { class: "tile-more" })];
      const element = make("div", { class: "tile", "data-figure": name }, label, value, more, make("dd", { class: "tile-spark" }, spark.element));
      list.append(element);
      return { name, figure, label, value, more, spark, element, /** @type {import("./market.js").Point[]} */ points: [] };
    });
  }

  /** @param {any} told The answer of /api/v2/operation. */
  take(told) {
    this.told = told;
    for (const tile of this.tiles) {
      tile.points.push({ ms: Date.now(), price: tile.figure.of(told) });
      if (tile.points.length > KEPT) tile.points.shift();
    }
  }

  show() {
    if (!this.told) return;
    for (const { name, figure, label, value, more, spark, element, points } of this.tiles) {
      put(label, say(`tile_${name}`));
      put(value, number(figure.of(this.told)));
      put(more, figure.more?.(this.told) ?? "");
      element.dataset.bad = String(figure.isBad?.(this.told) ?? false);
      spark.show(points);
    }
  }
}
