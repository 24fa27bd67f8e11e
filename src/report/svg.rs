//! `report.svg`: a bar for each variant's pass rate and triage accuracy.
//!
//! Drawn by hand: two dozen rectangles need no library. Text takes the reader's colours in
//! light and dark, and every bar carries its value, so nothing depends on colour.

use std::fmt::Write;

use super::escape::{bounded, xml};
use super::{Estimate, Report, VariantReport, figures};

/// All in pixels.
const LEFT: f64 = 48.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 72.0;
const PLOT: f64 = 240.0;
const BOTTOM: f64 = 52.0;
/// The least that one variant takes; its two bars stand in the middle.
const GROUP: f64 = 156.0;
const BAR: f64 = 44.0;
const BETWEEN: f64 = 20.0;
/// So that title and legend fit above a single variant.
const LEAST_WIDTH: f64 = 440.0;
/// Characters of a label that fit under a group.
const LABEL_SHOWN: usize = 21;

const STYLE: &str = "  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .value { font-weight: 600 }
  .grid { stroke: #d1d9e0 }
  .whisker { stroke: #1f2328; stroke-width: 1.5 }
  .pass { fill: #5b93cf }
  .triage { fill: #b9d5f1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .grid { stroke: #3d444d }
    .whisker { stroke: #e6edf3 }
    .pass { fill: #4f8fd6 }
    .triage { fill: #1f4a78 }
  }
";

pub fn render(report: &Report) -> String {
    let variants = report.variants.len() as f64;
    let group = GROUP.max((LEAST_WIDTH - LEFT - RIGHT) / variants.max(1.0));
    let width = LEFT + group * variants.max(1.0) + RIGHT;
    let height = TOP + PLOT + BOTTOM;
    let mut drawing = Drawing(String::new());
    drawing.add(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\" aria-labelledby=\"title\">"
    ));
    let title = format!(
        "Variants on {} of {}",
        figures::plural(report.plan.examples, "example"),
        xml(&bounded(&report.dataset.name, 30)),
    );
    drawing.add(format_args!("<title id=\"title\">{title}</title>"));
    drawing.add(format_args!("<style>\n{STYLE}</style>"));
    drawing.add(format_args!(
        "<text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>"
    ));
    drawing.legend();
    drawing.grid(width);
    for (index, variant) in report.variants.iter().enumerate() {
        drawing.variant(LEFT + group * (index as f64 + 0.5), variant);
    }
    drawing.add(format_args!("</svg>"));
    drawing.0
}

struct Drawing(String);

/// Where a share stands, from the top of the picture.
fn y(share: f64) -> f64 {
    TOP + PLOT * (1.0 - share)
}

impl Drawing {
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{element}").expect("a String takes any text");
    }

    fn legend(&mut self) {
        for (x, class, text) in [
            (LEFT, "pass", "pass rate"),
            (LEFT + 92.0, "triage", "triage accuracy"),
        ] {
            self.add(format_args!(
                "<rect class=\"{class}\" x=\"{x}\" y=\"36\" width=\"12\" height=\"12\"/>\
                 <text x=\"{}\" y=\"46\">{text}</text>",
                x + 18.0
            ));
        }
        self.add(format_args!(
            "<text x=\"{}\" y=\"46\">whiskers: 95% interval</text>",
            LEFT + 222.0
        ));
    }

    fn grid(&mut self, width: f64) {
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            self.add(format_args!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{share:.2}</text>",
                width - RIGHT,
                LEFT - 8.0,
                y(share) + 4.0,
                y = y(share),
            ));
        }
    }

    fn variant(&mut self, middle: f64, variant: &VariantReport) {
        let none = Estimate::default();
        let accuracy = variant.metrics.get("triage.accuracy").unwrap_or(&none);
        let x = middle - BETWEEN / 2.0 - BAR;
        self.bar(x, "pass", "pass rate", variant, &variant.pass_rate);
        let x = middle + BETWEEN / 2.0;
        self.bar(x, "triage", "triage accuracy", variant, accuracy);
        for (line, text) in [&variant.agent, &variant.model].into_iter().enumerate() {
            self.add(format_args!(
                "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                y(0.0) + 20.0 + 16.0 * line as f64,
                xml(&bounded(text, LABEL_SHOWN)),
            ));
        }
    }

    fn bar(
        &mut self,
        x: f64,
        class: &str,
        figure: &str,
        variant: &VariantReport,
        estimate: &Estimate,
    ) {
        let middle = x + BAR / 2.0;
        let Some(value) = estimate.value else {
            self.add(format_args!(
                "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">no data</text>",
                y(0.0) - 6.0
            ));
            return;
        };
        self.add(format_args!(
            "<rect class=\"{class}\" x=\"{x}\" y=\"{:.1}\" width=\"{BAR}\" height=\"{:.1}\">\
             <title>{}: {figure} {value:.2}</title></rect>",
            y(value),
            PLOT * value,
            xml(&variant.name),
        ));
        let mut top = value;
        if let (Some(low), Some(high)) = (estimate.low, estimate.high) {
            top = top.max(high);
            let (from, to) = (middle - 6.0, middle + 6.0);
            self.add(format_args!(
                "<path class=\"whisker\" fill=\"none\" d=\"M{from} {high:.1}H{to}M{middle} {high:.1}\
                 V{low:.1}M{from} {low:.1}H{to}\"/>",
                high = y(high),
                low = y(low),
            ));
        }
        self.add(format_args!(
            "<text class=\"value\" x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{value:.2}</text>",
            y(top) - 6.0
        ));
    }
}
