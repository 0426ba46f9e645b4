// Writes the manifest of one bundle: the tree's manifest.json cut down to the platforms that are inside, and checked
// the way a host will read it.
//
//   node stage.mjs <manifest.json> <staging folder> <version> <platform,...> [project URL]

import { getMcpConfigForManifest } from "@anthropic-ai/mcpb"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const [source, folder, version, inside, projectUrl] = process.argv.slice(2)
const platforms = inside.split(",")
const manifest = JSON.parse(readFileSync(source, "utf8"))
const complain = (text) => {
  console.error(`manifest: ${text}`)
  process.exitCode = 1
}

if (manifest.version !== version) complain(`manifest.json says version ${manifest.version}, Cargo.toml ${version}`)

const config = manifest.server.mcp_config
const overrides = Object.entries(config.platform_overrides).filter(([platform]) => platforms.includes(platform))
config.platform_overrides = Object.fromEntries(overrides)
config.command = config.platform_overrides[platforms.includes("linux") ? "linux" : platforms[0]].command
manifest.server.entry_point = config.command.replace("${__dirname}/", "")
manifest.compatibility.platforms = platforms

// Only a release knows where the project lives; a bundle built elsewhere names no address rather than a wrong one.
if (projectUrl) {
  const page = `${projectUrl}/blob/v${version}/docs/claude-desktop.md`
  manifest.homepage = projectUrl
  manifest.documentation = page
  manifest.support = `${projectUrl}/issues`
  manifest.repository = { type: "git", url: projectUrl }
  manifest.privacy_policies = [`${page}#what-leaves-the-machine`]
}
writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n")

/** What the host makes of the manifest when the person filled in `userConfig`: the packer's own code. */
const asHost = (userConfig) =>
  getMcpConfigForManifest({ manifest, extensionPath: "/ext", systemDirs: {}, userConfig, pathSeparator: "/" })

if (await asHost({})) complain("starts without the backends file, which is required")
const used = new Set(Object.values(config.env).map((value) => /^\$\{user_config\.(\w+)\}$/.exec(value)?.[1]))
const least = await asHost({ backends_file: "/b.json" })
if (!least) complain("does not start with the backends file alone")
for (const [name, value] of Object.entries(least?.env ?? {})) {
  if (/\$\{|^undefined$|^null$/.test(value)) complain(`${name} would be ${value} in a host that left it empty`)
}
for (const [key, field] of Object.entries(manifest.user_config)) {
  if (!used.has(key)) complain(`the field ${key} reaches no variable`)
  if (field.required && "default" in field) complain(`the field ${key} is required and has a default`)
  if (!field.required && !("default" in field)) complain(`the field ${key} is optional and has no default`)
}
if (least?.env.CALLGATE_FAIL_OPEN !== "false") complain("the gate would not fail closed by default")
