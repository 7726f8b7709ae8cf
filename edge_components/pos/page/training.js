// Practising: everything works, nothing is recorded, and nobody can overlook it.

import { $ } from "./dom.js";
import { t } from "./language.js";
import { showBasket } from "./lines.js";
import { showReceipt } from "./receipt.js";
import { state, useBasket } from "./state.js";

export function setTraining(on) {
  state.training = on;
  useBasket();
  document.body.dataset.training = String(on);
  $("training-banner").hidden = !on;
  $("menu-training").textContent = t(on ? "training.end" : "training.start");
  showBasket();
}

/** What would have been a sale: a receipt that says what it is. */
export function finishTraining(sale) {
  state.basket.clear();
  showBasket();
  const date = new Date().toISOString().slice(0, 10);
  showReceipt(sale, { receipt_no: t("training.receipt"), business_date: date, sale_id: null }, "training");
}

export function wireTraining(changed) {
  $("menu-training").onclick = () => {
    $("menu").close();
    setTraining(!state.training);
    changed();
  };
}
