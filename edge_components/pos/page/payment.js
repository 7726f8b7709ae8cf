// Asking for the money, in one payment or several. The till checks the basket meanwhile; nothing is taken for a
// basket that it refuses. A part that was taken is in the browser's storage with the basket.

import { post } from "./delivery.js";
import { $, asking, make } from "./dom.js";
import { explain, t } from "./language.js";
import { showBasket } from "./lines.js";
import { minorUnits } from "./money.js";
import { methodName, showPaid } from "./paid.js";
import { keepPending } from "./pending.js";
import { finishTraining } from "./training.js";
import { send, showTrouble } from "./sending.js";
import { state, who } from "./state.js";

const CASH = "cash"; // alone gives change
let checking = Promise.resolve(true);
let method = CASH;

function notesFor(due) {
  const unit = 10 ** state.till.currency_exponent;
  const rounded = [1, 5, 10, 20, 50, 100].map((note) => Math.ceil(due / (note * unit)) * note * unit);
  return [...new Set([due, ...rounded])].slice(0, 5);
}

/** What is in the field, in minor units, or null. */
function typed() {
  const text = $("received").value.trim();
  return /^[0-9]{1,9}([.,][0-9]{0,3})?$/.test(text) ? minorUnits(text, state.till.currency_exponent) : null;
}

/** The payment as it stands: whether it can be taken, whether it ends the sale, and what is said beside it. */
function offer() {
  const { due } = state.basket;
  const received = typed();
  const { money } = state.format;
  if (due < 0) return { said: t("pay.too_much"), amount: money(-due) };
  if (received === null || (received === 0 && due > 0)) return { said: t("not_enough"), amount: "" };
  if (received < due) return { takes: received, received, said: t("pay.left"), amount: money(due - received) };
  if (method !== CASH && received > due) return { said: t("pay.at_most"), amount: money(due) };
  return { takes: due, received, ends: true, said: t("change"), amount: money(received - due) };
}

function showOffer() {
  const { takes, ends, said, amount } = offer();
  $("change-said").textContent = said;
  $("change").textContent = amount;
  $("change-line").hidden = ends && method !== CASH;
  $("confirm").disabled = takes === undefined;
  $("confirm").textContent = ends || takes === undefined ? t("paid") : t("pay.take", { amount: state.format.money(takes) });
}

function noteButton(note, index) {
  const button = make("button", index ? state.format.money(note) : t("exact"), { type: "button" });
  button.onclick = () => {
    $("received").value = state.format.entry(note);
    showOffer();
  };
  return button;
}

function methodButton(name) {
  const button = make("button", methodName(name), { type: "button" });
  button.setAttribute("aria-pressed", String(name === method));
  button.onclick = () => choose(name);
  return button;
}

function choose(name) {
  method = name;
  const due = Math.max(0, state.basket.due);
  const cash = method === CASH;
  $("paying-title").textContent = methodName(method);
  $("paying-total").textContent = state.format.money(due);
  $("received-said").textContent = t(cash ? "received" : "pay.amount");
  $("received").ariaLabel = $("received-said").textContent;
  $("received").value = state.format.entry(due);
  $("card-part").hidden = method !== "card";
  $("notes").hidden = !cash;
  $("notes").replaceChildren(...(cash ? notesFor(due) : []).map(noteButton));
  $("methods").hidden = state.till.payment_methods.length < 2;
  $("methods").replaceChildren(...state.till.payment_methods.map(methodButton));
  showPaid(() => again(method));
  showOffer();
}

/** After each part: what is left, and the basket's line about it. */
function again(name) {
  choose(name);
  showBasket();
  $("received").select();
}

/** Say why the basket isn't paid now: what is wrong with it, or that the till itself can't take any. */
function tellWhy(answer, reasons) {
  const still = { again: false };
  if (reasons.length) return showTrouble(t("check.title"), t("check.text"), reasons.map(explain), still);
  if (!answer) return showTrouble(t("state.silent"), t("state.kept"), [], still);
  return showTrouble(t("check.title"), t("state.help"), [answer.body.error?.message ?? `HTTP ${answer.status}`], still);
}

/** Whether the till takes this basket; what it says against it is shown. */
async function check() {
  if (state.training) return true;
  const { sale_id, sold_at, ...basket } = state.basket.sale(who(), { method, amount: Math.max(0, state.basket.due) });
  const answer = await post("/v1/baskets/check", basket);
  const due = state.basket.due < 0 ? "payments_mismatch" : ""; // the dialog says so itself
  const reasons = answer?.body.reasons?.filter(({ code }) => code !== due) ?? [];
  if (answer?.status === 200 && !reasons.length) return true;
  $("paying").close();
  tellWhy(answer, reasons);
  return false;
}

export function askForPayment(wanted) {
  if (!state.basket.lines.length || asking()) return;
  const { payment_methods: methods } = state.till;
  choose(methods.includes(wanted) ? wanted : methods[0]);
  $("paying").showModal();
  $("confirm").focus();
  checking = check();
}

/** Take what is offered: a part of the total, or the rest of it, which ends the sale. */
async function confirm() {
  const { takes, received, ends } = offer();
  if (takes === undefined || !(await checking) || !$("paying").open) return;
  const payment = { method, amount: takes, received };
  if (!ends) {
    state.basket.take(payment);
    again(method);
    return;
  }
  $("paying").close();
  const sale = state.basket.sale(who(), payment);
  localStorage.setItem("greentill.given", JSON.stringify({ sale_id: sale.sale_id, ...given(payment) }));
  if (state.training) finishTraining(sale);
  else send(keepPending("/v1/sales", sale, state.till.thing));
}

/** The cash that was handed over, and the change. */
function given(last) {
  const cash = [...state.basket.payments, last].filter((one) => one.method === CASH);
  const received = cash.reduce((sum, one) => sum + one.received, 0);
  return cash.length ? { received, change: received - cash.reduce((sum, one) => sum + one.amount, 0) } : {};
}

export function wirePayment() {
  $("cash").onclick = () => askForPayment(CASH);
  $("card").onclick = () => askForPayment("card");
  $("received").oninput = showOffer;
  $("received").onkeydown = (event) => {
    if (event.key !== "Enter" || $("confirm").disabled) return;
    event.preventDefault();
    confirm();
  };
  $("paying").addEventListener("keydown", (event) => {
    const wanted = { F8: CASH, F9: "card" }[event.key];
    if (state.till.payment_methods.includes(wanted)) choose(wanted);
    if (/^[0-9]$/.test(event.key) && document.activeElement !== $("received")) {
      $("received").focus(); // what was handed over, typed over the total
      $("received").select();
    }
  });
  $("back").onclick = () => $("paying").close();
  $("confirm").onclick = confirm;
}
