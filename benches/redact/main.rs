//! How fast the redactor is: `cargo bench --bench redact`. Prints one line per input; with `-- --chart <file>` it also
//! draws the figures as an SVG. Further words choose the rows whose names hold one of them.
#![allow(clippy::print_stdout, reason = "a benchmark's output is its standard output")]

mod chart;
mod inputs;

use callgate::redact::{Options, Redactor};
use chart::{Line, Point};
use inputs::{LANGUAGES, Load};
use std::hint::black_box;
use std::time::Duration;

/// Processor time spent on one input, in slices of which the best counts: others use the machine too.
const BUDGET: Duration = Duration::from_millis(120);
const SLICES: u32 = 8;
const SIZES: [usize; 6] = [200, 2_000, 20_000, 200_000, 1_000_000, 8_000_000];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts benchmarks too, without this argument.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let chart =
        arguments.iter().position(|argument| argument == "--chart").and_then(|at| arguments.get(at + 1));
    let wanted =
        arguments.iter().filter(|word| !word.starts_with("--") && Some(*word) != chart).cloned().collect();
    let bench = Bench { redactor: Redactor::new(Options::default()), wanted };
    println!("{:<34} {:>10} {:>12} {:>10} {:>8}", "input", "bytes", "µs/scan", "MB/s", "masked");
    let lines = bench.usual();
    if let Some(path) = chart
        && let Err(error) = std::fs::write(path, chart::draw(&lines))
    {
        println!("{path}: {error}");
    }
    bench.rest();
}

struct Bench {
    redactor: Redactor,
    /// Parts of names; none for all rows.
    wanted: Vec<String>,
}

impl Bench {
    /// The usual inputs, from small to large.
    fn usual(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        for load in Load::ALL {
            for language in &LANGUAGES {
                let make = |size| inputs::text(language, load, size);
                lines.push(self.line(format!("{} text, {}", load.name(), language.name), make));
            }
            lines.push(self.line(format!("{} records", load.name()), |size| inputs::records(load, size)));
            let nested = |size| inputs::in_text_block(&inputs::records(load, size));
            lines.push(self.line(format!("JSON in a text, {}", load.name()), nested));
        }
        lines
    }

    fn line(&self, name: String, make: impl Fn(usize) -> String) -> Line {
        let measured = SIZES.iter().filter_map(|size| self.run(&name, || make(*size)));
        let points = measured.collect();
        Line { name, points }
    }

    /// Inputs of one size.
    fn rest(&self) {
        let size = 8_000_000;
        self.run("image", || inputs::image(size));
        for (name, text) in inputs::hostile(size) {
            self.run(&format!("hostile: {name}"), || text);
        }
    }

    fn run(&self, name: &str, make: impl FnOnce() -> String) -> Option<Point> {
        if !self.wanted.is_empty() && !self.wanted.iter().any(|part| name.contains(part.as_str())) {
            return None;
        }
        let json = make();
        let mut best = f64::MAX;
        let mut masked = 0;
        for _ in 0..SLICES {
            let started = processor_time();
            let mut scans = 0u32;
            while scans == 0 || processor_time() - started < BUDGET / SLICES {
                // What is no JSON (some hostile inputs) is timed up to the refusal.
                let scan = self.redactor.scan(black_box(json.as_bytes()));
                masked = scan.map_or(0, |scan| scan.masked.values().sum::<u32>());
                scans += 1;
            }
            let used = processor_time() - started;
            best = best.min(used.as_secs_f64() / f64::from(scans));
            if used > BUDGET {
                break;
            }
        }
        let bytes = u32::try_from(json.len()).map_or(f64::MAX, f64::from);
        let rate = bytes / best / 1e6;
        println!("{name:<34} {:>10} {:>12.2} {rate:>10.0} {masked:>8}", json.len(), best * 1e6);
        Some(Point { bytes, rate })
    }
}

/// What this thread has used of a processor: waiting for one does not count.
#[cfg(unix)]
fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0));
    Duration::new(seconds, nanos)
}

#[cfg(not(unix))]
fn processor_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}
