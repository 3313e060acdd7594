//! `make bench-xds`: what the sidecar as control plane costs Envoy.
//!
//! The sidecar is the library, in this process, and its services are put into the registry as a provider
//! would put them; Envoy is the real one with `envoy-config/xds.yaml`, one worker. Each service has two
//! addresses of its own, where nobody is, beside one service whose job is here. One connection asks for
//! that service again and again: its slowest answer is the longest that anybody waited.
//!
//! Read in this order: [`site`] (what runs), then on (what is measured).
//!
//! Never counts a push that did not arrive: Envoy must say how many addresses it has.

pub(crate) mod arguments;
mod job;
mod probe;
mod site;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use taskgate_test_kit::{Envoy, wait_until};
use tokio::time::timeout;

use crate::client::Client;
use crate::memory::mib;
use crate::request::{Credential, get};
use crate::screen;
use crate::xds::arguments::Options;
use crate::xds::job::Job;
use crate::xds::probe::Probe;
use crate::xds::site::{Site, id, move_to};

/// How long a run may take.
const LONGEST: Duration = Duration::from_secs(600);
/// The longest that one push may take.
const PUSH: Duration = Duration::from_secs(60);
/// How long Envoy has to give back what it needed on the way.
const SETTLE: Duration = Duration::from_secs(2);
/// Addresses of each service.
const ADDRESSES: u64 = 2;

/// What came of one size.
#[derive(Debug)]
struct Figures {
    services: u32,
    push: Duration,
    resident: u64,
    resident_before: u64,
    peak: u64,
    stall_quiet: Duration,
    stall: Duration,
    /// From a change until a request was answered at the new address; in order.
    changes: Vec<Duration>,
    stall_changes: Duration,
}

/// Measures, prints and writes.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    // What runs ends with the future.
    timeout(LONGEST, measure(options)).await.context("took too long")?
}

async fn measure(options: &Options) -> anyhow::Result<()> {
    screen::title("Addresses over xDS to one Envoy with one worker");
    screen::line(&format!(
        "{:>9}{:>10}{:>24}{:>8}{:>18}{:>26}{:>12}",
        "services", "push s", "RSS MiB before-after", "peak", "stall ms, quiet", "changed row ms p50/max", "stall ms"
    ));
    let mut figures = Vec::new();
    for services in options.sizes() {
        let size = one_size(services, options).await?;
        size.print();
        figures.extend(size.named());
    }
    crate::report::write("xds", &figures, options.quick)
}

async fn one_size(services: u32, options: &Options) -> anyhow::Result<Figures> {
    let job = Job::start("the job")?;
    let site = Site::start(job.address()).await?;
    let envoy = site.envoy().await?;
    let address = envoy.listener_address("taskgate").await?;
    let request = get("/", &id(0), &Credential::None);
    let mut client = Client::connect(address).await?;
    let served = async || client.exchange(&request).await.is_ok_and(|answer| answer.status == 200);
    wait_until(PUSH, "the first service", served).await?;

    let probe = Probe::start(address, request.clone());
    tokio::time::sleep(SETTLE).await;
    let stall_quiet = probe.end()?;
    let resident_before = envoy.memory().await?.resident;

    let probe = Probe::start(address, request.clone());
    let entries = site.entries(services);
    let started = Instant::now();
    site.publish(&entries).await?;
    members(&envoy, u64::from(services) * ADDRESSES + 1).await?;
    let push = started.elapsed();
    tokio::time::sleep(SETTLE).await;
    let stall = probe.end()?;
    let memory = envoy.memory().await?;

    let probe = Probe::start(address, request);
    let changes = changes(&site, &envoy, services, options).await?;
    let stall_changes = probe.end()?;
    let peak = envoy.memory().await?.peak;
    envoy.stop().await?;
    Ok(Figures {
        services,
        push,
        resident: memory.resident,
        resident_before,
        peak,
        stall_quiet,
        stall,
        changes,
        stall_changes,
    })
}

/// Moves a service from one new job to the next.
async fn changes(site: &Site, envoy: &Envoy, services: u32, options: &Options) -> anyhow::Result<Vec<Duration>> {
    let address = envoy.listener_address("taskgate").await?;
    let mut client = Client::connect(address).await?;
    let mut entries = site.entries(services);
    let service = services / 2;
    let request = get("/", &id(service), &Credential::None);
    let mut took = Vec::new();
    // The first one is from where nobody is, and counts for nothing.
    for number in 0..=options.changes() {
        let name = format!("job {number}");
        let job = Job::start(&name)?;
        move_to(&mut entries, service, job.address())?;
        let started = Instant::now();
        site.publish(&entries).await?;
        loop {
            let answer = client.exchange(&request).await?;
            if answer.status == 200 && client.body(answer) == name.as_bytes() {
                break;
            }
            // Before that the old job answers; in between the filter knows the new address and Envoy does not.
            ensure!(matches!(answer.status, 200 | 503), "answered {}", answer.status);
            ensure!(started.elapsed() < PUSH, "change {number} does not arrive");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if number > 0 {
            took.push(started.elapsed());
        }
        // The next one is not held up by this one's rest.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    took.sort_unstable();
    Ok(took)
}

/// Waits until Envoy has that many addresses.
async fn members(envoy: &Envoy, count: u64) -> anyhow::Result<()> {
    let arrived =
        async || envoy.stat("cluster.taskgate-h1.membership_total").await.is_ok_and(|members| members == count);
    wait_until(PUSH, &format!("{count} addresses"), arrived).await
}

impl Figures {
    fn print(&self) {
        let [p50, most] = self.changed();
        let memory = format!("{:.0}-{:.0}", mib(self.resident_before), mib(self.resident));
        let stall = format!("{:.1}, {:.1}", millis(self.stall), millis(self.stall_quiet));
        screen::line(&format!(
            "{:>9}{:>10.2}{memory:>24}{:>8.0}{stall:>18}{:>26}{:>12.1}",
            self.services,
            self.push.as_secs_f64(),
            mib(self.peak),
            format!("{p50:.0} / {most:.0}"),
            millis(self.stall_changes),
        ));
    }

    /// The median and the longest, in milliseconds.
    fn changed(&self) -> [f64; 2] {
        let at = |place: usize| self.changes.get(place).map_or(f64::NAN, |took| millis(*took));
        [at(self.changes.len() / 2), at(self.changes.len().saturating_sub(1))]
    }

    fn named(&self) -> Vec<(&'static str, f64)> {
        let [p50, most] = self.changed();
        let names = if self.services >= arguments::MANY {
            [
                "push_seconds_100k",
                "rss_mib_100k",
                "peak_mib_100k",
                "stall_ms_100k",
                "changed_p50_ms_100k",
                "changed_max_ms_100k",
                "changed_stall_ms_100k",
            ]
        } else {
            [
                "push_seconds_10k",
                "rss_mib_10k",
                "peak_mib_10k",
                "stall_ms_10k",
                "changed_p50_ms_10k",
                "changed_max_ms_10k",
                "changed_stall_ms_10k",
            ]
        };
        let values = [
            self.push.as_secs_f64(),
            mib(self.resident),
            mib(self.peak),
            millis(self.stall),
            p50,
            most,
            millis(self.stall_changes),
        ];
        names.into_iter().zip(values).collect()
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
