// Making this device a terminal of the till, and, on the till itself, the code for it.

import { keepToken, post } from "./delivery.js";
import { $ } from "./dom.js";
import { t } from "./language.js";

export function askToPair() {
  if (!$("pairing").open) $("pairing").showModal();
}

async function pair(event, meet) {
  event.preventDefault();
  const terminal = $("pair-terminal").value.trim();
  const answer = await post("/v1/terminals/pair", { code: $("pair-code").value.trim(), terminal });
  $("pair-problem").textContent = answer?.status === 201 ? "" : (answer?.body.error?.message ?? t("state.silent"));
  if (answer?.status !== 201) return;
  keepToken(answer.body.token);
  localStorage.setItem("greentill.terminal", terminal);
  $("pairing").close();
  meet();
}

async function makeCode() {
  const answer = await post("/v1/terminals/codes", {});
  const { code, url } = answer?.body ?? {};
  $("menu-pairing").hidden = false;
  $("menu-pairing").textContent = code ? t("pair.show", { code, url }) : (answer?.body.error?.message ?? t("state.silent"));
}

export function wirePairing(meet) {
  $("pair").onsubmit = (event) => pair(event, meet);
  $("menu-code").onclick = makeCode;
}
