//! The drawing of a job's little history: rows done and rows failed since the exporter began to look, as SVG. Pure.

use crate::clock::UnixTime;
use crate::store::{History, Point};
use crate::web::page::put;
use crate::web::page::words::{clock, count};
use std::fmt::Write;

/// Size of the drawing in its own units; the style sheet stretches it.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 120.0;

/// Appends the drawing, if there are two moments at least.
pub(super) fn render(html: &mut String, history: &History) {
    let points: Vec<Point> = history.points().collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    if last.at <= first.at {
        return;
    }
    let top = points.iter().fold(1.0_f64, |top, point| top.max(point.processed).max(point.failed));
    let (processed, failed) =
        (line(&points, top, |point| point.processed), line(&points, top, |point| point.failed));
    put(
        html,
        format_args!(
            "<figure><svg class=\"chart\" viewBox=\"0 -2 {WIDTH} {}\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"Rows processed, from {} at {} to {} at {}; {} of them failed\">\
             <path class=\"grid\" d=\"M0 0H{WIDTH}M0 {half}H{WIDTH}M0 {HEIGHT}H{WIDTH}\"/>\
             <path class=\"area\" d=\"M0 {HEIGHT}L{processed}L{WIDTH} {HEIGHT}Z\"/>\
             <path class=\"done\" d=\"M{processed}\"/><path class=\"failed\" d=\"M{failed}\"/></svg>",
            HEIGHT + 4.0,
            count(first.processed.round()),
            clock(first.at),
            count(last.processed.round()),
            clock(last.at),
            count(last.failed.round()),
            half = HEIGHT / 2.0,
        ),
    );
    put(
        html,
        format_args!(
            "<figcaption><span>{}</span><span class=\"key\"><i class=\"done\"></i>processed <i class=\"failed\"></i>failed</span>\
             <span>top line: {} rows</span><span>{}</span></figcaption></figure>",
            clock(first.at),
            count(top.round()),
            clock(last.at),
        ),
    );
}

/// The points as `x y L x y …`; `top` is the highest value.
fn line(points: &[Point], top: f64, value: impl Fn(&Point) -> f64) -> String {
    let millis = |time: UnixTime| time.as_millis() as f64;
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let span = (millis(last.at) - millis(first.at)).max(1.0);
    let mut path = String::with_capacity(points.len() * 12);
    for (place, point) in points.iter().enumerate() {
        let x = (millis(point.at) - millis(first.at)) / span * WIDTH;
        let share = value(point) / top;
        let y = HEIGHT - if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 } * HEIGHT;
        let separator = if place == 0 { "" } else { "L" };
        let _infallible = write!(path, "{separator}{x:.1} {y:.1}");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::page::tests::ms;

    #[test]
    fn a_line_goes_from_the_first_point_to_the_last() {
        let point = |second: i64, processed: f64| Point { at: ms(second * 1000), processed, failed: 0.0 };
        let points = [point(10, 0.0), point(20, 50.0), point(30, 100.0)];
        assert_eq!(line(&points, 100.0, |point| point.processed), "0.0 120.0L300.0 60.0L600.0 0.0");
        assert_eq!(line(&points, 1.0, |_| f64::NAN), "0.0 120.0L300.0 120.0L600.0 120.0");
    }

    #[test]
    fn nothing_is_drawn_of_one_moment() {
        let mut html = String::new();
        render(&mut html, &History::default());
        assert_eq!(html, "");
    }
}
