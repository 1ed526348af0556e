// A line of the last prices, small enough for a card.

import { draw } from "./elements.js";

const WIDTH = 120;
const HEIGHT = 34;
const EDGE = 3;
const MOST = 60;

export class Sparkline {
  constructor() {
    this.line = draw("polyline", { class: "spark-line", points: "" });
    this.area = draw("polygon", { class: "spark-area", points: "" });
    this.element = draw(
      "svg",
      { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
      this.area,
      this.line,
    );
  }

  /** @param {import("./market.js").Point[]} points */
  show(points) {
    const chosen = thinned(points);
    if (chosen.length < 2) {
      this.line.setAttribute("points", "");
      this.area.setAttribute("points", "");
      return;
    }
    const prices = chosen.map((point) => point.price);
    const low = Math.min(...prices);
    const span = Math.max(...prices) - low || 1;
    const spots = prices.map((price, place) => {
      const x = (place / (prices.length - 1)) * WIDTH;
      const y = HEIGHT - EDGE - ((price - low) / span) * (HEIGHT - 2 * EDGE);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    this.line.setAttribute("points", spots.join(" "));
    this.area.setAttribute("points", `0,${HEIGHT} ${spots.join(" ")} ${WIDTH},${HEIGHT}`);
  }
}

/** At most sixty of them, the last one among them. @param {import("./market.js").Point[]} points */
function thinned(points) {
  const step = Math.max(1, Math.ceil(points.length / MOST));
  return points.filter((_, place) => (points.length - 1 - place) % step === 0);
}
