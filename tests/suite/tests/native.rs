//! The corpus against the core as a library.

use taskgate_suite::{Corpus, NativeRunner, Runner as _, compare};

#[test]
fn the_core_decides_every_case_as_written() {
    let corpus = Corpus::load().expect("the corpus loads");
    let scripts = corpus.scripts().expect("the corpus loads");
    let mut wrong = Vec::new();
    for script in &scripts {
        let seen = NativeRunner.run(script).expect("a script can be played");
        let differences = compare::differences(script, &seen, &corpus.fixtures);
        wrong.extend(differences.into_iter().map(|what| format!("{}: {what}", script.name)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}
