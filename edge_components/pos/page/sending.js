// From the payment to the answer.

import { record } from "./delivery.js";
import { $, make } from "./dom.js";
import { explain, t } from "./language.js";
import { showBasket } from "./lines.js";
import { forgetPending, pending } from "./pending.js";
import { printByItself } from "./printing.js";
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

const KINDS = { "/v1/sales": "sale", "/v1/refunds": "refund", "/v1/voids": "void" };

/**
 * Send what is pending until the till has answered; then show the receipt or what is wrong. `supervise` is called
 * instead where a supervisor must allow it first: nothing was recorded, and it is sent anew.
 */
export async function send(unsent, supervise) {
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
  const { code, message, reasons = [] } = answer.body.error ?? { message: `HTTP ${answer.status}` };
  if (code === "supervisor_needed" && supervise) {
    forgetPending();
    return supervise();
  }
  const kind = KINDS[unsent.path];
  const sale = kind === "sale";
  const said = [message, ...reasons.map(explain).filter((text) => text !== message)];
  const [title, text] = sale ? ["refused.title", "refused.text"] : [`refused.${kind}`, "refused.nothing"];
  // what a till says against a refund or a void holds for good: sent again, it is refused again
  return showTrouble(t(title), t(text), said, { again: sale || answer.status >= 500 });
}

function finish(unsent, answer) {
  forgetPending();
  if (unsent.path === "/v1/sales") {
    state.basket.clear();
    showBasket();
  }
  showReceipt({ ...unsent.shown, ...unsent.body }, answer, KINDS[unsent.path]);
  printByItself(answer.receipt_no);
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
