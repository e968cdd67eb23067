import { type MantineColorScheme, Menu, useMantineColorScheme } from "@mantine/core";
import { m } from "../messages";
import { Icon, type IconName } from "../ui/icons";
import ui from "../ui/ui.module.css";

const CHOICES: readonly [MantineColorScheme, IconName][] = [
  ["auto", "screen"],
  ["light", "sun"],
  ["dark", "moon"],
];

export function ThemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const icon = CHOICES.find(([scheme]) => scheme === colorScheme)?.[1] ?? "screen";
  return (
    <Menu position="bottom-end" width={150}>
      <Menu.Target>
        <button type="button" className={ui.iconButton} aria-label={m.app.theme.label} title={m.app.theme.label}>
          <Icon name={icon} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {CHOICES.map(([scheme, picture]) => (
          <Menu.Item
            key={scheme}
            leftSection={<Icon name={picture} />}
            rightSection={scheme === colorScheme ? <Icon name="check" size={14} /> : null}
            onClick={() => setColorScheme(scheme)}
          >
            {m.app.theme[scheme]}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
