//! The XML of uploads in parts.

use serde::Deserialize;
use taskgate_core::time::UnixTime;

use crate::data::store::StoreError;
use crate::data::store::multipart::Part;

/// The answer to the request that begins an upload.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Begun {
    pub(crate) upload_id: String,
}

/// A page of the parts of an upload.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Parts {
    #[serde(default)]
    part: Vec<PartRow>,
    #[serde(default)]
    is_truncated: bool,
    next_part_number_marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PartRow {
    part_number: u16,
    size: u64,
    #[serde(rename = "ETag")]
    etag: Option<String>,
}

/// A page of the uploads of a bucket.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Uploads {
    #[serde(default)]
    pub(crate) upload: Vec<UploadRow>,
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_upload_id_marker: Option<String>,
}

/// An upload that is not ended.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UploadRow {
    pub(crate) key: String,
    pub(crate) upload_id: String,
    initiated: String,
}

impl Parts {
    /// After which part the next page starts; none where this one is the last.
    pub(crate) fn next(&self) -> Option<String> {
        let marker = self.next_part_number_marker.clone().filter(|marker| !marker.is_empty());
        marker.filter(|_| self.is_truncated)
    }

    /// The parts.
    pub(crate) fn parts(self) -> impl Iterator<Item = Part> {
        self.part.into_iter().map(|PartRow { part_number, size, etag }| Part {
            number: part_number,
            size,
            etag: etag.filter(|etag| !etag.is_empty()),
        })
    }
}

impl Uploads {
    /// After which key and upload the next page starts; none where this one is the last.
    pub(crate) fn next(&self) -> Option<(String, String)> {
        let key = self.next_key_marker.clone().filter(|marker| !marker.is_empty());
        key.filter(|_| self.is_truncated).map(|key| (key, self.next_upload_id_marker.clone().unwrap_or_default()))
    }
}

impl UploadRow {
    /// When it was begun, where that is a date.
    pub(crate) fn begun(&self) -> Option<UnixTime> {
        let begun: jiff::Timestamp = self.initiated.parse().ok()?;
        u64::try_from(begun.as_millisecond()).ok().map(UnixTime::from_millis)
    }
}

/// Reads an answer.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, StoreError> {
    // Azure's answers start with a byte order mark.
    let text = std::str::from_utf8(body).ok().map(|text| text.trim_start_matches('\u{feff}'));
    text.and_then(|text| quick_xml::de::from_str(text).ok())
        .ok_or_else(|| StoreError::Failed("its answer makes no sense".to_owned()))
}

/// The body that says of which parts the object is made. S3 and Google's service always tell a part's `ETag`; what
/// is said to one that does not is for it to judge.
pub(crate) fn completion(etags: &[String]) -> String {
    let parts = (1..).zip(etags).map(|(number, etag): (u32, &String)| {
        let etag = match etag.as_str() {
            "" => String::new(),
            etag => format!("<ETag>{}</ETag>", quick_xml::escape::escape(etag)),
        };
        format!("<Part><PartNumber>{number}</PartNumber>{etag}</Part>")
    });
    format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_page_by_page() {
        let page: Parts = read(
            br#"<?xml version="1.0" encoding="UTF-8"?>
            <ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>b</Bucket><Key>k</Key><UploadId>u</UploadId>
              <Initiator><ID>x</ID><DisplayName>y</DisplayName></Initiator>
              <PartNumberMarker>1</PartNumberMarker><NextPartNumberMarker>3</NextPartNumberMarker>
              <MaxParts>2</MaxParts><IsTruncated>true</IsTruncated>
              <Part><PartNumber>2</PartNumber><LastModified>2010-11-10T20:48:34.000Z</LastModified>
                <ETag>"7778&amp;"</ETag><Size>10485760</Size></Part>
              <Part><PartNumber>3</PartNumber><Size>7</Size></Part>
            </ListPartsResult>"#,
        )
        .expect("reads");
        assert_eq!(page.next().as_deref(), Some("3"));
        let etag = Some("\"7778&\"".to_owned());
        let parts = [Part { number: 2, size: 10_485_760, etag }, Part { number: 3, size: 7, etag: None }];
        assert_eq!(page.parts().collect::<Vec<_>>(), parts);
        let last: Parts = read(b"<ListPartsResult><IsTruncated>false</IsTruncated><NextPartNumberMarker>0</NextPartNumberMarker></ListPartsResult>").expect("reads");
        assert_eq!(last.next(), None);
        assert_eq!(last.parts().count(), 0);
        for nonsense in [
            "",
            "{}",
            "<ListPartsResult>",
            "<ListPartsResult><Part><PartNumber>70000</PartNumber><Size>1</Size></Part></ListPartsResult>",
        ] {
            assert!(read::<Parts>(nonsense.as_bytes()).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn uploads_have_a_key_and_a_time() {
        let page: Uploads = read(
            "<ListMultipartUploadsResult><Bucket>b</Bucket><KeyMarker/><UploadIdMarker/>
              <NextKeyMarker>ü &lt;1&gt;</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>
              <IsTruncated>true</IsTruncated>
              <Upload><Key>p/a  b &amp; c</Key><UploadId>u1</UploadId><Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>
              <Upload><Key>x</Key><UploadId>u2</UploadId><Initiated>long ago</Initiated></Upload>
            </ListMultipartUploadsResult>".as_bytes(),
        )
        .expect("reads");
        assert_eq!(page.next(), Some(("ü <1>".to_owned(), "u2".to_owned())));
        assert_eq!(page.upload[0].key, "p/a  b & c");
        assert_eq!(page.upload[0].begun(), Some(UnixTime::from_millis(1_289_422_113_000)));
        assert_eq!(page.upload[1].begun(), None);
        let begun: Begun =
            read(b"<InitiateMultipartUploadResult><UploadId>VXBs</UploadId></InitiateMultipartUploadResult>")
                .expect("reads");
        assert_eq!(begun.upload_id, "VXBs");
    }

    #[test]
    fn what_a_client_says_stays_text() {
        let etags = ["\"a\"".to_owned(), "</ETag>&".to_owned(), String::new()];
        assert_eq!(
            completion(&etags),
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>\
             <Part><PartNumber>2</PartNumber><ETag>&lt;/ETag&gt;&amp;</ETag></Part>\
             <Part><PartNumber>3</PartNumber></Part></CompleteMultipartUpload>"
        );
    }
}
