//! The published example, and another implementation given the same input.

use std::time::Duration;

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn signed(request: &Request<'_>, grant: &Grant<'_>) -> String {
    let unsigned = Unsigned::new(Dialect::Amazon, request, grant);
    let signature = amazon_signature(SECRET, grant, unsigned.to_sign());
    unsigned.with_signature(&signature)
}

fn grant(start_secs: u64, secs: u64) -> Grant<'static> {
    let span = Span::new(UnixTime::from_millis(start_secs * 1000), Duration::from_secs(secs), None);
    Grant { key_id: "AKIAIOSFODNN7EXAMPLE", region: "us-east-1", session_token: None, span: span.expect("a span") }
}

#[test]
fn amazons_published_example_comes_out() {
    let endpoint = Endpoint::parse("https://examplebucket.s3.amazonaws.com").expect("an endpoint");
    let request = Request { method: "GET", endpoint: &endpoint, path: "/test.txt", parameters: &[], headers: &[] };
    assert_eq!(
        signed(&request, &grant(1_369_353_600, 86_400)),
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

#[test]
fn headers_are_signed_in_small_letters_and_in_order() {
    let endpoint = Endpoint::parse("https://s3.example").expect("an endpoint");
    let headers = [("x-amz-meta-B".to_owned(), " 1   2 ".to_owned()), ("Content-MD5".to_owned(), "q==".to_owned())];
    let request = Request { method: "PUT", endpoint: &endpoint, path: "/b/k", parameters: &[], headers: &headers };
    assert_eq!(
        canonical_headers(&request),
        ("content-md5;host;x-amz-meta-b".to_owned(), "content-md5:q==\nhost:s3.example\nx-amz-meta-b:1 2\n".to_owned())
    );
}

#[test]
fn parameters_are_in_the_order_of_their_encoded_names() {
    let endpoint = Endpoint::parse("https://s3.example/base").expect("an endpoint");
    let parameters = [("response-content-type", "a/b"), ("response", "2"), ("response", "1 é")];
    let request =
        Request { method: "GET", endpoint: &endpoint, path: "/b/ü #?%.txt", parameters: &parameters, headers: &[] };
    let url = signed(&request, &Grant { session_token: Some("t/="), ..grant(0, 1) });
    assert!(url.starts_with("https://s3.example/base/b/%C3%BC%20%23%3F%25.txt?X-Amz-Algorithm="), "{url}");
    assert!(
        url.contains(
            "&X-Amz-Expires=1&X-Amz-Security-Token=t%2F%3D&X-Amz-SignedHeaders=host\
             &response=1%20%C3%A9&response=2&response-content-type=a%2Fb&X-Amz-Signature="
        ),
        "{url}"
    );
}
