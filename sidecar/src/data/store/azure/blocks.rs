//! Uploads in parts, which are blocks at Azure: each has a name that whoever puts it chose, and the blob is made of a
//! list of names.
//!
//! There is nothing to begin: the name of the upload is drawn here, and is what the names of its blocks start with.
//! There is nothing to abort either: blocks that no list names go a week after the last one came, or when the blob is
//! written otherwise.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde::Deserialize;
use taskgate_core::time::UnixTime;

use crate::data::path::{Key, Segments};
use crate::data::store::azure::{AzureStore, PERMISSIONS};
use crate::data::store::multipart::{Completion, MAX_PARTS, Multipart, Part, PartTerms, UploadId};
use crate::data::store::object::MD5_METADATA;
use crate::data::store::sign::azure::Right;
use crate::data::store::sign::order::{Order, Sender};
use crate::data::store::upload::md5_headers;
use crate::data::store::xml::answer::exchange;
use crate::data::store::xml::{COMPLETE_TIMEOUT, OWN_EXPIRY, wire};
use crate::data::store::{DownloadTerms, SignedRequest, StoreError, UploadTerms, WriteMode};
use crate::random;

/// The most bytes of a list of blocks: as many as a blob can have that wait.
const MAX_ANSWER: usize = 16 << 20;
/// How many digits an upload's name has.
const NAME: usize = 32;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BlockList {
    #[serde(default)]
    uncommitted_blocks: Blocks,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Blocks {
    #[serde(default)]
    block: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Block {
    name: String,
    size: u64,
}

#[async_trait]
impl Multipart for AzureStore {
    async fn begin(&self, _key: &Key, _content_md5: Option<[u8; 16]>) -> Result<UploadId, StoreError> {
        let name = random::bytes::<16>().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(UploadId::new(name.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    async fn sign_part(&self, key: &Key, upload: &UploadId, part: &PartTerms) -> Result<SignedRequest, StoreError> {
        let (block, name) = (block_id(checked(upload)?, part.checked_number()?), self.objects.place().name(key));
        let terms = UploadTerms { content_md5: part.content_md5, ..UploadTerms::default() };
        let order = Order {
            parameters: &[("comp", "block"), ("blockid", &block)],
            headers: md5_headers(&terms, ""),
            ..Order::of_client("PUT", &name, part.expires_in)
        };
        self.sign(Right::Block, order, &DownloadTerms::default())
    }

    async fn parts(&self, key: &Key, upload: &UploadId) -> Result<Vec<Part>, StoreError> {
        let upload = checked(upload)?;
        let parameters = [("comp", "blocklist"), ("blocklisttype", "uncommitted")];
        let asked = self.ask(Method::GET, Right::Read, key, &parameters, Vec::new(), String::new()).await;
        let list: BlockList = match asked {
            Ok(answer) => wire::read(&answer)?,
            Err(StoreError::NoUpload) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let blocks = list.uncommitted_blocks.block.into_iter();
        let mut parts: Vec<Part> = blocks
            .filter_map(|block| Some(Part { number: number(upload, &block.name)?, size: block.size, etag: None }))
            .collect();
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    async fn complete(&self, key: &Key, upload: &UploadId, completion: &Completion<'_>) -> Result<(), StoreError> {
        let upload = checked(upload)?;
        let mut headers = Vec::new();
        if let Some(md5) = completion.content_md5 {
            headers.push((format!("x-ms-meta-{MD5_METADATA}"), STANDARD.encode(md5)));
        }
        if completion.mode == WriteMode::Create {
            headers.push(("If-None-Match".to_owned(), "*".to_owned()));
        }
        let blocks = (1..=MAX_PARTS).zip(completion.etags);
        let blocks = blocks.map(|(number, _)| format!("<Uncommitted>{}</Uncommitted>", block_id(upload, number)));
        let body =
            format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>{}</BlockList>", blocks.collect::<String>());
        self.ask(Method::PUT, Right::Write, key, &[("comp", "blocklist")], headers, body).await?;
        Ok(())
    }

    async fn abort(&self, _key: &Key, upload: &UploadId) -> Result<(), StoreError> {
        checked(upload).map(|_| ())
    }

    async fn unfinished(&self, _under: &Segments, _before: UnixTime) -> Result<Vec<(Key, UploadId)>, StoreError> {
        Ok(Vec::new())
    }
}

impl AzureStore {
    /// Asks the service as the sidecar itself.
    async fn ask(
        &self,
        method: Method,
        right: Right,
        key: &Key,
        parameters: &[(&str, &str)],
        headers: Vec<(String, String)>,
        body: String,
    ) -> Result<Vec<u8>, StoreError> {
        let name = self.objects.place().name(key);
        let order = Order {
            sender: Sender::Sidecar,
            parameters,
            headers,
            ..Order::of_client(method.as_str(), &name, OWN_EXPIRY)
        };
        let signed = self.sign(right, order, &DownloadTerms::default())?;
        let mut request = self.client.request(method.clone(), signed.url.expose()).timeout(COMPLETE_TIMEOUT);
        for (name, value) in &signed.headers {
            request = request.header(name, value);
        }
        let permission = if right == Right::Read { PERMISSIONS.read } else { PERMISSIONS.write };
        exchange(request.body(body), MAX_ANSWER, permission).await
    }
}

/// The name of an upload, where it is one that was drawn here.
fn checked(upload: &UploadId) -> Result<&str, StoreError> {
    let name = upload.as_str();
    let is_drawn = name.len() == NAME && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_drawn { Ok(name) } else { Err(StoreError::NoUpload) }
}

/// The name of a block: those of one blob must all have the same length.
fn block_id(upload: &str, number: u16) -> String {
    STANDARD.encode(format!("{upload}-{number:05}"))
}

/// Which part a block is; none where it is of another upload.
fn number(upload: &str, block: &str) -> Option<u16> {
    let name = String::from_utf8(STANDARD.decode(block).ok()?).ok()?;
    let number: u16 = name.strip_prefix(upload)?.strip_prefix('-')?.parse().ok()?;
    (block_id(upload, number) == block && (1..=MAX_PARTS).contains(&number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_names_of_one_length_that_say_whose_they_are() {
        let (upload, other) = ("0".repeat(NAME), "1".repeat(NAME));
        for part in [1, 42, MAX_PARTS] {
            let block = block_id(&upload, part);
            assert_eq!(block.len(), block_id(&other, 7).len());
            assert_eq!(number(&upload, &block), Some(part));
            assert_eq!(number(&other, &block), None);
        }
        for block in ["", "AAAA", "!", &STANDARD.encode(format!("{upload}-0001")), &block_id(&upload, 0)] {
            assert_eq!(number(&upload, block), None, "{block}");
        }
    }

    #[test]
    fn only_names_that_were_drawn_are_uploads() {
        for text in ["", "x", &"0".repeat(31), &"A".repeat(NAME), &"/".repeat(NAME)] {
            assert_eq!(checked(&UploadId::new(text.to_owned())), Err(StoreError::NoUpload), "{text}");
        }
    }

    #[test]
    fn a_list_of_blocks_is_read() {
        let list: BlockList = wire::read(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><CommittedBlocks><Block><Name>x</Name>\
             <Size>1</Size></Block></CommittedBlocks><UncommittedBlocks><Block><Name>eA==</Name><Size>4194304000</Size>\
             </Block></UncommittedBlocks></BlockList>"
                .as_bytes(),
        )
        .expect("reads");
        let blocks: Vec<(String, u64)> =
            list.uncommitted_blocks.block.into_iter().map(|block| (block.name, block.size)).collect();
        assert_eq!(blocks, [("eA==".to_owned(), 4_194_304_000)]);
        for empty in ["<BlockList/>", "<BlockList><UncommittedBlocks/></BlockList>"] {
            let list: BlockList = wire::read(empty.as_bytes()).expect("reads");
            assert!(list.uncommitted_blocks.block.is_empty());
        }
    }
}
