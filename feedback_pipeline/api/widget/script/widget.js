/* One widget below one answer: it puts the parts together and knows which of them is open. */

class Widget {
  constructor(element, interactionId) {
    this.element = element;
    this.interactionId = interactionId;
    this.isSql = Boolean(element.dataset.databaseId && element.dataset.naturalQuery);
    const { host, root } = makeHost("feedback-widget");
    this.host = host;
    this.root = root;
    this.hasToldOutcome = false;
    this.build();
  }

  build() {
    this.status = new StatusLine();
    this.rating = new Rating(this);
    this.correction = this.isSql ? new Correction(this) : null;
    this.controls = [...this.rating.buttons.values(), ...(this.correction ? [this.correction.opener] : [])];
    this.panels = [this.rating.panel, ...(this.correction ? [this.correction.panel] : [])];
    const bar = make("div", { class: "bar" }, ...this.controls, this.status.element);
    const frame = make("div", { class: "frame", role: "group", "aria-label": label("group") }, bar, ...this.panels);
    frame.lang = LABELS[language()] ? language() : "en";
    frame.addEventListener("keydown", guarded((event) => this.onKey(event)));
    this.frame?.remove();
    this.frame = frame;
    this.root.append(frame);
    this.showAccess();
    this.attach();
  }

  attach() {
    if (this.host.parentNode !== this.element) this.element.append(this.host);
  }

  get isBusy() {
    const isOpen = this.panels.some((panel) => !panel.hidden);
    return isOpen || this.rating.isBusy || Boolean(this.correction?.isBusy);
  }

  /** After a new configuration: who may click, and other texts where nothing typed would be lost. */
  refresh(isRewritten) {
    if (isRewritten && !this.isBusy) this.build();
    else this.showAccess();
    this.rating.confirm();
    return tellOutcome(this);
  }

  /** Another user is there now. */
  forget() {
    this.hasToldOutcome = false;
    this.rating.forget();
    if (!this.isBusy) this.status.say("");
  }

  showAccess() {
    for (const control of this.controls) {
      // Not "disabled": it would take the button, and with it the reason, away from those who use a keyboard.
      if (config.token) control.removeAttribute("aria-disabled");
      else control.setAttribute("aria-disabled", "true");
      control.title = config.token ? (control.getAttribute("aria-label") ?? "") : label("signIn");
    }
  }

  mayAct() {
    if (!config.token) this.status.say(label("signIn"));
    return Boolean(config.token);
  }

  /** Open one panel, or none with null. */
  open(wanted) {
    for (const panel of this.panels) panel.hidden = panel !== wanted;
    this.correction?.opener.setAttribute("aria-expanded", String(wanted !== null && wanted === this.correction.panel));
  }

  /** Close `panel`, and give the focus back to `opener` if it was inside. */
  close(panel, opener) {
    const hadFocus = panel.contains(this.root.activeElement);
    this.open(null);
    if (hadFocus) opener.focus();
  }

  onKey(event) {
    if (event.key !== "Escape") return;
    const open = [this.rating, this.correction].find((part) => part && !part.panel.hidden);
    open?.close();
  }

  /** Let the page know. */
  tell(name, detail) {
    this.element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }
}
