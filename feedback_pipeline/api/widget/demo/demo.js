"use strict";

/* The demo page: records its answers in the name of whoever brings a token, so that they can be rated. */

const NOTHING_YET = "Nothing learned yet: a correction counts once a reviewer has verified it and the pipeline has run.";

let token = "";

const api = new URL("../", document.baseURI);
const answers = [...document.querySelectorAll(".answer")];
const askAgain = document.getElementById("ask-again");
const shown = document.getElementById("shown");

/** Kept for as long as the tab is open: a page that is loaded again finds the answers it has recorded. */
function runOfThisTab() {
  const run = sessionStorage.getItem("demo run") ?? `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  sessionStorage.setItem("demo run", run);
  return run;
}

async function post(path, body, key) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  if (key) headers["Idempotency-Key"] = key;
  let response;
  try {
    response = await fetch(new URL(path, api), { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw new Error("The server could not be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail ?? `The server answered with status ${response.status}.`);
  return answer;
}

function interactionOf(article) {
  const { databaseId, naturalQuery, generatedSql, question } = article.dataset;
  if (databaseId) {
    return { kind: "text2sql", database_id: databaseId, natural_query: naturalQuery, output: generatedSql, model: "demo" };
  }
  const chunks = [...article.querySelectorAll("[data-chunk-id]")].map((item, place) => ({
    chunk_id: item.dataset.chunkId,
    text: plain(item.querySelector("span")),
    score: Number(item.dataset.score),
    rank: place + 1,
    in_scope: true,
  }));
  return { kind: "rag", natural_query: question, output: plain(article.querySelector(".output")), model: "demo", chunks };
}

function plain(element) {
  return element.textContent.replace(/\s+/g, " ").trim();
}

function note(id, text, kind = "") {
  const element = document.getElementById(id);
  element.textContent = text;
  element.className = `note ${kind}`;
}

async function start(event) {
  event.preventDefault();
  const field = document.getElementById("token");
  token = field.value.trim();
  note("signed-in", "Recording the answers…");
  try {
    const run = runOfThisTab();
    for (const [place, article] of answers.entries()) {
      const { interaction_id: id } = await post("interactions", interactionOf(article), `demo-${run}-${place}`);
      if (!id) throw new Error("This user has opted out, so nothing is recorded.");
      article.dataset.interactionId = id;
    }
  } catch (error) {
    note("signed-in", error.message, "bad");
    return;
  }
  field.value = "";
  window.FeedbackWidget.configure({ token });
  askAgain.disabled = false;
  note("signed-in", "The answers have been recorded. Rate them below.", "good");
}

/** Ask for examples as an agent would, and show what the model would be given now. */
async function ask() {
  const { databaseId, naturalQuery } = askAgain.closest("article").dataset;
  try {
    const found = await post("examples/search", { database_id: databaseId, natural_query: naturalQuery });
    const [best] = found.examples;
    askAgain.parentElement.dataset.learnedFrom = JSON.stringify(found.learned_from_correction);
    note("again", best ? `The model would now be shown the verified answer to “${best.natural_query}”:` : NOTHING_YET);
    shown.hidden = !best;
    shown.textContent = best?.sql ?? "";
  } catch (error) {
    note("again", error.message, "bad");
  }
}

document.getElementById("sign-in").addEventListener("submit", start);
askAgain.addEventListener("click", ask);
