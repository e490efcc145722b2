//! Colours and markers that stay apart for every reader.
//!
//! The first six hues are those of Okabe and Ito, *Color Universal Design* (2008); the others are from Tol's
//! muted scheme, *Colour Schemes* (SRON, 2021). No scheme keeps 13 hues apart under every colour vision
//! deficiency, so each series also has the marker of its place in the cycle.

use plotters::style::RGBColor;

/// Text, in a grey that is easier on white than black.
pub(super) const INK: RGBColor = RGBColor(38, 38, 38);
/// Axis lines.
pub(super) const AXIS: RGBColor = RGBColor(140, 140, 140);
/// Grid lines, under everything.
pub(super) const GRID: RGBColor = RGBColor(228, 228, 228);

const HUES: [RGBColor; 13] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0x66, 0x11, 0x00),
    RGBColor(0xaa, 0x44, 0x99),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0x88, 0x88, 0x88),
];

/// The same hues on a dark page: those that are dark themselves are lighter there.
const HUES_ON_DARK: [RGBColor; 13] = [
    RGBColor(0x4a, 0xa8, 0xe8),
    RGBColor(0xf0, 0x7f, 0x2e),
    RGBColor(0x1f, 0xc4, 0x95),
    RGBColor(0xdd, 0x93, 0xbb),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x8f, 0xd0, 0xf5),
    RGBColor(0x95, 0x88, 0xe8),
    RGBColor(0xc9, 0x5f, 0x95),
    RGBColor(0xb8, 0xb8, 0x4a),
    RGBColor(0xc0, 0x5c, 0x40),
    RGBColor(0xd0, 0x78, 0xc4),
    RGBColor(0xf0, 0xf0, 0xf0),
    RGBColor(0x9a, 0x9a, 0x9a),
];

/// Every colour of a figure and what stands for it on a dark page.
pub(super) fn on_dark() -> impl Iterator<Item = (RGBColor, RGBColor)> {
    let rest = [
        (INK, RGBColor(0xde, 0xde, 0xde)),
        (AXIS, RGBColor(0x80, 0x80, 0x80)),
        (GRID, RGBColor(0x36, 0x3a, 0x40)),
    ];
    HUES.into_iter().zip(HUES_ON_DARK).chain(rest)
}

/// The shape that marks the points of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Triangle,
    Square,
    Cross,
}

/// Colour and marker of a series.
pub(super) type Look = (RGBColor, Marker);

/// The look at a place of the cycle.
pub(super) fn look(place: usize) -> Look {
    let markers = [Marker::Circle, Marker::Triangle, Marker::Square, Marker::Cross];
    (HUES[place % HUES.len()], markers[place % markers.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_looks_are_apart() {
        let looks: Vec<_> = (0..13).map(look).collect();
        for (i, (a, shape)) in looks.iter().enumerate() {
            for (b, other) in &looks[i + 1..] {
                let apart = [a.0.abs_diff(b.0), a.1.abs_diff(b.1), a.2.abs_diff(b.2)].map(u32::from);
                let distance: u32 = apart.iter().sum();
                assert!(distance > 90 || (distance > 50 && shape != other), "{a:?} {b:?}");
            }
        }
    }
}
