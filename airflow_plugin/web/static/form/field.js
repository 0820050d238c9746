// One key of a config as a field, made from its part of the JSON Schema. An empty field is a key that is not given.
import { Chakra, h, React } from "../host.js";
import { wordsOf } from "./groups.js";

const MOST_BOXES = 40;

/**
 * `problems` are those of this key, as the API words them; what is `fixed` is only shown. `options` are names to pick
 * from: those of a list are boxes to tick, unless they are many.
 */
export function Field({ name, schema, value, required, fixed = false, options = [], problems, onChange }) {
  const message = problems.map(({ what, todo }) => `${what}. ${todo}`).join(" ");
  const nested = schema.type === "object" && schema.properties;
  if (nested) return h(Nested, { name, schema, value, problems, onChange });
  if (schema.type === "array" && options.length && options.length <= MOST_BOXES) return h(Boxes, { name, value, options, required, message, onChange });
  return h(
    Chakra.Field.Root,
    { required, readOnly: fixed, invalid: Boolean(message), id: `sf-${name}` },
    h(Chakra.Field.Label, LABEL, h(Words, { name }), required ? h(Chakra.Field.RequiredIndicator) : null),
    h(inputFor(schema), { name, schema, value, options, onChange }),
    message ? h(Chakra.Field.ErrorText, { color: "red.fg" }, message) : null,
    message.includes(schema.description.replace(/\.$/, "")) ? null : h(Chakra.Field.HelperText, null, schema.description),
  );
}

const LABEL = { display: "flex", flexWrap: "wrap", columnGap: 2, alignItems: "baseline" };

/** A key in words, with the key itself beside them, by which it is written down elsewhere. */
const Words = ({ name }) => [
  h("span", { key: "words" }, wordsOf(name)),
  " ", // between them for those who hear it
  h(Chakra.Text, { key: "key", as: "span", fontFamily: "mono", fontSize: "2xs", fontWeight: "normal", color: "fg.muted", wordBreak: "break-all" }, name),
];

function inputFor(schema) {
  if (schema.enum || schema.type === "boolean") return Chosen;
  if (schema.type === "integer" || schema.type === "number") return Numeric;
  if (schema.type === "array" && schema.items.type === "string") return Lines;
  if (schema.type === "array" || schema.type === "object") return Json;
  return Text;
}

const example = (schema) => (schema.examples ? `${schema.examples[0]}` : undefined);

function Text({ name, schema, value, options, onChange }) {
  const list = options.length ? `sf-${name}-options` : undefined;
  const choices = options.map((one) => h("option", { key: one, value: one }));
  return [h(TextInput, { key: "input", list, schema, value, onChange }), list ? h("datalist", { key: "options", id: list }, choices) : null];
}

function TextInput({ list, schema, value, onChange }) {
  return h(Chakra.Input, {
    size: "sm",
    list,
    value: value ?? "",
    placeholder: example(schema),
    autoComplete: "off",
    spellCheck: false,
    onChange: (event) => onChange(event.target.value === "" ? undefined : event.target.value),
  });
}

function Numeric({ schema, value, onChange }) {
  return h(Chakra.Input, {
    size: "sm",
    type: "number",
    step: schema.type === "integer" ? 1 : "any",
    value: value ?? "",
    placeholder: example(schema),
    onChange: (event) => onChange(event.target.value === "" ? undefined : Number(event.target.value)),
  });
}

function Chosen({ schema, value, onChange }) {
  const choices = schema.enum ?? [true, false];
  const texts = new Map(choices.map((one) => [String(one), one]));
  return h(
    Chakra.NativeSelect.Root,
    { size: "sm" },
    h(
      Chakra.NativeSelect.Field,
      { value: value === undefined ? "" : String(value), onChange: (event) => onChange(texts.get(event.target.value)) },
      h("option", { value: "" }, "not set"),
      choices.map((one) => h("option", { key: String(one), value: String(one) }, String(one))),
    ),
    h(Chakra.NativeSelect.Indicator),
  );
}

/** A list of names to tick; those that are in the value and no option are there too, so that they can be taken out. */
function Boxes({ name, value, options, required, message, onChange }) {
  const given = Array.isArray(value) ? value : [];
  const every = [...options, ...given.filter((one) => !options.includes(one))];
  const toggle = (one) => {
    const after = given.includes(one) ? given.filter((other) => other !== one) : every.filter((other) => other === one || given.includes(other));
    onChange(after.length ? after : undefined);
  };
  const boxes = every.map((one) =>
    h(
      Chakra.Checkbox.Root,
      { key: String(one), size: "sm", checked: given.includes(one), onCheckedChange: () => toggle(one) },
      h(Chakra.Checkbox.HiddenInput),
      h(Chakra.Checkbox.Control),
      h(Chakra.Checkbox.Label, { wordBreak: "break-word" }, String(one)),
    ),
  );
  // No field: each box in it would be the field's one input.
  return h(
    Chakra.Fieldset.Root,
    { invalid: Boolean(message), gap: 1 },
    h(Chakra.Fieldset.Legend, { ...LABEL, fontSize: "sm", color: "fg" }, h(Words, { name }), required ? h(Chakra.Text, { as: "span", color: "fg.error", "aria-hidden": true }, "*") : null),
    h(Chakra.Stack, { gap: 1, maxH: "60", overflowY: "auto" }, boxes),
    message ? h(Chakra.Text, { color: "red.fg", fontSize: "xs", role: "alert" }, message) : null,
  );
}

/** A list of texts, one a line. */
function Lines({ schema, value, onChange }) {
  const [text, setText] = useTyped(value, (list) => (list ?? []).join("\n"), linesOf);
  const change = (event) => {
    setText(event.target.value);
    onChange(linesOf(event.target.value));
  };
  const shown = { rows: Math.min(8, Math.max(2, text.split("\n").length)), placeholder: (schema.examples?.[0] ?? []).join("\n") };
  return h(Chakra.Textarea, { size: "sm", fontFamily: "mono", fontSize: "xs", value: text, onChange: change, ...shown });
}

function linesOf(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.length ? lines : undefined;
}

function Json({ schema, value, onChange }) {
  const [text, setText] = useTyped(value, (one) => (one === undefined ? "" : JSON.stringify(one, null, 2)), jsonOf);
  const change = (event) => {
    setText(event.target.value);
    onChange(jsonOf(event.target.value));
  };
  return h(Chakra.Textarea, { size: "sm", rows: 3, fontFamily: "mono", fontSize: "xs", value: text, onChange: change, placeholder: JSON.stringify(schema.examples?.[0]) });
}

/** JSON as a value; text that is none stays text, which the check then refuses. */
function jsonOf(text) {
  if (!text.trim()) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What is typed, until the value becomes another than the one it stands for. */
function useTyped(value, toText, toValue) {
  const [text, setText] = React.useState(() => toText(value));
  const same = JSON.stringify(toValue(text)) === JSON.stringify(value);
  return [same ? text : toText(value), setText];
}

function Nested({ name, schema, value, problems, onChange }) {
  const change = (key) => (part) => {
    const after = { ...value, [key]: part };
    if (part === undefined) delete after[key];
    onChange(Object.keys(after).length ? after : undefined);
  };
  return h(
    Chakra.Fieldset.Root,
    { gridColumn: "1 / -1", borderWidth: 1, borderRadius: "md", p: 3 },
    h(Chakra.Fieldset.Legend, { ...LABEL, fontSize: "sm", px: 1 }, h(Words, { name })),
    h(
      Chakra.Grid,
      { gap: 3, templateColumns: "repeat(auto-fill, minmax(min(220px, 100%), 1fr))" },
      Object.entries(schema.properties).map(([key, part]) =>
        h(Field, {
          key,
          name: `${name}.${key}`,
          schema: part,
          value: value?.[key],
          required: false,
          problems: problems.filter(({ path }) => path.startsWith(`${name}.${key}`)),
          onChange: change(key),
        }),
      ),
    ),
  );
}
