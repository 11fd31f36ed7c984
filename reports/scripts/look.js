"use strict";

/* Queries with the top of several retrievers' rankings side by side. */
(() => {
  const place = document.getElementById("look-explorer");
  if (!place) return;
  const stored = (id) => JSON.parse(document.getElementById(id).textContent);
  const albums = stored("look-albums").filter((album) => album.queries.length);
  const media = stored("look-media");
  if (!albums.length) return;

  /* "label" is what a reader hears instead of the content. */
  const element = (tag, { label, ...others }, ...children) => {
    const made = Object.assign(document.createElement(tag), others);
    if (label) made.setAttribute("aria-label", label);
    made.append(...children);
    return made;
  };
  const span = (className, ...children) => element("span", { className }, ...children);
  const sign = (mark, kind, words) =>
    span(kind, element("span", { ariaHidden: "true" }, `${mark} `), words);
  const button = (properties, ...children) =>
    element("button", { type: "button", ...properties }, ...children);
  const labelled = (words, control) => element("label", {}, element("span", {}, words), control);
  const numbers = (things) => [...things.keys()];
  const options = (control, names) =>
    control.replaceChildren(...names.map((name, value) => element("option", { value }, name)));

  /* Of tied answers neither is said: the order among them is not the retriever's. */
  const isRight = ({ rankings }, number) => rankings[number] !== null && rankings[number].worst === 1;
  const isWrong = ({ rankings }, number) => rankings[number] !== null && rankings[number].best !== 1;

  const state = { album: albums[0], shown: [], matching: [], chosen: -1 };
  const shownIn = new Map(
    albums.map((album) => [album, album.retrievers.map((retriever) => retriever.shown)]),
  );

  /* What an address ends with that leads to one query. */
  const LINK = "#look?";
  const FILTERS = {
    all: ["all queries", () => true],
    pair: [
      "one right, another wrong",
      (query) => isRight(query, Number(one.value)) && isWrong(query, Number(other.value)),
    ],
    any: ["any of those shown wrong", (query) => state.shown.some((each) => isWrong(query, each))],
    none: [
      "all of those shown wrong",
      (query) => state.shown.length > 0 && state.shown.every((each) => isWrong(query, each)),
    ],
  };

  const dataset = element("select", { className: "look-dataset" });
  const filter = element("select", { className: "look-filter" });
  const one = element("select", { className: "look-one" });
  const other = element("select", { className: "look-other" });
  const swap = button({ className: "look-swap" }, "Swap");
  const wanted = element("input", { type: "search", autocomplete: "off", className: "look-words" });
  const pair = span("look-pair", labelled("Right", one), swap, labelled("Wrong", other));
  const bar = element(
    "div",
    { className: "bar", role: "group", label: "Choose queries" },
    labelled("Dataset", dataset),
    labelled("Queries", filter),
    pair,
    labelled("Words in the query", wanted),
  );
  const boxes = element("div", { className: "look-boxes" });
  const choice = element(
    "fieldset",
    { className: "look-retrievers" },
    element("legend", {}, "Retrievers shown"),
    boxes,
  );
  const previous = button({}, "Previous");
  const next = button({}, "Next");
  const count = element("output", { className: "count look-count" });
  const pager = element("div", { className: "bar look-pager" }, previous, next, count);
  const list = element("ol", { className: "look-list", label: "Matching queries" });
  const answers = element("article", { className: "look-answers", label: "Chosen query" });

  const named = (album) => album.label + (album.synthetic ? " (synthetic twin)" : "");
  options(dataset, albums.map(named));
  filter.append(
    ...Object.entries(FILTERS).map(([value, [words]]) => element("option", { value }, words)),
  );

  const play = (item, frame) => {
    place.querySelectorAll("audio, video").forEach((each) => each.pause());
    const { album } = state;
    const moving = album.modality === "video";
    const player = element(moving ? "video" : "audio", {
      controls: true,
      muted: moving,
      loop: moving,
      playsInline: true,
      autoplay: true,
      src: media[album.samples[item]],
      label: `Item ${album.items[item]}`,
    });
    if (moving) frame.replaceChildren(player);
    else frame.append(player);
    player.focus();
  };

  const picture = (item) => {
    const { items, thumbnails } = state.album;
    const src = media[thumbnails[item]];
    if (!src) return span("absent", "no picture");
    return element("img", { src, alt: `Item ${items[item]}`, decoding: "async" });
  };

  const shot = (item, right, ...lines) => {
    const { items, modality, samples } = state.album;
    const frame = element("div", { className: "frame" }, picture(item));
    if (samples[item] >= 0) {
      const words = modality === "video" ? "Play the clip" : "Play the sound";
      const start = button({ className: "play", label: `${words} of item ${items[item]}` }, "▶");
      start.addEventListener("click", () => {
        start.remove();
        play(item, frame);
      });
      frame.append(start);
    }
    const name = element("span", { className: "item", title: items[item] }, items[item]);
    return element("li", { className: right ? "shot right" : "shot" }, frame, ...lines, name);
  };

  const outcome = ({ best, worst }) => {
    if (!best) return sign("✕", "bad", `right item not in the top ${state.album.depth}`);
    if (worst === 1) return sign("✓", "good", "right item at rank 1");
    if (best === worst) return sign("✕", "bad", `right item at rank ${best}`);
    const tied = `right item tied at ranks ${best} to ${worst}`;
    return best === 1 ? sign("≈", "muted", tied) : sign("✕", "bad", tied);
  };

  const ranked = (query, number) => {
    const { paths } = state.album.retrievers[number];
    const { top, scores } = query.rankings[number];
    return top.map((item, rank) => {
      const right = query.right.includes(item);
      const stands = span("place", span("unseen", "rank "), String(rank + 1));
      if (right) stands.append(" ", sign("✓", "good", "right"));
      const score = span("score", span("unseen", "score "), scores[rank].replace("-", "−"));
      const path = paths[item] ? [span("path", span("unseen", "identifier "), paths[item])] : [];
      return shot(item, right, span("stands", stands, score), ...path);
    });
  };

  const answer = (query, number) => {
    const { label, paradigm, seed, paths } = state.album.retrievers[number];
    const heading = element("h4", {}, label, " ", span("protocol", `${paradigm}, seed ${seed}`));
    const told = element("p", { className: "outcome" });
    const made = element("section", { className: "look-answer" }, heading, told);
    if (query.rankings[number] === null) {
      told.append("was not asked this query");
      return made;
    }
    told.append(outcome(query.rankings[number]));
    const right = query.right.map((item) => paths[item]).filter(Boolean);
    if (right.length) told.append("; the identifier to write: ", span("path", right.join(" or ")));
    const row = element("ol", { className: "shots" }, ...ranked(query, number));
    const region = { role: "region", tabIndex: 0, label: `Ranking of ${label}` };
    made.append(element("div", { className: "strip", ...region }, row));
    return made;
  };

  const rightItems = ({ right, rights }) => {
    const left = right.length < rights ? `, ${right.length} of them shown` : "";
    const shots = element("ul", { className: "shots" }, ...right.map((item) => shot(item, true)));
    const words = rights > 1 ? `${rights} right items${left}` : "Right item";
    return element("section", { className: "look-answer" }, element("h4", {}, words), shots);
  };

  const source = () => {
    const { label, synthetic } = state.album;
    const made = element("p", { className: "look-source muted" }, label);
    if (synthetic) made.append(" ", span("badge warn", "synthetic twin"));
    return made;
  };

  const showAnswers = () => {
    const query = state.album.queries[state.chosen];
    answers.className = `look-answers ${state.album.modality}`;
    if (!query) {
      const words = "No query matches. Choose other retrievers, or all queries.";
      answers.replaceChildren(element("p", { className: "setting" }, words));
      return;
    }
    const text = element("bdi", { dir: "auto" }, query.text);
    answers.replaceChildren(
      source(),
      element("blockquote", {}, element("p", {}, text)),
      rightItems(query),
      ...state.shown.map((number) => answer(query, number)),
    );
  };

  const remember = () => {
    const told = new URLSearchParams({ dataset: state.album.label, query: state.chosen });
    history.replaceState(null, "", LINK + told);
  };

  const choose = (number) => {
    state.chosen = number;
    const at = state.matching.indexOf(number);
    [...list.children].forEach((row, position) => {
      const entry = row.firstElementChild;
      if (position === at) entry.setAttribute("aria-current", "true");
      else entry.removeAttribute("aria-current");
    });
    if (at >= 0) list.scrollTop = list.children[at].offsetTop - list.clientHeight / 2;
    previous.disabled = at <= 0;
    next.disabled = at < 0 || at === state.matching.length - 1;
    const { length } = state.album.queries;
    const which = at < 0 ? "" : `; this is number ${at + 1}`;
    count.textContent = `${state.matching.length} of ${length} queries drawn at random match${which}`;
    showAnswers();
  };

  const listed = (number) => {
    const entry = button({}, element("bdi", { dir: "auto" }, state.album.queries[number].text));
    entry.addEventListener("click", () => {
      choose(number);
      remember();
    });
    return element("li", {}, entry);
  };

  const update = () => {
    const { album } = state;
    state.shown = numbers(album.retrievers).filter((number) => shownIn.get(album)[number]);
    pair.hidden = filter.value !== "pair";
    const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = FILTERS[filter.value][1];
    state.matching = numbers(album.queries).filter((number) => {
      const text = album.queries[number].text.toLowerCase();
      return words.every((word) => text.includes(word)) && fits(album.queries[number]);
    });
    list.replaceChildren(...state.matching.map(listed));
    choose(state.matching.includes(state.chosen) ? state.chosen : (state.matching[0] ?? -1));
  };

  const open = (number) => {
    const album = albums[number];
    Object.assign(state, { album, chosen: -1 });
    dataset.value = number;
    const labels = album.retrievers.map((retriever) => retriever.label);
    options(one, labels);
    options(other, labels);
    const first = (paradigm, otherwise) => {
      const found = album.retrievers.findIndex((retriever) => retriever.paradigm === paradigm);
      return found < 0 ? Math.min(otherwise, labels.length - 1) : found;
    };
    one.value = first("generative", 0);
    other.value = first("dual tower", 1);
    boxes.replaceChildren(
      ...labels.map((label, number) => {
        const box = element("input", { type: "checkbox", checked: shownIn.get(album)[number] });
        box.addEventListener("change", () => {
          shownIn.get(album)[number] = box.checked;
          update();
        });
        return element("label", {}, box, ` ${label}`);
      }),
    );
    update();
  };

  const step = (by) => {
    choose(state.matching[state.matching.indexOf(state.chosen) + by]);
    remember();
  };
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  dataset.addEventListener("change", () => open(Number(dataset.value)));
  [filter, one, other].forEach((control) => control.addEventListener("change", update));
  wanted.addEventListener("input", update);
  swap.addEventListener("click", () => {
    [one.value, other.value] = [other.value, one.value];
    update();
  });

  const columns = element("div", { className: "look-columns" }, list, answers);
  place.replaceChildren(bar, choice, pager, columns);
  const { hash } = location;
  const link = new URLSearchParams(hash.startsWith(LINK) ? hash.slice(LINK.length) : "");
  const asked = albums.findIndex((album) => album.label === link.get("dataset"));
  open(Math.max(0, asked));
  if (asked >= 0) {
    const number = Number(link.get("query"));
    if (state.matching.includes(number)) choose(number);
    place.scrollIntoView();
  }
})();
