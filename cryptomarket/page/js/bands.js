// Gaps, drawn into the chart where they were: nobody takes silence for a calm market.

/** @typedef {{from_ms: number, to_ms: number}} Gap */

export class Bands {
  constructor() {
    /** @type {Gap[]} */
    this.gaps = [];
    this.lengthMs = 1000;
    this.colour = "rgba(0,0,0,0.1)";
    /** @type {any} */
    this.host = null;
  }

  /** @param {Gap[]} gaps @param {number} lengthMs Of a bar. @param {string} colour */
  show(gaps, lengthMs, colour) {
    this.gaps = gaps;
    this.lengthMs = lengthMs;
    this.colour = colour;
    this.host?.requestUpdate();
  }

  // What the chart asks of whatever is drawn with a series.

  /** @param {any} host */
  attached(host) {
    this.host = host;
  }

  detached() {
    this.host = null;
  }

  paneViews() {
    return [this];
  }

  zOrder() {
    return "bottom";
  }

  renderer() {
    return { draw: (/** @type {any} */ target) => target.useBitmapCoordinateSpace((/** @type {any} */ space) => this.#draw(space)) };
  }

  /** @param {{context: CanvasRenderingContext2D, bitmapSize: {width: number, height: number}, horizontalPixelRatio: number}} space */
  #draw({ context, bitmapSize, horizontalPixelRatio }) {
    if (!this.host) return;
    const scale = this.host.chart.timeScale();
    const spacing = scale.options().barSpacing;
    context.fillStyle = this.colour;
    for (const gap of this.gaps) {
      const from = this.#place(scale, gap.from_ms);
      const to = this.#place(scale, gap.to_ms);
      if (from === null || to === null) continue;
      const left = (from - spacing / 2) * horizontalPixelRatio;
      const right = (to + spacing / 2) * horizontalPixelRatio;
      if (right < 0 || left > bitmapSize.width) continue;
      context.fillRect(Math.round(left), 0, Math.max(2, Math.round(right - left)), bitmapSize.height);
    }
  }

  /** @param {any} scale @param {number} ms @returns {number | null} */
  #place(scale, ms) {
    const time = (Math.floor(ms / this.lengthMs) * this.lengthMs) / 1000;
    const place = scale.timeToIndex(time, true);
    return place === null ? null : scale.logicalToCoordinate(place);
  }
}
