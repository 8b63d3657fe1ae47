/* The box for a better answer, where the question and its database are known; and what became of it later. */

const MAX_SQL_CHARS = 50_000;

class Correction {
  constructor(widget) {
    this.widget = widget;
    const { databaseId, naturalQuery, generatedSql } = widget.element.dataset;
    this.about = { database_id: databaseId, natural_query: naturalQuery };
    this.generated = (generatedSql ?? "").trim();
    this.isSending = false;
    this.last = { text: null, key: null };
    this.opener = make(
      "button",
      { type: "button", class: "plain", "aria-expanded": "false", onclick: () => this.toggle() },
      icon("pencil"),
      label("correct"),
    );
    this.panel = this.makePanel();
  }

  makePanel() {
    const plain = { spellcheck: "false", autocapitalize: "off", autocomplete: "off" };
    const rows = Math.min(12, Math.max(3, this.generated.split("\n").length + 1));
    this.sql = make("textarea", { ...plain, id: "sql", rows, maxlength: MAX_SQL_CHARS }, this.generated);
    this.comment = make("input", { type: "text", id: "comment", maxlength: MAX_REASON_CHARS, autocomplete: "off" });
    const close = make("button", { type: "button", class: "plain", onclick: () => this.close() }, label("correctionClose"));
    return make(
      "form",
      {
        class: "panel",
        hidden: "",
        "aria-label": label("correct"),
        onsubmit: (event) => this.send(event),
        onkeydown: (event) => this.isSendKey(event) && this.send(event),
      },
      make("label", { for: "sql" }, label("correctionSql")),
      this.sql,
      make("label", { for: "comment" }, label("correctionComment")),
      this.comment,
      make("div", { class: "actions" }, make("button", { class: "primary" }, label("correctionSend")), close),
    );
  }

  isSendKey(event) {
    return event.key === "Enter" && (event.ctrlKey || event.metaKey);
  }

  toggle() {
    if (!this.widget.mayAct()) return;
    if (!this.panel.hidden) return this.close();
    this.widget.open(this.panel);
    this.sql.focus();
  }

  close() {
    this.widget.close(this.panel, this.opener);
  }

  get isBusy() {
    return this.isSending || this.sql.value.trim() !== this.generated || this.comment.value.trim() !== "";
  }

  get body() {
    const sql = this.sql.value.trim();
    const comment = this.comment.value.trim();
    return {
      ...this.about,
      interaction_id: this.widget.interactionId,
      ...(this.generated ? { generated_sql: this.generated } : {}),
      ...(sql && sql !== this.generated ? { corrected_sql: sql } : {}),
      ...(comment ? { comment } : {}),
    };
  }

  async send(event) {
    event?.preventDefault();
    if (this.isSending) return;
    const body = this.body;
    if (!body.corrected_sql && !body.comment) {
      this.widget.status.say(label("correctionEmpty"), { kind: "bad" });
      this.sql.focus();
      return;
    }
    this.isSending = true;
    try {
      await this.deliver(body);
    } catch (error) {
      this.widget.status.fail(error, () => this.send());
    } finally {
      this.isSending = false;
    }
  }

  async deliver(body) {
    this.widget.status.say(label("sending"));
    const onBusy = () => this.widget.status.say(label("busy"));
    const entry = await call("POST", "feedback", { body, key: this.keyOf(body), onBusy });
    remember(this.widget.interactionId, { feedback: entry.feedback_id });
    this.last = { text: null, key: null };
    this.comment.value = "";
    this.sql.value = this.generated;
    this.close();
    this.widget.status.say(label("correctionSent"), { kind: "good" });
    this.widget.tell("feedback-corrected", { feedback_id: entry.feedback_id, status: entry.status });
  }

  /** The same for every attempt to send the same text, another one once the text has changed. */
  keyOf(body) {
    const text = JSON.stringify(body);
    if (this.last.text !== text) this.last = { text, key: newKey() };
    return this.last.key;
  }
}

/** A random UUID; crypto.randomUUID is missing on pages without TLS. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Say what has become of a correction that was sent from this tab before. Silent where that cannot be told. */
async function tellOutcome(widget) {
  const { feedback } = recall(widget.interactionId);
  if (!feedback || !config.token || widget.hasToldOutcome) return;
  widget.hasToldOutcome = true;
  try {
    const found = await standing(feedback);
    if (!widget.isBusy) widget.status.say(outcomeText(found), { kind: found.status === "applied" ? "good" : "" });
  } catch (error) {
    // Of another user, or gone: nothing to tell any more.
    if (error instanceof Refused && error.status === 404) remember(widget.interactionId, { feedback: undefined });
  }
}

const MAX_VERSIONS = 5;

/** What has become of a correction, or of the reviewer's version that took its place and still is the user's. */
async function standing(feedback) {
  let found;
  for (let id = feedback, n = 0; id && n < MAX_VERSIONS; id = found.superseded_by, n++) {
    found = await call("GET", `feedback/${encodeURIComponent(id)}`);
  }
  return found;
}

function outcomeText(found) {
  const count = found.applied?.used_in_queries ?? 0;
  const applied = count === 0 ? "statusAppliedNever" : count === 1 ? "statusAppliedOnce" : "statusApplied";
  const reason = found.status_reason;
  const names = {
    pending: "statusPending",
    verified: "statusVerified",
    applied,
    rejected: reason ? "statusRejectedBecause" : "statusRejected",
    superseded: "statusSuperseded",
    stale: "statusStale",
    withdrawn: "statusWithdrawn",
  };
  return label(names[found.status] ?? "statusPending", { count, reason });
}
