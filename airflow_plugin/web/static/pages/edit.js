// A new stream, or another config for one: a form and its JSON, checked and previewed as one types.
import { Chakra, h, paths, React, Router, useQuery } from "../host.js";
import { at, call, useAnswer, useRested } from "../api.js";
import { picked } from "../form/catalogue.js";
import { wordsOf } from "../form/groups.js";
import { Preview } from "../form/preview.js";
import { isAbout, SchemaForm } from "../form/schema_form.js";
import { Start } from "../form/start.js";
import { Discard, useUnsaved } from "../form/unsaved.js";
import { Ask } from "../parts/ask.js";
import { Changes, changesBetween } from "../parts/diff.js";
import { Answer, ErrorNotice, Nothing, Notice } from "../parts/notice.js";
import { Page, Panel } from "../parts/page.js";
import { Problems } from "../parts/problems.js";
import { plural } from "../words.js";

const REST_MILLISECONDS = 400;
// What the model's sync does with rows that a person wrote.
const KEPT = "Sync keeps your change, and reports it as drift until the model contains it too.";
const MADE_HERE = "Sync keeps the stream, and reports it as drift until the model contains it too.";
const FIXED = ["stream_key", "platform_name", "original_platform_name"];

export function Edit({ platform, streamKey }) {
  const schema = useAnswer(at("schema", "stream"));
  const source = useAnswer(streamKey ? at("streams", platform, streamKey) : at("platforms"));
  const title = streamKey ? `Edit ${streamKey}` : "New stream";
  return h(
    Page,
    { title, section: "Streams" },
    h(Answer, { answer: schema }, (form) =>
      h(Answer, { answer: source }, (data) =>
        streamKey
          ? h(Editor, { schema: form, platform, stored: data, first: data.config, onReload: source.reload, key: data.version })
          : h(Create, { schema: form, platforms: data.platforms }),
      ),
    ),
  );
}

function Create({ schema, platforms }) {
  const [query, change] = useQuery();
  const [copy, setCopy] = React.useState({ turn: 0 });
  const isUnsaved = React.useRef(false);
  const [waiting, setWaiting] = React.useState(null); // another beginning, which would discard what was typed
  const begin = (act) => (isUnsaved.current ? setWaiting(() => act) : act());
  const platform = query.platform ?? (platforms.length === 1 ? platforms[0].platform : "");
  const me = useAnswer(at("me"));
  const given = useAnswer(platform && me.data?.can_create ? at("platforms", platform, "config") : null);
  const choose = (name) => {
    setCopy({ turn: copy.turn + 1 });
    change({ platform: name });
  };
  if (me.data && !me.data.can_create) {
    return h(Notice, { status: "warning", title: "None of your roles may create streams" }, "Ask for a role of creator_roles, or commit the stream to the model.");
  }
  return h(
    "div",
    null,
    h(Start, {
      platforms,
      platform,
      onPlatform: (name) => begin(() => choose(name)),
      onCopy: (config) => begin(() => setCopy({ config, turn: copy.turn + 1 })),
    }),
    waiting ? h(Discard, { onYes: () => [waiting(), setWaiting(null)], onClose: () => setWaiting(null) }) : null,
    platform
      ? h(Answer, { answer: given }, ({ config }) =>
          h(Editor, { schema, platform, first: copy.config ?? config, key: `${platform} ${copy.turn}`, onUnsaved: (is) => (isUnsaved.current = is) }),
        )
      : h(Nothing, { title: "A stream belongs to a platform" }, "Choose one to begin."),
  );
}

/** `stored` is the stream that is there, none for a new one; `onUnsaved` hears whether there is what a person has typed. */
function Editor({ schema, platform, stored, first, onReload, onUnsaved }) {
  const [config, setConfig] = React.useState(first);
  const [touched, setTouched] = React.useState([]); // keys: what nobody has filled in yet is no error
  const [asked, setAsked] = React.useState(false);
  const stores = useAnswer(at("platforms", platform, "catalogue")).data?.stores ?? null;
  const checked = useChecked(platform, config);
  const problems = checked.answer?.problems ?? [];
  const changes = changesBetween(stored?.config ?? {}, config);
  const mayEdit = !stored || stored.can_edit;
  const isUnsaved = mayEdit && changesBetween(first, config).length > 0;
  const [discard, leave] = useUnsaved(isUnsaved);
  React.useEffect(() => {
    onUnsaved?.(isUnsaved);
  }, [isUnsaved]);
  const unchecked = checked.of ? Object.keys(schema.properties).filter((key) => JSON.stringify(checked.of[key]) !== JSON.stringify(config[key])) : [];
  const isOver = (problem) => unchecked.some((key) => isAbout(problem, key)); // of what stood there before
  const isSaid = (problem) => !isOver(problem) && (stored || isTyped(problem));
  const isTyped = (problem) => !missing(schema, config).some((key) => isAbout(problem, key) && !touched.includes(key));
  const change = (key, value) => {
    setTouched([...touched, key]);
    setConfig(stored ? picked(null, config, key, value) : picked(stores, config, key, value));
  };
  const write = (whole) => {
    setTouched(Object.keys(schema.properties));
    setConfig(whole);
  };
  return h(
    Chakra.Grid,
    { gap: 4, templateColumns: { base: "minmax(0, 1fr)", lg: "minmax(0, 3fr) minmax(300px, 2fr)" }, alignItems: "start" },
    h(
      "div",
      null,
      mayEdit ? null : h(Notice, { status: "warning", title: "You can see this stream, but not change it" }, "Ask for the right to edit its DAG."),
      h(Views, { schema, config, stores, problems: problems.filter(isSaid), fixed: stored ? FIXED : ["platform_name"], onChange: change, onWrite: write }),
    ),
    h(
      Chakra.Stack,
      { gap: 3, position: "sticky", top: 0 },
      h(Verdict, { checked, problems: problems.filter(isSaid), missing: stored ? [] : missing(schema, config), schema }),
      h(
        Chakra.HStack,
        { wrap: "wrap" },
        h(
          Chakra.Button,
          {
            size: "sm",
            colorPalette: "brand",
            disabled: !mayEdit || !checked.fresh || problems.length > 0 || (stored && !changes.length),
            onClick: () => setAsked(true),
          },
          stored ? "Review changes and save" : "Create the stream",
        ),
        stored ? h(Chakra.Button, { size: "sm", variant: "outline", disabled: !changes.length, onClick: () => setConfig(first) }, "Undo all") : null,
      ),
      checked.answer ? h(Panel, { title: "Preview" }, h(Preview, { preview: checked.answer })) : null,
    ),
    asked ? h(Save, { platform, config, stored, changes, onReload, onSaved: leave, onClose: () => setAsked(false) }) : null,
    discard,
  );
}

const missing = (schema, config) => schema.required.filter((key) => !(key in config));

/** What the API says of the config once typing rests: problems, DAG and changes; `fresh` when it is of this config. */
function useChecked(platform, config) {
  const rested = useRested(config, REST_MILLISECONDS);
  const [state, setState] = React.useState({});
  React.useEffect(() => {
    const stop = new AbortController();
    call("POST", at("preview", platform), { config: rested }, stop.signal).then(
      (answer) => setState({ answer, of: rested }),
      (error) => {
        if (stop.signal.aborted) return;
        const answer = error.problems?.length ? { problems: error.problems } : undefined;
        setState({ answer, error: answer ? undefined : error, of: rested });
      },
    );
    return () => stop.abort();
  }, [platform, rested]);
  return { ...state, fresh: state.of === config };
}

/** `missing` are the keys of a new stream that nobody has filled in yet. */
function Verdict({ checked, problems, missing: empty, schema }) {
  if (checked.error) return h(ErrorNotice, { error: checked.error });
  if (!checked.answer || (!checked.fresh && !problems.length)) return h(Chakra.Text, { color: "fg.muted", role: "status" }, "Checking…");
  if (!problems.length && empty.length) return h(Notice, { status: "info", title: "Still to fill in" }, empty.map(wordsOf).join(", "));
  if (!problems.length) return h(Notice, { status: "success", title: "No problems" });
  const elsewhere = problems.filter((one) => !Object.keys(schema.properties).some((key) => isAbout(one, key)));
  return h(
    Notice,
    { status: "error", title: plural(problems.length, "problem") },
    h(Problems, { problems: elsewhere.length ? problems : problems.slice(0, 8) }),
  );
}

function Views({ schema, config, stores, problems, fixed, onChange, onWrite }) {
  const [view, setView] = React.useState("form");
  return h(
    Chakra.Tabs.Root,
    { value: view, size: "sm", variant: "line", lazyMount: true, unmountOnExit: true, onValueChange: ({ value }) => setView(value) },
    h(
      Chakra.Tabs.List,
      { mb: 3, "aria-label": "How the config is written" },
      h(Chakra.Tabs.Trigger, { value: "form" }, "Form"),
      h(Chakra.Tabs.Trigger, { value: "json" }, "JSON"),
    ),
    h(Chakra.Tabs.Content, { value: "form", p: 0 }, h(SchemaForm, { schema, config, stores, problems, fixed, onChange })),
    h(Chakra.Tabs.Content, { value: "json", p: 0 }, h(JsonView, { config, onChange: onWrite })),
  );
}

function JsonView({ config, onChange }) {
  const [text, setText] = React.useState(() => JSON.stringify(config, null, 2));
  const [broken, setBroken] = React.useState("");
  const change = (event) => {
    setText(event.target.value);
    try {
      const value = JSON.parse(event.target.value);
      if (value === null || typeof value !== "object" || Array.isArray(value)) throw new SyntaxError("a config is an object");
      setBroken("");
      onChange(value);
    } catch (error) {
      setBroken(`Not valid JSON: ${error.message}`);
    }
  };
  return h(
    Chakra.Field.Root,
    { invalid: Boolean(broken) },
    h(Chakra.Field.Label, null, "config_json"),
    h(Chakra.Textarea, { value: text, onChange: change, rows: 28, fontFamily: "mono", fontSize: "xs", spellCheck: false }),
    broken ? h(Chakra.Field.ErrorText, { color: "red.fg" }, broken) : null,
  );
}

function Save({ platform, config, stored, changes, onReload, onSaved, onClose }) {
  const navigate = Router.useNavigate();
  const [conflict, setConflict] = React.useState(false);
  const save = async () => {
    let saved;
    try {
      const path = stored ? at("streams", platform, stored.stream_key) : at("streams", platform);
      const body = stored ? { config, version: stored.version } : { config };
      saved = await call(stored ? "PUT" : "POST", path, body);
    } catch (error) {
      setConflict(error.status === 409 && Boolean(stored));
      throw error;
    }
    onSaved();
    const what = `${saved.stream_key} is ${stored ? "saved" : "created"}`;
    navigate(paths.stream(platform, saved.stream_key), { state: { saved: { what, parse: saved.parse } } });
  };
  const title = stored ? `Save ${stored.stream_key} on ${platform}?` : `Create ${config.stream_key} on ${platform}?`;
  return h(
    Ask,
    { title, yes: stored ? "Save" : "Create", wide: true, onYes: save, onClose },
    h(Chakra.Text, { mb: 2 }, `The history records this change with your name. The stream's page shows when Airflow has it. ${stored ? KEPT : MADE_HERE}`),
    conflict
      ? h(Chakra.Button, { size: "xs", variant: "outline", mb: 2, onClick: onReload }, "Discard my changes and load the current version")
      : null,
    h(Changes, { changes }),
  );
}
