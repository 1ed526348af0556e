// The proof that nothing is missing: every event of a ticker names the one before it.

export class Ledger {
  constructor() {
    /** Events that were proven to follow their predecessor. */
    this.proven = 0;
    /** Events whose predecessor never came. */
    this.holes = 0;
    /** @type {Map<string, number | null>} */
    this.last = new Map();
  }

  /** A new order begins: nothing of the old one is compared with it, nor counted. */
  reset() {
    this.proven = 0;
    this.holes = 0;
    this.last.clear();
  }

  /** A snapshot tells which event the next one follows. @param {string} ticker @param {number | null} seq */
  begin(ticker, seq) {
    this.last.set(ticker, seq);
  }

  /** A ticker that left is not followed any more. @param {string} ticker */
  end(ticker) {
    this.last.delete(ticker);
  }

  /**
   * Takes an event's place, and says whether its predecessor is the one that came last.
   * @param {string} ticker
   * @param {number | null} seq Null for what a process tells by itself: it stands in no order.
   * @param {number | null} before
   */
  take(ticker, seq, before) {
    if (seq === null) return true;
    const known = this.last.get(ticker);
    this.last.set(ticker, seq);
    if (known === undefined) return true;
    if (known !== before) {
      this.holes += 1;
      return false;
    }
    this.proven += 1;
    return true;
  }
}
