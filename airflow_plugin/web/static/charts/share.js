// The streams of a platform by state, as one bar; each part leads to its streams.
import { Chakra, h, paths, Router, withQuery } from "../host.js";
import { paletteOf, STATES } from "../parts/state.js";
import { named, number } from "../words.js";

export function StateShare({ platform, streams }) {
  const there = STATES.filter((state) => streams[state] > 0);
  const parts = there.map((state) =>
    h(Chakra.Box, {
      key: state,
      flexGrow: streams[state],
      minW: "3px",
      colorPalette: paletteOf(state),
      bg: "colorPalette.solid",
      title: `${named(state)}: ${streams[state]}`,
    }),
  );
  return h(
    Chakra.Box,
    null,
    h(
      Chakra.Flex,
      { h: "10px", gap: "2px", borderRadius: "full", overflow: "hidden", bg: "bg.muted", "aria-hidden": true },
      parts,
    ),
    h(Chakra.Flex, { gap: 3, mt: 2, wrap: "wrap" }, there.map((state) => h(Count, { key: state, platform, state, count: streams[state] }))),
  );
}

function Count({ platform, state, count }) {
  return h(
    Chakra.Link,
    { asChild: true, fontSize: "sm", color: "fg", colorPalette: paletteOf(state) },
    h(
      Router.Link,
      { to: withQuery(paths.streams, { platform, state }) },
      h(Chakra.Box, { as: "span", boxSize: "8px", borderRadius: "full", bg: "colorPalette.solid", "aria-hidden": true }),
      h("strong", null, number(count)),
      " ",
      named(state),
    ),
  );
}
