import { Button, Menu } from "@mantine/core";
import { address } from "../api/client";
import { m } from "../messages";
import { useStatus } from "../status";
import { Icon } from "../ui/icons";

/** The same events as a file. The server writes it, so it is not limited to what is on the page. */
export function ExportMenu(asked: { readonly q: string; readonly from: string; readonly to: string }) {
  const { status } = useStatus();
  const link = (format: "ndjson" | "csv") => address("events/export", { ...asked, format });
  return (
    <Menu position="bottom-end" width={150}>
      <Menu.Target>
        <Button size="compact-sm" variant="subtle" color="gray" leftSection={<Icon name="download" size={15} />}>
          {m.events.export}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component="a" href={link("ndjson")} download>
          {m.events.ndjson}
        </Menu.Item>
        <Menu.Item component="a" href={link("csv")} download>
          {m.events.csv}
        </Menu.Item>
        {status?.kibana === true ? (
          <Menu.Item component="a" href={address("kibana", asked)} target="_blank" rel="noopener noreferrer">
            {m.events.kibana}
          </Menu.Item>
        ) : null}
      </Menu.Dropdown>
    </Menu>
  );
}
