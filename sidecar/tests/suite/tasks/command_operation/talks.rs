//! What a program is told, and what is made of what it says.

use serde_json::{Value, json};
use taskgate::tasks::operation::WorkError;
use taskgate_core::task::{Progress, Unit};

use crate::tasks::attempt::{Attempt, CREDENTIAL, SECRET_WORD, permanent, transient};
use crate::tasks::command_operation::program::Program;

const ECHO: &str = r#"read -r line; echo "{\"result\": $line}""#;

#[tokio::test]
async fn a_program_gets_the_task_on_its_input() {
    let args = json!({"name": "$(touch $1/x); `id` \" ' \\ ü\n", "list": [1, null]});
    let attempt = Attempt::new(args.clone());
    let expected = json!({
        "taskid": attempt.task.id.to_string(), "attempt": 2, "epoch": 9, "owner": "alice",
        "endpoint": "http://127.0.0.1:1/hsds",
        "request": {"operation": "foreign", "src": [], "args": args, "des": []},
    });
    // The shell of this test would read backslashes; a copy does not.
    let program = Program::new(r#"printf '{"result": '; cat; printf '}' | tr -d '\n'; echo"#);
    let outcome = attempt.run(program.operation.as_ref()).await;
    // The task is one line, so what is around it is on others.
    assert_eq!(permanent(outcome).0, "output-malformed");
    let program = Program::new(r#"printf '{"result": '; tr -d '\n'; echo '}'"#);
    assert_eq!(attempt.run(program.operation.as_ref()).await, Ok(expected));
    assert!(!program.path("x").exists());
}

#[tokio::test]
async fn a_credential_is_sent_where_the_operator_says_so() {
    let program = Program::with(ECHO, &json!({"forward_credential": true}));
    let told = Attempt::new(json!({})).run(program.operation.as_ref()).await.expect("a result");
    assert_eq!(told["credential"], CREDENTIAL);
}

#[tokio::test]
async fn a_program_inherits_nothing_but_what_it_is_given() {
    let _open: Vec<std::fs::File> = (0..20).map(|_| std::fs::File::open("/dev/null").expect("a file")).collect();
    let _listening = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let script = r#"
        variables=$(tr '\0' ' ' < /proc/$$/environ)
        cd /proc/$$/fd; set -- *
        echo "{\"result\": [\"$variables\", \"$*\", \"$(readlink /proc/$$/cwd)\"]}""#;
    let program = Program::with(script, &json!({"environment": ["PATH", "NO_SUCH_VARIABLE"]}));
    let told = Attempt::new(json!({})).run(program.operation.as_ref()).await.expect("a result");
    assert_eq!(told[0], format!("PATH={} ", std::env::var("PATH").expect("a path")));
    // The last one is the directory that is being listed.
    assert_eq!(told[1], "0 1 2 3");
}

#[tokio::test]
async fn progress_and_checkpoints_are_taken() {
    let script = r#"
        echo '{"progress": {"done": 1, "total": 4}}'
        echo '{"checkpoint": {"at": 1}}'
        echo
        echo '{"progress": {"done": 3, "total": 4, "unit": "objects"}}'
        echo '{"result": "made"}'"#;
    let attempt = Attempt::new(json!({}));
    let program = Program::new(script);
    assert_eq!(attempt.run(program.operation.as_ref()).await, Ok(json!("made")));
    assert_eq!(attempt.progress(), Progress { done: 3, total: Some(4), unit: Unit::Objects });
}

#[tokio::test]
async fn many_checkpoints_are_few_writes_and_the_last_one_counts() {
    let script = r#"
        i=0; while [ $i -lt 500 ]; do i=$((i + 1)); echo "{\"checkpoint\": $i}"; done
        echo later >&2; exit 75"#;
    let attempt = Attempt::new(json!({}));
    let detail = transient(attempt.run(Program::new(script).operation.as_ref()).await);
    let kept = attempt.kept();
    assert_eq!((detail.as_str(), kept.last()), ("later", Some(&json!(500))));
    assert!(kept.len() < 10, "{} writes", kept.len());
    let again = Attempt::new(json!({})).from(kept.last().expect("a checkpoint").clone());
    let told = again.run(Program::new(ECHO).operation.as_ref()).await.expect("a result");
    assert_eq!(told["checkpoint"], 500);
}

#[tokio::test]
async fn the_exit_status_says_how_it_ended() {
    let outcome = async |script: &str, forwards: bool| {
        let program = Program::with(script, &json!({"forward_credential": forwards}));
        Attempt::new(json!({})).run(program.operation.as_ref()).await
    };
    assert_eq!(outcome("echo '{\"result\": null}'", false).await, Ok(Value::Null));
    assert_eq!(permanent(outcome("exit 0", false).await).0, "no-result");
    assert_eq!(
        permanent(outcome("echo '{\"result\": 1}'; echo a >&2; echo b >&2; exit 3", false).await),
        ("command-failed", "b".to_owned())
    );
    assert_eq!(permanent(outcome("exit 3", false).await).1, "the program ended with status 3");
    assert_eq!(transient(outcome("echo busy >&2; exit 75", false).await), "busy");
    assert_eq!(outcome("exit 77", true).await, Err(WorkError::CredentialEnded));
    assert_eq!(permanent(outcome("exit 77", false).await).0, "command-failed");
    assert!(transient(outcome("kill -9 $$", false).await).contains("killed"));
}

#[tokio::test]
async fn what_a_program_complains_of_is_cleaned() {
    let script =
        r#"printf 'a\033[2Jb\a\rc %s\n\n' "$(tr -d '\n' | sed 's/.*"credential":"\([^"]*\)".*/\1/')" >&2; exit 1"#;
    let program = Program::with(script, &json!({"forward_credential": true}));
    let (_, detail) = permanent(Attempt::new(json!({})).run(program.operation.as_ref()).await);
    assert_eq!(detail, "a [2Jb c Basic ****");
    assert!(!detail.contains(SECRET_WORD));
}

#[tokio::test]
async fn a_program_that_is_not_there_may_be_there_later() {
    let missing = json!({"name": "foreign", "summary": "Is nowhere.", "command": {"path": "/no/such/program"}});
    let missing = crate::tasks::attempt::operation(&missing);
    assert!(transient(Attempt::new(json!({})).run(missing.as_ref()).await).contains("can't be run"));
}

#[tokio::test]
async fn a_program_need_not_read() {
    let attempt = Attempt::new(json!({"text": "x".repeat(800_000)}));
    let program = Program::new("exec 0<&-; echo '{\"result\": 1}'");
    assert_eq!(attempt.run(program.operation.as_ref()).await, Ok(json!(1)));
    let program = Program::new("echo '{\"result\": 2}'");
    assert_eq!(attempt.run(program.operation.as_ref()).await, Ok(json!(2)));
}
