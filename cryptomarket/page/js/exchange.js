// What anybody may know: which exchange is behind, and whether its prices are made up.

import { asked } from "./api.js";
import { put, the } from "./elements.js";
import { onLanguage, say } from "./words.js";

let exchange = "";

/** Says it at the head of the page. @returns {Promise<boolean>} Whether the exchange is the simulator. */
export async function introduce() {
  const health = await asked(fetch(new URL("health", document.baseURI)).then((answer) => answer.json()));
  if (!health) return false;
  exchange = health.exchange;
  the("simulated").hidden = !health.simulated;
  describe();
  return health.simulated;
}

function describe() {
  the("exchange").hidden = exchange === "";
  the("exchange").dataset.exchange = exchange;
  put(the("exchange"), exchange && say(`exchange_${exchange}`));
}

onLanguage(describe);
