//! How wide the columns are: names in full where there is room, a bar where there is room for one, the key last to go.

use crate::audit::output::worst::Kept;

const RULE: usize = 18;
const DAYS: usize = 5;
/// A name that is cut shorter than this tells nobody who it is.
const LEAST_USER: usize = 12;
const BARS: [usize; 3] = [20, 8, 0];

/// Widths in characters; what does not fit has none.
pub(super) struct Columns {
    pub(super) user: usize,
    key: usize,
    pub(super) bar: usize,
}

impl Columns {
    /// Those for these rows in so many columns.
    pub(super) fn fitting(rows: &[Kept], users: &[String], width: usize) -> Self {
        let user = longest(users.iter().map(String::as_str), "USER");
        let key = longest(rows.iter().map(|row| row.credential.as_str()), "KEY");
        // The mark and a space go before the rule.
        let taken = |key: usize, bar: usize| 2 + RULE + 1 + spaced(key) + spaced(bar) + 1 + DAYS;
        let least = user.min(LEAST_USER);
        let candidates = BARS.into_iter().map(|bar| (key, bar)).chain([(0, 8), (0, 0)]);
        let (key, bar) = candidates
            .into_iter()
            .find(|(key, bar)| taken(*key, *bar) + least <= width)
            .unwrap_or((0, 0));
        let user = user.min(width.saturating_sub(taken(key, bar))).max(4);
        Self { user, key, bar }
    }

    /// A row of these texts, whose bar may hold styles.
    pub(super) fn line(&self, rule: &str, user: &str, key: &str, bar: &str, days: &str) -> String {
        let mut line = format!("{rule:RULE$} {user:0$}", self.user);
        if self.key > 0 {
            line.push_str(&format!(" {key:0$}", self.key));
        }
        line.push_str(&format!(" {days:>DAYS$}"));
        if self.bar > 0 && !bar.is_empty() {
            line.push(' ');
            line.push_str(bar);
        }
        line.trim_end().to_owned()
    }
}

fn spaced(width: usize) -> usize {
    if width == 0 { 0 } else { width + 1 }
}

fn longest<'a>(texts: impl Iterator<Item = &'a str>, head: &str) -> usize {
    texts
        .map(|text| text.chars().count())
        .chain([head.len()])
        .max()
        .unwrap_or(0)
}

/// A bar of at most so many cells, an eighth of one at least where there is anything.
pub(super) fn bar<N: Into<u64>>(value: N, most: N, cells: usize) -> String {
    let (value, most) = (value.into(), most.into().max(1));
    let eighths = (cells as u64 * 8 * value).div_ceil(most).min(cells as u64 * 8);
    let mut bar = "█".repeat((eighths / 8) as usize);
    if eighths % 8 > 0 {
        bar.push(['▏', '▎', '▍', '▌', '▋', '▊', '▉'][(eighths % 8) as usize - 1]);
    }
    bar
}

/// As much of a name as fits.
pub(super) fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_the_least_and_never_more_than_its_cells() {
        assert_eq!(bar(0_u64, 10, 8), "");
        assert_eq!(bar(1_u64, 1_000_000, 8), "▏");
        assert_eq!(bar(5_u64, 10, 8), "████");
        assert_eq!(bar(10_u64, 10, 8), "████████");
        assert_eq!(bar(9_u64, 16, 1), "▋");
        assert_eq!(bar(3_u64, 0, 4), "████");
    }

    #[test]
    fn a_name_is_cut_only_where_it_must() {
        assert_eq!(shortened("ünïcode", 7), "ünïcode");
        assert_eq!(shortened("ünïcodes", 7), "ünïcod…");
    }
}
