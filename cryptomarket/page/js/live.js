// The live page: who is here, what the stream tells, and what is shown of it.

import { Refused, address, ask, named } from "./api.js";
import { Cards, showChange } from "./cards.js";
import { Chart } from "./chart.js";
import { beforePaint, make, put, the } from "./elements.js";
import { introduce } from "./exchange.js";
import { Exporting } from "./exporting.js";
import { Fields } from "./fields.js";
import { Gaps } from "./gaps.js";
import { Journal } from "./journal.js";
import { Ledger } from "./ledger.js";
import { Lengths } from "./lengths.js";
import { Link } from "./link.js";
import { startLooks } from "./looks.js";
import { Market } from "./market.js";
import { recall, remember } from "./memory.js";
import { Notes } from "./notes.js";
import { price } from "./numbers.js";
import { prices } from "./past.js";
import { Search } from "./search.js";
import { Door, rememberSignedIn, signOut, wasSignedIn } from "./signing.js";
import { Stream } from "./stream.js";
import { startTabs } from "./tabs.js";
import { onLanguage, say, translate } from "./words.js";

const OFFERED = ["btc_usd", "eth_usd", "BTC-PERPETUAL", "ETH-PERPETUAL"];
const DAY_MS = 86_400_000;
const KNOCK_MS = 3000;

const market = new Market();
const ledger = new Ledger();
const notes = new Notes(the("notes"));
const chart = new Chart(
  { element: the("chart"), legend: the("legend"), refused: the("chart-refused"), again: the("chart-again") }, market,
);
const fields = new Fields(the("fields"));
const journal = new Journal(the("log-body"), the("log-empty"), { withTicks: the("log-ticks"), pause: the("log-pause") });
const gaps = new Gaps(
  { body: the("gaps-body"), words: the("gaps-words"), again: the("gaps-again"), count: the("gaps-count") }, market,
  (known) => chart.showGaps(known),
);
const cards = new Cards(the("cards"), market, { onChoose: choose, onCancel: (ticker) => void cancel(ticker) });
const exporting = new Exporting({
  dialog: the("export-dialog"), form: the("export-form"), from: the("export-from"), to: the("export-to"),
  wrong: the("export-wrong"), title: the("export-title"), open: the("export"), close: the("export-close"),
}, market, refused);
const lengths = new Lengths(the("lengths"), the("more-lengths"), recall("length", "S"), (length) => {
  remember("length", length);
  showChart();
});
const link = new Link(the("link"), the("link-words"), (text, mood) => notes.tell(text, mood), () => {
  void chart.refresh();
  void gaps.show(shown);
});
const stream = new Stream(address("sse/connection"), {
  onEvent: hear,
  onState: (state) => link.become(state, stream.lastId),
  mayReturn: isStillKnown,
});
new Search(
  { input: the("search"), list: the("search-list"), hint: the("search-hint") },
  { onChoose: (ticker) => void subscribe(ticker), has: (ticker) => market.feeds.has(ticker) },
);

let shown = "";
let knocking = 0;

const showHead = beforePaint(() => {
  const feed = market.of(shown);
  put(the("proof"), ledger.holes === 0 ? say("proof", { n: ledger.proven }) : say("proof_holes", { n: ledger.holes }));
  the("proof").dataset.holes = ledger.holes;
  the("proof").dataset.proven = ledger.proven;
  if (!feed) return;
  put(the("stage-price"), price(feed.price, feed.decimals));
  showChange(feed, the("stage-change"), the("stage-since"));
  the("chart-empty").hidden = feed.price !== null || chart.isFirstPageMissing;
  document.title = feed.price === null ? "cryptomarket" : `${price(feed.price, feed.decimals)} · ${feed.ticker}`;
});

/** @param {string} name @param {any} data @param {string} id */
function hear(name, data, id) {
  let isWhole = true;
  if (name === "message" || name === "status" || name === "gap") {
    isWhole = ledger.take(data.ticker, data.seq, data.prev_seq);
    link.count();
  }
  HEARERS[name]?.(data);
  journal.add({ ms: market.nowMs, name, ticker: data.ticker ?? "", data, id: name === "connected" ? data.position : id, isWhole });
  showHead();
}

/** @type {Record<string, (data: any) => void>} */
const HEARERS = {
  connected(data) {
    market.setClock(data.server_time_us);
    if (data.resume !== "complete") ledger.reset();
    setTickers(data.tickers);
    link.connected(data.resume);
  },
  snapshot(data) {
    market.snapshot(data);
    ledger.begin(data.ticker, data.last_seq);
    void since(data.ticker);
    cards.refresh();
    fields.refresh();
  },
  message(data) {
    market.tick(data);
    const feed = market.of(data.ticker);
    if (feed) chart.add(feed);
    cards.refresh();
    if (data.ticker === shown) fields.refresh();
  },
  status(data) {
    market.status(data);
    cards.refresh();
  },
  gap(data) {
    gaps.add(data);
  },
  subscribed(data) {
    setTickers(data.tickers);
    choose(data.ticker);
  },
  unsubscribed(data) {
    ledger.end(data.ticker);
    setTickers(data.tickers);
  },
  keep_alive(data) {
    market.keepAlive(data);
    cards.refresh();
  },
  disconnected(data) {
    if (data.reason === "revoked" || data.reason === "expired") void isStillKnown();
  },
};

/** @param {string[]} tickers */
function setTickers(tickers) {
  market.setTickers(tickers);
  the("nothing").hidden = tickers.length > 0;
  put(the("watch-count"), tickers.length > 0 ? tickers.length.toLocaleString() : "");
  if (!market.of(shown)) choose(tickers.includes(recall("ticker")) ? recall("ticker") : tickers[0] ?? "");
  cards.refresh();
}

/** @param {string} ticker */
function choose(ticker) {
  const feed = market.of(ticker);
  the("stage").hidden = !feed;
  if (!feed || ticker === shown) return;
  shown = ticker;
  cards.chosen = ticker;
  remember("ticker", ticker);
  put(the("stage-title"), ticker);
  the("stage").dataset.ticker = ticker;
  exporting.ticker = ticker;
  fields.show(feed);
  void gaps.show(ticker);
  showChart();
  showHead();
}

function showChart() {
  const feed = market.of(shown);
  if (feed) void chart.show(feed, lengths.chosen).then(showHead);
}

/** What a card knows of the past: where its change is measured from, and its last prices. @param {string} ticker */
async function since(ticker) {
  const feed = market.of(ticker);
  if (!feed || feed.isRecalled) return;
  const query = { start: Math.floor(market.nowMs - DAY_MS), order: "asc", limit: 1 };
  const [first, recent] = await Promise.all([prices(ticker, query), prices(ticker, { order: "desc", limit: 300 })]);
  if (!first || !recent) return;
  feed.isRecalled = true;
  feed.from = first[0] ?? null;
  feed.recall(recent.reverse());
  cards.refresh();
  showHead();
}

/** @param {string} ticker */
async function subscribe(ticker) {
  try {
    const told = await ask(`subscriptions/${named(ticker)}`, { method: "PUT" });
    if (!told.created) choose(told.ticker);
  } catch (error) {
    refused(error);
  }
}

/** @param {string} ticker */
async function cancel(ticker) {
  try {
    await ask(`subscriptions/${named(ticker)}`, { method: "DELETE" });
    notes.tell(say("cancelled", { ticker }));
    the("search").focus({ preventScroll: true });
  } catch (error) {
    refused(error);
  }
}

/** @param {unknown} error */
function refused(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) leave();
  else notes.tell(error.status === 0 ? say("away") : error.message, "bad");
}

/** Whether the gateway still knows us. Nobody whom it does not know stays inside. */
async function isStillKnown() {
  try {
    await ask("me");
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) leave();
    return false;
  }
}

/** Inside at once when the gateway knows us. One that does not answer has not said that it does not. */
async function enter() {
  clearTimeout(knocking);
  let me;
  try {
    me = await ask("me");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401) rememberSignedIn(false);
    if (error.status === 401 || error.status === 403) return show("door");
    knocking = setTimeout(() => void enter(), KNOCK_MS * (0.5 + Math.random()));
    return show("away");
  }
  put(the("who"), me.username ?? me.user_id);
  the("who").title = me.email ?? me.user_id;
  show("desk");
  stream.open();
}

function leave() {
  rememberSignedIn(false);
  stream.close();
  stream.lastId = "";
  ledger.reset();
  market.setTickers([]);
  journal.clear();
  shown = "";
  cards.refresh();
  the("stage").hidden = true;
  document.title = "cryptomarket";
  show("door");
}

/** @param {"door" | "away" | "desk"} room */
function show(room) {
  for (const each of ["door", "away", "desk"]) the(each).hidden = each !== room;
  the("account").hidden = room !== "desk";
}

const door = new Door(
  {
    form: the("sign-in"), fields: [the("client-id"), the("client-secret")], wrong: the("sign-in-wrong"), submit: the("enter"),
    demo: the("demo"), demoNames: the("demo-names"),
  },
  ([client_id, client_secret]) => ({ grant_type: "client_credentials", client_id, client_secret }),
  () => void enter(),
);

startLooks();
link.describe();
startTabs(/** @type {HTMLElement} */ (document.querySelector("[role=tablist]")), () => {
  journal.refresh();
  fields.refresh();
});
the("leave").addEventListener("click", async () => {
  // Before the token dies: the stream would be told so, and ask why.
  stream.close();
  if (await signOut(the("leave"))) return leave();
  stream.open();
  notes.tell(say("sign_out_failed"), "bad");
});
the("nothing-names").append(...OFFERED.map((ticker) => make("button", { type: "button", class: "button", onclick: () => void subscribe(ticker) }, ticker)));
onLanguage(() => {
  link.describe();
  showHead();
});
translate(document);
document.body.classList.remove("is-starting");
void introduce().then((isSimulated) => isSimulated && door.offerDemo());
if (wasSignedIn()) void enter();
else show("door");
