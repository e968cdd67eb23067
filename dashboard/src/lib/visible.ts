/**
 * Log text is written by strangers. Characters that a browser would not draw, or that reorder what stands around them, are
 * found here so that the page can show them instead of obeying them.
 */

export interface Piece {
  readonly text: string;
  /** True when `text` stands for a character that cannot be seen, such as `U+202E`. */
  readonly hidden: boolean;
}

// C0, DEL, C1; soft hyphen; Arabic letter mark; Mongolian vowel separator and variation selectors; zero-width and bidi marks;
// line and paragraph separators; bidi embeddings, overrides, isolates; invisible operators; variation selectors; BOM;
// interlinear annotation; tag characters; lone surrogates.
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}\p{Cs}]/gu;

const NAMES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0" };

/** Splits a text into what can be drawn as it is and names for what cannot. Joining the visible pieces loses nothing else. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > end) found.push({ text: text.slice(end, match.index), hidden: false });
    found.push({ text: nameOf(match[0]), hidden: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ text: text.slice(end), hidden: false });
  return found;
}

/** The same as one text, for places that hold no markup: titles, labels, canvas. */
export function visible(text: string): string {
  return pieces(text)
    .map((piece) => (piece.hidden ? `⟨${piece.text}⟩` : piece.text))
    .join("");
}

function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return NAMES[character] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
