"use strict";

/* Queries with the top of several retrievers' rankings side by side. */
(() => {
  const place = document.getElementById("look-explorer");
  if (!place) return;
  const stored = (id) => JSON.parse(document.getElementById(id).textContent);
  const albums = stored("look-albums").filter((album) => album.queries.length);
  const media = stored("look-media");
  if (!albums.length) return;

  const element = (tag, properties, ...children) => {
    const { label, ...others } = properties;
    const made = Object.assign(document.createElement(tag), others);
    if (label) made.setAttribute("aria-label", label);
    made.append(...children);
    return made;
  };
  const sign = (mark, kind, words) =>
    element("span", { className: kind }, element("span", { ariaHidden: "true" }, `${mark} `), words);
  const labelled = (words, control) => element("label", {}, element("span", {}, words), control);
  const options = (control, names) =>
    control.replaceChildren(...names.map((name, value) => element("option", { value }, name)));

  /* Of tied answers neither is said: the order among them is not the retriever's. */
  const isRight = (query, number) => Boolean(query.rankings[number]) && query.rankings[number].worst === 1;
  const isWrong = (query, number) => Boolean(query.rankings[number]) && query.rankings[number].best !== 1;

  const state = { album: albums[0], shown: [], matching: [], chosen: -1 };
  const shownIn = new Map(
    albums.map((album) => [album, album.retrievers.map((retriever) => retriever.shown)]),
  );

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
  const swap = element("button", { type: "button", className: "look-swap" }, "Swap");
  const wanted = element("input", { type: "search", autocomplete: "off", className: "look-words" });
  const pair = element("span", { className: "look-pair" }, labelled("Right", one), swap, labelled("Wrong", other));
  const bar = element(
    "div",
    { className: "bar", role: "group", label: "Choose queries" },
    labelled("Dataset", dataset),
    labelled("Queries", filter),
    pair,
    labelled("Words in the query", wanted),
  );
  const boxes = element("div", { className: "look-boxes" });
  const choice = element("fieldset", { className: "look-retrievers" }, element("legend", {}, "Retrievers shown"), boxes);
  const previous = element("button", { type: "button" }, "Previous");
  const next = element("button", { type: "button" }, "Next");
  const count = element("output", { className: "count look-count" });
  const pager = element("div", { className: "bar look-pager" }, previous, next, count);
  const list = element("ol", { className: "look-list", label: "Matching queries" });
  const answers = element("article", { className: "look-answers", label: "Chosen query" });

  options(dataset, albums.map((album) => album.label + (album.synthetic ? " (synthetic twin)" : "")));
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
    const { album } = state;
    const name = album.items[item];
    const source = media[album.thumbnails[item]];
    if (source) return element("img", { src: source, alt: `Item ${name}`, decoding: "async" });
    return element("span", { className: "absent" }, "no picture");
  };

  const shot = (item, right, ...lines) => {
    const { album } = state;
    const frame = element("div", { className: "frame" }, picture(item));
    const made = element("li", { className: right ? "shot right" : "shot" }, frame);
    if (album.samples[item] >= 0) {
      const words = album.modality === "video" ? "Play the clip" : "Play the sound";
      const button = element("button", { type: "button", className: "play", label: `${words} of item ${album.items[item]}` }, "▶");
      button.addEventListener("click", () => {
        button.remove();
        play(item, frame);
      });
      frame.append(button);
    }
    made.append(...lines, element("span", { className: "item", title: album.items[item] }, album.items[item]));
    return made;
  };

  const outcome = ({ best, worst }, depth) => {
    if (!best) return sign("✕", "bad", `right item not in the top ${depth}`);
    if (best === worst && best === 1) return sign("✓", "good", "right item at rank 1");
    if (best === worst) return sign("✕", "bad", `right item at rank ${best}`);
    const tied = `right item tied at ranks ${best} to ${worst}`;
    return best === 1 ? sign("≈", "muted", tied) : sign("✕", "bad", tied);
  };

  const answer = (query, number) => {
    const { album } = state;
    const retriever = album.retrievers[number];
    const ranking = query.rankings[number];
    const heading = element("h4", {}, retriever.label, " ", element("span", { className: "protocol" }, `${retriever.paradigm}, seed ${retriever.seed}`));
    if (!ranking) return element("section", { className: "look-answer" }, heading, element("p", { className: "outcome muted" }, "was not asked this query"));
    const told = element("p", { className: "outcome" }, outcome(ranking, album.depth));
    const own = query.right.map((item) => retriever.paths[item]).filter(Boolean);
    if (own.length) told.append("; the identifier to write: ", element("span", { className: "path" }, own.join(" or ")));
    const row = element("ol", { className: "shots" });
    ranking.top.forEach((item, rank) => {
      const right = query.right.includes(item);
      const stands = element("span", { className: "place" }, element("span", { className: "unseen" }, "rank "), String(rank + 1));
      if (right) stands.append(" ", sign("✓", "good", "right"));
      const score = element("span", { className: "score" }, element("span", { className: "unseen" }, "score "), ranking.scores[rank].replace("-", "−"));
      const path = retriever.paths[item] ? [element("span", { className: "path" }, element("span", { className: "unseen" }, "identifier "), retriever.paths[item])] : [];
      row.append(shot(item, right, element("span", { className: "stands" }, stands, score), ...path));
    });
    const strip = element("div", { className: "strip", role: "region", tabIndex: 0, label: `Ranking of ${retriever.label}` }, row);
    return element("section", { className: "look-answer" }, heading, told, strip);
  };

  const showAnswers = () => {
    const query = state.album.queries[state.chosen];
    if (!query) {
      answers.replaceChildren(element("p", { className: "setting" }, "No query matches. Choose other retrievers, or all queries."));
      return;
    }
    const several = query.rights > 1 ? `${query.rights} right items${query.right.length < query.rights ? `, ${query.right.length} of them shown` : ""}` : "Right item";
    const right = element("ul", { className: "shots" }, ...query.right.map((item) => shot(item, true)));
    answers.replaceChildren(
      element("blockquote", {}, element("p", {}, element("bdi", { dir: "auto" }, query.text))),
      element("section", { className: "look-answer" }, element("h4", {}, several), right),
      ...state.shown.map((number) => answer(query, number)),
    );
  };

  const remember = () => {
    const told = new URLSearchParams({ dataset: state.album.label, query: state.chosen });
    history.replaceState(null, "", `#look?${told}`);
  };

  const choose = (number) => {
    state.chosen = number;
    const at = state.matching.indexOf(number);
    [...list.children].forEach((row, position) => {
      const button = row.firstElementChild;
      if (position === at) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
    if (at >= 0) list.scrollTop = list.children[at].offsetTop - list.clientHeight / 2;
    previous.disabled = at <= 0;
    next.disabled = at < 0 || at === state.matching.length - 1;
    const { length } = state.album.queries;
    const which = at < 0 ? "" : `; this is number ${at + 1}`;
    count.textContent = `${state.matching.length} of ${length} queries drawn at random match${which}`;
    showAnswers();
  };

  const update = () => {
    const { album } = state;
    answers.className = `look-answers ${album.modality}`;
    state.shown = album.retrievers.map((_, number) => number).filter((number) => shownIn.get(album)[number]);
    pair.hidden = filter.value !== "pair";
    const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = FILTERS[filter.value][1];
    state.matching = album.queries
      .map((_, number) => number)
      .filter((number) => {
        const text = album.queries[number].text.toLowerCase();
        return words.every((word) => text.includes(word)) && fits(album.queries[number]);
      });
    list.replaceChildren(
      ...state.matching.map((number) => {
        const text = element("bdi", { dir: "auto" }, album.queries[number].text);
        const button = element("button", { type: "button" }, text);
        button.addEventListener("click", () => {
          choose(number);
          remember();
        });
        return element("li", {}, button);
      }),
    );
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
      ...album.retrievers.map((retriever, place) => {
        const box = element("input", { type: "checkbox", checked: shownIn.get(album)[place] });
        box.addEventListener("change", () => {
          shownIn.get(album)[place] = box.checked;
          update();
        });
        return element("label", {}, box, ` ${retriever.label}`);
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

  place.replaceChildren(bar, choice, pager, element("div", { className: "look-columns" }, list, answers));
  const named = new URLSearchParams(location.hash.startsWith("#look?") ? location.hash.slice(6) : "");
  const asked = albums.findIndex((album) => album.label === named.get("dataset"));
  open(Math.max(0, asked));
  if (asked >= 0) {
    const number = Number(named.get("query"));
    if (state.matching.includes(number)) choose(number);
    place.scrollIntoView();
  }
})();
