/* Where feedback goes and in whose name: attributes of the script element, or FeedbackWidget.configure(). */

const config = { api: null, token: null, lang: "", labels: {} };
const observers = new Set();
let currentToken = null;

/** Nobody is signed in: there is no token to send. */
class SignedOut extends Error {}

/** The server, or the page's own address for tokens, was not reached. */
class Unreachable extends Error {}

function configure({ api, token, tokenUrl, lang, labels } = {}) {
  if (api !== undefined) config.api = withSlash(new URL(api, document.baseURI).href);
  if (token !== undefined) useTokens(token);
  else if (tokenUrl !== undefined) useTokens(tokenUrl && (() => tokenFrom(tokenUrl)));
  if (lang !== undefined) config.lang = lang;
  if (labels !== undefined) config.labels = { ...config.labels, ...labels };
  const isRewritten = [api, lang, labels].some((change) => change !== undefined);
  for (const observer of observers) observer(isRewritten);
}

function configureFrom(script) {
  if (!script) return;
  const { api, token, tokenUrl, lang } = script.dataset;
  configure({ api: api ?? (script.src ? new URL(".", script.src).href : undefined), token, tokenUrl, lang });
}

function withSlash(url) {
  return url.endsWith("/") ? url : `${url}/`;
}

function useTokens(source) {
  config.token = typeof source === "string" && source ? () => source : source || null;
  currentToken = null;
  if (typeof source === "string") noteOwner(source.trim());
}

/** The token to send; asked for once and kept in memory until the server refuses it. */
function token() {
  if (!config.token) return Promise.reject(new SignedOut());
  if (!currentToken) {
    const asked = Promise.resolve().then(config.token).then(checkedToken);
    currentToken = asked;
    asked.then(
      (text) => asked === currentToken && noteOwner(text),
      () => forgetToken(asked),
    );
  }
  return currentToken;
}

function forgetToken(asked = currentToken) {
  if (asked === currentToken) currentToken = null;
}

function checkedToken(value) {
  const text = typeof value === "string" ? value.trim() : "";
  if (!text) throw new SignedOut();
  return text;
}

/** Ask the page's own backend, which answers {"token": "…"} or the token as plain text. */
async function tokenFrom(url) {
  const response = await reach(url, { credentials: "same-origin", headers: { Accept: "application/json, text/plain" } });
  if (response.status >= 500) throw new Unreachable();
  if (!response.ok) return "";
  const text = await response.text();
  try {
    const value = JSON.parse(text);
    return typeof value === "string" ? value : value.token;
  } catch {
    return text;
  }
}
