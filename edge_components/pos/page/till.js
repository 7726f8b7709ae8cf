import { Basket, minorUnits } from "./basket.js";
import { describe, get, record } from "./delivery.js";

const HEALTH_MILLISECONDS = 2000;
const $ = (id) => document.getElementById(id);
const basket = new Basket();
let till = null;
let department = "All";

/** An element with text; data only ever becomes text, never markup. */
function make(tag, text = "", properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, properties);
}

function money(minor) {
  if (!till) return "";
  const { locale, currency, currency_exponent: exponent } = till;
  const digits = { minimumFractionDigits: exponent, maximumFractionDigits: exponent };
  return new Intl.NumberFormat(locale, { style: "currency", currency, ...digits }).format(minor / 10 ** exponent);
}

function say(state, title, text) {
  const line = $("state");
  if (line.dataset.state === state && line.lastChild.textContent === text) return;
  line.dataset.state = state;
  line.replaceChildren(make("b", title), make("span", text));
}

function showDepartments() {
  const names = ["All", ...new Set(till.products.map((product) => product.department ?? "Other"))];
  $("departments").replaceChildren(
    ...names.map((name) => {
      const button = make("button", name, { type: "button" });
      button.setAttribute("aria-pressed", String(name === department));
      button.onclick = () => {
        department = name;
        showDepartments();
        showProducts();
      };
      return button;
    }),
  );
}

function showProducts() {
  const departments = [...new Set(till.products.map((product) => product.department ?? "Other"))];
  const shown = till.products.filter((one) => department === "All" || (one.department ?? "Other") === department);
  $("products").replaceChildren(
    ...shown.map((product) => {
      const button = make("button", "", { type: "button", className: "product" });
      button.dataset.hue = String(departments.indexOf(product.department ?? "Other") % 6);
      const price = money(minorUnits(product.unit_price, till.currency_exponent));
      button.append(make("small", product.department ?? ""), make("span", product.description), make("b", price));
      button.onclick = () => {
        const index = basket.add(product, till.currency_exponent);
        showBasket(index);
      };
      return button;
    }),
  );
}

function showLine(line, index) {
  const item = make("li");
  const name = make("div", "", { className: "name" });
  name.append(make("span", line.description), make("small", `${money(line.price)} each`));
  const less = make("button", "−", { type: "button", ariaLabel: `One less: ${line.description}` });
  const more = make("button", "+", { type: "button", ariaLabel: `One more: ${line.description}` });
  less.onclick = () => changeLine(index, -1);
  more.onclick = () => changeLine(index, 1);
  const steps = make("div", "", { className: "steps" });
  steps.append(less, make("b", String(line.quantity)), more);
  item.append(name, steps, make("strong", money(line.price * line.quantity)));
  return item;
}

function changeLine(index, by) {
  basket.change(index, by);
  showBasket(Math.min(index, basket.lines.length - 1));
}

function showBasket(latest = -1) {
  $("lines").replaceChildren(...basket.lines.map(showLine));
  $("empty").hidden = basket.lines.length > 0;
  $("count").textContent = basket.count === 1 ? "1 item" : `${basket.count} items`;
  $("total").textContent = money(basket.total);
  for (const id of ["cash", "card", "clear"]) $(id).disabled = basket.lines.length === 0 || !till;
  const item = $("lines").children[latest];
  if (item) {
    item.classList.add("latest");
    item.scrollIntoView({ block: "nearest" });
  }
}

function notesFor(total) {
  const unit = 10 ** till.currency_exponent;
  const rounded = [1, 5, 10, 20, 50, 100].map((note) => Math.ceil(total / (note * unit)) * note * unit);
  return [...new Set([total, ...rounded])].slice(0, 5);
}

function plain(minor) {
  const { currency_exponent: exponent } = till;
  const text = String(minor).padStart(exponent + 1, "0");
  return exponent ? `${text.slice(0, -exponent)}.${text.slice(-exponent)}` : text;
}

/** What the customer gets back, in minor units; negative while it is not enough. */
function changeDue() {
  const text = $("received").value;
  const right = /^[0-9]{1,9}([.,][0-9]{0,3})?$/.test(text.trim());
  return right ? minorUnits(text, till.currency_exponent) - basket.total : -1;
}

function showChange() {
  const change = changeDue();
  $("change").textContent = change < 0 ? "not enough yet" : money(change);
  $("confirm").disabled = change < 0;
}

function askForPayment(method) {
  if (!basket.lines.length || basket.sale || document.querySelector("dialog[open]")) return;
  const cash = method === "cash";
  $("paying").dataset.method = method;
  $("paying-title").textContent = cash ? "Cash" : "Card";
  $("paying-total").textContent = money(basket.total);
  $("cash-part").hidden = !cash;
  $("card-part").hidden = cash;
  $("confirm").disabled = false;
  $("received").value = plain(basket.total);
  $("notes").replaceChildren(
    ...notesFor(basket.total).map((note, index) => {
      const button = make("button", index ? money(note) : "Exact", { type: "button" });
      button.onclick = () => {
        $("received").value = plain(note);
        showChange();
      };
      return button;
    }),
  );
  if (cash) showChange();
  $("paying").showModal();
  $("confirm").focus();
}

async function send() {
  $("sending-title").textContent = "Recording the sale";
  $("sending-text").textContent = "The till is writing it down.";
  $("sending").showModal();
  const answer = await record(basket.sale, (attempt, reason) => {
    $("sending-title").textContent = "The till has not answered yet";
    const why = reason ? ` It says: ${reason}.` : "";
    $("sending-text").textContent = `The sale is kept and sent again; it will count once. Attempt ${attempt + 1}.${why}`;
  });
  $("sending").close();
  if (answer.status === 200 || answer.status === 201) return finish(answer.body);
  const { message, reasons = [] } = answer.body.error ?? { message: `answer ${answer.status}` };
  $("reasons").replaceChildren(...[message, ...reasons.map((reason) => reason.message)].map((text) => make("li", text)));
  return $("trouble").showModal();
}

function finish(receipt) {
  const { sale, handBack } = basket;
  const rows = sale.lines.map((line) => [`${line.quantity} × ${line.description}`, money(line.total)]);
  const parts = rows.map(([left, right]) => {
    const row = make("p");
    row.append(make("span", left), make("span", right));
    return row;
  });
  const total = make("p", "", { className: "sum" });
  total.append(make("span", sale.payments[0].method === "cash" ? "Paid in cash" : "Paid by card"), make("span", money(sale.totals.total)));
  const facts = make("p", "", { className: "facts" });
  facts.append(make("span", receipt.receipt_no), make("span", `${receipt.business_date} · ${sale.terminal}`));
  $("receipt").replaceChildren(make("h3", till.store_name), ...parts, total, facts);
  $("hand-back").hidden = !handBack;
  $("hand-back").replaceChildren("Change ", make("output", money(handBack)));
  basket.clear();
  showBasket();
  $("done").showModal();
  $("next").focus();
  follow(receipt.sale_id);
}

/** First "safe on this till", then "in the cloud", as long as the receipt is shown. */
async function follow(saleId) {
  const tell = (delivered) => {
    $("safety").dataset.delivered = String(delivered);
    $("safety").textContent = delivered ? "In the cloud" : "Safe on this till";
  };
  tell(false);
  while ($("done").open) {
    const found = await get(`/v1/sales/${saleId}`);
    if (found?.status === 200 && found.body.delivered) return tell(true);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  return undefined;
}

async function meet() {
  const found = await get("/v1/till");
  if (found?.status !== 200) return;
  till = found.body;
  document.title = `${till.store_name} till`;
  $("store").textContent = till.store_name;
  $("thing").textContent = `${till.store} · ${till.thing}`;
  const wanted = new URLSearchParams(location.search).get("terminal") ?? localStorage.getItem("greentill.terminal");
  $("terminal").replaceChildren(...till.terminals.map((name) => make("option", name, { value: name })));
  if (till.terminals.includes(wanted)) $("terminal").value = wanted;
  showDepartments();
  showProducts();
  showBasket();
  if (basket.sale) await send(); // a reload came between payment and answer
}

async function watch() {
  for (;;) {
    const health = await get("/v1/health");
    say(...describe(health));
    if (!till && health) await meet();
    await new Promise((resolve) => setTimeout(resolve, HEALTH_MILLISECONDS));
  }
}

function addManually(event) {
  event.preventDefault();
  const form = event.target;
  const price = plain(minorUnits(form.price.value, till.currency_exponent));
  const product = { sku: "MANUAL", description: form.description.value, unit_price: price, tax_code: null, department: "Manual" };
  basket.lines.push({ ...product, price: minorUnits(price, till.currency_exponent), quantity: 1 });
  basket.save();
  form.reset();
  showBasket(basket.lines.length - 1);
  form.description.focus();
}

$("cashier").value = localStorage.getItem("greentill.cashier") ?? "C1";
$("cashier").onchange = () => localStorage.setItem("greentill.cashier", $("cashier").value);
$("terminal").onchange = () => localStorage.setItem("greentill.terminal", $("terminal").value);
$("manual").onsubmit = addManually;
$("clear").onclick = () => {
  basket.clear();
  showBasket();
};
$("cash").onclick = () => askForPayment("cash");
$("card").onclick = () => askForPayment("card");
$("received").oninput = showChange;
$("back").onclick = () => $("paying").close();
$("confirm").onclick = () => {
  $("paying").close();
  const { currency } = till;
  const { method } = $("paying").dataset;
  const handBack = method === "cash" ? changeDue() : 0;
  basket.close({ terminal: $("terminal").value, cashier: $("cashier").value.trim() || "C1", currency, method, handBack });
  send();
};
$("again").onclick = () => {
  $("trouble").close();
  send();
};
$("reopen").onclick = () => {
  $("trouble").close();
  basket.reopen();
  showBasket();
};
$("next").onclick = () => $("done").close();
for (const id of ["sending", "trouble"]) $(id).addEventListener("cancel", (event) => event.preventDefault());
document.addEventListener("keydown", (event) => {
  const actions = { F2: () => $("manual").description.focus(), F8: () => askForPayment("cash"), F9: () => askForPayment("card") };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
});
showBasket();
watch();
