import { memo } from "react";
import { pieces } from "../lib/visible";
import styles from "./ui.module.css";

/** Text from the log: only ever a text node, with what hides in it shown. */
export const Hostile = memo(function Hostile({ text }: { readonly text: string }) {
  return (
    <bdi>
      {pieces(text).map((piece, at) =>
        piece.hidden ? (
          <span key={at} className={styles.hiddenCharacter} title="a character that cannot be seen">
            {piece.text}
          </span>
        ) : (
          piece.text
        ),
      )}
    </bdi>
  );
});
