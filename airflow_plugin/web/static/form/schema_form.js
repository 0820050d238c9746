// The form of a config, group by group; groups of keys that are rarely changed are closed, unless they have a problem.
import { Chakra, h } from "../host.js";
import { plural } from "../words.js";
import { optionsOf, storeOf } from "./catalogue.js";
import { Field } from "./field.js";
import { grouped } from "./groups.js";

const OPEN = ["Stream", "Schedule", "Merge"];

/** Whether a problem is about a key or something inside it. */
export const isAbout = (problem, key) => new RegExp(`^(config_json[.:]\\s*)?${key}($|[.[:])`).test(problem.path ?? "");

/** `stores` is the catalogue, null where nobody knows it; `onChange` gets a key and its value. */
export function SchemaForm({ schema, config, stores, problems, fixed = [], onChange }) {
  const change = (key) => (value) => onChange(key, value);
  const store = storeOf(stores, config);
  const options = (key) => (key === "datasets" ? (store?.datasets ?? []) : optionsOf(stores, key));
  const troubled = Object.keys(schema.properties).filter((key) => problems.some((problem) => isAbout(problem, key)));
  return grouped(schema, config, troubled).map(([title, keys]) => {
    const mine = keys.map((key) => problems.filter((problem) => isAbout(problem, key)));
    const wrong = mine.reduce((sum, list) => sum + list.length, 0);
    const fields = keys.map((key, at) =>
      h(Field, {
        key,
        name: key,
        schema: schema.properties[key],
        fixed: fixed.includes(key),
        options: options(key),
        value: config[key],
        required: schema.required.includes(key),
        problems: mine[at],
        onChange: change(key),
      }),
    );
    return h(Group, { key: title, title, wrong, given: keys.filter((key) => key in config).length, fields });
  });
}

function Group({ title, wrong, given, fields }) {
  return h(
    Chakra.Box,
    { as: "details", open: OPEN.includes(title) || wrong > 0 || undefined, borderWidth: 1, borderRadius: "md", mb: 3 },
    h(
      Chakra.Box,
      { as: "summary", px: 3, py: 2, cursor: "pointer", fontWeight: "semibold" },
      title,
      h(Chakra.Text, { as: "span", color: "fg.muted", fontWeight: "normal", fontSize: "xs", ms: 2 }, `${given} of ${fields.length} set`),
      wrong ? h(Chakra.Badge, { colorPalette: "red", ms: 2 }, plural(wrong, "problem")) : null,
    ),
    h(
      Chakra.Grid,
      { gap: 4, p: 3, pt: 1, templateColumns: "repeat(auto-fill, minmax(min(260px, 100%), 1fr))", alignItems: "start" },
      fields,
    ),
  );
}
