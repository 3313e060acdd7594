//! Ceph's gateway of objects, as Debian has it: the server of S3 that tests can have which is used in earnest.
//!
//! A monitor, one store in memory and the gateway are started from unpacked packages; nothing is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::address::ReservedAddress;
use crate::environment;
use crate::process::Process;
use crate::wait::wait_for;

/// How long a start may take on a busy machine.
const READY: Duration = Duration::from_secs(90);
/// The cluster's name for itself.
const CLUSTER: &str = "7b0c5d0e-3a51-4f0a-9a3c-2f1d7a1c9e55";
/// The region of requests; it takes any.
const REGION: &str = "us-east-1";

/// A running gateway with one bucket. Dropping it kills it.
#[derive(Debug)]
pub struct Radosgw {
    gateway: ReservedAddress,
    // In the order in which they end.
    _gateway: Process,
    _osd: Process,
    _monitor: Process,
    _addresses: [ReservedAddress; 2],
    _directory: TempDir,
}

/// Where the programs are, and what they are told.
struct Programs {
    root: PathBuf,
    libraries: PathBuf,
    directory: PathBuf,
}

impl Radosgw {
    /// Its bucket.
    pub const BUCKET: &str = "data";
    /// The id of its access key.
    pub const ACCESS_KEY_ID: &str = "AKIDTEST";
    /// The secret of its access key.
    pub const SECRET_ACCESS_KEY: &str = "a-secret-of-tests";

    /// Starts a cluster with an empty bucket, and waits until it is ready.
    ///
    /// # Errors
    /// It is not installed, or does not get ready.
    pub async fn start() -> anyhow::Result<Self> {
        let root = environment::radosgw()?;
        let directory = tempfile::tempdir()?;
        let addresses = [ReservedAddress::new()?, ReservedAddress::new()?];
        let gateway = ReservedAddress::new()?;
        let libraries = libraries(&root)?;
        let programs = Programs { root, libraries, directory: directory.path().to_owned() };
        let [newer, older] = addresses.each_ref().map(ReservedAddress::address);
        let monitors = format!("[v2:{newer},v1:{older}]");
        fs::write(programs.file("ceph.conf"), configuration(&programs, &monitors, &gateway))?;
        fs::create_dir(programs.file("monitor"))?;
        fs::create_dir(programs.file("osd"))?;

        let keyring = programs.path("keyring");
        for (name, rights) in [
            ("mon.", &["--cap", "mon", "allow *"][..]),
            ("client.admin", &["--cap", "mon", "allow *", "--cap", "osd", "allow *"]),
            ("osd.0", &["--cap", "mon", "allow *", "--cap", "osd", "allow *"]),
        ] {
            let create: &[&str] = if name == "mon." { &["--create-keyring"] } else { &[] };
            programs.run("ceph-authtool", &[create, &[&keyring, "--gen-key", "-n", name], rights].concat())?;
        }
        let (monitor_map, osd_map) = (programs.path("monmap"), programs.path("osdmap"));
        programs.run("monmaptool", &["--create", "--fsid", CLUSTER, "--addv", "a", &monitors, &monitor_map])?;
        programs.run("osdmaptool", &["--createsimple", "1", &osd_map])?;
        let maps = ["--monmap", &monitor_map, "--osdmap", &osd_map, "--keyring", &keyring];
        programs.run("ceph-mon", &[&["--mkfs", "-i", "a"][..], &maps].concat())?;

        let monitor = programs.start("ceph-mon", &["-i", "a", "-f"])?;
        programs.run("ceph-osd", &["--mkfs", "-i", "0"])?;
        let osd = programs.start("ceph-osd", &["-i", "0", "-f"])?;
        let user = ["user", "create", "--uid=test", "--display-name=test"];
        let key =
            [format!("--access-key={}", Self::ACCESS_KEY_ID), format!("--secret-key={}", Self::SECRET_ACCESS_KEY)];
        let key = key.each_ref().map(String::as_str);
        programs.run("radosgw-admin", &[&user[..], &key].concat())?;
        let mut server = programs.start("radosgw", &["-n", "client.admin", "-f"])?;
        let (client, url) = (reqwest::Client::new(), format!("http://{}/", gateway.address()));
        let ready = wait_for(READY, "radosgw to be ready", async || match server.check_alive() {
            Err(error) => Some(Err(error)),
            Ok(()) => client.get(&url).send().await.ok().map(|_| Ok(())),
        });
        ready.await?.context("radosgw did not start")?;
        let answer = client.put(bucket_url(&gateway)?).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "no bucket: {status} {text}");
        Ok(Self {
            gateway,
            _gateway: server,
            _osd: osd,
            _monitor: monitor,
            _addresses: addresses,
            _directory: directory,
        })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.gateway.address())
    }
}

impl Programs {
    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.root.join("usr/bin").join(name));
        let outer = self.root.join("lib").join(self.libraries.file_name().unwrap_or_default());
        let places = [self.libraries.clone(), self.libraries.join("ceph"), outer];
        let places = places.map(|place| place.display().to_string()).join(":");
        command.env_clear().env("LD_LIBRARY_PATH", places).env("CEPH_CONF", self.file("ceph.conf"));
        command.current_dir(&self.directory).args(arguments);
        command
    }

    fn run(&self, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let output = self.command(name, arguments).output().with_context(|| format!("can't start {name}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name} ended with {}: {said}", output.status);
        Ok(())
    }

    fn start(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        Process::start(self.command(name, arguments), self.file(&format!("{name}.out")))
    }
}

/// Where the libraries of the packages are: the folder has the name of the machine's kind.
fn libraries(root: &Path) -> anyhow::Result<PathBuf> {
    let folders = fs::read_dir(root.join("usr/lib"))?.flatten().map(|folder| folder.path());
    let found = folders.into_iter().find(|folder| folder.join("rados-classes").is_dir());
    found.with_context(|| format!("no libraries of Ceph in {}", root.display()))
}

fn configuration(programs: &Programs, monitors: &str, gateway: &ReservedAddress) -> String {
    let (directory, libraries) = (programs.directory.display(), programs.libraries.display());
    let gateway = gateway.address();
    format!(
        "[global]
fsid = {CLUSTER}
mon host = {monitors}
mon initial members = a
mon data = {directory}/monitor
mon cluster log file = /dev/null
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail warn = 0
mon data avail crit = 0
paxos propose interval = 0.05
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
keyring = {directory}/keyring
run dir = {directory}
crash dir = {directory}
admin socket =
log file = {directory}/$name.log
plugin dir = {libraries}/ceph
erasure code dir = {libraries}/ceph/erasure-code
osd class dir = {libraries}/rados-classes
osd data = {directory}/osd
osd objectstore = memstore
osd crush update on start = false
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
rgw frontends = beast endpoint={gateway}
rgw run sync thread = false
"
    )
}

/// A signed URL that makes the bucket (AWS Signature Version 4, in the query).
fn bucket_url(gateway: &ReservedAddress) -> anyhow::Result<String> {
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = time.split('T').next().unwrap_or_default();
    let scope = format!("{day}/{REGION}/s3/aws4_request");
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={time}&X-Amz-Expires=300&X-Amz-SignedHeaders=host",
        Radosgw::ACCESS_KEY_ID,
        scope.replace('/', "%2F"),
    );
    let (path, host) = (format!("/{}", Radosgw::BUCKET), gateway.address());
    let canonical = format!("PUT\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    let digest = hex(&Sha256::digest(&canonical));
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let mut key = format!("AWS4{}", Radosgw::SECRET_ACCESS_KEY).into_bytes();
    for part in [day, REGION, "s3", "aws4_request", &to_sign] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key)?;
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    Ok(format!("http://{host}{path}?{query}&X-Amz-Signature={}", hex(&key)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
