// What the parts of the page share: the till that answers, its formats, the basket, and whether this is training.

import { Basket } from "./basket.js";

const TRAINING = "greentill.training";

export const state = {
  till: null,
  format: { money: () => "", quantity: () => "" },
  training: localStorage.getItem(TRAINING) === "on",
  basket: null,
};

/** Training has a basket of its own, so that none of it is ever sold by mistake. */
export function useBasket() {
  localStorage.setItem(TRAINING, state.training ? "on" : "off");
  state.basket = new Basket(state.training ? "greentill.training-basket" : "greentill.basket");
}

/** Who rings up, as requests say it. */
export function who() {
  const read = (id) => document.getElementById(id).value.trim();
  return { terminal: read("terminal"), cashier: read("cashier") || "C1", currency: state.till.currency };
}

useBasket();
