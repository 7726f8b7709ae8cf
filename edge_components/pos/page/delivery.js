// Talking to the till.

import { pause } from "./dom.js";

const ANSWER_MILLISECONDS = 8000;
const LONGEST_WAIT = 5000;
const OFFLINE_SECONDS = 30; // what the table lacks for less than this is on its way
const TOKEN = "greentill.token";

/** A device on the shop's network holds a token; on the till itself there is none. */
export function keepToken(token) {
  localStorage.setItem(TOKEN, token);
}

export async function request(path, { milliseconds = ANSWER_MILLISECONDS, ...options } = {}) {
  const token = localStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  return fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(milliseconds) });
}

async function ask(path, options = {}) {
  const answer = await request(path, options);
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

const posted = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** The answer to POST, or null when the till does not answer. */
export async function post(path, body, milliseconds) {
  try {
    return await ask(path, { ...posted(body), milliseconds });
  } catch {
    return null;
  }
}

/**
 * Send the same thing to the same till until it answers: its id makes that safe, whatever was lost.
 * Ends with the receipt (200, 201) or a refusal (409, 422 and the like); `waiting` hears of each failed attempt.
 * Another till is never asked: it could not know that this one may have recorded it.
 */
export async function record({ path, body, thing }, waiting) {
  for (let attempt = 1; ; attempt++) {
    const answer = await oneAttempt(path, body, thing);
    if (answer.status && answer.status < 500 && ![401, 429].includes(answer.status)) return answer;
    waiting(attempt, answer.reason);
    await pause(Math.min(LONGEST_WAIT, 250 * 2 ** attempt) * (0.5 + Math.random() / 2));
  }
}

async function oneAttempt(path, body, thing) {
  try {
    const till = await ask("/v1/health");
    if (till.body.thing && till.body.thing !== thing) return { status: 0, reason: `≠ ${thing}` };
    const answer = await ask(path, posted(body));
    return { ...answer, reason: answer.body.error?.message ?? null };
  } catch {
    return { status: 0, reason: null };
  }
}

/** How the till is: a state for the colour, a title and a text as keys for the language, and a number of records. */
export function describe(answer) {
  if (!answer) return ["down", "state.silent", "state.kept", 0];
  if (answer.status === 401) return ["down", "state.unpaired", "state.pair", 0];
  const health = answer.body;
  if (health.status === "no_assignment") return ["down", "state.waiting", "state.no_store", 0];
  if (health.status !== "selling") return ["down", "state.not_selling", "state.help", 0];
  const backlog = health.backlog;
  const unreached = health.unreached_seconds; // the bucket gets whole segments, up to an hour later: no outage
  if (backlog === null || (backlog && unreached === null)) return ["offline", "state.selling", "state.not_reached", 0];
  if (backlog === 0) return ["online", "state.selling", "state.delivered", 0];
  if (unreached < OFFLINE_SECONDS) return ["online", "state.selling", "state.sending", backlog];
  return ["offline", "state.offline", "state.backlog", backlog];
}
