// Signing in: with a key pair of the exchange, with a key of this gateway, or as a demo account of the simulator. What is
// typed goes to the gateway once, over the public API, and is taken out of the page at once; what stays is a cookie
// that no script can read.

import { Refused, ask, letGo } from "./api.js";
import { make, put } from "./elements.js";
import { recall, remember } from "./memory.js";
import { say } from "./words.js";

const DEMO_ACCOUNTS = [1, 2, 3];

/** Whether somebody was signed in here when the page was left; not who, and nothing that proves it. */
export function wasSignedIn() {
  return recall("signed-in") === "yes";
}

/** @param {boolean} isSignedIn */
export function rememberSignedIn(isSignedIn) {
  remember("signed-in", isSignedIn ? "yes" : null);
}

/** Takes a token of the grant as a cookie. Throws Refused. @param {Record<string, string>} grant */
export async function signIn(grant) {
  const told = await ask("auth/token", { method: "POST", query: { cookie: "true" }, body: grant });
  rememberSignedIn(true);
  return { userId: told.user_id, scope: String(told.scope).split(" ") };
}

/**
 * Ends the token, after whatever was still asked with it.
 * @param {HTMLButtonElement} button Asked with, and no second time meanwhile.
 * @returns {Promise<boolean>} Whether it is dead now. Otherwise whoever comes here next would be this person.
 */
export async function signOut(button) {
  button.disabled = true;
  letGo();
  try {
    await ask("auth/revoke", { method: "POST" });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status !== 401) return false;
  } finally {
    button.disabled = false;
  }
  rememberSignedIn(false);
  return true;
}

/** What a refusal means to somebody who signs in. @param {Refused} refused */
export function whyNot(refused) {
  switch (refused.status) {
    case 401:
      return say("sign_in_unknown");
    case 429:
      return say("sign_in_slow_down", { n: Math.ceil(refused.retryS) });
    case 0:
    case 503:
      return refused.status === 0 ? say("away") : say("sign_in_exchange_away");
    default:
      return refused.message;
  }
}

export class Door {
  /**
   * @param {{form: HTMLFormElement, fields: HTMLInputElement[], wrong: HTMLElement, submit: HTMLButtonElement, demo?: HTMLElement, demoNames?: HTMLElement}} parts
   * @param {(values: string[]) => Record<string, string>} grantOf What the fields ask for.
   * @param {() => void} onEntered
   */
  constructor(parts, grantOf, onEntered) {
    this.parts = parts;
    this.onEntered = onEntered;
    parts.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const values = parts.fields.map((field) => field.value.trim());
      const missing = parts.fields[values.indexOf("")];
      if (missing) missing.focus();
      else void this.enter(grantOf(values));
    });
  }

  /** Offers the simulator's accounts by name. Their secrets are public: they open nothing but made-up prices. */
  offerDemo() {
    const { demo, demoNames } = this.parts;
    if (!demo || !demoNames) return;
    demo.hidden = false;
    demoNames.replaceChildren(
      ...DEMO_ACCOUNTS.map((number) =>
        make(
          "button",
          {
            type: "button",
            class: "button",
            onclick: () =>
              void this.enter({
                grant_type: "client_credentials", client_id: `demo-${number}`, client_secret: `demo-${number}-secret`,
              }),
          },
          `demo-${number}`,
        ),
      ),
    );
  }

  /** @param {Record<string, string>} grant */
  async enter(grant) {
    const { wrong, submit, form } = this.parts;
    put(wrong, "");
    submit.disabled = true;
    form.setAttribute("aria-busy", "true");
    try {
      await signIn(grant);
      for (const field of this.parts.fields) field.value = "";
      this.onEntered();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      put(wrong, whyNot(error));
      this.parts.fields[this.parts.fields.length - 1].value = "";
      this.parts.fields[0].focus();
    } finally {
      submit.disabled = false;
      form.removeAttribute("aria-busy");
    }
  }
}
