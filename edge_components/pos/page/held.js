// Baskets put aside for a moment: they stay in this browser until they are resumed.

const KEY = "greentill.held";

export function held() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

function keep(baskets) {
  localStorage.setItem(KEY, JSON.stringify(baskets));
}

/** Put a basket aside; it keeps its sale_id. */
export function hold(basket) {
  keep([...held(), { saleId: basket.saleId, lines: basket.lines, at: new Date().toISOString() }]);
  basket.clear();
}

/** Take one up again; a basket that is in the way is put aside in turn. */
export function resume(saleId, basket) {
  const found = held().find((one) => one.saleId === saleId);
  if (!found) return;
  keep(held().filter((one) => one.saleId !== saleId));
  if (basket.lines.length) hold(basket);
  Object.assign(basket, { saleId: found.saleId, lines: found.lines, payments: [] });
  basket.save();
}
