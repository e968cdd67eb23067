import { FlexRender, type Row as TableRow, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useRef, useState } from "react";
import type { Doc } from "../api/models";
import { idOf, text } from "../lib/doc";
import { m } from "../messages";
import { IconButton } from "../ui/IconButton";
import { columns, features, INFO, TEMPLATE } from "./columns";
import styles from "./table.module.css";

const ROW = 32;
const HEAD = 32;
/** So many rows before the end the next page is fetched. */
const AHEAD = 40;

interface Props {
  readonly events: readonly Doc[];
  readonly chosen: string;
  readonly onOpen: (id: string) => void;
  readonly onFilter: (field: string, value: unknown, keep: boolean) => void;
  readonly onEnd: () => void;
}

/** Only the rows in sight are in the page. One row has the keyboard: arrows move it, Enter opens it. */
export function EventTable({ events, chosen, onOpen, onFilter, onEnd }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const table = useTable({ features, columns, data: events as Doc[], getRowId: idOf });
  const rows = table.getRowModel().rows;
  const virtualizer = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => ROW, overscan: 8, scrollMargin: HEAD, scrollPaddingStart: HEAD });
  const items = virtualizer.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;

  useEffect(() => {
    if (rows.length > 0 && last >= rows.length - AHEAD) onEnd();
  }, [last, rows.length, onEnd]);

  const move = (to: number) => {
    const next = Math.min(rows.length - 1, Math.max(0, to));
    setActive(next);
    virtualizer.scrollToIndex(next);
    if (chosen !== "" && rows[next] !== undefined) onOpen(rows[next].id);
  };
  const onKey = (event: React.KeyboardEvent) => {
    const page = Math.floor((scroller.current?.clientHeight ?? 320) / ROW) - 1;
    const target = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: rows.length - 1 }[event.key];
    if (target !== undefined) move(target);
    else if (event.key === "Enter" && event.target === event.currentTarget && rows[active] !== undefined) onOpen(rows[active].id);
    else return;
    event.preventDefault();
  };

  const choose = useCallback(
    (index: number, id: string) => {
      setActive(index);
      onOpen(id);
    },
    [onOpen],
  );

  return (
    <div
      ref={scroller}
      className={styles.table}
      role="grid"
      tabIndex={0}
      onKeyDown={onKey}
      aria-label={m.events.table}
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={rows[active] === undefined ? undefined : `row-${rows[active].id}`}
    >
      <div role="row" className={styles.head} style={{ gridTemplateColumns: TEMPLATE, height: HEAD }} aria-rowindex={1}>
        {table.getHeaderGroups().flatMap((group) =>
          group.headers.map((header) => (
            <div key={header.id} role="columnheader" data-column={header.id}>
              <FlexRender header={header} />
            </div>
          )),
        )}
      </div>
      <div className={styles.canvas} role="rowgroup" style={{ height: virtualizer.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index];
          return row === undefined ? null : (
            <Row key={row.id} row={row} index={item.index} start={item.start - HEAD} chosen={row.id === chosen} active={item.index === active} onChoose={choose} onFilter={onFilter} />
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  readonly row: TableRow<typeof features, Doc>;
  readonly index: number;
  readonly start: number;
  readonly chosen: boolean;
  readonly active: boolean;
  readonly onChoose: (index: number, id: string) => void;
  readonly onFilter: Props["onFilter"];
}

/** Drawn again only when its own event, place or mark changes: scrolling must not redraw what stays in sight. */
const Row = memo(function Row({ row, index, start, chosen, active, onChoose, onFilter }: RowProps) {
  return (
    <div
      id={`row-${row.id}`}
      role="row"
      className={styles.row}
      style={{ gridTemplateColumns: TEMPLATE, height: ROW, transform: `translateY(${start}px)` }}
      aria-rowindex={index + 2}
      aria-selected={chosen}
      data-active={active || undefined}
      data-bad={text(row.original, "event.outcome") === "failure" || undefined}
      onClick={() => onChoose(index, row.id)}
    >
      {row.getAllCells().map((cell) => (
        <Cell key={cell.id} column={cell.column.id} doc={row.original} onFilter={onFilter}>
          <FlexRender cell={cell} />
        </Cell>
      ))}
    </div>
  );
});

interface CellProps {
  readonly column: string;
  readonly doc: Doc;
  readonly onFilter: Props["onFilter"];
  readonly children: React.ReactNode;
}

/** A cell; under the pointer it offers to include or exclude its value. The keyboard finds the same in the open event. */
function Cell({ column, doc, onFilter, children }: CellProps) {
  const [over, setOver] = useState(false);
  const field = INFO[column]?.field(doc) ?? "";
  const value = doc[field];
  const filter = (keep: boolean) => (event: React.MouseEvent) => {
    event.stopPropagation();
    onFilter(field, value, keep);
  };
  return (
    <div role="gridcell" className={styles.cell} data-column={column} onMouseEnter={() => setOver(true)} onMouseLeave={() => setOver(false)}>
      <span className={styles.content}>{children}</span>
      {over && value !== undefined ? (
        <span className={styles.actions}>
          <IconButton icon="include" label={m.events.include(field)} tabIndex={-1} onClick={filter(true)} />
          <IconButton icon="exclude" label={m.events.exclude(field)} tabIndex={-1} onClick={filter(false)} />
        </span>
      ) : null}
    </div>
  );
}
