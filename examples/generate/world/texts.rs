//! Names and lines of addresses, from the shortest to the longest.

use crate::random::Random;

const EMOJI: [&str; 8] = ["🌻", "😀", "❤️", "👩‍👩‍👧", "🇩🇪", "👍🏽", "✨", "🐈‍⬛"];

/// In characters.
const NAME_CHARS_MAX: usize = 60;
const LINE_CHARS_MAX: usize = 200;

/// A name that begins with `first`, of 1 to 60 characters; `pick` gives further ones.
pub(super) fn name<'t>(first: &'t str, pick: impl Fn(&mut Random) -> &'t str, random: &mut Random) -> String {
    match random.below(1000) {
        0..4 => first.chars().take(1).collect(),
        4..34 => joined(first, " ", NAME_CHARS_MAX, pick, random),
        34..42 => format!("{first} {}", random.pick(&EMOJI)),
        42..110 => {
            let between = random.pick(&[" ", " ", "-"]);
            let name = format!("{first}{between}{}", pick(random));
            name.chars().take(NAME_CHARS_MAX).collect()
        }
        _ => first.to_owned(),
    }
}

pub(super) fn middle_name(usual: &str, random: &mut Random) -> String {
    match random.below(100) {
        0..5 => format!("\"{usual}\""),
        5..8 => random.pick(&EMOJI).to_owned(),
        8..14 => usual.chars().take(1).chain(['.']).collect(),
        _ => usual.to_owned(),
    }
}

/// A line of an address that is longer than usual.
pub(super) fn long_line<'t>(
    first: &'t str,
    pick: impl Fn(&mut Random) -> &'t str,
    random: &mut Random,
) -> String {
    joined(first, ", ", LINE_CHARS_MAX, pick, random)
}

/// From half of `chars_max` up to it.
fn joined<'t>(
    first: &'t str,
    between: &str,
    chars_max: usize,
    pick: impl Fn(&mut Random) -> &'t str,
    random: &mut Random,
) -> String {
    let chars = chars_max / 2 + random.index(chars_max / 2 + 1);
    let mut text = first.to_owned();
    while text.chars().count() < chars {
        text.push_str(between);
        text.push_str(pick(random));
    }
    text.chars().take(chars).collect()
}
