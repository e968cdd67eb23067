import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";

const trail: MantineColorsTuple = [
  "#e6f7f4", "#ccece7", "#9cdacf", "#67c6b6", "#3fb5a2", "#25a592", "#128a79", "#0f766e", "#0c5f59", "#084742",
];

/** Mantine draws inputs, menus and hovers of the dark page from these; its own greys have no blue in them. */
const dark: MantineColorsTuple = [
  "#e3e9f0", "#c3ccd6", "#9aa7b6", "#75818f", "#3a4554", "#262f3a", "#1a222c", "#151b23", "#10161d", "#0d1117",
];

export const theme = createTheme({
  primaryColor: "trail",
  // White text on Mantine's own choice has a contrast below 4.5.
  primaryShade: 7,
  autoContrast: true,
  luminanceThreshold: 0.35,
  colors: { trail, dark },
  defaultRadius: "md",
  cursorType: "pointer",
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  headings: { fontFamily: "var(--font)", fontWeight: "600" },
  focusRing: "auto",
});

/** Mantine's surfaces take the colours of tokens.css, so that both draw one page. */
export const cssVariables: CSSVariablesResolver = () => {
  const both = {
    "--mantine-color-body": "var(--panel)",
    "--mantine-color-text": "var(--ink)",
    "--mantine-color-dimmed": "var(--dim)",
    "--mantine-color-default": "var(--panel)",
    "--mantine-color-default-color": "var(--ink)",
    "--mantine-color-default-hover": "var(--hover)",
    "--mantine-color-default-border": "var(--line-strong)",
    "--mantine-color-placeholder": "var(--dim)",
  };
  return { variables: {}, light: both, dark: both };
};
