// How long a bar is: the usual lengths beside each other, all of them in a list.

import { make } from "./elements.js";
import { LENGTHS_MS } from "./past.js";
import { onLanguage, say } from "./words.js";

const USUAL = ["S", "1", "5", "15", "60", "1D"];
const ALL = ["S", "1", "3", "5", "10", "15", "30", "60", "120", "180", "360", "720", "1D"];

export class Lengths {
  /** @param {HTMLElement} group @param {HTMLSelectElement} list @param {string} chosen @param {(length: string) => void} onChoose */
  constructor(group, list, chosen, onChoose) {
    this.group = group;
    this.list = list;
    this.chosen = chosen in LENGTHS_MS ? chosen : "S";
    this.onChoose = onChoose;
    list.addEventListener("change", () => this.#choose(list.value));
    group.addEventListener("keydown", (event) => this.#onKey(event));
    onLanguage(() => this.#draw());
    this.#draw();
  }

  /** @param {string} length */
  #choose(length) {
    this.chosen = length;
    this.#draw();
    this.onChoose(length);
  }

  #draw() {
    const stop = USUAL.includes(this.chosen) ? this.chosen : USUAL[0];
    const hadFocus = this.group.contains(document.activeElement);
    this.group.replaceChildren(
      ...USUAL.map((length) =>
        make(
          "button",
          {
            type: "button", role: "radio", "data-length": length, "aria-checked": String(length === this.chosen),
            tabindex: length === stop ? 0 : -1, onclick: () => this.#choose(length),
          },
          say(`length_${length}`),
        ),
      ),
    );
    if (hadFocus) /** @type {HTMLElement} */ (this.group.querySelector("[tabindex='0']")).focus();
    this.list.replaceChildren(...ALL.map((length) => make("option", { value: length }, say(`length_${length}`))));
    this.list.value = this.chosen;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const place = Math.max(0, USUAL.indexOf(this.chosen));
    this.#choose(USUAL[(place + step + USUAL.length) % USUAL.length]);
  }
}
