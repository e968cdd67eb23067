import { Button } from "@mantine/core";
import { m } from "../messages";
import { Empty } from "../ui/Notices";
import styles from "./shell.module.css";

export function SignInEnded() {
  return (
    <main className={styles.ended}>
      <Empty icon="out" title={m.ended.title} text={m.ended.text}>
        <Button onClick={() => location.reload()}>{m.ended.again}</Button>
      </Empty>
    </main>
  );
}
