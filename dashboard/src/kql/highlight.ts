/** Colours of a KQL line, and the mark below the part that the server could not read. */
import { type Extension, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate } from "@codemirror/view";

const TOKEN = /"(?:\\.|[^"\\])*"?|<=|>=|[:<>]|[^\s:<>(){}"]+/g;
const MARKS = {
  field: Decoration.mark({ class: "kql-field" }),
  value: Decoration.mark({ class: "kql-value" }),
  joint: Decoration.mark({ class: "kql-joint" }),
};

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Sets or, with null, takes away the mark of an error. */
export const setErrorSpan = StateEffect.define<Span | null>();

const errorField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setErrorSpan)) return markError(effect.value, transaction.newDoc.length);
    }
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

function markError(span: Span | null, length: number): DecorationSet {
  if (span === null || length === 0) return Decoration.none;
  const from = Math.min(span.from, length - 1);
  return Decoration.set([Decoration.mark({ class: "kql-error" }).range(from, Math.min(length, Math.max(span.to, from + 1)))]);
}

function colours(view: EditorView): DecorationSet {
  const text = view.state.doc.toString();
  const builder = new RangeSetBuilder<Decoration>();
  for (const match of text.matchAll(TOKEN)) {
    const end = match.index + match[0].length;
    const kind = kindOf(match[0], text.slice(end));
    if (kind !== null) builder.add(match.index, end, MARKS[kind]);
  }
  return builder.finish();
}

function kindOf(token: string, rest: string): keyof typeof MARKS | null {
  if (/^[:<>]/.test(token)) return null;
  if (/^(and|or|not)$/i.test(token)) return "joint";
  return /^\s*(:|<|>)/.test(rest) ? "field" : "value";
}

const painter = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = colours(view);
    }
    update(update: ViewUpdate): void {
      if (update.docChanged) this.decorations = colours(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

export const kqlColours: Extension = [painter, errorField];

/** Offsets of the server count code points, the editor counts UTF-16 units. */
export function toUnits(text: string, codePoints: number): number {
  return Array.from(text).slice(0, codePoints).join("").length;
}
