// Goods that are sold by weight: kilograms with up to three digits after the point.

import { $ } from "./dom.js";
import { t } from "./language.js";
import { showBasket } from "./lines.js";
import { lineTotal, minorUnits } from "./money.js";
import { state } from "./state.js";

const SCALE = 3;
const RIGHT = /^[0-9]{1,4}([.,][0-9]{1,3})?$/;
let product = null;

function grams() {
  const text = $("weight").value.trim();
  return RIGHT.test(text) ? minorUnits(text, SCALE) : 0;
}

function showTotal() {
  const total = grams() ? lineTotal(grams(), SCALE, product.unit_price, state.till.currency_exponent) : null;
  $("weighing-total").textContent = total === null ? "" : state.format.money(total);
}

export function weigh(chosen) {
  product = chosen;
  const price = state.format.money(minorUnits(product.unit_price, state.till.currency_exponent));
  $("weighing-title").textContent = product.description;
  $("weighing-price").textContent = `${price} / ${t("kg")}`;
  $("weight").value = "";
  showTotal();
  $("weighing").showModal();
  $("weight").focus();
}

export function wireWeighing() {
  $("weight").oninput = showTotal;
  $("weigh").onsubmit = (event) => {
    if (grams() === 0) {
      event.preventDefault();
      return;
    }
    showBasket(state.basket.add(product, state.till.currency_exponent, grams(), SCALE));
  };
}
