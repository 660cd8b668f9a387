"use strict";
// Text from the report is set as text, never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  document.body.classList.add("has-script");

  // ---- tests, by number: binary, name, outcome, duration, tasks, poll, wait, hold
  const fullName = (test) => {
    const binary = data.binaries[test[0]];
    return test[1] === binary ? binary : `${binary} ${test[1]}`;
  };
  const names = data.tests.map((test) => fullName(test).toLowerCase());
  const findingsOf = data.tests.map(() => []);
  data.findings.forEach((tests, finding) => tests.forEach((test) => findingsOf[test].push(finding)));

  // ---- findings
  const cards = all("#findings > .finding");
  const texts = new Map();
  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase() + " " + card.id);
    return texts.get(card);
  };
  const search = byId("search"), byRule = byId("by-rule"), byPackage = byId("by-package");
  const byTest = byId("by-test"), byState = byId("by-state");
  let shown = cards;
  const filter = () => {
    if (!search) return;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const test = byTest.value.trim().toLowerCase();
    const severities = new Set(all(".by-severity:checked").map((box) => box.value));
    shown = cards.filter((card) => {
      const facts = card.dataset;
      const seenIn = () => data.findings[+facts.n].some((number) => names[number].includes(test));
      const is = (!byRule.value || facts.rule === byRule.value)
        && (!byPackage.value || facts.packages.split(" ").includes(byPackage.value))
        && severities.has(facts.severity)
        && (facts.state === "open" || !byState || byState.checked)
        && (!test || seenIn())
        && words.every((word) => textOf(card).includes(word));
      card.hidden = !is;
      return is;
    });
    byId("shown").textContent = shown.length === cards.length
      ? `${cards.length} shown` : `${shown.length} of ${cards.length} shown`;
    byId("none-shown").hidden = shown.length > 0;
    mark(null);
  };
  const clear = () => {
    if (!search) return;
    search.value = byRule.value = byPackage.value = byTest.value = "";
    all(".by-severity").forEach((box) => { box.checked = true; });
    filter();
  };
  let current = null;
  const mark = (card) => {
    if (current) current.classList.remove("current");
    current = card;
    if (card) card.classList.add("current");
  };
  const step = (by) => {
    if (!shown.length) return;
    const at = shown.indexOf(current);
    const next = at < 0 ? (by > 0 ? 0 : shown.length - 1) : Math.min(Math.max(at + by, 0), shown.length - 1);
    mark(shown[next]);
    current.scrollIntoView({ block: "start" });
    current.querySelector("summary").focus({ preventScroll: true });
  };
  const fold = (isOpen) => shown.forEach((card) => { card.querySelector("details").open = isOpen; });
  if (search) {
    const later = (run) => { let timer; return () => { clearTimeout(timer); timer = setTimeout(run, 80); }; };
    [search, byTest].forEach((field) => field.addEventListener("input", later(filter)));
    [byRule, byPackage, byState].filter(Boolean).forEach((field) => field.addEventListener("change", filter));
    all(".by-severity").forEach((box) => box.addEventListener("change", filter));
    byId("clear").addEventListener("click", clear);
    all(".of-rule").forEach((link) => link.addEventListener("click", () => {
      byRule.value = link.dataset.rule;
      filter();
    }));
    if (data.cut) byTest.title = `Of each finding, the first ${data.cut} tests are known here`;
    filter();
  }
  const follow = () => {
    const card = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!card || !card.classList.contains("finding")) return;
    // One that the filters hide was asked for all the same.
    card.hidden = false;
    card.querySelector("details").open = true;
    mark(card);
    card.scrollIntoView({ block: "start", behavior: "instant" });
  };
  addEventListener("hashchange", follow);

  // ---- keys
  const keys = byId("keys");
  byId("show-keys").addEventListener("click", () => keys.showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    const isField = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape") {
      if (isField) event.target.blur(); else { clear(); look(null); }
      return;
    }
    if (isField) return;
    const does = {
      j: () => step(1), k: () => step(-1), "/": () => search && search.focus(),
      "?": () => keys.showModal(), e: () => fold(true), c: () => fold(false),
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });

  // ---- the graph of lock orders
  const svg = byId("lock-graph");
  let look = () => {};
  if (svg) {
    const nodes = all(".node", svg), edges = all(".edge", svg), frame = svg.parentElement;
    const labels = nodes.map((node) => node.querySelector("title").textContent.toLowerCase());
    const natural = { width: +svg.getAttribute("width"), height: +svg.getAttribute("height") };
    let zoom = 1;
    const scale = (to) => {
      zoom = Math.min(Math.max(to, 0.05), 4);
      svg.setAttribute("width", natural.width * zoom);
      svg.setAttribute("height", natural.height * zoom);
    };
    const fit = () => scale(Math.min(1, (frame.clientWidth - 2) / natural.width));
    const zooms = { out: () => scale(zoom / 1.3), in: () => scale(zoom * 1.3), one: () => scale(1), fit };
    all("[data-zoom]").forEach((button) => button.addEventListener("click", zooms[button.dataset.zoom]));
    // A picture that would be too small to read is shown in its size, to be scrolled.
    if (natural.width * 0.75 <= frame.clientWidth) fit();
    const show = (node) => {
      const box = node.getBoundingClientRect(), view = frame.getBoundingClientRect();
      frame.scrollBy({ left: box.left - view.left - 60, top: box.top - view.top - 60, behavior: "instant" });
    };
    const worst = nodes.find((node) => node.classList.contains("cycle")) || nodes[0];
    if (worst) show(worst);
    // Beside the locks themselves, those before and behind them stay visible.
    const near = (numbers) => {
      const wanted = new Set(numbers), beside = new Set(numbers);
      edges.forEach((edge) => {
        const [from, to] = [edge.dataset.from, edge.dataset.to];
        const is = wanted.has(from) || wanted.has(to);
        edge.classList.toggle("near", is);
        if (is) { beside.add(from); beside.add(to); }
      });
      nodes.forEach((node) => node.classList.toggle("near", beside.has(node.dataset.lock)));
      svg.classList.toggle("looking", wanted.size > 0);
    };
    let chosen = null;
    look = (node) => {
      chosen = node === chosen ? null : node;
      nodes.forEach((other) => other.classList.toggle("chosen", other === chosen));
      near(chosen ? [chosen.dataset.lock] : []);
    };
    nodes.forEach((node) => {
      node.addEventListener("click", () => look(node));
      node.addEventListener("keydown", (event) => {
        if (event.key === "Enter") { event.preventDefault(); look(node); }
      });
    });
    byId("lock-search").addEventListener("input", (event) => {
      const wanted = event.target.value.trim().toLowerCase();
      const found = nodes.filter((node, at) => wanted && labels[at].includes(wanted));
      chosen = null;
      nodes.forEach((node) => {
        node.classList.remove("chosen");
        node.classList.toggle("found", found.includes(node));
      });
      near(found.map((node) => node.dataset.lock));
      svg.classList.toggle("looking", wanted !== "");
      byId("lock-found").textContent = wanted ? `${found.length} found` : "";
      if (found.length) show(found[0]);
    });
    byId("lock-cycles").addEventListener("change", (event) => {
      svg.classList.toggle("only-cycles", event.target.checked);
    });
  }

  // ---- the list of tests
  const rows = byId("test-list").tBodies[0];
  const time = (ms) => ms >= 60000 ? `${(ms / 60000).toFixed(1)} min` : ms >= 1000 ? `${(ms / 1000).toFixed(1)} s` : `${ms} ms`;
  const longest = Math.max(1, ...data.tests.map((test) => test[3]).slice(0, 50000));
  const PAGE = 100;
  let order = [], told = 0;
  const cell = (row, text, name) => {
    const td = row.insertCell();
    td.textContent = text;
    if (name) td.className = name;
    return td;
  };
  const span = (parent, text, name) => {
    const element = document.createElement("span");
    element.textContent = text;
    element.className = name;
    parent.append(element);
    return element;
  };
  const tellTests = () => {
    order.slice(told, told + PAGE).forEach((number) => {
      const [binary, name, outcome, duration, tasks, poll, wait, hold] = data.tests[number];
      const isBad = outcome !== "passed";
      const row = rows.insertRow();
      const first = cell(row, "");
      if (name !== data.binaries[binary]) {
        span(first, name, "name");
        first.append(" ");
        span(first, data.binaries[binary], "binary");
      } else span(first, name, "name");
      cell(row, outcome, isBad ? "outcome-failed" : "outcome-passed");
      const bar = document.createElement("div");
      bar.className = "time";
      const line = document.createElement("i");
      line.style.width = `${Math.max(duration / longest * 70, 0.5)}%`;
      if (isBad) line.className = "failed";
      bar.append(line);
      span(bar, time(duration), "");
      cell(row, "").append(bar);
      cell(row, tasks || "", "num");
      [poll, wait, hold].forEach((ms) => cell(row, ms ? time(ms) : "", "num dim"));
      const last = cell(row, "", "num");
      const found = findingsOf[number];
      if (found.length) {
        const link = document.createElement("a");
        link.textContent = found.length;
        link.href = found.length === 1 ? `#${cards[found[0]].id}` : "#findings";
        if (found.length > 1) link.addEventListener("click", () => {
          clear();
          byTest.value = fullName(data.tests[number]);
          filter();
        });
        last.append(link);
      }
    });
    told = Math.min(told + PAGE, order.length);
    byId("more-tests").hidden = told >= order.length;
    byId("tests-shown").textContent = order.length === data.tests.length
      ? `${data.tests.length} tests` : `${order.length} of ${data.tests.length} tests`;
  };
  const listTests = () => {
    const wanted = byId("test-search").value.trim().toLowerCase(), outcome = byId("test-outcome").value;
    order = data.tests.map((_, number) => number).filter((number) =>
      (!wanted || names[number].includes(wanted)) && (!outcome || data.tests[number][2] === outcome));
    const by = {
      duration: (n) => data.tests[n][3], findings: (n) => findingsOf[n].length, tasks: (n) => data.tests[n][4],
      poll: (n) => data.tests[n][5], wait: (n) => data.tests[n][6], hold: (n) => data.tests[n][7],
    }[byId("test-sort").value];
    if (by) order.sort((a, b) => by(b) - by(a) || a - b);
    rows.replaceChildren();
    told = 0;
    tellTests();
  };
  byId("test-search").addEventListener("input", listTests);
  byId("test-outcome").addEventListener("change", listTests);
  byId("test-sort").addEventListener("change", listTests);
  byId("more-tests").addEventListener("click", tellTests);
  listTests();
  follow();
})();
