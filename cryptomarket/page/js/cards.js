// The cards of the saved set: one for each ticker, drawn once and then only touched where something has changed.

import { beforePaint, make, put } from "./elements.js";
import { amount, duration, moment, percent, price } from "./numbers.js";
import { Sparkline } from "./sparkline.js";
import { onLanguage, say } from "./words.js";

const DAY_MS = 86_400_000;
const LOOK_MS = 1000;
const FLASH_MS = 700;

class Card {
  /** @param {import("./market.js").Feed} feed @param {Cards} cards */
  constructor(feed, cards) {
    this.feed = feed;
    this.shownTicks = -1;
    this.shownPrice = feed.price;
    this.flashing = 0;
    this.spark = new Sparkline();
    this.open = make("button", { class: "card-open", type: "button", onclick: () => cards.choose(feed.ticker) }, feed.ticker);
    this.kind = make("span", { class: "card-kind" });
    this.state = make("span", { class: "state" });
    this.age = make("span", { class: "card-age" });
    this.price = make("span", { class: "card-price" });
    this.change = make("span", { class: "change" });
    this.since = make("span", { class: "change-since" });
    this.bid = make("dd");
    this.ask = make("dd");
    this.bidLabel = make("dt");
    this.askLabel = make("dt");
    this.book = make("dl", { class: "card-book" }, this.bidLabel, this.bid, this.askLabel, this.ask);
    this.cancel = make("button", { class: "card-cancel", type: "button", onclick: () => cards.onCancel(feed.ticker) }, "×");
    this.element = make(
      "li",
      { class: "card", "data-ticker": feed.ticker },
      make("div", { class: "card-head" }, make("h3", {}, this.open), this.kind, this.cancel),
      make("div", { class: "card-body" }, this.price, this.spark.element),
      make("div", { class: "card-foot" }, make("span", { class: "card-change" }, this.change, this.since), this.book),
      make("div", { class: "card-feed" }, this.state, this.age),
    );
  }

  /** @param {boolean} isChosen @param {number} nowMs */
  show(isChosen, nowMs) {
    const { feed } = this;
    this.element.classList.toggle("is-chosen", isChosen);
    if (isChosen) this.open.setAttribute("aria-current", "true");
    else this.open.removeAttribute("aria-current");
    this.#age(nowMs);
    if (this.shownTicks === feed.ticks + feed.points.length + feed.decimals) return;
    this.shownTicks = feed.ticks + feed.points.length + feed.decimals;
    put(this.price, price(feed.price, feed.decimals));
    this.#flash();
    showChange(feed, this.change, this.since);
    const { tick } = feed;
    this.book.hidden = tick.best_bid_price === undefined && tick.best_ask_price === undefined;
    put(this.bid, side(tick.best_bid_price, tick.best_bid_amount, feed.decimals));
    put(this.ask, side(tick.best_ask_price, tick.best_ask_amount, feed.decimals));
    put(this.kind, tick.kind ? say(`kind_${tick.kind}`) : "");
    this.spark.show(feed.points.slice(-300));
  }

  /** @param {number} nowMs */
  #age(nowMs) {
    const { feed } = this;
    this.state.dataset.state = feed.state;
    put(this.state, say(`state_${feed.state}`));
    put(this.age, feed.receivedMs === null ? "" : duration(Math.max(0, nowMs - feed.receivedMs)));
  }

  #flash() {
    const { feed } = this;
    if (this.shownPrice !== null && feed.price !== this.shownPrice) {
      this.price.dataset.flash = feed.direction > 0 ? "up" : "down";
      clearTimeout(this.flashing);
      this.flashing = setTimeout(() => delete this.price.dataset.flash, FLASH_MS);
    }
    this.shownPrice = feed.price;
  }

  /** All words anew, in the language of now. */
  retell() {
    this.shownTicks = -1;
    put(this.bidLabel, say("bid"));
    put(this.askLabel, say("ask"));
    this.cancel.setAttribute("aria-label", say("cancel_ticker", { ticker: this.feed.ticker }));
    this.cancel.title = say("cancel_ticker", { ticker: this.feed.ticker });
  }
}

/** The change, and beside it since when. @param {import("./market.js").Feed} feed @param {HTMLElement} value @param {HTMLElement} since */
export function showChange(feed, value, since) {
  const { change } = feed;
  put(value, change ? percent(change.percent) : "");
  value.dataset.way = change && change.percent !== 0 ? (change.percent > 0 ? "up" : "down") : "none";
  if (!change) return put(since, "");
  const time = moment(change.sinceMs);
  const isToday = Date.now() - change.sinceMs < DAY_MS;
  put(since, change.isOverDay ? say("change_day") : say("change_since", { time: isToday ? time.slice(11, 16) : time.slice(0, 16) }));
  since.title = say("change_from", { time });
}

/** @param {number | null | undefined} value @param {number | null | undefined} size @param {number} decimals */
function side(value, size, decimals) {
  return value === null || value === undefined ? "–" : `${price(value, decimals)} × ${amount(size)}`;
}

export class Cards {
  /**
   * @param {HTMLElement} list
   * @param {import("./market.js").Market} market
   * @param {{onChoose: (ticker: string) => void, onCancel: (ticker: string) => void}} told
   */
  constructor(list, market, { onChoose, onCancel }) {
    this.list = list;
    this.market = market;
    this.onChoose = onChoose;
    this.onCancel = onCancel;
    this.chosen = "";
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    /** Draws what has changed, before the next picture. */
    this.refresh = beforePaint(() => this.#draw());
    setInterval(this.refresh, LOOK_MS);
    onLanguage(() => {
      for (const card of this.cards.values()) card.retell();
      this.refresh();
    });
    list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** @param {string} ticker */
  choose(ticker) {
    this.chosen = ticker;
    this.onChoose(ticker);
    this.refresh();
  }

  #draw() {
    for (const [ticker, card] of this.cards) {
      if (this.market.of(ticker) !== card.feed) {
        card.element.remove();
        this.cards.delete(ticker);
      }
    }
    let place = 0;
    for (const [ticker, feed] of this.market.feeds) {
      let card = this.cards.get(ticker);
      if (!card) {
        card = new Card(feed, this);
        card.retell();
        this.cards.set(ticker, card);
      }
      if (this.list.children[place] !== card.element) this.list.insertBefore(card.element, this.list.children[place] ?? null);
      card.show(ticker === this.chosen, this.market.nowMs);
      place += 1;
    }
  }

  /** Arrows go from card to card, Delete cancels. @param {KeyboardEvent} event */
  #onKey(event) {
    const card = /** @type {HTMLElement} */ (event.target).closest(".card");
    if (!card) return;
    const cards = [...this.list.children];
    const place = cards.indexOf(card);
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: cards.length - 1 }[event.key];
    if (to !== undefined && cards[to]) {
      event.preventDefault();
      /** @type {HTMLElement} */ (cards[to].querySelector(".card-open")).focus();
    } else if (event.key === "Delete") {
      this.onCancel(/** @type {HTMLElement} */ (card).dataset.ticker ?? "");
    }
  }
}
