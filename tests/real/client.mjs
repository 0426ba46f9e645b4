// A real client: the TypeScript SDK over stdio, with canned answers for what servers ask.
//
//   node client.mjs SCENARIOS COMMAND [ARGS…]
//
// SCENARIOS is a JSON array of [name, params]; one JSON object per scenario is printed: {"scenario", "result"} or
// {"scenario", "error"}. What no proxy can keep equal (times, ids that a server draws) is made equal here.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

const PATIENCE_MS = 40_000;
const [scenarios, command, ...args] = process.argv.slice(2);

const client = new Client(
  { name: "real-ts", version: "1.0.0" },
  { capabilities: { sampling: {}, elicitation: { form: {} }, roots: { listChanged: true } } },
);
const asked = [];
const logged = [];
const updated = [];

client.setRequestHandler(CreateMessageRequestSchema, async (request) => {
  asked.push({ sampling: request.params });
  return { role: "assistant", model: "canned", content: { type: "text", text: "a canned sample" } };
});
client.setRequestHandler(ElicitRequestSchema, async (request) => {
  asked.push({ elicitation: request.params.requestedSchema });
  return { action: "accept", content: { name: "Ada", check: true } };
});
client.setRequestHandler(ListRootsRequestSchema, async () => ({
  roots: [{ uri: "file:///canned/root", name: "canned" }],
}));
client.setNotificationHandler(LoggingMessageNotificationSchema, async (notice) => {
  logged.push(notice.params);
});
client.setNotificationHandler(ResourceUpdatedNotificationSchema, async (notice) => {
  updated.push(notice.params.uri);
});

async function until(what, probe) {
  const end = Date.now() + PATIENCE_MS;
  while (Date.now() < end) {
    const found = await probe();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain: ${what}`);
}

async function listAll(method, key) {
  const all = [];
  let cursor;
  do {
    const page = await client[method](cursor === undefined ? {} : { cursor });
    all.push(...page[key]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return all;
}

const tools = () => listAll("listTools", "tools");

const known = {
  introduced: () => ({
    capabilities: client.getServerCapabilities(),
    serverInfo: client.getServerVersion(),
    instructions: client.getInstructions(),
  }),
  // Waits until all these tools are listed: backends start in parallel, and some servers add tools late.
  async wait({ tools: wanted }) {
    return until(`tools ${wanted}`, async () => {
      const names = (await tools()).map((tool) => tool.name);
      return wanted.every((name) => names.includes(name)) && "listed";
    });
  },
  tools,
  tool_names: async () => (await tools()).map((tool) => tool.name),
  call: (params) => client.callTool(params),
  // Calls until the result is no error: a server that was killed is on its way back.
  call_until_ok: (params) =>
    until(`${params.name} works`, async () => {
      try {
        return await client.callTool(params);
      } catch {
        return false;
      }
    }),
  prompts: () => listAll("listPrompts", "prompts"),
  prompt: (params) => client.getPrompt(params),
  resources: () => listAll("listResources", "resources"),
  templates: () => listAll("listResourceTemplates", "resourceTemplates"),
  read: (params) => client.readResource(params),
  complete: (params) => client.complete(params),
  ping: () => client.ping(),
  level: ({ level }) => client.setLoggingLevel(level),
  async logging({ tool }) {
    await client.setLoggingLevel("debug");
    await client.callTool({ name: tool, arguments: {} });
    await until("a log message", async () => logged.length > 0);
    await client.callTool({ name: tool, arguments: {} });
    return { keys: Object.keys(logged[0]).filter((key) => key !== "logger").sort() };
  },
  async subscribe({ uri, tool }) {
    await client.subscribeResource({ uri });
    await client.callTool({ name: tool, arguments: {} });
    await until("an update", async () => updated.includes(uri));
    await client.callTool({ name: tool, arguments: {} });
    await client.unsubscribeResource({ uri });
    return "updated";
  },
  async asking(params) {
    asked.length = 0;
    const result = await client.callTool(params);
    return { result, asked };
  },
  async progress(params) {
    const seen = [];
    const result = await client.callTool(params, undefined, { onprogress: (step) => seen.push(step) });
    const rising = seen.every((step, at) => at === 0 || step.progress > seen[at - 1].progress);
    return { result, first: seen[0], rising };
  },
  // A request that the server refuses.
  refused: ({ scenario: [name, params] }) => known[name](params),
  async cancel(params) {
    const controller = new AbortController();
    const call = client.callTool(params, undefined, { signal: controller.signal, onprogress: () => controller.abort("enough") });
    const ended = await call.then(() => "answered", () => "aborted");
    await client.ping();
    return ended;
  },
};

// Times of day differ from run to run.
const scrub = (value) =>
  JSON.parse(JSON.stringify(value ?? null).replace(/\d{1,2}:\d{2}:\d{2}(\.\d+)?( [AP]M|Z)?/g, "TIME"));

const transport = new StdioClientTransport({ command, args, env: process.env, stderr: "ignore" });
await client.connect(transport);
for (const [name, params] of JSON.parse(scenarios)) {
  const told = { scenario: name };
  try {
    told.result = scrub(await known[name](params ?? {}));
  } catch (error) {
    told.error = scrub({ code: error.code ?? null, message: String(error.message) });
  }
  console.log(JSON.stringify(told));
}
await client.close();
