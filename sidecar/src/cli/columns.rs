//! Tables on the terminal.

/// Rows under a header, each column as wide as it has to be. Control characters are left out: users write
/// much of what is in the cells, and a terminal does what it reads.
pub(super) fn aligned<const WIDTH: usize>(
    header: [&str; WIDTH],
    rows: impl Iterator<Item = [String; WIDTH]>,
) -> String {
    let rows = std::iter::once(header.map(ToOwned::to_owned)).chain(rows);
    let rows: Vec<[String; WIDTH]> =
        rows.map(|row| row.map(|cell| cell.chars().filter(|character| !character.is_control()).collect())).collect();
    let mut widths = [0; WIDTH];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_no_control_characters() {
        let row = ["a\u{1b}[2Jb\r\n".to_owned(), "c\u{9b}d\te".to_owned()];
        assert_eq!(aligned(["A", "B"], std::iter::once(row)), "A      B\na[2Jb  cde\n");
    }
}
