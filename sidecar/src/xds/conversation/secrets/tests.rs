use envoy_types::pb::envoy::service::discovery::v3::Resource;
use envoy_types::pb::google::rpc::Status as Reason;

use super::*;
use crate::xds::ports::board::Board;
use crate::xds::ports::proxy::Standing;

const BOTH: [SecretName; 2] = SecretName::ALL;

fn secrets(text: &str) -> Secrets {
    let form = |number: u8| BOTH.map(|name| [name.as_str().as_bytes(), text.as_bytes(), &[number][..]].concat());
    Secrets::new(form(1), form(2))
}

/// A stream, whose place at a board nobody looks at.
struct Stream {
    talk: SecretTalk,
    seat: Seat,
    nonces: u64,
}

impl Stream {
    fn new() -> Self {
        Self { talk: SecretTalk::default(), seat: Arc::new(Board::default()).sit(), nonces: 0 }
    }

    /// One that was sent a listener with TLS.
    fn expecting() -> Self {
        let mut stream = Self::new();
        stream.talk.expect();
        stream
    }

    fn ask(&mut self, names: &[SecretName], brings: Option<&Secrets>) {
        let named = |name: &SecretName| name.as_str().to_owned();
        let versions = brings.map(|secrets| names.iter().map(move |name| (named(name), secrets.version().to_string())));
        let request = DeltaDiscoveryRequest {
            resource_names_subscribe: names.iter().map(named).collect(),
            initial_resource_versions: versions.into_iter().flatten().collect(),
            ..DeltaDiscoveryRequest::default()
        };
        assert_eq!(self.talk.hear(&self.seat, &request), Heard::Fine);
    }

    fn leave(&mut self) {
        let request = DeltaDiscoveryRequest {
            resource_names_unsubscribe: BOTH.iter().map(|name| name.as_str().to_owned()).collect(),
            ..DeltaDiscoveryRequest::default()
        };
        assert_eq!(self.talk.hear(&self.seat, &request), Heard::Fine);
    }

    /// Everything that is sent now, with its nonces.
    fn sent(&mut self, secrets: &Secrets) -> Vec<(String, Resource)> {
        let responses = std::iter::from_fn(|| self.talk.next(secrets, &mut self.nonces));
        let one = |mut response: DeltaDiscoveryResponse| {
            assert_eq!((response.type_url.as_str(), response.resources.len()), (TYPE_URL, 1), "one at a time");
            (response.nonce, response.resources.remove(0))
        };
        responses.map(one).collect()
    }

    fn answer(&mut self, nonce: &str, refusal: Option<&str>) -> Heard {
        let error_detail = refusal.map(|message| Reason { message: message.into(), ..Reason::default() });
        let response_nonce = nonce.to_owned();
        let request = DeltaDiscoveryRequest { response_nonce, error_detail, ..DeltaDiscoveryRequest::default() };
        self.talk.hear(&self.seat, &request)
    }

    /// Takes everything that is sent now, which is both.
    fn take_both(&mut self, secrets: &Secrets) {
        let sent = self.sent(secrets);
        assert_eq!(resources(&sent), BOTH.map(|name| secrets.resource(name)));
        for (nonce, _) in sent {
            assert_eq!(self.answer(&nonce, None), Heard::Fine);
        }
        assert_eq!(self.standing(secrets), Standing::Holds);
        assert_eq!(self.sent(secrets), []);
    }

    fn standing(&self, secrets: &Secrets) -> Standing {
        self.talk.said.standing(secrets)
    }
}

fn resources(sent: &[(String, Resource)]) -> Vec<Resource> {
    sent.iter().map(|(_, resource)| resource.clone()).collect()
}

#[test]
fn nothing_is_sent_that_was_not_asked_for() {
    let (mut stream, secrets) = (Stream::expecting(), secrets("a"));
    assert_eq!(stream.sent(&secrets), []);
    stream.ask(&[SecretName::ClientCa], None);
    assert_eq!(resources(&stream.sent(&secrets)), [secrets.resource(SecretName::ClientCa)]);
    assert_eq!(stream.sent(&secrets), [], "it is under way");
}

#[test]
fn who_asks_gets_both_once_and_what_changes_again() {
    let mut stream = Stream::expecting();
    stream.ask(&BOTH, None);
    assert_eq!(stream.standing(&secrets("a")), Standing::Pending);
    stream.take_both(&secrets("a"));
    stream.take_both(&secrets("b"));
    // All its listeners went, and one came back.
    stream.leave();
    assert_eq!(stream.sent(&secrets("b")), []);
    stream.ask(&BOTH, None);
    stream.take_both(&secrets("b"));
}

#[test]
fn who_comes_back_with_them_gets_nothing() {
    let (mut stream, secrets) = (Stream::new(), secrets("a"));
    stream.ask(&BOTH, Some(&secrets));
    assert_eq!((stream.sent(&secrets), stream.standing(&secrets)), (vec![], Standing::Holds));
    // Another attempt, which somebody else needs, is none of its business.
    assert_eq!((stream.sent(&secrets.again()), stream.standing(&secrets.again())), (vec![], Standing::Holds));
}

#[test]
fn what_was_refused_goes_again_with_the_next_attempt_and_in_another_form() {
    let (mut stream, secrets) = (Stream::expecting(), secrets("a"));
    stream.ask(&BOTH, None);
    let sent = stream.sent(&secrets);
    let [(certificate, _), (clients, _)] = sent.as_slice() else { panic!("both: {sent:?}") };
    let refused = Heard::Refused { resource: "taskgate-tcp/certificate".into(), reason: "no such file".into() };
    assert_eq!(stream.answer(certificate, Some("no such file")), refused);
    // That the other one was taken says nothing: it is not in use.
    assert_eq!(stream.answer(clients, None), Heard::Fine);
    let told = "it can't use the files of `taskgate-tcp/certificate`: no such file";
    assert_eq!((stream.standing(&secrets), stream.sent(&secrets)), (Standing::Refuses(told.into()), vec![]));
    let again = secrets.again();
    assert_eq!(stream.standing(&again), Standing::Pending);
    assert_ne!(again.resource(SecretName::ClientCa), secrets.resource(SecretName::ClientCa));
    stream.take_both(&again);
}

#[test]
fn who_comes_back_without_them_gets_both_forms_and_the_second_counts() {
    let secrets = secrets("a");
    for refusal in [None, Some("it was refused before")] {
        let mut stream = Stream::new();
        stream.ask(&BOTH, None);
        let preludes = stream.sent(&secrets);
        assert_eq!(resources(&preludes), BOTH.map(|name| secrets.prelude(name)));
        for (nonce, _) in preludes {
            assert_eq!(stream.answer(&nonce, refusal), Heard::Fine);
            assert_eq!(stream.standing(&secrets), Standing::Pending);
        }
        stream.take_both(&secrets);
    }
}
