// Payments that were taken for a basket before it is paid for whole: on the screen, and taken out again.

import { $, make } from "./dom.js";
import { t } from "./language.js";
import { state } from "./state.js";

const NAMED = ["cash", "card", "voucher"];

/** A payment method in the cashier's language, where we have a word for it. */
export const methodName = (method) => (NAMED.includes(method) ? t(method) : method);

function item(payment, index, changed) {
  const amount = state.format.money(payment.amount);
  const name = methodName(payment.method);
  const remove = make("button", "×", { type: "button", ariaLabel: t("pay.remove", { payment: `${name} ${amount}` }) });
  remove.onclick = () => {
    state.basket.takeOut(index);
    changed();
  };
  const line = make("li");
  line.append(make("span", name), make("b", amount), remove);
  return line;
}

/** Show them in the payment dialog; `changed` hears when one was taken out. */
export function showPaid(changed) {
  const { payments } = state.basket;
  $("paid-list").hidden = payments.length === 0;
  $("paid-list").replaceChildren(...payments.map((one, index) => item(one, index, changed)));
}

/** What the basket says of them while the dialog is closed. */
export function showPaidSoFar() {
  const { payments, paid } = state.basket;
  $("part-paid").hidden = payments.length === 0;
  $("part-paid").textContent = payments.length ? t("pay.so_far", { amount: state.format.money(paid) }) : "";
}
