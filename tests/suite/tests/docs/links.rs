//! Links between the documents lead somewhere, and their tables are whole.

use super::place::{Checked, files, read, repository};

#[test]
fn relative_links_lead_to_files() -> Checked {
    let repository = repository()?;
    let mut broken = Vec::new();
    let mut count = 0;
    for page in files(&repository, ".md")? {
        let text = read(&page)?;
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            count += 1;
            if !page.with_file_name("").join(target).exists() {
                broken.push(format!("{} -> {target}", page.display()));
            }
        }
    }
    assert!(count > 10, "the documents link to each other");
    assert!(broken.is_empty(), "{broken:#?}");
    Ok(())
}

#[test]
fn no_blank_line_cuts_a_table() -> Checked {
    let mut cut = Vec::new();
    for page in files(&repository()?, ".md")? {
        let text = read(&page)?;
        let (mut before, mut is_code) = ("", false);
        for (number, line) in text.lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            let begins = line.starts_with('|') && !before.starts_with('|') && !is_code;
            let has_head = text.lines().nth(number + 1).is_some_and(|next| next.starts_with("|-"));
            if begins && !has_head {
                cut.push(format!("{}:{}", page.display(), number + 1));
            }
            before = line;
        }
    }
    assert!(cut.is_empty(), "rows without a head: {cut:#?}");
    Ok(())
}
