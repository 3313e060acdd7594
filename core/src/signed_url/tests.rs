use proptest::prelude::*;

use super::*;
use crate::key::{KeyId, Secret};

const NOW: UnixTime = UnixTime::from_millis(1_767_225_600_000);
const PATH: &str = "/v1/data/objects/main/uploads/p/d/foo%20bar=%C3%BC";

fn ring(ids: &[(&str, u8)]) -> KeyRing {
    KeyRing::new(ids.iter().map(|(id, byte)| (KeyId::parse(id).expect("an id"), Secret::new([*byte; 32]))))
}

fn claims() -> Claims<'static> {
    Claims {
        audience: "tasks.example.test",
        method: SignedMethod::Put,
        path: PATH,
        expires: UnixTime::from_millis(1_767_225_660_000),
        size: Some(15),
        max_size: Some(20),
        md5: Some([0xdd; 16]),
        sha256: Some([0xee; 32]),
        create_only: true,
        md5_metadata: true,
        content_disposition: None,
        content_type: None,
    }
}

fn signed(claims: &Claims<'_>) -> String {
    format!("{}?{}", claims.path, sign(&ring(&[("k1", 1)]), claims).expect("signs"))
}

fn verified(url: &str) -> Result<Claims<'_>, SignedUrlError> {
    verify(&ring(&[("k1", 1)]), "tasks.example.test", b"PUT", url.as_bytes(), NOW)
}

#[test]
fn what_is_signed_reads_well_and_comes_back() {
    let url = signed(&claims());
    let expected = format!(
        "{PATH}?tg-method=PUT&tg-expires=1767225660&tg-size=15&tg-max-size=20&tg-md5=3d3d3d3d3d3d3d3d3d3d3Q\
         &tg-sha256=7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u4&tg-create=1&tg-md5-metadata=1&tg-key=k1&tg-signature="
    );
    assert_eq!(url.strip_prefix(&expected).map(str::len), Some(43), "{url}");
    assert_eq!(verified(&url), Ok(claims()));

    let bare = Claims { audience: "tasks.example.test", path: "/", expires: claims().expires, ..Claims::default() };
    let url = signed(&bare);
    assert_eq!(verify(&ring(&[("k1", 1)]), bare.audience, b"HEAD", url.as_bytes(), NOW), Ok(bare.clone()));
    let answer = Claims {
        content_disposition: Some("inline; filename=\"ü & =.html\"".into()),
        content_type: Some("text/html; charset=utf-8".into()),
        ..bare
    };
    let url = signed(&answer);
    assert_eq!(verify(&ring(&[("k1", 1)]), answer.audience, b"GET", url.as_bytes(), NOW), Ok(answer));
}

#[test]
fn a_url_is_for_its_method_until_its_end() {
    let at = |millis| UnixTime::from_millis(claims().expires.as_millis() - millis);
    let with = |method: &[u8], now| {
        let url = signed(&claims());
        verify(&ring(&[("k1", 1)]), "tasks.example.test", method, url.as_bytes(), now).map(|_| ())
    };
    assert_eq!(with(b"PUT", at(1)), Ok(()));
    assert_eq!(with(b"PUT", at(0)), Err(SignedUrlError::Expired));
    for method in [&b"GET"[..], b"HEAD", b"POST", b"DELETE", b"put", b"PUT ", b""] {
        assert_eq!(with(method, NOW), Err(SignedUrlError::WrongMethod), "{method:?}");
    }
    let get = Claims { method: SignedMethod::Get, ..claims() };
    assert_eq!(verified(&signed(&get)), Err(SignedUrlError::WrongMethod));
    let far = Claims { expires: UnixTime::from_millis(u64::MAX), ..claims() };
    assert!(verified(&signed(&far)).is_ok());
}

#[test]
fn each_url_permits_its_own_methods_and_no_others() {
    const METHODS: [&str; 9] = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    for (method, permitted) in [
        (SignedMethod::Get, &["GET", "HEAD"][..]),
        (SignedMethod::Put, &["PUT"]),
        (SignedMethod::Resume([7; 16]), &["HEAD", "POST", "PATCH", "DELETE", "OPTIONS"]),
    ] {
        let url = signed(&Claims { method, ..claims() });
        for asked in METHODS {
            let verified = verify(&ring(&[("k1", 1)]), claims().audience, asked.as_bytes(), url.as_bytes(), NOW);
            let expected = if permitted.contains(&asked) { Ok(method) } else { Err(SignedUrlError::WrongMethod) };
            assert_eq!(verified.map(|claims| claims.method), expected, "{method:?} {asked}");
        }
    }
}

#[test]
fn an_upload_stands_where_it_can_be_resumed_and_nowhere_else() {
    let keys = ring(&[("k1", 1)]);
    let secret = keys.find("k1", Purpose::Url).expect("a key");
    let url = |method: &str| {
        let signed = format!("{PATH}?{method}&tg-expires=1767225660&tg-key=k1");
        let signature = secret.sign(&[CONTEXT, claims().audience.as_bytes(), b"\n", signed.as_bytes()]);
        format!("{signed}&tg-signature={}", signature.expect("a signature"))
    };
    let upload = "tg-upload=AQEBAQEBAQEBAQEBAQEBAQ";
    let verified = |method: &str, asked: &[u8]| {
        verify(&keys, claims().audience, asked, url(method).as_bytes(), NOW).map(|claims| claims.method)
    };
    assert_eq!(verified(&format!("tg-method=PATCH&{upload}"), b"PATCH"), Ok(SignedMethod::Resume([1; 16])));
    for (method, asked) in [
        ("tg-method=PATCH", &b"PATCH"[..]),
        ("tg-method=PATCH&tg-upload=", b"PATCH"),
        ("tg-method=PATCH&tg-upload=AQEB", b"PATCH"),
        ("tg-method=PUT&tg-upload=AQEBAQEBAQEBAQEBAQEBAQ", b"PUT"),
        ("tg-method=GET&tg-upload=AQEBAQEBAQEBAQEBAQEBAQ", b"GET"),
        ("tg-method=POST&tg-upload=AQEBAQEBAQEBAQEBAQEBAQ", b"POST"),
    ] {
        assert_eq!(verified(method, asked), Err(SignedUrlError::Malformed), "{method}");
    }
}

#[test]
fn each_parameter_counts() {
    let url = signed(&claims());
    let (path, query) = url.split_once('?').expect("a query");
    let parameters: Vec<&str> = query.split('&').collect();
    let of = |parameters: &[&str]| format!("{path}?{}", parameters.join("&"));
    for (place, parameter) in parameters.iter().enumerate() {
        let name = parameter.split_once('=').expect("a value").0;
        // Dropped.
        let mut less = parameters.clone();
        less.remove(place);
        let expected = match name {
            SIGNATURE => SignedUrlError::NotSigned,
            KEY => SignedUrlError::Malformed,
            _ => SignedUrlError::Forged,
        };
        assert_eq!(verified(&of(&less)), Err(expected), "without {name}");
        // Doubled, and doubled somewhere else.
        for other in 0..=parameters.len() {
            let mut more = parameters.clone();
            more.insert(other, parameter);
            assert_eq!(verified(&of(&more)), Err(SignedUrlError::Malformed), "{name} twice");
        }
        // In another order.
        for other in (0..parameters.len()).filter(|other| *other != place) {
            let mut moved = parameters.clone();
            moved.swap(place, other);
            assert_eq!(verified(&of(&moved)), Err(SignedUrlError::Malformed), "{name} moved");
        }
        // Changed in value, emptied, without a value, and with another name.
        for changed in [format!("{parameter}1"), format!("{name}="), name.to_owned(), format!("x{parameter}")] {
            let mut other = parameters.clone();
            other[place] = &changed;
            let error = verified(&of(&other)).expect_err("refused");
            assert!(!matches!(error, SignedUrlError::Expired | SignedUrlError::WrongMethod), "{changed}: {error:?}");
        }
    }
}

#[test]
fn nothing_may_be_added() {
    let url = signed(&claims());
    for added in ["&x=1", "&tg-admin=1", "&", "&tg-size=16", "#x", "?", "=", "&tg-signature"] {
        let error = verified(&format!("{url}{added}")).map(|_| ()).expect_err("refused");
        assert!(matches!(error, SignedUrlError::Malformed | SignedUrlError::Forged), "{added}: {error:?}");
    }
    for before in ["x=1&", "&", "tg-type=eA&"] {
        let url = url.replacen('?', &format!("?{before}"), 1);
        assert_eq!(verified(&url), Err(SignedUrlError::Malformed), "{before}");
    }
    // A parameter that may be there, in its place: well-formed, and not what was signed.
    let url = url.replacen("&tg-key", "&tg-type=eA&tg-key", 1);
    assert_eq!(verified(&url), Err(SignedUrlError::Forged));
}

#[test]
fn what_has_no_signature_is_told_apart() {
    for path in ["/", "/a", "/a?", "/a?x=1", "", "/a?tg-expires=1"] {
        assert_eq!(verified(path), Err(SignedUrlError::NotSigned), "{path}");
    }
    for path in ["/a?tg-signature=", "/a?tg-signature", "/a?x&tg-signature=1", "/\n"] {
        assert_eq!(verified(path), Err(SignedUrlError::Malformed), "{path}");
    }
    let long = format!("/{}?tg-signature=", "a".repeat(MAX_URL));
    assert_eq!(verified(&long), Err(SignedUrlError::Malformed));
}

#[test]
fn keys_rotate() {
    let url = signed(&claims());
    let with = |keys: &[(&str, u8)]| {
        verify(&ring(keys), "tasks.example.test", b"PUT", url.as_bytes(), NOW).map(|claims| claims.size)
    };
    assert_eq!(with(&[("k2", 2), ("k1", 1)]), Ok(Some(15)));
    assert_eq!(with(&[("k2", 2)]), Err(SignedUrlError::UnknownKey));
    assert_eq!(with(&[]), Err(SignedUrlError::UnknownKey));
    assert_eq!(with(&[("k1", 3)]), Err(SignedUrlError::Forged));
    let renamed = url.replace("tg-key=k1", "tg-key=k2");
    let both = ring(&[("k1", 1), ("k2", 2)]);
    assert_eq!(
        verify(&both, "tasks.example.test", b"PUT", renamed.as_bytes(), NOW),
        Err(SignedUrlError::Forged),
        "under another key's name"
    );
}

#[test]
fn a_key_of_another_purpose_signs_no_url() {
    let ring = ring(&[("k1", 1)]);
    let url = signed(&claims());
    let before = url.rsplit_once('&').expect("a signature").0;
    for purpose in [Purpose::Session, Purpose::Share, Purpose::Task, Purpose::Visitor] {
        let secret = ring.find("k1", purpose).expect("a key");
        let signature = secret.sign(&[CONTEXT, b"tasks.example.test", b"\n", before.as_bytes()]);
        let forged = format!("{before}&tg-signature={}", signature.expect("a signature"));
        assert_eq!(verified(&forged), Err(SignedUrlError::Forged), "{purpose:?}");
    }
}

#[test]
fn another_installation_is_another_audience() {
    let url = signed(&claims());
    for audience in ["tasks.example.tes", "tasks.example.test2", "other", ""] {
        let verified = verify(&ring(&[("k1", 1)]), audience, b"PUT", url.as_bytes(), NOW);
        assert_eq!(verified, Err(SignedUrlError::Forged), "{audience}");
    }
}

#[test]
fn what_can_not_be_verified_is_not_signed() {
    let keys = ring(&[("k1", 1)]);
    let with_path = |path| sign(&keys, &Claims { path, ..claims() });
    for path in ["", "a", "/a?b", "/a#b", "/a b", "/ü", "/a\n"] {
        assert_eq!(with_path(path), Err(SignError::Path), "{path:?}");
    }
    assert_eq!(with_path(&format!("/{}", "a".repeat(MAX_URL))), Err(SignError::TooLong));
    let longest = "a".repeat(MAX_URL - 1 - sign(&keys, &claims()).expect("signs").len() - 1);
    let longest = format!("/{longest}");
    let url = signed(&Claims { path: &longest, ..claims() });
    assert_eq!(url.len(), MAX_URL);
    assert!(verified(&url).is_ok());
    let long = "a".repeat(MAX_AUDIENCE + 1);
    for audience in ["", "a b", "a\nGET", "ü", &long] {
        assert_eq!(sign(&keys, &Claims { audience, ..claims() }), Err(SignError::Audience), "{audience:?}");
    }
    assert_eq!(sign(&KeyRing::default(), &claims()), Err(SignError::NoKey));
}

#[test]
fn no_error_quotes_the_url() {
    for error in [
        SignedUrlError::Expired,
        SignedUrlError::Forged,
        SignedUrlError::Malformed,
        SignedUrlError::NotSigned,
        SignedUrlError::UnknownKey,
        SignedUrlError::WrongMethod,
    ] {
        assert!(!error.to_string().contains("tg-"), "{error}");
    }
}

prop_compose! {
    fn any_claims()(
        method in prop_oneof![
            Just(SignedMethod::Get),
            Just(SignedMethod::Put),
            any::<[u8; 16]>().prop_map(SignedMethod::Resume),
        ],
        path in "/[!-\"$->@-~]{0,40}",
        seconds in 1_767_225_601..18_000_000_000_000_000_u64,
        (size, max_size) in any::<(Option<u64>, Option<u64>)>(),
        (md5, sha256) in any::<(Option<[u8; 16]>, Option<[u8; 32]>)>(),
        (create_only, md5_metadata) in any::<(bool, bool)>(),
        (content_disposition, content_type) in any::<(Option<String>, Option<String>)>(),
    ) -> (String, Claims<'static>) {
        let expires = UnixTime::from_millis(seconds.saturating_mul(1000));
        let claims = Claims {
            method, expires, size, max_size, md5, sha256, create_only, md5_metadata, content_disposition, content_type,
            audience: "tasks.example.test",
            path: "",
        };
        (path, claims)
    }
}

proptest! {
    #[test]
    fn verifies_what_was_signed((path, claims) in any_claims()) {
        let claims = Claims { path: &path, ..claims };
        let url = signed(&claims);
        let verified = verify(&ring(&[("k1", 1)]), claims.audience, claims.method.as_str().as_bytes(), url.as_bytes(), NOW);
        prop_assert_eq!(verified, Ok(claims.clone()));
    }

    #[test]
    fn any_changed_byte_is_refused((path, claims) in any_claims(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let claims = Claims { path: &path, ..claims };
        let mut url = signed(&claims).into_bytes();
        let at = at.index(url.len());
        prop_assume!(url[at] != to);
        url[at] = to;
        let method = claims.method.as_str().as_bytes();
        prop_assert!(verify(&ring(&[("k1", 1)]), claims.audience, method, &url, NOW).is_err());
    }

    #[test]
    fn any_added_or_dropped_byte_is_refused((path, claims) in any_claims(), at in any::<prop::sample::Index>(), add in any::<Option<u8>>()) {
        let claims = Claims { path: &path, ..claims };
        let mut url = signed(&claims).into_bytes();
        match add {
            Some(byte) => url.insert(at.index(url.len().saturating_add(1)), byte),
            None => drop(url.remove(at.index(url.len()))),
        }
        prop_assume!(url != signed(&claims).into_bytes());
        let method = claims.method.as_str().as_bytes();
        prop_assert!(verify(&ring(&[("k1", 1)]), claims.audience, method, &url, NOW).is_err());
    }

    #[test]
    fn anything_can_be_presented(path in "/[a-z?&=]{0,10}", query in "(tg-(key|size|md5|signature|x)=?[k1A=&?]{0,4}&?){0,6}") {
        let url = format!("{path}?{query}");
        prop_assert!(verified(&url).is_err());
    }
}
