//! Whether a store can do what will be asked of it: tried at the start, so that a missing permission, a wrong
//! region or a clock that is off is one line in the log and not the failure of somebody's upload.
//!
//! Objects of a few bytes are written, read and deleted as the sidecar itself does it, and put and got as clients
//! do it, with signed URLs; then what must be refused is tried. What is left over is deleted. Their keys are
//! `<prefix>/.taskgate/canary-<random>…`: two parts behind the prefix, where everything of a project has three or
//! more.

pub mod carrier;
mod diagnosis;
pub mod report;
pub mod run;

use bytes::Bytes;
use http::Method;
use md5::{Digest as _, Md5};

use crate::clock::Clock;
use crate::data::path::{InvalidPath, Key, Segments};
use crate::data::self_test::carrier::Carrier;
use crate::data::self_test::report::{Outcome, Report, Step};
use crate::data::store::{DownloadTerms, SignedRequest, Store, StoreError, UploadTerms, WriteMode};
use crate::http::Answer;
use crate::random;

/// How long the URLs work.
const EXPIRES_IN: std::time::Duration = std::time::Duration::from_secs(60);
/// What is kept.
const BYTES: &[u8] = b"Taskgate tries whether it can write here.\n";
/// As many other bytes.
const OTHER: &[u8] = b"TASKGATE TRIES WHETHER IT CAN WRITE HERE.\n";
/// Between the prefix and the names of canaries.
const FOLDER: &str = ".taskgate";

/// A store that is tried.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What the configuration calls it.
    pub name: &'a str,
    /// It, signing for where the sidecar reaches it.
    pub store: &'a dyn Store,
    /// It, signing for where clients reach it; none where that is the same place.
    pub public: Option<&'a dyn Store>,
    /// What brings requests there.
    pub carrier: &'a dyn Carrier,
    /// What every key starts with.
    pub prefix: Option<&'a Segments>,
    /// Whether uploads may only create.
    pub create_only: bool,
    /// What time it is.
    pub clock: &'a dyn Clock,
}

/// Tries a store. It takes as long as the store does.
pub async fn self_test(subject: Subject<'_>) -> Report {
    let mut report = Report::new(subject.name);
    match Canaries::new(subject.prefix) {
        Ok(canaries) => Trial { subject, canaries, report: &mut report }.run().await,
        Err(reason) => report.add(Step::Write, Outcome::Failed(reason)),
    }
    report
}

/// The keys that are used.
struct Canaries {
    /// Written by the sidecar.
    own: Key,
    /// Put with a signed URL.
    put: Key,
    /// Put as it must not be.
    refused: Key,
    /// Where nothing ever is.
    nothing: Key,
}

struct Trial<'a> {
    subject: Subject<'a>,
    canaries: Canaries,
    report: &'a mut Report,
}

impl Canaries {
    fn new(prefix: Option<&Segments>) -> Result<Self, String> {
        let random: [u8; 16] = random::bytes().map_err(|error| error.to_string())?;
        let random = u128::from_le_bytes(random);
        let base = prefix.map_or_else(String::new, |prefix| format!("{}/", prefix.as_str()));
        let key = |name: &str| Key::parse(&format!("{base}{FOLDER}/canary-{random:032x}-{name}"));
        let keys =
            || Ok(Self { own: key("own")?, put: key("put")?, refused: key("refused")?, nothing: key("nothing")? });
        keys().map_err(|error: InvalidPath| error.to_string())
    }
}

impl Trial<'_> {
    async fn run(mut self) {
        // Writing first: a refusal of that has words, which a refusal to look has not.
        let store = self.subject.store;
        let written = store.write(&self.canaries.own, Bytes::from_static(BYTES), WriteMode::Create).await;
        let unavailable = matches!(written, Err(StoreError::Unavailable(_)));
        let is_written = self.note(Step::Write, written.map_err(|error| diagnosis::words(&error)));
        if unavailable {
            return;
        }
        self.look().await;
        if is_written {
            self.read().await;
            self.keep().await;
        }
        let is_put = self.put().await;
        let there =
            if is_put { Some(self.canaries.put.clone()) } else { is_written.then(|| self.canaries.own.clone()) };
        if let Some(there) = &there {
            self.get(Step::Get, self.subject.store, there).await;
            if let Some(public) = self.subject.public {
                self.get(Step::Public, public, there).await;
            }
        }
        if is_put {
            self.head().await;
            self.refusals().await;
        }
        self.delete(there.as_ref()).await;
    }

    /// That nothing is there must be said, and not that it may not be known.
    async fn look(&mut self) {
        let found = self.subject.store.head(&self.canaries.nothing).await;
        let outcome = match found {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err("there is something where nothing can be: this is no store of objects".to_owned()),
            Err(error) => Err(diagnosis::words(&error)),
        };
        self.note(Step::Look, outcome);
    }

    async fn read(&mut self) {
        let store = self.subject.store;
        let read = store.read(&self.canaries.own, BYTES.len().try_into().unwrap_or(u64::MAX)).await;
        let outcome = match read {
            Ok(Some(bytes)) if bytes == BYTES => Ok(()),
            Ok(Some(_)) | Err(StoreError::TooLarge { .. }) => Err("there are other bytes than were written".to_owned()),
            Ok(None) => Err("what was written is not there".to_owned()),
            Err(error) => Err(diagnosis::words(&error)),
        };
        self.note(Step::Read, outcome);
    }

    /// What is there must not be written over, or runs would lose their inputs to each other.
    async fn keep(&mut self) {
        let again = self.subject.store.write(&self.canaries.own, Bytes::from_static(OTHER), WriteMode::Create).await;
        let outcome = match again {
            Err(StoreError::Exists) => Ok(()),
            Ok(()) => Err(Step::Keep.if_taken().to_owned()),
            Err(error) => Err(diagnosis::words(&error)),
        };
        self.note(Step::Keep, outcome);
    }

    async fn put(&mut self) -> bool {
        let outcome = match self.sign(&self.canaries.put, &self.terms()).await {
            Ok(signed) => self.send(Method::PUT, &signed, BYTES).await.and_then(|answer| {
                if answer.status.is_success() {
                    Ok(())
                } else {
                    Err(diagnosis::refusal(&answer, self.subject.store.permissions().write))
                }
            }),
            Err(reason) => Err(reason),
        };
        self.note(Step::Put, outcome)
    }

    async fn get(&mut self, step: Step, store: &dyn Store, key: &Key) {
        let terms = DownloadTerms { expires_in: EXPIRES_IN, ..DownloadTerms::default() };
        let outcome = match store.sign_download(key, &terms).await {
            Err(error) => Outcome::Failed(diagnosis::words(&error)),
            Ok(signed) => match self.send(Method::GET, &signed, b"").await {
                Ok(answer) if !answer.status.is_success() => {
                    Outcome::Failed(diagnosis::refusal(&answer, store.permissions().read))
                }
                Ok(answer) if answer.body != BYTES => {
                    Outcome::Failed("other bytes come back than were written".to_owned())
                }
                Ok(_) => Outcome::Passed,
                // In a cluster that is how it should be, as a rule.
                Err(reason) if step == Step::Public => Outcome::Warned(format!(
                    "the public endpoint can't be reached from here, so it was not tried: {reason}"
                )),
                Err(reason) => Outcome::Failed(reason),
            },
        };
        self.report.add(step, outcome);
    }

    /// What Flyte's rule for names that were chosen goes by.
    async fn head(&mut self) {
        let outcome = match self.subject.store.head(&self.canaries.put).await {
            Ok(Some(object)) if object.size != BYTES.len().try_into().unwrap_or(u64::MAX) => {
                Err(format!("it says that an object has {} bytes that has {}", object.size, BYTES.len()))
            }
            Ok(Some(object)) if object.content_md5 != Some(md5()) => {
                Err("it does not keep metadata, so that no file may be uploaded under its name again".to_owned())
            }
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err("what was put is not there".to_owned()),
            Err(error) => Err(diagnosis::words(&error)),
        };
        self.note(Step::Head, outcome);
    }

    /// What clients must not be able to do.
    async fn refusals(&mut self) {
        let (ties, terms) = (self.subject.store.ties(), self.terms());
        let (put, refused) = (self.canaries.put.clone(), self.canaries.refused.clone());
        // Each is tied to one thing alone, so that nothing else is why it is refused.
        if ties.content_md5 {
            let digest = UploadTerms { content_length: None, create_only: false, ..terms.clone() };
            self.refuse(Step::Digest, &refused, &digest, OTHER).await;
        }
        if ties.content_length {
            let length = UploadTerms { content_md5: None, md5_metadata: false, create_only: false, ..terms.clone() };
            self.refuse(Step::Length, &refused, &length, &[BYTES, b"more"].concat()).await;
        }
        if terms.create_only {
            self.refuse(Step::Create, &put, &terms, BYTES).await;
        }
    }

    async fn refuse(&mut self, step: Step, key: &Key, terms: &UploadTerms, body: &[u8]) {
        let outcome = match self.sign(key, terms).await {
            Err(reason) => Err(reason),
            Ok(signed) => match self.subject.carrier.carry(Method::PUT, &signed, Bytes::copy_from_slice(body)).await {
                Ok(answer) if answer.status.is_client_error() => Ok(()),
                Ok(answer) if answer.status.is_success() => Err(step.if_taken().to_owned()),
                Ok(answer) => Err(format!("it answers {}", answer.status)),
                // Some end the connection rather than to read what they don't want.
                Err(_) => Ok(()),
            },
        };
        self.note(step, outcome);
    }

    async fn delete(self, there: Option<&Key>) {
        let store = self.subject.store;
        for key in [&self.canaries.own, &self.canaries.put, &self.canaries.refused] {
            let deleted = store.delete(key).await;
            if there == Some(key) {
                let outcome = match deleted {
                    Err(error) => Err(format!("{}; `{key}` stays there", diagnosis::words(&error))),
                    Ok(()) => match store.head(key).await {
                        Ok(Some(_)) => Err("what was deleted is still there".to_owned()),
                        // Whether it may look was found out before.
                        Ok(None) | Err(_) => Ok(()),
                    },
                };
                self.report.add(Step::Delete, outcome.into());
            }
        }
    }

    fn terms(&self) -> UploadTerms {
        let ties = self.subject.store.ties();
        UploadTerms {
            expires_in: EXPIRES_IN,
            content_md5: Some(md5()),
            content_sha256: None,
            content_length: u64::try_from(BYTES.len()).ok(),
            max_length: None,
            create_only: self.subject.create_only && ties.create_only,
            md5_metadata: true,
        }
    }

    async fn sign(&self, key: &Key, terms: &UploadTerms) -> Result<SignedRequest, String> {
        self.subject.store.sign_upload(key, terms).await.map_err(|error| diagnosis::words(&error))
    }

    /// Sends a signed request; what the clock says is noted by the way.
    async fn send(&mut self, method: Method, signed: &SignedRequest, body: &'static [u8]) -> Result<Answer, String> {
        let answer = self.subject.carrier.carry(method, signed, Bytes::from_static(body)).await?;
        if let Some(skew) = diagnosis::skew(&answer, self.subject.clock.now())
            && !self.report.has(Step::Clock)
        {
            self.report.add(Step::Clock, skew.outcome());
        }
        Ok(answer)
    }

    /// Notes an outcome; whether it was a good one.
    fn note(&mut self, step: Step, outcome: Result<(), String>) -> bool {
        let is_good = outcome.is_ok();
        self.report.add(step, outcome.into());
        is_good
    }
}

fn md5() -> [u8; 16] {
    Md5::digest(BYTES).into()
}

#[cfg(test)]
mod tests;
