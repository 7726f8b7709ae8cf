// What can be sold: the store's catalogue where the till has one, else the product buttons that it was given.

import { get } from "./delivery.js";

const MOST_SHOWN = 60;
let listed = [];
let catalogue = false;

/** Load the buttons; a till without a catalogue sends its own list. */
export async function loadProducts(till) {
  const found = await get(`/v1/catalogue?limit=${MOST_SHOWN}`);
  catalogue = found?.status === 200 && found.body.items.length > 0;
  listed = catalogue ? found.body.items : till.products;
  return listed;
}

export const products = () => listed;

function matches(product, words) {
  const text = [product.sku, product.description, ...(product.barcodes ?? [])].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

/** Products that a cashier may mean by these words. */
export async function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return listed;
  if (catalogue) {
    const found = await get(`/v1/catalogue?limit=${MOST_SHOWN}&query=${encodeURIComponent(text.trim())}`);
    if (found?.status === 200) return found.body.items;
  }
  return listed.filter((product) => matches(product, words));
}

/** The one product that has this barcode or number, or null. */
export async function byCode(code) {
  const known = listed.find((product) => product.sku === code || product.barcodes?.includes(code));
  if (known || !catalogue) return known ?? null;
  const found = await get(`/v1/catalogue/${encodeURIComponent(code)}`);
  if (found?.status !== 200) return null;
  return found.body.items ? (found.body.items[0] ?? null) : found.body;
}
