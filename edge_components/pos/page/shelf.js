// What can be touched or searched for.

import { loadProducts, products, search } from "./catalogue.js";
import { lookUpWords } from "./codes.js";
import { $, make } from "./dom.js";
import { t } from "./language.js";
import { minorUnits, quantityFor } from "./money.js";
import { showBasket } from "./lines.js";
import { state } from "./state.js";
import { weigh } from "./weighing.js";

let department = null; // all of them
let shown = [];
let asked = 0;

/** Goods with a label of the shop's scales: its weight, or its price, which holds as it is printed. */
function chooseLabelled(product, { grams, price }) {
  const exponent = state.till.currency_exponent;
  if (grams) return state.basket.add(product, exponent, grams, 3);
  const weighed = product.sold_by === "weight" ? quantityFor(price, product.unit_price, exponent) : null;
  if (weighed) return state.basket.add(product, exponent, weighed.quantity, weighed.scale);
  return state.basket.add({ ...product, unit_price: null, price }, exponent);
}

function choose(product, label) {
  if (label) showBasket(chooseLabelled(product, label));
  else if (product.sold_by === "weight") weigh(product);
  else showBasket(state.basket.add(product, state.till.currency_exponent));
}

/** The departments of these products, by name in the order in which they come. */
const departmentsOf = (those) => [...new Set(those.map((product) => product.department ?? ""))];

function departmentButton(name) {
  const button = make("button", name ?? t("all"), { type: "button" });
  button.setAttribute("aria-pressed", String(name === department));
  button.onclick = () => {
    department = name;
    showShelf();
  };
  return button;
}

function productButton(product) {
  const button = make("button", "", { type: "button", className: "product" });
  button.dataset.hue = String(departmentsOf([...products(), ...shown]).indexOf(product.department ?? "") % 6);
  const price = state.format.money(minorUnits(product.unit_price, state.till.currency_exponent));
  const unit = product.sold_by === "weight" ? ` / ${t("kg")}` : "";
  button.append(make("small", product.department ?? ""), make("span", product.description), make("b", price + unit));
  button.onclick = () => choose(product);
  return button;
}

export function showShelf() {
  $("departments").replaceChildren(...[null, ...departmentsOf(shown).filter(Boolean)].map(departmentButton));
  const wanted = shown.filter((one) => department === null || one.department === department);
  $("products").replaceChildren(...wanted.map(productButton));
}

async function find() {
  const text = $("search").value;
  const mine = ++asked;
  const found = await search(text);
  if (mine !== asked) return; // a later question was answered first
  shown = found;
  department = null;
  $("found").textContent = text && !found.length ? t("nothing_found") : "";
  showShelf();
}

async function take(event) {
  event.preventDefault();
  const text = $("search").value.trim();
  if (!text) return;
  const { product, label, problem } = await lookUpWords(text);
  $("found").textContent = problem ?? "";
  if (!product) return;
  $("search").value = "";
  await find();
  choose(product, label);
}

/** Load what the till sells. */
export async function loadShelf() {
  await loadProducts(state.till);
  shown = products();
}

/** Listen for what is searched for and chosen. */
export function wireFinding() {
  $("search").oninput = find;
  $("finder").onsubmit = take;
  $("products").addEventListener("choose", ({ detail }) => choose(detail.product, detail.label));
}
