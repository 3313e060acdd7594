//! Inputs of a run, kept through Flyte's data proxy.

use std::time::{Duration, Instant};

use buffa::Message as _;
use taskgate_idl::proto::flyteidl2::common::ProjectIdentifier;
use taskgate_idl::proto::flyteidl2::core::{Literal, Primitive, Scalar, literal, primitive, scalar};
use taskgate_idl::proto::flyteidl2::dataproxy::UploadInputsRequest;
use taskgate_idl::proto::flyteidl2::dataproxy::upload_inputs_request::{Id, Task};
use taskgate_idl::proto::flyteidl2::task::{Inputs, NamedLiteral, TaskSpec};

use crate::data::stage::Stage;

/// How large the one input is, in bytes.
const SIZE: usize = 10 << 20;

/// How long each of so many calls took; each has inputs of its own.
pub(super) async fn measure(stage: &Stage, times: u32) -> anyhow::Result<Vec<Duration>> {
    let mut took = Vec::new();
    for number in 0..times {
        let message = message(&format!("{number:08}"));
        let started = Instant::now();
        stage.store.call("UploadInputs", message).await?;
        took.push(started.elapsed());
    }
    Ok(took)
}

fn message(start: &str) -> Vec<u8> {
    let text = format!("{start}{}", "x".repeat(SIZE - start.len()));
    let primitive = Primitive { value: Some(primitive::Value::StringValue(text)), ..Default::default() };
    let scalar = Scalar { value: Some(scalar::Value::Primitive(Box::new(primitive))), ..Default::default() };
    let literal = Literal { value: Some(literal::Value::Scalar(Box::new(scalar))), ..Default::default() };
    let named = NamedLiteral { name: "x".into(), value: literal.into(), ..Default::default() };
    let id = ProjectIdentifier { name: "p".into(), domain: "d".into(), ..Default::default() };
    UploadInputsRequest {
        id: Some(Id::ProjectId(Box::new(id))),
        task: Some(Task::TaskSpec(Box::<TaskSpec>::default())),
        inputs: Inputs { literals: vec![named], ..Default::default() }.into(),
        ..Default::default()
    }
    .encode_to_vec()
}
