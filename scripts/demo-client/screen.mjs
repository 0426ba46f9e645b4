// What the person sees: headings, the messages that went over the wire, and the claims, which are counted.

const WIDTH = 110
const LINES_PER_MESSAGE = 4

let step = 0
let failed = 0

export const failures = () => failed
export const part = (text) => console.log(`\n== ${text} ==`)
export const heading = (text) => console.log(`\n${++step}. ${text}`)

export function message(mark, text) {
  const width = WIDTH - 6
  const characters = [...text]
  for (let line = 0; line * width < characters.length && line < LINES_PER_MESSAGE; line++) {
    const rest = characters.length > (line + 1) * width && line === LINES_PER_MESSAGE - 1
    const piece = characters.slice(line * width, (line + 1) * width - (rest ? 3 : 0)).join("")
    console.log(`   ${line === 0 ? mark : "  "} ${piece}${rest ? "..." : ""}`)
  }
}

export function claim(holds, text) {
  if (!holds) failed++
  console.log(`   ${holds ? "ok    " : "FAILED"} ${text}`)
}
