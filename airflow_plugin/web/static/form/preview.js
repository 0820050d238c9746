// What the config that is being written would give: its DAG, its next runs, and what changes.
import { Chakra, h } from "../host.js";
import { Changes } from "../parts/diff.js";
import { Facts } from "../parts/page.js";
import { moment, NOTHING } from "../words.js";

export function Preview({ preview }) {
  const { dag, changes } = preview;
  if (!dag) return h(Chakra.Text, { color: "fg.muted" }, "The DAG is shown when the config has no problems.");
  return h(
    Chakra.Stack,
    { gap: 3 },
    h(Facts, {
      facts: [
        ["DAG", h(Chakra.Text, { as: "span", fontFamily: "mono", fontSize: "xs" }, dag.dag_id)],
        ["Schedule", `${dag.schedule ?? "when triggered"}${dag.schedule && dag.timezone ? `, ${dag.timezone}` : ""}`],
      ],
    }),
    h(Part, { title: "Tasks" }, h(Tasks, { tasks: dag.tasks })),
    h(
      Part,
      { title: "Next runs" },
      dag.next_runs?.length ? dag.next_runs.map((time) => h("div", { key: time }, moment(time))) : NOTHING,
    ),
    dag.pod ? h(Part, { title: "Pod" }, h(Chakra.Code, { display: "block", whiteSpace: "pre-wrap", variant: "subtle", p: 2 }, JSON.stringify(dag.pod, null, 2))) : null,
    changes?.length ? h(Part, { title: "Changes" }, h(Changes, { changes })) : null,
  );
}

function Part({ title, children }) {
  return h("div", null, h(Chakra.Text, { color: "fg.muted", fontSize: "xs", mb: 1 }, title), children);
}

function Tasks({ tasks }) {
  const items = tasks.map(({ task_id: id, operator, downstream }) =>
    h(
      Chakra.Box,
      { as: "li", key: id, borderWidth: 1, borderRadius: "sm", px: 2, py: 1, mb: 1 },
      h(Chakra.Text, { as: "span", fontFamily: "mono", fontSize: "xs", fontWeight: "semibold" }, id),
      h(Chakra.Text, { as: "span", color: "fg.muted", fontSize: "xs", ms: 2 }, operator),
      downstream.length ? h(Chakra.Text, { color: "fg.muted", fontSize: "xs" }, `→ ${downstream.join(", ")}`) : null,
    ),
  );
  return h(Chakra.Box, { as: "ol", listStyleType: "none" }, items);
}
