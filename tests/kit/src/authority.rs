//! An authority that certificates of servers and clients come from, made with `openssl` as operators are told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// An authority. Its files are gone when it is dropped.
#[derive(Debug)]
pub struct Authority {
    directory: TempDir,
}

/// A certificate that an authority issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The file with the certificate.
    pub certificate: PathBuf,
    /// The file with its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// There is no `openssl`, or no place for files.
    pub fn new() -> anyhow::Result<Self> {
        let authority = Self { directory: tempfile::tempdir()? };
        let own = authority.issued("ca");
        let options = ["req", "-x509", "-days", "2", "-subj", "/CN=authority"];
        openssl(|command| new_key(command.args(options), &own.key).arg("-out").arg(&own.certificate))?;
        Ok(authority)
    }

    /// The file with its own certificate.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.issued("ca").certificate
    }

    /// A certificate with that common name and these alternative names, as in `URI:spiffe://example.test/alice`.
    ///
    /// # Errors
    /// `openssl` did not make one.
    pub fn issue(&self, name: &str, alternatives: &str) -> anyhow::Result<Issued> {
        self.issue_for(name, alternatives, 2)
    }

    /// One that is over.
    ///
    /// # Errors
    /// `openssl` did not make one.
    pub fn issue_expired(&self, name: &str, alternatives: &str) -> anyhow::Result<Issued> {
        self.issue_for(name, alternatives, -1)
    }

    fn issue_for(&self, name: &str, alternatives: &str, days: i32) -> anyhow::Result<Issued> {
        let (own, issued) = (self.issued("ca"), self.issued(name));
        let (request, extensions) = (self.path(name, "csr"), self.path(name, "ext"));
        fs::write(&extensions, format!("subjectAltName={alternatives}\n"))?;
        let subject = format!("/O=Example/CN={name}");
        openssl(|command| new_key(command.args(["req", "-subj", &subject]), &issued.key).arg("-out").arg(&request))?;
        openssl(|command| {
            command.args(["x509", "-req", "-CAcreateserial", "-days", &days.to_string()]);
            command.arg("-in").arg(&request).arg("-CA").arg(&own.certificate).arg("-CAkey").arg(&own.key);
            command.arg("-extfile").arg(&extensions).arg("-out").arg(&issued.certificate)
        })?;
        Ok(issued)
    }

    fn issued(&self, name: &str) -> Issued {
        Issued { certificate: self.path(name, "pem"), key: self.path(name, "key") }
    }

    fn path(&self, name: &str, kind: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.{kind}"))
    }
}

impl Issued {
    /// The SHA-256 digest of the certificate, as `openssl` writes it.
    ///
    /// # Errors
    /// `openssl` does not say.
    pub fn sha256(&self) -> anyhow::Result<String> {
        let options = ["x509", "-noout", "-fingerprint", "-sha256", "-in"];
        let said = openssl(|command| command.args(options).arg(&self.certificate))?;
        let (_, digest) = said.trim().split_once('=').context("no digest")?;
        Ok(digest.to_owned())
    }
}

fn new_key<'a>(command: &'a mut Command, key: &Path) -> &'a mut Command {
    command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"]).arg(key)
}

fn openssl(arguments: impl FnOnce(&mut Command) -> &mut Command) -> anyhow::Result<String> {
    let mut command = Command::new("openssl");
    let output = arguments(&mut command).output().context("can't run openssl")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
