// Who changed a stream when, what changed, and the way back.
import { Chakra, h, React, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { AskToPost } from "../parts/ask.js";
import { Changes, changesBetween } from "../parts/diff.js";
import { Answer, Nothing } from "../parts/notice.js";
import { Panel } from "../parts/page.js";
import { State } from "../parts/state.js";
import { fromNow, moment } from "../words.js";

export function StreamHistory({ stream, onDone }) {
  const path = at("streams", stream.platform, stream.stream_key);
  // The version is in the address so that a change is shown at once.
  const answer = useAnswer(withQuery(`${path}/history`, { at: stream.version }));
  const [asked, setAsked] = React.useState(null);
  return h(Answer, { answer }, ({ versions }) =>
    versions.length
      ? h(
          Chakra.Stack,
          { gap: 3 },
          versions.map((version, index) =>
            h(Version, { key: version.version, path, version, before: versions[index + 1], current: index === 0, mayChange: stream.can_edit, onRollback: () => setAsked(version) }),
          ),
          asked ? h(Rollback, { stream, to: asked, path, onDone, onClose: () => setAsked(null) }) : null,
        )
      : h(Nothing, { title: "No history" }, "The row is older than its history."),
  );
}

function Version({ path, version, before, current, mayChange, onRollback }) {
  const [open, setOpen] = React.useState(current);
  const tools = h(
    Chakra.HStack,
    { gap: 2 },
    before
      ? h(Chakra.Button, { size: "xs", variant: "ghost", "aria-expanded": open, onClick: () => setOpen(!open) }, open ? "Hide changes" : "Show changes")
      : null,
    current
      ? h(Chakra.Badge, { variant: "outline" }, "current")
      : mayChange
        ? h(Chakra.Button, { size: "xs", variant: "outline", onClick: onRollback }, "Roll back to this")
        : null,
  );
  return h(
    Panel,
    { title: `Version ${version.version}: ${version.action} by ${version.by ?? "somebody"}`, tools },
    h(
      Chakra.HStack,
      { gap: 3, color: "fg.muted", fontSize: "xs" },
      h(State, { state: version.status }),
      h("span", { title: fromNow(version.at) }, moment(version.at)),
    ),
    open && before ? h(Difference, { path, from: before.version, to: version.version }) : null,
    before ? null : h(Chakra.Text, { color: "fg.muted", mt: 1 }, "The first that is known."),
  );
}

function Difference({ path, from, to }) {
  const answer = useAnswer(withQuery(`${path}/diff`, { from, to }));
  return h(Chakra.Box, { mt: 2 }, h(Answer, { answer }, ({ changes }) => h(Changes, { changes })));
}

function Rollback({ stream, to, path, onDone, onClose }) {
  return h(
    AskToPost,
    {
      wide: true,
      title: `Roll back ${stream.stream_key} to version ${to.version}?`,
      yes: "Roll back",
      path: `${path}/rollback`,
      body: { to: to.version, version: stream.version },
      onDone: () => {
        onClose();
        onDone({ what: `Rolled back to version ${to.version}; the DAG follows with the next parse` });
      },
      onClose,
    },
    h(Chakra.Text, { mb: 2 }, "This becomes a new version; nothing is lost."),
    h(Changes, { changes: changesBetween(stream.config, to.config) }),
  );
}
