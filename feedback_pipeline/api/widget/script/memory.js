/* What one user gave to which answer, for as long as the tab is open: only the rating and the id of the correction. */

const MEMORY = "feedback-widget ";
const OWNER = "feedback-widget-owner";
let owner = null;
let memoryAge = 0; // grows when all is forgotten

function memoryKey(interactionId) {
  return `${MEMORY}${config.api} ${interactionId}`;
}

/** Forget everything where `text` is the token of another user than the one before. */
function noteOwner(text) {
  const subject = subjectOf(text);
  if (subject === null) return;
  const before = owner ?? formerOwner();
  owner = subject;
  try {
    sessionStorage.setItem(OWNER, subject);
  } catch {
    // blocked or full: then nothing else is kept there either
  }
  if (before !== null && before !== subject) forgetAll();
}

function formerOwner() {
  try {
    return sessionStorage.getItem(OWNER);
  } catch {
    return null;
  }
}

/** The claim `sub`; only to tell users apart, so the signature does not matter. Null where it cannot be read. */
function subjectOf(text) {
  try {
    const bytes = atob(text.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
    return JSON.parse(bytes).sub ?? null;
  } catch {
    return null;
  }
}

function forgetAll() {
  memoryAge += 1;
  try {
    const keys = Object.keys(sessionStorage).filter((key) => key.startsWith(MEMORY));
    for (const key of keys) sessionStorage.removeItem(key);
  } catch {
    // blocked: there is nothing
  }
  for (const widget of mountedWidgets()) guarded(() => widget.forget())();
}

function recall(interactionId) {
  try {
    return JSON.parse(sessionStorage.getItem(memoryKey(interactionId))) ?? {};
  } catch {
    return {}; // storage is blocked, or somebody else wrote there
  }
}

function remember(interactionId, changes) {
  try {
    sessionStorage.setItem(memoryKey(interactionId), JSON.stringify({ ...recall(interactionId), ...changes }));
  } catch {
    // blocked or full: the widget works without
  }
}
