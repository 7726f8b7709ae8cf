// Giving money back: found by the receipt's code or number, line by line, with a reason and where needed a supervisor.

import { uuid7 } from "./basket.js";
import { get } from "./delivery.js";
import { $, asking, make } from "./dom.js";
import { t } from "./language.js";
import { mask } from "./masking.js";
import { minorUnits, plain, share } from "./money.js";
import { keepPending } from "./pending.js";
import { send } from "./sending.js";
import { signIn } from "./signin.js";
import { state, who } from "./state.js";

const CODE = /^GT1:(.+):([0-9a-f]{16}):([0-9]{1,12}):([0-9a-f]{64})$/;
let cited = null; // the receipt that the refund names
let sale = null; // its record, where this till has it

function reset() {
  cited = null;
  sale = null;
  for (const id of ["refund-code", "refund-reason", "supervisor", "supervisor-pin", "refund-item", "refund-amount"]) $(id).value = "";
  for (const id of ["refund-found", "refund-problem", "refund-total"]) $(id).textContent = "";
  $("refund-lines").replaceChildren();
  for (const id of ["refund-how", "refund-manual", "refund-give", "refund-void"]) $(id).hidden = true;
  $("refund-find").hidden = false;
}

export function openRefund(code = "") {
  if (asking() || state.training) return;
  reset();
  $("refund-code").value = code;
  $("refunding").showModal();
  $("refund-code").focus();
  if (code) find();
}

async function find() {
  const text = $("refund-code").value.trim();
  if (!text) return;
  const code = CODE.exec(text);
  const answer = await get(code ? `/v1/codes/${encodeURIComponent(text)}` : `/v1/receipts/${encodeURIComponent(text)}`);
  if (answer?.status === 200 && answer.body.kind === "sale") return found(answer.body);
  if (answer && code) return elsewhere(code);
  $("refund-found").textContent = t(answer ? "refund.unknown" : "state.silent");
  return undefined;
}

function found(record) {
  sale = record;
  cited = { thing: record.thing, epoch: record.epoch, seq: record.seq, hash: record.hash };
  $("refund-found").textContent = `${record.receipt_no} · ${record.business_date} · ${state.format.money(record.body.totals.total)}`;
  $("refund-void").hidden = false;
  $("refund-lines").replaceChildren(...record.body.lines.map(lineChoice));
  ready();
}

/** A sale of another till: what is given back is typed in, and a supervisor must allow it. */
function elsewhere([, thing, epoch, seq, hash]) {
  cited = { thing, epoch, seq: Number(seq), hash };
  $("refund-found").textContent = t("refund.elsewhere", { thing });
  $("refund-manual").hidden = false;
  ready();
}

function ready() {
  $("refund-how").hidden = false;
  $("refund-give").hidden = false;
  $("refund-find").hidden = true;
  showTotal();
}

function lineChoice(line, index) {
  const whole = line.quantity_scale > 0 || line.quantity < 2;
  const input = make("input", "", { type: "number", min: 0, max: whole ? 1 : line.quantity, value: 0, step: 1 });
  input.dataset.index = index;
  input.oninput = showTotal;
  const label = make("label");
  label.append(make("span", `${line.description || line.sku} · ${state.format.money(line.total)}`), input);
  const item = make("li");
  item.append(label);
  return item;
}

/** What goes back of one line: all of it, or as many pieces as were chosen. */
function part(input) {
  const line = sale.body.lines[Number(input.dataset.index)];
  const most = Number(input.max);
  const pieces = Math.max(0, Math.min(most, Math.floor(Number(input.value) || 0)));
  const back = (amount) => -share(amount, pieces, most) || 0;
  return { ...line, quantity: most === 1 ? -line.quantity * pieces : -pieces, discount: back(line.discount), total: back(line.total), pieces };
}

function typed() {
  const exponent = state.till.currency_exponent;
  const text = $("refund-amount").value.trim();
  if (!/^[0-9]{1,6}([.,][0-9]{1,3})?$/.test(text)) return [];
  const amount = minorUnits(text, exponent);
  return [{ sku: "MANUAL", description: mask($("refund-item").value), quantity: -1, quantity_scale: 0, unit_price: plain(amount, exponent), total: -amount }];
}

function chosen() {
  if (!sale) return typed();
  return [...$("refund-lines").querySelectorAll("input")]
    .map(part)
    .filter(({ pieces }) => pieces > 0)
    .map(({ pieces: _, ...line }) => line);
}

const sum = (lines) => lines.reduce((total, line) => total + line.total, 0);

function showTotal() {
  $("refund-total").textContent = state.format.money(-sum(chosen()));
}

function missing(lines, { reason, supervisor }) {
  if (!lines.length) return "refund.no_lines";
  if (!reason) return "refund.no_reason";
  return !sale && !supervisor ? "refund.no_supervisor" : null;
}

/** Why the supervisor who is named doesn't allow it, in words; nobody named is for the till to judge. */
async function objection({ supervisor }) {
  if (!supervisor || !state.till.sign_in) return "";
  const { found: signed, problem } = await signIn(supervisor, $("supervisor-pin").value);
  $("supervisor-pin").value = "";
  return problem ?? (signed.role === "supervisor" ? "" : t("refund.no_supervisor"));
}

/** Who and why, once everything that is needed is there; else null, and what is missing is said. */
async function allowed(lines) {
  const why = { reason: mask($("refund-reason").value.trim()), supervisor: $("supervisor").value.trim() || null };
  const lacking = missing(lines, why);
  $("refund-problem").textContent = lacking ? t(lacking) : await objection(why);
  return $("refund-problem").textContent ? null : why;
}

/** The till wants a supervisor: the same dialog again, as it was. */
function supervise() {
  $("refund-problem").textContent = t("refund.no_supervisor");
  $("refunding").showModal();
  $("supervisor").focus();
}

function sendOff(path, body, shown) {
  $("refunding").close();
  send(keepPending(path, body, state.till.thing, shown), supervise);
}

/** What was paid goes back in the ways that it came, the first first. */
function waysBack(total) {
  const paid = sale?.body.payments ?? [];
  const ways = [];
  let left = total;
  for (const { method, amount } of paid) {
    const part = Math.max(left, -amount);
    if (part < 0) ways.push({ method, amount: part });
    left -= Math.min(0, part);
  }
  if (left || !ways.length) ways.push({ method: paid[0]?.method ?? "cash", amount: left });
  return ways;
}

async function give() {
  const lines = chosen();
  const why = await allowed(lines);
  if (!why) return;
  const total = sum(lines);
  const payments = waysBack(total);
  sendOff("/v1/refunds", { refund_id: uuid7(), ...who(), receipt: cited, lines, payments, totals: { total }, ...why });
}

/** The whole sale as if it had not been, before its day is closed. */
async function takeBack() {
  const why = await allowed(sale.body.lines);
  if (!why) return;
  const { terminal, cashier } = who();
  const negative = (list, key) => list.map((one) => ({ ...one, [key]: -one[key] }));
  const lines = negative(negative(sale.body.lines, "total"), "quantity");
  const shown = { lines, payments: negative(sale.body.payments, "amount"), totals: { total: -sale.body.totals.total } };
  sendOff("/v1/voids", { void_id: uuid7(), terminal, cashier, sale_id: sale.sale_id, ...why }, shown);
}

export function wireRefund() {
  $("refund").onsubmit = (event) => {
    event.preventDefault();
    if ($("refund-find").hidden) give();
    else find();
  };
  $("refund-give").onclick = give;
  $("refund-void").onclick = takeBack;
  $("refund-amount").oninput = showTotal;
}
