// A server whose output schemas are as strict as JSON Schema allows, over personal data that fits them: what clients
// check must still fit when the data is masked. Every tool answers with the content that its schema describes.
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const object = (properties, more = {}) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...more,
});

const known = {
  strings: {
    schema: object({
      email: { type: "string", format: "email", minLength: 5, maxLength: 30, pattern: "^[a-z.@]+$" },
      phone: { type: "string", pattern: "^\\+62[0-9]+$" },
      card: { type: "string", minLength: 16, maxLength: 16 },
      state: { type: "string", enum: ["open", "closed"] },
      contact: { const: "siti@example.co.id" },
      either: { enum: ["siti@example.co.id", null] },
      since: { type: "string", format: "date" },
    }),
    content: {
      email: "siti@example.co.id",
      phone: "+6281234567890",
      card: "4111111111111111",
      state: "open",
      contact: "siti@example.co.id",
      either: "siti@example.co.id",
      since: "2026-01-02",
    },
  },
  numbers: {
    schema: object({
      nik: { type: "integer", minimum: 1_000_000_000_000_000, multipleOf: 1 },
      card: { type: ["number", "null"], exclusiveMaximum: 9e15 },
      percent: { type: "number", minimum: 0, maximum: 100 },
    }),
    content: { nik: 3174012501990001, card: 4111111111111111, percent: 12.5 },
  },
  lists: {
    schema: object({
      emails: { type: "array", items: { type: "string", format: "email" }, uniqueItems: true, minItems: 2, maxItems: 2 },
      cards: { type: "array", contains: { type: "integer", minimum: 4e15 } },
      pair: { type: "array", items: [{ type: "integer" }, { type: "string", format: "email" }], additionalItems: false },
    }, { $schema: "http://json-schema.org/draft-07/schema#" }),
    content: {
      emails: ["siti@example.co.id", "budi@example.co.id"],
      cards: [4111111111111111],
      pair: [3174012501990001, "siti@example.co.id"],
    },
  },
  keys: {
    schema: object({
      byEmail: { type: "object", propertyNames: { format: "email" }, additionalProperties: { type: "integer" } },
      byPattern: { type: "object", patternProperties: { "@": { type: "integer", minimum: 4e15 } }, additionalProperties: false },
    }),
    content: {
      byEmail: { "siti@example.co.id": 1, "budi@example.co.id": 4111111111111111 },
      byPattern: { "siti@example.co.id": 4111111111111111 },
    },
  },
  choices: {
    schema: {
      ...object({ who: { $ref: "#/$defs/who" }, other: { $ref: "#/definitions/other" } }),
      $defs: { who: { oneOf: [{ type: "integer", minimum: 1e15 }, { type: "string", format: "email" }] } },
      definitions: { other: { allOf: [{ anyOf: [{ type: "string", maxLength: 20 }] }, { not: { type: "string", pattern: "^\\[" } }] } },
      if: { properties: { other: { type: "string", format: "email" } } },
      then: { properties: { who: { type: "integer" } } },
      else: false,
    },
    content: { who: 3174012501990001, other: "siti@example.co.id" },
  },
};

const server = new Server({ name: "strict", version: "1.0.0" }, { capabilities: { tools: {} } });
server.setRequestHandler(ListToolsRequestSchema, () => ({
  tools: Object.entries(known).map(([name, { schema }]) => ({ name, inputSchema: { type: "object" }, outputSchema: schema })),
}));
server.setRequestHandler(CallToolRequestSchema, ({ params: { name } }) => ({
  content: [{ type: "text", text: JSON.stringify(known[name].content) }],
  structuredContent: known[name].content,
}));
await server.connect(new StdioServerTransport());
