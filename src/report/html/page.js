"use strict";
// Shows examples on demand. Texts of others enter the page as text, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  // Long texts stand elsewhere on the page, once.
  const read = (id) => {
    const data = byId(id);
    return data && JSON.parse(data.textContent, (_, it) => (it && it.$text ? read("x" + it.$text) : it));
  };
  const make = (tag, attributes, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children.flat(Infinity).filter((child) => child));
    return element;
  };
  const el = (tag, kind, ...children) => make(tag, kind ? { class: kind } : {}, ...children);
  const [note, reason, code] = [["p", "note"], ["p", "reason"], ["code", ""]].map((it) => (...children) => el(...it, ...children));
  const facts = read("facts");
  const cases = read("cases");
  const byName = new Map(cases.map((row) => [row.id, row]));
  const link = (id, ...words) => make("a", { class: "id", href: "#/example/" + encodeURIComponent(id) }, words.length ? words : id);
  const badge = (kind, text) => el("span", "badge " + kind, text);
  const colour = { passed: "good", pass: "good", failed: "bad", fail: "bad" };
  const verdict = (it) => badge(colour[it.verdict] || "warn", it.verdict);
  const counted = (number, noun) => number.toLocaleString("en") + " " + noun + (number === 1 ? "" : "s");

  // The table of examples.
  const STEP = 100;
  const state = { q: "", variant: "", is: "", split: "", tag: "", kind: "", sort: "", down: "" };
  let limit = STEP;
  let shown = cases;
  const some = (row, test) => row.cells.some((cell, at) => cell && (state.variant === "" || +state.variant === at) && test(cell));
  const rate = (cell) => (cell && cell[0] + cell[1] ? cell[0] / (cell[0] + cell[1]) : null);
  const pairs = facts.pairs;
  const tests = {
    ...(pairs.length ? { flipped: ["flipped against the reference", (row) => row.flips && (state.variant === "" || row.flips.some(([pair]) => pairs[pair].candidate === facts.variants[+state.variant]))] } : {}),
    failed: ["failed", (row) => some(row, (cell) => cell[1])],
    passed: ["passed every attempt", (row) => some(row, () => true) && !some(row, (cell) => cell[1] || cell[2])],
    flaky: ["both outcomes", (row) => some(row, (cell) => cell[0] && cell[1])],
    errors: ["ended in errors", (row) => some(row, (cell) => cell[2])],
    differ: ["variants differ", (row) => new Set(row.cells.map(rate).filter((it) => it !== null)).size > 1],
  };
  const order = {
    example: (row) => row.id,
    split: (row) => row.split || "",
    expected: (row) => row.expected || "",
  };
  facts.variants.forEach((_, at) => { order["v" + at] = (row) => { const it = rate(row.cells[at]); return it === null ? 2 : it; }; });
  const fits = (row) => {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const text = [row.id, row.subject, ...row.tags].join(" ").toLowerCase();
    return words.every((word) => text.includes(word)) && (!state.split || row.split === state.split) && (!state.tag || row.tags.includes(state.tag))
      && (!state.kind || row.kind === state.kind) && (!tests[state.is] || tests[state.is][1](row)) && (state.variant === "" || row.cells[+state.variant]);
  };
  const values = (of) => [...new Set(cases.flatMap(of))].filter(Boolean).sort().map((it) => [it, it]);
  const fields = [
    ["is", "Outcome", Object.entries(tests).map(([name, [words]]) => [name, words])],
    ["variant", "Variant", facts.variants.map((name, at) => [String(at), name])],
    ["kind", "Kind", values((row) => row.kind)],
    ["split", "Split", values((row) => row.split)],
    ["tag", "Tag", values((row) => row.tags)],
  ].filter(([name, , choices]) => choices.length > 1 || name === "is");

  // The address of what is chosen.
  const chosen = () => {
    const query = new URLSearchParams(Object.entries(state).filter(([, value]) => value)).toString();
    return query ? "#/examples?" + query : "#examples";
  };
  const change = () => {
    limit = STEP;
    history.replaceState(null, "", chosen());
    list();
  };
  const filters = () => {
    const form = byId("filters");
    const search = make("input", { type: "search", name: "q", autocomplete: "off", placeholder: "id, subject, tag" });
    form.append(el("label", "", "Text", search));
    for (const [name, words, choices] of fields) {
      const options = [["", "any"], ...choices].map(([value, text]) => make("option", { value }, text));
      form.append(el("label", "", words, make("select", { name }, options)));
    }
    const reset = make("button", { type: "reset" }, "Clear");
    form.append(reset);
    form.addEventListener("input", (event) => { state[event.target.name] = event.target.value; change(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => { for (const name in state) state[name] = ""; change(); });
    form.hidden = false;
  };
  const cell = (it) => {
    if (!it) return el("td", "note", "–");
    const [passed, failed, errors, found] = it;
    const of = passed + failed;
    const word = !of ? badge("warn", "error") : failed === 0 ? badge("good", of > 1 ? passed + "/" + of + " passed" : "passed")
      : passed === 0 ? badge("bad", of > 1 ? "0/" + of + " passed" : "failed") : badge("warn", passed + "/" + of + " passed");
    return el("td", "", word, " ", el("span", "note", found + (errors && of ? ", " + counted(errors, "error") : "")));
  };
  const list = () => {
    shown = cases.filter(fits);
    if (order[state.sort]) {
      const key = order[state.sort];
      const sign = state.down ? -1 : 1;
      shown.sort((one, other) => (key(one) < key(other) ? -sign : key(one) > key(other) ? sign : 0));
    }
    for (const input of byId("filters").elements) if (input.name) input.value = state[input.name];
    byId("count").textContent = (shown.length === cases.length ? "" : shown.length.toLocaleString("en") + " of ") + counted(cases.length, "case")
      + (shown.length > limit ? ", the first " + limit + " shown" : "");
    const columns = [["example", "example"], ["split", "split"], ["expected", "expected"], ...facts.variants.map((name, at) => ["v" + at, name])];
    const heads = columns.map(([name, words]) => {
      const sort = state.sort !== name ? "none" : state.down ? "descending" : "ascending";
      const button = make("button", { type: "button" }, words);
      button.addEventListener("click", () => {
        state.down = state.sort === name && !state.down ? "1" : "";
        state.sort = name;
        change();
        byId("list").querySelectorAll("th button")[columns.findIndex(([it]) => it === name)].focus();
      });
      return make("th", { scope: "col", "aria-sort": sort }, button);
    });
    const rows = shown.slice(0, limit).map((row) => make("tr", {},
      make("th", { scope: "row" }, link(row.id), row.subject && el("span", "subject", row.subject), el("span", "note", row.tags.join(", "))),
      el("td", "", row.split || "–"), el("td", "", row.expected || row.kind), row.cells.map(cell)));
    const table = el("table", "", el("caption", "hidden", "Examples"), el("thead", "", el("tr", "", heads)), el("tbody", "", rows));
    byId("list").replaceChildren(make("div", { class: "scroll", role: "group", "aria-label": "Examples", tabindex: "0" }, table));
    if (shown.length > limit) {
      const more = make("button", { type: "button", class: "more" }, "Show more");
      more.addEventListener("click", () => {
        const from = limit;
        limit += 5 * STEP;
        list();
        byId("list").querySelectorAll("tbody a")[from].focus();
      });
      byId("list").append(more);
    }
  };

  // The page of one example.
  const text = (it) => (it ? make("pre", it.length > 500 || it.split("\n").length > 14 ? { tabindex: "0" } : {}, it) : null);
  const named = (pairs) => pairs.length ? el("dl", "arguments", pairs.map(([name, value]) => el("div", "", el("dt", "", name), el("dd", "", value)))) : null;
  const heading = (words, ...more) => el("h4", "", words, " ", el("span", "", more.filter(Boolean).join(", ")));
  const diff = (title, lines) => el("div", "diff", title && el("p", "", title), el("ul", "", lines.map(([sign, line]) =>
    make("li", { class: sign === "+" ? "plus" : sign === "-" ? "minus" : "" }, el("span", "sign", sign), " ", line))));
  const email = (it) => {
    if (!it) return null;
    const [head, ...rest] = it.split("\n\n");
    const lines = head.split("\n").map((line) => line.match(/^\*\*(\w+)\*\*: ?(.*)$/)).filter(Boolean);
    return make("section", { class: "email", "aria-label": "Email" },
      el("dl", "", lines.map(([, name, value]) => el("div", "", el("dt", "", name), el("dd", "", value)))), text(rest.join("\n\n").trimEnd()));
  };
  const said = (it) => [
    it.status ? el("p", "", code(it.who), " " + it.status) : it.edited ? el("p", "", "The message was edited.") : null,
    it.email ? note([it.text, "[the email]"].filter(Boolean).join(" ")) : it.who === "user" && it.text.length > 400 ? el("details", "", el("summary", "", "What it was told"), text(it.text)) : text(it.text),
    it.calls.map((call) => [el("p", "", "calls ", code(call.name)), named(call.arguments)]),
  ];
  const events = {
    model: (it) => [heading("Asks the " + it.role + " model", "at " + it.node, it.took, it.tokens && it.tokens.join(" + ") + " tokens", it.ended), it.heard.map(said), note("Reply:"), it.said.map(said)],
    tool: (it) => [heading(it.name + " " + it.status, "at " + it.node, it.took), it.arguments && [note("With other arguments than proposed:"), named(it.arguments)], it.results.map(text)],
    ask: (it) => [heading("Asks a person about " + it.action, "at " + it.node), named(it.arguments), el("div", "decision", el("strong", "", it.by + ": " + it.answer), named(it.edited), text(it.text))],
    memory: (it) => [heading("Remembers in " + it.namespace, "at " + it.node), it.reason && reason(it.reason), diff("", it.lines)],
    rest: (it) => [heading("Also in the log"), it.heard.map(said)],
  };
  const score = (it) => el("tr", "", make("th", { scope: "row" }, code(it.key)), el("td", "figure value", it.score.toFixed(2)), el("td", "",
    it.diagnostic && badge("", "no say"), " ", it.comment, it.held > 0 && el("span", "note", counted(it.held, "condition") + " held"),
    it.broken.map((check) => reason(badge("bad", "not held"), " " + check.condition + (check.comment ? ": " + check.comment : "")))));
  const scores = (all) => {
    if (!all.length) return note("Not scored.");
    const rest = all.filter((it) => it.score < 1 || it.comment);
    const full = all.filter((it) => !rest.includes(it));
    return [rest.length > 0 && make("div", { class: "scroll", role: "group", "aria-label": "Scores", tabindex: "0" }, el("table", "", el("caption", "hidden", "Scores"), el("tbody", "", rest.map(score)))),
      full.length > 0 && note("Full marks: ", full.map((it, at) => [at ? ", " : "", code(it.key)]))];
  };
  const ruling = (it) => el("li", "", verdict(it), " ", it.statement, it.facts.length > 0 && el("span", "note", " (" + it.facts.join(", ") + ")"),
    it.reason && reason(it.reason), it.quotes.map((quote) => el("blockquote", "", quote)),
    it.votes.map((vote) => note(vote.model + ": " + vote.verdict + (vote.reason ? ". " + vote.reason : ""))));
  const share = (it) => (it === null ? "–" : Math.round(it * 100) + "%");
  const shell = (it) => (/^[\w@%+=:,./-]+$/.test(it) ? it : "'" + it.replaceAll("'", "'\\''") + "'");
  const attempt = (row, it) => {
    const { name, whole } = it;
    const panel = make("section", { class: "attempt", "aria-label": (it.side ? it.side + ": " : "") + name + ", attempt " + it.attempt },
      el("h2", "", it.side && badge("", it.side), " ", name + ", attempt " + it.attempt + " ", verdict(it)),
      el("p", "", row.expected ? "Expected " + row.expected + ", found " + (it.found || "no decision") + ". " : "", it.outcome === "finished" ? "Finished" : el("strong", "", it.outcome),
        " after " + counted(it.calls, "model call") + " and " + it.took + (it.cost ? ", " + it.cost : "") + "."),
      it.error && text(it.error), el("h3", "", "Scores"), scores(it.scores), it.notes.map((note) => note(note)));
    if (!whole) {
      const command = it.show + " " + shell(row.id) + (it.attempt > 1 ? " --attempt " + it.attempt : "");
      panel.append(note("Summarised, to keep this page small. Whole: ", code(command)));
      return panel;
    }
    for (const judged of whole.judged) panel.append(el("h3", "", "Judged by " + judged.judge), el("ul", "rulings", judged.rulings.map(ruling)));
    if (whole.memory.length) panel.append(el("h3", "", "Memory"), ...whole.memory.map((it) => diff(it.namespace + ", " + it.key, it.lines)));
    whole.runs.forEach((run, at) => {
      const many = whole.runs.length > 1;
      const learnt = whole.learning[at];
      panel.append(el("h3", "", many ? "Email " + (at + 1) + " of " + whole.runs.length : "Trajectory"));
      if (many) {
        panel.append(el("p", "", "Decided " + (run.triage || "nothing") + ", " + run.outcome + (learnt ? "; done as asked: " + share(learnt.with) + " with memory, " + share(learnt.without) + " without" : "") + "."));
        if (run.error) panel.append(text(run.error));
        panel.append(el("details", "", el("summary", "", "The email"), email(run.email)));
      }
      if (run.reasoning) panel.append(reason(run.reasoning));
      panel.append(el("ol", "events", run.events.map((event) => make("li", { class: "event " + event.is }, events[event.is](event)))));
    });
    return panel;
  };
  // Both sides of an example that flipped, aligned.
  const shares = (parts, sign, tag) => parts.map(([of, text]) => (of === "=" ? text : of === sign ? el(tag, "", text) : ""));
  const column = (name, ...inner) => el("div", "column", el("span", "side", name), inner);
  const columns = (one, other) => el("div", "columns", column("reference", one), column("candidate", other));
  const words = (it) => [columns(make("p", { class: "marked" }, shares(it.parts, "-", "del")), make("p", { class: "marked" }, shares(it.parts, "+", "ins"))), it.note && note(it.note)];
  const titled = (call, sign) => el("h4", "", badge(sign[0], sign[1]), " ", call.name, call.ended && el("span", "note", " (" + call.ended + ")"));
  const signs = { same: ["", "= the same"], changed: ["warn", "~ differs"], gone: ["bad", "− reference alone"], came: ["good", "+ candidate alone"] };
  const rows = {
    same: (it) => titled(it.call, signs.same),
    changed: (it) => [titled({ name: it.candidate.name, ended: it.reference.ended === it.candidate.ended ? it.candidate.ended : (it.reference.ended || "ran") + " → " + (it.candidate.ended || "ran") }, signs.changed),
      it.arguments.map((argument) => [el("p", "note", argument.name), words(argument.words)]), it.same.length > 0 && note("The same: " + it.same.join(", ") + ".")],
    gone: (it) => [titled(it.call, signs.gone), columns(named(it.arguments) || note("Without arguments."), note("No such call."))],
    came: (it) => [titled(it.call, signs.came), columns(note("No such call."), named(it.arguments) || note("Without arguments."))],
  };
  const people = { "=": ["", "= both"], "-": ["bad", "− reference"], "+": ["good", "+ candidate"] };
  const flipped = (row, [index, worse], first) => {
    const pair = pairs[index];
    const it = read("f" + index + "-" + row.at);
    const panel = make("details", { class: "both", open: first && "" },
      el("summary", "", badge(worse ? "bad" : "good", worse ? "▼ worse" : "▲ better"), " ", pair.candidate + " against " + pair.reference));
    if (!it || !it.aligned) {
      panel.append(note("What the reference did is not on this page. Where its journal is: ", code(pair.compare + " " + shell(row.id))));
      return panel;
    }
    const { scores, rulings, emails } = it.aligned;
    if (it.email.length) panel.append(note("They were not told the same email:"), diff("", it.email));
    if (scores.length) {
      const cells = scores.map((one) => el("tr", "", make("th", { scope: "row" }, code(one.key)), el("td", "figure value", one.reference.toFixed(2)), el("td", "figure value", one.candidate.toFixed(2)), el("td", "words", one.comment)));
      const heads = ["key", "reference", "candidate", "what the lesser lacked"].map((head, at) => make("th", { scope: "col", class: at === 3 && "words" }, head));
      panel.append(el("h3", "", "Scores that changed"), make("div", { class: "scroll", role: "group", "aria-label": "Scores that changed", tabindex: "0" }, el("table", "", el("caption", "hidden", "Scores that changed"), el("thead", "", el("tr", "", heads)), el("tbody", "", cells))));
    }
    if (rulings.length) {
      const side = (one) => [verdict(one), one.reason && reason(one.reason)];
      panel.append(el("h3", "", "Rulings that changed"), el("ul", "rows", rulings.map((one) => el("li", "", el("h4", "", one.statement, " ", el("span", "note", one.judge)), columns(side(one.reference), side(one.candidate))))));
    }
    emails.forEach((email, at) => {
      if (emails.length > 1) panel.append(el("h3", "", "Email " + (at + 1) + " of " + emails.length));
      if (email.reasoning) panel.append(el("h3", "", "Why it was decided"), ...words(email.reasoning).filter(Boolean));
      panel.append(el("h3", "", "Calls"), email.calls.length ? el("ol", "rows", email.calls.map((one) => el("li", "", rows[one.is](one)))) : note("Neither called a tool."));
      if (email.calls_left) panel.append(note(counted(email.calls_left, "more call") + " not compared."));
      if (email.people.length) panel.append(el("h3", "", "People"), el("ul", "rows", email.people.map(([sign, text]) => el("li", "", badge(...people[sign]), " ", text))));
    });
    return panel;
  };
  const example = (row) => {
    const it = read("c" + row.at) || { email: null, attempts: [] };
    const key = (attempt) => attempt.name + "\n" + attempt.attempt;
    const own = it.attempts.map((one) => ({ ...one, name: facts.variants[one.variant], show: "mailproof show " + shell(facts.experiment + "/" + facts.variants[one.variant]),
      get whole() { return read("w" + row.at + "-" + one.variant + "-" + one.attempt); } }));
    const flips = (row.flips || []).map(([pair]) => [pairs[pair], read("f" + pair + "-" + row.at)]).filter(([, flip]) => flip && flip.reference);
    const references = flips.map(([pair, { reference }]) => ({ ...reference.summary, whole: reference.whole, name: pair.reference, show: pair.show, side: "reference" }));
    const all = [...references, ...own];
    const first = (good) => own.find((attempt) => (attempt.verdict === "passed") === good);
    const beside = flips.length ? [references[0], own.find((one) => one.variant === flips[0][1].candidate[0] && one.attempt === flips[0][1].candidate[1])] : [first(false), first(true)];
    let open = beside.filter(Boolean).map(key);
    const sides = make("div", { class: "sides" });
    const buttons = new Map();
    const draw = () => {
      buttons.forEach((button, name) => button.setAttribute("aria-pressed", open.includes(name)));
      sides.replaceChildren(...all.filter((one) => open.includes(key(one))).map((one) => attempt(row, one)));
    };
    const choice = (name, attempts) => attempts.length > 0 && el("div", "", el("span", "who", name), attempts.map((one) => {
      const button = make("button", { type: "button", "aria-pressed": "false" }, "attempt " + one.attempt, verdict(one));
      button.addEventListener("click", () => {
        open = open.includes(key(one)) ? open.filter((name) => name !== key(one)) : [...open, key(one)].slice(-2);
        draw();
      });
      buttons.set(key(one), button);
      return button;
    }));
    const groups = [...references.map((one) => choice("reference: " + one.name, [one])), ...facts.variants.map((name, variant) => choice(name, own.filter((one) => one.variant === variant)))];
    const at = shown.indexOf(row);
    const next = (step, words) => { const other = at >= 0 && shown[at + step]; return other ? link(other.id, words + other.id) : null; };
    draw();
    return [
      el("p", "steps", make("a", { href: chosen() }, "All examples"), el("span", "", next(-1, "← "), "  ", next(1, "→ "))),
      make("h1", { tabindex: "-1" }, row.id),
      el("p", "meta", badge("", row.kind), row.split && badge("", row.split), row.expected && badge("", "expected " + row.expected), row.tags.map((tag) => make("a", { class: "tag", href: "#/examples?tag=" + encodeURIComponent(tag) }, tag))),
      row.kind === "episode" ? null : email(it.email),
      (row.flips || []).length > 0 && el("section", "opposed", el("h2", "", "Against the reference"), row.flips.map((flip, at) => flipped(row, flip, at === 0))),
      all.length ? el("fieldset", "choose", el("legend", "", "Attempts, up to two side by side"), groups) : note("There was no room for its attempts on this page."),
      sides,
    ];
  };

  const title = document.title;
  let place = 0;
  const decoded = (part) => { try { return decodeURIComponent(part); } catch { return part; } };
  const route = () => {
    const hash = location.hash;
    const page = byId("example");
    const row = hash.startsWith("#/example/") && byName.get(decoded(hash.slice(10)));
    if (row) {
      if (page.hidden) place = scrollY;
      page.replaceChildren(...example(row).filter(Boolean));
      page.hidden = false;
      byId("report").hidden = true;
      document.title = row.id + " - mailproof";
      scrollTo(0, 0);
      page.querySelector("h1").focus({ preventScroll: true });
      return;
    }
    const was = !page.hidden;
    page.hidden = true;
    byId("report").hidden = false;
    document.title = title;
    if (hash.startsWith("#/examples")) {
      const query = new URLSearchParams(hash.split("?")[1] || "");
      for (const name in state) state[name] = query.get(name) || "";
      limit = STEP;
      list();
    }
    if (was && hash.includes("example")) scrollTo(0, place);
    else if (hash) (byId(hash.slice(1)) || byId("examples")).scrollIntoView();
  };
  filters();
  list();
  addEventListener("hashchange", route);
  if (location.hash) route();
})();
