// The chart: history behind, live prices in front, gaps where they were. Drawn by TradingView Lightweight Charts.

import { AreaSeries, CandlestickSeries, ColorType, CrosshairMode, LineStyle, createChart } from "../vendor/lightweight-charts.js";
import { Refused } from "./api.js";
import { Bands } from "./bands.js";
import { beforePaint, make } from "./elements.js";
import { colour, onColours } from "./looks.js";
import { moment, price } from "./numbers.js";
import { LENGTHS_MS, Past } from "./past.js";
import { language, onLanguage, say } from "./words.js";

const NEAR_THE_BEGINNING = 20;
// Bars beyond this, of a page that stays open for days, leave at the old end; scrolling there brings them back.
const MOST_BARS = 20_000;
const STEP = 12;

export class Chart {
  /**
   * @param {{element: HTMLElement, legend: HTMLElement, refused: HTMLElement, again: HTMLButtonElement}} parts
   * @param {import("./market.js").Market} market
   */
  constructor({ element, legend, refused, again }, market) {
    this.element = element;
    this.legend = legend;
    /** Shown while some of the history is not there because it was refused, not because there is none. */
    this.refused = refused;
    this.market = market;
    this.resolution = "S";
    /** @type {import("./market.js").Feed | null} */
    this.feed = null;
    /** @type {Past | null} */
    this.past = null;
    /** @type {any[]} */
    this.gaps = [];
    this.bands = new Bands();
    /** @type {AbortController} */
    this.asking = new AbortController();
    this.isAsking = false;
    /** How many digits the labels have. */
    this.decimals = 0;
    /** @type {any} */
    this.series = null;
    /** @type {any} */
    this.hovered = null;
    this.chart = createChart(element, { autoSize: true, layout: { attributionLogo: false } });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => this.#onRange(range));
    this.chart.subscribeCrosshairMove((moved) => {
      this.hovered = moved.time === undefined ? null : moved.seriesData.get(this.series) ?? null;
      this.tell();
    });
    /** Says what is below the crosshair, or the last bar. */
    this.tell = beforePaint(() => this.#tell());
    element.addEventListener("keydown", (event) => this.#onKey(event));
    again.addEventListener("click", () => {
      element.focus();
      void this.refresh().then(() => this.#onRange(this.chart.timeScale().getVisibleLogicalRange()));
    });
    onColours(() => this.#paint());
    onLanguage(() => this.#paint());
    this.#paint();
  }

  /** @param {import("./market.js").Feed} feed @param {string} resolution */
  async show(feed, resolution) {
    this.asking.abort();
    this.asking = new AbortController();
    this.isAsking = false;
    this.feed = feed;
    this.resolution = resolution;
    this.past = new Past(feed.ticker, resolution);
    this.hovered = null;
    if (this.series) this.chart.removeSeries(this.series);
    this.series = resolution === "S" ? this.chart.addSeries(AreaSeries) : this.chart.addSeries(CandlestickSeries);
    this.series.attachPrimitive(this.bands);
    this.#paint();
    await this.refresh(true);
  }

  /** Asks for the newest page again: at the beginning, and after whatever may have been missed. */
  async refresh(isNew = false) {
    const { past } = this;
    if (!past) return;
    await this.#load(() => past.newest(this.market.nowMs, this.asking.signal));
    if (past !== this.past || !this.feed) return;
    if (past.resolution === "S") {
      this.feed.recall(past.bars.map((bar) => ({ ms: bar.time * 1000, price: bar.close })));
    }
    for (const point of this.feed.points) past.add(point);
    this.#setData();
    if (isNew) this.chart.timeScale().applyOptions({ rightOffset: 4, barSpacing: past.bars.length < 150 ? 8 : 5 });
    if (isNew) this.chart.timeScale().scrollToRealTime();
  }

  /** The feed has heard a price. @param {import("./market.js").Feed} feed */
  add(feed) {
    if (feed !== this.feed || !this.past || this.isFirstPageMissing) return;
    if (feed.decimals !== this.decimals) this.#setDigits();
    const point = feed.points[feed.points.length - 1];
    const bar = point && this.past.add(point);
    if (!bar) return;
    this.series.update(this.#drawn(bar));
    this.#describe();
    if (this.past.bars.length > MOST_BARS) {
      this.past.bars = this.past.bars.slice(-MOST_BARS / 2);
      this.past.isWhole = false;
      this.#setData();
    }
    this.tell();
  }

  /** @param {any[]} gaps Of the ticker that is shown. */
  showGaps(gaps) {
    this.gaps = gaps;
    this.bands.show(gaps, LENGTHS_MS[this.resolution], colour("band"));
  }

  get isFirstPageMissing() {
    return this.element.dataset.loading === "first";
  }

  /** @param {() => Promise<void>} work */
  async #load(work) {
    const { signal } = this.asking;
    this.isAsking = true;
    this.refused.hidden = true;
    this.element.dataset.loading = this.past?.bars.length ? "more" : "first";
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refused)) throw error;
      this.refused.hidden = false;
    } finally {
      if (!signal.aborted) {
        this.isAsking = false;
        delete this.element.dataset.loading;
      }
    }
  }

  #setData() {
    if (!this.past) return;
    this.series.setData(this.past.bars.map((bar) => this.#drawn(bar)));
    this.#describe();
    this.#setDigits();
    this.tell();
  }

  /** As many digits as the feed has: its first prices may have fewer than those that follow. */
  #setDigits() {
    const decimals = this.feed?.decimals ?? 2;
    this.decimals = decimals;
    this.series.applyOptions({
      priceFormat: { type: "custom", minMove: 10 ** -decimals, formatter: (/** @type {number} */ value) => price(value, decimals) },
    });
  }

  /** How many bars there are, from which second to which: a canvas says nothing of what it shows. */
  #describe() {
    const bars = this.past?.bars ?? [];
    Object.assign(this.element.dataset, { bars: bars.length, first: bars[0]?.time ?? "", last: bars[bars.length - 1]?.time ?? "" });
  }

  /** @param {import("./past.js").Bar} bar */
  #drawn(bar) {
    return this.resolution === "S" ? { time: bar.time, value: bar.close } : { ...bar };
  }

  /** @param {{from: number, to: number} | null} range */
  #onRange(range) {
    const { past } = this;
    if (!range || !past || this.isAsking || past.isWhole || !this.refused.hidden || range.from > NEAR_THE_BEGINNING) return;
    void this.#load(() => past.older(this.asking.signal)).then(() => {
      if (past === this.past) this.#setData();
    });
  }

  #paint() {
    const line = colour("hairline");
    this.chart.applyOptions({
      layout: {
        attributionLogo: false,
        background: { type: ColorType.Solid, color: "transparent" },
        textColor: colour("muted"),
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 12,
      },
      grid: { vertLines: { color: colour("grid") }, horzLines: { color: colour("grid") } },
      crosshair: {
        mode: CrosshairMode.Normal,
        vertLine: { color: colour("muted"), style: LineStyle.Dotted, labelBackgroundColor: colour("raised-solid") },
        horzLine: { color: colour("muted"), style: LineStyle.Dotted, labelBackgroundColor: colour("raised-solid") },
      },
      rightPriceScale: { borderColor: line, scaleMargins: { top: 0.12, bottom: 0.08 } },
      timeScale: { borderColor: line, timeVisible: this.resolution !== "1D", secondsVisible: this.resolution === "S" },
      localization: { locale: language(), timeFormatter: (/** @type {number} */ time) => moment(time * 1000) },
    });
    this.bands.show(this.gaps, LENGTHS_MS[this.resolution], colour("band"));
    if (!this.series) return;
    const [up, down] = [colour("up"), colour("down")];
    if (this.resolution === "S") {
      this.series.applyOptions({
        lineColor: colour("line"), topColor: colour("line-top"), bottomColor: colour("line-bottom"), lineWidth: 2,
        priceLineColor: colour("line"), crosshairMarkerRadius: 4,
      });
    } else {
      this.series.applyOptions({
        upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false,
      });
    }
    this.tell();
  }

  #tell() {
    const decimals = this.feed?.decimals ?? 2;
    const last = this.past?.bars[this.past.bars.length - 1];
    const bar = this.hovered ?? last;
    if (!bar || !this.feed) {
      this.legend.replaceChildren();
      return;
    }
    const parts = [make("span", { class: "legend-time" }, `${moment(bar.time * 1000)} UTC`)];
    if (this.resolution !== "S") {
      for (const name of ["open", "high", "low", "close"]) {
        parts.push(make("span", {}, make("abbr", { title: say(name === "close" ? "close_price" : name) }, say(`${name}_short`)), ` ${price(bar[name], decimals)}`));
      }
    } else {
      parts.push(make("span", {}, price(bar.value ?? bar.close, decimals)));
    }
    this.legend.replaceChildren(...parts);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const scale = this.chart.timeScale();
    const spacing = scale.options().barSpacing;
    const moves = /** @type {Record<string, () => void>} */ ({
      ArrowLeft: () => scale.scrollToPosition(scale.scrollPosition() - STEP, false),
      ArrowRight: () => scale.scrollToPosition(Math.min(4, scale.scrollPosition() + STEP), false),
      "+": () => scale.applyOptions({ barSpacing: Math.min(60, spacing * 1.25) }),
      "=": () => scale.applyOptions({ barSpacing: Math.min(60, spacing * 1.25) }),
      "-": () => scale.applyOptions({ barSpacing: Math.max(0.6, spacing / 1.25) }),
      Home: () => scale.scrollToPosition(-(this.past?.bars.length ?? 0), false),
      // Not by an animation: prices that come meanwhile leave it short of the last bar.
      End: () => scale.scrollToPosition(scale.options().rightOffset, false),
    });
    if (moves[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      moves[event.key]();
    }
  }
}
