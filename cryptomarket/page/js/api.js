// The public API, as any other client asks it. The cookie says who we are; no secret is kept here.

const PATH = new URL("api/v2/", document.baseURI);
let pending = new AbortController();

/** What the gateway has refused, in its own words (RFC 9457). */
export class Refused extends Error {
  /** @param {number} status 0 when nothing has answered. @param {string} detail @param {number} retryS */
  constructor(status, detail, retryS = 0) {
    super(detail);
    this.status = status;
    this.retryS = retryS;
  }
}

/**
 * @param {string} path Below /api/v2/.
 * @param {Record<string, string | number | null | undefined>} [query] What is null is left out.
 * @returns {string}
 */
export function address(path, query = {}) {
  const url = new URL(path, PATH);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** Lets go of whatever has not been answered, as if nobody were there: who signs out wants none of it any more. */
export function letGo() {
  pending.abort();
  pending = new AbortController();
}

/**
 * Asks, and gives the answer's JSON. Throws Refused.
 * @param {string} path
 * @param {{method?: string, query?: Record<string, string | number | null | undefined>, body?: unknown, signal?: AbortSignal}} [how]
 * @returns {Promise<any>}
 */
export async function ask(path, { method = "GET", query = {}, body, signal } = {}) {
  let answer;
  try {
    answer = await fetch(address(path, query), {
      method,
      signal: signal ? AbortSignal.any([signal, pending.signal]) : pending.signal,
      credentials: "same-origin",
      headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, "");
  }
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  throw new Refused(answer.status, told.detail ?? "", Number(answer.headers.get("Retry-After") ?? 0));
}

/** An answer, or null where it was refused: what is shown without it is right, too. @param {Promise<any>} answer */
export async function asked(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refused || error instanceof TypeError) return null;
    throw error;
  }
}

/** The name of a ticker as a piece of a path. @param {string} ticker */
export function named(ticker) {
  return encodeURIComponent(ticker);
}
