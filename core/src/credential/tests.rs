use super::*;

fn names() -> CredentialNames {
    CredentialNames {
        session_cookie: "taskgate".into(),
        origin_cookie: "taskgate-origin".into(),
        platform_cookies: vec!["YTCypressCookie".into(), "Session_id".into()],
        query_parameters: vec!["api_token".into()],
        first_parameters: Vec::new(),
    }
}

fn request<'a>(headers: &'a [(&'a str, &'a [u8])]) -> Request<'a> {
    Request::read(headers.iter().map(|(name, value)| (name.as_bytes(), *value)))
}

fn shown(headers: &[(&str, &[u8])]) -> Result<Option<(Scheme, String, Source)>, Denial> {
    platform(&request(headers), &names(), true).map(|shown| match shown {
        Shown::Credential(what, from) => Some((what.scheme, what.value, from)),
        Shown::Nothing | Shown::Sealed => None,
    })
}

fn asked(request: &Request<'_>) -> Credential {
    match platform(request, &names(), true) {
        Ok(Shown::Credential(asked, _)) => asked,
        // Asked about what no request shows, in tests of what is taken out.
        _ => credential(Scheme::Bearer, None, b"none").expect("a credential"),
    }
}

fn stripped(headers: &[(&str, &[u8])], used: Option<Source>, forward: bool) -> CredentialEdits {
    let request = request(headers);
    let used = used.map(|source| (asked(&request), source));
    strip(&request, &names(), used.as_ref().map(|(asked, source)| (asked, *source)), forward)
        .expect("no repeated Authorization")
}

#[test]
fn schemes_are_read_in_any_case() {
    for value in ["Bearer t", "bearer t", "BEARER   t ", "BeArEr t"] {
        let expected = Ok(Some((Scheme::Bearer, "t".into(), Source::Authorization)));
        assert_eq!(shown(&[("authorization", value.as_bytes())]), expected, "{value}");
    }
    assert_eq!(shown(&[("authorization", b"oauth t")]), Ok(Some((Scheme::Oauth, "t".into(), Source::Authorization))));
}

#[test]
fn the_order_is_own_header_authorization_cookie_query() {
    let own = ("x-taskgate-authorization", &b"Bearer own"[..]);
    let authorization = ("authorization", &b"Bearer auth"[..]);
    let cookie = ("cookie", &b"Session_id=second; YTCypressCookie=first"[..]);
    let path = (":path", &b"/?api_token=q"[..]);
    let value = |headers: &[(&str, &[u8])]| shown(headers).expect("well formed").map(|found| found.1);
    assert_eq!(value(&[path, cookie, authorization, own]), Some("own".into()));
    assert_eq!(value(&[path, cookie, authorization]), Some("auth".into()));
    assert_eq!(value(&[path, cookie]), Some("first".into()), "the first name in the configuration, not in the header");
    assert_eq!(value(&[path]), Some("q".into()));
    assert_eq!(value(&[]), None);
}

#[test]
fn the_jobs_own_authorization_is_no_credential_of_ours() {
    for value in [&b"Basic YTpi"[..], b"Bearer", b"Bearer ", b"token x", b"\xff\xfe x", b"Digest a=b", b"Bearer\tt"] {
        assert_eq!(shown(&[("authorization", value)]), Ok(None), "{value:?}");
        assert_eq!(stripped(&[("authorization", value)], None, false).authorization, FieldEdit::Keep, "{value:?}");
    }
}

#[test]
fn a_credential_that_no_platform_gives_is_rejected_here() {
    let long = [&b"Bearer "[..], &[b'a'; MAX_CREDENTIAL + 1]].concat();
    for value in [&b"Bearer \xff"[..], b"Bearer a\x01b", &long] {
        assert_eq!(shown(&[("authorization", value)]), Err(Denial::CredentialRejected));
    }
    assert_eq!(shown(&[("cookie", b"YTCypressCookie=\xff\xfe")]), Err(Denial::CredentialRejected));
}

#[test]
fn a_sealed_token_goes_to_no_platform_and_hides_nothing_that_may() {
    let sealed: [(&str, &[u8]); 3] = [
        ("authorization", b"Bearer tg1.s.k1.AAAA"),
        ("cookie", b"YTCypressCookie=tg1.s.k1.AAAA"),
        (":path", b"/?api_token=tg1.h.k1.AAAA"),
    ];
    for header in sealed {
        assert_eq!(platform(&request(&[header]), &names(), true), Ok(Shown::Sealed), "{header:?}");
    }
    let with_cookie = [sealed[0], ("cookie", &b"Session_id=real"[..])];
    assert_eq!(shown(&with_cookie), Ok(Some((Scheme::Cookie, "real".into(), Source::Cookie))));
}

#[test]
fn authorization_twice_is_refused() {
    let twice: [(&str, &[u8]); 2] = [("authorization", b"Bearer a"), ("authorization", b"Bearer b")];
    assert_eq!(shown(&twice), Err(Denial::MalformedCredential));
    assert_eq!(strip(&request(&twice), &names(), None, false), Err(Denial::MalformedCredential));
}

#[test]
fn sealed_tokens_are_found_in_headers_and_cookies_and_bounded() {
    let headers: [(&str, &[u8]); 3] = [
        ("authorization", b"Bearer tg1.s.k.a"),
        ("cookie", b"taskgate=1; taskgate=2; x=y; taskgate=3"),
        ("cookie", b"taskgate=4; taskgate=5"),
    ];
    let (request, names) = (request(&headers), names());
    let found: Vec<(&[u8], Place)> = sealed(&request, &names).collect();
    let cookies = [&b"1"[..], b"2", b"3"].map(|text| (text, Place::Cookie));
    assert_eq!(found, [&[(&b"tg1.s.k.a"[..], Place::Header)][..], &cookies].concat());
}

#[test]
fn what_is_certainly_ours_never_stays() {
    let edits = stripped(
        &[
            ("authorization", b"OAuth t"),
            ("cookie", b"a=1; YTCypressCookie=x; taskgate=y; Session_id=z"),
            (":path", b"/p?api_token=q&b=1"),
        ],
        None,
        false,
    );
    assert_eq!(edits.authorization, FieldEdit::Remove);
    assert_eq!(edits.cookie, FieldEdit::Set(b"a=1".to_vec()));
    assert_eq!(edits.path, Some(b"/p?b=1".to_vec()));
}

#[test]
fn a_bearer_that_was_not_used_is_the_jobs() {
    let headers: [(&str, &[u8]); 1] = [("authorization", b"Bearer app")];
    assert_eq!(stripped(&headers, None, false).authorization, FieldEdit::Keep);
    assert_eq!(stripped(&headers, Some(Source::Cookie), false).authorization, FieldEdit::Keep);
    assert_eq!(stripped(&headers, Some(Source::Authorization), false).authorization, FieldEdit::Remove);
}

#[test]
fn forwarding_lets_the_used_credential_through_and_nothing_else() {
    let headers: [(&str, &[u8]); 3] =
        [("authorization", b"OAuth t"), ("cookie", b"YTCypressCookie=x; taskgate=y"), (":path", b"/p?api_token=q")];
    let edits = stripped(&headers, Some(Source::Authorization), true);
    assert_eq!(
        (edits.authorization, edits.cookie, edits.path),
        (FieldEdit::Keep, FieldEdit::Remove, Some(b"/p".to_vec()))
    );
    let edits = stripped(&headers[1..], Some(Source::Cookie), true);
    assert_eq!(edits.cookie, FieldEdit::Set(b"YTCypressCookie=x".to_vec()));
    let edits = stripped(&headers[2..], Some(Source::Query), true);
    assert_eq!(edits.path, None);
}

#[test]
fn what_goes_on_from_the_name_of_sessions_is_ours_too() {
    let kept = stripped(
        &[("cookie", b"taskgate-si-01ab23cd=sealed; taskgates=x; taskgate-tries=1-2; a=b; taskgate-origin=1")],
        None,
        false,
    );
    assert_eq!(kept.cookie, FieldEdit::Set(b"taskgates=x; a=b".into()));
}
