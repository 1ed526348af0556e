// The newest runs of jobs, for operators.

import { Refused } from "./api.js";
import { make, put } from "./elements.js";
import { duration, moment } from "./numbers.js";
import { say } from "./words.js";

const PATH = "workers/tasks";
const SHOWN = 40;

export class Jobs {
  /** @param {{body: HTMLElement, empty: HTMLElement}} parts */
  constructor(parts) {
    this.parts = parts;
    /** @type {any[]} */
    this.runs = [];
    /** Why the runs can't be told just now, in the gateway's words. */
    this.refusal = "";
  }

  async refresh() {
    const answer = await fetch(new URL(PATH, document.baseURI), { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer) throw new Refused(0, "");
    const told = await answer.json().catch(() => ({}));
    if (answer.status === 401 || answer.status === 403) throw new Refused(answer.status, told.detail ?? "");
    this.refusal = answer.ok ? "" : told.detail ?? String(answer.status);
    if (answer.ok) this.runs = told.tasks;
    this.show();
  }

  /** What was told last stays, below it why there is nothing newer. */
  show() {
    put(this.parts.empty, this.refusal || say("jobs_empty"));
    this.parts.empty.hidden = this.runs.length > 0 && this.refusal === "";
    this.parts.body.replaceChildren(...this.runs.slice(0, SHOWN).map(row));
  }
}

/** @param {any} run */
function row(run) {
  const { started, finished } = run;
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
