// The basket on the screen.

import { costs, single } from "./basket.js";
import { $, make } from "./dom.js";
import { hold, held } from "./held.js";
import { count, t } from "./language.js";
import { minorUnits } from "./money.js";
import { showPaidSoFar } from "./paid.js";
import { state } from "./state.js";

function unit(line) {
  if (line.unit_price === null) return t("label.price");
  const { money, quantity } = state.format;
  const price = money(minorUnits(line.unit_price, line.exponent));
  return line.scale ? `${quantity(line.quantity, line.scale)} ${t("kg")} × ${price}` : t("each", { price });
}

function showLine(line, index) {
  const { money } = state.format;
  const item = make("li");
  const name = make("div", "", { className: "name" });
  name.append(make("span", line.description), make("small", unit(line)));
  item.append(name, steps(line, index), make("strong", money(costs(line))));
  return item;
}

function steps(line, index) {
  const box = make("div", "", { className: "steps" });
  const less = make("button", single(line) ? "×" : "−", { type: "button", ariaLabel: t(single(line) ? "remove" : "less", { item: line.description }) });
  less.onclick = () => change(index, -1);
  box.append(less);
  if (single(line)) return box;
  const more = make("button", "+", { type: "button", ariaLabel: t("more", { item: line.description }) });
  more.onclick = () => change(index, 1);
  box.append(make("b", String(line.quantity)), more);
  return box;
}

function change(index, by) {
  state.basket.change(index, by);
  showBasket(Math.min(index, state.basket.lines.length - 1));
}

export function showBasket(latest = -1) {
  const { basket, till } = state;
  $("lines").replaceChildren(...basket.lines.map(showLine));
  $("empty").hidden = basket.lines.length > 0;
  $("count").textContent = count("items", basket.count, till?.locale);
  $("total").textContent = state.format.money(basket.total);
  for (const id of ["cash", "card", "clear", "hold"]) $(id).disabled = basket.lines.length === 0 || !till;
  for (const id of ["clear", "hold"]) $(id).disabled ||= basket.payments.length > 0; // money was taken for it
  showPaidSoFar();
  const waiting = held().length;
  $("resume").hidden = waiting === 0;
  $("resume").textContent = `${count("held.count", waiting, till?.locale)} · F6`;
  const item = $("lines").children[latest];
  if (item) {
    item.classList.add("latest");
    item.scrollIntoView({ block: "nearest" });
  }
}

export function wireBasket() {
  $("clear").onclick = () => {
    state.basket.clear();
    showBasket();
  };
  $("hold").onclick = () => {
    if (state.training) return;
    hold(state.basket);
    showBasket();
  };
}
