// Asking for the money. The till checks the basket meanwhile; nothing is taken for a basket that it refuses.

import { post } from "./delivery.js";
import { $, asking, make } from "./dom.js";
import { explain, t } from "./language.js";
import { minorUnits, plain } from "./money.js";
import { keepPending } from "./pending.js";
import { finishTraining } from "./training.js";
import { send, showTrouble } from "./sending.js";
import { state, who } from "./state.js";

let checking = Promise.resolve(true);

function notesFor(total) {
  const unit = 10 ** state.till.currency_exponent;
  const rounded = [1, 5, 10, 20, 50, 100].map((note) => Math.ceil(total / (note * unit)) * note * unit);
  return [...new Set([total, ...rounded])].slice(0, 5);
}

function change() {
  const text = $("received").value.trim();
  const right = /^[0-9]{1,9}([.,][0-9]{0,3})?$/.test(text);
  return right ? minorUnits(text, state.till.currency_exponent) - state.basket.total : -1;
}

function showChange() {
  $("change").textContent = change() < 0 ? t("not_enough") : state.format.money(change());
  $("confirm").disabled = change() < 0;
}

function noteButton(note, index) {
  const button = make("button", index ? state.format.money(note) : t("exact"), { type: "button" });
  button.onclick = () => {
    $("received").value = plain(note, state.till.currency_exponent);
    showChange();
  };
  return button;
}

/** Whether the till takes this basket; what it says against it is shown. */
async function check() {
  if (state.training) return true;
  const { sale_id, sold_at, ...basket } = state.basket.sale(who(), $("paying").dataset.method);
  const answer = await post("/v1/baskets/check", basket);
  if (answer?.status === 200 && answer.body.ok) return true;
  $("paying").close();
  const reasons = answer?.body.reasons?.map(explain) ?? [answer?.body.error?.message ?? t("state.silent")];
  showTrouble(t("check.title"), t("check.text"), reasons, { again: false });
  return false;
}

export function askForPayment(method) {
  if (!state.basket.lines.length || asking()) return;
  const cash = method === "cash";
  const { total } = state.basket;
  $("paying").dataset.method = method;
  $("paying-title").textContent = t(method);
  $("paying-total").textContent = state.format.money(total);
  $("cash-part").hidden = !cash;
  $("card-part").hidden = cash;
  $("confirm").disabled = false;
  $("received").value = plain(total, state.till.currency_exponent);
  $("notes").replaceChildren(...notesFor(total).map(noteButton));
  if (cash) showChange();
  $("paying").showModal();
  $("confirm").focus();
  checking = check();
}

async function confirm() {
  const { method } = $("paying").dataset;
  const given = method === "cash" ? { received: change() + state.basket.total, change: change() } : {};
  if (!(await checking) || !$("paying").open) return;
  $("paying").close();
  const sale = state.basket.sale(who(), method);
  localStorage.setItem("greentill.given", JSON.stringify({ sale_id: sale.sale_id, ...given }));
  if (state.training) finishTraining(sale);
  else send(keepPending("/v1/sales", sale, state.till.thing));
}

export function wirePayment() {
  $("cash").onclick = () => askForPayment("cash");
  $("card").onclick = () => askForPayment("card");
  $("received").oninput = showChange;
  $("received").onkeydown = (event) => {
    if (event.key === "Enter" && !$("confirm").disabled) confirm();
  };
  $("back").onclick = () => $("paying").close();
  $("confirm").onclick = confirm;
}
