/* Finds what is marked on the page, now and later, and gives the page its handle: window.FeedbackWidget. */

const MARKED = "[data-interaction-id],[data-learned-from]";
const ATTRIBUTES = ["data-interaction-id", "data-learned-from"];
const widgets = new WeakMap();
const badges = new WeakMap();
const mounted = new Set();

/** The id as a number, or null where there is nothing to rate; 0 is an answer that was not stored. */
function interactionIdOf(element) {
  const id = Number(element.dataset.interactionId || 0);
  if (!Number.isSafeInteger(id) || id < 0) warn(`data-interaction-id is no id: ${element.dataset.interactionId}`);
  return Number.isSafeInteger(id) && id > 0 ? id : null;
}

/** Bring one element up to date with its attributes. */
const consider = guarded((element) => {
  if (element.hasAttribute("data-learned-from") || badges.has(element)) considerBadge(element);
  if (element.hasAttribute("data-interaction-id") || widgets.has(element)) considerWidget(element);
});

function considerBadge(element) {
  if (badges.has(element)) badges.get(element).update();
  else badges.set(element, new Badge(element));
}

function considerWidget(element) {
  const id = interactionIdOf(element);
  const present = widgets.get(element);
  if (present && present.interactionId === id) return present.attach();
  if (present) unmount(present);
  if (id !== null) mount(element, id);
}

function mount(element, id) {
  const widget = new Widget(element, id);
  widgets.set(element, widget);
  mounted.add(new WeakRef(widget));
  widget.rating.confirm();
  tellOutcome(widget).catch(warn);
}

function unmount(widget) {
  widget.host.remove();
  widgets.delete(widget.element);
}

/** Look through `root`, an element or a shadow root, for marked elements; those that come later are watched for. */
function scan(root = document) {
  if (root.matches?.(MARKED)) consider(root);
  root.querySelectorAll(MARKED).forEach(consider);
}

const onChanges = guarded((records) => {
  for (const { type, target, addedNodes, removedNodes } of records) {
    // A framework may have thrown away what we had added to its element.
    if (type === "attributes" || removedNodes.length) consider(target);
    for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE) scan(node);
  }
});

function watch(root) {
  const options = { subtree: true, childList: true, attributes: true, attributeFilter: ATTRIBUTES };
  new MutationObserver(onChanges).observe(root, options);
  scan(root);
}

function mountedWidgets() {
  const found = [];
  for (const reference of mounted) {
    const widget = reference.deref();
    if (widget && widgets.get(widget.element) === widget) found.push(widget);
    else mounted.delete(reference);
  }
  return found;
}

function refreshAll(isRewritten) {
  for (const widget of mountedWidgets()) guarded(() => widget.refresh(isRewritten))();
  document.querySelectorAll("[data-learned-from]").forEach(consider);
}

guarded(() => {
  configureFrom(document.currentScript);
  observers.add(refreshAll);
  const handle = { configure: guarded(configure), watch: guarded(watch) };
  Object.defineProperty(window, "FeedbackWidget", { value: Object.freeze(handle) });
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", guarded(() => watch(document)));
  else watch(document);
})();
