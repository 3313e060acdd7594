//! Links between the documents lead somewhere.

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
