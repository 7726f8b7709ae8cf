// Talking to the till: one sale until it is answered, and how the till is.

const ANSWER_MILLISECONDS = 8000;
const LONGEST_WAIT = 5000;
const OFFLINE_SECONDS = 30; // a backlog younger than this is on its way

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MILLISECONDS) });
  return { status: answer.status, body: await answer.json() };
}

/** The answer to GET, or null when the till does not answer. */
export async function get(path) {
  try {
    return await ask(path);
  } catch {
    return null;
  }
}

/**
 * Send the same sale to the same till until it answers: the sale_id makes that safe, whatever was lost.
 * Ends with the receipt (200, 201) or a refusal (409, 422 and the like); `waiting` hears of each failed attempt.
 */
export async function record(sale, waiting) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sale) };
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await ask("/v1/sales", options);
      if (answer.status < 500) return answer;
      waiting(attempt, answer.body.error?.message);
    } catch {
      waiting(attempt, null);
    }
    await pause(Math.min(LONGEST_WAIT, 250 * 2 ** attempt) * (0.5 + Math.random() / 2));
  }
}

/** How the till is, in words for the cashier. */
export function describe(answer) {
  if (!answer) return ["down", "The till does not answer", "The basket is kept. Trying again."];
  const health = answer.body;
  if (health.status === "no_assignment") return ["down", "Not selling yet", "This till has not been told its store."];
  if (health.status !== "selling") return ["down", "Not selling", `The till says: ${health.status}. Call for help.`];
  const backlog = health.backlog;
  if (backlog === null) return ["offline", "Selling", "Sales are safe on this till. The cloud was not reached yet."];
  if (backlog === 0) return ["online", "Selling", "Every sale is in the cloud."];
  const sales = backlog === 1 ? "1 record" : `${backlog.toLocaleString()} records`;
  if ((health.oldest_undelivered_seconds ?? 0) < OFFLINE_SECONDS) return ["online", "Selling", `Sending ${sales} to the cloud.`];
  return ["offline", "Selling offline", `${sales} safe on this till, waiting for the cloud.`];
}
