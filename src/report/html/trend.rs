//! A small drawing of shares, one experiment after the other.

use super::plot::{Axis, MARKS, add, round, shape};
use crate::report::escape::xml;

const HEIGHT: f64 = 150.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// Room in percent for the names of the horizontal lines, and at the other end.
const LEFT: f64 = 13.0;
const RIGHT: f64 = 5.0;

/// One variant: a share for each experiment, where it has one.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which variant.
    pub index: usize,
    pub values: Vec<Option<f64>>,
}

/// The tenths around all values and a little more: what hardly changed is no cliff.
fn axis(lines: &[Line]) -> Axis {
    const AROUND: f64 = 0.05;
    let values = || {
        lines
            .iter()
            .flat_map(|line| &line.values)
            .copied()
            .flatten()
    };
    let low = values().fold(1.0, f64::min) - AROUND;
    let high = values().fold(0.0, f64::max) + AROUND;
    Axis {
        low: ((low * 10.0).floor() / 10.0).clamp(0.0, 0.9),
        high: ((high * 10.0).ceil() / 10.0).clamp(0.1, 1.0),
    }
}

/// Shares over so many experiments, of which the last is marked; `label` says what is to be
/// seen.
pub fn trend(label: &str, experiments: usize, lines: &[Line]) -> String {
    let axis = axis(lines);
    let y = |share: f64| {
        let part = ((share - axis.low) / (axis.high - axis.low)).clamp(0.0, 1.0);
        round(TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - part))
    };
    let x = |place: usize| {
        let part = place as f64 / (experiments.max(2) - 1) as f64;
        round(LEFT + (100.0 - LEFT - RIGHT) * part)
    };
    let mut svg = format!(
        "<svg class=\"plot\" width=\"100%\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        xml(label)
    );
    for part in [0.0, 0.5, 1.0] {
        let share = axis.low + (axis.high - axis.low) * part;
        add(
            &mut svg,
            format_args!(
                "<line class=\"grid\" x1=\"{LEFT}%\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text x=\"0\" y=\"{:.1}\">{:.0}%</text>",
                y(share) + 4.0,
                share * 100.0,
                y = y(share),
            ),
        );
    }
    let own = experiments.saturating_sub(1);
    add(
        &mut svg,
        format_args!(
            "<line class=\"own\" x1=\"{at}%\" x2=\"{at}%\" y1=\"{TOP}\" y2=\"{}\"/>\
             <text x=\"100%\" y=\"{foot}\" text-anchor=\"end\">this one</text>\
             <text x=\"{LEFT}%\" y=\"{foot}\" text-anchor=\"middle\">1</text>",
            HEIGHT - BOTTOM,
            at = x(own),
            foot = HEIGHT - 6.0,
        ),
    );
    for line in lines {
        add(
            &mut svg,
            format_args!("<g class=\"m{}\">", line.index % MARKS),
        );
        let known = line.values.iter().enumerate();
        let known: Vec<(usize, f64)> = known
            .filter_map(|(place, share)| Some((place, (*share)?)))
            .collect();
        for pair in known.windows(2) {
            let [(from, one), (to, other)] = pair else {
                unreachable!("a window of two");
            };
            add(
                &mut svg,
                format_args!(
                    "<line class=\"bar\" x1=\"{}%\" x2=\"{}%\" y1=\"{}\" y2=\"{}\"/>",
                    x(*from),
                    x(*to),
                    y(*one),
                    y(*other)
                ),
            );
        }
        for (place, share) in known {
            svg.push_str(&shape(line.index, &format!("{}%", x(place)), y(share)));
        }
        svg.push_str("</g>");
    }
    svg.push_str("</svg>");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(index: usize, values: &[Option<f64>]) -> Line {
        Line {
            index,
            values: values.to_vec(),
        }
    }

    #[test]
    fn a_trend_joins_what_is_known_and_marks_the_last() {
        let svg = trend("a & b", 3, &[line(1, &[Some(0.6), None, Some(0.7)])]);
        insta::assert_snapshot!(svg.replace('>', ">\n"), @r#"
        <svg class="plot" width="100%" height="150" role="img" aria-label="a &amp; b">
        <line class="grid" x1="13%" x2="100%" y1="124" y2="124"/>
        <text x="0" y="128.0">
        50%</text>
        <line class="grid" x1="13%" x2="100%" y1="68" y2="68"/>
        <text x="0" y="72.0">
        65%</text>
        <line class="grid" x1="13%" x2="100%" y1="12" y2="12"/>
        <text x="0" y="16.0">
        80%</text>
        <line class="own" x1="95%" x2="95%" y1="12" y2="124"/>
        <text x="100%" y="144" text-anchor="end">
        this one</text>
        <text x="13%" y="144" text-anchor="middle">
        1</text>
        <g class="m1">
        <line class="bar" x1="13%" x2="95%" y1="86.7" y2="49.3"/>
        <svg x="13%" y="86.7" overflow="visible">
        <path d="M-4.5 -4.5H4.5V4.5H-4.5Z"/>
        </svg>
        <svg x="95%" y="49.3" overflow="visible">
        <path d="M-4.5 -4.5H4.5V4.5H-4.5Z"/>
        </svg>
        </g>
        </svg>
        "#);
    }

    #[test]
    fn the_axis_is_the_tenths_around_the_values() {
        for (values, low, high) in [
            (&[Some(0.62), Some(0.7)][..], 0.5, 0.8),
            (&[Some(1.0), None], 0.9, 1.0),
            (&[Some(0.0)], 0.0, 0.1),
            (&[Some(0.0), Some(1.0)], 0.0, 1.0),
        ] {
            let axis = axis(&[line(0, values)]);
            let near = |one: f64, other: f64| (one - other).abs() < 1e-9;
            assert!(near(axis.low, low) && near(axis.high, high), "{axis:?}");
        }
    }

    proptest! {
        /// Whatever there is to draw, it is drawn inside of the frame.
        #[test]
        fn every_place_is_in_the_frame(values in prop::collection::vec(prop::option::of(0.0..=1.0f64), 1..30)) {
            let svg = trend("t", values.len(), &[line(0, &values)]);
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf"), "{}", svg);
            for part in svg.split("<svg x=\"").skip(1) {
                let (x, rest) = part.split_once("%\" y=\"").unwrap();
                let (y, _) = rest.split_once('"').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                prop_assert!((LEFT..=100.0).contains(&x) && (TOP..=HEIGHT - BOTTOM).contains(&y));
            }
        }
    }
}
