// A stream's config as it is stored, key by key.
import { Chakra, h } from "../host.js";
import { Panel } from "../parts/page.js";
import { shown } from "../words.js";

export function StreamConfig({ stream }) {
  if (stream.config_text) return h(Panel, { title: "Not a JSON object" }, h(Chakra.Code, { whiteSpace: "pre-wrap" }, stream.config_text));
  const rows = Object.entries(stream.config).map(([key, value]) =>
    h(
      Chakra.Table.Row,
      { key },
      h(Chakra.Table.Cell, { as: "th", scope: "row", fontFamily: "mono", fontSize: "xs", color: "fg.muted", w: { base: "45%", md: "80" }, overflowWrap: "anywhere", py: 1.5, fontWeight: "normal" }, key),
      h(Chakra.Table.Cell, { fontFamily: "mono", fontSize: "xs", py: 1.5, overflowWrap: "anywhere" }, shown(value)),
    ),
  );
  return h(
    Panel,
    { title: `Version ${stream.version}` },
    h(Chakra.Table.Root, { size: "sm", tableLayout: { base: "fixed", md: "auto" }, "aria-label": "Config" }, h(Chakra.Table.Body, null, rows)),
  );
}
