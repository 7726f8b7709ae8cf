// The basket and its identity. It is in localStorage before anything is paid, so that neither a reload nor a lost
// answer can turn one sale into two.

import { lineTotal } from "./money.js";

/** A UUIDv7 (RFC 9562): milliseconds since 1970, then random bits. */
export function uuid7(now = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let rest = now;
  for (let index = 5; index >= 0; index--) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** How many articles these lines are; what is weighed counts as one. */
export function pieces(lines) {
  return lines.reduce((sum, line) => sum + (line.scale ? 1 : line.quantity), 0);
}

export class Basket {
  constructor(key, storage = localStorage) {
    this.key = key;
    this.storage = storage;
    this.start();
    this.load();
  }

  start() {
    this.saleId = uuid7();
    this.lines = [];
    this.payments = []; // parts that were taken already
  }

  /** Add a product and tell where it is; pieces of the same join, what was weighed or priced by a label does not. */
  add(product, exponent, quantity = 1, scale = 0) {
    const alike = (line) => line.sku === product.sku && line.unit_price === product.unit_price && !single(line);
    const same = !single({ ...product, scale }) && product.sku !== "MANUAL" ? this.lines.find(alike) : undefined;
    if (same) same.quantity += quantity;
    else this.lines.push({ ...product, quantity, scale, exponent });
    this.save();
    return same ? this.lines.indexOf(same) : this.lines.length - 1;
  }

  /** Weighed goods and labelled ones are taken out whole. */
  change(index, by) {
    const line = this.lines[index];
    line.quantity = single(line) ? 0 : line.quantity + by;
    if (line.quantity < 1) this.lines.splice(index, 1);
    this.save();
  }

  get total() {
    return this.lines.reduce((sum, line) => sum + costs(line), 0);
  }

  get paid() {
    return this.payments.reduce((sum, payment) => sum + payment.amount, 0);
  }

  get due() {
    return this.total - this.paid;
  }

  /** A part of the total was paid: `received` is what was handed over for `amount`. */
  take(payment) {
    this.payments.push(payment);
    this.save();
  }

  takeOut(index) {
    this.payments.splice(index, 1);
    this.save();
  }

  get count() {
    return pieces(this.lines);
  }

  /** What is sent: the same however often it is sent. */
  request({ terminal, cashier, currency }, payments) {
    const lines = this.lines.map((line) => ({
      sku: line.sku,
      description: line.description,
      quantity: line.quantity,
      quantity_scale: line.scale,
      unit_price: line.unit_price,
      total: costs(line),
      tax_code: line.tax_code ?? null,
      department: line.department ?? null,
    }));
    return { terminal, cashier, currency, lines, payments, totals: { total: this.total } };
  }

  /** The whole sale, with the payment that ends it. */
  sale(who, last) {
    const payments = [...this.payments, last].map(({ method, amount }) => ({ method, amount }));
    const request = this.request(who, payments.length > 1 ? payments.filter(({ amount }) => amount) : payments);
    return { sale_id: this.saleId, ...request, sold_at: new Date().toISOString() };
  }

  /** The till refused it: the same lines, as a sale that may be corrected. */
  reopen() {
    this.saleId = uuid7();
    this.save();
  }

  clear() {
    this.start();
    this.save();
  }

  save() {
    const { saleId, lines, payments } = this;
    this.storage.setItem(this.key, JSON.stringify({ saleId, lines, payments }));
  }

  load() {
    try {
      const found = JSON.parse(this.storage.getItem(this.key));
      if (!Array.isArray(found?.lines)) return;
      Object.assign(this, { saleId: found.saleId, lines: found.lines, payments: found.payments ?? [] });
    } catch {
      this.start(); // not ours: begin anew
    }
  }
}

/** What one line of a basket costs, in minor units; a label's price holds as it is printed. */
export const costs = (line) => line.price ?? lineTotal(line.quantity, line.scale, line.unit_price, line.exponent);

/** Whether a line is one thing by itself: weighed, or with a price of its own. */
export const single = (line) => line.scale > 0 || line.price !== undefined;
