// A session with callgate through the official TypeScript SDK, with an ear on the wire.

import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { appendFileSync } from "node:fs"
import { answered, called } from "./screen.mjs"

const BACKEND_DEADLINE_MS = 30_000
const POLL_MS = 100

export class Proxy {
  /** Calls made through any session, each of which owes one audit row. */
  static calls = 0

  /** Starts the proxy with `env` as its whole set-up and shakes hands; what it logs is appended to `log`. */
  static async start(binary, env, log) {
    const proxy = new Proxy()
    // The SDK passes on only a few harmless variables of the person's own environment (PATH, HOME and the like).
    proxy.transport = new StdioClientTransport({ command: binary, env, stderr: "pipe" })
    proxy.transport.stderr.on("data", (bytes) => appendFileSync(log, bytes))
    proxy.client = new Client({ name: "callgate-demo", version: "1.0.0" })
    await proxy.client.connect(proxy.transport)
    proxy.#listen()
    return proxy
  }

  get pid() {
    return this.transport.pid
  }

  /** Shows `tools/call` requests and their answers while `shown` is set. */
  #listen() {
    const asked = new Set()
    const send = this.transport.send.bind(this.transport)
    this.transport.send = (sent, ...more) => {
      if (this.shown && sent.method === "tools/call") {
        asked.add(sent.id)
        called(sent)
      }
      return send(sent, ...more)
    }
    const receive = this.transport.onmessage
    this.transport.onmessage = (got, ...more) => {
      if (got.method === undefined && asked.delete(got.id)) answered(got)
      receive(got, ...more)
    }
  }

  /** Asks for the tools until each of `wanted` is there: servers start while the client already talks. */
  async tools(wanted) {
    const deadline = Date.now() + BACKEND_DEADLINE_MS
    for (;;) {
      const names = (await this.client.listTools()).tools.map((tool) => tool.name)
      if (wanted.every((name) => names.includes(name)) || Date.now() > deadline) return names
      await pause(POLL_MS)
    }
  }

  /** One call: `{result}` or `{code, error}`. */
  async call(name, args, { shown = true } = {}) {
    Proxy.calls++
    this.shown = shown
    try {
      const answer = this.client.callTool({ name, arguments: args })
      this.shown = false
      return { result: await answer }
    } catch (error) {
      return { code: error.code, error: error.message }
    }
  }

  /** Repeats a call that changes nothing until it succeeds. */
  async callUntilItWorks(name, args) {
    const deadline = Date.now() + BACKEND_DEADLINE_MS
    for (;;) {
      const answer = await this.call(name, args, { shown: false })
      if (answer.result || Date.now() > deadline) return answer
      await pause(POLL_MS)
    }
  }

  async close() {
    await this.client.close()
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
