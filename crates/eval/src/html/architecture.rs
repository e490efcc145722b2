//! Figure 1: the parts of the coordinator with the sizes of their tensors.

use lrrc_episode::Role;
use lrrc_episode::observe::{FEATURES, Mode, SEGMENT_TOKENS, SURFACE_BITS, TOKEN_ROWS};
use lrrc_model::{CoordinatorConfig, GateMode, Memory};
use maud::{Markup, html};

use super::drawing::{Drawing, csv_text};

const WIDTH: u32 = 1080;
const HEIGHT: u32 = 600;
const BOX: (u32, u32) = (236, 138);
/// Left edges of the columns.
const LEFT: [u32; 4] = [20, 288, 556, 824];
/// Upper edges of the rows.
const TOP: [u32; 3] = [62, 244, 426];
/// Colours of the palette, so that a dark page turns them as it turns the plots.
const INK: &str = "#262626";
const WRITE: &str = "#0072B2";
const STATE: &str = "#D55E00";
const READ: &str = "#009E73";

/// One part: column, row, columns it spans, colour, name and what it holds.
struct Part {
    at: (usize, usize, u32),
    colour: &'static str,
    name: &'static str,
    lines: Vec<String>,
}

impl Part {
    fn left(&self) -> u32 {
        LEFT[self.at.0]
    }

    fn width(&self) -> u32 {
        BOX.0 + (self.at.2 - 1) * (LEFT[1] - LEFT[0])
    }

    fn markup(&self) -> Markup {
        let (x, y) = (self.left(), TOP[self.at.1]);
        html! {
            rect x=(x) y=(y) width=(self.width()) height=(BOX.1) rx="10" fill=(self.colour) fill-opacity="0.09"
                stroke=(self.colour) stroke-width="1.5" {}
            text x=(x + 14) y=(y + 28) font-size="17" font-weight="bold" fill=(INK) { (self.name) }
            @for (at, line) in self.lines.iter().enumerate() {
                text x=(x + 14) y=(y + 54 + 22 * at as u32) font-size="15" fill=(INK) { (line) }
            }
        }
    }
}

/// The coordinator of a configuration as SVG: what one turn writes, what the state holds, what a decision reads.
#[must_use]
pub fn architecture(config: &CoordinatorConfig) -> String {
    let parts = parts(config);
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(WIDTH) height=(HEIGHT) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) }
            font-family="sans-serif" {
            rect x="0" y="0" width=(WIDTH) height=(HEIGHT) fill="#FFFFFF" {}
            text x="20" y="36" font-size="22" font-weight="bold" fill=(INK) {
                "Coordinator of rank " (config.rank)
            }
            @for part in &parts { (part.markup()) }
            (arrows(config))
        }
    };
    markup.into_string()
}

/// The figure with its sizes as a table.
pub(super) fn drawing(config: &CoordinatorConfig) -> Drawing {
    let lines = parts(config).into_iter().map(|part| vec![part.name.to_owned(), part.lines.join("; ")]);
    Drawing {
        name: "figure-1-architecture".to_owned(),
        title: format!("Parts of the coordinator of rank {} with the sizes of their tensors", config.rank),
        caption: format!(
            "Figure 1. Blue: what each turn writes. Orange: the state. Green: what a decision reads. Sizes of the \
             configuration with d = {}, r = {}, r_u = {}, k = {}, m = {}; the dial is r, and r_u = min(r, 8) and \
             k = min(r, 4) unless set.",
            config.width,
            config.rank,
            config.update_rank(),
            config.top_k(),
            config.prompt_width
        ),
        svg: architecture(config),
        csv: csv_text(&["part", "sizes"], lines),
    }
}

fn parts(config: &CoordinatorConfig) -> Vec<Part> {
    [encoder_parts(config), state_parts(config), decoder_parts(config)].into_iter().flatten().collect()
}

fn part(at: (usize, usize, u32), colour: &'static str, name: &'static str, lines: Vec<String>) -> Part {
    Part { at, colour, name, lines }
}

fn encoder_parts(config: &CoordinatorConfig) -> Vec<Part> {
    let (d, r_u) = (config.width, config.update_rank());
    vec![
        part(
            (0, 0, 1),
            WRITE,
            "Turn",
            vec![
                "text of one agent".into(),
                format!("segments of ≤ {SEGMENT_TOKENS} tokens"),
                format!("{SURFACE_BITS} surface flags a token"),
            ],
        ),
        part(
            (1, 0, 1),
            WRITE,
            "Tokens",
            vec![
                format!("[L, {}]", config.token_channels()),
                format!("2 hashed tables [{TOKEN_ROWS}, {}]", config.token_width),
                "2 gated convolutions".into(),
            ],
        ),
        part(
            (2, 0, 1),
            WRITE,
            "Segments",
            vec![
                format!("h_i [{d}]"),
                format!("attention pool, {} heads", config.pool_heads),
                format!("a turn pools them: [{}, {d}]", r_u + 1),
            ],
        ),
        part(
            (3, 0, 1),
            WRITE,
            "Turn vector",
            vec![format!("x_t [{d}]"), "last pooled head + speaker".into()],
        ),
    ]
}

fn state_parts(config: &CoordinatorConfig) -> Vec<Part> {
    let (d, r) = (config.width, config.rank);
    let seen = if config.use_state { "" } else { "not seen by the decoder" };
    vec![
        part((3, 1, 1), WRITE, "Gate", gate_lines(config)),
        part((2, 1, 1), WRITE, "Update", update_lines(config)),
        part(
            (1, 1, 1),
            STATE,
            "State",
            vec![
                format!("S_t [{d}, {r}], {} numbers", d * r),
                "S_t = S_{t−1} diag(1 − g_t)".into(),
                "        + U_t diag(g_t)".into(),
                seen.into(),
            ],
        ),
        part(
            (0, 1, 1),
            STATE,
            "Latent prompt",
            vec![
                format!("p_t [{}]", config.prompt_width),
                format!("tanh of [{}] → [{}]", d * r, config.prompt_width),
                seen.into(),
            ],
        ),
    ]
}

fn decoder_parts(config: &CoordinatorConfig) -> Vec<Part> {
    vec![
        part((0, 2, 2), READ, "Copy decoder", decoder_lines(config)),
        part(
            (2, 2, 1),
            READ,
            "Scores",
            vec![
                "one logit a segment".into(),
                format!("from {} hidden units", config.hidden),
                "+ a straight path of features".into(),
            ],
        ),
        part(
            (3, 2, 1),
            READ,
            "Kept text",
            vec!["best segments in the budget".into(), "copied, never reworded".into()],
        ),
    ]
}

fn gate_lines(config: &CoordinatorConfig) -> Vec<String> {
    if config.memory == Memory::Pooled {
        return vec![format!("g_t [{}] = 1/t", config.rank), "no gate is learned".into()];
    }
    let query = match config.gate {
        GateMode::Input => "query: slow keys alone",
        GateMode::State => "query: slow keys and state",
    };
    vec![
        format!("g_t [{}], keys [{}, {}]", config.rank, config.rank, config.key_width),
        format!("the top k = {} channels are open", config.top_k()),
        format!("an open gate is ≥ {}", config.gate_min),
        query.into(),
    ]
}

fn update_lines(config: &CoordinatorConfig) -> Vec<String> {
    let (d, r, r_u) = (config.width, config.rank, config.update_rank());
    let right = if config.memory == Memory::Rims {
        format!("B_t = identity [{r}, {r}]")
    } else {
        format!("B_t [{r}, {r_u}], row sums ≤ 1")
    };
    vec![
        format!("U_t = A_t B_tᵀ [{d}, {r}]"),
        format!("A_t [{d}, {r_u}], entries ≤ {}", config.clip),
        right,
        format!("rank ≤ {r_u}"),
    ]
}

fn decoder_lines(config: &CoordinatorConfig) -> Vec<String> {
    let roles = Role::ALL.len() + 1;
    let inputs = config.rank + config.query_heads + FEATURES + roles;
    vec![
        format!("h_iᵀS_t [{}], h_i · q_t [{} heads],", config.rank, config.query_heads),
        format!("{FEATURES} exact-match features, {roles} role flags: [{inputs}] → [{}]", config.hidden),
        format!(
            "+ p_t [{}], reader [{}], mode [{}]",
            config.prompt_width,
            config.agent_width,
            Mode::ALL.len()
        ),
    ]
}

/// Arrows between the parts; what the no-state control does not see is dashed.
fn arrows(config: &CoordinatorConfig) -> Markup {
    let middle = |row: usize| TOP[row] + BOX.1 / 2;
    let centre = |column: usize| LEFT[column] + BOX.0 / 2;
    let right = |column: usize, row| (LEFT[column] + BOX.0, middle(row), LEFT[column + 1], middle(row));
    let left = |column: usize, row| (LEFT[column], middle(row), LEFT[column - 1] + BOX.0, middle(row));
    let down = |column: usize, row: usize| (centre(column), TOP[row] + BOX.1, centre(column), TOP[row + 1]);
    let solid = [right(0, 0), right(1, 0), right(2, 0), down(3, 0), down(2, 0), left(3, 1), left(2, 1)];
    let state = [left(1, 1), down(0, 1), down(1, 1)];
    let dashes = if config.use_state { "none" } else { "6 5" };
    html! {
        @for line in solid { (arrow(line, "none")) }
        @for line in state { (arrow(line, dashes)) }
        @for line in [right(1, 2), right(2, 2)] { (arrow(line, "none")) }
    }
}

fn arrow((x1, y1, x2, y2): (u32, u32, u32, u32), dashes: &str) -> Markup {
    let (x, y) = (x2 as i32, y2 as i32);
    let (back, side) = (9, 5);
    let head = if x1 == x2 {
        [(x, y), (x - side, y - back), (x + side, y - back)]
    } else {
        let back = if x2 > x1 { -back } else { back };
        [(x, y), (x + back, y - side), (x + back, y + side)]
    };
    let points: Vec<String> = head.iter().map(|(x, y)| format!("{x},{y}")).collect();
    html! {
        line x1=(x1) y1=(y1) x2=(x2) y2=(y2) stroke=(INK) stroke-width="1.6" stroke-dasharray=(dashes) {}
        polygon points=(points.join(" ")) fill=(INK) {}
    }
}
