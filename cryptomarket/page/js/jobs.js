// The runs of jobs, where the gateway has any: a gateway without them shows no panel and is asked for none.

import { Refused } from "./api.js";
import { make } from "./elements.js";
import { duration, moment } from "./numbers.js";
import { say } from "./words.js";

const PATH = "/workers/tasks";
const SHOWN = 40;

export class Jobs {
  /** @param {{panel: HTMLElement, body: HTMLElement, empty: HTMLElement}} parts */
  constructor(parts) {
    this.parts = parts;
    this.isThere = false;
    /** @type {any[]} */
    this.runs = [];
  }

  /** The document tells whether there is such an address, so that nothing is asked in vain. */
  async find() {
    const answer = await fetch(new URL("openapi.json", document.baseURI)).catch(() => null);
    this.isThere = Boolean((await answer?.json().catch(() => null))?.paths?.[PATH]?.get);
    this.parts.panel.hidden = !this.isThere;
  }

  async refresh() {
    if (!this.isThere) return;
    const answer = await fetch(new URL(PATH.slice(1), document.baseURI), { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer) throw new Refused(0, "");
    this.parts.panel.hidden = !answer.ok;
    if (!answer.ok) return;
    const told = await answer.json();
    this.runs = Array.isArray(told) ? told : told.tasks ?? told.data ?? told.runs ?? [];
    this.show();
  }

  show() {
    this.parts.empty.hidden = this.runs.length > 0;
    this.parts.body.replaceChildren(...this.runs.slice(0, SHOWN).map(row));
  }
}

/** @param {any} run */
function row(run) {
  const started = time(run.started ?? run.started_ms);
  const finished = time(run.finished ?? run.finished_ms);
  const result = run.error ?? run.result ?? "";
  return make(
    "tr",
    { "data-state": run.state },
    make("td", {}, run.name),
    make("td", {}, make("span", { class: "event-name" }, run.state)),
    make("td", { class: "figure" }, moment(started)),
    make("td", { class: "figure" }, started !== null && finished !== null ? duration(finished - started) : "–"),
    make("td", { class: "job-result" }, typeof result === "string" ? result : JSON.stringify(result)),
  );
}

/** @param {string | number | null | undefined} told @returns {number | null} Milliseconds. */
function time(told) {
  if (told === null || told === undefined) return null;
  return typeof told === "number" ? told : Date.parse(told);
}
