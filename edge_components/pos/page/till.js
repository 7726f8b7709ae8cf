// The page itself: what is on it, and what each key and button does.

import { onScan } from "./scanner.js";
import { lookUp } from "./codes.js";
import { describe, get } from "./delivery.js";
import { $, asking, pause } from "./dom.js";
import { count, speak, t, wish } from "./language.js";
import { mask } from "./masking.js";
import { formats, minorUnits, plain } from "./money.js";
import { pending } from "./pending.js";
import { askForPayment, wirePayment } from "./payment.js";
import { loadShelf, showShelf, wireFinding } from "./shelf.js";
import { showBasket, wireBasket } from "./lines.js";
import { resumeDialog, wireHolding } from "./holding.js";
import { openRefund, wireRefund } from "./refund.js";
import { send, wireSending } from "./sending.js";
import { showLast, wireReceipt } from "./receipt.js";
import { askToSignIn, wireSignIn } from "./signin.js";
import { askToPair, wirePairing } from "./pairing.js";
import { state } from "./state.js";
import { setTraining, wireTraining } from "./training.js";
import { wireWeighing } from "./weighing.js";

const HEALTH_MILLISECONDS = 2000;
let lastHealth;
let catalogueVersion;

function say() {
  const [how, title, text, number] = describe(lastHealth);
  const line = $("state");
  const words = t(text, { records: number ? count("records", number, state.till?.locale) : "" });
  if (line.dataset.state === how && line.lastChild.textContent === words) return;
  line.dataset.state = how;
  line.firstChild.textContent = t(title);
  line.lastChild.textContent = words;
}

function speakAll(wanted) {
  $("language").value = speak(state.till?.locale, wanted);
  $("menu-training").textContent = t(state.training ? "training.end" : "training.start");
  if (state.till) {
    showShelf();
    showBasket();
  }
  if (lastHealth !== undefined) say();
}

async function meet() {
  const found = await get("/v1/till");
  if (found?.status === 401) return askToPair();
  if (found?.status !== 200) return undefined;
  state.till = found.body;
  state.format = formats(state.till);
  document.title = `${state.till.store_name} till`;
  $("store").textContent = state.till.store_name;
  $("thing").textContent = `${state.till.store} · ${state.till.thing}`;
  const names = state.till.terminals;
  const wanted = new URLSearchParams(location.search).get("terminal") ?? localStorage.getItem("greentill.terminal");
  $("terminal").replaceChildren(...names.map((name) => new Option(name, name)));
  if (names.includes(wanted)) $("terminal").value = wanted;
  $("menu-code-item").hidden = !state.till.lan_url || location.protocol === "https:";
  const taken = ["cash", "card"].filter((method) => state.till.payment_methods.includes(method));
  for (const id of ["cash", "card"]) $(id).hidden = taken.length > 0 && !taken.includes(id);
  $("manual").price.placeholder = state.format.entry(0);
  setTraining(state.training);
  catalogueVersion = lastHealth.body.catalogue_version;
  await loadShelf();
  speakAll();
  if (state.till.sign_in) askToSignIn();
  const unsent = pending();
  if (unsent) await send(unsent); // a reload came between payment and answer
  return undefined;
}

/** A new catalogue is on the shelf without a reload: its prices are the ones that the till takes. */
async function followCatalogue() {
  const version = lastHealth?.body.catalogue_version;
  if (version === undefined || version === catalogueVersion) return;
  catalogueVersion = version;
  await loadShelf();
  showShelf();
}

async function watch() {
  for (;;) {
    lastHealth = await get("/v1/health");
    say();
    if (!state.till && lastHealth) await meet();
    else if (state.till) await followCatalogue();
    await pause(HEALTH_MILLISECONDS);
  }
}

function addManually(event) {
  event.preventDefault();
  const form = event.target;
  const exponent = state.till.currency_exponent;
  const price = plain(minorUnits(form.price.value, exponent), exponent);
  const product = { sku: "MANUAL", description: mask(form.description.value), unit_price: price, tax_code: null, department: null };
  showBasket(state.basket.add(product, exponent));
  form.reset();
  form.description.focus();
}

/** A code from the scanner: a receipt begins a refund, anything else is looked up and put in the basket. */
async function scanned(code) {
  if (!state.till) return;
  if (code.startsWith("GT1:")) return openRefund(code);
  const found = await lookUp(code);
  $("found").textContent = found.problem ?? "";
  if (found.product) $("products").dispatchEvent(new CustomEvent("choose", { detail: found }));
}

function wireKeys() {
  const keys = {
    F2: () => $("manual").description.focus(),
    F3: () => $("search").select(),
    F4: () => $("hold").click(),
    F6: resumeDialog,
    F7: () => openRefund(),
    F8: () => askForPayment("cash"),
    F9: () => askForPayment("card"),
    F10: () => $("menu").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    if (!asking() && state.till) keys[event.key]();
  });
}

function wireMenu() {
  $("menu-button").onclick = () => $("menu").showModal();
  const choices = { "menu-refund": () => openRefund(), "menu-held": resumeDialog, "menu-last": showLast };
  for (const [id, action] of Object.entries(choices)) {
    $(id).onclick = () => {
      $("menu").close();
      action();
    };
  }
  $("language").onchange = () => {
    wish($("language").value);
    speakAll($("language").value);
  };
  for (const button of document.querySelectorAll("[data-close]")) button.onclick = () => $(button.dataset.close).close();
}

speak(navigator.language);
$("cashier").value = localStorage.getItem("greentill.cashier") ?? "C1";
$("cashier").onchange = () => localStorage.setItem("greentill.cashier", $("cashier").value);
$("terminal").onchange = () => localStorage.setItem("greentill.terminal", $("terminal").value);
$("manual").onsubmit = addManually;
for (const id of ["sending", "trouble", "signing", "pairing"]) $(id).addEventListener("cancel", (event) => event.preventDefault());
wireBasket();
wireFinding();
wirePayment();
wireSending();
wireReceipt();
wireHolding();
wireRefund();
wireWeighing();
wireSignIn();
wirePairing(meet);
wireTraining(speakAll);
wireMenu();
wireKeys();
onScan(scanned, () => !asking());
showBasket();
watch();
