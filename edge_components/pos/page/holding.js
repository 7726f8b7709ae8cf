// Baskets that wait, and taking one up again.

import { costs, pieces } from "./basket.js";
import { $, make } from "./dom.js";
import { held, resume } from "./held.js";
import { count, t } from "./language.js";
import { showBasket } from "./lines.js";
import { state } from "./state.js";

function choice(one) {
  const { till, format, basket } = state;
  const total = format.money(one.lines.reduce((sum, line) => sum + costs(line), 0));
  const time = new Date(one.at).toLocaleTimeString(till.locale, { hour: "2-digit", minute: "2-digit" });
  const button = make("button", "", { type: "button" });
  button.append(make("span", `${time} · ${one.lines[0].description}`), make("b", `${count("items", pieces(one.lines), till.locale)} · ${total}`));
  button.onclick = () => {
    $("holding").close();
    resume(one.saleId, basket);
    showBasket();
  };
  const item = make("li");
  item.append(button);
  return item;
}

export function resumeDialog() {
  if (state.training || state.basket.payments.length) return;
  const waiting = held().map(choice);
  $("held-list").replaceChildren(...(waiting.length ? waiting : [make("li", t("held.none"))]));
  $("holding").showModal();
}

export function wireHolding() {
  $("resume").onclick = resumeDialog;
}
