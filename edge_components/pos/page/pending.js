// What is being recorded. From the payment to the answer it is in localStorage and no longer changes; it names its
// till, since another one would count it a second time.

const KEY = "greentill.pending";

/** `shown` is what the receipt on the screen says besides what is sent. */
export function keepPending(path, body, thing, shown = {}) {
  localStorage.setItem(KEY, JSON.stringify({ path, body, thing, shown }));
  return pending();
}

export function pending() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    return found?.path && found?.body ? found : null;
  } catch {
    return null;
  }
}

export function forgetPending() {
  localStorage.removeItem(KEY);
}
