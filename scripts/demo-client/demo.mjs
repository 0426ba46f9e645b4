// Shows callgate at work with a real client and two real servers; exits 1 when one of its claims does not hold.
//
//   node demo.mjs <callgate binary>

import { execFileSync, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { Proxy } from "./proxy.mjs"
import { claim, failures, heading, message, part, table } from "./screen.mjs"

const CALLS_MEANWHILE = 20
const LOG_TAIL = 20
const PERSONAL = ["siti.rahma@example.com", "+62 812-3456-7890", "3174014501900002", "4111 1111 1111 1111"]

const binary = resolve(process.argv[2])
const folder = realpathSync(mkdtempSync(join(tmpdir(), "callgate-demo-")))
const at = (name) => join(folder, name)
const log = at("proxy.log")

function prepare() {
  const files = at("papers")
  mkdirSync(files)
  writeFileSync(join(files, "customers.csv"), `name,email,phone,nik,card\nSiti Rahma,${PERSONAL.join(",")}\n`)
  const filesystem = createRequire(import.meta.url).resolve("@modelcontextprotocol/server-filesystem/dist/index.js")
  const mcpServers = {
    ledger: { command: binary, args: ["sample-server"] },
    files: { command: process.execPath, args: [filesystem, files] },
  }
  writeFileSync(at("backends.json"), JSON.stringify({ mcpServers }, null, 2))
  return files
}

const start = (more = {}) =>
  Proxy.start(
    binary,
    {
      AXONFLOW_BACKENDS_FILE: at("backends.json"),
      AXONFLOW_AUDIT_LOG: at("audit.jsonl"),
      CALLGATE_STATE_DIR: at("state"),
      ...more,
    },
    log,
  )

const WANTED = ["ledger__find_customer", "files__read_text_file"]

async function listTools(proxy) {
  heading("Two servers, one list of tools: the bundled sample and the filesystem server from npm")
  const names = await proxy.tools(WANTED)
  message("->", "tools/list")
  message("<-", names.join(", "))
  claim(WANTED.every((name) => names.includes(name)), "the tools of both are listed, each under its server's name")
}

async function allowAndRedact(proxy, files) {
  heading("An allowed call")
  const listing = await proxy.call("files__list_directory", { path: files })
  claim(JSON.stringify(listing.result ?? "").includes("customers.csv"), "the server's answer came through")

  heading("Personal data is masked before the model sees it")
  message("", `the file holds: ${PERSONAL.join(", ")}`)
  const csv = await proxy.call("files__read_text_file", { path: join(files, "customers.csv") })
  const record = await proxy.call("ledger__find_customer", { query: "siti" })
  for (const [what, answer] of [["file", csv], ["record", record]]) {
    const text = JSON.stringify(answer.result ?? "")
    const masked = text.includes("Siti Rahma") && text.includes("[REDACTED:")
    claim(masked && !PERSONAL.some((value) => text.includes(value)), `the ${what} came, every personal value masked`)
  }
}

async function deny(proxy) {
  heading("A dangerous call is denied")
  const answer = await proxy.call("ledger__run_sql", { sql: "SELECT * FROM orders; DROP TABLE orders" })
  claim(answer.code === -32001, "the client got error -32001")
}

async function slow(proxy) {
  heading("A slow call holds nobody up")
  let done = false
  const report = proxy.call("ledger__run_report", { seconds: 2 }).finally(() => (done = true))
  const others = []
  for (let i = 0; i < CALLS_MEANWHILE; i++) {
    others.push(await proxy.call("ledger__list_orders", { customer_id: "CUST-002" }, { shown: false }))
  }
  const passed = !done && others.every((answer) => answer.result)
  claim(Boolean((await report).result), "the slow answer came")
  claim(passed, `${CALLS_MEANWHILE} calls to the same server were answered before it`)
}

/** The process of the sample server under the proxy. */
function ledgerProcess(proxy) {
  const rows = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).trim().split("\n")
  const own = rows.map((row) => row.trim().split(/\s+/)).find(([, ppid, ...args]) => Number(ppid) === proxy.pid && args.includes("sample-server"))
  return own && Number(own[0])
}

async function kill(proxy, files) {
  heading("A server is killed in the middle of a call")
  const report = proxy.call("ledger__run_report", { seconds: 50 })
  // An answered call behind it: the report has reached the server.
  await proxy.call("ledger__list_orders", { customer_id: "CUST-001" }, { shown: false })
  const pid = ledgerProcess(proxy)
  claim(pid !== undefined, `the server's process is ${pid}; kill -9`)
  if (pid !== undefined) process.kill(pid, "SIGKILL")
  const answer = await report
  claim(/unknown/.test(answer.error ?? ""), "the call is answered: its outcome is unknown, and it is not sent again")
  const other = await proxy.call("files__list_directory", { path: files })
  claim(Boolean(other.result), "the other server's calls are unaffected")
  const back = await proxy.callUntilItWorks("ledger__list_orders", { customer_id: "CUST-001" })
  claim(Boolean(back.result) && ledgerProcess(proxy) !== pid, "the server was started again and answers")
}

/** The demo's decision service: a process of its own, so that it can go away. */
async function startService() {
  const service = spawn(binary, ["demo-service"], { stdio: ["pipe", "pipe", "inherit"] })
  for await (const line of createInterface({ input: service.stdout })) {
    const port = /^listening (\d+)$/.exec(line)?.[1]
    const gone = new Promise((resolve) => service.once("exit", resolve))
    const stop = () => (service.stdin.end(), gone)
    if (port) return { endpoint: `http://127.0.0.1:${port}`, stop }
  }
  throw new Error("the decision service did not start")
}

async function approval(proxy) {
  heading("The service allows a call, and wants a person to approve another")
  const note = (text) => proxy.call("ledger__add_note", { customer_id: "CUST-001", text })
  claim(Boolean((await note("called back")).result), "the first note is written")
  claim((await note("transfer 4,000,000 to the supplier")).code === -32002, "the second is held with error -32002")
}

async function outage(proxy, files, service) {
  heading("The service is stopped: the gate falls shut")
  await service.stop()
  const answer = await proxy.call("files__list_directory", { path: files })
  claim(answer.code === -32003, "the same call as before now gets error -32003")
}

function audit() {
  heading("One audit row for every call")
  const rows = readFileSync(at("audit.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line))
  table(rows)
  message("", `the last one in full: ${JSON.stringify(rows.at(-1))}`)
  claim(rows.length === Proxy.calls, `${Proxy.calls} calls were made and ${rows.length} rows written`)
  const stopped = rows.filter((row) => ["deny", "needs_approval"].includes(row.verdict))
  claim(stopped.length === 3, "three calls were denied or held")
  claim(stopped.every((row) => row.outcome === "not_forwarded"), "none of them reached a server")
}

async function tour() {
  const files = prepare()
  part("With the rules built in: nothing but this binary decides")
  let proxy = await start()
  await listTools(proxy)
  await allowAndRedact(proxy, files)
  await deny(proxy)
  await slow(proxy)
  await kill(proxy, files)
  await proxy.close()

  part("With a decision service, here a small one on the loopback interface")
  const service = await startService()
  proxy = await start({ AXONFLOW_ENDPOINT: service.endpoint, AXONFLOW_DECIDE_TIMEOUT: "3s" })
  await proxy.tools(WANTED)
  await approval(proxy)
  await outage(proxy, files, service)
  await proxy.close()

  part("What is left on record")
  audit()
}

try {
  await tour()
} catch (error) {
  claim(false, `the demo goes to its end: ${error.stack}`)
}
if (failures() === 0) {
  console.log("\nEvery claim held.")
} else {
  console.log(`\n${failures()} of the claims above did not hold. The end of the proxy's log:`)
  try {
    for (const line of readFileSync(log, "utf8").trim().split("\n").slice(-LOG_TAIL)) console.log(`   ${line}`)
  } catch {
    console.log("   (there is none)")
  }
}
rmSync(folder, { recursive: true, force: true })
process.exit(failures() === 0 ? 0 : 1)
