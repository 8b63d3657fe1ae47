/* What was given to which answer, for as long as the tab is open: only the rating and the id of the correction. */

function memoryKey(interactionId) {
  return `feedback-widget ${config.api} ${interactionId}`;
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
