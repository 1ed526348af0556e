// The stream: the browser's own EventSource, which comes back by itself with the last id it got. Where it gives up for
// good (a proxy's 502, a 503 while the gateway starts), a new one continues from the same id.

const EVENTS = [
  "connected", "snapshot", "message", "status", "gap", "subscribed", "unsubscribed", "keep_alive", "problem",
  "disconnected",
];
// The gateway says something every seven seconds. A connection silent for longer than this is dead, whatever it says.
const SILENCE_MS = 25_000;
const LOOK_MS = 5_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

/** @typedef {"connecting" | "open" | "lost" | "closed"} State */

export class Stream {
  /**
   * @param {string} address
   * @param {{
   *   onEvent: (name: string, data: any, id: string) => void,
   *   onState: (state: State) => void,
   *   mayReturn: () => Promise<boolean>,
   * }} told `mayReturn` is asked before a new attempt after a refusal: whether we are still known.
   */
  constructor(address, told) {
    this.address = address;
    this.told = told;
    /** @type {EventSource | null} */
    this.source = null;
    this.lastId = "";
    this.pauseMs = FIRST_PAUSE_MS;
    this.heardAt = 0;
    /** @type {State} */
    this.state = "closed";
    this.returning = 0;
    this.looking = 0;
    this.soon = () => this.#hurry();
  }

  open() {
    addEventListener("online", this.soon);
    this.looking = setInterval(() => this.#look(), LOOK_MS);
    this.#connect("connecting");
  }

  close() {
    removeEventListener("online", this.soon);
    clearInterval(this.looking);
    clearTimeout(this.returning);
    this.returning = 0;
    this.source?.close();
    this.source = null;
    this.#become("closed");
  }

  /** @param {State} state */
  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.told.onState(state);
  }

  /** @param {State} state */
  #connect(state) {
    this.#become(state);
    this.heardAt = performance.now();
    const url = new URL(this.address);
    if (this.lastId) url.searchParams.set("last_event_id", this.lastId);
    const source = new EventSource(url);
    this.source = source;
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => this.#heard(source, name, /** @type {MessageEvent} */ (event)));
    }
    source.onerror = () => this.#failed(source);
  }

  /** @param {EventSource} source @param {string} name @param {MessageEvent} event */
  #heard(source, name, event) {
    if (source !== this.source) return;
    this.heardAt = performance.now();
    if (event.lastEventId) this.lastId = event.lastEventId;
    if (name === "connected") {
      this.pauseMs = FIRST_PAUSE_MS;
      this.#become("open");
    }
    this.told.onEvent(name, JSON.parse(event.data), event.lastEventId);
  }

  /** @param {EventSource} source */
  #failed(source) {
    if (source !== this.source) return;
    this.heardAt = performance.now();
    this.#become("lost");
    if (source.readyState === EventSource.CLOSED) this.#returnLater();
  }

  #returnLater() {
    this.source?.close();
    this.source = null;
    const pauseMs = this.pauseMs * (0.5 + Math.random());
    this.pauseMs = Math.min(LONGEST_PAUSE_MS, this.pauseMs * 2);
    this.returning = setTimeout(() => this.#return(), pauseMs);
  }

  async #return() {
    this.returning = 0;
    const mayReturn = await this.told.mayReturn();
    if (this.state !== "lost" || this.source) return;
    if (mayReturn) this.#connect("lost");
    else this.#returnLater();
  }

  #hurry() {
    if (this.returning) {
      clearTimeout(this.returning);
      void this.#return();
    }
  }

  #look() {
    if (this.source?.readyState === EventSource.OPEN && performance.now() - this.heardAt > SILENCE_MS) {
      this.#become("lost");
      this.source.close();
      this.#connect("lost");
    }
  }
}
