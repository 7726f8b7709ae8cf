// The receipt: on the screen and, through the browser, on paper. First "safe on this till", then "in the cloud".

import { get, request } from "./delivery.js";
import { $, make, pause, row } from "./dom.js";
import { t } from "./language.js";
import { mask } from "./masking.js";
import { methodName } from "./paid.js";
import { printable, wirePrinting } from "./printing.js";
import { state } from "./state.js";

const LAST = "greentill.last";

function lineRows(line) {
  const { money, quantity } = state.format;
  const scale = line.quantity_scale ?? 0;
  const pieces = scale ? `${quantity(line.quantity, scale)} ${t("kg")}` : String(line.quantity);
  return row(`${pieces} × ${mask(line.description || line.sku)}`, money(line.total));
}

/** The cash that was handed over for this sale, and its change; null where there was none. */
function cash(body) {
  const given = JSON.parse(localStorage.getItem("greentill.given") ?? "null");
  return given?.sale_id === body.sale_id && given?.received !== undefined && !body.void_id ? given : null;
}

function paidRows(body, given) {
  const { money } = state.format;
  const rows = body.payments.map(({ method, amount }) => row(methodName(method), money(amount)));
  return given ? [...rows, row(t("received"), money(given.received)), row(t("change"), money(given.change), "sum")] : rows;
}

/** The change stands above the receipt too: a long one would have to be scrolled to its end for it. */
function showChange(given) {
  $("given-change").hidden = !given?.change;
  $("given-change-amount").textContent = given ? state.format.money(given.change) : "";
}

function facts(body, answer) {
  const line = row(answer.receipt_no, `${answer.business_date} · ${body.terminal} · ${mask(body.cashier)}`, "facts");
  const where = row(state.till.store, `${state.till.thing} ${answer.seq || ""}`, "facts");
  return [line, where];
}

/** The code that brings a sale back for a refund, as a picture; the till draws it. */
async function code(answer) {
  if (!answer.hash) return null;
  const text = `GT1:${state.till.thing}:${answer.epoch}:${answer.seq}:${answer.hash}`;
  try {
    const found = await request(`/v1/codes/${text}/qr.svg`);
    if (!found.ok) return null;
    const source = `data:image/svg+xml;base64,${btoa(await found.text())}`;
    return make("img", "", { src: source, alt: t("receipt.code"), className: "code" });
  } catch {
    return null;
  }
}

const TITLES = { refund: "refund", void: "void", training: "training.receipt" };
const DONE = { refund: "refund.done", void: "void.done" };

/** Show what was recorded; `kind` is sale, refund, void or training. */
export function showReceipt(body, answer, kind) {
  localStorage.setItem(LAST, JSON.stringify({ body, answer, kind }));
  const { money } = state.format;
  const back = kind in DONE;
  const total = row(t(back ? "refund.back" : "total"), money(body.totals.total), "sum");
  const given = cash(body);
  const title = kind in TITLES ? [make("h4", t(TITLES[kind]))] : [];
  $("receipt").replaceChildren(make("h3", state.till.store_name), ...title, ...body.lines.map(lineRows), total, ...paidRows(body, given), ...facts(body, answer));
  $("done-title").textContent = t(DONE[kind] ?? "thanks");
  printable(kind === "training" ? null : answer.receipt_no);
  showChange(given);
  $("done").showModal();
  $("receipt").scrollTop = 0; // where the last one was scrolled to
  $("next").focus();
  if (kind === "training") return tell("training");
  code(answer).then((picture) => picture && $("receipt").append(picture));
  return follow(answer.sale_id);
}

function tell(where) {
  $("safety").dataset.delivered = where;
  $("safety").textContent = t({ false: "safe", true: "in_cloud", training: "training.nothing" }[where]);
}

/** As long as the receipt is shown, look whether the cloud has it. */
async function follow(saleId) {
  tell("false");
  while ($("done").open && saleId) {
    const found = await get(`/v1/sales/${saleId}`);
    if (found?.status === 200 && found.body.delivered) return tell("true");
    await pause(1000);
  }
  return undefined;
}

export function showLast() {
  try {
    const { body, answer, kind } = JSON.parse(localStorage.getItem(LAST));
    showReceipt(body, answer, kind);
  } catch {
    $("found").textContent = t("no_receipt");
  }
}

export function wireReceipt() {
  $("next").onclick = () => $("done").close();
  $("done").addEventListener("close", () => {
    // the browser gives the focus back to the article that was touched last: another Enter would sell it again
    if (document.activeElement?.matches("button")) document.activeElement.blur();
  });
  wirePrinting();
}
