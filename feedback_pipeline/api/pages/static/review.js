// Makes the pages quicker to use: keys, selecting many, a queue that stays up to date. Nothing needs it.
"use strict";

(() => {
  const REFRESH_MS = 30_000;
  const queue = document.querySelector("[data-fragment=queue]");

  // --- what is said to screen readers, and help ---

  const say = (text) => {
    document.getElementById("live").textContent = text;
  };

  const help = document.getElementById("keys");
  for (const button of document.querySelectorAll("[data-show=keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => help?.showModal());
  }

  // --- selecting many ---

  const boxes = () => [...document.querySelectorAll("input[name=feedback_ids]")];

  const showSelected = () => {
    const all = document.getElementById("pick-all");
    const shown = document.getElementById("selected");
    if (!all || !shown) return;
    const count = boxes().filter((box) => box.checked).length;
    all.hidden = false;
    all.checked = count > 0 && count === boxes().length;
    all.indeterminate = count > 0 && count < boxes().length;
    shown.textContent = count ? `${count} selected` : "Select items above to decide them together.";
  };

  document.addEventListener("change", (event) => {
    if (event.target.id === "pick-all") {
      for (const box of boxes()) box.checked = event.target.checked;
    }
    if (event.target.matches("#pick-all, input[name=feedback_ids]")) showSelected();
  });

  // A rejection needs a reason; saying so here keeps what is selected.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("#bulk button[value=reject]");
    const reason = document.getElementById("bulk-reason");
    if (reason) reason.required = Boolean(button);
  });

  // --- keeping the queue up to date ---

  const rowOf = (element) => element?.closest?.("tr[data-id]");

  const refresh = async () => {
    if (document.hidden || help?.open) return;
    const answer = await fetch(location.href, { headers: { "X-Fragment": "queue" }, redirect: "error" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (isTyping(document.activeElement) && queue.contains(document.activeElement)) return;
    swap(fresh);
  };

  const swap = (fresh) => {
    const selected = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
    const focused = document.activeElement;
    const place = queue.contains(focused) ? { id: rowOf(focused)?.dataset.id, kind: kindOf(focused), own: focused.id } : null;
    const reason = document.getElementById("bulk-reason")?.value ?? "";
    const open = Boolean(queue.querySelector("details[open]"));
    const before = document.getElementById("total")?.textContent;
    queue.replaceChildren(...fresh.body.childNodes);
    for (const box of boxes()) box.checked = selected.has(box.value);
    const field = document.getElementById("bulk-reason");
    if (field) field.value = reason;
    const details = queue.querySelector("details");
    if (details) details.open = open;
    if (place) refocus(place);
    showSelected();
    const after = document.getElementById("total")?.textContent;
    if (after && after !== before) say(after);
  };

  const kindOf = (element) => (element.matches("a") ? "a.title" : element.matches("button") ? "button" : "input");

  const refocus = ({ id, kind, own }) => {
    const row = id && queue.querySelector(`tr[data-id="${CSS.escape(id)}"]`);
    const target = row ? row.querySelector(kind) : own && document.getElementById(own);
    target?.focus({ preventScroll: true });
  };

  if (queue) {
    showSelected();
    const quietly = () => refresh().catch(() => {});
    setInterval(quietly, REFRESH_MS);
    document.addEventListener("visibilitychange", quietly);
    // Back from an item by the browser's history: the page is as it was left.
    window.addEventListener("pageshow", (event) => event.persisted && quietly());
    document.addEventListener("review:refresh", quietly);
  }

  // --- keys ---

  const isTyping = (element) =>
    Boolean(element) &&
    (element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox]):not([type=button])"));

  const rows = () => [...document.querySelectorAll("tr[data-id]")];

  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(rowOf(document.activeElement));
    const next = at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step));
    const link = all[next].querySelector("a.title");
    link.focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  };

  const press = (selector) => {
    const element = document.querySelector(selector);
    element?.click();
    return Boolean(element);
  };

  const into = (selector) => {
    const field = document.querySelector(selector);
    if (!field) return false;
    const details = field.closest("details");
    if (details) details.open = true;
    field.focus();
    field.scrollIntoView({ block: "nearest" });
    return true;
  };

  const inQueue = {
    j: () => move(1),
    k: () => move(-1),
    o: () => rowOf(document.activeElement)?.querySelector(".act button")?.click(),
    Enter: (event) => {
      if (!event.target.matches("a.title")) return false;
      rowOf(event.target).querySelector(".act button").click();
    },
    x: () => {
      const box = rowOf(document.activeElement)?.querySelector("input[type=checkbox]");
      box?.click();
    },
    "/": () => into("#q"),
  };

  const inItem = {
    v: () => press("[data-key=v]"),
    r: () => into("#reject-reason"),
    e: () => into("#edit-sql"),
    n: () => press("[data-key=n]"),
    q: () => press("[data-key=q]"),
  };

  const keys = queue ? inQueue : document.querySelector(".decide") ? inItem : {};

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (event.key === "Escape" && isTyping(event.target)) {
      event.target.blur();
      return;
    }
    if (isTyping(event.target) || help?.open) return;
    const action = event.key === "?" ? () => help?.showModal() : !event.repeat || "jk".includes(event.key) ? keys[event.key] : null;
    if (action && action(event) !== false) event.preventDefault();
  });
})();
