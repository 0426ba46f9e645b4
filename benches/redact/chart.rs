//! A small chart of lines over sizes, both axes logarithmic, as SVG.

use std::fmt::Write;

/// One measurement.
pub(crate) struct Point {
    /// Length of the input.
    pub(crate) bytes: f64,
    /// Megabytes (10^6) in one second.
    pub(crate) rate: f64,
}

/// The measurements of one kind of input.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 410.0;
/// What the axes show: bytes and MB/s, from and to.
const BYTES: (f64, f64) = (150.0, 12_000_000.0);
const RATES: (f64, f64) = (10.0, 10_000.0);

/// One colour for each kind of text, one dash for each load.
const COLOURS: [&str; 6] = ["#1f77b4", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#ff7f0e"];
const DASHES: [&str; 3] = ["none", "6 3", "2 3"];

fn place(value: f64, (from, to): (f64, f64), start: f64, end: f64) -> f64 {
    let share = (value.clamp(from, to) / from).ln() / (to / from).ln();
    start + share * (end - start)
}

fn x(bytes: f64) -> f64 {
    place(bytes, BYTES, LEFT, RIGHT)
}

fn y(rate: f64) -> f64 {
    place(rate, RATES, BOTTOM, TOP)
}

/// The chart; lines come in groups of one load each, in the same order of kinds.
pub(crate) fn draw(lines: &[Line]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    axes(&mut svg);
    for (index, line) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let dash = DASHES[index / COLOURS.len() % DASHES.len()];
        let mut points = String::new();
        for point in &line.points {
            // Writing to a string cannot fail.
            let _ = write!(points, "{:.1},{:.1} ", x(point.bytes), y(point.rate));
        }
        let style =
            format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" stroke-dasharray=\"{dash}\"");
        let _ = writeln!(svg, "<polyline points=\"{}\" {style}/>", points.trim_end());
        let row = f64::from(u32::try_from(index).unwrap_or(0)).mul_add(20.0, TOP + 10.0);
        let (from, to) = (RIGHT + 20.0, RIGHT + 50.0);
        let _ = writeln!(svg, "<path d=\"M{from} {row}H{to}\" {style}/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">{}</text>", to + 6.0, row + 4.0, line.name);
    }
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String) {
    let marks =
        [(200.0, "200 B"), (2e3, "2 kB"), (2e4, "20 kB"), (2e5, "200 kB"), (1e6, "1 MB"), (8e6, "8 MB")];
    for (bytes, name) in marks {
        let at = x(bytes);
        let _ = writeln!(svg, "<path d=\"M{at:.1} {TOP}V{BOTTOM}\" stroke=\"#ddd\"/>");
        let _ =
            writeln!(svg, "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{name}</text>", BOTTOM + 18.0);
    }
    for rate in [10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0] {
        let at = y(rate);
        let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}H{RIGHT}\" stroke=\"#ddd\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{rate}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"18\">MB/s on one core</text>");
    let middle = (LEFT + RIGHT) / 2.0;
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">size of the result</text>",
        BOTTOM + 36.0
    );
}
