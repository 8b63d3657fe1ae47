/* Two thumbs, and after a thumbs-down the reason, for whoever wants to give one. */

const MAX_REASON_CHARS = 2_000;

class Rating {
  constructor(widget) {
    this.widget = widget;
    this.stored = recall(widget.interactionId).rating ?? null; // what the server is known to have
    this.wanted = null; // what is on its way: {rating, reason}
    this.buttons = new Map([1, -1].map((rating) => [rating, this.makeThumb(rating)]));
    this.panel = this.makePanel();
    this.show(this.stored);
  }

  makeThumb(rating) {
    const name = rating === 1 ? "up" : "down";
    const attributes = { type: "button", class: "thumb", "aria-label": label(name) };
    return make("button", { ...attributes, onclick: () => this.choose(rating) }, icon(name));
  }

  show(rating) {
    for (const [of, button] of this.buttons) button.setAttribute("aria-pressed", String(of === rating));
  }

  /** What is shown from memory has to be of the user whose token it is: ask for the token now. */
  confirm() {
    if (this.stored !== null && config.token) token().catch(() => {});
  }

  forget() {
    this.stored = null;
    this.show(this.wanted?.rating ?? null);
  }

  choose(rating) {
    if (!this.widget.mayAct()) return;
    this.widget.open(rating === -1 ? this.panel : null);
    if (rating !== (this.wanted?.rating ?? this.stored)) this.want({ rating, reason: "" });
  }

  /** Send what was said last; what is said while something is under way waits for it. */
  async want(wanted) {
    const isIdle = this.wanted === null;
    this.wanted = wanted;
    this.show(wanted.rating);
    if (!isIdle) return;
    try {
      for (let sent = null; sent !== this.wanted; ) {
        sent = this.wanted;
        await this.send(sent);
      }
    } catch (error) {
      const failed = this.wanted;
      this.show(this.stored);
      this.widget.status.fail(error, () => this.want(failed));
    } finally {
      this.wanted = null;
    }
  }

  async send({ rating, reason }) {
    const body = { interaction_id: this.widget.interactionId, rating, ...(reason ? { reason } : {}) };
    this.widget.status.say(label("sending"));
    await token(); // the memory may turn out to be of somebody else
    const age = memoryAge;
    await call("POST", "feedback", { body, key: newKey(), onBusy: () => this.widget.status.say(label("busy")) });
    if (age === memoryAge) {
      this.stored = rating;
      remember(this.widget.interactionId, { rating });
    }
    if (reason) this.forgetReason();
    this.widget.status.say(label(reason ? "reasonSaved" : "rated"), { kind: "good" });
    this.widget.tell("feedback-rated", body);
  }

  makePanel() {
    const reasons = Object.entries(label(this.widget.isSql ? "reasonsSql" : "reasonsAnswer"));
    this.chips = reasons.map(([value, text]) => this.makeChip(value, text));
    this.text = make("input", { type: "text", id: "reason", maxlength: MAX_REASON_CHARS, autocomplete: "off" });
    const close = make("button", { type: "button", class: "plain", onclick: () => this.close() }, label("reasonClose"));
    return make(
      "form",
      { class: "panel", hidden: "", "aria-labelledby": "why", onsubmit: (event) => this.giveReason(event) },
      make("p", { class: "title", id: "why" }, label("reasonTitle")),
      make("div", { class: "chips", role: "group", "aria-labelledby": "why" }, ...this.chips),
      make("label", { for: "reason" }, label("reasonText")),
      this.text,
      make("div", { class: "actions" }, make("button", { class: "primary" }, label("reasonSend")), close),
    );
  }

  makeChip(value, text) {
    const toggle = ({ currentTarget: chip }) =>
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    return make("button", { type: "button", class: "chip", "aria-pressed": "false", value, onclick: toggle }, text);
  }

  /** What is sent does not depend on the language of the page: the values of the chips, then the user's own words. */
  get reason() {
    const chosen = this.chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.value);
    return [chosen.join(", "), this.text.value.trim()].filter(Boolean).join(": ");
  }

  get isBusy() {
    return this.wanted !== null || this.reason !== "";
  }

  giveReason(event) {
    event.preventDefault();
    if (this.reason) this.want({ rating: -1, reason: this.reason });
    else this.close();
  }

  forgetReason() {
    this.close();
    this.text.value = "";
    for (const chip of this.chips) chip.setAttribute("aria-pressed", "false");
  }

  close() {
    this.widget.close(this.panel, this.buttons.get(-1));
  }
}
