/* "Learned from your correction": an answer that rests on what users said before. */

class Badge {
  constructor(element) {
    const { host, root } = makeHost("feedback-learned");
    this.element = element;
    this.host = host;
    this.text = make("span");
    root.append(make("span", { class: "badge" }, icon("spark"), this.text));
    this.update();
  }

  /** Show what the attribute says now; nothing where nothing was learned. */
  update() {
    const entries = learnedFrom(this.element.dataset.learnedFrom);
    this.text.textContent = label(entries.some((entry) => entry?.yours === true) ? "learnedYours" : "learned");
    if (!entries.length) this.host.remove();
    else if (this.host.parentNode !== this.element) this.element.insertBefore(this.host, widgetHostIn(this.element));
  }
}

function learnedFrom(json) {
  try {
    const entries = JSON.parse(json || "[]");
    return Array.isArray(entries) ? entries : [];
  } catch {
    warn(`data-learned-from is no JSON list: ${json}`);
    return [];
  }
}

/** The thumbs stay below the badge. */
function widgetHostIn(element) {
  const host = widgets.get(element)?.host;
  return host?.parentNode === element ? host : null;
}
