// Drives a real browser for tests/browser/main.rs: one JSON command per line on stdin, one JSON answer per line on stdout.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const PATIENCE = 30_000;
const browser = await chromium.launch({
  executablePath: process.env.BROWSER,
  // In a container the tests run as root, where the browser refuses its sandbox.
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
const contexts = new Map();
const pages = new Map();
const faults = [];

/// A person is a browser profile of their own, with any number of tabs.
async function person(name, options = {}) {
  if (!contexts.has(name)) {
    const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, colorScheme: "light", ...options });
    context.setDefaultTimeout(PATIENCE);
    contexts.set(name, context);
  }
  return contexts.get(name);
}

const commands = {
  async open({ tab, person: name, url, options }) {
    const page = await (await person(name ?? "one", options)).newPage();
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("dialog", (dialog) => faults.push(`dialog: ${dialog.message()}`) && dialog.dismiss());
    pages.set(tab, page);
    await page.goto(url);
  },
  reload: ({ tab }) => pages.get(tab).reload().then(() => null),
  press: ({ tab, key }) => pages.get(tab).keyboard.press(key),
  type: ({ tab, text }) => pages.get(tab).keyboard.type(text),
  click: ({ tab, selector }) => pages.get(tab).click(selector),
  double: ({ tab, selector }) => pages.get(tab).dblclick(selector),
  fill: ({ tab, selector, text }) => pages.get(tab).fill(selector, text),
  see: ({ tab, selector, text }) =>
    pages.get(tab).locator(selector).filter({ hasText: text ?? "" }).first().waitFor({ state: "visible" }),
  miss: ({ tab, selector }) => pages.get(tab).locator(selector).first().waitFor({ state: "hidden" }),
  text: ({ tab, selector }) => pages.get(tab).locator(selector).first().textContent(),
  count: ({ tab, selector }) => pages.get(tab).locator(selector).count(),
  run: ({ tab, script }) => pages.get(tab).evaluate(script),
  until: ({ tab, script }) => pages.get(tab).waitForFunction(script).then(() => null),
  frames: ({ tab }) => pages.get(tab).frames().map((frame) => frame.url()),
  address: ({ tab }) => pages.get(tab).url(),
  // Both at the same moment, as far as there is one.
  together: ({ tabs, key }) => Promise.all(tabs.map((tab) => pages.get(tab).keyboard.press(key))).then(() => null),
  shot: ({ tab, path, full }) => pages.get(tab).screenshot({ path, fullPage: full ?? false }).then(() => null),
  faults: () => faults,
};

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
answer({ ok: browser.version() });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    answer({ ok: (await commands[command.do](command)) ?? null });
  } catch (error) {
    answer({ failed: String(error) });
  }
}
await browser.close();
