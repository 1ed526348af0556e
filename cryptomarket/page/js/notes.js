// Short notes that come and go; a screen reader says them when it is quiet.

import { make } from "./elements.js";
import { say } from "./words.js";

const LIFE_MS = 7000;
const MOST = 3;

export class Notes {
  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place;
  }

  /** @param {string} text @param {"good" | "bad" | "plain"} [mood] */
  tell(text, mood = "plain") {
    const close = make("button", { type: "button", class: "note-close", "aria-label": say("close"), onclick: () => note.remove() }, "×");
    const note = make("div", { class: "note", "data-mood": mood }, make("p", {}, text), close);
    this.place.append(note);
    while (this.place.children.length > MOST) this.place.firstElementChild?.remove();
    setTimeout(() => note.remove(), LIFE_MS);
  }
}
