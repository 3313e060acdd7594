//! `checksum`: a digest of a dataset's elements.
//!
//! Digested are the elements row by row, as the server gives them: with the dataset's own order of bytes, those of any
//! size with their number of bytes before them as 4 bytes, the lowest first. For elements of one size that is what
//! `hashlib.sha256(dataset[...].tobytes())` gives in Python. A digest can't be gone on with: an attempt begins anew.

mod algorithm;
mod destination;
mod rows;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use serde_json::{Map, Value, json};
use taskgate_core::task::{Progress, Unit};

use crate::hsds::client::Session;
use crate::hsds::selection::Selection;
use crate::hsds::slabs::VARIABLE_BYTES;
use crate::hsds::vlen;
use crate::tasks::operation::{Description, Operation, Preview, Rejection, WorkError, Writes};
use crate::tasks::operations::durable::Durable;
use crate::tasks::operations::element_wise::Pace;
use crate::tasks::operations::fault::Fault;
use crate::tasks::operations::numbers::known;
use crate::tasks::operations::place::{Place, wide};
use crate::tasks::request::Request;
use crate::tasks::work::{Room, Work};
use algorithm::Algorithm;
use destination::Destination;

/// A digest of a dataset's elements.
#[derive(Debug)]
pub struct Checksum {
    description: Description,
    pace: Pace,
}

/// What has to be done.
struct Plan {
    algorithm: Algorithm,
    source: Place,
    destination: Option<Destination>,
}

impl Checksum {
    /// The operation.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        let description = Description {
            name: "checksum".to_owned(),
            summary: "A digest of a dataset's elements, row by row; it is in the task's result.".to_owned(),
            arguments: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object", "additionalProperties": false,
                "properties": {
                    "algorithm": {
                        "description": "Which digest.", "enum": ["sha256", "crc32"], "default": "sha256"
                    },
                    "attribute": {
                        "description": "The destination's attribute that the digest is written to; \
                                        without it the destination is a dataset of one text.",
                        "type": "string", "minLength": 1, "maxLength": 255
                    }
                }
            }),
            sources: 1..=1,
            destinations: 0..=1,
            writes: Writes::Updates,
        };
        Self { description, pace }
    }

    async fn plan(session: &Session, request: &Request) -> Result<Plan, Fault> {
        known(&request.args, &["algorithm", "attribute"])?;
        let algorithm = Algorithm::of(&request.args)?;
        let attribute = attribute(&request.args)?;
        let [src] = request.src.as_slice() else {
            return Err(Fault::malformed(format!("`src` must have 1 location, not {}", request.src.len())));
        };
        let source = Place::find(session, "src[0]", src, true).await?;
        let destination = match (request.des.as_slice(), attribute) {
            ([], None) => None,
            ([], Some(_)) => return Err(Fault::malformed("`args.attribute` needs a destination")),
            ([des], attribute) => Some(Destination::find(session, des, attribute, algorithm, &source).await?),
            (more, _) => {
                return Err(Fault::malformed(format!("`des` must have 0 or 1 locations, not {}", more.len())));
            }
        };
        Ok(Plan { algorithm, source, destination })
    }
}

fn attribute(arguments: &Map<String, Value>) -> Result<Option<String>, Fault> {
    match arguments.get("attribute") {
        None => Ok(None),
        Some(Value::String(name)) if (1..=255).contains(&name.len()) => Ok(Some(name.clone())),
        Some(_) => Err(Fault::malformed("`args.attribute` must be a name of 1 to 255 bytes")),
    }
}

#[async_trait]
impl Operation for Checksum {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn check(&self, preview: &Preview<'_>) -> Result<(), Rejection> {
        let session = preview.session.ok_or(Fault::NoServer)?;
        Self::plan(session, preview.request).await?;
        Ok(())
    }

    async fn run(&self, work: &mut Work) -> Result<Value, WorkError> {
        let work = &*work;
        let session = work.server()?;
        let plan = work.unless_stopped(Self::plan(session, work.request())).await??;
        let (text, bytes) = digest(&plan, self.pace, work).await?;
        if let Some(destination) = &plan.destination {
            let durable = Durable::begin(work).await?;
            work.unless_stopped(destination.write(session, &text)).await??;
            durable.confirm().await?;
        }
        Ok(json!({"algorithm": plan.algorithm.name(), "checksum": text, "bytes": bytes}))
    }
}

/// The digest, and of how many bytes it is.
async fn digest(plan: &Plan, pace: Pace, work: &Work) -> Result<(String, u64), WorkError> {
    let session = work.server()?;
    let source = &plan.source;
    let mut digest = plan.algorithm.begin();
    let mut done = 0_u64;
    if source.is_null() {
        return Ok((digest.finish(), done));
    }
    let item = source.dataset().datatype.item_size();
    let total = item.and_then(|item| item.checked_mul(wide(source.count())));
    let rows = rows::rows(source, item.unwrap_or(VARIABLE_BYTES), pace.slab_bytes);
    let concurrent = pace.concurrent.max(1);
    // Room is drawn piece by piece, in their order: the next one that is waited for always has its own.
    let drawn = stream::iter(0..rows.len()).then(|number| {
        let selection = rows.slab(number).map(|slab| slab.selection);
        draw(work, item, pace, selection)
    });
    let mut pieces = drawn.map(|drawn| piece(session, source, item, drawn)).buffered(concurrent).boxed();
    while let Some(piece) = work.unless_stopped(pieces.next()).await? {
        let Some((bytes, _room)) = piece? else { continue };
        digest.add(&bytes);
        done = done.saturating_add(wide(bytes.len()));
        work.report(Progress { done, total, unit: Unit::Bytes });
    }
    Ok((digest.finish(), done))
}

/// Room for a piece; one of elements of any size is taken to be as large as a piece may be.
async fn draw(
    work: &Work,
    item: Option<u64>,
    pace: Pace,
    selection: Option<Selection>,
) -> Result<Option<(Selection, Room)>, WorkError> {
    let Some(selection) = selection else { return Ok(None) };
    let bytes = item.map_or(pace.slab_bytes, |item| item.saturating_mul(selection.count().unwrap_or(u64::MAX)));
    let room = work.room(usize::try_from(bytes).unwrap_or(usize::MAX)).await?;
    Ok(Some((selection, room)))
}

/// Reads a piece. It has its room for as long as it is there.
async fn piece(
    session: &Session,
    source: &Place,
    item: Option<u64>,
    drawn: Result<Option<(Selection, Room)>, WorkError>,
) -> Result<Option<(Bytes, Room)>, WorkError> {
    let Some((selection, room)) = drawn? else { return Ok(None) };
    let count = selection.count().unwrap_or(u64::MAX);
    let expected = item.map(|item| item.saturating_mul(count));
    let bytes = source.read_bytes(session, &selection, expected).await?;
    // An answer that is cut would have another digest.
    vlen::check(&source.dataset().datatype, &bytes, count)
        .map_err(|error| WorkError::Transient(format!("{}: {error}", source.name())))?;
    Ok(Some((bytes, room)))
}
