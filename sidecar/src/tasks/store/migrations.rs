//! The steps that bring a store's tables up to date, from the files in `migrations/`.
//!
//! They are listed rather than found by a macro: the macro would have all of sqlx, with both databases, built a second
//! time for the compiler's own use. A test compares the lists with the folders.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// A step: its number, what it makes, and its statements. What a step once said is never changed.
pub type Step = (i64, &'static str, &'static str);

/// The steps of a store. Which of them were taken is kept in a table of that name: all stores may be in one database.
#[must_use]
pub fn migrator(table: &'static str, steps: &[Step]) -> Migrator {
    let migration = |&(number, what, statements): &Step| {
        Migration::new(number, what.into(), MigrationType::Simple, statements.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(steps.iter().map(migration).collect());
    migrator.dangerous_set_table_name(table);
    migrator
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn every_file_is_a_step() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        for (store, migrator) in [
            ("access", &*crate::access::store::open::MIGRATIONS),
            ("gateway", &*crate::gateway::store::open::MIGRATIONS),
            ("tasks", &*crate::tasks::store::open::MIGRATIONS),
        ] {
            let files = std::fs::read_dir(folder.join(store)).expect("a folder");
            let mut files: Vec<(String, String)> = files
                .map(|file| {
                    let path = file.expect("a file").path();
                    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                    (name, std::fs::read_to_string(path).expect("is read"))
                })
                .collect();
            files.sort();
            let steps: Vec<(String, String)> = migrator
                .iter()
                .map(|step| (format!("{:04}_{}.sql", step.version, step.description), step.sql.as_str().to_owned()))
                .collect();
            assert_eq!(steps, files);
        }
    }
}
