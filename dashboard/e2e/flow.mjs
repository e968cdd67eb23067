// The flow a person takes, in a real browser on a real daemon: search, open an event, prove it, revoke its sign-in.
// Called by tests/e2e with: SIGN-IN-LINK USER-ID FOLDER-FOR-PICTURES. Prints one JSON document.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [link, user, pictures] = process.argv.slice(2);
const origin = new URL(link).origin;
const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const SLOW = 90_000; // ms; a busy machine makes this slow and not red
const seen = { problems: [], offSite: [], axe: {}, verified: false, revoked: false };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const first = await browser.newContext();
first.setDefaultTimeout(SLOW);
await (await first.newPage()).goto(link);
await first.pages()[0].waitForURL(`${origin}/`);
const storageState = await first.storageState();
await first.close();

async function open(colorScheme, bypassCSP = false) {
  const context = await browser.newContext({ storageState, colorScheme, bypassCSP, viewport: { width: 1440, height: 900 } });
  context.setDefaultTimeout(SLOW);
  const page = await context.newPage();
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", (e) => console.error("CSP", e.violatedDirective, e.sourceFile)));
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && seen.problems.push(`${m.type()}: ${m.text()}`));
  page.on("pageerror", (e) => seen.problems.push(`page: ${e.message}`));
  page.on("request", (r) => !/^(blob|data):/.test(r.url()) && !r.url().startsWith(origin) && seen.offSite.push(r.url()));
  return page;
}

// axe needs to be put into the page, which the policy forbids: these pages alone bypass it.
for (const scheme of ["light", "dark"]) {
  for (const screen of ["overview", "discover", "alerts"]) {
    const page = await open(scheme, true);
    await page.goto(`${origin}/?screen=${screen}`);
    await page.waitForTimeout(1500);
    await page.evaluate(axe);
    const report = await page.evaluate(() => window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
    seen.axe[`${screen} ${scheme}`] = report.violations.map((v) => `${v.id}: ${v.nodes[0]?.target}`);
    await page.screenshot({ path: `${pictures}/${screen}-${scheme}.png` });
    await page.context().close();
  }
}

const page = await open("light");
await page.goto(`${origin}/?screen=discover`);
await page.waitForSelector("[role=grid]");
await page.keyboard.press("/");
await page.keyboard.type(`user.id : ${user} and http.route : "/me"`);
await page.keyboard.press("Escape");
await page.keyboard.press("Enter");
// The five that were asked for, not what was there before.
await page.waitForFunction(() => {
  const rows = [...document.querySelectorAll("[role=row][aria-rowindex]")].slice(1);
  return rows.length === 5 && rows.every((row) => row.textContent.includes("/me"));
});
await page.locator("[role=grid]").focus();
await page.keyboard.press("ArrowDown");
await page.keyboard.press("Enter");
await page.getByRole("tab", { name: "Proof" }).click();
await page.getByText("Verified", { exact: true }).waitFor({ timeout: SLOW });
seen.verified = true;
await page.screenshot({ path: `${pictures}/proof.png` });
await page.getByRole("button", { name: /Revoke/ }).click();
await page.getByText("This sign-in (device)").click();
await page.getByRole("textbox", { name: /Reason/ }).fill("seen on two devices");
await page.screenshot({ path: `${pictures}/revoke.png` });
await page.getByRole("button", { name: "Revoke now" }).click();
await page.getByRole("button", { name: "Undo" }).waitFor({ timeout: SLOW });
seen.revoked = true;
await browser.close();
console.log(JSON.stringify(seen));
