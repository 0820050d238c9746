// The frame of each page: title, the way between pages, actions, and messages of what was done.
import { Chakra, h, paths, Router, VISIBLE_BORDERS } from "../host.js";

const SECTIONS = [
  [paths.overview, "Overview"],
  [paths.streams, "Streams"],
  [paths.runs, "Runs"],
];

export function Page({ title, section, crumbs = [], actions, children, tab = false }) {
  return h(
    Chakra.Box,
    { as: "main", height: "100%", overflowY: "auto", px: tab ? 3 : 5, py: tab ? 3 : 4, fontSize: "sm", className: "sf-page", css: VISIBLE_BORDERS },
    tab ? null : h(Sections, { section }),
    h(
      Chakra.Flex,
      { align: "center", justify: "space-between", gap: 3, wrap: "wrap", mb: 4, minH: "9" },
      h(
        Chakra.Flex,
        { align: "center", gap: 2, minW: 0, wrap: "wrap" },
        crumbs,
        h(Chakra.Heading, { as: "h1", size: "xl", wordBreak: "break-word" }, title),
      ),
      h(Chakra.HStack, { gap: 2, wrap: "wrap" }, actions),
    ),
    children,
  );
}

function Sections({ section }) {
  const links = SECTIONS.map(([path, label]) => h(Section, { key: path, path, label, here: label === section }));
  return h(
    Chakra.Flex,
    { as: "nav", "aria-label": "Streams", gap: 1, borderBottomWidth: 1, mb: 4 },
    links,
  );
}

function Section({ path, label, here }) {
  return h(
    Chakra.Link,
    {
      asChild: true,
      px: 3,
      py: 2,
      mb: "-1px",
      borderBottomWidth: 2,
      borderColor: here ? "brand.solid" : "transparent",
      color: here ? "fg" : "fg.muted",
      fontWeight: here ? "semibold" : "medium",
      _hover: { textDecoration: "none", color: "fg" },
    },
    h(Router.Link, { to: path, "aria-current": here ? "page" : undefined }, label),
  );
}

/** A box with a heading; `tools` stand at its right. */
export function Panel({ title, tools, children, ...rest }) {
  return h(
    Chakra.Box,
    { as: "section", borderWidth: 1, borderRadius: "md", minW: 0, "aria-label": title, ...rest },
    h(
      Chakra.Flex,
      { align: "center", justify: "space-between", wrap: "wrap", px: 3, py: 1, minH: "10", columnGap: 3, borderBottomWidth: 1 },
      h(Chakra.Heading, { as: "h2", size: "sm", minW: 0, overflowWrap: "anywhere" }, title),
      tools,
    ),
    h(Chakra.Box, { px: 3, py: 2, overflowX: "auto" }, children),
  );
}

export function Facts({ facts }) {
  const items = facts.filter(Boolean).map(([label, value]) =>
    h(
      Chakra.Box,
      { key: label, minW: 0 },
      h(Chakra.Text, { as: "dt", color: "fg.muted", fontSize: "xs" }, label),
      h(Chakra.Box, { as: "dd", fontWeight: "medium", wordBreak: "break-word" }, value),
    ),
  );
  return h(
    Chakra.Grid,
    { as: "dl", gap: 4, templateColumns: "repeat(auto-fit, minmax(112px, 1fr))", mb: 4 },
    items,
  );
}
