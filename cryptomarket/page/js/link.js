// The connection as people see it: live, lost, and how it came back.

import { put } from "./elements.js";
import { duration } from "./numbers.js";
import { say } from "./words.js";

// Long enough for what was caught up on to be stored, and for the first live event after it.
const SETTLED_MS = 1500;

export class Link {
  /**
   * @param {HTMLElement} element @param {HTMLElement} words
   * @param {(text: string, mood: "good" | "plain") => void} tell @param {() => void} onReturn Told when all was caught up on.
   */
  constructor(element, words, tell, onReturn) {
    this.element = element;
    this.words = words;
    this.tell = tell;
    this.onReturn = onReturn;
    this.state = "closed";
    this.lastId = "";
    /** @type {{lostAt: number, caughtUp: number} | null} What a return is measured by. */
    this.away = null;
  }

  /** @param {string} state @param {string} lastId */
  become(state, lastId) {
    this.state = state;
    this.lastId = lastId;
    if (state === "lost" && !this.away) this.away = { lostAt: performance.now(), caughtUp: 0 };
    if (state === "closed") this.away = null;
    this.describe();
  }

  describe() {
    this.element.dataset.state = this.state;
    put(this.words, this.state === "lost" ? say("link_lost", { id: this.lastId }) : say(`link_${this.state}`));
  }

  /** An event of the order came. */
  count() {
    if (this.away) this.away.caughtUp += 1;
  }

  /** The stream is back. @param {string} how `complete`, `reset` or `fresh`. */
  connected(how) {
    const { away } = this;
    if (!away) return;
    const time = duration(performance.now() - away.lostAt);
    setTimeout(() => {
      if (this.away !== away || this.state !== "open") return;
      this.away = null;
      this.element.dataset.resume = how;
      if (how === "complete") this.tell(say("returned_complete", { n: away.caughtUp, time }), "good");
      else this.tell(say("returned_reset", { time }), "plain");
      this.onReturn();
    }, SETTLED_MS);
  }
}
