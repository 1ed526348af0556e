// The plain panels of the operator's page: parts, sessions, and channels held against wanted.

import { make, put } from "./elements.js";
import { duration } from "./numbers.js";
import { say } from "./words.js";

// What the gateway says of a part that is as it should be. Anything else is told in the gateway's own words.
const DETAILS = {
  answers: /^answers$/,
  sessions: /^(?<n>\d+) of (?<all>\d+) sessions$/,
  behind: /^(?<n>\d+) ms behind$/,
  clock: /^the clock was looked at (?<n>[\d.]+) s ago$/,
};

/** @param {string} detail */
function inWords(detail) {
  for (const [name, pattern] of Object.entries(DETAILS)) {
    const found = pattern.exec(detail);
    if (found) return say(`detail_${name}`, { ...found.groups });
  }
  return detail;
}

/** @param {HTMLElement} list @param {Record<string, {ready: boolean, detail: string}>} parts */
export function showParts(list, parts) {
  list.replaceChildren(
    ...Object.entries(parts).map(([name, { ready, detail }]) =>
      make(
        "li",
        { class: "part", "data-ready": String(ready) },
        make("span", { class: "state", "data-state": ready ? "ready" : "down" }, say(`part_${name}`)),
        make("span", { class: "part-detail" }, inWords(detail)),
      ),
    ),
  );
}

/** @param {HTMLElement} list @param {any[]} slots */
export function showSlots(list, slots) {
  // The sessions share what is heard: a meter is a slot's share of all channels.
  const all = Math.max(1, slots.reduce((sum, slot) => sum + slot.channels, 0));
  list.replaceChildren(
    ...slots.map((slot) =>
      make(
        "li",
        { class: "slot", "data-slot": slot.slot, "data-state": slot.session_state },
        make(
          "div",
          { class: "slot-head" },
          make("span", { class: "slot-name" }, String(slot.slot)),
          make("span", { class: "slot-purpose" }, say(`purpose_${slot.purpose}`)),
        ),
        make("span", { class: "state", "data-state": slot.session_state === "ready" ? "ready" : "stale" }, say(`session_${slot.session_state}`)),
        make("span", { class: "slot-since" }, duration(Date.now() - slot.since_ms)),
        make("span", { class: "slot-owner", title: say("slot_owner") }, slot.owner ?? say("slot_free")),
        make(
          "div",
          { class: "slot-channels" },
          make("meter", { min: 0, max: all, value: slot.channels, "aria-label": say("channels_of", { n: slot.channels, all }) }),
          make("span", {}, say("channels", { n: slot.channels })),
        ),
      ),
    ),
  );
}

/** @param {{list: HTMLElement, empty: HTMLElement, count: HTMLElement}} parts @param {{wanted: string[], held: string[]}} told */
export function showDemand({ list, empty, count }, { wanted, held }) {
  const all = [...new Set([...wanted, ...held])].sort();
  const [isWanted, isHeld] = [new Set(wanted), new Set(held)];
  empty.hidden = all.length > 0;
  put(count, say("demand_count", { held: held.length, wanted: wanted.length }));
  list.replaceChildren(
    ...all.map((ticker) => {
      const how = !isHeld.has(ticker) ? "missing" : isWanted.has(ticker) ? "held" : "lingering";
      return make("li", { class: "channel", "data-how": how }, ticker, how === "held" ? null : make("span", {}, say(`channel_${how}`)));
    }),
  );
}
