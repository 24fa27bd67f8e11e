//! Small drawings: intervals, points, spreads, and curves.
//!
//! Horizontal places are percentages of whatever width there is, vertical ones pixels, so a
//! drawing fills a phone or a wide page and its letters keep their size. Variants differ by
//! colour and by the shape of their mark. A drawing says in words what it shows, or stands
//! beside the figures it is made of.

use std::fmt::Write;

use crate::report::escape::xml;

/// Shapes and colours that the style sheet tells apart; more variants begin again.
pub const MARKS: usize = 6;

/// The least and the greatest value of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
}

impl Axis {
    /// Of shares.
    pub const SHARE: Axis = Axis {
        low: 0.0,
        high: 1.0,
    };
    /// Of differences of shares.
    pub const DIFFERENCE: Axis = Axis {
        low: -1.0,
        high: 1.0,
    };

    /// Where a value stands, in percent of the axis; what is beyond its ends stands at them.
    fn place(self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low) * 100.0).clamp(0.0, 100.0)
    }
}

/// A value with its interval on a line; nothing where there is no value. The figures stand
/// beside it in words.
pub fn track(value: Option<f64>, low: Option<f64>, high: Option<f64>, axis: Axis) -> String {
    let Some(value) = value else {
        return String::new();
    };
    let mut svg = String::from(
        "<svg class=\"track\" width=\"100%\" height=\"16\" aria-hidden=\"true\">\
         <line class=\"rail\" x1=\"0%\" x2=\"100%\" y1=\"8\" y2=\"8\"/>",
    );
    for tick in [0.0, 25.0, 50.0, 75.0, 100.0] {
        let class = match axis.low < 0.0 && tick == 50.0 {
            true => "zero",
            false => "tick",
        };
        add(
            &mut svg,
            format_args!(
                "<line class=\"{class}\" x1=\"{tick}%\" x2=\"{tick}%\" y1=\"5\" y2=\"11\"/>"
            ),
        );
    }
    if let (Some(low), Some(high)) = (low, high) {
        add(
            &mut svg,
            format_args!(
                "<line class=\"whisker\" x1=\"{:.1}%\" x2=\"{:.1}%\" y1=\"8\" y2=\"8\"/>",
                axis.place(low),
                axis.place(high)
            ),
        );
    }
    add(
        &mut svg,
        format_args!(
            "<circle class=\"dot\" cx=\"{:.1}%\" cy=\"8\" r=\"4.5\"/></svg>",
            axis.place(value)
        ),
    );
    svg
}

/// The mark of the variant at `index`, for legends and beside names.
pub fn mark(index: usize) -> String {
    format!(
        "<svg class=\"mark m{}\" width=\"14\" height=\"14\" aria-hidden=\"true\">{}</svg>",
        index % MARKS,
        shape(index, "7", 7.0)
    )
}

/// A shape with its middle at `x` (a length) and `y` pixels.
pub(super) fn shape(index: usize, x: &str, y: f64) -> String {
    let path = match index % MARKS {
        0 => "M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z",
        1 => "M-4.5 -4.5H4.5V4.5H-4.5Z",
        2 => "M0 -5.5L5.5 4.5H-5.5Z",
        3 => "M0 -6L6 0L0 6L-6 0Z",
        4 => "M-5.5 -4.5H5.5L0 5.5Z",
        _ => "M-5 -2H-2V-5H2V-2H5V2H2V5H-2V2H-5Z",
    };
    format!("<svg x=\"{x}\" y=\"{y}\" overflow=\"visible\"><path d=\"{path}\"/></svg>")
}

/// One variant in a scatter.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Which variant.
    pub index: usize,
    /// What it takes, from 0.
    pub x: f64,
    /// A share, with its interval where there is one.
    pub y: f64,
    pub interval: Option<(f64, f64)>,
}

const HEIGHT: f64 = 250.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 30.0;
/// Room in percent for the names of the horizontal lines, and at the other end.
const LEFT: f64 = 9.0;
const RIGHT: f64 = 4.0;

fn y(share: f64) -> f64 {
    TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share.clamp(0.0, 1.0))
}

fn x(share: f64) -> f64 {
    LEFT + (100.0 - LEFT - RIGHT) * share.clamp(0.0, 1.0)
}

pub(super) fn add(svg: &mut String, element: std::fmt::Arguments<'_>) {
    svg.write_fmt(element).expect("a String takes any text");
}

/// A frame of shares with its horizontal lines; `label` says what is to be seen.
fn frame(label: &str) -> String {
    let mut svg = format!(
        "<svg class=\"plot\" width=\"100%\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        xml(label)
    );
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        add(
            &mut svg,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}%\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"0\" y=\"{:.1}\">{:.0}%</text>",
                y(share) + 4.0,
                share * 100.0,
                y = y(share),
            ),
        );
    }
    svg
}

/// Words under the frame at a place of its width.
fn under(svg: &mut String, share: f64, anchor: &str, words: &str) {
    add(
        svg,
        format_args!(
            "<text x=\"{:.1}%\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            x(share),
            HEIGHT - 8.0,
            xml(words)
        ),
    );
}

/// Shares against what they take; `axis` names the amounts that its ends stand for.
pub fn scatter(label: &str, points: &[Point], amount: impl Fn(f64) -> String) -> String {
    let most = points.iter().map(|point| point.x).fold(0.0, f64::max);
    let end = round_up(most);
    let mut svg = frame(label);
    for quarter in [0.0, 0.5, 1.0] {
        let anchor = if quarter == 1.0 { "end" } else { "middle" };
        let at = x(quarter);
        add(
            &mut svg,
            format_args!(
                "<line class=\"grid\" x1=\"{at:.1}%\" x2=\"{at:.1}%\" y1=\"{TOP}\" y2=\"{:.1}\"/>",
                y(0.0)
            ),
        );
        under(&mut svg, quarter, anchor, &amount(end * quarter));
    }
    for point in points {
        let at = x(point.x / end);
        add(
            &mut svg,
            format_args!("<g class=\"m{}\">", point.index % MARKS),
        );
        if let Some((low, high)) = point.interval {
            add(
                &mut svg,
                format_args!(
                    "<line class=\"bar\" x1=\"{at:.1}%\" x2=\"{at:.1}%\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
                    y(low),
                    y(high)
                ),
            );
        }
        svg.push_str(&shape(point.index, &format!("{at:.1}%"), round(y(point.y))));
        svg.push_str("</g>");
    }
    svg.push_str("</svg>");
    svg
}

pub(super) fn round(pixels: f64) -> f64 {
    (pixels * 10.0).round() / 10.0
}

/// The next of 1, 2, 2.5, 5, and 10 times a power of ten that is not less; 1 for nothing.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
    // A little more than the last step is what rounding made of it.
    steps
        .into_iter()
        .find(|step| *step >= value)
        .unwrap_or(steps[4])
}

/// A line of a learning curve: for each place in turn a share, where there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    pub index: usize,
    pub dashed: bool,
    pub shares: Vec<Option<f64>>,
}

/// Shares by the place of an email in its episode, from 1.
pub fn curves(label: &str, places: usize, curves: &[Curve]) -> String {
    let mut svg = frame(label);
    let at = |place: usize| match places {
        0 | 1 => 0.5,
        places => place as f64 / (places - 1) as f64,
    };
    // No more names than a phone has room for.
    let every = places.div_ceil(8).max(1);
    for place in (0..places).step_by(every) {
        under(&mut svg, at(place), "middle", &(place + 1).to_string());
    }
    for curve in curves {
        let dashed = if curve.dashed { " dashed" } else { "" };
        add(
            &mut svg,
            format_args!("<g class=\"m{}{dashed}\">", curve.index % MARKS),
        );
        let shares = curve.shares.iter().enumerate();
        let known: Vec<(usize, f64)> = shares
            .filter_map(|(place, share)| Some((place, (*share)?)))
            .collect();
        for pair in known.windows(2) {
            let [(from, one), (to, other)] = pair else {
                unreachable!("a window of two");
            };
            add(
                &mut svg,
                format_args!(
                    "<line class=\"bar\" x1=\"{:.1}%\" x2=\"{:.1}%\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
                    x(at(*from)),
                    x(at(*to)),
                    y(*one),
                    y(*other)
                ),
            );
        }
        for (place, share) in known {
            let place = format!("{:.1}%", x(at(place)));
            svg.push_str(&shape(curve.index, &place, round(y(share))));
        }
        svg.push_str("</g>");
    }
    svg.push_str("</svg>");
    svg
}

/// How often values fell into each bin of a scale that all variants share, as bars; the
/// tallest has the whole height. `marks` are lines at places from 0 to 1 of the scale.
pub fn spread(label: &str, index: usize, counts: &[u64], marks: &[f64]) -> String {
    const TALL: f64 = 56.0;
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let width = 100.0 / counts.len().max(1) as f64;
    let mut svg = format!(
        "<svg class=\"spread m{}\" width=\"100%\" height=\"{TALL}\" role=\"img\" aria-label=\"{}\">\
         <line class=\"rail\" x1=\"0%\" x2=\"100%\" y1=\"{base}\" y2=\"{base}\"/>",
        index % MARKS,
        xml(label),
        base = TALL - 0.5,
    );
    for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        // What happened once is seen beside what happened a thousand times.
        let tall = (*count as f64 / most * (TALL - 4.0)).max(2.0);
        add(
            &mut svg,
            format_args!(
                "<rect x=\"{:.2}%\" y=\"{:.1}\" width=\"{:.2}%\" height=\"{tall:.1}\"/>",
                width * bin as f64,
                TALL - tall,
                width * 0.86
            ),
        );
    }
    for share in marks {
        let at = share.clamp(0.0, 1.0) * 100.0;
        add(
            &mut svg,
            format_args!(
                "<line class=\"quantile\" x1=\"{at:.1}%\" x2=\"{at:.1}%\" y1=\"0\" y2=\"{TALL}\"/>"
            ),
        );
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_track_shows_the_value_within_its_interval() {
        let svg = track(Some(0.75), Some(0.5), Some(0.875), Axis::SHARE);
        insta::assert_snapshot!(svg.replace('>', ">\n"), @r#"
        <svg class="track" width="100%" height="16" aria-hidden="true">
        <line class="rail" x1="0%" x2="100%" y1="8" y2="8"/>
        <line class="tick" x1="0%" x2="0%" y1="5" y2="11"/>
        <line class="tick" x1="25%" x2="25%" y1="5" y2="11"/>
        <line class="tick" x1="50%" x2="50%" y1="5" y2="11"/>
        <line class="tick" x1="75%" x2="75%" y1="5" y2="11"/>
        <line class="tick" x1="100%" x2="100%" y1="5" y2="11"/>
        <line class="whisker" x1="50.0%" x2="87.5%" y1="8" y2="8"/>
        <circle class="dot" cx="75.0%" cy="8" r="4.5"/>
        </svg>
        "#);
        assert_eq!(track(None, Some(0.1), Some(0.2), Axis::SHARE), "");
        let alone = track(Some(0.25), None, None, Axis::DIFFERENCE);
        assert!(!alone.contains("whisker"), "{alone}");
        assert!(alone.contains("cx=\"62.5%\""), "{alone}");
        assert!(alone.contains("class=\"zero\" x1=\"50%\""), "{alone}");
    }

    #[test]
    fn a_scatter_ends_at_a_round_amount() {
        for (value, end) in [
            (0.0, 1.0),
            (0.9, 1.0),
            (1.0, 1.0),
            (1.1, 2.0),
            (2.3, 2.5),
            (47.0, 50.0),
            (0.0003, 0.0005),
            (51.0, 100.0),
        ] {
            assert!((round_up(value) - end).abs() < end * 1e-9, "{value}");
        }
        let point = Point {
            index: 1,
            x: 4.0,
            y: 0.5,
            interval: Some((0.25, 0.75)),
        };
        let svg = scatter("a & b", &[point], |amount| format!("{amount} calls"));
        insta::assert_snapshot!(svg.replace('>', ">\n"), @r#"
        <svg class="plot" width="100%" height="250" role="img" aria-label="a &amp; b">
        <line class="grid" x1="9%" x2="100%" y1="220.0" y2="220.0"/>
        <text x="0" y="224.0">
        0%</text>
        <line class="grid" x1="9%" x2="100%" y1="168.5" y2="168.5"/>
        <text x="0" y="172.5">
        25%</text>
        <line class="grid" x1="9%" x2="100%" y1="117.0" y2="117.0"/>
        <text x="0" y="121.0">
        50%</text>
        <line class="grid" x1="9%" x2="100%" y1="65.5" y2="65.5"/>
        <text x="0" y="69.5">
        75%</text>
        <line class="grid" x1="9%" x2="100%" y1="14.0" y2="14.0"/>
        <text x="0" y="18.0">
        100%</text>
        <line class="grid" x1="9.0%" x2="9.0%" y1="14" y2="220.0"/>
        <text x="9.0%" y="242.0" text-anchor="middle">
        0 calls</text>
        <line class="grid" x1="52.5%" x2="52.5%" y1="14" y2="220.0"/>
        <text x="52.5%" y="242.0" text-anchor="middle">
        2.5 calls</text>
        <line class="grid" x1="96.0%" x2="96.0%" y1="14" y2="220.0"/>
        <text x="96.0%" y="242.0" text-anchor="end">
        5 calls</text>
        <g class="m1">
        <line class="bar" x1="78.6%" x2="78.6%" y1="168.5" y2="65.5"/>
        <svg x="78.6%" y="117" overflow="visible">
        <path d="M-4.5 -4.5H4.5V4.5H-4.5Z"/>
        </svg>
        </g>
        </svg>
        "#);
    }

    #[test]
    fn a_curve_joins_the_places_that_are_known() {
        let curve = Curve {
            index: 0,
            dashed: true,
            shares: vec![Some(0.0), None, Some(1.0)],
        };
        let svg = curves("learning", 3, &[curve]);
        assert_eq!(svg.matches("class=\"bar\"").count(), 1, "{svg}");
        assert_eq!(svg.matches("<path").count(), 2, "{svg}");
        assert!(svg.contains("<g class=\"m0 dashed\">"), "{svg}");
    }

    #[test]
    fn a_spread_has_a_bar_for_each_bin_that_is_not_empty() {
        let svg = spread("latency", 7, &[0, 1, 1_000, 0], &[0.5]);
        assert_eq!(svg.matches("<rect").count(), 2, "{svg}");
        assert!(svg.contains("height=\"2.0\""), "{svg}");
        assert!(svg.contains("spread m1"), "{svg}");
        assert!(svg.contains("x1=\"50.0%\""), "{svg}");
    }

    proptest! {
        /// Everything is drawn inside of the frame.
        #[test]
        fn places_are_on_the_axis(low in -1e9..1e9f64, wide in 1e-3..1e9f64, value in prop::num::f64::NORMAL) {
            let axis = Axis { low, high: low + wide };
            let place = axis.place(value);
            prop_assert!((0.0..=100.0).contains(&place), "{place}");
        }

        #[test]
        fn the_end_of_a_scatter_is_never_short(value in 1e-9..1e12f64) {
            let end = round_up(value);
            prop_assert!(end >= value * 0.999_999 && end <= value * 10.0, "{end}");
        }
    }
}
