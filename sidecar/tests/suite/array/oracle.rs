//! numpy in a process of its own: questions in, answers out, all at once.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use taskgate::array::dtype::{ByteOrder, Dtype};
use taskgate::array::slab::Slab;
use taskgate_test_kit::environment;

/// Questions to be asked, each with something to remember it by.
pub(super) struct Questions<T> {
    questions: Vec<(T, Value)>,
}

/// What numpy says: values, or the name of an error.
pub(super) type Answer = Result<Value, String>;

impl<T> Questions<T> {
    pub(super) const fn new() -> Self {
        Self { questions: Vec::new() }
    }

    pub(super) fn ask(&mut self, about: T, question: Value) {
        self.questions.push((about, question));
    }

    /// Runs numpy once for all questions.
    pub(super) fn answers(self) -> Vec<(T, Answer)> {
        let python = environment::hsds().expect("numpy").join("python3");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/array/oracle.py");
        let mut command = Command::new(python);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let lines: String = self.questions.iter().map(|(_, question)| format!("{question}\n")).collect();
        let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
        let output = child.wait_with_output().expect("python ends");
        assert!(output.status.success(), "python failed");
        writer.join().expect("ends").expect("python reads");
        let text = String::from_utf8(output.stdout).expect("text");
        let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(answers.len(), self.questions.len());
        let read = |answer: Value| match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["answer"].clone()),
        };
        self.questions.into_iter().zip(answers).map(|((about, _), answer)| (about, read(answer))).collect()
    }
}

/// A slab as the script reads it.
pub(super) fn question(slab: &Slab) -> Value {
    let data: String = slab.to_bytes(ByteOrder::Little).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"dtype": slab.dtype().code(), "shape": slab.shape(), "data": data})
}

/// Slabs as the script writes them.
pub(super) fn slabs(answer: &Value) -> Vec<Slab> {
    answer.as_array().expect("a list").iter().map(slab).collect()
}

fn slab(answer: &Value) -> Slab {
    let (dtype, _) = Dtype::parse(answer["dtype"].as_str().expect("a type")).expect("a type");
    let shape = answer["shape"].as_array().expect("a shape").iter();
    let shape = shape.map(|extent| usize::try_from(extent.as_u64().expect("a number")).expect("fits")).collect();
    let digits = answer["data"].as_str().expect("data").as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    let bytes: Vec<u8> = digits.map(byte).collect();
    Slab::from_bytes(dtype, ByteOrder::Little, shape, &bytes).expect("as many bytes")
}
