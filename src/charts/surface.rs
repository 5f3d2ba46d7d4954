//! What plotters draws on: SVG elements with a class each. plotters knows colours only, so a colour is
//! the number of a class here.

use std::convert::Infallible;
use std::fmt::Write;

use maud::{Markup, PreEscaped, html};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

/// Units of an SVG in one pixel of a common screen: whole numbers are fine enough, and short.
pub(super) const PIXEL: i32 = 10;

/// What a part of a chart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Axis,
    Grid,
    Label,
    Band,
    Area,
    Line,
    Provisional,
    Break,
    Missing,
    Dot,
    Mark,
    /// One of five, from the lightest to the strongest.
    Shade(usize),
}

const INKS: [(Ink, &str); 16] = [
    (Ink::Axis, "axis"),
    (Ink::Grid, "grid"),
    (Ink::Label, "label"),
    (Ink::Band, "band"),
    (Ink::Area, "area"),
    (Ink::Line, "line"),
    (Ink::Provisional, "provisional"),
    (Ink::Break, "break"),
    (Ink::Missing, "missing"),
    (Ink::Dot, "dot"),
    (Ink::Mark, "mark"),
    (Ink::Shade(1), "heat1"),
    (Ink::Shade(2), "heat2"),
    (Ink::Shade(3), "heat3"),
    (Ink::Shade(4), "heat4"),
    (Ink::Shade(5), "heat5"),
];

impl Color for Ink {
    fn to_backend_color(&self) -> BackendColor {
        let number = INKS.iter().position(|(ink, _)| ink == self);
        let number = number.and_then(|n| u8::try_from(n).ok()).unwrap_or_default();
        BackendColor {
            alpha: 1.0,
            rgb: (number, 0, 0),
        }
    }
}

fn class(color: BackendColor) -> &'static str {
    let number = usize::from(color.rgb.0);
    INKS.get(number).map_or("", |(_, class)| class)
}

/// The elements of one SVG.
#[derive(Debug)]
pub(super) struct Surface<'a> {
    pub(super) elements: &'a mut String,
    /// In units.
    pub(super) size: (u32, u32),
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl Surface<'_> {
    fn put(&mut self, element: &Markup) -> Drawn {
        self.elements.push_str(&element.0);
        Ok(())
    }

    fn path(&mut self, color: BackendColor, data: &str) -> Drawn {
        self.put(&html! { path class=(class(color)) d=(PreEscaped(data)) {} })
    }
}

/// A path through points, as differences: they are short.
fn through(points: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut path = String::new();
    let mut last: Option<BackendCoord> = None;
    for (x, y) in points {
        // Writing to a String cannot fail.
        let _ = match last {
            None => write!(path, "M{x} {y}l"),
            Some((last_x, last_y)) => {
                let (dx, dy) = (x - last_x, y - last_y);
                let before_x = if dx < 0 || path.ends_with('l') { "" } else { " " };
                let before_y = if dy < 0 { "" } else { " " };
                write!(path, "{before_x}{dx}{before_y}{dy}")
            }
        };
        last = Some((x, y));
    }
    path
}

impl DrawingBackend for Surface<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    /// No chart of ours has single pixels.
    fn draw_pixel(&mut self, _: BackendCoord, _: BackendColor) -> Drawn {
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.path(style.color(), &through([from, to]))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        self.path(style.color(), &through(points))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn {
        self.path(style.color(), &format!("{}z", through(points)))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        let (width, height) = (right - left, bottom - top);
        let class = class(style.color());
        self.put(&html! { rect class=(class) x=(left) y=(top) width=(width) height=(height) {} })
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        self.put(&html! { circle class=(class(style.color())) cx=(x) cy=(y) r=(radius) {} })
    }

    fn draw_text<T: BackendTextStyle>(&mut self, text: &str, style: &T, (x, y): BackendCoord) -> Drawn {
        let anchor = style.anchor();
        let side = match anchor.h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        // In the size of the font, which the style sheet decides.
        let down = match anchor.v_pos {
            VPos::Top => ".8em",
            VPos::Center => ".35em",
            VPos::Bottom => "0",
        };
        let class = class(style.color());
        self.put(&html! { text class=(class) x=(x) y=(y) dy=(down) text-anchor=(side) { (text) } })
    }
}
