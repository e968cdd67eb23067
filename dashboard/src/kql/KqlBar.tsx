import { acceptCompletion, autocompletion, type CompletionContext, type CompletionResult, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { ApiError } from "../api/client";
import type { Field } from "../api/models";
import { NONCE } from "../csp";
import { m } from "../messages";
import { Icon } from "../ui/icons";
import { IconButton } from "../ui/IconButton";
import { optionsFor, placeAt } from "./completion";
import { kqlColours, setErrorSpan, toUnits } from "./highlight";
import styles from "./kql.module.css";

interface Props {
  readonly query: string;
  readonly fields: readonly Field[];
  /** What the server said of the query, if it refused it. */
  readonly error: Error | undefined;
  readonly onSubmit: (query: string) => void;
  /** Values of a field that occur in the span that is looked at. */
  readonly liveValues: (field: string) => Promise<string[]>;
}

/** More than this and the list is no help. */
const MAX_OPTIONS = 60;
const VALUES_WITHIN_MS = 400;

export function KqlBar(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const latest = useRef(props);
  latest.current = props;

  useEffect(() => {
    if (host.current === null) return undefined;
    const editor = new EditorView({ parent: host.current, state: EditorState.create({ doc: latest.current.query, extensions: extensions(latest) }) });
    view.current = editor;
    return () => editor.destroy();
  }, []);

  useEffect(() => {
    const editor = view.current;
    if (editor === null || editor.state.doc.toString() === props.query) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: props.query }, selection: { anchor: props.query.length }, scrollIntoView: true });
  }, [props.query]);

  useEffect(() => {
    const text = view.current?.state.doc.toString() ?? "";
    view.current?.dispatch({ effects: setErrorSpan.of(spanOf(props.error, text)) });
  }, [props.error]);

  useFocusKey(() => view.current?.focus());

  return (
    <div className={styles.bar} data-wrong={props.error instanceof ApiError && props.error.status === 400 ? true : undefined}>
      <span className={styles.glass}>
        <Icon name="discover" />
      </span>
      <div ref={host} className={styles.editor} />
      {props.query === "" ? (
        <kbd className={styles.key} title={m.kql.shortcut}>
          /
        </kbd>
      ) : (
        <IconButton icon="cross" label={m.kql.clear} onClick={() => props.onSubmit("")} />
      )}
    </div>
  );
}

/** The message of a query that does not parse, with the wrong part under carets. */
export function KqlError({ error }: { readonly error: Error }) {
  const failure = error instanceof ApiError ? error.failure : {};
  return (
    <div className={styles.error} role="alert">
      <Icon name="cross" size={14} />
      <div>
        <strong>{error.message}</strong>
        {failure.hint ? <span> {failure.hint}</span> : null}
        {failure.caret ? <pre>{failure.caret}</pre> : null}
      </div>
    </div>
  );
}

function extensions(latest: { readonly current: Props }) {
  const submit = (editor: EditorView) => {
    latest.current.onSubmit(editor.state.doc.toString().trim());
    return true;
  };
  return [
    history(),
    kqlColours,
    autocompletion({ override: [(context) => complete(context, latest.current)], selectOnOpen: false, icons: false, maxRenderedOptions: MAX_OPTIONS, tooltipClass: () => styles.tooltip ?? "" }),
    // Enter runs the query unless a completion is chosen; Tab is left alone, so that the keyboard gets out of here.
    Prec.highest(keymap.of([{ key: "Enter", run: (editor) => acceptCompletion(editor) || submit(editor) }])),
    keymap.of([...historyKeymap, ...defaultKeymap]),
    placeholder(m.kql.placeholder),
    EditorView.contentAttributes.of({ "aria-label": m.kql.label, spellcheck: "false", autocapitalize: "off" }),
    EditorState.transactionFilter.of((transaction) => (transaction.newDoc.lines > 1 ? [transaction, oneLine(transaction.newDoc.toString())] : transaction)),
    EditorView.domEventHandlers({ beforeinput: replaceSelection }),
    EditorView.cspNonce.of(NONCE),
  ];
}

/** Left to itself, Chromium types over coloured text with a style attribute, which the page's policy refuses and reports. */
function replaceSelection(event: InputEvent, editor: EditorView): boolean {
  if (event.inputType !== "insertText" || event.data === null || editor.state.selection.main.empty) return false;
  event.preventDefault();
  editor.dispatch(editor.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
  return true;
}

/** What was pasted with line breaks becomes one line. */
function oneLine(text: string) {
  const flat = text.replace(/\s*\n\s*/g, " ");
  return { changes: { from: 0, to: text.length, insert: flat }, selection: { anchor: flat.length }, sequential: true };
}

async function complete(context: CompletionContext, props: Props): Promise<CompletionResult | null> {
  const query = context.state.doc.toString();
  const place = placeAt(query, context.pos);
  if (place.kind === "none") return null;
  const values = place.kind === "value" ? await soon(props.liveValues(place.field)) : [];
  const options = optionsFor(place, props.fields, values).slice(0, MAX_OPTIONS);
  if (options.length === 0) return null;
  return {
    from: place.from,
    filter: false,
    options: options.map((option) => ({
      label: option.label,
      detail: option.detail,
      type: option.kind,
      apply: (editor, _completion, from, to) => {
        editor.dispatch({ changes: { from, to, insert: option.insert }, selection: { anchor: from + option.insert.length } });
        if (option.kind !== "value") startCompletion(editor);
      },
    })),
  };
}

/** Values that are there in time; a list that comes after the next key would only stand in the way. */
function soon(values: Promise<string[]>): Promise<string[]> {
  const none = new Promise<string[]>((resolve) => setTimeout(() => resolve([]), VALUES_WITHIN_MS));
  return Promise.race([values.catch(() => []), none]);
}

function spanOf(error: Error | undefined, text: string) {
  if (!(error instanceof ApiError) || error.failure.start == null) return null;
  return { from: toUnits(text, error.failure.start), to: toUnits(text, error.failure.end ?? error.failure.start + 1) };
}

/** `/` anywhere but in a field where one types. */
function useFocusKey(focus: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing = target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      focus();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
