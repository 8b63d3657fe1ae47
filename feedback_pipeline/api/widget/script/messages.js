/* The line that says what became of a click, also to those who hear the page. */

class StatusLine {
  constructor() {
    this.text = make("span", { class: "message", role: "status", "aria-live": "polite", tabindex: "-1" });
    this.retry = make("button", { type: "button", class: "link", hidden: "", onclick: () => this.again?.() });
    this.element = make("p", { class: "status" }, this.text, this.retry);
    this.again = null;
  }

  say(text, { kind = "", again = null } = {}) {
    this.text.textContent = text;
    this.text.className = `message ${kind}`;
    this.retry.textContent = label("retry");
    // The button goes away under whoever has just pressed it; without a place the focus would fall to the page.
    if (!again && this.element.getRootNode().activeElement === this.retry) this.text.focus();
    this.retry.hidden = !again;
    this.again = again;
  }

  /** Say what went wrong, and offer `again` where that can help. */
  fail(error, again) {
    const { text, again: sensible } = explain(error);
    this.say(text, { kind: "bad", again: sensible ? again : null });
  }
}
