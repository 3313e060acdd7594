//! Any cookie lines: what is taken out is gone, and what stays is what was there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use taskgate_core::cookie::{all, strip, values};
use taskgate_core::edit::FieldEdit;

const NAME: &str = "YTCypressCookie";

fn crumbs<'a>(lines: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let crumbs = lines.iter().flat_map(|line| line.split(|byte| *byte == b';'));
    crumbs.map(<[u8]>::trim_ascii).filter(|crumb| !crumb.is_empty()).collect()
}

/// Whether it is `name=value` or, with a space for the equals sign, `name value`.
fn is_named(crumb: &[u8]) -> bool {
    let rest = crumb.strip_prefix(NAME.as_bytes()).unwrap_or_default();
    rest.first().is_some_and(|byte| *byte == b'=' || byte.is_ascii_whitespace())
}

fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let expected: Vec<&[u8]> = crumbs(&lines).into_iter().filter(|crumb| !is_named(crumb)).collect();
    let count = |lines: &[&[u8]]| all(lines).filter(|cookie| cookie.name == NAME.as_bytes()).count();
    let found = count(&lines);
    assert!(values(&lines, NAME).count() <= found);
    match strip(&lines, |cookie| cookie.name == NAME.as_bytes()) {
        FieldEdit::Keep => assert_eq!(found, 0),
        FieldEdit::Remove => assert!(found > 0 && expected.is_empty()),
        FieldEdit::Set(text) => {
            assert!(found > 0);
            assert_eq!(crumbs(&[&text]), expected);
            assert_eq!(count(&[&text]), 0);
        }
    }
});
