// A barcode scanner that pretends to be a keyboard: characters in quick succession, then Enter.

const BETWEEN_MILLISECONDS = 120; // a person types slower than a scanner, also over a slow USB hub
const SHORTEST = 4;

const typing = () => document.activeElement?.matches("input, select, textarea") ?? false;

/** Call `scanned` with each code that arrives while no field has the focus and `listening()` is true. */
export function onScan(scanned, listening) {
  let code = "";
  let last = 0;
  document.addEventListener(
    "keydown",
    (event) => {
      if (typing() || !listening() || event.ctrlKey || event.altKey || event.metaKey) return;
      const now = performance.now();
      if (now - last > BETWEEN_MILLISECONDS) code = "";
      last = now;
      if (event.key.length === 1) {
        code += event.key;
        if (code.length > 1) event.preventDefault();
      } else if (event.key === "Enter" && code.length >= SHORTEST) {
        event.preventDefault(); // or it would press the button that has the focus
        event.stopPropagation();
        scanned(code);
        code = "";
      }
    },
    true,
  );
}
