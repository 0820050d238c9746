// Problems of a config, as the command line words them: where, what, and what to do.
import { Chakra, h } from "../host.js";

export function Problems({ problems }) {
  const items = problems.map(({ path, what, todo }, at) =>
    h(
      Chakra.Box,
      { as: "li", key: `${path}-${at}`, py: 1.5, borderTopWidth: at ? 1 : 0 },
      path ? h(Chakra.Code, { me: 2, variant: "plain", p: 0, color: "inherit" }, path) : null,
      h(Chakra.Text, { as: "span", fontWeight: "medium" }, what),
      todo ? h(Chakra.Text, null, todo) : null,
    ),
  );
  return h(Chakra.Box, { as: "ul", listStyleType: "none", p: 0, "aria-label": "Problems" }, items);
}
