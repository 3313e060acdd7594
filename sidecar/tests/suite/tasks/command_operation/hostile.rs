//! Programs that mean no good, or are broken.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::tasks::attempt::{Attempt, permanent};
use crate::tasks::command_operation::program::Program;

async fn outcome(script: &str) -> (&'static str, String) {
    let program = Program::new(&format!("echo $$ > $1/process; {script}"));
    let outcome = permanent(Attempt::new(json!({})).run(program.operation.as_ref()).await);
    program.all_ended("process").await;
    outcome
}

#[tokio::test]
async fn output_without_an_end_is_cut_off() {
    // One line, then many; the program would go on for ever.
    assert_eq!(outcome("tr '\\0' x < /dev/zero").await.0, "output-too-large");
    let line = "exec yes \"$(printf '{\"progress\": {\"done\": 1}}%30000s' '')\"";
    assert_eq!(outcome(line).await.0, "output-too-large");
}

#[tokio::test]
async fn errors_without_an_end_cost_no_memory() {
    let script = "(tr '\\0' y < /dev/zero | head -c 20000000; echo; yes no | head -n 100000; echo last) >&2; exit 1";
    assert_eq!(outcome(script).await, ("command-failed", "last".to_owned()));
}

#[tokio::test]
async fn what_is_no_message_ends_it() {
    for line in ["done", "{}", "[1]", "{\"result\": 1", "{\"exec\": \"x\"}", "{\"progress\": {\"done\": \"1\"}}"] {
        let (code, detail) = outcome(&format!("cat > /dev/null; echo '{line}'; exec sleep 1000")).await;
        assert_eq!(code, "output-malformed", "{line}: {detail}");
    }
    let (code, detail) = outcome("printf '{\"result\": \"\\377\\033[2J\"}\\n'; exec sleep 1000").await;
    assert!(code == "output-malformed" && !detail.contains('\u{1b}'), "{detail}");
    let (code, _) =
        outcome("i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); printf '['; done; echo; exec sleep 1000").await;
    assert_eq!(code, "output-malformed");
}

#[tokio::test]
async fn what_it_leaves_behind_does_not_outlive_it() {
    let script = r#"
        for i in 1 2 3; do sleep 1000 & echo $! >> $1/children; done
        (trap '' TERM HUP; sleep 1000) & echo $! >> $1/children
        echo '{"result": 1}'"#;
    let program = Program::new(script);
    let began = Instant::now();
    assert_eq!(Attempt::new(json!({})).run(program.operation.as_ref()).await, Ok(json!(1)));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    program.all_ended("children").await;
}

#[tokio::test]
async fn who_leaves_the_group_keeps_nobody_waiting() {
    // It holds all three pipes for as long as it lives.
    let program = Program::new("setsid sleep 15 & echo '{\"result\": 1}'");
    let began = Instant::now();
    assert_eq!(Attempt::new(json!({})).run(program.operation.as_ref()).await, Ok(json!(1)));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
