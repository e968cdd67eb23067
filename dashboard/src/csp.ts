/** The page's one-time number for styles. The server puts it into a `<meta>`; three libraries each have to be told. */
import { setNonce } from "get-nonce";

export const NONCE = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";

// Mantine's dialogs lock the page's scrolling with a style that asks `get-nonce`; Mantine itself and CodeMirror take NONCE.
setNonce(NONCE);
