// What the browser remembers of this page: looks and choices, never who somebody is or what he knows.

const PREFIX = "cryptomarket.";

/** @param {string} name @param {string} [otherwise] @returns {string} */
export function recall(name, otherwise = "") {
  try {
    return localStorage.getItem(PREFIX + name) ?? otherwise;
  } catch {
    return otherwise; // a browser that remembers nothing
  }
}

/** @param {string} name @param {string | null} value Null forgets. */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // The choice holds until the page is left.
  }
}
