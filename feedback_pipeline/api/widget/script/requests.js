/* Talking to the API. A busy server is asked again, a bounded number of times; an expired token is renewed once. */

const MAX_ATTEMPTS = 4;
const MAX_WAIT_MS = 20_000;
const TIMEOUT_MS = 15_000;
const BUSY = new Set([429, 502, 503, 504]);

/** The server answered, but not as hoped. `detail` is text of the server: show it as text only. */
class Refused extends Error {
  constructor(status, detail) {
    super(detail || `status ${status}`);
    this.status = status;
    this.detail = detail;
  }
}

/** fetch() that gives up in time, and fails with Unreachable alone. */
async function reach(url, options) {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), TIMEOUT_MS);
  try {
    return await fetch(url, { ...options, cache: "no-store", signal: giveUp.signal });
  } catch {
    throw new Unreachable();
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Send a request and return its JSON, or null where the answer has none.
 * The same `key` makes sure that what was stored by a lost answer is not stored again.
 */
async function call(method, path, { body, key, onBusy } = {}) {
  let mayRenew = true;
  for (let attempt = 1; ; ) {
    const response = await attemptOf(method, path, body, key);
    if (response.ok) return response.status === 204 ? null : jsonOf(response);
    if (response.status === 401 && mayRenew) {
      mayRenew = false;
      forgetToken();
    } else if (BUSY.has(response.status) && attempt < MAX_ATTEMPTS) {
      onBusy?.();
      await new Promise((resolve) => setTimeout(resolve, waitBefore(response, attempt)));
      attempt += 1;
    } else {
      throw new Refused(response.status, await detailOf(response));
    }
  }
}

async function attemptOf(method, path, body, key) {
  const headers = { Accept: "application/json", Authorization: `Bearer ${await token()}` };
  if (body) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  const options = { method, headers, mode: "cors", credentials: "omit", referrerPolicy: "no-referrer" };
  return reach(new URL(path, config.api).href, { ...options, body: body && JSON.stringify(body) });
}

async function jsonOf(response) {
  try {
    return await response.json();
  } catch {
    throw new Unreachable();
  }
}

/** Milliseconds to wait: what the server asks for (seconds or a date), else longer each time. */
function waitBefore(response, attempt) {
  const asked = response.headers.get("Retry-After");
  const seconds = asked === null ? NaN : Number(asked);
  const wanted = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(asked ?? "") - Date.now();
  const wait = Number.isFinite(wanted) ? Math.max(0, wanted) : 500 * 2 ** attempt;
  return Math.min(MAX_WAIT_MS, wait) + Math.random() * 250;
}

async function detailOf(response) {
  try {
    const problem = await response.json();
    const first = Array.isArray(problem.errors) ? problem.errors[0] : null;
    const text = first ? `${first.field ?? ""} ${first.message ?? ""}`.trim() : problem.detail;
    return typeof text === "string" ? text : "";
  } catch {
    return "";
  }
}

/** What to tell a user about an error, and whether trying again makes sense. */
function explain(error) {
  if (error instanceof SignedOut) return { text: label("signIn"), again: false };
  if (error instanceof Unreachable) return { text: label("unreachable"), again: true };
  if (!(error instanceof Refused)) return { text: label("failed"), again: true };
  if (error.status === 401) return { text: label("signIn"), again: false };
  if (error.status === 403) return { text: label("forbidden"), again: false };
  if (error.status === 404) return { text: label("unknown"), again: false };
  if (BUSY.has(error.status)) return { text: label("stillBusy"), again: true };
  const refused = error.status < 500 && error.detail;
  return { text: refused ? label("refused", { reason: error.detail }) : label("failed"), again: !refused };
}
