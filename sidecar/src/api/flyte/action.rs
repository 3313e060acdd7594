//! What went into an action and came out: messages of `GetActionData`.

use buffa::Message;
use bytes::Bytes;
use connectrpc::Limits;
use taskgate_idl::proto::flyteidl2::dataproxy::GetActionDataResponse;
use taskgate_idl::proto::flyteidl2::task::{Inputs, Outputs};

use crate::data::error::DataError;
use crate::data::service::ActionBytes;

/// The answer. What is not there is an empty message and an empty address.
pub(super) fn data(data: ActionBytes, limits: Limits) -> Result<GetActionDataResponse, DataError> {
    let (inputs_uri, inputs) = read::<Inputs>("inputs", data.inputs, limits)?;
    let (outputs_uri, outputs) = read::<Outputs>("outputs", data.outputs, limits)?;
    let (inputs, outputs) = (inputs.into(), outputs.into());
    Ok(GetActionDataResponse { inputs, outputs, inputs_uri, outputs_uri, ..Default::default() })
}

fn read<M: Message + Default>(
    what: &str,
    found: Option<(String, Bytes)>,
    limits: Limits,
) -> Result<(String, M), DataError> {
    let Some((uri, bytes)) = found else {
        return Ok((String::new(), M::default()));
    };
    let message = limits.decode_options().decode_from_slice::<M>(&bytes);
    let message = message.map_err(|why| DataError::Internal(format!("failed to read {what} from {uri}: {why}")))?;
    Ok((uri, message))
}
