// A receipt on paper: on the till's own printer where it has one, else through the browser. What is wrong with the
// printer is said as long as it is; the sale is safe whatever the printer does.

import { post } from "./delivery.js";
import { $ } from "./dom.js";
import { explain, t } from "./language.js";
import { state } from "./state.js";

const PRINTER_MILLISECONDS = 75_000; // the till gives a printer up before that
let shown = null; // the number of the receipt on the screen

function tell(receiptNo, problem) {
  const line = $("done").open && receiptNo === shown ? $("print-problem") : $("found");
  line.textContent = problem && line.id === "found" ? `${receiptNo}: ${problem}` : problem;
}

async function onPrinter(receiptNo, drawer) {
  $("print").disabled = true;
  $("print-problem").textContent = "";
  const answer = await post(`/v1/receipts/${encodeURIComponent(receiptNo)}/print`, { drawer }, PRINTER_MILLISECONDS);
  if (receiptNo === shown) $("print").disabled = false;
  if (answer?.status !== 200) tell(receiptNo, answer ? explain(answer.body.error) : t("state.silent"));
}

/** A receipt comes onto the screen; one in training has no number and stays away from the till's printer. */
export function printable(receiptNo) {
  shown = receiptNo;
  $("print").disabled = false;
  $("print-problem").textContent = "";
  $("print-browser").hidden = !(state.till.printer && receiptNo);
}

/** Something was recorded: its receipt comes by itself, with the drawer where cash moves. */
export function printByItself(receiptNo) {
  if (state.till.printer?.automatic) onPrinter(receiptNo, true);
}

function onRequest() {
  if ($("print").disabled) return;
  if (state.till.printer && shown) onPrinter(shown, false);
  else print();
}

export function wirePrinting() {
  $("print").onclick = onRequest;
  $("print-browser").onclick = () => print();
  $("done").addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() === "p" && !event.ctrlKey && !event.metaKey) onRequest();
  });
}
