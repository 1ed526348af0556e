// Numbers and times as people read them. Times are UTC throughout, as everything that the gateway says.

import { language } from "./words.js";

const NONE = "–";

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** @param {Intl.NumberFormatOptions} options */
function format(options) {
  const key = language() + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.NumberFormat(language(), options)));
  return found;
}

/** How many digits a number has behind its point, at most eight. @param {number} value */
export function decimalsOf(value) {
  const [digits, exponent = "0"] = String(Math.abs(value)).split("e");
  const behind = (digits.split(".")[1] ?? "").length - Number(exponent);
  return Math.min(8, Math.max(0, behind));
}

/** @param {number | null | undefined} value @param {number} decimals */
export function price(value, decimals) {
  if (value === null || value === undefined) return NONE;
  return format({ minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value);
}

/** A number of no fixed kind, to six significant digits behind the point. @param {number | null | undefined} value */
export function number(value) {
  return value === null || value === undefined ? NONE : format({ maximumFractionDigits: 6 }).format(value);
}

/** An amount in few characters: 12.3K. @param {number | null | undefined} value */
export function amount(value) {
  if (value === null || value === undefined) return NONE;
  return format({ notation: "compact", maximumSignificantDigits: 3 }).format(value);
}

/** A change in percent, with its sign. @param {number | null | undefined} value */
export function percent(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  return format({ style: "percent", signDisplay: "exceptZero", minimumFractionDigits: 2, maximumFractionDigits: 2 })
    .format(value / 100);
}

/** @param {number} ms @returns {string} 12:05:13.481 */
export function clock(ms) {
  return new Date(ms).toISOString().slice(11, 23);
}

/** @param {number | null | undefined} ms @returns {string} 2026-11-21 12:05:13 */
export function moment(ms) {
  return ms === null || ms === undefined ? NONE : new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

const STEPS = /** @type {const} */ ([
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
]);

/** A length of time in its one or two largest units. @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 10_000) return unit(ms / 1000, "second", 1);
  if (ms < 60_000) return unit(Math.floor(ms / 1000), "second", 0);
  const parts = [];
  let left = ms;
  for (const [name, length] of STEPS) {
    const count = Math.floor(left / length);
    left -= count * length;
    if (count > 0) parts.push(unit(count, name, 0));
  }
  if (parts.length < 2 && left >= 1000) parts.push(unit(Math.floor(left / 1000), "second", 0));
  return parts.slice(0, 2).join(" ");
}

/** @param {number} value @param {string} name @param {number} decimals */
function unit(value, name, decimals) {
  return format({
    style: "unit", unit: name, unitDisplay: "short", minimumFractionDigits: decimals, maximumFractionDigits: decimals,
  }).format(value);
}
