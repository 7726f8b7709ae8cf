// Signing in, on a till that knows its cashiers.

import { post } from "./delivery.js";
import { $ } from "./dom.js";
import { t } from "./language.js";
import { state } from "./state.js";

/** Whose PIN this is, or why not, as a sentence. */
export async function signIn(cashier, pin) {
  const answer = await post("/v1/cashiers/sign-in", { cashier, pin });
  if (answer?.status === 200) return { found: answer.body };
  const problems = { 403: t("pin.wrong"), 429: answer?.body.error?.message };
  return { problem: problems[answer?.status] ?? answer?.body.error?.message ?? t("state.silent") };
}

export function askToSignIn() {
  $("cashier").readOnly = true;
  $("menu-sign-out-item").hidden = false;
  const known = sessionStorage.getItem("greentill.signed-in");
  if (known) $("cashier").value = known;
  else if (!$("signing").open) $("signing").showModal();
}

export function wireSignIn() {
  $("sign-in").onsubmit = async (event) => {
    event.preventDefault();
    const { found, problem } = await signIn($("sign-in-cashier").value.trim(), $("sign-in-pin").value);
    $("sign-in-pin").value = "";
    $("sign-in-problem").textContent = problem ?? "";
    if (!found) return;
    sessionStorage.setItem("greentill.signed-in", found.cashier);
    $("cashier").value = found.cashier;
    $("cashier").title = found.name;
    $("signing").close();
  };
  $("menu-sign-out").onclick = () => {
    sessionStorage.removeItem("greentill.signed-in");
    $("menu").close();
    if (state.till.sign_in) askToSignIn();
  };
}
