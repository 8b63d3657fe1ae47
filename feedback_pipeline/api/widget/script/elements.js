/* Building what is seen. Text goes in as text; there is no markup from strings, so no policy of a page forbids it. */

const SVG = "http://www.w3.org/2000/svg";
const THUMB =
  "M4 10.5h3.2v9H4zM7.2 10.5 10.7 3.4c1.6 0 2.6 1.1 2.6 2.6v3h5c1.3 0 2.2 1.2 1.9 2.4l-1.7 6.7c-.2.8-1 1.4-1.8 1.4H7.2";
const ICONS = {
  up: { path: THUMB },
  down: { path: THUMB, transform: "matrix(1 0 0 -1 0 24)" },
  pencil: { path: "M4 20l.9-4.2L15.6 5.1a1.9 1.9 0 0 1 2.7 0l.6.6a1.9 1.9 0 0 1 0 2.7L8.2 19.1zM13.6 7.1l3.3 3.3" },
  spark: { path: "M12 3c.8 5 4 8.2 9 9-5 .8-8.2 4-9 9-.8-5-4-8.2-9-9 5-.8 8.2-4 9-9z" },
};

let sheet = null;

/** Make `work` safe to call from the page: what goes wrong is told in the console, never thrown. */
function guarded(work) {
  return (...given) => {
    try {
      const result = work(...given);
      if (result instanceof Promise) result.catch(warn);
      return result;
    } catch (error) {
      warn(error);
      return undefined;
    }
  };
}

function warn(problem) {
  console.warn("feedback widget:", problem);
}

/** An element with attributes, listeners (names that begin with "on") and children; strings become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), guarded(value));
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of [["viewBox", "0 0 24 24"], ["aria-hidden", "true"]]) svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name].path);
  if (ICONS[name].transform) path.setAttribute("transform", ICONS[name].transform);
  svg.append(path);
  return svg;
}

/** A host with a shadow root of its own: styles of the page do not get in, ours do not get out. */
function makeHost(tag) {
  const host = document.createElement(tag);
  const root = host.attachShadow({ mode: "open" });
  if ("adoptedStyleSheets" in root) {
    root.adoptedStyleSheets = [sharedSheet()];
  } else {
    root.append(make("style", {}, STYLES));
  }
  // What is typed here must not set off keyboard shortcuts of the page, which sees our host as the target.
  for (const type of ["keydown", "keypress", "keyup"]) root.addEventListener(type, (event) => event.stopPropagation());
  return { host, root };
}

/** Constructed, so that a page's policy against inline styles does not apply. */
function sharedSheet() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
  }
  return sheet;
}
