// The basket, its money and its identity. It is in localStorage before anything is paid, so that neither a reload
// nor a lost answer can turn one sale into two.

const KEY = "greentill.basket";

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

/** "12.34" or "12,34" in minor units; digits finer than the currency round half up. No floats on the way. */
export function minorUnits(text, exponent) {
  const [whole, part = ""] = text.trim().replace(",", ".").split(".");
  const digits = (part + "0".repeat(exponent + 1)).slice(0, exponent + 1);
  const tenths = BigInt(whole || "0") * 10n ** BigInt(exponent + 1) + BigInt(digits);
  return Number((tenths + 5n) / 10n);
}

export class Basket {
  constructor(storage = localStorage) {
    this.storage = storage;
    this.sale = null; // what is being recorded: from payment to answer it no longer changes
    this.handBack = 0; // the change of that payment, for the cashier; no part of the sale
    this.start();
    this.load();
  }

  start() {
    this.saleId = uuid7();
    this.lines = [];
    this.sale = null;
    this.handBack = 0;
  }

  add(product, exponent) {
    const same = this.lines.find((line) => line.sku === product.sku && line.unit_price === product.unit_price);
    if (same) same.quantity += 1;
    else this.lines.push({ ...product, price: minorUnits(product.unit_price, exponent), quantity: 1 });
    this.save();
    return same ? this.lines.indexOf(same) : this.lines.length - 1;
  }

  change(index, by) {
    const line = this.lines[index];
    line.quantity += by;
    if (line.quantity < 1) this.lines.splice(index, 1);
    this.save();
  }

  get total() {
    return this.lines.reduce((sum, line) => sum + line.price * line.quantity, 0);
  }

  get count() {
    return this.lines.reduce((sum, line) => sum + line.quantity, 0);
  }

  /** Fix what will be sent, however often it has to be sent. */
  close({ terminal, cashier, currency, method, handBack }) {
    const total = this.total;
    this.handBack = handBack;
    this.sale = {
      sale_id: this.saleId,
      terminal,
      cashier,
      currency,
      lines: this.lines.map((line) => ({
        sku: line.sku,
        description: line.description,
        quantity: line.quantity,
        unit_price: line.unit_price,
        total: line.price * line.quantity,
        tax_code: line.tax_code ?? null,
        department: line.department ?? null,
      })),
      payments: [{ method, amount: total }],
      totals: { total },
      sold_at: new Date().toISOString(),
    };
    this.save();
  }

  /** The till refused it: the same lines, as a sale that may be corrected. */
  reopen() {
    this.sale = null;
    this.saleId = uuid7();
    this.save();
  }

  clear() {
    this.start();
    this.save();
  }

  save() {
    const { saleId, lines, sale, handBack } = this;
    this.storage.setItem(KEY, JSON.stringify({ saleId, lines, sale, handBack }));
  }

  load() {
    try {
      const found = JSON.parse(this.storage.getItem(KEY));
      if (found && Array.isArray(found.lines)) Object.assign(this, found);
    } catch {
      this.start(); // not ours: begin anew
    }
  }
}
