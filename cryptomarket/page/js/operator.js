// The operator's page: asks how the gateway is, now and then, for as long as somebody looks.

import { Refused, ask } from "./api.js";
import { put, the } from "./elements.js";
import { introduce } from "./exchange.js";
import { Jobs } from "./jobs.js";
import { startLooks } from "./looks.js";
import { Notes } from "./notes.js";
import { showDemand, showParts, showSlots } from "./panels.js";
import { Door, rememberSignedIn, signOut, wasSignedIn } from "./signing.js";
import { Tiles } from "./tiles.js";
import { Timeline } from "./timeline.js";
import { onLanguage, say, translate } from "./words.js";

const PERIOD_MS = 2000;
const PERIODS_OF_GAPS = 5;

const notes = new Notes(the("notes"));
const tiles = new Tiles(the("tiles"));
const timeline = new Timeline({
  place: the("timeline"), empty: the("timeline-empty"), count: the("timeline-count"), reach: the("reach"),
});
const jobs = new Jobs({ body: the("jobs-body"), empty: the("jobs-empty") });

let next = 0;
let round = 0;
/** @type {{operation: any, readiness: any} | null} What was told last. */
let told = null;

async function look() {
  clearTimeout(next);
  try {
    const [operation, readiness] = await Promise.all([ask("operation"), parts()]);
    told = { operation, readiness };
    tiles.take(operation);
    if (round % PERIODS_OF_GAPS === 0) await Promise.all([timeline.refresh(), jobs.refresh()]);
    round += 1;
    show();
    become("open");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 401 || error.status === 403) {
      // Who is no operator is somebody all the same, on the page of prices.
      if (error.status === 401) rememberSignedIn(false);
      leave(error.status === 403 ? say("operator_wrong_scope") : "");
      return;
    }
    become("lost");
  }
  if (!document.hidden) next = setTimeout(() => void look(), PERIOD_MS);
}

/** What each part says of itself, ready or not. */
async function parts() {
  const answer = await fetch(new URL("ready", document.baseURI)).catch(() => null);
  return (await answer?.json().catch(() => null))?.parts ?? {};
}

function show() {
  if (!told) return;
  showParts(the("parts"), told.readiness);
  tiles.show();
  showSlots(the("slots"), told.operation.slots);
  showDemand({ list: the("demand"), empty: the("demand-empty"), count: the("demand-count") }, told.operation);
}

/** @param {string} state */
function become(state) {
  the("link").dataset.state = state;
  put(the("link-words"), say(`operator_link_${state}`));
}

async function enter() {
  round = 0;
  the("door").hidden = true;
  the("desk").hidden = false;
  the("account").hidden = false;
  await look();
}

/** @param {string} why */
function leave(why) {
  clearTimeout(next);
  told = null;
  the("desk").hidden = true;
  the("account").hidden = true;
  the("door").hidden = false;
  put(the("sign-in-wrong"), why);
  become("closed");
}

new Door(
  { form: the("sign-in"), fields: [the("api-key")], wrong: the("sign-in-wrong"), submit: the("enter") },
  ([api_key]) => ({ grant_type: "api_key", api_key }),
  () => void enter(),
);
startLooks();
the("leave").addEventListener("click", async () => {
  clearTimeout(next);
  if (await signOut(the("leave"))) return leave("");
  notes.tell(say("sign_out_failed"), "bad");
  void look();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !the("desk").hidden) void look();
});
onLanguage(() => {
  become(the("link").dataset.state);
  show();
  timeline.show();
  jobs.show();
});
translate(document);
become("closed");
document.body.classList.remove("is-starting");
void introduce();
if (wasSignedIn()) void enter();
else leave("");
