// What the person sees: headings, what was sent and what came back, and the claims, which are counted. Of each message
// the telling part is shown: of a request the tool and its arguments, of an answer the content, of an error the code
// and the message.

const WIDTH = 110
const INDENT = 6
const LINES_PER_MESSAGE = 6

let step = 0
let failed = 0

export const failures = () => failed
export const part = (text) => console.log(`\n== ${text} ==`)
export const heading = (text) => console.log(`\n${++step}. ${text}`)

export function message(mark, text) {
  wrapped(text).forEach((line, number) => console.log(`   ${(number === 0 ? mark : "").padEnd(2)} ${line}`))
}

export const called = ({ params }) => message("->", `${params.name} ${JSON.stringify(params.arguments)}`)
export const answered = (answer) => message("<-", told(answer))

export function claim(holds, text) {
  if (!holds) failed++
  console.log(`   ${holds ? "ok    " : "FAILED"} ${text}`)
}

/** Audit rows in short, equal ones in a row as one. */
export function table(rows) {
  const show = (calls, tool, verdict, outcome, masked) =>
    console.log(`      ${String(calls).padStart(5)}  ${tool.padEnd(26)} ${verdict.padEnd(15)} ${outcome.padEnd(14)} ${String(masked).padStart(6)}`)
  show("calls", "tool", "verdict", "outcome", "masked")
  const shorts = rows.map((row) => [`${row.server} ${row.tool_name}`, row.verdict, row.outcome, row.redaction_count])
  let calls = 0
  shorts.forEach((short, at) => {
    calls++
    if (String(shorts[at + 1]) === String(short)) return
    show(calls, ...short)
    calls = 0
  })
}

/** The telling part of an answer. */
function told({ error, result }) {
  if (error) return `error ${error.code}: ${error.message}`
  const texts = (result.content ?? []).flatMap((item) => item.text ?? [])
  return texts.join("\n") || JSON.stringify(result)
}

/** Lines of the screen's width, broken behind a space or a comma where there is one in the second half. */
function wrapped(text) {
  const width = WIDTH - INDENT
  const lines = text.trimEnd().split("\n").flatMap((paragraph) => {
    const pieces = []
    let rest = [...paragraph]
    while (rest.length > width) {
      const at = rest.slice(0, width).findLastIndex((character) => character === " " || character === ",") + 1
      pieces.push(rest.splice(0, at > width / 2 ? at : width).join("").trimEnd())
    }
    return [...pieces, rest.join("")]
  })
  if (lines.length <= LINES_PER_MESSAGE) return lines
  const kept = lines.slice(0, LINES_PER_MESSAGE)
  kept.push(`${[...kept.pop()].slice(0, width - 4).join("")} ...`)
  return kept
}
