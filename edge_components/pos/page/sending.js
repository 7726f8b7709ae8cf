// From the payment to the answer.

import { record } from "./delivery.js";
import { $, make } from "./dom.js";
import { explain, t } from "./language.js";
import { showBasket } from "./lines.js";
import { forgetPending, pending } from "./pending.js";
import { showReceipt } from "./receipt.js";
import { state } from "./state.js";

/** Say what is wrong; `again` offers to send the same once more. */
export function showTrouble(title, text, reasons, { again = true } = {}) {
  $("trouble-title").textContent = title;
  $("trouble-text").textContent = text;
  $("reasons").replaceChildren(...reasons.map((reason) => make("li", reason)));
  $("again").hidden = !again;
  $("trouble").showModal();
}

/** Send what is pending until the till has answered; then show the receipt or what is wrong. */
export async function send(unsent) {
  $("sending-title").textContent = t("sending.title");
  $("sending-text").textContent = t("sending.text");
  if (!$("sending").open) $("sending").showModal();
  const answer = await record(unsent, (attempt, reason) => {
    $("sending-title").textContent = t("sending.no_answer");
    const why = reason ? ` ${reason}` : "";
    $("sending-text").textContent = t("sending.again", { n: attempt + 1 }) + why;
  });
  $("sending").close();
  if (answer.status === 200 || answer.status === 201) return finish(unsent, answer.body);
  const { message, reasons = [] } = answer.body.error ?? { message: `HTTP ${answer.status}` };
  const refund = unsent.path === "/v1/refunds";
  const said = [message, ...reasons.map(explain).filter((text) => text !== message)];
  return showTrouble(t(refund ? "refused.refund" : "refused.title"), t(refund ? "refused.nothing" : "refused.text"), said);
}

function finish(unsent, answer) {
  forgetPending();
  if (unsent.path === "/v1/sales") {
    state.basket.clear();
    showBasket();
  }
  showReceipt(unsent.body, answer, unsent.path === "/v1/refunds" ? "refund" : "sale");
}

export function wireSending() {
  $("again").onclick = () => {
    $("trouble").close();
    send(pending());
  };
  $("reopen").onclick = () => {
    $("trouble").close();
    if (!pending()) return;
    if (pending().path === "/v1/sales") state.basket.reopen();
    forgetPending();
    showBasket();
  };
}
