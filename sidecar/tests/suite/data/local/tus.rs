//! Uploads that can be resumed, over the wire.

mod clients;

use super::*;

impl Local {
    async fn resumable(&self, name: &str, terms: UploadTerms) -> String {
        let terms = UploadTerms { expires_in: MINUTE, ..terms };
        self.store.sign_resumable(&key(name), &terms).await.expect("signs").url.expose().to_owned()
    }

    /// An upload that was created.
    async fn created(&self, name: &str, length: usize) -> String {
        let url = self.resumable(name, UploadTerms::default()).await;
        assert_eq!(status(self.tus(Method::POST, &url).header("upload-length", length)).await, 201);
        url
    }

    fn tus(&self, method: Method, url: &str) -> RequestBuilder {
        self.client.request(method, url).header("tus-resumable", "1.0.0")
    }

    fn patch(&self, url: &str, offset: u64) -> RequestBuilder {
        let request = self.tus(Method::PATCH, url).header("upload-offset", offset);
        request.header("content-type", "application/offset+octet-stream")
    }

    async fn offset(&self, url: &str) -> u64 {
        let answer = self.tus(Method::HEAD, url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        header(answer.headers(), "upload-offset").parse().expect("a number")
    }

    /// How many bytes of the one upload are on the disk.
    fn arrived(&self) -> u64 {
        let mut files = std::fs::read_dir(self.directory.path().join("uploads")).expect("lists");
        let file = files.next().expect("a file").expect("an entry");
        file.metadata().expect("metadata").len()
    }

    /// A request that says it brings so many bytes, and brings these.
    async fn half_patch(&self, url: &str, says: usize, brings: &[u8]) -> TcpStream {
        let (_, path) = url.split_once(&self.address.to_string()).expect("an address");
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        let head = format!(
            "PATCH {path} HTTP/1.1\r\nhost: x\r\ntus-resumable: 1.0.0\r\nupload-offset: 0\r\n\
             content-type: application/offset+octet-stream\r\ncontent-length: {says}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sends");
        stream.write_all(brings).await.expect("sends");
        stream
    }
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|number| (number % 251).to_le_bytes()[0]).collect()
}

#[tokio::test]
async fn an_upload_goes_on_by_its_url_alone() {
    let local = Local::start().await;
    for name in ["p/d/a b.txt", "foo bar ü #1?%.txt", "q&a=1;b,c'(d)*!$@:~"] {
        let url = local.resumable(name, UploadTerms { content_md5: Some(HELLO_MD5), ..hello() }).await;
        let answer = local.client.request(Method::OPTIONS, &url).send().await.expect("an answer");
        assert_eq!(answer.status(), 204);
        for (name, value) in [
            ("tus-resumable", "1.0.0"),
            ("tus-version", "1.0.0"),
            ("tus-extension", "creation,creation-with-upload,checksum,expiration,termination"),
            ("tus-max-size", "5"),
            ("tus-checksum-algorithm", "md5,sha1,sha256"),
        ] {
            assert_eq!(header(answer.headers(), name), value, "{name}");
        }
        let missing = local.tus(Method::HEAD, &url).send().await.expect("an answer");
        assert_eq!((missing.status().as_u16(), header(missing.headers(), "upload-offset")), (404, ""));

        let create = local.tus(Method::POST, &url).header("upload-length", "5").header("upload-metadata", "x eA==");
        let answer = create.send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), header(answer.headers(), "upload-offset")), (201, "0"));
        assert_eq!(header(answer.headers(), "upload-expires"), "Thu, 01 Jan 2026 00:01:00 GMT");
        let location = header(answer.headers(), "location");
        assert_eq!(format!("http://{}{location}", local.address), url);

        let answer = local.patch(&url, 0).body("he").send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), header(answer.headers(), "upload-offset")), (204, "2"));
        assert_eq!(header(answer.headers(), "upload-expires"), "Thu, 01 Jan 2026 00:01:00 GMT");
        let answer = local.tus(Method::HEAD, &url).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        for (name, value) in
            [("upload-offset", "2"), ("upload-length", "5"), ("cache-control", "no-store"), ("tus-resumable", "1.0.0")]
        {
            assert_eq!(header(answer.headers(), name), value, "{name}");
        }
        assert_eq!(local.bytes(name).await, None);
        let answer = local.patch(&url, 2).body("llo").send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), header(answer.headers(), "upload-offset")), (204, "5"));
        assert_eq!(header(answer.headers(), "repr-digest"), HELLO_REPR_DIGEST);
        assert_eq!(local.bytes(name).await.as_deref(), Some(&b"hello"[..]));

        // Who did not hear that it was done asks, and uploads nothing twice.
        assert_eq!(local.offset(&url).await, 5);
        assert_eq!(refused(local.patch(&url, 5).body("")).await, (410, "upload-done".to_owned()));
        let again = local.tus(Method::POST, &url).header("upload-length", "5");
        assert_eq!(refused(again).await, (410, "upload-done".to_owned()));
        let answer = local.get(name).await.send().await.expect("an answer");
        assert_eq!(header(answer.headers(), META), HELLO_MD5_TEXT, "it is like one that was put");
        assert_eq!(header(answer.headers(), "repr-digest"), HELLO_REPR_DIGEST);
    }
}

#[tokio::test]
async fn each_url_permits_its_own() {
    let local = Local::start().await;
    let wrong = (403, "url-for-another-method".to_owned());
    local.store.write(&key("a"), "secret".into(), WriteMode::Create).await.expect("writes");
    let resumable = local.resumable("a", UploadTerms::default()).await;
    assert_eq!(refused(local.client.get(&resumable)).await, wrong);
    assert_eq!(refused(local.client.put(&resumable).body("1")).await, wrong);
    // What `HEAD` of an upload says is of the upload.
    let answer = local.tus(Method::HEAD, &resumable).send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "etag")), (404, ""));
    assert_eq!(refused(local.tus(Method::DELETE, &resumable)).await, (404, "no-such-upload".to_owned()));
    assert_eq!(local.bytes("a").await.as_deref(), Some(&b"secret"[..]));
    let put = local.signed("b", UploadTerms::default()).await.url.expose().to_owned();
    let get = local.link("a", DownloadTerms::default()).await;
    for url in [&put, &get] {
        for method in [Method::POST, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let request = local.tus(method.clone(), url).header("upload-length", 1).header("upload-offset", 0);
            assert_eq!(refused(request).await, wrong, "{method}");
        }
    }
    // Each URL has an upload of its own, although it is of the same object.
    let (one, other) = (local.created("c", 2).await, local.created("c", 2).await);
    assert_eq!(status(local.patch(&one, 0).body("1")).await, 204);
    assert_eq!(local.offset(&other).await, 0);
    // Given up.
    assert_eq!(status(local.tus(Method::DELETE, &one)).await, 204);
    assert_eq!(refused(local.patch(&one, 1).body("1")).await, (404, "no-such-upload".to_owned()));
    assert_eq!(status(local.patch(&other, 0).body("22")).await, 204);
    assert_eq!(local.bytes("c").await.as_deref(), Some(&b"22"[..]));
    local.clock.advance(MINUTE);
    let expired = (403, "url-expired".to_owned());
    assert_eq!(refused(local.patch(&one, 0).body("1")).await, expired);
    assert_eq!(refused(local.tus(Method::POST, &one).header("upload-length", "1")).await, expired);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let local = Local::start().await;
    let url = local.created("a", 5).await;
    assert_eq!(status(local.patch(&url, 0).body("he")).await, 204);
    let create =
        |name: &str, value: &str| local.tus(Method::POST, &url).header("upload-length", "5").header(name, value);
    let bare = |method| local.client.request(method, &url).header("upload-length", "5").header("upload-offset", "2");
    let octets = "application/octet-stream";
    let version = (412, "tus-version-unsupported");
    for (request, expected) in [
        (bare(Method::POST), version),
        (bare(Method::PATCH), version),
        (bare(Method::DELETE), version),
        (bare(Method::PATCH).header("tus-resumable", "0.2.2"), version),
        (create("upload-defer-length", "1"), (400, "malformed-request")),
        (create("upload-concat", "partial"), (400, "malformed-request")),
        (create("x-http-method-override", "PUT"), (400, "malformed-request")),
        (create("content-type", octets).body("hello"), (415, "content-type-unsupported")),
        (local.tus(Method::POST, &url), (400, "malformed-request")),
        (local.tus(Method::POST, &url).header("upload-length", "6"), (409, "upload-of-other-length")),
        (local.tus(Method::POST, &url).header("upload-length", "-1"), (400, "malformed-request")),
        (local.tus(Method::PATCH, &url).header("upload-offset", "2").body("llo"), (415, "content-type-unsupported")),
        (local.patch(&url, 0).body("hello"), (409, "wrong-offset")),
        (local.patch(&url, 3).body("lo"), (409, "wrong-offset")),
        (local.patch(&url, 2).body("llo!"), (400, "wrong-length")),
        (local.patch(&url, 2).header("content-encoding", "gzip").body("llo"), (415, "content-coding-unsupported")),
        (local.patch(&url, 2).header("upload-checksum", "crc32 AAAA").body("llo"), (400, "malformed-request")),
        (
            local.patch(&url, 2).header("upload-checksum", "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=").body("llo"),
            (460, "checksum-mismatch"),
        ),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(refused(request).await, (expected.0, expected.1.to_owned()), "{shown}");
        assert_eq!(local.offset(&url).await, 2, "{shown}");
    }
    let answer = local.patch(&url, 0).body("hello").send().await.expect("an answer");
    for (name, value) in [("upload-offset", "2"), ("tus-resumable", "1.0.0")] {
        assert_eq!(header(answer.headers(), name), value, "{name}");
    }
    let other = local.client.head(&url).header("tus-resumable", "2");
    let answer = other.send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "tus-version")), (412, "1.0.0"));
    // More than was promised, though it was not said how much there would be.
    let pieces = futures_util::stream::iter(["llo", "!"].map(Ok::<_, std::io::Error>));
    let request = local.patch(&url, 2).body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(refused(request).await, (400, "wrong-length".to_owned()));
    assert_eq!(local.offset(&url).await, 2);
    let right = "sha1 FetSFarWc0hhpaW7mXI5j96puNA=";
    assert_eq!(status(local.patch(&url, 2).header("upload-checksum", right).body("llo")).await, 204);

    let other = local.resumable("b", hello()).await;
    let length = (400, "wrong-length".to_owned());
    assert_eq!(refused(local.tus(Method::POST, &other).header("upload-length", "6")).await, length);
    assert_eq!(status(local.tus(Method::POST, &other).header("upload-length", "5")).await, 201);
    assert_eq!(refused(local.patch(&other, 0).body("world")).await, (400, "digest-mismatch".to_owned()));
    assert_eq!(local.bytes("b").await, None);
    let large = local.resumable("c", UploadTerms::default()).await;
    let request = local.tus(Method::POST, &large).header("upload-length", (8 << 20) + 1);
    assert_eq!(refused(request).await, (413, "body-too-large".to_owned()));
    let create = local.resumable("a", UploadTerms { create_only: true, ..UploadTerms::default() }).await;
    let request = local.tus(Method::POST, &create).header("upload-length", "1");
    assert_eq!(refused(request).await, (412, "object-exists".to_owned()));
}

#[tokio::test]
async fn bytes_may_come_with_the_creation_and_under_another_method() {
    let local = Local::start().await;
    let octets = "application/offset+octet-stream";
    let post = |url: &str| local.tus(Method::POST, url).header("content-type", octets);
    let url = local.resumable("a", UploadTerms::default()).await;
    let answer = post(&url).header("upload-length", "5").body("he").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "upload-offset")), (201, "2"));
    let answer = post(&url).header("upload-length", "5").body("he").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "upload-offset")), (201, "2"), "once");
    let request = post(&url).header("x-http-method-override", "PATCH").header("upload-offset", "2");
    assert_eq!(status(request.body("llo")).await, 204);
    assert_eq!(local.bytes("a").await.as_deref(), Some(&b"hello"[..]));
    let url = local.resumable("b", UploadTerms::default()).await;
    let answer = post(&url).header("upload-length", "5").body("hello").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(answer.headers(), "upload-offset")), (201, "5"));
    assert_eq!(local.bytes("b").await.as_deref(), Some(&b"hello"[..]));
    let url = local.resumable("empty", UploadTerms::default()).await;
    assert_eq!(status(local.tus(Method::POST, &url).header("upload-length", "0")).await, 201);
    assert_eq!(local.bytes("empty").await.as_deref(), Some(&b""[..]));
    let url = local.created("c", 5).await;
    let request = local.tus(Method::POST, &url).header("x-http-method-override", "DELETE");
    assert_eq!(status(request).await, 204);
    assert_eq!(refused(local.patch(&url, 0).body("1")).await, (404, "no-such-upload".to_owned()));
}

#[tokio::test]
async fn a_connection_that_breaks_loses_nothing() {
    let local = Local::start().await;
    let content = bytes(1_000_000);
    let url = local.created("a", content.len()).await;
    drop(local.half_patch(&url, content.len(), &content[..300_000]).await);
    wait_until(MINUTE, "what came is written", async || local.arrived() == 300_000).await.expect("arrives");
    assert_eq!(local.offset(&url).await, 300_000);
    assert_eq!(status(local.patch(&url, 300_000).body(content[300_000..].to_vec())).await, 204);
    assert_eq!(local.bytes("a").await, Some(content));
}

#[tokio::test]
async fn who_comes_back_is_not_kept_waiting_by_a_dead_connection() {
    let local = Local::start().await;
    let content = bytes(1_000_000);
    let url = local.created("a", content.len()).await;
    let silent = local.half_patch(&url, content.len(), &content[..600_000]).await;
    wait_until(MINUTE, "it is written to", async || local.arrived() > 0).await.expect("begins");
    assert_eq!(refused(local.patch(&url, 0).body("x")).await, (423, "upload-busy".to_owned()));
    let offset = local.offset(&url).await;
    assert_eq!(offset, local.arrived());
    let rest = content[usize::try_from(offset).expect("few")..].to_vec();
    assert_eq!(status(local.patch(&url, offset).body(rest)).await, 204);
    assert_eq!(local.bytes("a").await, Some(content));
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_requests_that_come_together_one_writes() {
    let local = Arc::new(Local::start().await);
    for round in 0..20 {
        let name = format!("race/{round}");
        let url = local.created(&name, 300_000).await;
        let racers = (0..8_u8).map(|racer| {
            let (local, url) = (Arc::clone(&local), url.clone());
            tokio::spawn(async move { (racer, status(local.patch(&url, 0).body(vec![racer; 300_000])).await) })
        });
        let mut won = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.expect("ends") {
                (racer, 204) => won.push(racer),
                (_, 409 | 410 | 423) => {}
                other => panic!("round {round}: {other:?}"),
            }
        }
        let [winner] = won[..] else { panic!("round {round}: {won:?} wrote it") };
        assert_eq!(local.bytes(&name).await, Some(vec![winner; 300_000]));
    }
}

#[tokio::test]
async fn an_upload_that_has_no_room_is_refused() {
    let local = Local::start_with(|settings| settings.keep_free_bytes = u64::MAX).await;
    let url = local.resumable("a", UploadTerms::default()).await;
    let request = local.tus(Method::POST, &url).header("upload-length", "5");
    assert_eq!(refused(request).await, (507, "no-room".to_owned()));
}
